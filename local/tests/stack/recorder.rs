//! An engine that only writes down what it is asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

#[derive(Default)]
struct Recorded {
    calls: Vec<(String, Value)>,
    refusal: Option<(String, String)>,
}

pub(crate) struct Recorder {
    address: SocketAddr,
    recorded: Arc<Mutex<Recorded>>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let recorded = Arc::new(Mutex::new(Recorded::default()));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&recorded));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, recorded }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The input of the last call of an operation.
    pub(crate) fn last(&self, operation: &str) -> Value {
        let recorded = self.recorded.lock().unwrap();
        let call = recorded
            .calls
            .iter()
            .rev()
            .find(|(name, _)| name == operation);
        call.unwrap_or_else(|| panic!("`{operation}` was never called"))
            .1
            .clone()
    }

    /// The inputs of all calls of an operation.
    pub(crate) fn all(&self, operation: &str) -> Vec<Value> {
        let recorded = self.recorded.lock().unwrap();
        let calls = recorded.calls.iter().filter(|(name, _)| name == operation);
        calls.map(|(_, input)| input.clone()).collect()
    }

    pub(crate) fn refuse(&self, code: &str, message: &str) {
        self.recorded.lock().unwrap().refusal = Some((code.to_owned(), message.to_owned()));
    }

    pub(crate) fn accept(&self) {
        self.recorded.lock().unwrap().refusal = None;
    }
}

async fn answer(
    State(recorded): State<Arc<Mutex<Recorded>>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.split_once('.').unwrap().1.to_owned();
    let input: Value = serde_json::from_slice(&body).unwrap();
    let mut recorded = recorded.lock().unwrap();
    recorded.calls.push((operation.clone(), input.clone()));
    if let (Some((code, message)), "CreatePipeline") = (&recorded.refusal, operation.as_str()) {
        return (
            StatusCode::BAD_REQUEST,
            json!({ "__type": code, "message": message }).to_string(),
        );
    }
    let mut pipeline = input["pipeline"].clone();
    pipeline["version"] = json!(1);
    (StatusCode::OK, json!({ "pipeline": pipeline }).to_string())
}
