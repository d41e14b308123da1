//! The CodePipeline API, JSON 1.1: `POST /` with `X-Amz-Target: CodePipeline_20150709.<Operation>`.
//!
//! A request is checked against the API's own constraints first, then handed to the engine. Requests
//! are not authenticated: the server listens on the loopback only, and refuses requests whose `Host`
//! is not (a web page that rebinds its name to 127.0.0.1 gets nothing).

mod constraints;
mod failure;
mod operations;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::engine::driver::Driver;
use failure::ApiError;

/// Prefix of `X-Amz-Target`.
const TARGET_PREFIX: &str = "CodePipeline_20150709.";

/// Largest request: a declaration with 1,000 actions whose every value is as long as it may be.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// Serves the API until the engine ends.
pub(crate) fn serve(driver: &Arc<Driver>, listener: TcpListener) {
    let router = Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(Arc::clone(driver));
    driver.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the CodePipeline API has ended");
        }
    });
}

async fn handle(State(driver): State<Arc<Driver>>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = answer(&driver, &headers, &body);
    let (status, body) = match answer {
        Ok(body) => (
            StatusCode::OK,
            body.map(|body| body.to_string()).unwrap_or_default(),
        ),
        Err(error) => (error.status(), error.body().to_string()),
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

fn answer(
    driver: &Arc<Driver>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Value>, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !text("host").is_some_and(is_loopback) {
        return Err(ApiError::Forbidden);
    }
    let target = text("x-amz-target").unwrap_or_default();
    let operation = target.strip_prefix(TARGET_PREFIX).unwrap_or(target);
    let input: Value = if body.is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(body).map_err(|error| ApiError::Serialization(error.to_string()))?
    };
    let shape = constraints::input_shape(operation)
        .ok_or_else(|| ApiError::UnknownOperation(operation.to_owned()))?;
    constraints::check(shape, &input)?;
    operations::call(driver, operation, input)
}

/// Whether a `Host` header names this machine's loopback.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback_address = name
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    is_loopback_address || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_served() {
        for host in [
            "127.0.0.1:4567",
            "localhost",
            "LOCALHOST:1",
            "[::1]:80",
            "127.8.8.8",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com:80",
            "localhost.example",
            "",
            "[::2]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
