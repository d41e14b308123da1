//! The gap: `MiniStack` 1.5.33 does not route `PutRestApi`.
//!
//! The document becomes the API's draft. As on AWS nothing of it is served before a deployment takes a
//! snapshot of it (`stage_snapshots`), so no stage ever points at a half-imported API. `mode=merge` is
//! refused: nothing here uses it, and a wrong merge would be worse than none. So is every document that AWS would secure, or
//! answer, differently (`refused`).

pub(super) mod refused;

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Shared, forward};

pub(super) async fn answer(shared: &Shared, api: &str, request: Request<Body>) -> Response<Body> {
    let overwrite = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "mode=overwrite"));
    if !overwrite {
        return bad_request("`mode` must be `overwrite`: the local API Gateway cannot merge");
    }
    let path = format!("/restapis/{api}");
    let described = match shared.ministack.call(Method::GET, &path, None).await {
        Ok(described) => described,
        Err(forward::Error::Refused {
            status: StatusCode::NOT_FOUND,
            ..
        }) => return not_found(),
        Err(error) => return forward::bad_gateway(&error),
    };
    let body = match forward::read(&path, request.into_body()).await {
        Ok(body) => body,
        Err(error) => return bad_request(&error.to_string()),
    };
    // deploy-api always asks for `failonwarnings`.
    let parsed = parse(&body).and_then(|document| check(&document, true).map(|()| document));
    match parsed {
        Ok(document) => {
            // The API's description is that of the document (API Gateway Developer Guide, "Import a REST API").
            let description = document.pointer("/info/description");
            let described = match describe(shared, &path, description).await {
                Ok(changed) => changed.unwrap_or(described),
                Err(error) => return forward::bad_gateway(&error),
            };
            shared.snapshots.put_draft(api, document);
            forward::json(StatusCode::OK, &described)
        }
        Err(message) => bad_request(&message),
    }
}

async fn describe(
    shared: &Shared,
    path: &str,
    description: Option<&Value>,
) -> Result<Option<Value>, forward::Error> {
    let Some(text) = description.and_then(Value::as_str) else {
        return Ok(None);
    };
    let operations =
        json!({"patchOperations": [{"op": "replace", "path": "/description", "value": text}]});
    let described = shared
        .ministack
        .call(Method::PATCH, path, Some(&operations));
    described.await.map(Some)
}

/// The document as JSON.
fn parse(body: &[u8]) -> Result<Value, String> {
    let text =
        std::str::from_utf8(body).map_err(|error| format!("Invalid OpenAPI input: {error}"))?;
    let document: Value = serde_json::from_str(text)
        .or_else(|_| serde_saphyr::from_str(text))
        .map_err(|error| format!("Invalid OpenAPI input: {error}"))?;
    Ok(document)
}

/// Refuses what is not a document of an API, what AWS refuses, and what the local API Gateway would answer differently.
pub(super) fn check(document: &Value, fails_on_warnings: bool) -> Result<(), String> {
    let swagger = document.get("swagger").and_then(Value::as_str) == Some("2.0");
    let openapi = document
        .get("openapi")
        .and_then(Value::as_str)
        .is_some_and(|version| version.starts_with("3.0"));
    if !swagger && !openapi {
        return Err(
            "Invalid OpenAPI input: neither `swagger: \"2.0\"` nor `openapi: 3.0.x`".to_owned(),
        );
    }
    if !document.get("paths").is_some_and(Value::is_object) {
        return Err("Invalid OpenAPI input: `paths` is missing".to_owned());
    }
    let mut problems = refused::by_aws(document);
    if fails_on_warnings {
        problems.extend(refused::warnings(document));
    }
    if !problems.is_empty() {
        let lines = problems.join("\n\t");
        return Err(format!("Errors found during import:\n\t{lines}"));
    }
    let problems = refused::here(document);
    if !problems.is_empty() {
        let lines = problems.join("\n\t");
        return Err(format!(
            "The local API Gateway does not support this and would answer differently from AWS:\n\t{lines}"
        ));
    }
    Ok(())
}

pub(super) fn bad_request(message: &str) -> Response<Body> {
    error(StatusCode::BAD_REQUEST, "BadRequestException", message)
}

fn not_found() -> Response<Body> {
    error(
        StatusCode::NOT_FOUND,
        "NotFoundException",
        "Invalid API identifier specified",
    )
}

fn error(status: StatusCode, kind: &'static str, message: &str) -> Response<Body> {
    let mut response = forward::json(status, &json!({ "message": message }));
    let kind = axum::http::HeaderValue::from_static(kind);
    response.headers_mut().insert("x-amzn-errortype", kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_be_json_or_yaml() {
        let json = parse(br#"{"openapi": "3.0.1", "paths": {"/a": {}}}"#).unwrap();
        let yaml = parse(b"openapi: 3.0.1\npaths:\n  /a: {}\n").unwrap();
        assert_eq!(json, yaml);
    }

    #[test]
    fn a_document_that_is_no_openapi_is_refused() {
        let said = |body: &[u8]| {
            let document = parse(body)?;
            check(&document, false)
        };
        let refused = |body: &[u8]| said(body).unwrap_err();
        assert!(refused(b"[1, 2").contains("Invalid OpenAPI input"));
        assert!(refused(b"{}").contains("swagger"));
        assert!(refused(br#"{"swagger": "2.0"}"#).contains("paths"));
    }

    #[test]
    fn a_warning_refuses_only_where_it_is_asked_to() {
        let uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations";
        let integration = json!({ "type": "aws_proxy", "httpMethod": "POST", "uri": uri });
        let get = json!({ "x-amazon-apigateway-integration": integration });
        let document = json!({ "openapi": "3.0.1", "paths": { "/a": { "get": get } } });
        assert_eq!(check(&document, false), Ok(()));
        let said = check(&document, true).unwrap_err();
        assert!(
            said.contains("paths.'/a'(get).responses is missing"),
            "{said}"
        );
    }
}
