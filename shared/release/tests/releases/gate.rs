//! S3 in memory without a network, each of whose calls waits until the test lets it pass.
//!
//! So a history decides between which calls somebody is killed, and whose call comes first, over the code and the SDK as they
//! are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::body::Body;
use axum::http::Request;
use delivery_testing::events::FUNCTION_KEYS;
use delivery_testing::s3::{Objects, config};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, oneshot};

/// The address that requests are made for; nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// It is made and answered.
    Through,
    /// It is made, and its answer is lost.
    LoseReply,
    /// It is made, and nobody is there any more to hear the answer.
    Die,
}

/// The calls of one process.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: Mutex<Objects>,
    /// Several, where a process makes several calls at once.
    waiting: Mutex<VecDeque<oneshot::Sender<Pass>>>,
    /// The key of the last object that was put.
    put: Mutex<Option<String>>,
    puts: Mutex<usize>,
    is_open: Mutex<bool>,
    /// A call was made whose answer nobody hears.
    has_died: Mutex<bool>,
    changed: Notify,
}

impl Gate {
    pub(crate) fn new(objects: &Objects) -> Self {
        Self(Arc::new(Inner {
            objects: Mutex::new(objects.clone()),
            waiting: Mutex::default(),
            put: Mutex::default(),
            puts: Mutex::default(),
            is_open: Mutex::default(),
            has_died: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// One whose calls do not wait.
    pub(crate) fn open(objects: &Objects) -> Self {
        let gate = Self::new(objects);
        *lock(&gate.0.is_open) = true;
        gate
    }

    /// Begins another history, with other objects.
    pub(crate) fn reset(&self, objects: &Objects) {
        *lock(&self.0.objects) = objects.clone();
        lock(&self.0.waiting).clear();
        *lock(&self.0.put) = None;
        *lock(&self.0.has_died) = false;
    }

    pub(crate) fn client(&self) -> Client {
        let connector = SharedHttpConnector::new(self.clone());
        let retries = RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::ZERO);
        let config = aws_sdk_s3::config::Builder::from(&config(NOWHERE, FUNCTION_KEYS))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(retries)
            .force_path_style(true);
        Client::from_conf(config.build())
    }

    /// Says that its process has ended.
    pub(crate) fn notify(&self) {
        self.0.changed.notify_one();
    }

    /// Waits until something has changed.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !lock(&self.0.waiting).is_empty()
    }

    pub(crate) fn has_died(&self) -> bool {
        *lock(&self.0.has_died)
    }

    /// Lets the call that waits longest pass.
    pub(crate) fn pass(&self, pass: Pass) {
        if let Some(waiting) = lock(&self.0.waiting).pop_front() {
            let _gone = waiting.send(pass);
        }
    }

    /// The key that was put since it was asked last.
    pub(crate) fn take_put(&self) -> Option<String> {
        lock(&self.0.put).take()
    }

    /// How many puts were made.
    pub(crate) fn puts(&self) -> usize {
        *lock(&self.0.puts)
    }

    async fn wait(&self) -> Result<Pass, ConnectorError> {
        if *lock(&self.0.is_open) {
            return Ok(Pass::Through);
        }
        let (send, receive) = oneshot::channel();
        lock(&self.0.waiting).push_back(send);
        self.notify();
        receive
            .await
            .map_err(|_| ConnectorError::io("the history is over".into()))
    }

    async fn answer(&self, request: HttpRequest) -> HttpResponse {
        let bytes = request
            .body()
            .bytes()
            .expect("bodies are in memory")
            .to_vec();
        if request.method() == "PUT" {
            let path = request.uri().split(['?']).next().unwrap_or_default();
            let key = path.strip_prefix(NOWHERE).unwrap_or(path);
            let key = key.splitn(3, '/').nth(2).map(str::to_owned);
            *lock(&self.0.put) = key;
            *lock(&self.0.puts) += 1;
        }
        let mut asked = Request::builder()
            .method(request.method())
            .uri(request.uri());
        for (name, value) in request.headers() {
            asked = asked.header(name, value);
        }
        let asked = asked.header("host", NOWHERE.trim_start_matches("http://"));
        let objects = lock(&self.0.objects).clone();
        let answered = objects.answer(asked.body(Body::from(bytes)).unwrap()).await;
        let (parts, body) = answered.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let status = parts.status.as_u16().try_into().unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(body.to_vec()));
        for (name, value) in &parts.headers {
            let value = value.to_str().unwrap().to_owned();
            response
                .headers_mut()
                .insert(name.as_str().to_owned(), value);
        }
        response
    }
}

impl HttpConnector for Gate {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let gate = self.clone();
        HttpConnectorFuture::new(async move {
            let pass = gate.wait().await?;
            let answer = gate.answer(request).await;
            match pass {
                Pass::Through => Ok(answer),
                Pass::LoseReply => Err(ConnectorError::io("the reply was lost".into())),
                Pass::Die => {
                    *lock(&gate.0.has_died) = true;
                    gate.notify();
                    std::future::pending().await
                }
            }
        })
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
