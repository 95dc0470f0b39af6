//! A folder and what runs in it, gone with the process that made it, however that ends.

use std::{
    fs::{self, File, Permissions},
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

/// The user that servers run as where the tests run as root: PostgreSQL and PgBouncer refuse to be root.
const USER: &str = "postgres";

/// Seconds after which a program that should have ended is ended, and the test fails.
const PATIENCE: &str = "300";

/// A folder of the server's user, with a watchdog that stops the server and removes the folder.
pub struct Guarded {
    folder: PathBuf,
    watchdog: Child,
}

impl Guarded {
    /// Makes the folder. `stop`, in the language of `sh`, runs in it when this value is dropped or the process has ended.
    #[must_use]
    pub fn new(stop: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("ficha-").tempdir().unwrap().keep();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        own(&folder);
        // The pipe ends with this process: its end of it is inherited by nobody.
        let script = format!("cd \"$FOLDER\" || exit; read -r _; ( {stop}\n); cd /; rm -rf \"$FOLDER\"");
        let mut command = as_user("setsid");
        command.args(["sh", "-c", &script]).env("FOLDER", &folder).envs(environment.iter().copied());
        let watchdog = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self { folder, watchdog: watchdog.expect("setsid and sh are there") }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a program to its end as the server's user; what it wrote to its output.
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        // A file, not a pipe: a server that goes on in the background keeps its parent's output open.
        let (out, err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let mut command = as_user("timeout");
        command
            .args([PATIENCE, program])
            .args(args)
            .current_dir(&self.folder)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
        let status = command.status().unwrap_or_else(|error| panic!("{program} is needed: {error}"));
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(status.success(), "{program} {args:?}: {status}\n{}{}\n{}", whole(&out), whole(&err), log());
        whole(&out)
    }

    /// Runs a script as the server's user, in the folder.
    pub fn sh(&self, script: &str) -> String {
        self.run("sh", &["-c", script])
    }

    /// Writes a file of the server's user, for its eyes only.
    pub fn write(&self, path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        own(path);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        // It goes on by itself if it can't be waited for.
        let _ = self.watchdog.wait();
    }
}

/// A port of 127.0.0.1 that nobody listens on, and that no outgoing connection gets by chance: below those that Linux gives.
#[must_use]
pub fn free_port() -> u16 {
    const FROM: u16 = 15_000;
    const MANY: u16 = 15_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(MANY)).unwrap();
    let mut ports = (0..MANY).map(|_| FROM + (start + NEXT.fetch_add(1, Ordering::Relaxed) % MANY) % MANY);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("one of 15,000 ports is free")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A command that runs as this user, or as [`USER`] instead of root.
fn as_user(program: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--", program]).env("HOME", "/");
    command
}

fn own(path: &Path) {
    if is_root() {
        let (uid, gid) = user();
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

/// Uid and gid of [`USER`].
fn user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find_map(|line| line.strip_prefix(USER)?.strip_prefix(":x:"));
    let mut ids = line.expect("Debian's package makes the user postgres").split(':').map(|id| id.parse().unwrap());
    (ids.next().unwrap(), ids.next().unwrap())
}

fn whole(mut file: &File) -> String {
    use std::io::{Read, Seek};
    let mut text = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
