//! A process beside the server: the gate, a proxy.

use std::{
    fs::File,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use ficha_tests::{eventually, secrets, wait_for};

/// A process whose output is kept in a folder; ended when it is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(mut command: Command, folder: &Path, name: &str) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self { child, log }
    }

    /// Waits until it listens at `address`.
    #[track_caller]
    pub(crate) fn listens_at(mut self, address: SocketAddr) -> Self {
        eventually(&format!("something listens at {address}: {}", self.said()), || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{status}: {}", self.said());
            }
            TcpStream::connect(address).is_ok()
        });
        self
    }

    /// Everything it said.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Tells it to stop, and waits; its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        let status = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().unwrap();
        assert!(status.success());
        let ended = wait_for("it ends", || self.child.try_wait().unwrap());
        ended.code().unwrap_or(-1)
    }

    /// Ends it at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
            let ended = (0..500).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                self.child.try_wait().ok().flatten().is_some()
            });
            if !ended {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
        if std::thread::panicking() {
            let said = self.said();
            let last: Vec<_> = said.lines().rev().take(20).collect();
            eprintln!("{}:\n{}", self.log.display(), last.into_iter().rev().collect::<Vec<_>>().join("\n"));
            return;
        }
        let leaks = secrets::found_in(&[(self.log.as_path(), true)]);
        assert!(leaks.is_empty(), "secrets were found:\n{}", leaks.join("\n"));
    }
}
