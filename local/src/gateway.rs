//! The one endpoint of the local AWS: an HTTP server on the loopback interface, in front of `MiniStack`.
//!
//! It forwards every request to `MiniStack` unchanged, with three exceptions. Calls of the CodePipeline API go to the
//! engine, those of the CodeDeploy API to [`crate::codedeploy`]. What AWS does and `MiniStack` does not (a "gap") is done here, in one file for each gap, named after it.

mod admin;
mod authentication;
mod codedeploy;
mod connections;
mod default_kms_key;
mod forward;
mod openapi;
mod pipeline_resource;
mod put_rest_api;
mod record;
mod stage_snapshots;
mod website;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, Response, StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::access::{self, KeySuffix};
use crate::codedeploy::CodeDeploy;
use crate::ministack::Secret;
use crate::{api, listen};
use forward::Upstream;
use stage_snapshots::Snapshots;
use website::Websites;

/// The path below which the gateway answers for itself.
const ADMIN_PATH: &str = "/_delivery/";

/// What the path of a request to an API begins with.
const EXECUTE_PATH: &str = "/_aws/execute-api/";

/// A loopback address that is bound but not served yet: `MiniStack` must know the gateway's
/// endpoint before it can be started, and the gateway `MiniStack`'s.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Takes a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn new() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The endpoint that clients will use.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Begins to answer those who have one of these keys, with `MiniStack` behind it. What is installed once goes into
    /// `home`; a minute of CodeDeploy lasts as long as said.
    #[must_use]
    pub fn serve(
        self,
        ministack: SocketAddr,
        secret: &Secret,
        keys: KeySuffix,
        home: PathBuf,
        code_deploy_minute: Duration,
    ) -> Gateway {
        let endpoint = self.endpoint();
        let shared = Arc::new(Shared {
            ministack: Upstream::new(ministack, vec![secret.header()]),
            secret: secret.clone(),
            keys,
            home,
            codepipeline: OnceLock::new(),
            codedeploy: Arc::new(CodeDeploy::new(endpoint.clone(), code_deploy_minute)),
            snapshots: Snapshots::default(),
            websites: Websites::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(listen::serve(self.listener, router));
        Gateway {
            endpoint,
            shared,
            task,
        }
    }
}

/// The running gateway; it stops answering when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    endpoint: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// The endpoint: `AWS_ENDPOINT_URL` of whoever wants to reach the local AWS.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends the calls of the CodePipeline API there from now on; only the first call counts.
    pub fn route_codepipeline(&self, address: SocketAddr) {
        // A second engine would be a programming error that the first one outlives.
        let upstream = Upstream::new(address, Vec::new());
        drop(self.shared.codepipeline.set(upstream));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.websites.close();
        self.shared.codedeploy.close();
    }
}

/// What every request may need.
#[derive(Debug)]
struct Shared {
    ministack: Upstream,
    secret: Secret,
    keys: KeySuffix,
    /// Where what is installed once is.
    home: PathBuf,
    codepipeline: OnceLock<Upstream>,
    codedeploy: Arc<CodeDeploy>,
    snapshots: Snapshots,
    websites: Websites,
}

/// Who answers a request.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    CodePipeline,
    CodeConnections {
        operation: String,
    },
    CodeDeploy {
        operation: String,
    },
    Admin,
    ListRestApis,
    PutRestApi {
        api: String,
    },
    CreateDeployment {
        api: String,
    },
    /// A request of an API's client.
    Execute {
        api: String,
        stage: String,
        path: String,
    },
    MiniStack,
}

impl Route {
    fn of<B>(request: &Request<B>) -> Self {
        if api::is_for_codepipeline(request.uri().path(), request.headers()) {
            return Self::CodePipeline;
        }
        if let Some(operation) = connections::operation(request) {
            return Self::CodeConnections { operation };
        }
        if let Some(operation) = codedeploy::operation(request) {
            return Self::CodeDeploy { operation };
        }
        let path = request.uri().path();
        if path.starts_with(ADMIN_PATH) {
            return Self::Admin;
        }
        if let Some(rest) = path.strip_prefix(EXECUTE_PATH) {
            let mut parts = rest.splitn(3, '/').map(ToOwned::to_owned);
            let api = parts.next().unwrap_or_default();
            let stage = parts.next().unwrap_or_default();
            return Self::Execute {
                api,
                stage,
                path: parts.next().unwrap_or_default(),
            };
        }
        if is_signed_for(request, "apigateway") {
            return Self::of_rest_api(request.method(), path);
        }
        Self::MiniStack
    }

    fn of_rest_api(method: &Method, path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["restapis"]) => Self::ListRestApis,
            ("PUT", ["restapis", api]) => Self::PutRestApi {
                api: (*api).to_owned(),
            },
            ("POST", ["restapis", api, "deployments"]) => Self::CreateDeployment {
                api: (*api).to_owned(),
            },
            _ => Self::MiniStack,
        }
    }
}

/// The address of an API, of which a template leaves out the last `/`: on AWS it is a host, and clients send `/` to it.
fn with_root(uri: &Uri) -> Option<Uri> {
    let api = uri.path().strip_prefix(EXECUTE_PATH)?;
    if api.is_empty() || api.contains('/') {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}"));
    format!("{}/{}", uri.path(), query.unwrap_or_default())
        .parse()
        .ok()
}

/// Whether the request's signature is for a service: a bucket may be called `restapis`, too.
fn is_signed_for<B>(request: &Request<B>, service: &str) -> bool {
    let authorization = request.headers().get(header::AUTHORIZATION);
    authorization
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains(&format!("/{service}/aws4_request")))
}

async fn answer(State(shared): State<Arc<Shared>>, mut request: Request<Body>) -> Response<Body> {
    let shared = shared.as_ref();
    if !access::is_local(request.headers()) {
        return forward::text(
            StatusCode::FORBIDDEN,
            "the local AWS accepts requests only from programs on this machine and from its own pages",
        );
    }
    if let Some(uri) = with_root(request.uri()) {
        *request.uri_mut() = uri;
    }
    let route = Route::of(&request);
    if !authentication::is_public(&route, &request) {
        let checked = match route {
            // Only `MiniStack` sends these; they need its secret instead of a key.
            Route::Admin => authentication::check_secret(&shared.secret, request.headers()),
            _ => shared.keys.check(request.headers(), request.uri()),
        };
        if let Err(denied) = checked {
            return authentication::refusal(denied, &request);
        }
    }
    record::request(&request);
    default_kms_key::name(request.headers_mut());
    match route {
        Route::CodePipeline => match shared.codepipeline.get() {
            Some(engine) => engine.forward(request).await,
            None => api::unavailable(request.headers(), "no CodePipeline engine is running yet"),
        },
        Route::CodeConnections { operation } => connections::answer(&operation, request).await,
        Route::CodeDeploy { operation } => codedeploy::answer(shared, &operation, request).await,
        Route::Admin => admin::answer(shared, request).await,
        Route::ListRestApis => stage_snapshots::list_rest_apis(shared, request).await,
        Route::PutRestApi { api } => put_rest_api::answer(shared, &api, request).await,
        Route::CreateDeployment { api } => {
            stage_snapshots::create_deployment(shared, &api, request).await
        }
        Route::Execute { api, stage, path } => {
            stage_snapshots::execute(shared, &api, &stage, &path, request).await
        }
        Route::MiniStack => {
            let asked = api::Protocol::of(request.headers());
            let path = request.uri().path().to_owned();
            api::in_protocol(asked, &path, shared.ministack.forward(request).await)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, service: &str) -> Request<()> {
        let scope =
            format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request");
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", scope)
            .body(())
            .unwrap()
    }

    #[test]
    fn a_bucket_called_restapis_stays_with_ministack() {
        assert_eq!(
            Route::of(&request("PUT", "/restapis/key", "s3")),
            Route::MiniStack
        );
        let api = "key".to_owned();
        assert_eq!(
            Route::of(&request("PUT", "/restapis/key", "apigateway")),
            Route::PutRestApi { api }
        );
    }

    #[test]
    fn calls_of_the_codepipeline_api_go_to_the_engine() {
        let mut request = request("POST", "/", "codepipeline");
        let target = "CodePipeline_20150709.GetPipeline".parse().unwrap();
        request.headers_mut().insert("x-amz-target", target);
        assert_eq!(Route::of(&request), Route::CodePipeline);
    }

    #[test]
    fn an_api_s_address_without_a_path_is_its_root() {
        let root = |text: &str| with_root(&text.parse().unwrap()).map(|uri| uri.to_string());
        let api = "/_aws/execute-api/abc";
        assert_eq!(root(api), Some(format!("{api}/")));
        assert_eq!(root(&format!("{api}?a=b")), Some(format!("{api}/?a=b")));
        for other in [format!("{api}/"), format!("{api}/test"), "/abc".to_owned()] {
            assert_eq!(root(&other), None, "{other}");
        }
    }

    #[test]
    fn a_request_of_an_api_client_keeps_the_rest_of_its_path() {
        let route = Route::of(&request("GET", "/_aws/execute-api/abc/test/a/b%20c", "s3"));
        let (api, stage) = ("abc".to_owned(), "test".to_owned());
        assert_eq!(
            route,
            Route::Execute {
                api,
                stage,
                path: "a/b%20c".to_owned()
            }
        );
    }
}
