//! Counters, gauges and histograms whose handles are looked up once, at start: counting is an atomic add.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::{Key, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::PrometheusRecorder;

/// A label: an enum, so that the number of its values is known.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// All its values, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value as it stands in the output.
    fn word(self) -> &'static str;
    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
}

/// One series' labels: their names and words.
type Pairs = Vec<(&'static str, &'static str)>;

/// What tells the series of one metric apart: nothing, one label or two.
pub trait Labels: Copy {
    /// The name and value pairs of every series, in the order of [`Labels::index`].
    fn all() -> Vec<Pairs>;
    /// Which series this is.
    fn index(self) -> usize;
    /// The labels' names.
    #[must_use]
    fn names() -> Vec<&'static str> {
        Self::all().first().map(|pairs| pairs.iter().map(|(name, _)| *name).collect()).unwrap_or_default()
    }
}

impl Labels for () {
    fn all() -> Vec<Pairs> {
        vec![vec![]]
    }
    fn index(self) -> usize {
        0
    }
}

impl<A: Label> Labels for A {
    fn all() -> Vec<Pairs> {
        A::ALL.iter().map(|a| vec![(A::NAME, a.word())]).collect()
    }
    fn index(self) -> usize {
        Label::index(self)
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    fn all() -> Vec<Pairs> {
        let row = |a: &A| B::ALL.iter().map(|b| vec![(A::NAME, a.word()), (B::NAME, b.word())]).collect::<Vec<_>>();
        A::ALL.iter().flat_map(row).collect()
    }
    fn index(self) -> usize {
        Label::index(self.0) * B::ALL.len() + Label::index(self.1)
    }
}

/// One line of the list of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The name as Prometheus sees it.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What one step of it means.
    pub unit: Unit,
    /// What it tells, in one sentence.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: Vec<&'static str>,
}

/// Where metrics are made at start.
pub(crate) struct Registrar {
    recorder: PrometheusRecorder,
    histograms: Vec<HistogramFamily>,
    list: Vec<Declaration>,
}

/// Every series of one histogram, for the output.
pub(crate) struct HistogramFamily {
    declaration: Declaration,
    series: Vec<(Pairs, Arc<Buckets>)>,
}

/// What registering left behind: for the output, and as the list.
pub(crate) struct Registered {
    pub(crate) recorder: PrometheusRecorder,
    pub(crate) histograms: Vec<HistogramFamily>,
    pub(crate) list: Vec<Declaration>,
}

/// Name, unit and help of a metric, as the list in `metrics.rs` has them.
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) help: &'static str,
}

impl Registrar {
    pub(crate) fn new(recorder: PrometheusRecorder) -> Self {
        Self { recorder, histograms: Vec::new(), list: Vec::new() }
    }

    pub(crate) fn finish(self) -> Registered {
        Registered { recorder: self.recorder, histograms: self.histograms, list: self.list }
    }

    fn declare<L: Labels>(&mut self, named: &Named, kind: &'static str) -> Declaration {
        let Named { name, unit, help } = *named;
        let declaration = Declaration { name, kind, unit, help, labels: L::names() };
        self.list.push(declaration.clone());
        declaration
    }
}

/// An instrument of the list.
pub(crate) trait Instrument {
    fn register(named: &Named, at: &mut Registrar) -> Self;
}

fn keys<L: Labels>(name: &'static str) -> Vec<Key> {
    let label = |(name, word): (&'static str, &'static str)| metrics::Label::from_static_parts(name, word);
    L::all().into_iter().map(|pairs| Key::from_parts(name, pairs.into_iter().map(label).collect::<Vec<_>>())).collect()
}

const META: Metadata<'static> = Metadata::new("ficha", Level::INFO, None);

/// Counts upwards.
pub struct Counter<L = ()> {
    series: Box<[metrics::Counter]>,
    labels: std::marker::PhantomData<fn(L)>,
}

impl<L: Labels> Counter<L> {
    /// One more.
    pub fn count(&self, labels: L) {
        self.add(labels, 1);
    }

    /// `n` more.
    pub fn add(&self, labels: L, n: u64) {
        if let Some(counter) = self.series.get(labels.index()) {
            counter.increment(n);
        }
    }
}

impl<L: Labels> Instrument for Counter<L> {
    fn register(named: &Named, at: &mut Registrar) -> Self {
        at.declare::<L>(named, "counter");
        at.recorder.describe_counter(named.name.into(), Some(named.unit), named.help.into());
        let series = keys::<L>(named.name).iter().map(|key| at.recorder.register_counter(key, &META)).collect();
        Self { series, labels: std::marker::PhantomData }
    }
}

/// Shows how things stand now.
pub struct Gauge<L = ()> {
    series: Box<[metrics::Gauge]>,
    labels: std::marker::PhantomData<fn(L)>,
}

impl<L: Labels> Gauge<L> {
    /// It is now `value`.
    pub fn set(&self, labels: L, value: impl Into<f64>) {
        if let Some(gauge) = self.series.get(labels.index()) {
            gauge.set(value.into());
        }
    }

    /// It is now `count` things, shown as at most 2^32.
    pub fn set_count(&self, labels: L, count: usize) {
        self.set(labels, u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// One more.
    pub fn up(&self, labels: L) {
        if let Some(gauge) = self.series.get(labels.index()) {
            gauge.increment(1.0);
        }
    }

    /// One less.
    pub fn down(&self, labels: L) {
        if let Some(gauge) = self.series.get(labels.index()) {
            gauge.decrement(1.0);
        }
    }
}

impl<L: Labels> Instrument for Gauge<L> {
    fn register(named: &Named, at: &mut Registrar) -> Self {
        at.declare::<L>(named, "gauge");
        at.recorder.describe_gauge(named.name.into(), Some(named.unit), named.help.into());
        let series: Box<[_]> = keys::<L>(named.name).iter().map(|key| at.recorder.register_gauge(key, &META)).collect();
        Self { series, labels: std::marker::PhantomData }
    }
}

/// Counts in fixed buckets. Our own: the exporter's keeps every sample with its instant until the next upkeep, which has
/// no bound under load.
pub struct Histogram<L = ()> {
    series: Box<[Arc<Buckets>]>,
    labels: std::marker::PhantomData<fn(L)>,
}

impl<L: Labels> Histogram<L> {
    /// Took so long.
    pub fn took(&self, labels: L, time: Duration) {
        self.record(labels, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Was so many.
    pub fn was(&self, labels: L, count: usize) {
        self.record(labels, u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn record(&self, labels: L, value: u64) {
        if let Some(buckets) = self.series.get(labels.index()) {
            buckets.record(value);
        }
    }
}

impl<L: Labels> Instrument for Histogram<L> {
    fn register(named: &Named, at: &mut Registrar) -> Self {
        let declaration = at.declare::<L>(named, "histogram");
        let scale = if named.unit == Unit::Seconds { &NANOSECONDS } else { &COUNTS };
        let series: Vec<_> = L::all().into_iter().map(|pairs| (pairs, Arc::new(Buckets::new(scale)))).collect();
        let handles = series.iter().map(|(_, buckets)| Arc::clone(buckets)).collect();
        at.histograms.push(HistogramFamily { declaration, series });
        Self { series: handles, labels: std::marker::PhantomData }
    }
}

/// The upper bounds of the buckets, and what is written for them.
struct Scale {
    bounds: &'static [(u64, &'static str)],
    per_unit: f64,
}

/// From 50 µs to 10 s.
static NANOSECONDS: Scale = Scale {
    bounds: &[
        (50_000, "0.00005"),
        (100_000, "0.0001"),
        (250_000, "0.00025"),
        (500_000, "0.0005"),
        (1_000_000, "0.001"),
        (2_500_000, "0.0025"),
        (5_000_000, "0.005"),
        (10_000_000, "0.01"),
        (25_000_000, "0.025"),
        (50_000_000, "0.05"),
        (100_000_000, "0.1"),
        (250_000_000, "0.25"),
        (500_000_000, "0.5"),
        (1_000_000_000, "1"),
        (2_500_000_000, "2.5"),
        (10_000_000_000, "10"),
    ],
    per_unit: 1e9,
};

/// From 1 to 1,024.
static COUNTS: Scale = Scale {
    bounds: &[
        (1, "1"),
        (2, "2"),
        (4, "4"),
        (8, "8"),
        (16, "16"),
        (32, "32"),
        (64, "64"),
        (128, "128"),
        (256, "256"),
        (512, "512"),
        (1_024, "1024"),
    ],
    per_unit: 1.0,
};

struct Buckets {
    scale: &'static Scale,
    /// One per bound and one above them all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Buckets {
    fn new(scale: &'static Scale) -> Self {
        let counts = (0..=scale.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { scale, counts, sum: AtomicU64::new(0) }
    }

    fn record(&self, value: u64) {
        let place = self.scale.bounds.partition_point(|(bound, _)| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn render(&self, name: &str, labels: &str, out: &mut String) {
        let mut so_far = 0;
        let bounds = self.scale.bounds.iter().map(|(_, text)| *text).chain(["+Inf"]);
        for (count, bound) in self.counts.iter().zip(bounds) {
            so_far += count.load(Ordering::Relaxed);
            let comma = if labels.is_empty() { "" } else { "," };
            line(out, format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {so_far}"));
        }
        #[expect(clippy::cast_precision_loss, reason = "a sum for a graph: 53 bits of nanoseconds are 104 days")]
        let sum = self.sum.load(Ordering::Relaxed) as f64 / self.scale.per_unit;
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        line(out, format_args!("{name}_sum{braced} {sum}"));
        line(out, format_args!("{name}_count{braced} {so_far}"));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

impl HistogramFamily {
    /// Appends every series in Prometheus' text form.
    pub(crate) fn render(&self, out: &mut String) {
        let Declaration { name, help, .. } = &self.declaration;
        line(out, format_args!("# HELP {name} {help}"));
        line(out, format_args!("# TYPE {name} histogram"));
        for (pairs, buckets) in &self.series {
            let labels: Vec<_> = pairs.iter().map(|(name, word)| format!("{name}=\"{word}\"")).collect();
            buckets.render(name, &labels.join(","), out);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_counts_below_it() {
        let buckets = Buckets::new(&COUNTS);
        for value in [1, 2, 3, 1_025] {
            buckets.record(value);
        }
        let mut out = String::new();
        buckets.render("batch", "", &mut out);
        let expected = ["batch_bucket{le=\"1\"} 1", "batch_bucket{le=\"2\"} 2", "batch_bucket{le=\"4\"} 3"];
        for line in expected.into_iter().chain(["batch_bucket{le=\"+Inf\"} 4", "batch_sum 1031", "batch_count 4"]) {
            assert!(out.lines().any(|l| l == line), "{line} is missing in\n{out}");
        }
    }

    #[test]
    fn seconds_are_written_as_seconds() {
        let buckets = Buckets::new(&NANOSECONDS);
        buckets.record(1_500_000_000);
        let mut out = String::new();
        buckets.render("took", "a=\"b\"", &mut out);
        assert!(out.contains("took_bucket{a=\"b\",le=\"2.5\"} 1\n"), "{out}");
        assert!(out.contains("took_sum{a=\"b\"} 1.5\n"), "{out}");
    }
}
