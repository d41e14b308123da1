//! Records who calls what, for the test that compares the templates' policies with the calls of the
//! whole test suite.
//!
//! Only where [`FILE_VARIABLE`] names a file. The lines are those of `delivery_testing::record`, which the tests of
//! single actions append to the same file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use axum::http::{Request, header};

use crate::access::KeySuffix;

/// Names the file that requests are appended to.
const FILE_VARIABLE: &str = "DELIVERY_RECORD_CALLS";

/// What keys of sessions begin with.
const SESSION_KEY: &str = "ASIA";

/// Writes a request down, where it is one of an action's function or of the pipeline.
pub(super) fn request<B>(request: &Request<B>) {
    let Some(file) = delivery_action::env::var_os(FILE_VARIABLE).map(PathBuf::from) else {
        return;
    };
    let Some(line) = line(request) else { return };
    if let Err(error) = append(&file, &line) {
        tracing::error!(error = %error, file = %file.display(), "cannot record a call");
    }
}

fn append(file: &PathBuf, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{line}\n").as_bytes())
}

fn line<B>(request: &Request<B>) -> Option<String> {
    let text = |name: &str| {
        let value = request.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (_, scope) = text(header::AUTHORIZATION.as_str()).split_once("Credential=")?;
    let mut scope = scope.split([',', ' ']).next()?.split('/');
    let (key, service) = (scope.next()?, scope.nth(2)?);
    // A function names itself by `AWS_SDK_UA_APP_ID`.
    let agents = [text("x-amz-user-agent"), text(header::USER_AGENT.as_str())];
    let mut parts = agents.iter().flat_map(|agent| agent.split(' '));
    let function = parts.find_map(|part| part.strip_prefix("app/"));
    let by = if is_of_the_engine(key) {
        "pipeline"
    } else {
        function?
    };
    let (method, uri) = (
        request.method().as_str(),
        request.uri().path_and_query()?.as_str(),
    );
    Some([by, service, method, uri, text("x-amz-target")].join("\t"))
}

/// Whether the engine handed a key out: to itself and to jobs, as what the pipeline's role may do. Keys of other sessions, such
/// as those of functions, have something between the prefix and the environment's suffix.
fn is_of_the_engine(key: &str) -> bool {
    let rest = key.strip_prefix(SESSION_KEY);
    rest.is_some_and(|rest| rest.len() == KeySuffix::LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(key: &str, agent: &str) -> Option<String> {
        let scope =
            format!("AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/s3/aws4_request, x");
        let request = Request::get("http://127.0.0.1:1/b/k?partNumber=1")
            .header("authorization", scope)
            .header("user-agent", agent);
        line(&request.body(()).unwrap())
    }

    #[test]
    fn functions_and_the_pipeline_are_told_apart_from_everybody_else() {
        let agent = "aws-sdk-rust/1.3.7 os/linux app/d-Actions-1-E2e-2 lang/rust/1.95.0";
        let function = "d-Actions-1-E2e-2\ts3\tGET\t/b/k?partNumber=1\t";
        assert_eq!(asked("000000000000", agent).as_deref(), Some(function));
        let pipeline = "pipeline\ts3\tGET\t/b/k?partNumber=1\t";
        let suffix = "0123456789ABCDEF0123456789ABCDEF";
        let engine = format!("ASIA{suffix}");
        assert_eq!(asked(&engine, agent).as_deref(), Some(pipeline));
        let session = format!("ASIA0123456789ABCDEF{suffix}");
        assert_eq!(asked(&session, agent).as_deref(), Some(function));
        assert_eq!(asked(&session, "aws-sdk-js"), None);
        assert_eq!(asked("test", "aws-cli/1.46.2"), None);
    }
}
