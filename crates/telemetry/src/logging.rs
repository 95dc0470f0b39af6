//! The log: one line per event, formatted where it happens and written by a thread of its own.
//!
//! Half a microsecond on the request's path is the aim: the line is built in a buffer that the thread keeps, and handed
//! over as bytes. When the log can't be written fast enough, lines are dropped and counted, never waited for.

use std::{
    cell::RefCell,
    fmt,
    io::{self, Write},
    str::FromStr,
    sync::Arc,
    time::SystemTime,
};

use tracing::{
    Event, Level, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    line::{self, Behind, Head, Kept, Place, Seen, Stamp, Values},
    sink::Sink,
    spans,
};

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object per line: `time`, `level`, `target`, `message`, then the fields as named.
    #[default]
    Json,
    /// The same for people: `TIME LEVEL TARGET: message name=value`.
    Text,
}

/// How the log is kept.
pub struct LogOptions {
    /// What is logged: a level, or levels by target (`info,ficha_store=debug`).
    pub filter: String,
    /// How a line is written.
    pub format: Format,
    /// Whether each request gets its line (target `access`), whatever `filter` says of the rest.
    pub access: bool,
    /// The clock for the lines' times.
    pub clock: fn() -> SystemTime,
    /// Bytes of lines that may wait to be written; beyond them lines are dropped and counted.
    pub buffer: usize,
    /// Where the lines go; standard error when `None`.
    pub out: Option<Box<dyn Write + Send>>,
}

impl LogOptions {
    /// JSON at level `info` with access lines to standard error, 1 MiB of which may wait.
    #[must_use]
    pub fn new(clock: fn() -> SystemTime) -> Self {
        Self { filter: "info".into(), format: Format::Json, access: true, clock, buffer: 1 << 20, out: None }
    }
}

/// Why the log could not be opened.
#[derive(Debug)]
pub enum LogError {
    /// The filter is none: its text and what is wrong with it.
    Filter(String, String),
    /// The thread that writes could not be started.
    Thread(io::Error),
    /// There is a log in this process already.
    Twice,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(text, why) => {
                write!(
                    f,
                    "`{text}` is no log filter ({why}): write a level, or levels by target, as in `info,ficha_store=debug`"
                )
            }
            Self::Thread(e) => write!(f, "the thread that writes the log could not be started: {e}"),
            Self::Twice => f.write_str("the log of this process is open already"),
        }
    }
}

impl std::error::Error for LogError {}

/// Keeps the log open: dropping it writes the last lines, for which it waits at most 5 s.
#[must_use = "the log ends when this is dropped"]
pub struct LogGuard(Arc<Sink>);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Opens the log of this process, for `tracing`'s and `log`'s macros alike.
///
/// # Errors
/// [`LogError`]: a filter that is none, no thread, or a second call.
pub fn init(options: LogOptions) -> Result<LogGuard, LogError> {
    let (subscriber, guard) = subscriber(options)?;
    subscriber.try_init().map_err(|_| LogError::Twice)?;
    Ok(guard)
}

/// The log as a subscriber, for a test's own thread (`tracing::subscriber::with_default`).
///
/// # Errors
/// As [`init`], but for the second call.
pub fn subscriber(options: LogOptions) -> Result<(impl Subscriber + Send + Sync, LogGuard), LogError> {
    let LogOptions { filter, format, access, clock, buffer, out } = options;
    let targets = Targets::from_str(&filter).map_err(|e| LogError::Filter(filter, e.to_string()))?;
    let targets = targets.with_target(spans::ACCESS, if access { LevelFilter::INFO } else { LevelFilter::OFF });
    let report = move |dropped: u64, batch: &mut Vec<u8>| {
        let mut text = String::new();
        let civil = Stamp::from(clock());
        let head = Head { civil: &civil.civil(), millis: civil.millis, level: Level::WARN, target: "ficha_telemetry" };
        line::begin(&mut text, format, &head);
        let mut fields = Behind { out: &mut text, format, seen: &mut Seen::default() };
        let lost = "log lines were lost because they came faster than they could be written";
        let quote = if format == Format::Json { "\"" } else { "" };
        fields.put("message", |out| [quote, lost, quote].into_iter().for_each(|part| out.push_str(part)));
        fields.put("lines", |out| out.push_str(&dropped.to_string()));
        line::end(&mut text, format);
        batch.extend_from_slice(text.as_bytes());
    };
    let out = out.unwrap_or_else(|| Box::new(io::stderr()));
    let sink = Sink::start(buffer, out, Box::new(report)).map_err(LogError::Thread)?;
    let guard = LogGuard(Arc::clone(&sink));
    Ok((tracing_subscriber::registry().with(targets).with(Lines { sink, format, clock }), guard))
}

/// The layer that makes lines.
struct Lines {
    sink: Arc<Sink>,
    format: Format,
    clock: fn() -> SystemTime,
}

/// A span's fields, written.
struct SpanFields(Vec<(&'static str, String)>);

/// Lines longer than this are not worth keeping the room for.
const KEEP: usize = 16 << 10;

/// What a thread keeps from line to line.
#[derive(Default)]
struct Desk {
    line: String,
    seen: Seen,
    /// The second that `civil` tells.
    second: Option<u64>,
    civil: String,
}

thread_local! {
    /// Not to be had while a value is formatted that logs in turn.
    static DESK: RefCell<Desk> = RefCell::default();
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut fields = Vec::new();
        attributes.record(&mut Values(Kept { fields: &mut fields, format: self.format }));
        span.extensions_mut().insert(SpanFields(fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(SpanFields(fields)) = span.extensions_mut().get_mut() {
            values.record(&mut Values(Kept { fields, format: self.format }));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        DESK.with(|desk| match desk.try_borrow_mut() {
            Ok(mut desk) => self.write(&mut desk, event, &ctx),
            Err(_) => self.write(&mut Desk::default(), event, &ctx),
        });
    }
}

impl Lines {
    fn write<S: Subscriber + for<'a> LookupSpan<'a>>(&self, desk: &mut Desk, event: &Event<'_>, ctx: &Context<'_, S>) {
        let now = Stamp::from((self.clock)());
        if desk.second != Some(now.seconds) {
            desk.second = Some(now.seconds);
            desk.civil = now.civil();
        }
        desk.line.clear();
        desk.seen.clear();
        let meta = event.metadata();
        let level = *meta.level();
        line::begin(
            &mut desk.line,
            self.format,
            &Head { civil: &desk.civil, millis: now.millis, level, target: meta.target() },
        );
        let mut values = Values(Behind { out: &mut desk.line, format: self.format, seen: &mut desk.seen });
        event.record(&mut values);
        for span in ctx.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                for (name, value) in fields {
                    values.0.put(name, |out| out.push_str(value));
                }
            }
        }
        line::end(&mut desk.line, self.format);
        self.sink.put(desk.line.as_bytes(), level <= Level::WARN);
        if desk.line.capacity() > KEEP {
            desk.line = String::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, mpsc},
        time::{Duration, UNIX_EPOCH},
    };

    use tracing::{debug, error, info, info_span, subscriber::with_default, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn noon() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_793_880_000_007)
    }

    /// What is written when `log` logs with these options.
    fn written(options: LogOptions, log: impl FnOnce()) -> String {
        let page = Page::default();
        let (subscriber, guard) = subscriber(LogOptions { out: Some(Box::new(page.clone())), ..options }).unwrap();
        with_default(subscriber, log);
        drop(guard);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn text() -> LogOptions {
        LogOptions { format: Format::Text, ..LogOptions::new(noon) }
    }

    #[test]
    fn a_json_line_holds_time_level_target_message_and_fields() {
        let json = written(LogOptions::new(noon), || {
            info!(target: "access", status = 200_u16, client.id = "a\"b", left = -3, ratio = 0.5, ok = true, "answered");
        });
        assert_eq!(
            json,
            concat!(
                r#"{"time":"2026-11-05T12:00:00.007Z","level":"INFO","target":"access","message":"answered","#,
                r#""status":200,"client.id":"a\"b","left":-3,"ratio":0.5,"ok":true}"#,
                "\n"
            )
        );
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }

    #[test]
    fn a_text_line_is_for_people() {
        let line = written(text(), || warn!(target: "here", peer = %"1.2.3.4", "slow\nwords"));
        assert_eq!(line, "2026-11-05T12:00:00.007Z WARN here: slow\\nwords peer=\"1.2.3.4\"\n");
    }

    #[test]
    fn the_fields_of_the_spans_around_it_follow_and_the_innermost_wins() {
        let line = written(text(), || {
            let _outer = info_span!("token", dialect = "standard", grant = tracing::field::Empty).entered();
            let inner = info_span!("prove", dialect = "deyel", client.id = tracing::field::Empty).entered();
            inner.record("client.id", "first");
            inner.record("client.id", "last");
            info!(target: "t", answer = 1, "done");
        });
        let fields = "answer=1 dialect=\"deyel\" client.id=\"last\"";
        assert_eq!(line, format!("2026-11-05T12:00:00.007Z INFO t: done {fields}\n"));
    }

    #[test]
    fn a_field_can_not_pass_for_the_beginning_of_the_line() {
        let json = written(LogOptions::new(noon), || info!(target: "t", level = "ERROR", "x"));
        assert!(json.contains("\"level\":\"INFO\""), "{json}");
        assert!(json.contains("\"level_\":\"ERROR\""), "{json}");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no key")
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let why = Outer(io::Error::other("disk gone"));
        let line = written(text(), || error!(target: "t", error = &why as &dyn std::error::Error, "stopped"));
        assert!(line.ends_with("error=\"no key: disk gone\"\n"), "{line}");
    }

    #[test]
    fn what_the_filter_leaves_out_is_not_written_and_access_lines_have_their_own_switch() {
        let log = || {
            debug!(target: "ficha_store", "a");
            debug!(target: "ficha_core", "b");
            info!(target: "access", "c");
        };
        let filter = "warn,ficha_store=debug";
        let with = written(LogOptions { filter: filter.into(), ..text() }, log);
        assert_eq!(with.lines().count(), 2, "{with}");
        let without = written(LogOptions { filter: filter.into(), access: false, ..text() }, log);
        assert!(without.contains("ficha_store: a") && without.lines().count() == 1, "{without}");
    }

    #[test]
    fn a_value_that_logs_while_it_is_formatted_gets_its_line_too() {
        struct Chatty;
        impl fmt::Display for Chatty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                info!(target: "t", "inner");
                f.write_str("chatty")
            }
        }
        let lines = written(text(), || info!(target: "t", who = %Chatty, "outer"));
        assert!(lines.contains("outer who=\"chatty\"\n"), "{lines}");
        // `tracing` itself keeps an event within an event from its subscriber; nothing may panic over it.
        assert!(lines.lines().count() <= 2, "{lines}");
    }

    #[test]
    fn a_filter_that_is_none_is_refused_in_words() {
        let refused = subscriber(LogOptions { filter: "ficha=loudly".into(), ..text() }).err().unwrap();
        assert!(refused.to_string().contains("`ficha=loudly` is no log filter"), "{refused}");
    }

    /// A log that can't be written until the test lets it.
    struct Stuck {
        started: mpsc::Sender<()>,
        go_on: mpsc::Receiver<()>,
        page: Page,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.started.send(());
            let _ = self.go_on.recv();
            self.page.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn when_the_log_is_stuck_lines_are_dropped_and_counted_and_nobody_waits() {
        let (started, has_started) = mpsc::channel();
        let (let_go, go_on) = mpsc::channel();
        let page = Page::default();
        let out = Stuck { started, go_on, page: page.clone() };
        let options = LogOptions { buffer: 300, out: Some(Box::new(out)), ..text() };
        let (subscriber, guard) = subscriber(options).unwrap();
        with_default(subscriber, || {
            info!(target: "t", "the first");
            has_started.recv().unwrap();
            for n in 0..100 {
                info!(target: "t", n, "more");
            }
        });
        drop(let_go);
        drop(guard);
        let lines = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let kept = lines.lines().filter(|l| l.contains("more")).count();
        assert!(kept > 0 && kept < 10, "{lines}");
        let lost = format!("lines={}", 100 - kept);
        assert!(lines.contains("WARN ficha_telemetry: log lines were lost") && lines.contains(&lost), "{lines}");
    }
}
