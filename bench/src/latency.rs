//! How long a request for a reused token takes while the server has something dear to do, server and generator on both cores.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    http::Caller,
    options::Options,
    process::{Cores, pause, pin_generator},
    report::{
        Goal::{AtMost, Told},
        Report,
    },
    site::Site,
    storm::{Passed, Storm},
};

/// Time between two requests that are measured. Each is due at its own time, whether or not the one before was answered.
const EVERY: Duration = Duration::from_millis(2);
/// Callers of a storm.
const CALLERS: usize = 32;

/// What else the server has to do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Passwords,
    Signing,
    Cheap,
}

impl Kind {
    fn begin(self, site: &Site) -> Result<Option<Storm>> {
        let requests: Vec<_> = match self {
            Self::Nothing => return Ok(None),
            Self::Passwords => (0..CALLERS).map(|n| site.login(n)).collect(),
            Self::Signing => vec![site.fresh("rs"); CALLERS],
            Self::Cheap => vec![site.with_refresh(); CALLERS],
        };
        Storm::begin(site.address, &requests).map(Some)
    }
}

/// The figures of one storm in one round.
#[derive(Default)]
struct Weather {
    p99_ms: f64,
    median_ms: f64,
    storm_rate: f64,
    sent: usize,
    errors: usize,
}

/// Measures the 99th percentile alone and beside each storm.
///
/// # Errors
/// A server that does not start, a lost connection.
pub(crate) fn measure(site: &Site, options: &Options, report: &mut Report) -> Result<()> {
    pin_generator(Cores::Both)?;
    let server = site.start(Cores::Both)?;
    let time = options.pick(Duration::from_secs(4), Duration::from_secs(2));
    let storms = [Kind::Nothing, Kind::Passwords, Kind::Signing, Kind::Cheap];
    let mut seen = storms.map(|_| Vec::new());
    for storm in storms {
        weather(site, storm, Duration::from_millis(300))?;
    }
    let alone = Instant::now();
    Caller::new(site.address)?.ask(&site.login(0))?;
    report.add("a login alone", "ms", vec![alone.elapsed().as_secs_f64() * 1e3], Told);
    for _ in 0..options.rounds(9, 3) {
        for (storm, seen) in storms.into_iter().zip(&mut seen) {
            let weather = weather(site, storm, time)?;
            report.count(weather.sent, weather.errors as u64);
            seen.push(weather);
        }
    }
    server.stop()?;
    site.take_log()?;
    tell(report, &seen);
    Ok(())
}

fn tell(report: &mut Report, [alone, passwords, signing, cheap]: &[Vec<Weather>; 4]) {
    let p99 = |seen: &[Weather]| seen.iter().map(|w| w.p99_ms).collect::<Vec<_>>();
    let rate = |seen: &[Weather]| seen.iter().map(|w| w.storm_rate).collect::<Vec<_>>();
    let times = |seen: &[Weather]| seen.iter().zip(alone).map(|(w, a)| w.p99_ms / a.p99_ms).collect::<Vec<_>>();
    report.add("reused token alone: median", "ms", alone.iter().map(|w| w.median_ms).collect(), Told);
    report.add("reused token alone: p99", "ms", p99(alone), Told);
    report.add("p99 in a storm of logins", "ms", p99(passwords), AtMost(25.0));
    report.add("  logins meanwhile", "/s", rate(passwords), Told);
    report.add("p99 in saturated RS256 signing", "ms", p99(signing), AtMost(25.0));
    report.add("  RS256 tokens meanwhile", "/s", rate(signing), Told);
    report.add("p99 in another issuer's storm of logins ÷ alone", "×", times(passwords), AtMost(2.0));
    report.add("p99 in another issuer's RS256 signing ÷ alone", "×", times(signing), AtMost(2.0));
    report.add("p99 in another issuer's storm of cheap requests ÷ alone", "×", times(cheap), AtMost(2.0));
    report.add("  cheap requests meanwhile", "/s", rate(cheap), Told);
}

fn weather(site: &Site, kind: Kind, time: Duration) -> Result<Weather> {
    let (storm, began) = (kind.begin(site)?, Instant::now());
    // It gathers first.
    pause(Duration::from_millis(200));
    let mut weather = probe(site, time)?;
    let passed = storm.map_or(Ok(Passed::default()), Storm::end)?;
    weather.storm_rate = passed.answers as f64 / began.elapsed().as_secs_f64();
    weather.sent += passed.answers;
    weather.errors += passed.errors;
    Ok(weather)
}

/// Requests for a reused token, each at its time.
fn probe(site: &Site, time: Duration) -> Result<Weather> {
    let (mut caller, request) = (Caller::new(site.address)?, site.reused());
    let (mut took, mut weather) = (Vec::new(), Weather::default());
    let began = Instant::now();
    let mut due = began;
    while due < began + time {
        pause(due.saturating_duration_since(Instant::now()));
        if !caller.ask(&request)?.is("\"access_token\":\"") {
            weather.errors += 1;
        }
        took.push(due.elapsed().as_secs_f64() * 1e3);
        due += EVERY;
    }
    took.sort_by(f64::total_cmp);
    weather.sent = took.len();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or(f64::NAN);
    (weather.p99_ms, weather.median_ms) = (at(99), at(50));
    Ok(weather)
}
