//! The server's process: `bench serve`.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::response::Response;
use axum::serve::ListenerExt as _;
use delivery_testing::events::{FUNCTION_KEYS, JOB_KEYS, TEST_KEYS};
use delivery_testing::memory::Memory;
use delivery_testing::operation::Operation;
use http_body_util::BodyExt as _;
use s3s::auth::{SecretKey, SimpleAuth};
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::{Value, json};

use super::count::{self, Counted};

/// Where the driver asks for what was counted, which is set to nothing by it.
pub(super) const COUNT: &str = "/-bench/count";

/// Where the driver asks for the last result that an action reported to CodePipeline.
pub(super) const RESULT: &str = "/-bench/result";

/// The header by which CodePipeline's protocol names the operation.
const TARGET: &str = "x-amz-target";

/// Before the name of a bucket that the driver wants to be there and empty.
pub(super) const EMPTY: &str = "/-bench/empty/";

struct State {
    memory: Memory,
    s3: S3Service,
    delay: Duration,
    counted: Mutex<Counted>,
    result: Mutex<Value>,
}

/// Answers until the process is ended, each request `delay` later than it could; prints its port.
///
/// # Errors
///
/// Where no port can be had.
#[expect(clippy::print_stdout, reason = "the driver reads the port there")]
pub async fn serve(delay: Duration) -> std::io::Result<()> {
    let mut auth = SimpleAuth::new();
    for keys in [FUNCTION_KEYS, JOB_KEYS, TEST_KEYS] {
        auth.register(
            keys.access_key_id.to_owned(),
            SecretKey::from(keys.secret_access_key),
        );
    }
    let memory = Memory::default();
    let mut builder = S3ServiceBuilder::new(memory.clone());
    builder.set_auth(auth);
    let state = Arc::new(State {
        memory,
        s3: builder.build(),
        delay,
        counted: Mutex::default(),
        result: Mutex::default(),
    });
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection is gone already");
        }
    });
    let router = Router::new().fallback(move |request| {
        let state = Arc::clone(&state);
        async move { state.answer(request).await }
    });
    axum::serve(listener, router).await
}

impl State {
    async fn answer(&self, request: Request) -> Response {
        match request.uri().path() {
            COUNT => {
                let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
                return json_of(&std::mem::take(&mut *counted).to_json());
            }
            RESULT => {
                let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
                return json_of(&std::mem::take(&mut *result));
            }
            _ => {}
        }
        if let Some(bucket) = request.uri().path().strip_prefix(EMPTY) {
            self.memory.empty(bucket);
            return json_of(&Value::Null);
        }
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let (parts, body) = request.into_parts();
        let operation = Operation::of(&parts);
        let bytes_in = count::length(&parts.headers);
        let request = Request::from_parts(parts, body);
        let response = if operation.service == "codepipeline" {
            self.report(request).await
        } else {
            self.objects(request).await
        };
        let announced = count::length(response.headers());
        let bytes_out = response
            .body()
            .size_hint()
            .exact()
            .unwrap_or_default()
            .max(announced);
        let bytes_out = if operation.name.starts_with("Head") {
            0
        } else {
            bytes_out
        };
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.add(operation.name, bytes_in, bytes_out);
        response
    }

    async fn objects(&self, request: Request) -> Response {
        match self.s3.call(request.map(s3s::Body::http_body_unsync)).await {
            Ok(response) => response.map(Body::new),
            Err(error) => Response::builder()
                .status(500)
                .body(Body::from(format!("{error:?}")))
                .expect("a status and a body make a response"),
        }
    }

    /// Stands for CodePipeline: takes an action's result.
    async fn report(&self, request: Request) -> Response {
        let target = request
            .headers()
            .get(TARGET)
            .and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.rsplit('.').next());
        let operation = operation.unwrap_or_default().to_owned();
        let body = request.into_body().collect().await;
        let body = body.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) =
            json!({"operation": operation, "body": body});
        json_of(&json!({}))
    }
}

fn json_of(value: &Value) -> Response {
    Response::builder()
        .header("content-type", "application/x-amz-json-1.1")
        .body(Body::from(value.to_string()))
        .expect("a static header and a body make a response")
}
