//! Requests and answers of the services that are not S3.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use crate::operation::{Operation, segments};

/// One request, read.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// What it is.
    pub operation: Operation,
    /// Its method.
    pub method: Method,
    /// Its path and query as they came.
    pub uri: Uri,
    /// Its path's segments, decoded.
    pub path: Vec<String>,
    /// Its query.
    pub query: BTreeMap<String, String>,
    /// Its body as it came.
    pub bytes: Bytes,
    /// Its body as JSON; `null` if it is none.
    pub body: Value,
}

impl ApiRequest {
    pub(super) fn new(operation: Operation, parts: &Parts, bytes: Bytes) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self {
            operation,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            path: segments(&parts.uri),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes,
        }
    }

    /// Method, path and query as they came.
    #[must_use]
    pub fn raw(&self) -> (&str, &str, &str) {
        (
            self.method.as_str(),
            self.uri.path(),
            self.uri.query().unwrap_or_default(),
        )
    }

    /// A string of the body; empty where there is none.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.body
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A segment of the path; empty where there is none.
    #[must_use]
    pub fn segment(&self, index: usize) -> &str {
        self.path.get(index).map_or("", String::as_str)
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// The request id in every answer.
const REQUEST_ID: &str = "world-request";

impl Answer {
    /// 200 with JSON.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::json_with(200, body)
    }

    /// JSON with another status.
    #[must_use]
    pub fn json_with(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    /// A status and XML.
    #[must_use]
    pub fn xml((status, body): (u16, String)) -> Self {
        let headers = vec![("content-type", "text/xml".to_owned())];
        Self {
            status,
            headers,
            body: body.into_bytes(),
        }
    }

    /// An error as the JSON protocols write it.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({"__type": code, "Type": "User", "message": message});
        let mut answer = Self::json_with(status, &body);
        answer.headers.push(("x-amzn-errortype", code.to_owned()));
        answer
    }

    /// What IAM says, in the service's protocol.
    #[must_use]
    pub fn denied(operation: &Operation) -> Self {
        let message = format!(
            "User: arn:aws:sts::111122223333:assumed-role/r/f is not authorized to perform: {} \
             because no identity-based policy allows the action",
            operation.action()
        );
        match operation.service.as_str() {
            "s3" => Self::xml((
                403,
                format!("<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"),
            )),
            "cloudformation" => {
                Self::xml((403, super::cloudformation::error("AccessDenied", &message)))
            }
            "cloudfront" => Self::xml((
                403,
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                     <Message>{message}</Message></Error></ErrorResponse>"
                ),
            )),
            _ => Self::error(403, "AccessDeniedException", &message),
        }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = Response::builder()
            .status(self.status)
            .header("x-amzn-requestid", REQUEST_ID);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response
            .body(Body::from(self.body))
            .expect("an answer's headers are valid")
    }
}
