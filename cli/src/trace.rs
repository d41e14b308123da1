//! What the local AWS and the engine log, for people who ask for it by `-v`.

use std::io::{self, Write};

use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Begins to log to standard error; without `-v` only what went wrong.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // The HTTP stack's own debugging would bury everything else.
    let filter = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_targets(["delivery", "local"].map(|target| (target, level)));
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(false)
        .with_writer(|| Redacted);
    let _already_started = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
}

/// Standard error without secrets.
struct Redacted;

impl Write for Redacted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        anstream::stderr().write_all(delivery_action::logging::redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        anstream::stderr().flush()
    }
}
