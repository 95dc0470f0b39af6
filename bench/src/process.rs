//! The processes that are measured: started on a core, asked for their CPU time and memory, ended.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// The core of what is measured.
const SERVER_CORE: &str = "0";
/// The core of the generator.
const OWN_CORE: &str = "1";
/// Every core that there is for both.
const BOTH_CORES: &str = "0,1";

/// Where a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    /// On a core of its own, and the generator on the other.
    One,
    /// On both, the generator too.
    Both,
}

/// A process that is measured; killed when dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts the server and waits until it says that it is ready.
    ///
    /// # Errors
    /// It ends instead.
    pub(crate) fn server(program: &Path, config: &Path, log: &Path, cores: Cores) -> Result<Self> {
        Self::ficha(program, ("serve", config), log, cores)
    }

    /// Starts `ficha gate`, likewise.
    ///
    /// # Errors
    /// It ends instead.
    pub(crate) fn gate(program: &Path, config: &Path, log: &Path, cores: Cores) -> Result<Self> {
        Self::ficha(program, ("gate", config), log, cores)
    }

    fn ficha(program: &Path, (name, config): (&str, &Path), log: &Path, cores: Cores) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = pinned(cores);
        command.arg(program).args([name, "--config"]).arg(config).stdout(Stdio::piped()).stderr(log);
        let mut started = Self { child: command.spawn().context("taskset can't be started")? };
        started.wait_for_line(|line| line == "ficha is ready")?;
        Ok(started)
    }

    /// Starts `bare` of this program, and answers where it listens.
    ///
    /// # Errors
    /// It ends instead.
    pub(crate) fn bare() -> Result<(Self, SocketAddr)> {
        let mut command = pinned(Cores::One);
        command.arg(std::env::current_exe()?).arg("bare").stdout(Stdio::piped());
        let mut started = Self { child: command.spawn().context("taskset can't be started")? };
        let line = started.wait_for_line(|_| true)?;
        Ok((started, line.parse()?))
    }

    fn wait_for_line(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let out = self.child.stdout.take().context("its output is not ours")?;
        for line in BufReader::new(out).lines() {
            let line = line?;
            if wanted(&line) {
                return Ok(line);
            }
        }
        bail!("it ended before it was ready: {}", self.child.wait()?)
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of all its threads so far, once it has come to rest.
    ///
    /// # Errors
    /// It is gone, or the kernel keeps no `schedstat`.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        // What it still does for the last request (its line in the log) belongs to it.
        pause(Duration::from_millis(40));
        let mut all = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            all += nanos(&task?.path().join("schedstat"))?;
        }
        Ok(Duration::from_nanos(all))
    }

    /// MiB that it holds in memory.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn mebibytes(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes / 1024.0)
    }

    /// Ends it in good order.
    ///
    /// # Errors
    /// It does not end.
    pub(crate) fn stop(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > Duration::from_secs(30) {
                bail!("the server does not stop");
            }
            pause(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pinned(cores: Cores) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", if cores == Cores::One { SERVER_CORE } else { BOTH_CORES }]);
    command
}

/// Puts the generator, this process, on its core or on both.
///
/// # Errors
/// There are no two cores, or no `taskset`.
pub(crate) fn pin_generator(cores: Cores) -> Result<()> {
    pin(if cores == Cores::One { OWN_CORE } else { BOTH_CORES })
}

fn pin(cores: &str) -> Result<()> {
    let own = std::process::id().to_string();
    let mut command = Command::new("taskset");
    command.args(["-a", "-c", "-p", cores, &own]);
    if !command.stdout(Stdio::null()).status().context("taskset can't be started")?.success() {
        bail!("this process can't be put on core {cores}: the benchmark needs two");
    }
    Ok(())
}

/// Does `work` on the core of what is measured, and puts this process back: one core may be slower than the other.
///
/// # Errors
/// As [`pin_generator`], and those of `work`.
pub(crate) fn on_the_servers_core<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    pin(SERVER_CORE)?;
    let done = work()?;
    pin(OWN_CORE)?;
    Ok(done)
}

/// CPU time of this thread so far.
///
/// # Errors
/// The kernel keeps no `schedstat`.
pub(crate) fn own_cpu() -> Result<Duration> {
    // The kernel counts when it looks at the thread.
    std::thread::yield_now();
    nanos(Path::new("/proc/thread-self/schedstat")).map(Duration::from_nanos)
}

/// The first number of a `schedstat`: nanoseconds on a core.
fn nanos(schedstat: &Path) -> Result<u64> {
    let text = fs::read_to_string(schedstat)?;
    text.split(' ').next().unwrap_or_default().parse().context("schedstat")
}

/// Does nothing for a while.
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement waits until the server is at rest; there is no event for that"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
