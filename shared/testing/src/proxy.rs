//! A fault proxy: between the SDK and AWS, so that the SDK's own retries are what runs.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::TRANSFER_ENCODING;
use axum::http::request::Parts;
use axum::http::{Request, Response, Uri};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::operation::{self, Operation};

/// Something that is done when a call comes by, and waited for.
pub type Hook = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What happens to a call.
#[derive(Clone)]
pub enum Fault {
    /// It does not reach the service: this status comes back.
    Status(u16),
    /// It does not reach the service: the connection is closed.
    Reset,
    /// It reaches the service, and the connection is closed instead of an answer.
    LoseReply,
    /// It reaches the service after this time.
    Delay(Duration),
    /// It reaches the service, and half of the answer's body comes back.
    Truncate,
    /// It reaches the service twice; the second answer comes back.
    Twice,
    /// Something happens first.
    Before(Hook),
    /// It reaches the service, then something happens, then the connection is closed.
    AfterInsteadOfReply(Hook),
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "Status({status})"),
            Self::Reset => f.write_str("Reset"),
            Self::LoseReply => f.write_str("LoseReply"),
            Self::Delay(time) => write!(f, "Delay({time:?})"),
            Self::Truncate => f.write_str("Truncate"),
            Self::Twice => f.write_str("Twice"),
            Self::Before(_) => f.write_str("Before(hook)"),
            Self::AfterInsteadOfReply(_) => f.write_str("AfterInsteadOfReply(hook)"),
        }
    }
}

/// Which requests a fault is for.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `service:Operation`.
    pub action: String,
    /// The resource; any where there is none.
    pub resource: Option<String>,
    /// The first of those requests that is meant, from 1.
    pub nth: usize,
    /// How many from there on; a retry of the SDK is a request, too.
    pub times: usize,
    /// What happens to them.
    pub fault: Fault,
}

impl Rule {
    /// A fault for the first request of an operation alone.
    #[must_use]
    pub fn once(action: &str, fault: Fault) -> Self {
        Self {
            action: action.to_owned(),
            resource: None,
            nth: 1,
            times: 1,
            fault,
        }
    }

    /// A fault for every request of an operation.
    #[must_use]
    pub fn always(action: &str, fault: Fault) -> Self {
        Self {
            times: usize::MAX,
            ..Self::once(action, fault)
        }
    }

    fn is_for(&self, operation: &Operation) -> bool {
        self.action == operation.action()
            && self
                .resource
                .as_ref()
                .is_none_or(|resource| timeless(resource) == timeless(&operation.resource))
    }
}

/// Digits of a time in a name: `20261128T005259Z`.
const TIME: usize = 16;

/// A name without the times in it, which differ in each run.
pub(crate) fn timeless(name: &str) -> String {
    let mut rest = name;
    let mut kept = String::new();
    while let Some(first) = rest.chars().next() {
        if rest.get(..TIME).is_some_and(is_time) {
            kept.push_str("TIME");
            rest = &rest[TIME..];
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept
}

fn is_time(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, byte)| match place {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    })
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    upstream: String,
    client: Client<HttpConnector, Full<Bytes>>,
    /// Each rule with the number of requests that it was looked up for.
    rules: Mutex<Vec<(Rule, usize)>>,
    seen: Mutex<Vec<Operation>>,
}

/// Closes the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the proxy closes this connection")]
struct Close;

impl Proxy {
    /// Starts a proxy in front of `upstream` (`http://127.0.0.1:PORT`).
    pub async fn start(upstream: &str, rules: impl IntoIterator<Item = Rule>) -> Self {
        let inner = Arc::new(Inner {
            upstream: upstream.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            rules: Mutex::new(rules.into_iter().map(|rule| (rule, 0)).collect()),
            seen: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let task = tokio::spawn(accept(listener, Arc::clone(&inner)));
        Self {
            address,
            inner,
            task,
        }
    }

    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that came, whatever happened to it.
    #[must_use]
    pub fn seen(&self) -> Vec<Operation> {
        self.inner
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    // Dropped with the proxy, and the connections with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&inner)));
    }
}

async fn serve(stream: TcpStream, inner: Arc<Inner>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let inner = Arc::clone(&inner);
        async move { inner.answer(request).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection closed");
    }
}

impl Inner {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Close> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Close)?.to_bytes();
        operation::name_by_body(&mut parts, &body);
        let operation = Operation::of(&parts);
        let mut close_after = false;
        let mut truncate = false;
        let mut after = None;
        for fault in self.faults(&operation) {
            match fault {
                Fault::Status(status) => return Ok(refusal(status)),
                Fault::Reset => return Err(Close),
                Fault::LoseReply => close_after = true,
                Fault::Delay(time) => tokio::time::sleep(time).await,
                Fault::Truncate => truncate = true,
                Fault::Twice => drop(self.forward(&parts, body.clone()).await?),
                Fault::Before(hook) => hook().await,
                Fault::AfterInsteadOfReply(hook) => {
                    close_after = true;
                    after = Some(hook);
                }
            }
        }
        let response = self.forward(&parts, body).await?;
        if let Some(hook) = after {
            hook().await;
        }
        if close_after {
            return Err(Close);
        }
        let (mut parts, body) = response.into_parts();
        parts.headers.remove(TRANSFER_ENCODING);
        if truncate {
            parts.headers.remove("content-length");
            let half = body.slice(..body.len() / 2);
            return Ok(Response::from_parts(parts, Full::new(half)));
        }
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    /// The faults that this request meets, in the order of their rules.
    fn faults(&self, operation: &Operation) -> Vec<Fault> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(operation.clone());
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut faults = Vec::new();
        for (rule, count) in rules.iter_mut().filter(|(rule, _)| rule.is_for(operation)) {
            *count += 1;
            if *count >= rule.nth && *count - rule.nth < rule.times {
                faults.push(rule.fault.clone());
            }
        }
        faults
    }

    async fn forward(&self, parts: &Parts, body: Bytes) -> Result<Response<Bytes>, Close> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = format!("{}{path}", self.upstream)
            .parse()
            .map_err(|_| Close)?;
        let mut request = Request::builder().method(&parts.method).uri(uri);
        for (name, value) in parts
            .headers
            .iter()
            .filter(|(name, _)| *name != TRANSFER_ENCODING)
        {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(|_| Close)?;
        let response = self.client.request(request).await.map_err(|_| Close)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| Close)?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

/// What services say in trouble; the code is one that the SDKs know.
fn refusal(status: u16) -> Response<Full<Bytes>> {
    let code = match status {
        403 => "AccessDeniedException",
        429 => "TooManyRequestsException",
        500 => "InternalFailure",
        _ => "ServiceUnavailable",
    };
    let body = format!(r#"{{"__type":"{code}","message":"injected by a test"}}"#);
    Response::builder()
        .status(status)
        .header("x-amzn-errortype", code)
        .header("x-amzn-requestid", "proxy-request")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .expect("a status and static headers make a response")
}
