//! A child's output: each line to the log, and its beginning and end kept for the failure message.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::logging::redact_cut;
use crate::text;

/// How much is kept from the beginning of the output (reliability design, "64 KiB head + tail": what
/// began a chain of errors is often above it, what ended it is always below).
const HEAD_BYTES: usize = 16 * 1024;

/// How much is kept from the end of the output.
const TAIL_BYTES: usize = 48 * 1024;

/// Where a line is cut: CloudWatch Logs takes events of 256 KiB, and no one reads so long a line.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// How much of one child's output goes to the log. A flood costs money at CloudWatch Logs; npm and
/// test runners stay far below it.
const MAX_LOGGED_BYTES: usize = 4 * 1024 * 1024;

/// What a line costs of that beside its text: its time, level, span and stream as JSON (some 200
/// bytes; CloudWatch Logs bills 26 more for each event).
const LINE_OVERHEAD_BYTES: usize = 226;

/// How much is read at once.
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

/// Both streams of one child, as they come.
#[derive(Clone, Debug)]
pub(super) struct Output {
    kept: Arc<Mutex<Kept>>,
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
struct Kept {
    logs: bool,
    shown_below: Option<String>,
    logged_bytes: usize,
    unlogged_lines: usize,
    stdout: Ends,
    both: Ends,
}

impl Output {
    /// An output that goes to the log line by line, or one that is only kept.
    /// Paths in it are shown as they are below a directory.
    pub(super) fn new(logs: bool, shown_below: Option<String>) -> Self {
        Self {
            kept: Arc::new(Mutex::new(Kept {
                logs,
                shown_below,
                logged_bytes: 0,
                unlogged_lines: 0,
                stdout: Ends::default(),
                both: Ends::default(),
            })),
        }
    }

    /// Reads a stream to its end. A stream that cannot be read any more has ended.
    pub(super) async fn read(self, stream: Stream, mut from: impl AsyncRead + Unpin) {
        let mut lines = Lines::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            lines.push(&chunk[..count], |line, cut| self.line(stream, line, cut));
            // A child that always has more to say would keep everything else of its task from running,
            // the look at the clock among it.
            tokio::task::yield_now().await;
        }
        lines.end(|line, cut| self.line(stream, line, cut));
    }

    fn line(&self, stream: Stream, line: &[u8], cut: bool) {
        let line = String::from_utf8_lossy(line);
        let mut text = text::plain_line(written_last(&line));
        if cut {
            // The cut may have gone through a character, too.
            let whole = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
            text = redact_cut(whole).into_owned() + " … (line truncated)";
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match &kept.shown_below {
            Some(directory) => relative(text, directory),
            None => text,
        };
        kept.both.push(&text);
        if stream == Stream::Stdout {
            kept.stdout.push(&text);
        }
        if !kept.logs {
            return;
        }
        let cost = text.len() + LINE_OVERHEAD_BYTES;
        if kept.logged_bytes + cost > MAX_LOGGED_BYTES {
            kept.unlogged_lines += 1;
            return;
        }
        kept.logged_bytes += cost;
        tracing::info!(stream = stream.name(), "{text}");
    }

    /// What was kept. Says in the log what a flood left out of it.
    pub(super) fn finish(&self) -> OutputText {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let unlogged_lines = std::mem::take(&mut kept.unlogged_lines);
        if unlogged_lines > 0 {
            tracing::warn!(
                lines = unlogged_lines,
                "{unlogged_lines} lines of output were not logged: the limit is {MAX_LOGGED_BYTES} bytes"
            );
        }
        OutputText {
            stdout: kept.stdout.text(),
            both: kept.both.text(),
        }
    }
}

/// Of a line that was written over by carriage returns (a progress bar), what stood last.
fn written_last(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    line.rsplit('\r').next().unwrap_or(line)
}

/// A line without the directory that its paths begin with; ES modules name files by `file:` addresses.
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

/// The first and the last lines of a text of any length.
#[derive(Debug, Default)]
struct Ends {
    head: String,
    tail: std::collections::VecDeque<String>,
    tail_bytes: usize,
    left_out: usize,
}

impl Ends {
    fn push(&mut self, line: &str) {
        if self.tail.is_empty() && self.left_out == 0 && self.head.len() + line.len() < HEAD_BYTES {
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
            self.left_out += 1;
        }
    }

    fn text(&self) -> String {
        let mut text = self.head.clone();
        if self.left_out > 0 {
            let _infallible = writeln!(text, "… ({} lines omitted)", self.left_out);
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
        let unlogged = output.kept.lock().unwrap().unlogged_lines;
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
