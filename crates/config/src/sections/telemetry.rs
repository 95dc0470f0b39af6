//! `[telemetry]`

use super::section;
use crate::{
    document::{Node, Value},
    kinds::{Choice, Flag, Kind, bytes},
    reader::Complaints,
};

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

section! {
    /// The log, on standard error.
    pub struct Telemetry = "telemetry" {
        /// What is logged: a level, or levels by target, the most exact one counts.
        log: String = Filter, r#""info""#;
        /// How a line is written: one JSON object, or for people.
        format: LogFormat = Choice(&[("json", LogFormat::Json), ("text", LogFormat::Text)]), r#""json""#;
        /// Whether each request gets one line (target `access`), whatever `log` says.
        access_log: bool = Flag, "true";
        /// Bytes of lines that may wait to be written; beyond them lines are dropped and counted, and no request waits.
        buffer_bytes: usize = bytes(64 << 10..=64 << 20), r#""1MiB""#;
    }
}

/// `info`, or `info,ficha_store=debug`.
struct Filter;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Kind for Filter {
    type Value = String;
    fn takes(&self) -> String {
        format!("a level ({}), or levels by target as in \"info,ficha_store=debug\"", LEVELS.join(", "))
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<String> {
        let (Value::Text(text) | Value::Word(text)) = &node.value else { return say.expected(&self.takes(), node) };
        let target =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:-.".contains(&b));
        let known = |part: &str| match part.split_once('=') {
            Some((name, level)) => target(name) && LEVELS.contains(&level),
            None => LEVELS.contains(&part),
        };
        if text.split(',').all(known) { Some(text.clone()) } else { say.expected(&self.takes(), node) }
    }
}

#[cfg(test)]
mod tests {
    use super::LogFormat;
    use crate::load::tests::{complaints, config, config_with};

    #[test]
    fn a_log_has_levels_a_format_and_a_line_per_request() {
        let telemetry = config("").telemetry;
        assert_eq!((telemetry.log.as_str(), telemetry.format, telemetry.access_log), ("info", LogFormat::Json, true));
        let text = "[telemetry]\nlog = \"warn,ficha_store::sqlite=trace\"\nformat = \"text\"\naccess_log = false";
        let telemetry = config(text).telemetry;
        assert_eq!((telemetry.format, telemetry.access_log), (LogFormat::Text, false));
        assert!(!config_with(&[("FICHA_TELEMETRY__ACCESS_LOG", "false")]).telemetry.access_log);
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in ["loud", "", "info,", "x=loud", "=info", "a b=info", "ficha_store", "INFO"] {
            let said = complaints(&format!("[telemetry]\nlog = {bad:?}"));
            assert_eq!(said.len(), 1, "{bad}");
            assert!(said[0].starts_with("ficha.toml:2: [telemetry] log: expected a level (off, error, "), "{said:?}");
        }
        assert_eq!(
            complaints("[telemetry]\nformat = \"xml\"\naccess_log = 1"),
            [
                "ficha.toml:2: [telemetry] format: expected \"json\" or \"text\"; found \"xml\"",
                "ficha.toml:3: [telemetry] access_log: expected true or false; found 1",
            ]
        );
    }
}
