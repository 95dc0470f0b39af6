//! The table: each figure with its spread, its goal and the verdict.

use std::fmt;

use crate::options::Options;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// It is only told.
    Told,
}

/// One figure: its value in each round.
struct Figure {
    name: String,
    unit: &'static str,
    rounds: Vec<f64>,
    goal: Goal,
}

/// All figures.
pub(crate) struct Report {
    figures: Vec<Figure>,
    notes: Vec<String>,
    errors: u64,
    requests: u64,
}

impl Report {
    /// A report without figures.
    pub(crate) fn new(options: &Options) -> Self {
        let kind = options.pick("a whole run", "a QUICK run: fewer and shorter rounds, a look and no measurement");
        Self { figures: Vec::new(), notes: vec![kind.into(), machine()], errors: 0, requests: 0 }
    }

    /// Adds a figure and prints it at once.
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, rounds: Vec<f64>, goal: Goal) {
        let figure = Figure { name: name.to_owned(), unit, rounds, goal };
        eprintln!("{figure}");
        self.figures.push(figure);
    }

    /// Adds a line under the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Counts requests, and answers that were not as they must be.
    pub(crate) fn count(&mut self, requests: usize, errors: u64) {
        self.requests += requests as u64;
        self.errors += errors;
    }

    /// Answers that were not as they must be.
    pub(crate) fn errors(&self) -> u64 {
        self.errors
    }
}

impl Figure {
    /// The middle value.
    fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let at = |n: usize| sorted.get(n).copied().unwrap_or(f64::NAN);
        if sorted.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.wrapping_sub(1)), at(half)) }
    }

    fn verdict(&self) -> &'static str {
        let met = match self.goal {
            Goal::AtMost(most) => self.median() <= most,
            Goal::AtLeast(least) => self.median() >= least,
            Goal::Told => return "",
        };
        if met { "met" } else { "MISSED" }
    }

    fn goal(&self) -> String {
        match self.goal {
            Goal::AtMost(most) => format!("≤ {} {}", short(most), self.unit),
            Goal::AtLeast(least) => format!("≥ {} {}", short(least), self.unit),
            Goal::Told => String::new(),
        }
    }

    fn spread(&self) -> String {
        if self.rounds.len() < 2 {
            return String::new();
        }
        let least = self.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{}–{}", short(least), short(most))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = format!("{} {}", short(self.median()), self.unit);
        write!(
            f,
            "| {:<64} | {:>12} | {:>15} | {:>12} | {:<6} |",
            self.name,
            value.trim(),
            self.spread(),
            self.goal().trim(),
            self.verdict()
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        writeln!(f, "{} requests, {} wrong answers\n", self.requests, self.errors)?;
        writeln!(f, "| {:<64} | {:>12} | {:>15} | {:>12} | {:<6} |", "figure", "median", "least–most", "goal", "")?;
        writeln!(f, "|{:-<66}|{:->13}:|{:->16}:|{:->13}:|{:-<8}|", "", "", "", "", "")?;
        self.figures.iter().try_for_each(|figure| writeln!(f, "{figure}"))
    }
}

/// Three digits, or all of the whole part.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The processor and the kernel.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model =
        cpus.lines().find_map(|l| l.strip_prefix("model name")).map_or("?", |m| m.trim_start_matches(['\t', ' ', ':']));
    let cores = cpus.lines().filter(|l| l.starts_with("processor")).count();
    format!("{model}, {cores} cores, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(rounds: &[f64], goal: Goal) -> Figure {
        Figure { name: "f".into(), unit: "×", rounds: rounds.to_vec(), goal }
    }

    #[test]
    fn the_median_decides_and_the_spread_is_told() {
        let figure = figure(&[3.0, 1.0, 2.0], Goal::AtMost(2.0));
        assert_eq!((figure.median(), figure.verdict(), figure.spread()), (2.0, "met", "1.00–3.00".to_owned()));
        assert_eq!(super::tests::figure(&[1.0, 2.0, 3.0, 4.0], Goal::AtLeast(2.6)).verdict(), "MISSED");
    }
}
