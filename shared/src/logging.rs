//! The function's log: JSON lines on standard output, without secrets.
//!
//! Every line passes [`redact`] on its way out: credentials that are known are removed by value,
//! others by their form. Whatever else leaves the function as text (failure messages, summaries)
//! passes it too.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{LazyLock, RwLock};

use regex_lite::Regex;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::env;

/// What is logged unless `DELIVERY_LOG` says otherwise.
const DEFAULT_LEVEL: LevelFilter = LevelFilter::INFO;

/// What begins the names of the AWS SDK's and the HTTP stack's modules. Their own debugging shows
/// requests, so it stays off at every level.
const QUIET_TARGETS: [&str; 5] = ["aws_", "hyper", "rustls", "h2", "lambda_runtime"];

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";

/// Shorter values are not secrets but words: removing them would only make the log unreadable.
const MIN_SECRET_CHARS: usize = 8;

static SECRETS: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());

static FORMS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // Access key ids (IAM User Guide, "Unique identifiers").
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", REDACTED),
        // npm's registry credentials as they stand in an .npmrc.
        (
            r#"(_authToken|_auth|_password)(\s*=\s*)[^\s"']+"#,
            "$1$2[redacted]",
        ),
        // Presigned URLs.
        (
            r#"(?i)(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s"']+"#,
            "$1[redacted]",
        ),
        // User name and password in a URL.
        (r"(://)[^/\s:@]+:[^/\s@]+@", "$1[redacted]@"),
    ]
    .into_iter()
    .map(|(form, with)| (Regex::new(form).expect("the forms are tested below"), with))
    .collect()
});

/// Removes this value from everything that is logged or reported from now on.
pub fn hide(secret: &str) {
    if secret.len() < MIN_SECRET_CHARS {
        return;
    }
    let mut secrets = SECRETS
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if !secrets.iter().any(|known| known.expose_secret() == secret) {
        secrets.push(secret.into());
    }
}

/// The text without secrets.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for secret in SECRETS
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .iter()
    {
        if text.contains(secret.expose_secret()) {
            text = Cow::Owned(text.replace(secret.expose_secret(), REDACTED));
        }
    }
    for (form, with) in FORMS.iter() {
        if form.is_match(&text) {
            text = Cow::Owned(form.replace_all(&text, *with).into_owned());
        }
    }
    text
}

/// Begins to log. The credentials of the function's own environment are hidden from the first line
/// on. A second call changes nothing.
pub(crate) fn start() {
    for name in [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ACCESS_KEY_ID",
    ] {
        if let Some(secret) = env::var(name) {
            hide(&secret);
        }
    }
    let level = env::log_level();
    let filter = filter(level.as_deref());
    let is_unknown = filter.is_none();
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(RedactedStdout);
    let _already_started = tracing_subscriber::registry()
        .with(lines.with_filter(filter.unwrap_or_else(|| at(DEFAULT_LEVEL))))
        .try_init();
    if let Some(level) = level.filter(|_| is_unknown) {
        tracing::warn!("DELIVERY_LOG is `{level}`; it can be error, warn, info or debug");
    }
}

/// What is logged at a level that was given; `None` where it is none.
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

struct RedactedStdout;

impl<'a> MakeWriter<'a> for RedactedStdout {
    type Writer = RedactedLine;

    fn make_writer(&'a self) -> RedactedLine {
        RedactedLine
    }
}

/// Writes one log line; the subscriber hands over each line whole.
struct RedactedLine;

impl Write for RedactedLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        io::stdout().lock().write_all(redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;
    use tracing::Level;

    use super::*;

    #[test_case("key AKIAIOSFODNN7EXAMPLE.", "key [redacted]."; "access key id")]
    #[test_case("//registry.npmjs.org/:_authToken=npm_abc123", "//registry.npmjs.org/:_authToken=[redacted]"; "npm token")]
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
    fn secrets_are_known_by_their_value() {
        hide("planted/secret+value=");
        assert_eq!(redact("a planted/secret+value= b"), "a [redacted] b");
    }
}
