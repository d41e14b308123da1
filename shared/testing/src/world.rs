//! A stateful, strict, in-memory AWS on one loopback port.
//!
//! It is at least as strict as AWS about what emulators usually accept: stale revision ids, wrong code hashes,
//! updates in progress, weights out of range, missing versions, second results of jobs. Each service is a module with
//! a state and a `route` from request to answer; S3 is [`Objects`]. All calls are recorded in order.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use http_body_util::{BodyExt, Collected};

use super::events::{FUNCTION_KEYS, TEST_KEYS};
use super::operation::{self, Operation};
use super::record;
use super::s3::{self, Bucket, Objects};
use super::server::Server;

mod answer;
pub mod apigateway;
pub mod cloudformation;
pub mod cloudfront;
pub mod cloudwatch;
pub mod codepipeline;
pub mod lambda;
pub mod logs;
mod run;

pub use answer::{Answer, ApiRequest};

/// One request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it was.
    pub operation: Operation,
    /// Who it was signed by.
    pub access_key: Option<String>,
    /// The answer's HTTP status.
    pub status: u16,
}

/// The strict AWS of one test.
#[derive(Clone, Debug)]
pub struct World {
    inner: Arc<Inner>,
    server: Arc<Server>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: Objects,
    calls: Mutex<Vec<Call>>,
    denied: Mutex<BTreeSet<String>>,
    lambda: Mutex<lambda::Lambda>,
    code_pipeline: Mutex<codepipeline::CodePipeline>,
    api_gateway: Mutex<apigateway::ApiGateway>,
    cloud_front: Mutex<cloudfront::CloudFront>,
    cloud_formation: Mutex<cloudformation::CloudFormation>,
    cloud_watch: Mutex<cloudwatch::CloudWatch>,
    logs: Mutex<logs::Logs>,
}

impl World {
    /// Starts an empty one.
    pub async fn start() -> Self {
        Self::start_with(Objects::new()).await
    }

    /// Starts one with these objects as its S3.
    pub async fn start_with(objects: Objects) -> Self {
        let inner = Arc::new(Inner {
            objects,
            ..Inner::default()
        });
        let answering = Arc::clone(&inner);
        let server = Server::start(move |request| {
            let inner = Arc::clone(&answering);
            async move { inner.answer(request).await }
        })
        .await;
        Self {
            inner,
            server: Arc::new(server),
        }
    }

    /// Its address: `http://127.0.0.1:PORT`, for all services.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// A configuration whose clients talk to it with the function's credentials.
    #[must_use]
    pub fn config(&self) -> SdkConfig {
        s3::config(&self.url(), FUNCTION_KEYS)
    }

    /// A configuration whose clients talk to it as the test itself.
    #[must_use]
    pub fn test_config(&self) -> SdkConfig {
        s3::config(&self.url(), TEST_KEYS)
    }

    /// A bucket, for the test's own reads and writes; its requests are not recorded by
    /// [`World::calls`] after [`World::forget_calls`].
    #[must_use]
    pub fn bucket(&self, name: &str) -> Bucket {
        Bucket::new(&self.test_config(), name)
    }

    /// What its S3 keeps.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.inner.objects
    }

    /// Every request so far, in the order in which they were answered.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.inner.calls).clone()
    }

    /// `service:Operation` of every request so far that changes something, whether it succeeded or
    /// not.
    #[must_use]
    pub fn mutating_calls(&self) -> Vec<String> {
        let calls = self.calls();
        calls
            .iter()
            .filter(|c| c.operation.mutating)
            .map(|c| c.operation.action())
            .collect()
    }

    /// Forgets the requests so far: what follows is the test's subject.
    pub fn forget_calls(&self) {
        lock(&self.inner.calls).clear();
    }

    /// Refuses an operation (`lambda:UpdateAlias`) with 403 from now on.
    pub fn deny(&self, action: &str) {
        lock(&self.inner.denied).insert(action.to_owned());
    }

    /// The functions. Do not hold the guard across an `await`.
    pub fn lambda(&self) -> MutexGuard<'_, lambda::Lambda> {
        lock(&self.inner.lambda)
    }

    /// The jobs. Do not hold the guard across an `await`.
    pub fn code_pipeline(&self) -> MutexGuard<'_, codepipeline::CodePipeline> {
        lock(&self.inner.code_pipeline)
    }

    /// The REST APIs. Do not hold the guard across an `await`.
    pub fn api_gateway(&self) -> MutexGuard<'_, apigateway::ApiGateway> {
        lock(&self.inner.api_gateway)
    }

    /// The distributions. Do not hold the guard across an `await`.
    pub fn cloud_front(&self) -> MutexGuard<'_, cloudfront::CloudFront> {
        lock(&self.inner.cloud_front)
    }

    /// The stacks. Do not hold the guard across an `await`.
    pub fn cloud_formation(&self) -> MutexGuard<'_, cloudformation::CloudFormation> {
        lock(&self.inner.cloud_formation)
    }

    /// The alarms and metrics. Do not hold the guard across an `await`.
    pub fn cloud_watch(&self) -> MutexGuard<'_, cloudwatch::CloudWatch> {
        lock(&self.inner.cloud_watch)
    }

    /// The log groups. Do not hold the guard across an `await`.
    pub fn logs(&self) -> MutexGuard<'_, logs::Logs> {
        lock(&self.inner.logs)
    }
}

/// A test that panicked elsewhere does not make the state unreadable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    async fn answer(&self, request: Request) -> Response {
        let (mut parts, mut body) = request.into_parts();
        if parts.method == Method::POST && !operation::is_of_s3(&parts) {
            let bytes = body
                .collect()
                .await
                .map_or_else(|_| Bytes::new(), Collected::to_bytes);
            operation::name_by_body(&mut parts, &bytes);
            body = Body::from(bytes);
        }
        let operation = Operation::of(&parts);
        let access_key = operation::access_key(&parts);
        record::request(&parts);
        let denied = lock(&self.denied).contains(&operation.action());
        let response = if denied {
            // An answer before the request is read closes the connection, and the reset can overtake the answer.
            while let Some(Ok(_)) = body.frame().await {}
            Answer::denied(&operation).into_response()
        } else if operation.service == "s3" {
            self.objects.answer(Request::from_parts(parts, body)).await
        } else {
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => Bytes::new(),
            };
            let request = ApiRequest::new(operation.clone(), &parts, body);
            let (bucket, key) = (request.text("S3Bucket"), request.text("S3Key"));
            if operation.name == "UpdateFunctionCode" && !bucket.is_empty() {
                record::read_for(&parts, bucket, key);
            }
            self.route(&request).into_response()
        };
        let status = response.status().as_u16();
        lock(&self.calls).push(Call {
            operation,
            access_key,
            status,
        });
        response
    }

    fn route(&self, request: &ApiRequest) -> Answer {
        match request.operation.service.as_str() {
            "lambda" => lock(&self.lambda).route(request, &self.objects),
            "codepipeline" => lock(&self.code_pipeline).route(request),
            "apigateway" => lock(&self.api_gateway).route(request),
            "cloudfront" => lock(&self.cloud_front).route(request),
            "cloudwatch" => lock(&self.cloud_watch).route(request),
            "logs" => lock(&self.logs).route(request),
            "cloudformation" => lock(&self.cloud_formation).route(request),
            service => Answer::error(404, "UnknownService", &format!("no service `{service}`")),
        }
    }
}
