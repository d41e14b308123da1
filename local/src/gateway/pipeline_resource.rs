//! The gap: `MiniStack` 1.5.33 has no `AWS::CodePipeline::Pipeline`.
//!
//! Its own handler of that type (`gaps/pipelines.py`) hands each change over to this file, which does
//! what CloudFormation's handler does: `CreatePipeline`, `UpdatePipeline`, `DeletePipeline`, with the
//! API's spelling of the properties.

mod declaration;

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::Shared;
use super::forward::{self, Upstream};

/// How long a reason may be, in characters: an event's reason is for people.
const LONGEST_REASON: usize = 2_000;

/// How many characters make a name unique; CloudFormation's own physical ids have about as many.
const SUFFIX: usize = 12;

/// The answer to a change of the form of a custom resource's event.
pub(super) async fn answer(shared: &Shared, event: &Value) -> Response<Body> {
    let response = match change(shared, event).await {
        Ok(made) => json!({
            "Status": "SUCCESS",
            "PhysicalResourceId": made.name,
            "Data": { "Version": made.version.to_string() },
        }),
        Err(reason) => json!({
            "Status": "FAILED",
            "Reason": reason.chars().take(LONGEST_REASON).collect::<String>(),
        }),
    };
    forward::json(StatusCode::OK, &response)
}

/// The pipeline after a change.
struct Made {
    name: String,
    version: u64,
}

async fn change(shared: &Shared, event: &Value) -> Result<Made, String> {
    let engine = &Caller::of(shared).ok_or("no CodePipeline engine is running yet")?;
    let existing = event["PhysicalResourceId"].as_str();
    match (event["RequestType"].as_str(), existing) {
        (Some("Delete"), Some(name)) => {
            call(engine, "DeletePipeline", &json!({ "name": name })).await?;
            Ok(Made {
                name: name.to_owned(),
                version: 0,
            })
        }
        (Some("Update"), Some(name)) => update(engine, event, name).await,
        (Some("Create"), _) => create(engine, event).await,
        (kind, _) => Err(format!(
            "unexpected `RequestType` {kind:?} without a pipeline's name"
        )),
    }
}

async fn create(engine: &Caller<'_>, event: &Value) -> Result<Made, String> {
    let properties = &event["ResourceProperties"];
    let name = properties["Name"]
        .as_str()
        .map_or_else(|| unique_name(event), ToOwned::to_owned);
    let pipeline = declaration::of(properties, &name)?;
    let input = json!({ "pipeline": pipeline, "tags": declaration::tags(properties) });
    let output = call(engine, "CreatePipeline", &input).await?;
    disable_transitions(engine, properties, &name).await?;
    Ok(Made {
        version: output["pipeline"]["version"].as_u64().unwrap_or(1),
        name,
    })
}

async fn update(engine: &Caller<'_>, event: &Value, name: &str) -> Result<Made, String> {
    let properties = &event["ResourceProperties"];
    let wanted = properties["Name"].as_str().unwrap_or(name);
    if wanted != name {
        return create(engine, event).await; // a replacement: CloudFormation deletes the old one itself
    }
    let pipeline = declaration::of(properties, name)?;
    let output = call(engine, "UpdatePipeline", &json!({ "pipeline": pipeline })).await?;
    let restart = &properties["RestartExecutionOnUpdate"];
    if restart == true || restart == "true" {
        call(engine, "StartPipelineExecution", &json!({ "name": name })).await?;
    }
    disable_transitions(engine, properties, name).await?;
    Ok(Made {
        name: name.to_owned(),
        version: output["pipeline"]["version"].as_u64().unwrap_or(1),
    })
}

async fn disable_transitions(
    engine: &Caller<'_>,
    properties: &Value,
    name: &str,
) -> Result<(), String> {
    for transition in properties["DisableInboundStageTransitions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let input = json!({
            "pipelineName": name,
            "stageName": transition["StageName"],
            "transitionType": "Inbound",
            "reason": transition["Reason"],
        });
        call(engine, "DisableStageTransition", &input).await?;
    }
    Ok(())
}

/// `STACK-LOGICALID-RANDOM`, cut to the 100 characters of a pipeline's name.
fn unique_name(event: &Value) -> String {
    const LONGEST_NAME: usize = 100; // PipelineName, API reference
    let stack = event["StackId"]
        .as_str()
        .and_then(|arn| arn.split('/').nth(1))
        .unwrap_or("stack");
    let logical = event["LogicalResourceId"].as_str().unwrap_or("Pipeline");
    let random = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    let suffix = &random[..SUFFIX];
    let kept = LONGEST_NAME - SUFFIX - 1;
    let readable: String = format!("{stack}-{logical}").chars().take(kept).collect();
    format!("{readable}-{suffix}")
}

/// The engine, and the key with which it is asked.
pub(super) struct Caller<'a> {
    upstream: &'a Upstream,
    authorization: String,
}

impl<'a> Caller<'a> {
    pub(super) fn of(shared: &'a Shared) -> Option<Self> {
        let key = shared.keys.access_key_id("AKIA");
        Some(Self {
            upstream: shared.codepipeline.get()?,
            authorization: format!(
                "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/codepipeline/aws4_request"
            ),
        })
    }
}

/// A call of the CodePipeline API.
pub(super) async fn call(
    engine: &Caller<'_>,
    operation: &str,
    input: &Value,
) -> Result<Value, String> {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
        .header(header::AUTHORIZATION, &engine.authorization)
        .header("x-amz-target", format!("CodePipeline_20150709.{operation}"))
        .body(Body::from(input.to_string()))
        .expect("its parts are valid");
    let response = engine
        .upstream
        .send(request)
        .await
        .map_err(|error| error.to_string())?;
    let status = response.status();
    let body = forward::read("/", response.into_body())
        .await
        .map_err(|error| error.to_string())?;
    let output: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(output);
    }
    let kind = output["__type"]
        .as_str()
        .and_then(|kind| kind.rsplit('#').next())
        .unwrap_or("error");
    let message = output
        .get("message")
        .or_else(|| output.get("Message"))
        .and_then(Value::as_str);
    Err(format!(
        "{operation}: {kind}: {}",
        message.unwrap_or("no message")
    ))
}
