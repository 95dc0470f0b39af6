//! Options out of the environment: `FICHA_SECTION__KEY`.

use std::ffi::OsString;

use ficha_types::Secret;

use crate::{
    document::{Node, Value},
    nearest::did_you_mean,
    problem::{Place, Problem},
    reader::{Name, SectionInfo},
};

/// The short name of `FICHA_KEYS__MASTER_KEY`.
const MASTER_KEY: &str = "FICHA_MASTER_KEY";

/// An option that the environment gives.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: Name,
    pub(crate) node: Node,
}

/// A secret that the environment gives.
#[derive(Debug)]
pub(crate) struct SecretVariable {
    pub(crate) name: Name,
    pub(crate) variable: String,
    pub(crate) secret: Secret,
}

/// What the environment says of ficha.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) variables: Vec<Variable>,
    pub(crate) secrets: Vec<SecretVariable>,
    pub(crate) problems: Vec<Problem>,
}

impl Environment {
    /// Sorts out `pairs`, of which most are nothing to ficha.
    pub(crate) fn read<K: Into<OsString>, V: Into<OsString>>(
        pairs: impl IntoIterator<Item = (K, V)>,
        sections: &[SectionInfo],
    ) -> Self {
        let known: Vec<(String, Name, bool)> = sections
            .iter()
            .flat_map(|s| s.options.iter().map(move |o| (s.variable(o), (s.name, o.key), o.secret)))
            .chain([(MASTER_KEY.to_owned(), ("keys", "master_key"), true)])
            .collect();
        let mut read = Self::default();
        for (name, value) in pairs {
            let Ok(variable) = name.into().into_string() else { continue };
            if !variable.starts_with("FICHA_") {
                continue;
            }
            match known.iter().find(|(known, ..)| *known == variable) {
                Some((_, name, secret)) => match value.into().into_string() {
                    Ok(value) => read.take(variable, value, (*name, *secret)),
                    Err(_) => read.wrong(variable, "expected a text in UTF-8"),
                },
                None => read.unknown(variable, known.iter().map(|(known, ..)| known.as_str())),
            }
        }
        read
    }

    fn take(&mut self, variable: String, value: String, (name, secret): (Name, bool)) {
        if secret {
            self.secrets.push(SecretVariable { name, variable, secret: Secret::new(value) });
        } else {
            let node = Node { place: Place::Variable(variable), value: Value::Word(value) };
            self.variables.push(Variable { name, node });
        }
    }

    /// A name with two underscores can only be meant for us. Others may be anybody's (a cluster sets `FICHA_PORT` beside a
    /// service called ficha) unless it is one of ours written with one underscore.
    fn unknown<'k>(&mut self, variable: String, known: impl Iterator<Item = &'k str> + Clone) {
        if variable.contains("__") {
            let near = did_you_mean(&variable, known);
            self.wrong(variable, &format!("no option is called that{near}"));
        } else if let Some(meant) = known.clone().find(|known| known.replacen("__", "_", 1) == variable) {
            self.wrong(variable, &format!("no option is called that, did you mean {meant} (with two underscores)?"));
        }
    }

    fn wrong(&mut self, variable: String, message: &str) {
        self.problems.push(Problem {
            place: Place::Variable(variable),
            key: String::new(),
            message: message.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sections;

    fn read(pairs: &[(&str, &str)]) -> Environment {
        Environment::read(pairs.iter().copied(), &sections::all())
    }

    #[test]
    fn a_variable_is_the_option_of_its_name() {
        let read = read(&[("PATH", "/bin"), ("FICHA_LIMITS__BODY_BYTES", "5"), ("FICHA_PORT_8443_TCP", "tcp://x")]);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        assert_eq!(read.variables.iter().map(|v| v.name).collect::<Vec<_>>(), [("limits", "body_bytes")]);
    }

    #[test]
    fn a_variable_that_is_no_option_is_told_with_the_nearest_one() {
        let told = |name| {
            read(&[(name, "secret-value")]).problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            told("FICHA_LIMITS__BODY_BYTE"),
            "environment variable FICHA_LIMITS__BODY_BYTE: no option is called that, did you mean FICHA_LIMITS__BODY_BYTES?"
        );
        assert_eq!(
            told("FICHA_LIMITS_BODY_BYTES"),
            "environment variable FICHA_LIMITS_BODY_BYTES: no option is called that, did you mean FICHA_LIMITS__BODY_BYTES (with two underscores)?"
        );
        assert_eq!(told("FICHA_X__Y"), "environment variable FICHA_X__Y: no option is called that");
    }

    #[test]
    fn the_master_key_is_a_secret_by_either_name() {
        let read = read(&[("FICHA_MASTER_KEY", "hunter2"), ("FICHA_KEYS__MASTER_KEY", "hunter2")]);
        assert_eq!(read.secrets.iter().map(|s| s.name).collect::<Vec<_>>(), [("keys", "master_key"); 2]);
        assert!(!format!("{read:?}").contains("hunter2"));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let pair = (OsString::from("FICHA_STORE__DATA"), OsString::from_vec(vec![0xff]));
        let read = Environment::read([pair], &sections::all());
        assert_eq!(
            read.problems.first().unwrap().to_string(),
            "environment variable FICHA_STORE__DATA: expected a text in UTF-8"
        );
    }
}
