//! Every operation by both protocols, called by the SDK that AWS's own clients are made of.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use local::access::KeySuffix;
use local::aws::Settings;
use local::gateway::Bound;
use local::ministack::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::test_engine::{TestEngine, credentials, lambda_action, pipeline};

const CBOR: &str = "smithy-rpc-v2-cbor";

/// Operations that the engine serves.
const SERVED: usize = 21;

/// A Python with botocore: `DELIVERY_BOTOCORE`, else what `scripts/test` installs.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let installed = root.join(".delivery/botocore/bin/python");
    delivery_action::env::var_os("DELIVERY_BOTOCORE")
        .map(PathBuf::from)
        .or_else(|| installed.is_file().then_some(installed))
}

/// Runs the script, and plays the functions: what it printed last.
async fn transcript(engine: &mut TestEngine, endpoint: &str, protocol: &str) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/operations.py");
    let mut child = tokio::process::Command::new(python().unwrap())
        .arg(script)
        .args([endpoint, protocol])
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_ENDPOINT_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut answers = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line == "job" {
            let job = engine.job_of("a").await;
            answers
                .write_all(format!("{}\n", job.id()).as_bytes())
                .await
                .unwrap();
        }
        last = line;
    }
    assert!(
        child.wait().await.unwrap().success(),
        "{endpoint} {protocol}"
    );
    serde_json::from_str(&last).unwrap()
}

#[expect(clippy::print_stderr, reason = "a test that does not run says so")]
fn skipped() -> bool {
    if python().is_some() {
        return false;
    }
    eprintln!("skipped: both protocols: there is no Python with botocore (set DELIVERY_BOTOCORE)");
    true
}

#[tokio::test]
async fn every_operation_answers_the_same_in_both_protocols_at_engine_and_gateway() {
    if skipped() {
        return;
    }
    let mut engine = TestEngine::start().await;
    let own = engine.handle.endpoint();
    let in_json = transcript(&mut engine, &own, "json").await;
    let in_cbor = transcript(&mut engine, &own, CBOR).await;
    let operations = in_json.as_array().unwrap().iter();
    let operations = operations.filter_map(|entry| entry[0].as_str());
    let mut operations: Vec<_> = operations.filter(|name| *name != "poll_for_jobs").collect();
    operations.sort_unstable();
    operations.dedup();
    assert_eq!(operations.len(), SERVED, "{operations:?}");
    assert_same(&in_cbor, &in_json);

    let nobody = "127.0.0.1:9".parse().unwrap();
    let keys = KeySuffix::of_key(&credentials().access_key_id);
    let bound = Bound::new().await.unwrap();
    let minute = Settings::default().codedeploy_minute;
    let gateway = bound.serve(nobody, &Secret::new(), keys, PathBuf::new(), minute);
    let address = own.trim_start_matches("http://").parse().unwrap();
    gateway.route_codepipeline(address);
    let endpoint = gateway.endpoint().to_owned();
    assert_same(&transcript(&mut engine, &endpoint, CBOR).await, &in_json);
}

/// Compares call by call, so that a difference can be found.
fn assert_same(one: &Value, other: &Value) {
    let (one, other) = (one.as_array().unwrap(), other.as_array().unwrap());
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn an_error_is_in_the_protocol_of_its_request() {
    let engine = TestEngine::start().await;
    let operation = "/service/CodePipeline_20150709/operation/GetPipeline";
    let cases = [
        (
            operation,
            "application/cbor",
            &b"\xa1\x64name\x61q"[..],
            400,
            "PipelineNotFoundException",
        ),
        (
            operation,
            "application/cbor",
            b"\xa1\x64name\x01",
            400,
            "SerializationException",
        ),
        (
            operation,
            "application/cbor",
            b"",
            400,
            "ValidationException",
        ),
        (
            operation,
            "text/plain",
            b"\xa0",
            415,
            "UnsupportedMediaTypeException",
        ),
        (
            "/service/CodePipeline_20150709/operation/PollForJobs",
            "application/cbor",
            b"\xa0",
            400,
            "UnknownOperationException",
        ),
    ];
    for (path, content, body, status, code) in cases {
        let headers = [
            ("smithy-protocol", "rpc-v2-cbor"),
            ("content-type", content),
        ];
        let response = engine.raw(path, &headers, body.to_vec()).await;
        assert_eq!(response.status(), status, "{code}");
        assert_eq!(response.headers()["smithy-protocol"], "rpc-v2-cbor");
        assert_eq!(response.headers()["content-type"], "application/cbor");
        let body = response.into_body();
        let kind = format!("com.amazonaws.codepipeline#{code}");
        let found = body.windows(kind.len()).any(|part| part == kind.as_bytes());
        assert!(found, "{code}: {}", String::from_utf8_lossy(&body));
    }
}

#[tokio::test]
async fn an_operation_without_output_has_no_body_in_cbor() {
    let engine = TestEngine::start().await;
    engine
        .create(&pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]))
        .await;
    let headers = [
        ("smithy-protocol", "rpc-v2-cbor"),
        ("content-type", "application/cbor"),
    ];
    let path = "/service/CodePipeline_20150709/operation/DeletePipeline";
    let deleted = engine
        .raw(path, &headers, b"\xa1\x64name\x61p".to_vec())
        .await;
    assert_eq!(deleted.status(), 200);
    assert!(deleted.headers().get("content-type").is_none());
    assert!(deleted.body().is_empty());
}

#[tokio::test]
async fn a_page_of_another_site_is_not_served() {
    let engine = TestEngine::start().await;
    for origin in ["https://attacker.example", "null"] {
        let headers = [
            ("x-amz-target", "CodePipeline_20150709.ListPipelines"),
            ("origin", origin),
        ];
        let (status, body) = engine.request(&headers, "{}".to_owned()).await;
        assert_eq!(
            (status, &body["__type"]),
            (403, &json!("AccessDeniedException"))
        );
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_in_json() {
    let engine = TestEngine::start().await;
    let headers = [("x-amz-target", "CodePipeline_20150709.ListPipelines")];
    let body = format!("{{\"x\": \"{}\"}}", "x".repeat(16 * 1024 * 1024));
    let (status, body) = engine.request(&headers, body).await;
    assert_eq!(
        (status, &body["__type"]),
        (413, &json!("RequestEntityTooLargeException"))
    );
}
