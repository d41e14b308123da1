//! A child's output: each line to the log, and its beginning and end kept for the failure message.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::logging::redact_cut;
use crate::text;

/// How much of the beginning of the output is kept. Together with the tail that is 64 KiB: the first error of a chain
/// is often at the beginning, the last one always at the end.
const HEAD_BYTES: usize = 16 * 1024;

/// How much is kept from the end of the output.
const TAIL_BYTES: usize = 48 * 1024;

/// Longest line. CloudWatch Logs accepts events of 256 KiB, but nobody reads lines of that length.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// Most bytes of one child's output that are logged. More costs money at CloudWatch Logs; npm and test runners stay
/// far below it.
const MAX_LOGGED_BYTES: usize = 4 * 1024 * 1024;

/// What each line adds to its text: time, level, span and stream as JSON (about 200 bytes), and the 26 bytes that
/// CloudWatch Logs bills for each event. Without it, empty lines could be logged without limit.
const LINE_OVERHEAD_BYTES: usize = 226;

/// Bytes per read.
const CHUNK_BYTES: usize = 16 * 1024;

/// Which of a child's two streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The captured output of one child.
#[derive(Clone, Debug)]
pub(super) struct Output {
    captured: Arc<Mutex<Captured>>,
}

/// What a child wrote, as text without terminal codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OutputText {
    /// Standard output alone.
    pub(super) stdout: String,
    /// Both streams, line by line as they came.
    pub(super) both: String,
}

#[derive(Debug)]
struct Captured {
    logs: bool,
    shown_below: Option<String>,
    logged_bytes: usize,
    unlogged_lines: usize,
    stdout: HeadAndTail,
    both: HeadAndTail,
}

impl Output {
    /// An output that goes to the log line by line, or one that is only captured.
    /// Paths in it are shown as they are below a directory.
    pub(super) fn new(logs: bool, shown_below: Option<String>) -> Self {
        Self {
            captured: Arc::new(Mutex::new(Captured {
                logs,
                shown_below,
                logged_bytes: 0,
                unlogged_lines: 0,
                stdout: HeadAndTail::default(),
                both: HeadAndTail::default(),
            })),
        }
    }

    /// Reads a stream to its end. A stream that cannot be read any more has ended.
    pub(super) async fn read(self, stream: Stream, mut from: impl AsyncRead + Unpin) {
        let mut lines = Lines::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            lines.push(&chunk[..count], |line, cut| self.line(stream, line, cut));
            // A child that writes without end would otherwise never let this task yield, and the deadline, which
            // the same task waits for, would not be noticed.
            tokio::task::yield_now().await;
        }
        lines.end(|line, cut| self.line(stream, line, cut));
    }

    fn line(&self, stream: Stream, line: &[u8], cut: bool) {
        let line = String::from_utf8_lossy(line);
        let mut text = text::plain_line(written_last(&line));
        if cut {
            // The cut may be in the middle of a character, which then decodes as replacement characters.
            let whole = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
            text = redact_cut(whole).into_owned() + " … (line truncated)";
        }
        let mut captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match &captured.shown_below {
            Some(directory) => relative(text, directory),
            None => text,
        };
        captured.both.push(&text);
        if stream == Stream::Stdout {
            captured.stdout.push(&text);
        }
        if !captured.logs {
            return;
        }
        let cost = text.len() + LINE_OVERHEAD_BYTES;
        if captured.logged_bytes + cost > MAX_LOGGED_BYTES {
            captured.unlogged_lines += 1;
            return;
        }
        captured.logged_bytes += cost;
        tracing::info!(stream = stream.name(), "{text}");
    }

    /// Everything that was captured. Logs how many lines were not logged.
    pub(super) fn finish(&self) -> OutputText {
        let mut captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        let unlogged_lines = std::mem::take(&mut captured.unlogged_lines);
        if unlogged_lines > 0 {
            tracing::warn!(
                lines = unlogged_lines,
                "{unlogged_lines} lines of output were not logged: the limit is {MAX_LOGGED_BYTES} bytes"
            );
        }
        OutputText {
            stdout: captured.stdout.text(),
            both: captured.both.text(),
        }
    }
}

/// The last text of a line that was overwritten by carriage returns, as progress bars are.
fn written_last(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    line.rsplit('\r').next().unwrap_or(line)
}

/// Removes a directory from the paths in a line. Stack traces of ES modules contain `file:` URLs.
fn relative(text: String, directory: &str) -> String {
    if !text.contains(directory) {
        return text;
    }
    text.replace(&format!("file://{directory}/"), "")
        .replace(&format!("{directory}/"), "")
        .replace(directory, ".")
}

/// Cuts a stream into lines of bounded length.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
    cut: bool,
}

impl Lines {
    fn push(&mut self, chunk: &[u8], mut take: impl FnMut(&[u8], bool)) {
        let mut parts = chunk.split(|&byte| byte == b'\n');
        if let Some(first) = parts.next() {
            self.extend(first);
        }
        for part in parts {
            self.take(&mut take);
            self.extend(part);
        }
    }

    fn end(mut self, mut take: impl FnMut(&[u8], bool)) {
        if !self.line.is_empty() {
            self.take(&mut take);
        }
    }

    fn extend(&mut self, part: &[u8]) {
        let room = MAX_LINE_BYTES - self.line.len();
        self.cut |= part.len() > room;
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn take(&mut self, take: &mut impl FnMut(&[u8], bool)) {
        take(&self.line, std::mem::take(&mut self.cut));
        self.line.clear();
    }
}

/// The first and last lines of a text of any length, in bounded memory.
#[derive(Debug, Default)]
struct HeadAndTail {
    head: String,
    tail: std::collections::VecDeque<String>,
    tail_bytes: usize,
    omitted_lines: usize,
}

impl HeadAndTail {
    fn push(&mut self, line: &str) {
        if self.tail.is_empty()
            && self.omitted_lines == 0
            && self.head.len() + line.len() < HEAD_BYTES
        {
            self.head.push_str(line);
            self.head.push('\n');
            return;
        }
        self.tail_bytes += line.len() + 1;
        self.tail.push_back(line.to_owned());
        while self.tail_bytes > TAIL_BYTES {
            let Some(oldest) = self.tail.pop_front() else {
                break;
            };
            self.tail_bytes -= oldest.len() + 1;
            self.omitted_lines += 1;
        }
    }

    fn text(&self) -> String {
        let mut text = self.head.clone();
        if self.omitted_lines > 0 {
            let _infallible = writeln!(text, "… ({} lines omitted)", self.omitted_lines);
        }
        for line in &self.tail {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.push(chunk, |line, cut| {
                let cut = if cut { "(cut)" } else { "" };
                found.push(String::from_utf8_lossy(line).into_owned() + cut);
            });
        }
        lines.end(|line, _| found.push(String::from_utf8_lossy(line).into_owned()));
        found
    }

    #[test]
    fn a_progress_bar_is_what_stood_last() {
        assert_eq!(written_last("10%\r50%\r100%\r"), "100%");
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        assert_eq!(
            lines_of(&[b"one\ntw", b"o\n\nthr", b"ee"]),
            ["one", "two", "", "three"]
        );
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_is_whole() {
        let endless = vec![b'x'; 3 * MAX_LINE_BYTES];
        let found = lines_of(&[&endless, b"x\nnext\n"]);
        assert_eq!(found[0], format!("{}(cut)", "x".repeat(MAX_LINE_BYTES)));
        assert_eq!(found[1..], ["next"]);
    }

    #[tokio::test]
    async fn a_flood_keeps_its_first_and_last_lines_in_bounded_memory() {
        let lines: Vec<_> = (0..200_000).map(|n| format!("line {n}")).collect();
        let flood = lines.join("\n");
        let output = Output::new(false, None);
        output.clone().read(Stream::Stdout, flood.as_bytes()).await;
        let text = output.finish().both;
        assert!(
            text.len() <= HEAD_BYTES + TAIL_BYTES + 64,
            "{} bytes",
            text.len()
        );
        assert!(text.starts_with("line 0\nline 1\n"));
        assert!(text.ends_with("line 199998\nline 199999\n"));
        assert_eq!(text.matches("lines omitted").count(), 1);
    }

    #[test]
    fn paths_are_shown_as_they_are_below_the_directory() {
        let shown = |text: &str| relative(text.to_owned(), "/tmp/job/source");
        assert_eq!(
            shown("at f (/tmp/job/source/gulpfile.js:46:7)"),
            "at f (gulpfile.js:46:7)"
        );
        assert_eq!(shown("at file:///tmp/job/source/a.mjs:1:2"), "at a.mjs:1:2");
        assert_eq!(shown("cd /tmp/job/source"), "cd .");
        assert_eq!(shown("/tmp/job/tmp/x"), "/tmp/job/tmp/x");
    }

    #[tokio::test]
    async fn a_cut_line_does_not_end_with_the_beginning_of_a_secret() {
        let _secrets = crate::logging::Secrets::hide(["planted-grüße-at-the-cut"]);
        let output = Output::new(false, None);
        for before in MAX_LINE_BYTES - 25..MAX_LINE_BYTES - 8 {
            let line = format!("{}planted-grüße-at-the-cut\n", "x".repeat(before));
            output.clone().read(Stream::Stdout, line.as_bytes()).await;
        }
        let text = output.finish().both;
        assert!(text.contains("x[redacted] … (line truncated)\n"));
        assert!(!text.contains("planted"), "{text}");
    }

    #[tokio::test]
    async fn empty_lines_are_not_logged_without_end() {
        let output = Output::new(true, None);
        let flood = vec![b'\n'; MAX_LOGGED_BYTES];
        output.clone().read(Stream::Stdout, &flood[..]).await;
        let unlogged = output.captured.lock().unwrap().unlogged_lines;
        assert!(MAX_LOGGED_BYTES - unlogged <= MAX_LOGGED_BYTES / LINE_OVERHEAD_BYTES);
    }

    #[tokio::test]
    async fn a_flood_lets_the_clock_be_looked_at() {
        let output = Output::new(false, None);
        let flood = output.clone().read(Stream::Stdout, tokio::io::repeat(b'x'));
        let limit = std::time::Duration::from_millis(20);
        tokio::time::timeout(limit, flood).await.unwrap_err();
    }

    #[tokio::test]
    async fn streams_are_told_apart_and_kept_together() {
        let output = Output::new(true, None);
        output.clone().read(Stream::Stdout, &b"out\n"[..]).await;
        output
            .clone()
            .read(Stream::Stderr, &b"\x1b[31merr\x1b[0m"[..])
            .await;
        let expected = OutputText {
            stdout: "out\n".to_owned(),
            both: "out\nerr\n".to_owned(),
        };
        assert_eq!(output.finish(), expected);
    }
}
