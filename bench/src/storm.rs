//! A storm: callers that ask as fast as they are answered, in a process of their own with the lowest priority, so that what is
//! measured beside them is the server's work and not the generator's.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use anyhow::{Context, Result, anyhow, bail};

use crate::http::Caller;

/// What a right answer holds.
const TOKEN: &str = "\"access_token\":\"";

/// A storm that goes on.
pub(crate) struct Storm {
    child: Child,
}

/// What a storm came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Passed {
    /// Answers.
    pub(crate) answers: usize,
    /// Those of them that were wrong.
    pub(crate) errors: usize,
}

impl Storm {
    /// Lets one caller ask each of `requests` again and again.
    ///
    /// # Errors
    /// It can't be started.
    pub(crate) fn begin(address: SocketAddr, requests: &[Vec<u8>]) -> Result<Self> {
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(std::env::current_exe()?).args(["storm", &address.to_string()]);
        command.arg(requests.len().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("nice can't be started")?;
        let to = child.stdin.as_mut().context("its input is not ours")?;
        for request in requests {
            to.write_all(&u32::try_from(request.len())?.to_be_bytes())?;
            to.write_all(request)?;
        }
        to.flush()?;
        Ok(Self { child })
    }

    /// Ends it.
    ///
    /// # Errors
    /// A connection was lost.
    pub(crate) fn end(mut self) -> Result<Passed> {
        drop(self.child.stdin.take());
        let mut told = String::new();
        self.child.stdout.take().context("its output is not ours")?.read_to_string(&mut told)?;
        if !self.child.wait()?.success() {
            bail!("the storm failed");
        }
        let (answers, errors) = told.trim().split_once(' ').context("it told nothing")?;
        Ok(Passed { answers: answers.parse()?, errors: errors.parse()? })
    }
}

/// `ficha-bench storm ADDRESS N`: reads `N` requests, each behind its length, and asks them until its input ends.
///
/// # Errors
/// A lost connection.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let [address, callers] = args else { bail!("storm takes an address and a number") };
    let (address, callers): (SocketAddr, usize) = (address.parse()?, callers.parse()?);
    let mut input = std::io::stdin().lock();
    let mut requests = Vec::new();
    for _ in 0..callers {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let mut request = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        input.read_exact(&mut request)?;
        requests.push(request);
    }
    let (stop, answers, errors) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let (stop, answers, errors) = (&stop, &answers, &errors);
        let mut threads = Vec::new();
        for request in &requests {
            threads.push(scope.spawn(move || -> Result<()> {
                let mut caller = Caller::new(address)?;
                while !stop.load(Relaxed) {
                    let right = caller.ask(request)?.is(TOKEN);
                    answers.fetch_add(1, Relaxed);
                    errors.fetch_add(usize::from(!right), Relaxed);
                }
                Ok(())
            }));
        }
        let ended = input.read_to_end(&mut Vec::new());
        stop.store(true, Relaxed);
        ended?;
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a caller panicked"))?)
    })?;
    println!("{} {}", answers.load(Relaxed), errors.load(Relaxed));
    Ok(())
}
