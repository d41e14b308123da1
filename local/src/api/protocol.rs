//! The two protocols of the API, and which of them a request is in.
//!
//! AWS JSON 1.1: `POST /` with `X-Amz-Target: CodePipeline_20150709.<Operation>`. Smithy RPC v2 CBOR:
//! `POST /service/CodePipeline_20150709/operation/<Operation>` with `smithy-protocol: rpc-v2-cbor`. The
//! answer is in the request's protocol, errors too.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::cbor;
use super::failure::ApiError;
use super::model::{self, Shape};

/// The service's name in both protocols.
const SERVICE: &str = "CodePipeline_20150709";

/// The namespace of the service's shapes.
const NAMESPACE: &str = "com.amazonaws.codepipeline";

/// Tells that a request, and its answer, are in [`Protocol::Cbor`].
const SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const RPC_V2_CBOR: HeaderValue = HeaderValue::from_static("rpc-v2-cbor");

const CBOR_CONTENT: HeaderValue = HeaderValue::from_static("application/cbor");
const JSON_CONTENT: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// How a request and its answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    Cbor,
}

/// Whether a request is for this service, by its path and header, in either protocol.
pub(crate) fn is_for_codepipeline(path: &str, headers: &HeaderMap) -> bool {
    let target = text(headers, "x-amz-target").unwrap_or_default();
    let in_json = target
        .split_once('.')
        .is_some_and(|(service, _)| service == SERVICE);
    in_json || rpc_operation(path).is_some()
}

/// The operation of a path of the CBOR protocol. Whatever stands before `/service/` belongs to the
/// endpoint (Smithy RPC v2, "Requests").
fn rpc_operation(path: &str) -> Option<&str> {
    let (before, operation) = path.split_once("/operation/")?;
    let (_, service) = before.rsplit_once("/service/")?;
    (service == SERVICE).then_some(operation)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An answer in the protocol of its question: a server that does not know RPC v2 CBOR answers in another,
/// which clients of that protocol cannot read.
pub(crate) fn in_protocol(asked: Protocol, path: &str, answer: Response) -> Response {
    let content = answer.headers().get(header::CONTENT_TYPE);
    let unreadable = content.is_some_and(|content| *content != CBOR_CONTENT);
    if asked == Protocol::Cbor && unreadable && !answer.status().is_success() {
        return asked.failure(&ApiError::UnknownOperation(path.to_owned()));
    }
    answer
}

impl Protocol {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if headers.get(SMITHY_PROTOCOL) == Some(&RPC_V2_CBOR) {
            Self::Cbor
        } else {
            Self::Json
        }
    }

    /// The operation that is asked for.
    pub(crate) fn operation<'r>(self, path: &'r str, headers: &'r HeaderMap) -> &'r str {
        match self {
            Self::Json => {
                let target = text(headers, "x-amz-target").unwrap_or_default();
                target
                    .split_once('.')
                    .map_or(target, |(_, operation)| operation)
            }
            Self::Cbor => rpc_operation(path).unwrap_or(path),
        }
    }

    /// Reads an operation's input.
    pub(crate) fn input(
        self,
        shape: &Shape,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Value, ApiError> {
        match self {
            Self::Json if body.is_empty() => Ok(json!({})),
            Self::Json => serde_json::from_slice(body)
                .map_err(|error| ApiError::Serialization(error.to_string())),
            Self::Cbor => {
                let content = text(headers, "content-type").unwrap_or_default();
                if !body.is_empty() && content != CBOR_CONTENT {
                    return Err(ApiError::UnsupportedMediaType(content.to_owned()));
                }
                cbor::decode(shape, body)
            }
        }
    }

    /// An operation's answer.
    pub(crate) fn answer(self, operation: &str, output: Option<&Value>) -> Response {
        match (self, model::output(operation).zip(output)) {
            (Self::Json, answer) => {
                let body = answer.map(|(_, output)| output.to_string());
                self.response(StatusCode::OK, Some(body.unwrap_or_default().into()))
            }
            (Self::Cbor, answer) => {
                let body = answer.map(|(shape, output)| cbor::encode(shape, output));
                self.response(StatusCode::OK, body)
            }
        }
    }

    /// An error.
    pub(crate) fn failure(self, error: &ApiError) -> Response {
        let (code, message) = (error.code(), error.to_string());
        let body = match self {
            Self::Json => json!({"__type": code, "message": message})
                .to_string()
                .into_bytes(),
            // Here clients look for the absolute shape id.
            Self::Cbor => {
                let code = format!("{NAMESPACE}#{code}");
                cbor::encode_texts(&[("__type", &code), ("message", &message)])
            }
        };
        self.response(error.status(), Some(body))
    }

    /// `None`: no body, and no type of one, as RPC v2 has it for an operation without output.
    fn response(self, status: StatusCode, body: Option<Vec<u8>>) -> Response {
        let content = body.is_some().then_some(match self {
            Self::Json => JSON_CONTENT,
            Self::Cbor => CBOR_CONTENT,
        });
        let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.extend(content.map(|content| (header::CONTENT_TYPE, content)));
        if self == Self::Cbor {
            headers.insert(SMITHY_PROTOCOL, RPC_V2_CBOR);
        }
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_name_the_service_and_the_operation() {
        let path = "/service/CodePipeline_20150709/operation/GetPipeline";
        let mut headers = HeaderMap::new();
        assert!(is_for_codepipeline(path, &headers));
        assert!(is_for_codepipeline(&format!("/prefix{path}"), &headers));
        assert!(!is_for_codepipeline(
            "/service/CodeBuild_20161006/operation/GetPipeline",
            &headers
        ));
        assert_eq!(Protocol::Cbor.operation(path, &headers), "GetPipeline");
        headers.insert(
            "x-amz-target",
            HeaderValue::from_static("CodePipeline_20150709.GetPipeline"),
        );
        assert!(is_for_codepipeline("/", &headers));
        assert_eq!(Protocol::of(&headers), Protocol::Json);
        assert_eq!(Protocol::Json.operation("/", &headers), "GetPipeline");
        headers.insert(SMITHY_PROTOCOL, RPC_V2_CBOR);
        assert_eq!(Protocol::of(&headers), Protocol::Cbor);
    }
}
