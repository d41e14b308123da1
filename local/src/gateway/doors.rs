//! Which requests need no access key, and what the others are told.

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};

use super::{Route, forward, is_signed_for};
use crate::guard::Stranger;
use crate::ministack::Secret;

/// Where functions that are custom resources answer: the random end of the path is what opens it, as in the
/// `ResponseURL` of AWS, which is signed beforehand.
const CUSTOM_RESOURCE_ANSWERS: &str = "/_ministack/cfn-response/";

/// The address of a function's own URL, in both spellings of `MiniStack`.
const FUNCTION_URLS: (&str, &str) = ("/_aws/lambda-url/", ".lambda-url.");

/// Whether AWS, too, has such a request answered by whoever is behind it: an API's stage, a function's URL.
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

/// Whether a request bears the secret of `MiniStack` and this gateway.
pub(super) fn check_secret(secret: &Secret, headers: &HeaderMap) -> Result<(), Stranger> {
    let (name, value) = secret.header();
    match headers.get(name) {
        Some(sent) if *sent == value => Ok(()),
        Some(_) => Err(Stranger::OtherKey),
        None => Err(Stranger::Unsigned),
    }
}

/// The refusal in the words and the protocol of the service that was asked, as far as these show.
pub(super) fn refusal<B>(stranger: Stranger, request: &Request<B>) -> Response<Body> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| {
            kind.as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        });
    let xml = |before: &str, code: &str, after: &str| {
        let text = format!("{before}<Code>{code}</Code><Message>{stranger}</Message>{after}");
        forward::content(StatusCode::FORBIDDEN, "text/xml", text)
    };
    if is_form {
        let code = match stranger {
            Stranger::Unsigned => "MissingAuthenticationToken",
            Stranger::OtherKey => "InvalidClientTokenId",
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
    let body = serde_json::json!({ "__type": stranger.code(), "message": stranger.to_string() });
    let mut response = forward::json(StatusCode::FORBIDDEN, &body);
    let kind = header::HeaderValue::from_static(stranger.code());
    response.headers_mut().insert("x-amzn-errortype", kind);
    response
}
