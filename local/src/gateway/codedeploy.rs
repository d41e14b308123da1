//! The gap: `MiniStack` 1.5.33 has no CodeDeploy. [`crate::codedeploy`] has it for functions.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};

use super::{Shared, forward};
use crate::access;
use crate::codedeploy::{self, Caller, Refusal};
use crate::ministack::ACCOUNT;

/// The operation of this service that a request is for.
pub(super) fn operation<B>(request: &Request<B>) -> Option<String> {
    let target = request.headers().get("x-amz-target")?.to_str().ok()?;
    codedeploy::operation(target).map(ToOwned::to_owned)
}

pub(super) async fn answer(
    shared: &Shared,
    operation: &str,
    request: Request<Body>,
) -> Response<Body> {
    let (key, region) = signed_with(&request);
    let caller = Caller {
        account: account_of(shared, &key, &region).await,
        access_key_id: key,
        region,
    };
    let body = match forward::read("/", request.into_body()).await {
        Ok(body) => body,
        Err(error) => return forward::bad_gateway(&error),
    };
    let answered = shared.codedeploy.answer(operation, &caller, &body);
    let mut response = match &answered {
        Ok(output) => forward::json(StatusCode::OK, output),
        Err(refusal) => refused(refusal),
    };
    let kind = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let mut response = forward::json(StatusCode::BAD_REQUEST, &refusal.body());
    let code = HeaderValue::from_static(refusal.code());
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

/// The key that a request is signed with, and the region that it is for.
fn signed_with<B>(request: &Request<B>) -> (String, String) {
    let key = access::access_key_id(request.headers(), request.uri());
    let authorization = request.headers().get(header::AUTHORIZATION);
    let scope = authorization.and_then(|value| value.to_str().ok());
    let scope = scope.and_then(|value| value.split_once("Credential="));
    let region = scope.and_then(|(_, scope)| scope.split('/').nth(2));
    let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (owned(key), owned(region))
}

/// The account of a key: `MiniStack` has handed it out.
async fn account_of(shared: &Shared, key: &str, region: &str) -> String {
    let scope = format!("{key}/20260101/{region}/sts/aws4_request");
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    let request = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("Action=GetCallerIdentity&Version=2011-06-15"))
        .expect("its parts are valid");
    let answered = match shared.ministack.send(request).await {
        Ok(response) => forward::read("/", response.into_body()).await,
        Err(error) => Err(error),
    };
    let text = answered.map(|body| String::from_utf8_lossy(&body).into_owned());
    let account = text.as_deref().ok().and_then(account_in);
    account.unwrap_or(ACCOUNT).to_owned()
}

fn account_in(answer: &str) -> Option<&str> {
    let (_, rest) = answer.split_once("<Account>")?;
    rest.split_once("</Account>").map(|(account, _)| account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_the_region_and_the_account_are_found() {
        let scope =
            "AWS4-HMAC-SHA256 Credential=AKIA1/20260101/eu-west-1/codedeploy/aws4_request, x";
        let request = Request::post("/").header("authorization", scope);
        let found = signed_with(&request.body(()).unwrap());
        assert_eq!(found, ("AKIA1".to_owned(), "eu-west-1".to_owned()));
        let answer = "<GetCallerIdentityResult><Account>111122223333</Account>";
        assert_eq!(account_in(answer), Some("111122223333"));
    }
}
