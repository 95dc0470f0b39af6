//! The sections, one file each. An option is one line there and nowhere else.

mod cluster;
mod dialects;
mod gate;
mod gate_process;
mod keys;
mod limits;
mod listen;
mod store;
mod telemetry;
mod tls;
mod tokens;

pub use cluster::Cluster;
pub use dialects::Dialects;
pub use gate::Gate;
pub use gate_process::GateProcess;
pub(crate) use keys::KeyFiles;
pub use keys::Keys;
pub use limits::Limits;
pub use listen::Listen;
pub use store::Store;
pub use telemetry::{LogFormat, Telemetry};
pub use tls::{CertificateFiles, Tls};
pub use tokens::Tokens;

use crate::reader::SectionInfo;

/// Every section, in the order of the reference.
pub(crate) fn all() -> Vec<SectionInfo> {
    vec![
        Listen::info(),
        Tls::info(),
        Store::info(),
        Cluster::info(),
        keys::info(),
        Dialects::info(),
        Gate::info(),
        Limits::info(),
        Telemetry::info(),
    ]
}

/// Every section of the configuration of `ficha gate`.
pub(crate) fn of_gate() -> Vec<SectionInfo> {
    vec![GateProcess::info(), Tokens::info(), Telemetry::info()]
}

/// Declares a section: its struct, how it is read, and what the reference tells of it. A line of it is
/// `name: type = what it takes, "default as in TOML";`, the default empty where there is none.
macro_rules! section {
    ($(#[doc = $about:literal])+ $vis:vis struct $name:ident = $section:literal {
        $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $kind:expr, $default:literal; )+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nTakes `", stringify!($kind), "`, default `", $default, "`.")]
                pub $field: $type,
            )+
        }

        impl $name {
            /// Reads the section; what is wrong is noted.
            pub(crate) fn read(reader: &mut $crate::reader::Reader<'_>) -> Option<Self> {
                $( let $field: Option<$type> = reader.option(($section, stringify!($field)), &$kind, $default); )+
                Some(Self { $( $field: $field?, )+ })
            }

            /// What the reference tells.
            pub(crate) fn info() -> $crate::reader::SectionInfo {
                let options = vec![ $(
                    $crate::reader::OptionInfo::new::<$type>(stringify!($field), &[$($doc),+], &$kind, $default),
                )+ ];
                $crate::reader::SectionInfo { name: $section, about: &[$($about),+], options }
            }
        }
    };
}
use section;

#[cfg(test)]
mod tests {
    use crate::{load::tests::config_of, read};

    const EXAMPLE: &str = include_str!("../../../../deploy/ficha.toml");
    const GATE: &str = include_str!("../../../../deploy/gate.toml");
    const UNIT: &str = include_str!("../../../../deploy/ficha.service");

    /// The lines of `example` that are settings commented out: section, key, value.
    fn commented_out(example: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut section = "";
        let mut found = Vec::new();
        for line in example.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name;
            }
            let setting = line.strip_prefix('#').filter(|l| l.starts_with(|c: char| c.is_ascii_lowercase()));
            if let Some((key, value)) = setting.and_then(|l| l.split_once('=')) {
                found.push((section, key.trim(), value.trim()));
            }
        }
        found
    }

    #[test]
    fn the_example_is_a_configuration() {
        let example = config_of("/etc/ficha/ficha.toml", EXAMPLE);
        assert_eq!(example.store.data.to_str(), Some("/var/lib/ficha"));
        assert_eq!(example.tls.certificates[0].key.to_str(), Some("/etc/ficha/tls/key.pem"));
    }

    #[test]
    fn the_examples_show_every_option_with_its_default() {
        for (example, sections) in [(EXAMPLE, super::all()), (GATE, super::of_gate())] {
            let commented_out = commented_out(example);
            for section in &sections {
                for option in section.options.iter().filter(|o| !o.secret) {
                    let set = example.contains(&format!("\n{} = ", option.key));
                    let shown = commented_out.contains(&(section.name, option.key, option.default));
                    assert!(set || shown, "#{} = {} under [{}]", option.key, option.default, section.name);
                }
            }
            for (section, key, _) in commented_out {
                let known = sections.iter().any(|s| s.name == section && s.options.iter().any(|o| o.key == key));
                assert!(known, "[{section}] {key} is no option");
            }
        }
    }

    #[test]
    fn the_example_of_the_gate_is_a_configuration() {
        let gate = crate::read_gate("/etc/ficha/gate.toml", GATE, [("PATH", "/bin")]).unwrap();
        assert_eq!(gate.gate.rules.to_str(), Some("/etc/ficha/rules.toml"));
        assert_eq!(gate.gate.listen, ["127.0.0.1:9091".parse().unwrap()]);
    }

    #[test]
    fn systemd_waits_longer_than_the_shutdown_may_take_and_names_the_key_by_its_variable() {
        let after = |name: &str| UNIT.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let example = config_of("/etc/ficha/ficha.toml", EXAMPLE);
        let longest = (example.listen.drain_s + example.listen.shutdown_s).as_secs();
        assert!(after("TimeoutStopSec=").parse::<u64>().unwrap() > longest);
        let (variable, _) = after("Environment=").split_once('=').unwrap();
        assert!(
            read("/etc/ficha/ficha.toml", EXAMPLE, [(variable, "/run/credentials/ficha.service/master-key")]).is_ok()
        );
    }
}
