//! Requests that `MiniStack` sends to the gateway itself: sites, the pipelines and API documents of stacks, jobs whose
//! function did not start, and the SDK that Node.js functions find.

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::pipeline_resource::{self, Caller};
use super::put_rest_api::refused;
use super::{Shared, forward, put_rest_api};
use crate::launch::ARCHITECTURE;
use crate::ministack::node_sdk;

/// How long the message of a job's failure may be, in characters (`FailureDetails`, API reference).
const LONGEST_MESSAGE: usize = 5_000;

pub(super) async fn answer(shared: &Shared, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let body = match forward::read(&path, request.into_body()).await {
        Ok(body) => body,
        Err(error) => return forward::text(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    match path.as_str() {
        "/_delivery/pipeline-resource" if method == Method::POST => {
            return pipeline_resource::answer(shared, &asked).await;
        }
        "/_delivery/failed-start" if method == Method::POST => {
            return fail_job(shared, &asked).await;
        }
        "/_delivery/node-sdk" if method == Method::POST => {
            return install_node_sdk(shared, &asked).await;
        }
        "/_delivery/integration" if method == Method::POST => {
            return or_refused(refused::integration(&asked));
        }
        _ => {}
    }
    if let Some(rest) = path.strip_prefix("/_delivery/rest-apis/")
        && method == Method::PUT
    {
        return match rest.split_once("/deployments/") {
            Some((api, deployment)) => or_refused(shared.snapshots.keep(api, deployment)),
            None => or_refused(put_draft(shared, rest, &asked)),
        };
    }
    match path.strip_prefix("/_delivery/sites/") {
        Some(bucket) if method == Method::PUT => open_site(shared, bucket).await,
        _ => forward::text(StatusCode::NOT_FOUND, "no such path"),
    }
}

/// The document of an API of a template, as `PutRestApi` takes it.
fn put_draft(shared: &Shared, api: &str, asked: &Value) -> Result<(), String> {
    let strict = asked["failOnWarnings"] == true;
    put_rest_api::check(&asked["document"], strict)?;
    shared.snapshots.put_draft(api, asked["document"].clone());
    Ok(())
}

fn or_refused(outcome: Result<(), String>) -> Response<Body> {
    let answered = outcome.map_or_else(|reason| json!({ "refused": reason }), |()| json!({}));
    forward::json(StatusCode::OK, &answered)
}

async fn open_site(shared: &Shared, bucket: &str) -> Response<Body> {
    match shared.websites.open(bucket, &shared.ministack).await {
        Ok(address) => forward::json(
            StatusCode::OK,
            &json!({ "url": format!("http://{address}") }),
        ),
        Err(error) => forward::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Where packages of the SDK for JavaScript are; they are installed the first time that they are asked for.
async fn install_node_sdk(shared: &Shared, asked: &Value) -> Response<Body> {
    let home = shared.home.clone();
    let asked = asked["packages"].as_array().cloned().unwrap_or_default();
    let installing = tokio::task::spawn_blocking(move || {
        let packages: Vec<&str> = asked.iter().filter_map(Value::as_str).collect();
        node_sdk::install(&home, &packages)
    });
    let answered = match installing.await {
        Ok(Ok(modules)) => json!({ "modules": modules, "packages": node_sdk::packages() }),
        Ok(Err(reason)) => json!({ "reason": reason }),
        Err(error) => json!({ "reason": error.to_string() }),
    };
    forward::json(StatusCode::OK, &answered)
}

/// Reports a job as failed in place of its function, which could not be started.
async fn fail_job(shared: &Shared, asked: &Value) -> Response<Body> {
    let text = |key: &str| asked[key].as_str().unwrap_or_default();
    let message = format!(
        "the function `{function}` could not be started: {}\nhint: check that `path` of the function in \
         `[functions]` leads to a program for this machine ({ARCHITECTURE}); start it by hand to see its output: \
         `AWS_LAMBDA_RUNTIME_API=127.0.0.1:9 PROGRAM`. On AWS nothing reports this, and the action waits for its \
         timeout of 20 minutes",
        text("reason").trim_end(),
        function = text("function"),
    );
    let message: String = message.chars().take(LONGEST_MESSAGE).collect();
    let input = json!({
        "jobId": asked["job"],
        "failureDetails": { "type": "ConfigurationError", "message": message },
    });
    let reported = match Caller::of(shared) {
        Some(engine) => pipeline_resource::call(&engine, "PutJobFailureResult", &input).await,
        None => Err("no CodePipeline engine is running yet".to_owned()),
    };
    if let Err(error) = reported {
        // The job has ended already, or was somebody's trial without a pipeline.
        tracing::warn!(error, "cannot report that a function did not start");
    }
    forward::json(StatusCode::OK, &json!({}))
}
