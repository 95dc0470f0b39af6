//! What comes from files and from standard input: secrets above all, which never stand on a command line.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
};

use anyhow::{Context, Result};
use ficha_types::Secret;
use zeroize::Zeroizing;

use crate::wire::WrongUse;

/// Bytes of the longest secret, password or token.
const MAX_BYTES: u64 = 64 * 1024;

/// The secret in the file at `path`, without the end of its line.
pub(crate) fn secret_file(path: &Path) -> Result<Secret, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    read(file)
}

/// The secret at `path`, `-` or none for standard input; `what` is what a person is asked for.
pub(crate) fn secret(path: Option<&Path>, what: &str) -> Result<Secret> {
    let secret = match path {
        Some(path) if path != Path::new("-") => {
            secret_file(path).map_err(|e| WrongUse(format!("{}: {e}", path.display())))?
        }
        Some(_) | None => stdin(what)?,
    };
    if secret.expose().is_empty() {
        return Err(WrongUse(format!("the {what} is empty")).into());
    }
    Ok(secret)
}

/// One line at a terminal, not shown as it is typed; everything from a file or a pipe.
fn stdin(what: &str) -> Result<Secret> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return read(stdin.lock()).map_err(|e| WrongUse(format!("the {what}: {e}")).into());
    }
    let typed = dialoguer::Password::new().with_prompt(format!("The {what}")).allow_empty_password(true).interact();
    Ok(Secret::new(typed.context("the terminal")?))
}

fn read(from: impl Read) -> Result<Secret, String> {
    let mut text = Zeroizing::new(String::new());
    from.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("expected at most {MAX_BYTES} bytes"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_without_the_end_of_its_line_and_with_everything_else() {
        for (text, secret) in
            [("hunter2\n", "hunter2"), ("hunter2\r\n", "hunter2"), (" hunter 2 ", " hunter 2 "), ("a\n\n", "a\n")]
        {
            assert_eq!(read(text.as_bytes()).unwrap().expose(), secret);
        }
        assert!(read(vec![b'x'; 65 * 1024].as_slice()).is_err());
        assert!(read(&[0xff][..]).is_err());
    }
}
