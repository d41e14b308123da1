//! The gap: `MiniStack` 1.5.33 serves an API's live resources on every stage, where AWS serves the
//! snapshot that the stage's deployment took; it puts no stage variables into integration URIs; and
//! `CreateDeployment` on a stage that exists drops its `variables`.
//!
//! A deployment of a draft keeps the document. The first request that reaches a stage with such a
//! deployment makes an API in `MiniStack` that is that document with the stage's variables filled in,
//! and goes there, like all after it. These APIs are hidden from `GetRestApis`. A stage whose deployment
//! is the template's own placeholder is served by `MiniStack` as it is.

mod import;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::{Method, Request, Response, Uri};
use serde_json::{Value, json};

use super::put_rest_api::{bad_request, refused};
use super::{Shared, forward};

/// What the deployments of all APIs are.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    documents: Mutex<Documents>,
    /// Held while an API is being made, so that it is made once.
    served: tokio::sync::Mutex<HashMap<Served, String>>,
}

#[derive(Debug, Default)]
struct Documents {
    drafts: HashMap<String, Arc<Value>>,
    /// By API and deployment.
    deployed: HashMap<(String, String), Arc<Value>>,
    hidden: HashSet<String>,
}

/// What a stage serves: another deployment or other variables are another API of `MiniStack`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Served {
    api: String,
    stage: String,
    deployment: String,
    variables: String,
}

impl Snapshots {
    pub(super) fn put_draft(&self, api: &str, document: Value) {
        self.documents()
            .drafts
            .insert(api.to_owned(), Arc::new(document));
    }

    /// Makes the draft, if there is one, the document of a deployment that a template made.
    pub(super) fn keep(&self, api: &str, deployment: &str) -> Result<(), String> {
        let mut documents = self.documents();
        let Some(draft) = documents.drafts.get(api).cloned() else {
            return Ok(());
        };
        if let Some(reason) = refused::deployment(&draft) {
            return Err(reason.to_owned());
        }
        documents
            .deployed
            .insert((api.to_owned(), deployment.to_owned()), draft);
        Ok(())
    }

    /// Keeps an API out of what `GetRestApis` lists.
    fn hide(&self, api: &str) {
        self.documents().hidden.insert(api.to_owned());
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn deployed(&self, api: &str, deployment: &str) -> Option<Arc<Value>> {
        self.documents()
            .deployed
            .get(&(api.to_owned(), deployment.to_owned()))
            .cloned()
    }
}

/// `GetRestApis` without the APIs that this file makes.
pub(super) async fn list_rest_apis(shared: &Shared, request: Request<Body>) -> Response<Body> {
    let response = shared.ministack.forward(request).await;
    if !response.status().is_success() {
        return response;
    }
    let status = response.status();
    let body = match forward::read("/restapis", response.into_body()).await {
        Ok(body) => body,
        Err(error) => return forward::bad_gateway(&error),
    };
    let mut listed: Value = serde_json::from_slice(&body).unwrap_or_default();
    let documents = shared.snapshots.documents();
    for key in ["item", "items"] {
        if let Some(apis) = listed.get_mut(key).and_then(Value::as_array_mut) {
            apis.retain(|api| {
                !api["id"]
                    .as_str()
                    .is_some_and(|id| documents.hidden.contains(id))
            });
        }
    }
    forward::json(status, &listed)
}

/// `CreateDeployment`, which takes the snapshot and sets the stage's variables.
pub(super) async fn create_deployment(
    shared: &Shared,
    api: &str,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let body = match forward::read(&path, body).await {
        Ok(body) => body,
        Err(error) => return forward::bad_gateway(&error),
    };
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let draft = shared.snapshots.documents().drafts.get(api).cloned();
    let Some(draft) = draft else {
        return shared
            .ministack
            .forward(Request::from_parts(parts, Body::from(body)))
            .await;
    };
    if let Some(reason) = refused::deployment(&draft) {
        return bad_request(reason);
    }
    match deploy(shared, api, &asked, draft).await {
        Ok(deployment) => forward::json(axum::http::StatusCode::CREATED, &deployment),
        Err(forward::Error::Refused { status, body, .. }) => {
            let mut response = forward::text(status, &body);
            let kind = axum::http::HeaderValue::from_static("NotFoundException");
            response.headers_mut().insert("x-amzn-errortype", kind);
            response
        }
        Err(error) => forward::bad_gateway(&error),
    }
}

/// Makes the deployment without a stage, keeps its document, and only then points the stage at it: so
/// no request finds a deployment whose document is not known yet.
async fn deploy(
    shared: &Shared,
    api: &str,
    asked: &Value,
    draft: Arc<Value>,
) -> Result<Value, forward::Error> {
    let ministack = &shared.ministack;
    let deployments = format!("/restapis/{api}/deployments");
    let made = json!({ "description": asked.get("description").cloned().unwrap_or_default() });
    let deployment = ministack
        .call(Method::POST, &deployments, Some(&made))
        .await?;
    let id = deployment["id"].as_str().unwrap_or_default().to_owned();
    shared
        .snapshots
        .documents()
        .deployed
        .insert((api.to_owned(), id.clone()), draft);

    let Some(stage) = asked.get("stageName").and_then(Value::as_str) else {
        return Ok(deployment);
    };
    let variables = asked
        .get("variables")
        .filter(|variables| variables.is_object())
        .cloned();
    let stage_path = format!("/restapis/{api}/stages/{stage}");
    match ministack.call(Method::GET, &stage_path, None).await {
        Ok(_) => {
            let mut operations =
                vec![json!({ "op": "replace", "path": "/deploymentId", "value": id })];
            if let Some(variables) = variables {
                operations
                    .push(json!({ "op": "replace", "path": "/variables", "value": variables }));
            }
            let patch = json!({ "patchOperations": operations });
            ministack
                .call(Method::PATCH, &stage_path, Some(&patch))
                .await?;
        }
        Err(forward::Error::Refused { .. }) => {
            let stage = json!({
                "stageName": stage,
                "deploymentId": id,
                "description": asked.get("stageDescription").cloned().unwrap_or_default(),
                "variables": variables.unwrap_or_else(|| json!({})),
            });
            ministack
                .call(
                    Method::POST,
                    &format!("/restapis/{api}/stages"),
                    Some(&stage),
                )
                .await?;
        }
        Err(error) => return Err(error),
    }
    Ok(deployment)
}

/// A request of an API's client.
pub(super) async fn execute(
    shared: &Shared,
    api: &str,
    stage: &str,
    path: &str,
    mut request: Request<Body>,
) -> Response<Body> {
    let serving = match serving_api(shared, api, stage).await {
        Ok(serving) => serving,
        Err(error) => return forward::bad_gateway(&error),
    };
    if let Some(serving) = serving {
        let query = request
            .uri()
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let uri = format!("/_aws/execute-api/{serving}/{stage}/{path}{query}");
        *request.uri_mut() = Uri::try_from(uri).expect("its parts are those of a valid path");
    }
    shared.ministack.forward(request).await
}

/// The API of `MiniStack` that serves a stage; `None` where that is the API itself.
async fn serving_api(
    shared: &Shared,
    api: &str,
    stage: &str,
) -> Result<Option<String>, forward::Error> {
    let described = match shared
        .ministack
        .call(
            Method::GET,
            &format!("/restapis/{api}/stages/{stage}"),
            None,
        )
        .await
    {
        Ok(described) => described,
        Err(forward::Error::Refused { .. }) => return Ok(None), // MiniStack says what is not there
        Err(error) => return Err(error),
    };
    let deployment = described["deploymentId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let Some(document) = shared.snapshots.deployed(api, &deployment) else {
        return Ok(None);
    };
    let variables = described.get("variables").cloned().unwrap_or_default();

    let mut served = shared.snapshots.served.lock().await;
    let key = Served {
        api: api.to_owned(),
        stage: stage.to_owned(),
        deployment,
        variables: variables.to_string(),
    };
    if let Some(serving) = served.get(&key) {
        return Ok(Some(serving.clone()));
    }
    let serving = import::import(shared, api, stage, &document, &variables).await?;
    served.insert(key, serving.clone());
    Ok(Some(serving))
}
