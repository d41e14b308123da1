//! What the local AWS and the engine log, for people who ask for it by `-v`.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::args::Global;

/// Begins to log to standard error; without `-v` only what went wrong.
pub(crate) fn start(global: &Global) {
    let level = match global.verbose {
        0 => "error",
        1 => "info",
        _ => "debug",
    };
    // The HTTP stack's own debugging would bury everything else.
    let filter = format!("error,delivery={level},local={level},shared={level}");
    let _already_started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_target(false)
        .with_ansi(false)
        .with_writer(|| Redacted)
        .try_init();
}

/// Standard error without secrets.
struct Redacted;

impl Write for Redacted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        anstream::stderr().write_all(shared::logging::redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        anstream::stderr().flush()
    }
}
