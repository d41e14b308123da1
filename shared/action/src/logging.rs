//! The function's log: JSON lines on standard output, with secrets removed.
//!
//! Problem: a job handles credentials, and children print whatever they like. Logs and failure messages are read by
//! more people than may see those credentials.
//!
//! Seen (`docs/decisions/0141-secrets-are-hidden-by-value.md`): a secret with a quote or backslash was not found in a
//! line that had already become JSON; a secret of several lines never was, because output is logged line by line; a
//! text that was truncated first and redacted second ended in the beginning of a secret; and a secret of one
//! pipeline was still hidden in the log of another, where it was an ordinary word.
//!
//! Solution: known secrets are removed by value, in every form that a line may contain (`forms_of`), and unknown
//! ones by their shape (`FORMS`). A line's values are redacted before they are escaped (`redacted_line`). Text
//! that leaves the function any other way (messages, summaries) passes [`redact`] before it is truncated, or
//! [`redact_cut`] if it already was. [`Secrets`] hides values only while its job runs.

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};

use regex_lite::Regex;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::env;

use crate::text;

/// The level without `DELIVERY_LOG`.
const DEFAULT_LEVEL: LevelFilter = LevelFilter::INFO;

/// Prefixes of the AWS SDK's and the HTTP stack's modules. Their debug output contains requests with credentials,
/// so it stays off at every level.
const QUIET_TARGETS: [&str; 5] = ["aws_", "hyper", "rustls", "h2", "lambda_runtime"];

/// Replacement for a secret.
const REDACTED: &str = "[redacted]";

/// Shorter values, and shorter lines of a value, are treated as ordinary words: removing them would only make the
/// log unreadable (documented in `docs/security.md`).
const MIN_SECRET_CHARS: usize = 8;

/// Least length at which the beginning of a secret, at the end of a truncated text, is distinguished from a word.
const MIN_CUT_SECRET_CHARS: usize = 4;

static HIDDEN: RwLock<Vec<HiddenText>> = RwLock::new(Vec::new());

/// One text to remove, and the [`Secrets`] that it belongs to.
struct HiddenText {
    owner: u64,
    text: SecretString,
}

/// Secrets that are removed from everything that is logged or reported while this value exists.
///
/// They are forgotten afterwards because one environment serves several pipelines, and a secret of one may be an
/// ordinary word in another.
#[derive(Debug)]
pub struct Secrets(u64);

impl Secrets {
    /// Hides these values.
    #[must_use]
    pub fn hide<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        static NEXT_OWNER: AtomicU64 = AtomicU64::new(0);
        let owner = NEXT_OWNER.fetch_add(1, Ordering::Relaxed);
        let mut texts: Vec<String> = values.into_iter().flat_map(forms_of).collect();
        texts.sort_unstable();
        texts.dedup();
        let mut hidden = HIDDEN.write().unwrap_or_else(PoisonError::into_inner);
        hidden.extend(texts.into_iter().map(|text| HiddenText {
            owner,
            text: text.into(),
        }));
        Self(owner)
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let mut hidden = HIDDEN.write().unwrap_or_else(PoisonError::into_inner);
        hidden.retain(|text| text.owner != self.0);
    }
}

/// All forms that a secret can have in a logged line: each of its lines (output is logged line by line), without
/// the control characters that [`text::plain`] removes, and escaped as JSON and as Rust's `Debug` do.
fn forms_of(secret: &str) -> impl Iterator<Item = String> {
    let lines = secret
        .split(['\n', '\r'])
        .map(|line| line.trim().to_owned());
    let shown = lines.flat_map(|line| [text::plain(&line).into_owned(), line]);
    let forms = shown.flat_map(|line| {
        let json = Value::from(line.as_str()).to_string();
        let json = json[1..json.len() - 1].to_owned();
        // Escaped first and cleaned second: `plain` also removes characters that JSON leaves unescaped.
        let json_shown = text::plain(&json).into_owned();
        [json, json_shown, line.escape_debug().to_string(), line]
    });
    // Without this, a secret such as `redacted` would be found inside `[redacted]` when text passes twice.
    forms.filter(|form| form.chars().count() >= MIN_SECRET_CHARS && !REDACTED.contains(&**form))
}

/// The shape of a kind of secret: substrings that every match contains, the expression, and the replacement. The
/// substrings are there for speed: most text contains none, and then the expression is not run.
type Form = (&'static [&'static str], Regex, &'static str);

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let forms: [(&'static [&'static str], &str, &'static str); 4] = [
        // Access key ids (IAM User Guide, "Unique identifiers").
        (
            &["AKIA", "ASIA"],
            r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
            REDACTED,
        ),
        // npm's registry credentials as they stand in an .npmrc; `${NPM_TOKEN}` is the name of one.
        (
            &["_auth", "_password"],
            r#"(_authToken|_auth|_password)(\s*=\s*)[^\s"'$][^\s"']*"#,
            "$1$2[redacted]",
        ),
        // Presigned URLs.
        (
            &["z-", "Z-"],
            r#"(?i)(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s"']+"#,
            "$1[redacted]",
        ),
        // User name and password in a URL.
        (&["://"], r"(://)[^/\s:@]+:[^/\s@]+@", "$1[redacted]@"),
    ];
    let compiled = forms.map(|(holds, form, with)| {
        (
            holds,
            Regex::new(form).expect("the forms are tested below"),
            with,
        )
    });
    compiled.into()
});

/// Removes secrets from a text.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    by_form(without(text, occurrences(text)))
}

/// Removes secrets from a text that was truncated, including the beginning of one at its end.
#[must_use]
pub fn redact_cut(text: &str) -> Cow<'_, str> {
    let mut found = occurrences(text);
    found.extend(beginning_at_end(text));
    by_form(without(text, found))
}

/// The ranges of all known secrets, found before any is replaced. Replacing one after the other would break up
/// secrets that overlap, and leave the rest of the second one readable.
fn occurrences(text: &str) -> Vec<Range<usize>> {
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner);
    let mut found = Vec::new();
    for secret in hidden.iter().map(|hidden| hidden.text.expose_secret()) {
        let mut from = 0;
        while let Some(at) = text[from..].find(secret) {
            let start = from + at;
            found.push(start..start + secret.len());
            // One character on, not past the match: a secret can overlap itself, as `aa` in `aaa`.
            from = start + text[start..].chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// The longest suffix of the text that is the beginning of a secret, if it is long enough not to be a word.
fn beginning_at_end(text: &str) -> Option<Range<usize>> {
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner);
    let secrets = hidden.iter().map(|hidden| hidden.text.expose_secret());
    let starts = secrets.filter_map(|secret| {
        let boundaries = secret
            .char_indices()
            .map(|(at, _)| at)
            .skip(MIN_CUT_SECRET_CHARS);
        let length = boundaries
            .filter(|&length| text.ends_with(&secret[..length]))
            .max()?;
        Some(text.len() - length)
    });
    starts.min().map(|start| start..text.len())
}

fn without(text: &str, mut ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    ranges.sort_unstable_by_key(|range| range.start);
    let mut kept = String::with_capacity(text.len());
    let mut end = 0;
    for range in ranges {
        // A range that starts inside the previous one extends it; both become one replacement.
        if range.start >= end {
            kept.push_str(&text[end..range.start]);
            kept.push_str(REDACTED);
        }
        end = end.max(range.end);
    }
    kept.push_str(&text[end..]);
    Cow::Owned(kept)
}

fn by_form(mut text: Cow<'_, str>) -> Cow<'_, str> {
    for (holds, form, with) in FORMS.iter() {
        if holds.iter().any(|part| text.contains(part)) && form.is_match(&text) {
            text = Cow::Owned(form.replace_all(&text, *with).into_owned());
        }
    }
    text
}

/// Starts logging, with the credentials of the function's own environment hidden from the first line on. A second
/// call changes nothing.
pub(crate) fn start() {
    // In a static, so they are never forgotten: every job uses them.
    static OF_THE_FUNCTION: OnceLock<Secrets> = OnceLock::new();
    OF_THE_FUNCTION.get_or_init(|| {
        let names = [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_ACCESS_KEY_ID",
        ];
        let values: Vec<_> = names.into_iter().filter_map(env::var).collect();
        Secrets::hide(values.iter().map(String::as_str))
    });
    let level = env::log_level();
    let filter = filter(level.as_deref());
    let is_unknown = filter.is_none();
    let _already_started = tracing_subscriber::registry()
        .with(lines_to(io::stdout).with_filter(filter.unwrap_or_else(|| at(DEFAULT_LEVEL))))
        .try_init();
    if let Some(level) = level.filter(|_| is_unknown) {
        tracing::warn!("DELIVERY_LOG is `{level}`; it must be error, warn, info or debug");
    }
}

/// The filter for a configured level; `None` if it is not a level.
fn filter(level: Option<&str>) -> Option<Targets> {
    level
        .map_or(Some(DEFAULT_LEVEL), |level| level.parse().ok())
        .map(at)
}

fn at(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level)
        .with_targets(QUIET_TARGETS.map(|target| (target, level.min(LevelFilter::WARN))))
}

/// A layer that writes the function's log lines to the writer that `open` returns.
pub fn lines_to<S, W>(open: fn() -> W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(Redacted(open))
}

/// Wraps a writer so that every line is redacted.
struct Redacted<W>(fn() -> W);

impl<'a, W: Write + 'static> MakeWriter<'a> for Redacted<W> {
    type Writer = RedactedLine<W>;

    fn make_writer(&'a self) -> RedactedLine<W> {
        RedactedLine((self.0)())
    }
}

/// Writes one log line. `tracing-subscriber` passes each line in a single `write`.
struct RedactedLine<W>(W);

impl<W: Write> Write for RedactedLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut shown = redacted_line(line);
        shown.push('\n');
        self.0.write_all(shown.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Redacts every string of a JSON line. The strings are parsed back out of the line, because a secret with a quote is
/// escaped in it, and `tracing-subscriber` has no hook between recording a value and writing it.
fn redacted_line(line: &[u8]) -> String {
    match serde_json::from_slice(line) {
        Ok(mut fields) => {
            redact_texts(&mut fields);
            fields.to_string()
        }
        Err(_) => redact(&text::plain(String::from_utf8_lossy(line).trim_end())).into_owned(),
    }
}

fn redact_texts(value: &mut Value) {
    match value {
        Value::String(text) => {
            let shown = redact(&text::plain(text)).into_owned();
            *text = shown;
        }
        Value::Array(values) => values.iter_mut().for_each(redact_texts),
        Value::Object(fields) => fields.values_mut().for_each(redact_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;
    use tracing::Level;

    use super::*;

    #[test_case("key AKIAIOSFODNN7EXAMPLE.", "key [redacted]."; "access key id")]
    #[test_case("//registry.npmjs.org/:_authToken=npm_abc123", "//registry.npmjs.org/:_authToken=[redacted]"; "npm token")]
    #[test_case("`//r/:_authToken=${NPM_TOKEN}` in `.npmrc`", "`//r/:_authToken=${NPM_TOKEN}` in `.npmrc`"; "name of a token")]
    #[test_case("https://b/k?X-Amz-Signature=abc&x=1", "https://b/k?X-Amz-Signature=[redacted]&x=1"; "presigned")]
    #[test_case("git+https://me:secret@host/x", "git+https://[redacted]@host/x"; "url")]
    #[test_case("http://127.0.0.1:4566/a@b", "http://127.0.0.1:4566/a@b"; "harmless url")]
    fn secrets_are_known_by_their_form(text: &str, redacted: &str) {
        assert_eq!(redact(text), redacted);
    }

    #[test]
    fn a_level_is_for_the_functions_own_lines() {
        let shown =
            |level, target, of| filter(level).map(|filter| filter.would_enable(target, &of));
        let (own, sdk) = ("deploy_site::publish", "aws_smithy_runtime::client");
        assert_eq!(shown(None, own, Level::INFO), Some(true));
        assert_eq!(shown(None, own, Level::DEBUG), Some(false));
        assert_eq!(shown(Some("debug"), own, Level::DEBUG), Some(true));
        for target in [sdk, "hyper_util::client", "rustls::conn", "lambda_runtime"] {
            assert_eq!(shown(Some("debug"), target, Level::INFO), Some(false));
            assert_eq!(shown(Some("debug"), target, Level::WARN), Some(true));
            assert_eq!(shown(Some("error"), target, Level::WARN), Some(false));
        }
        assert!(filter(Some("a=debug")).is_none());
    }

    #[test]
    fn secrets_are_known_by_their_value_as_long_as_they_are_hidden() {
        let secrets = Secrets::hide(["planted/secret+value="]);
        assert_eq!(redact("a planted/secret+value= b"), "a [redacted] b");
        drop(secrets);
        assert_eq!(
            redact("a planted/secret+value= b"),
            "a planted/secret+value= b"
        );
    }

    #[test]
    fn one_jobs_secret_stays_hidden_when_another_jobs_ends() {
        let (one, other) = (
            Secrets::hide(["shared-by-two"]),
            Secrets::hide(["shared-by-two"]),
        );
        drop(one);
        assert_eq!(redact("shared-by-two"), "[redacted]");
        drop(other);
        assert_eq!(redact("shared-by-two"), "shared-by-two");
    }

    #[test]
    fn each_line_of_a_secret_is_hidden_and_words_are_not() {
        let _secrets = Secrets::hide(["-----BEGIN KEY-----\r\nMIIEvQIBADAN\nshort\n"]);
        assert_eq!(redact("> MIIEvQIBADAN short"), "> [redacted] short");
        assert_eq!(redact("-----BEGIN KEY-----"), "[redacted]");
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_of_either() {
        let _secrets = Secrets::hide(["frontend", "frontend-key-0815", "0815-overlap"]);
        assert_eq!(
            redact("frontend-key-0815-overlap frontend"),
            "[redacted] [redacted]"
        );
    }

    #[test]
    fn a_text_that_passes_twice_stays_as_it_is() {
        let _secrets = Secrets::hide(["redacted", "planted-twice"]);
        let once = redact("redacted planted-twice").into_owned();
        assert_eq!(redact(&once), once);
    }

    #[test]
    fn a_cut_text_does_not_end_with_the_beginning_of_a_secret() {
        let _secrets = Secrets::hide(["cut-off-secret"]);
        assert_eq!(redact_cut("ends in cut-off-sec"), "ends in [redacted]");
        assert_eq!(redact_cut("ends in cut"), "ends in cut");
        assert_eq!(redact("ends in cut-off-sec"), "ends in cut-off-sec");
    }

    #[test_case("qu\"ote-planted"; "quote")]
    #[test_case("back\\slash-planted"; "backslash")]
    #[test_case("tab\tulator-planted"; "tab")]
    #[test_case("bell\u{7}-planted-\u{202e}"; "controls")]
    #[test_case("grüße-planted"; "not ASCII")]
    #[test_case("line-planted-1\nline-planted-2"; "lines")]
    fn values_are_redacted_before_they_are_escaped(secret: &str) {
        let _secrets = Secrets::hide([secret]);
        let line = serde_json::json!({"message": format!("it is {secret}!"), "span": {"again": secret},
            "debug": format!("{secret:?}"), "number": 1});
        let shown = redacted_line(format!("{line}\n").as_bytes());
        assert!(!shown.contains("planted"), "{shown}");
        assert!(
            shown.starts_with("{\"message\":\"it is [redacted]"),
            "{shown}"
        );
        assert!(shown.ends_with("\"number\":1}"), "{shown}");
    }

    #[test]
    fn a_line_controls_no_terminal() {
        let line = serde_json::json!({"message": "\u{1b}[2J\u{9b}2Jtest\u{202e}"});
        assert_eq!(
            redacted_line(line.to_string().as_bytes()),
            r#"{"message":"test"}"#
        );
    }
}
