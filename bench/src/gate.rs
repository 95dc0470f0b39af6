//! What a question of a proxy costs, with a token that was seen before: `/verify` of the server, and `ficha gate`.

use anyhow::{Context, Result, ensure};

use crate::{
    http::{Caller, Same, drive},
    options::Options,
    process::{Cores, Process, pin_generator},
    report::{
        Goal::{AtMost, Told},
        Report,
    },
    site::Site,
};

/// Connections: a proxy keeps a few.
const FEW: usize = 8;

/// Who is asked.
struct Series {
    process: Process,
    callers: Vec<Caller>,
    request: Vec<u8>,
    needle: &'static str,
}

impl Series {
    fn new(process: Process, address: std::net::SocketAddr, request: Vec<u8>, needle: &'static str) -> Result<Self> {
        Ok(Self { process, callers: Caller::wakeful(FEW, address)?, request, needle })
    }

    /// CPU microseconds per request of `n`.
    fn cpu(&mut self, n: usize) -> Result<f64> {
        let before = self.process.cpu()?;
        let driven = drive(&mut self.callers, n, &mut Same { request: &self.request, needle: self.needle })?;
        ensure!(driven.errors == 0, "{} wrong answers", driven.errors);
        Ok(self.process.cpu()?.saturating_sub(before).as_secs_f64() * 1e6 / n as f64)
    }
}

/// Measures all of it, who is asked on one core and this generator on the other.
///
/// # Errors
/// A process that can't be started, a lost connection, a wrong answer.
pub(crate) fn measure(site: &Site, options: &Options, report: &mut Report) -> Result<()> {
    pin_generator(Cores::One)?;
    let (bare, address) = Process::bare()?;
    let mut bare = Series::new(bare, address, site.to_bare(), "grant_type")?;
    let server = site.start(Cores::One)?;
    let token = Caller::new(site.address)?.ask(&site.fresh("rs"))?.text("access_token").context("no token")?.to_owned();
    let [own, beside] = site.gates;
    let mut own = Series::new(server, own, Site::to_gate(&token), "")?;
    let mut beside = Series::new(site.start_gate(Cores::One)?, beside, Site::to_gate(&token), "")?;
    let slice = options.pick(5_000, 2_000);
    let mut rounds = Vec::new();
    for round in 0..=options.rounds(31, 7) {
        let figures = (bare.cpu(slice)?, own.cpu(slice)?, beside.cpu(slice)?);
        report.count(3 * slice, 0);
        // The first one warms up.
        if round > 0 {
            rounds.push(figures);
        }
    }
    own.process.stop()?;
    beside.process.stop()?;
    let of = |figure: &dyn Fn(&(f64, f64, f64)) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
    report.add("bare beside the gates: CPU per request", "µs", of(&|r| r.0), Told);
    report.add("/verify, known token ÷ bare", "×", of(&|r| r.1 / r.0), AtMost(1.5));
    report.add("ficha gate, known token ÷ bare", "×", of(&|r| r.2 / r.0), AtMost(1.5));
    Ok(())
}
