//! What the gateway answers for itself, to `MiniStack`: sites, and the pipelines of stacks.

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Shared, forward, pipeline_resource};

pub(super) async fn answer(shared: &Shared, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let body = match forward::read(&path, request.into_body()).await {
        Ok(body) => body,
        Err(error) => return forward::text(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    if path == "/_delivery/pipeline-resource" && method == Method::POST {
        return pipeline_resource::answer(shared, &asked).await;
    }
    match path.strip_prefix("/_delivery/sites/") {
        Some(bucket) if method == Method::PUT => open_site(shared, bucket).await,
        _ => forward::text(StatusCode::NOT_FOUND, "no such path"),
    }
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
