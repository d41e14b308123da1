//! Which requests need no access key, and how the others are refused.

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};

use super::{Route, forward, is_signed_for};
use crate::access::AccessDenied;
use crate::ministack::Secret;

/// Where functions that are custom resources answer: the random end of the path is what opens it, as in the
/// `ResponseURL` of AWS, which is signed beforehand.
const CUSTOM_RESOURCE_ANSWERS: &str = "/_ministack/cfn-response/";

/// The address of a function's own URL, in both spellings of `MiniStack`.
const FUNCTION_URLS: (&str, &str) = ("/_aws/lambda-url/", ".lambda-url.");

/// Whether a request needs no signature on AWS either: one for an API's stage or a function's URL.
pub(super) fn is_public<B>(route: &Route, request: &Request<B>) -> bool {
    let path = request.uri().path();
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    matches!(route, Route::Execute { .. })
        || host.contains(".execute-api.")
        || path.starts_with(FUNCTION_URLS.0)
        || host.contains(FUNCTION_URLS.1)
        || path.starts_with(CUSTOM_RESOURCE_ANSWERS)
}

/// Checks the secret that `MiniStack` and this gateway share.
pub(super) fn check_secret(secret: &Secret, headers: &HeaderMap) -> Result<(), AccessDenied> {
    let (name, value) = secret.header();
    match headers.get(name) {
        Some(sent) if *sent == value => Ok(()),
        Some(_) => Err(AccessDenied::OtherKey),
        None => Err(AccessDenied::Unsigned),
    }
}

/// The refusal in the format of the AWS service that the request is for, as far as the request shows it.
pub(super) fn refusal<B>(denied: AccessDenied, request: &Request<B>) -> Response<Body> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| {
            kind.as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        });
    let xml = |before: &str, code: &str, after: &str| {
        let text = format!("{before}<Code>{code}</Code><Message>{denied}</Message>{after}");
        forward::content(StatusCode::FORBIDDEN, "text/xml", text)
    };
    if is_form {
        let code = match denied {
            AccessDenied::Unsigned => "MissingAuthenticationToken",
            AccessDenied::OtherKey => "InvalidClientTokenId",
        };
        return xml(
            "<ErrorResponse><Error><Type>Sender</Type>",
            code,
            "</Error></ErrorResponse>",
        );
    }
    let is_s3 = is_signed_for(request, "s3")
        || request.uri().query().is_some_and(|query| {
            query.contains("X-Amz-Credential") || query.contains("AWSAccessKeyId")
        });
    if is_s3 {
        return xml("<Error>", "InvalidAccessKeyId", "</Error>");
    }
    let body = serde_json::json!({ "__type": denied.code(), "message": denied.to_string() });
    let mut response = forward::json(StatusCode::FORBIDDEN, &body);
    let kind = header::HeaderValue::from_static(denied.code());
    response.headers_mut().insert("x-amzn-errortype", kind);
    response
}
