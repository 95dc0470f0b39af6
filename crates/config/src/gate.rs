//! The configuration of `ficha gate`, which has no store and no keys.

use std::{ffi::OsString, path::Path, sync::Arc};

use crate::{
    document,
    environment::Environment,
    load::text_of,
    problem::{Place, Problem},
    reader::{Places, Reader},
    sections::{self, GateProcess, Telemetry, Tokens},
};

/// A checked configuration of `ficha gate`.
#[derive(Debug)]
pub struct GateConfig {
    /// Where proxies ask, and by which rules they are answered.
    pub gate: GateProcess,
    /// How tokens are checked.
    pub tokens: Tokens,
    /// The log.
    pub telemetry: Telemetry,
}

/// Loads the TOML file at `path`, where there is one, and above it those of `env`, the environment, that begin with `FICHA_`.
/// Touches no other file.
///
/// # Errors
/// Everything that is wrong: never an empty list.
pub fn load_gate<K: Into<OsString>, V: Into<OsString>>(
    path: &Path,
    env: impl IntoIterator<Item = (K, V)>,
) -> Result<GateConfig, Vec<Problem>> {
    let text = text_of(path)?;
    read_gate(path, &text, env)
}

/// Like [`load_gate`], of a `text` that messages call `file`, in whose folder relative paths begin.
///
/// # Errors
/// Everything that is wrong: never an empty list.
pub fn read_gate<K: Into<OsString>, V: Into<OsString>>(
    file: impl AsRef<Path>,
    text: &str,
    env: impl IntoIterator<Item = (K, V)>,
) -> Result<GateConfig, Vec<Problem>> {
    let file: Arc<Path> = file.as_ref().into();
    let sections = sections::of_gate();
    let Environment { variables, mut problems, .. } = Environment::read(env, &sections);
    let entries = document::parse(&file, text).map_err(|mut found| {
        found.append(&mut problems);
        found
    })?;
    let whole = Place::File(file);
    let mut reader = Reader { whole, file: &entries, variables: &variables, places: Places::default(), problems };
    reader.unknown(&sections);
    let gate = GateProcess::read(&mut reader);
    let tokens = Tokens::read(&mut reader);
    let telemetry = Telemetry::read(&mut reader);
    if let Some(gate) = &gate {
        gate.check(&mut reader);
    }
    match (gate, tokens, telemetry) {
        (Some(gate), Some(tokens), Some(telemetry)) if reader.problems.is_empty() => {
            Ok(GateConfig { gate, tokens, telemetry })
        }
        (_, _, _) => Err(reader.problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
        let problems = read_gate("gate.toml", text, pairs.iter().copied()).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_are_all_that_a_gate_must_be_told() {
        let config = read_gate("/etc/ficha/gate.toml", "[gate]\nrules = \"r.toml\"", [("PATH", "/bin")]).unwrap();
        assert_eq!(config.gate.rules, Path::new("/etc/ficha/r.toml"));
        assert_eq!(config.gate.ops, Some("127.0.0.1:9092".parse().unwrap()));
        assert_eq!(config.tokens.leeway_s.as_secs(), 30);
        let config = read_gate("gate.toml", "", [("FICHA_GATE__RULES", "r.toml"), ("FICHA_GATE__OPS", "off")]).unwrap();
        assert_eq!((config.gate.rules.as_path(), config.gate.ops), (Path::new("r.toml"), None));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        assert_eq!(
            said("[gate]\nrule = \"r\"\nlisten = []\n[store]\ndata = \"d\"", &[("FICHA_TOKENS__LEEWAY_S", "61")]),
            [
                "gate.toml:2: [gate] rule: unknown key, did you mean rules? (there are listen, trusted_proxies, rules, ops, drain_s, shutdown_s)",
                "gate.toml:4: [store]: unknown section (there are gate, tokens, telemetry)",
                "gate.toml:1: [gate] rules: missing: expected the path of a file",
                "environment variable FICHA_TOKENS__LEEWAY_S: [tokens] leeway_s: expected seconds from 0 to 60, as a number or with a unit, as in \"90s\" or \"5m\"; found \"61\"",
            ]
        );
        assert_eq!(
            said("[gate]\nrules = \"r\"\nlisten = [\"127.0.0.1:9092\"]", &[]),
            [
                "gate.toml:3: [gate] listen: 127.0.0.1:9092 is taken by another listener: expected an address of its own for each"
            ]
        );
    }
}
