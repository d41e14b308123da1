//! The gap: `MiniStack` 1.5.33 has no `CodeConnections`, whose `GetConnection` tells whether a connection's
//! handshake was completed.
//!
//! The local source reads no connection, so one is always there and `AVAILABLE`. A second one stays
//! `PENDING`, as every connection is before its handshake, so that what is said about that can be tried.
//! The SDKs speak RPC v2 CBOR to this service, the `aws` command JSON 1.0.

use aws_smithy_cbor::{Decoder, Encoder};
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::forward;
use crate::ministack::ACCOUNT;

/// The service's name in both protocols.
const SERVICE: &str = "CodeConnections_20231201";

/// Says which protocol an answer is in.
const PROTOCOL: &str = "smithy-protocol";
const CBOR: HeaderValue = HeaderValue::from_static("rpc-v2-cbor");

/// The connections that there are: the end of their ARN, their name and their status.
const CONNECTIONS: [(&str, &str, &str); 2] = [
    (
        "connection/00000000-0000-0000-0000-000000000000",
        "local",
        "AVAILABLE",
    ),
    (
        "connection/00000000-0000-0000-0000-000000000001",
        "pending",
        "PENDING",
    ),
];

/// The operation of this service that a request is for.
pub(super) fn operation<B>(request: &Request<B>) -> Option<String> {
    let path = request.uri().path();
    if let Some(rest) = path.strip_prefix("/service/") {
        let operation = rest.strip_prefix(SERVICE)?.strip_prefix("/operation/")?;
        return Some(operation.to_owned());
    }
    let target = request.headers().get("x-amz-target")?.to_str().ok()?;
    let (service, operation) = target.rsplit_once('.')?;
    service.ends_with(SERVICE).then(|| operation.to_owned())
}

pub(super) async fn answer(operation: &str, request: Request<Body>) -> Response<Body> {
    let cbor = request.headers().get(PROTOCOL) == Some(&CBOR);
    let path = request.uri().path().to_owned();
    let body = match forward::read(&path, request.into_body()).await {
        Ok(body) => body,
        Err(error) => return forward::bad_gateway(&error),
    };
    let arn = if cbor {
        connection_arn(&body)
    } else {
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        asked["ConnectionArn"].as_str().map(ToOwned::to_owned)
    };
    let (status, answered) = match (operation, arn) {
        ("GetConnection", Some(arn)) => get_connection(&arn),
        ("GetConnection", None) => failure("ValidationException", "`ConnectionArn` is missing"),
        _ => failure(
            "UnknownOperationException",
            "the local AWS supports only `GetConnection`",
        ),
    };
    if cbor {
        encoded(status, &answered)
    } else {
        forward::json(status, &answered)
    }
}

fn get_connection(arn: &str) -> (StatusCode, Value) {
    let found = CONNECTIONS.iter().find(|(end, ..)| arn.ends_with(end));
    let Some((_, name, status)) = found else {
        let message = format!("Connection {arn} not found");
        return failure("ResourceNotFoundException", &message);
    };
    let connection = json!({ "Connection": {
        "ConnectionArn": arn,
        "ConnectionName": name,
        "ConnectionStatus": status,
        "OwnerAccountId": ACCOUNT,
        "ProviderType": "GitHub",
    } });
    (StatusCode::OK, connection)
}

fn failure(kind: &str, message: &str) -> (StatusCode, Value) {
    let kind = format!("com.amazonaws.codeconnections#{kind}");
    (
        StatusCode::BAD_REQUEST,
        json!({ "__type": kind, "message": message }),
    )
}

/// The one member of the input; any other is passed over.
fn connection_arn(body: &[u8]) -> Option<String> {
    let mut decoder = Decoder::new(body);
    let mut left = decoder.map().ok()?.unwrap_or(u64::MAX);
    while left > 0 {
        if decoder.str().ok()? == "ConnectionArn" {
            return decoder.string().ok();
        }
        decoder.skip().ok()?;
        left -= 1;
    }
    None
}

fn encoded(status: StatusCode, value: &Value) -> Response<Body> {
    let mut encoder = Encoder::new(Vec::new());
    encode(&mut encoder, value);
    let mut response = Response::new(Body::from(encoder.into_writer()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/cbor");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(PROTOCOL, CBOR);
    response
}

/// Objects and texts: the answers above hold nothing else.
fn encode(encoder: &mut Encoder, value: &Value) {
    match value {
        Value::Object(members) => {
            encoder.map(members.len());
            for (name, member) in members {
                encoder.str(name);
                encode(encoder, member);
            }
        }
        other => {
            encoder.str(other.as_str().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_name_the_operation() {
        let cbor = Request::post("/service/CodeConnections_20231201/operation/GetConnection")
            .body(())
            .unwrap();
        let json = Request::post("/")
            .header(
                "x-amz-target",
                "com.amazonaws.codeconnections.CodeConnections_20231201.GetConnection",
            )
            .body(())
            .unwrap();
        let other = Request::post("/service/Other/operation/GetConnection")
            .body(())
            .unwrap();
        assert_eq!(operation(&cbor).as_deref(), Some("GetConnection"));
        assert_eq!(operation(&json).as_deref(), Some("GetConnection"));
        assert_eq!(operation(&other), None);
    }

    #[test]
    fn only_the_connections_that_there_are_are_found() {
        let arn = |last: u8| {
            format!(
                "arn:aws:codeconnections:us-east-1:000000000000:connection/00000000-0000-0000-0000-00000000000{last}"
            )
        };
        let status =
            |last: u8| get_connection(&arn(last)).1["Connection"]["ConnectionStatus"].clone();
        assert_eq!(status(0), "AVAILABLE");
        assert_eq!(status(1), "PENDING");
        assert_eq!(get_connection(&arn(2)).0, StatusCode::BAD_REQUEST);
    }
}
