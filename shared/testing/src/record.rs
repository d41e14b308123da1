//! Writes down which requests the tests of the whole repository send, so that the templates' policies can be
//! compared with them.
//!
//! Only where [`FILE_VARIABLE`] names a file: a test that is run by hand records nothing. A line is one
//! request; each test process appends its own, whole.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::http::Request;
use axum::http::request::Parts;

use super::events::{FUNCTION_KEYS, JOB_KEYS};
use super::operation::{Operation, access_key};

/// Names the file that requests are appended to.
pub const FILE_VARIABLE: &str = "DELIVERY_RECORD_CALLS";

/// The credentials of the job: the pipeline's role is behind them.
pub const PIPELINE: &str = "pipeline";

/// The header that names the operation of a JSON protocol.
const TARGET: &str = "x-amz-target";

/// One request that AWS would check against a policy, as it came: what it is named is decided by who reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// Whose policy: the package of an action, a function's name, or [`PIPELINE`].
    pub by: String,
    /// The service as signatures name it.
    pub service: String,
    /// The HTTP method, which is what the policies of API Gateway name.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// `X-Amz-Target`; empty where there is none.
    pub target: String,
}

impl Recorded {
    fn of(by: String, parts: &Parts) -> Self {
        let target = parts
            .headers
            .get(TARGET)
            .and_then(|target| target.to_str().ok());
        Self {
            by,
            service: Operation::of(parts).service,
            method: parts.method.to_string(),
            uri: parts.uri.to_string(),
            target: target.unwrap_or_default().to_owned(),
        }
    }

    /// The line of the file, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        let fields = [
            &self.by,
            &self.service,
            &self.method,
            &self.uri,
            &self.target,
        ];
        fields
            .map(|field| field.replace(['\t', '\n'], "?"))
            .join("\t")
    }

    /// Reads a line; `None` if it is not a recorded call.
    #[must_use]
    pub fn of_line(line: &str) -> Option<Self> {
        let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let [by, service, method, uri, target] = <[String; 5]>::try_from(fields).ok()?;
        Some(Self {
            by,
            service,
            method,
            uri,
            target,
        })
    }

    /// What it is.
    #[must_use]
    pub fn operation(&self) -> Operation {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=-/-/-/{}/aws4_request, -",
            self.service
        );
        let request = Request::builder()
            .method(self.method.as_str())
            .uri(&self.uri)
            .header("authorization", scope)
            .header(TARGET, &self.target);
        let (parts, ()) = request.body(()).expect("it was a request").into_parts();
        Operation::of(&parts)
    }

    /// The path, without a query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }

    /// A value of the query; it is not decoded.
    #[must_use]
    pub fn query(&self, key: &str) -> Option<&str> {
        let (_, query) = self.uri.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(name, value)| (name == key).then_some(value))
    }
}

/// Writes a request down, if it is one of an action or of the pipeline.
pub(crate) fn request(parts: &Parts) {
    if let Some(by) = caller(parts) {
        write(&Recorded::of(by, parts));
    }
}

/// Writes down what AWS does in the caller's name while it answers: Lambda reads the code that
/// `UpdateFunctionCode` refers to with the caller's permissions (Lambda Developer Guide, "Creating a Lambda
/// function": the caller needs `s3:GetObject` on the package).
pub(crate) fn read_for(parts: &Parts, bucket: &str, key: &str) {
    let Some(by) = caller(parts) else { return };
    write(&Recorded {
        by,
        service: "s3".to_owned(),
        method: "GET".to_owned(),
        uri: format!("/{bucket}/{key}"),
        target: String::new(),
    });
}

/// Who asks. The tests' own requests have keys of their own; an action is what Cargo tests.
fn caller(parts: &Parts) -> Option<String> {
    let key = access_key(parts)?;
    if key == JOB_KEYS.access_key_id {
        Some(PIPELINE.to_owned())
    } else if key == FUNCTION_KEYS.access_key_id {
        delivery_action::env::var("CARGO_PKG_NAME")
    } else {
        None
    }
}

fn write(recorded: &Recorded) {
    static WRITTEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);
    let Some(file) = delivery_action::env::var_os(FILE_VARIABLE).map(PathBuf::from) else {
        return;
    };
    let line = recorded.line();
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !written.insert(line.clone()) {
        return;
    }
    let appended = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    appended.unwrap_or_else(|error| panic!("cannot record calls in `{}`: {error}", file.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(key: &str, service: &str, method: &str, uri: &str) -> Parts {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/{service}/aws4_request, x"
        );
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", scope);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_line_comes_back_as_it_was() {
        let uri = "/2015-03-31/functions/greeter/configuration?Qualifier=3";
        let recorded = Recorded::of("deploy-app".to_owned(), &parts("K", "lambda", "GET", uri));
        assert_eq!(Recorded::of_line(&recorded.line()), Some(recorded.clone()));
        assert_eq!(Recorded::of_line("a line of something else"), None);
        assert_eq!(
            recorded.operation().action(),
            "lambda:GetFunctionConfiguration"
        );
        assert_eq!(
            recorded.path(),
            "/2015-03-31/functions/greeter/configuration"
        );
        assert_eq!(
            (recorded.query("Qualifier"), recorded.query("x")),
            (Some("3"), None)
        );
    }

    #[test]
    fn the_caller_is_told_by_the_credentials() {
        let by = |key| caller(&parts(key, "s3", "GET", "/store/key"));
        assert_eq!(by(JOB_KEYS.access_key_id).as_deref(), Some(PIPELINE));
        assert_eq!(
            by(FUNCTION_KEYS.access_key_id),
            delivery_action::env::var("CARGO_PKG_NAME")
        );
        assert_eq!(by("AKIASOMEBODYELSE0000"), None);
    }
}
