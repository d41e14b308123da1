//! Forwards a request and its answer unchanged, without holding a body in memory.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

/// How long an idle connection is kept; `MiniStack` closes its own after 75 s (its `keep_alive_timeout`).
const IDLE: Duration = Duration::from_secs(20);

/// The largest body that is ever held in memory: what the gateway looks into are API documents, which
/// API Gateway limits to 6 MB.
const LARGEST_DOCUMENT: usize = 6 * 1024 * 1024;

/// Header fields that belong to one connection (RFC 9110, 7.6.1), and `Expect`, which we answered.
const OF_THE_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::EXPECT,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Why a call got no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot reach `{address}`; check MiniStack's log")]
    Unreachable {
        address: SocketAddr,
        source: hyper_util::client::legacy::Error,
    },
    #[error("cannot read the request's body for `{path}`; the limit is {LARGEST_DOCUMENT} bytes")]
    Body {
        path: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("`{method} {path}` was answered with {status}: {body}")]
    Refused {
        method: Method,
        path: String,
        status: StatusCode,
        body: String,
    },
}

/// A server behind the gateway.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    address: SocketAddr,
    /// What each request gets.
    fields: Vec<(HeaderName, HeaderValue)>,
    client: Client<HttpConnector, Body>,
}

impl Upstream {
    pub(super) fn new(address: SocketAddr, fields: Vec<(HeaderName, HeaderValue)>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self {
            address,
            fields,
            client,
        }
    }

    /// Sends the request there and gives back the answer; what goes wrong is an answer, too.
    pub(super) async fn forward(&self, request: Request<Body>) -> Response<Body> {
        match self.send(request).await {
            Ok(response) => response,
            Err(error) => bad_gateway(&error),
        }
    }

    /// Sends the request there: same method, path, header fields (`Host`, too) and body.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, Error> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.address.to_string())
            .path_and_query(path)
            .build()
            .expect("the path came in as a valid path");
        *request.uri_mut() = uri;
        remove_connection_fields(request.headers_mut());
        for (name, value) in &self.fields {
            request.headers_mut().insert(name, value.clone());
        }
        let address = self.address;
        let mut response = self
            .client
            .request(request)
            .await
            .map_err(|source| Error::Unreachable { address, source })?;
        remove_connection_fields(response.headers_mut());
        Ok(response.map(Body::new))
    }

    /// A call of our own with a JSON body, whose JSON answer is wanted.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let body = body.map_or_else(Body::empty, |value| Body::from(value.to_string()));
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .expect("the path is built from parts of a valid path");
        let response = self.send(request).await?;
        let status = response.status();
        let body = read(path, response.into_body()).await?;
        if !status.is_success() {
            let body = String::from_utf8_lossy(&body).into_owned();
            return Err(Error::Refused {
                method,
                path: path.to_owned(),
                status,
                body,
            });
        }
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

fn remove_connection_fields(headers: &mut HeaderMap) {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
}

/// The whole of a body that may not be large.
pub(super) async fn read(path: &str, body: Body) -> Result<Bytes, Error> {
    let collected = Limited::new(body, LARGEST_DOCUMENT).collect().await;
    let collected = collected.map_err(|source| Error::Body {
        path: path.to_owned(),
        source,
    })?;
    Ok(collected.to_bytes())
}

/// The answer when `MiniStack` does not answer.
pub(super) fn bad_gateway(error: &Error) -> Response<Body> {
    tracing::warn!(error = %error, "the gateway failed to answer");
    text(StatusCode::BAD_GATEWAY, &error.to_string())
}

/// A plain answer of the gateway's own.
pub(super) fn text(status: StatusCode, text: &str) -> Response<Body> {
    content(status, "text/plain; charset=utf-8", text.to_owned())
}

/// An answer of the gateway's own, of that type.
pub(super) fn content(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A JSON answer of the gateway's own.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    content(status, "application/json", value.to_string())
}
