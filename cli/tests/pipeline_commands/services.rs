//! The services beside CodePipeline, as far as the commands ask them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

/// The stack's id.
const STACK: &str = "arn:aws:cloudformation:us-east-1:000000000000:stack/shop/1";

/// The bucket of the releases of the stack `released`.
pub(crate) const RELEASES: &str = "shop-releases";

/// The stack of an environment, in which the rollback of an update failed.
const STUCK: &str = "shop-dev-eva-api";

/// The connection that the stack names.
pub(crate) const CONNECTION: &str = "arn:aws:codeconnections:us-east-1:000000000000:connection/c";

/// A call of a function that nobody waits for.
#[derive(Debug, PartialEq)]
pub(crate) struct Invocation {
    pub(crate) function: String,
    pub(crate) event: Value,
}

/// What they know.
#[derive(Clone)]
struct Services {
    pipeline: &'static str,
    invocations: UnboundedSender<Invocation>,
    /// Whether the rollback of the stack that was stuck was continued.
    went_back: Arc<AtomicBool>,
}

/// Serves all of them on one port, and returns its URL.
pub(crate) async fn serve(
    pipeline: &'static str,
    invocations: UnboundedSender<Invocation>,
) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let services = Services {
        pipeline,
        invocations,
        went_back: Arc::default(),
    };
    let router = Router::new().fallback(answer).with_state(services);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn answer(
    State(services): State<Services>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8_lossy(&body).into_owned();
    let target = headers
        .get("x-amz-target")
        .map(|value| value.to_str().unwrap());
    if target.is_some_and(|target| target.ends_with(".FilterLogEvents")) {
        return logged(&serde_json::from_str(&body).unwrap());
    }
    if let Some((_, operation)) = uri.path().split_once("/operation/") {
        let connection = json!({"ConnectionArn": CONNECTION, "ConnectionStatus": "AVAILABLE"});
        return cbor(&match operation {
            "GetConnection" => json!({"Connection": connection}),
            _ => json!({"Connections": [connection]}),
        });
    }
    if uri.path().ends_with("/invocations") {
        let function = uri.path().split('/').nth(3).unwrap().to_owned();
        let event = serde_json::from_str(&body).unwrap();
        services
            .invocations
            .send(Invocation { function, event })
            .unwrap();
        return StatusCode::ACCEPTED.into_response();
    }
    if let Some(function) = uri.path().strip_prefix("/2015-03-31/functions/") {
        let function = function.trim_end_matches("/configuration");
        return answered(&json!({"LoggingConfig": {"LogGroup": format!("/of/{function}")}}));
    }
    if uri.path().contains("account-settings") {
        let limit = json!({"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000});
        return answered(&json!({"AccountLimit": limit}));
    }
    query(&body, &services)
}

/// Two pages of a function's log, another's invocation among them; or a line of the one stream that is asked for.
fn logged(input: &Value) -> Response {
    if let Some(streams) = input["logStreamNames"].as_array() {
        let line = format!(
            "compiled; read from {}",
            input["logGroupName"].as_str().unwrap()
        );
        let event = json!({"eventId": "1", "timestamp": 1_795_219_200_000_i64,
            "logStreamName": streams[0], "message": line});
        return answered(&json!({"events": [event]}));
    }
    let event = |id: &str, stream: &str, message: &str| json!({"eventId": id, "timestamp": 1_795_219_200_000_i64, "logStreamName": stream, "message": message});
    let log = if input["nextToken"].is_null() {
        json!({"nextToken": "2", "events": [
            event("1", "s", "START RequestId: r-1 Version: 1"),
            event("2", "s", r#"{"level":"INFO","message":"first page","span":{"request_id":"r-1"}}"#),
        ]})
    } else {
        json!({"events": [
            event("3", "s", "key AKIAIOSFODNN7EXAMPLE"),
            event("4", "s", r#"{"level":"WARN","message":"second page","span":{"request_id":"r-2"}}"#),
        ]})
    };
    answered(&log)
}

/// The services that are asked by a form and answer in XML.
fn query(body: &str, services: &Services) -> Response {
    let has = |text: &str| body.contains(text);
    if has("Action=GetCallerIdentity") {
        let arn = "<Arn>arn:aws:iam::000000000000:user/ann</Arn><Account>000000000000</Account>";
        return xml("GetCallerIdentity", arn);
    }
    if has("Action=SimulatePrincipalPolicy") {
        let results: String = body
            .split('&')
            .filter_map(|field| field.strip_prefix("ActionNames.member.")?.split_once('='))
            .fold(String::new(), |results, (_, action)| {
                let action = action.replace("%3A", ":");
                let denied = action == "codepipeline:PutApprovalResult";
                let decision = if denied { "implicitDeny" } else { "allowed" };
                format!("{results}<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>")
            });
        return xml(
            "SimulatePrincipalPolicy",
            &format!("<EvaluationResults>{results}</EvaluationResults>"),
        );
    }
    if has("Action=DescribeStackEvents") {
        let went_back = services.went_back.load(Ordering::SeqCst);
        let events = if has(STUCK) {
            events_of_stuck(went_back)
        } else {
            event("1", "shop", STACK, "CREATE_COMPLETE")
        };
        return xml(
            "DescribeStackEvents",
            &format!("<StackEvents>{events}</StackEvents>"),
        );
    }
    if has("Action=ContinueUpdateRollback") {
        services.went_back.store(true, Ordering::SeqCst);
        return xml("ContinueUpdateRollback", "");
    }
    if has("StackName=expired") {
        return refused(
            "ExpiredToken",
            "The security token included in the request is expired",
        );
    }
    if has("StackName=absent") {
        return refused("ValidationError", "Stack with id absent does not exist");
    }
    if has("Action=DescribeStacks") {
        return described(body, services);
    }
    refused(
        "AccessDenied",
        "the services of this test do not know the call",
    )
}

/// The stack `shop`; under other names it has two pipelines, or none, or releases.
fn described(body: &str, services: &Services) -> Response {
    let pipeline = services.pipeline;
    let output = format!(
        "<member><OutputKey>Pipeline</OutputKey><OutputValue>{pipeline}</OutputValue></member>"
    );
    let several = format!(
        "<member><OutputKey>Pipelines</OutputKey><OutputValue>{pipeline},shop-app</OutputValue></member>"
    );
    let output_of = |(key, value): (&str, &str)| {
        format!("<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>")
    };
    let releases = [
        ("Pipeline", pipeline),
        ("Releases", RELEASES),
        ("ApplyProdPipeline", "shop-apply-prod"),
        ("ApplyDevPipeline", "shop-apply-dev"),
        ("Undeploy", "undeploy"),
    ];
    let releases: String = releases.map(output_of).concat();
    let outputs = match () {
        () if body.contains("StackName=released") => &releases,
        () if body.contains("StackName=empty") => "",
        () if body.contains("StackName=several") => &several,
        () => &output,
    };
    let broken = stuck(services.went_back.load(Ordering::SeqCst));
    if body.contains(STUCK) {
        return xml("DescribeStacks", &format!("<Stacks>{broken}</Stacks>"));
    }
    let others = if body.contains("StackName=") {
        ""
    } else {
        &broken
    };
    let stack = format!(
        "<Stacks>{others}<member><StackName>shop</StackName><StackId>{STACK}</StackId>\
         <StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-21T09:00:00Z</CreationTime>\
         <Outputs>{outputs}</Outputs><Parameters><member><ParameterKey>ConnectionArn</ParameterKey>\
         <ParameterValue>{CONNECTION}</ParameterValue></member></Parameters></member></Stacks>"
    );
    xml("DescribeStacks", &stack)
}

fn stuck_id() -> String {
    STACK.replace("/shop/", &format!("/{STUCK}/"))
}

/// What happened to that stack, the newest first.
fn events_of_stuck(went_back: bool) -> String {
    let id = stuck_id();
    let failed = event("1", STUCK, &id, "UPDATE_ROLLBACK_FAILED");
    if !went_back {
        return failed;
    }
    let begun = event("2", STUCK, &id, "UPDATE_ROLLBACK_IN_PROGRESS");
    let complete = event("3", STUCK, &id, "UPDATE_ROLLBACK_COMPLETE");
    format!("{complete}{begun}{failed}")
}

/// An event of a stack itself.
fn event(number: &str, stack: &str, id: &str, status: &str) -> String {
    format!(
        "<member><EventId>{number}</EventId><StackId>{id}</StackId><StackName>{stack}</StackName>\
         <LogicalResourceId>{stack}</LogicalResourceId><PhysicalResourceId>{id}</PhysicalResourceId>\
         <ResourceType>AWS::CloudFormation::Stack</ResourceType><Timestamp>2026-11-21T09:00:00Z</Timestamp>\
         <ResourceStatus>{status}</ResourceStatus></member>"
    )
}

/// A stack of an environment whose rollback failed, until it is continued.
fn stuck(went_back: bool) -> String {
    let tags = [
        ("delivery:application", "shop"),
        ("delivery:environment", "dev-eva"),
        ("delivery:service", "api"),
    ];
    let tag = |(key, value)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>");
    let status = if went_back {
        "UPDATE_ROLLBACK_COMPLETE"
    } else {
        "UPDATE_ROLLBACK_FAILED"
    };
    let id = stuck_id();
    format!(
        "<member><StackName>{STUCK}</StackName><StackId>{id}</StackId>\
         <StackStatus>{status}</StackStatus><CreationTime>2026-11-21T09:00:00Z</CreationTime><Tags>{}</Tags></member>",
        tags.map(tag).concat()
    )
}

fn answered(body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/x-amz-json-1.1")];
    (kind, body.to_string()).into_response()
}

/// `CodeConnections` speaks CBOR (RFC 8949).
fn cbor(body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
    ];
    let mut bytes = Vec::new();
    encode(body, &mut bytes);
    (headers, bytes).into_response()
}

/// The few kinds of values that these answers hold, none longer than 255.
fn encode(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            bytes.extend([0xb8, u8::try_from(fields.len()).unwrap()]);
            for (name, value) in fields {
                encode(&json!(name), bytes);
                encode(value, bytes);
            }
        }
        Value::Array(values) => {
            bytes.extend([0x98, u8::try_from(values.len()).unwrap()]);
            for value in values {
                encode(value, bytes);
            }
        }
        Value::String(text) => {
            bytes.extend([0x78, u8::try_from(text.len()).unwrap()]);
            bytes.extend(text.as_bytes());
        }
        other => panic!("no answer holds {other}"),
    }
}

fn xml(operation: &str, result: &str) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/xml")];
    let body = format!(
        "<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"
    );
    (kind, body).into_response()
}

fn refused(code: &str, message: &str) -> Response {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    (StatusCode::BAD_REQUEST, body).into_response()
}
