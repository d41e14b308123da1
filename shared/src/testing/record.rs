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

use axum::http::request::Parts;

use super::events::{FUNCTION_KEYS, JOB_KEYS};
use super::operation::{Operation, access_key};

/// Names the file that requests are appended to.
pub const FILE_VARIABLE: &str = "DELIVERY_RECORD_CALLS";

/// The credentials of the job: the pipeline's role is behind them.
pub const PIPELINE: &str = "pipeline";

/// What is between the fields of a line.
const SEPARATOR: char = '\t';

/// One request that AWS would check against a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// Whose policy: the package of an action, or [`PIPELINE`].
    pub by: String,
    /// `service:Operation`.
    pub operation: String,
    /// The HTTP method, which is what the policies of API Gateway name.
    pub method: String,
    /// What it is on: the path without the service's version.
    pub resource: String,
}

impl Recorded {
    /// The line of the file, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        let fields = [&self.by, &self.operation, &self.method, &self.resource];
        fields
            .map(|field| field.replace([SEPARATOR, '\n'], "?"))
            .join(&SEPARATOR.to_string())
    }

    /// Reads a line; `None` where it is none of ours.
    #[must_use]
    pub fn of_line(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(SEPARATOR).collect();
        let [by, operation, method, resource] = fields.as_slice() else {
            return None;
        };
        Some(Self {
            by: (*by).to_owned(),
            operation: (*operation).to_owned(),
            method: (*method).to_owned(),
            resource: (*resource).to_owned(),
        })
    }
}

/// Writes a request down, where it is one of an action or of the pipeline.
pub(crate) fn request(operation: &Operation, parts: &Parts) {
    let Some(by) = caller(parts) else { return };
    write(&Recorded {
        by,
        operation: operation.action(),
        method: parts.method.to_string(),
        resource: resource(operation, parts),
    });
}

/// Writes down what AWS does in the caller's name while it answers: Lambda reads the code that
/// `UpdateFunctionCode` refers to with the caller's permissions (Lambda API Reference,
/// `UpdateFunctionCode`: "you need the `s3:GetObject` permission").
pub(crate) fn read_for(parts: &Parts, bucket: &str, key: &str) {
    let Some(by) = caller(parts) else { return };
    let (operation, method) = ("s3:GetObject".to_owned(), "GET".to_owned());
    let resource = format!("{bucket}/{key}");
    write(&Recorded {
        by,
        operation,
        method,
        resource,
    });
}

/// Who asks. The tests' own requests have keys of their own; an action is what Cargo tests.
fn caller(parts: &Parts) -> Option<String> {
    let key = access_key(parts)?;
    if key == JOB_KEYS.access_key_id {
        Some(PIPELINE.to_owned())
    } else if key == FUNCTION_KEYS.access_key_id {
        std::env::var("CARGO_PKG_NAME").ok()
    } else {
        None
    }
}

/// REST APIs keep their path, since it is what policies name; a function may have a qualifier.
fn resource(operation: &Operation, parts: &Parts) -> String {
    if operation.service == "apigateway" {
        return parts.uri.path().to_owned();
    }
    let query = parts.uri.query().unwrap_or_default();
    let qualifier = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("Qualifier="));
    match qualifier {
        Some(qualifier) if operation.service == "lambda" => {
            format!("{}:{qualifier}", operation.resource)
        }
        _ => operation.resource.clone(),
    }
}

fn write(recorded: &Recorded) {
    static WRITTEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);
    let Some(file) = std::env::var_os(FILE_VARIABLE).map(PathBuf::from) else {
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
    use axum::http::Request;

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
        let recorded = Recorded {
            by: "deploy-app".to_owned(),
            operation: "lambda:GetAlias".to_owned(),
            method: "GET".to_owned(),
            resource: "greeter/prod".to_owned(),
        };
        assert_eq!(Recorded::of_line(&recorded.line()), Some(recorded));
        assert_eq!(Recorded::of_line("a line of something else"), None);
    }

    #[test]
    fn the_caller_is_told_by_the_credentials() {
        let by = |key| caller(&parts(key, "s3", "GET", "/store/key"));
        assert_eq!(by(JOB_KEYS.access_key_id).as_deref(), Some(PIPELINE));
        assert_eq!(
            by(FUNCTION_KEYS.access_key_id),
            std::env::var("CARGO_PKG_NAME").ok()
        );
        assert_eq!(by("AKIASOMEBODYELSE0000"), None);
    }

    #[test]
    fn a_qualifier_and_a_rest_path_belong_to_the_resource() {
        let of = |service, uri| {
            let parts = parts("K", service, "GET", uri);
            resource(&Operation::of(&parts), &parts)
        };
        let function = "/2015-03-31/functions/greeter/configuration?Qualifier=3";
        assert_eq!(of("lambda", function), "greeter:3");
        assert_eq!(
            of("apigateway", "/restapis/a1/stages/prod"),
            "/restapis/a1/stages/prod"
        );
        assert_eq!(of("s3", "/store/a/key?versionId=1"), "store/a/key");
    }
}
