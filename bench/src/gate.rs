//! What a question of a proxy costs, with a token that was seen before: `/verify` of the server, and `ficha gate`.

use anyhow::{Context, Result};

use crate::{
    http::{Caller, Same},
    options::Options,
    process::{Cores, Process, pin_generator},
    report::{
        Goal::{AtMost, Told},
        Report,
    },
    series::Series,
    site::Site,
};

/// Measures all of it, who is asked on one core and this generator on the other.
///
/// # Errors
/// A process that can't be started, a lost connection, a wrong answer.
pub(crate) fn measure(site: &Site, options: &Options, report: &mut Report) -> Result<()> {
    pin_generator(Cores::One)?;
    let (bare, address) = Process::bare()?;
    let server = site.start(Cores::One)?;
    let token = Caller::new(site.address)?.ask(&site.fresh("rs"))?.text("access_token").context("no token")?.to_owned();
    let gate = site.start_gate(Cores::One)?;
    let [own, beside] = site.gates;
    let mut series = [Series::new(&bare, address)?, Series::new(&server, own)?, Series::new(&gate, beside)?];
    let (to_bare, to_gate) = (site.to_bare(), Site::to_gate(&token));
    let slice = options.pick(5_000, 2_000);
    let mut rounds = Vec::new();
    for round in 0..=options.rounds(31, 7) {
        let mut figures = [0.0; 3];
        let asked = [(&to_bare, "grant_type"), (&to_gate, ""), (&to_gate, "")];
        for ((figure, series), (request, needle)) in figures.iter_mut().zip(&mut series).zip(asked) {
            let (cpu, driven) = series.cpu(slice, &mut Same { request, needle })?;
            report.count(slice, driven.errors);
            *figure = cpu;
        }
        // The first one warms up.
        if round > 0 {
            rounds.push(figures);
        }
    }
    server.stop()?;
    gate.stop()?;
    let of = |figure: &dyn Fn(&[f64; 3]) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
    report.add("bare beside the gates: CPU per request", "µs", of(&|r| r[0]), Told);
    report.add("/verify, known token ÷ bare", "×", of(&|r| r[1] / r[0]), AtMost(1.5));
    report.add("ficha gate, known token ÷ bare", "×", of(&|r| r[2] / r[0]), AtMost(1.5));
    Ok(())
}
