//! Where messages and answers go: people read standard error, programs read standard output.

pub(crate) mod answer;
pub(crate) mod ending;
pub(crate) mod foreign;
pub(crate) mod html;
pub(crate) mod json;
mod live;
pub(crate) mod reporter;
#[cfg(test)]
pub(crate) mod schema;
pub(crate) mod style;
mod summary;
pub(crate) mod table;
pub(crate) mod text;

use std::io::{Error, ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use reporter::Reporter;

/// Whether the reader of standard output has gone away (`| head`).
static READER_IS_GONE: AtomicBool = AtomicBool::new(false);

/// Why something that was written is lost: a full disk, for example.
static LOST: OnceLock<Error> = OnceLock::new();

/// Writes data. A reader that has gone away (`| head`) is not an error; commands that would go on only for
/// that reader ask [`reader_is_gone`]. What is lost otherwise makes the command fail in the end ([`lost`]).
pub(crate) fn write_stdout(text: &str) {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            READER_IS_GONE.store(true, Ordering::Relaxed);
        }
        Err(error) => {
            let _the_first_says_enough = LOST.set(error);
        }
    }
}

/// Why something that was written to standard output is lost.
pub(crate) fn lost() -> Option<&'static Error> {
    LOST.get()
}

/// Whether the reader of standard output has gone away.
pub(crate) fn reader_is_gone() -> bool {
    READER_IS_GONE.load(Ordering::Relaxed)
}

/// Writes a line for people.
pub(crate) fn write_stderr(text: &str) {
    let mut err = anstream::stderr().lock();
    let _reader_may_have_gone = writeln!(err, "{text}");
}
