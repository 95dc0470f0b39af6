//! The program as a command.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{program, wait_for};

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Output {
    /// Fails unless the exit code is `code`; gives the output back.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Fails unless it was done.
    #[track_caller]
    pub fn done(self) -> Self {
        self.expect(0)
    }

    /// Whether nothing was done because a database took longer than its node waits for it: it was no fault of the command's.
    pub(super) fn came_too_late(&self) -> bool {
        let why = ["no connection has become free in time", "lock timeout"];
        let too_late = why.iter().any(|why| self.stderr.contains(why));
        self.code == 1 && too_late && self.stderr.contains("nothing was written")
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", self.stdout, self.stderr))
    }
}

/// Runs the program in `folder`.
pub fn ficha(folder: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    let mut command = Command::new(program());
    command.args(args).current_dir(folder);
    run(command)
}

/// Runs `ficha dev` on the data folder `data`, at whichever ports are free.
pub fn dev(folder: &Path, data: &Path) -> Output {
    let free = "127.0.0.1:0";
    let ports = ["--https", free, "--http", free, "--api", free, "--ops", "off"];
    ficha(folder, ["dev", "--data"].map(OsStr::new).into_iter().chain([data.as_os_str()]).chain(ports.map(OsStr::new)))
}

/// Runs a command to its end; one that has none is ended and fails.
pub fn run(mut command: Command) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let open = |name: &str| std::fs::File::create(file(name)).unwrap();
    command.stdin(Stdio::null()).stdout(open("out")).stderr(open("err"));
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for(&format!("{command:?} ends"), || child.try_wait().unwrap())
    }));
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let read = |name: &str| String::from_utf8_lossy(&std::fs::read(file(name)).unwrap()).into_owned();
    let (stdout, stderr) = (read("out"), read("err"));
    let Ok(status) = ended else { panic!("{command:?} did not end: {stdout}{stderr}") };
    Output { code: status.code().unwrap_or(-1), stdout, stderr }
}
