//! The hooks that `docs/hooks` shows: asked by deploy-app in a rollout, and by `CodeDeploy`, whose part is played here.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_codepipeline::types::PipelineExecutionStatus;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime, State};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use pipeline_tests::checkout;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::is_wholly_on;
use crate::world::{World, run};

/// How long a function may take to be made: npm installs the client of `CodeDeploy` for one of them first.
const WITHIN: Duration = Duration::from_mins(2);

/// An answer of `CodeDeploy`'s needs these two keys, and nothing else is in its event.
const OF_CODEDEPLOY: &str =
    r#"{"DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "eyJlb"}"#;

/// `CodeDeploy`, and the page that the hooks check.
#[derive(Clone)]
struct Played {
    url: String,
    calls: Arc<Mutex<Vec<Value>>>,
    is_healthy: Arc<Mutex<bool>>,
}

impl Played {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let played = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            calls: Arc::default(),
            is_healthy: Arc::new(Mutex::new(true)),
        };
        let (calls, is_healthy) = (Arc::clone(&played.calls), Arc::clone(&played.is_healthy));
        let called = async move |headers: HeaderMap, body: Bytes| -> Response {
            let target = headers["x-amz-target"].to_str().unwrap();
            let mut call: Value = serde_json::from_slice(&body).unwrap();
            call["target"] = json!(target);
            let id =
                json!({"lifecycleEventHookExecutionId": call["lifecycleEventHookExecutionId"]});
            calls.lock().unwrap().push(call);
            let kind = [("content-type", "application/x-amz-json-1.1")];
            (kind, id.to_string()).into_response()
        };
        let page = async move || {
            if *is_healthy.lock().unwrap() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        let router = Router::new()
            .route("/", post(called))
            .route("/health", get(page));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        played
    }

    fn set_healthy(&self, is_healthy: bool) {
        *self.is_healthy.lock().unwrap() = is_healthy;
    }
}

/// Makes a function of the files in `docs/hooks`.
async fn create(world: &World, name: &str, runtime: Runtime, end: &str, played: &Played) {
    let folder = tempfile::tempdir().unwrap();
    let (content, package) = (
        folder.path().join("content"),
        folder.path().join("hook.zip"),
    );
    std::fs::create_dir(&content).unwrap();
    for file in ["hook", "check"].map(|file| format!("{file}.{end}")) {
        let shown = checkout::root().join("docs/hooks").join(&file);
        std::fs::copy(shown, content.join(&file)).unwrap();
    }
    delivery_archive::create_file(&content, &package).unwrap();
    let variables = Environment::builder()
        .variables("URL", format!("{}/health", played.url))
        .variables("AWS_ENDPOINT_URL_CODEDEPLOY", &played.url)
        .build();
    let create = world.lambda.create_function().function_name(name);
    create
        .runtime(runtime)
        .handler("check.handler")
        .role("arn:aws:iam::000000000000:role/hook")
        .timeout(60)
        .environment(variables)
        .code(code(&package))
        .send()
        .await
        .unwrap();
    let began = Instant::now();
    loop {
        let get = world.lambda.get_function_configuration();
        let found = get.function_name(name).send().await.unwrap();
        if found.state() == Some(&State::Active) {
            return;
        }
        assert!(began.elapsed() < WITHIN, "{found:?}");
    }
}

fn code(package: &Path) -> FunctionCode {
    let bytes = std::fs::read(package).unwrap();
    FunctionCode::builder().zip_file(Blob::new(bytes)).build()
}

/// What a hook returns for `CodeDeploy`'s event.
async fn asked_by_codedeploy(world: &World, function: &str) -> Value {
    let invoke = world.lambda.invoke().function_name(function);
    let answer = invoke.payload(Blob::new(OF_CODEDEPLOY)).send().await;
    let answer = answer.unwrap();
    let payload = answer.payload.unwrap_or_else(|| Blob::new(""));
    let text = String::from_utf8_lossy(payload.as_ref()).into_owned();
    assert_eq!(answer.function_error, None, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// One function for both: deploy-app takes what it returns, `CodeDeploy` is called.
#[test]
fn one_hook_answers_deploy_app_and_codedeploy() {
    run(async |world| {
        let played = Played::start().await;
        create(world, "asked-before", Runtime::Nodejs22x, "mjs", &played).await;
        create(world, "asked-after", Runtime::Python312, "py", &played).await;
        let strategy = "strategy=steps:20@1s&metrics-delay=1s&compare=off&pre-traffic=asked-before&post-traffic=asked-after";
        let service = world.service("asked", strategy).await;
        let (status, said) = service.release("second", "pass").await;
        assert_eq!(status, PipelineExecutionStatus::Succeeded, "{said}");
        is_wholly_on(&service, "2").await;
        let uncalled: Vec<Value> = Vec::new();
        assert_eq!(
            *played.calls.lock().unwrap(),
            uncalled,
            "deploy-app is no CodeDeploy"
        );

        played.set_healthy(false);
        let (status, said) = service.release("third", "pass").await;
        assert_eq!(status, PipelineExecutionStatus::Failed, "{said}");
        let expected = format!(
            "the pre-traffic hook failed: {}/health answers 503",
            played.url
        );
        assert!(said.contains(&expected), "{said}");
        is_wholly_on(&service, "2").await;

        let (node, python) = ("asked-before", "asked-after");
        let refused = asked_by_codedeploy(world, python).await;
        assert_eq!(
            refused,
            json!({"status": "Failed", "message": "HTTP Error 503: Service Unavailable"})
        );
        asked_by_codedeploy(world, node).await;
        played.set_healthy(true);
        for function in [python, node] {
            let passed = asked_by_codedeploy(world, function).await;
            assert_eq!(passed, json!({"status": "Succeeded"}), "{function}");
        }
        let call = |status| {
            json!({
                "target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
                "deploymentId": "d-ABCDEF123",
                "lifecycleEventHookExecutionId": "eyJlb",
                "status": status,
            })
        };
        let expected = ["Failed", "Failed", "Succeeded", "Succeeded"].map(call);
        assert_eq!(*played.calls.lock().unwrap(), expected);
    });
}
