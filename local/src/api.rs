//! The CodePipeline API over HTTP, in both protocols that the service speaks.
//!
//! A request has to be signed with an access key of the environment (`crate::access`). It is checked against the
//! API's own constraints, then handed to the engine.

mod cbor;
mod constraints;
mod failure;
mod model;
mod operations;
mod protocol;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::access::{self, KeySuffix};
use crate::engine::driver::Driver;
use crate::listen;
use failure::ApiError;

pub(crate) use protocol::{Protocol, in_protocol, is_for_codepipeline};

/// Largest request: a declaration with 1,000 actions whose every value is as long as it may be.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// How long a request's body may take to arrive. It comes from this machine, so that only a client that
/// has stopped sending takes longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the API until the engine ends.
pub(crate) fn serve(driver: &Arc<Driver>, listener: TcpListener) {
    let router = Router::new()
        .fallback(handle)
        .with_state(Arc::clone(driver));
    driver.spawn(listen::serve(listener, router));
}

async fn handle(State(driver): State<Arc<Driver>>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let protocol = Protocol::of(&head.headers);
    let operation = protocol.operation(head.uri.path(), &head.headers);
    let answer = match check(&driver, &head.uri, &head.headers) {
        Ok(()) => answer(&driver, protocol, operation, &head.headers, body).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(output) => protocol.answer(operation, output.as_ref()),
        Err(error) => protocol.failure(&error),
    }
}

/// Whether who asks may.
fn check(driver: &Driver, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    if !access::is_local(headers) {
        return Err(ApiError::Forbidden);
    }
    let keys = KeySuffix::of_key(&driver.credentials.access_key_id);
    Ok(keys.check(headers, uri)?)
}

async fn answer(
    driver: &Arc<Driver>,
    protocol: Protocol,
    operation: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<Value>, ApiError> {
    let body = read(body, MAX_REQUEST_BYTES, BODY_TIMEOUT).await?;
    let shape =
        model::input(operation).ok_or_else(|| ApiError::UnknownOperation(operation.to_owned()))?;
    let input = protocol.input(shape, headers, &body)?;
    constraints::check(shape, &input)?;
    operations::call(driver, operation, input).await
}

/// The answer while no engine is running.
pub(crate) fn unavailable(headers: &HeaderMap, why: &str) -> Response {
    Protocol::of(headers).failure(&ApiError::Unavailable(why.to_owned()))
}

/// The whole of a request's body.
async fn read(body: Body, limit: usize, patience: Duration) -> Result<Bytes, ApiError> {
    let collected = tokio::time::timeout(patience, Limited::new(body, limit).collect());
    match collected.await {
        Err(_) => Err(ApiError::Timeout),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge(limit)),
        Ok(Err(error)) => Err(ApiError::Serialization(error.to_string())),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_its_time() {
        let long = Duration::from_mins(1);
        let body = read(Body::from("1234"), 4, long).await.unwrap();
        assert_eq!(&body[..], b"1234");
        let large = read(Body::from("12345"), 4, long).await;
        assert!(matches!(large, Err(ApiError::TooLarge(4))), "{large:?}");
        let (_silent, reader) = tokio::io::duplex(1);
        let stream = tokio_util::io::ReaderStream::new(reader);
        let late = read(Body::from_stream(stream), 4, Duration::from_millis(10)).await;
        assert!(matches!(late, Err(ApiError::Timeout)), "{late:?}");
    }
}
