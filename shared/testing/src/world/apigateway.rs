//! API Gateway's control plane for REST APIs, as strict as AWS where deployments lean on it.
//!
//! A deployment is a snapshot of the definition at that moment; nothing is served before a stage
//! points at one; a deployment that a stage points at cannot be removed; a stage with a canary cannot
//! be moved; two imports into one API at once conflict. Sources: API Gateway API Reference
//! (`PutRestApi`, `CreateDeployment`, `UpdateStage`, `DeleteDeployment`), Developer Guide ("Quotas").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, ApiRequest};

/// Largest definition that is taken (Developer Guide, "Quotas": 6 MB).
const MAX_DEFINITION_BYTES: usize = 6 * 1024 * 1024;

/// What is on one page unless the caller asks for more (`API_GetDeployments`).
const DEFAULT_PAGE: usize = 25;

/// Most items on one page.
const MAX_PAGE: usize = 500;

/// All REST APIs of the account.
#[derive(Clone, Debug, Default)]
pub struct ApiGateway {
    apis: BTreeMap<String, RestApi>,
    made: u64,
}

/// One REST API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestApi {
    /// Its name; names are not unique.
    pub name: String,
    /// That of the document that was imported last.
    pub description: String,
    /// What was imported last; `None` before the first import.
    pub definition: Option<Value>,
    /// Its deployments by id.
    pub deployments: BTreeMap<String, RestDeployment>,
    /// Its stages by name.
    pub stages: BTreeMap<String, RestStage>,
}

/// A snapshot of a REST API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestDeployment {
    /// In the words of whoever made it.
    pub description: String,
    /// Seconds.
    pub created: u64,
    /// The definition at that moment.
    pub definition: Option<Value>,
}

/// A stage of a REST API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestStage {
    /// The deployment that it serves.
    pub deployment: String,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// The deployment that a canary serves.
    pub canary: Option<String>,
}

/// An answer's status and JSON body.
type Answered = Result<(u16, Value), Refused>;

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    status: u16,
    code: &'static str,
    message: String,
}

fn refused(status: u16, code: &'static str, message: impl Into<String>) -> Refused {
    Refused {
        status,
        code,
        message: message.into(),
    }
}

fn not_found(what: &str) -> Refused {
    refused(
        404,
        "NotFoundException",
        format!("Invalid {what} identifier specified"),
    )
}

fn bad_request(message: impl Into<String>) -> Refused {
    refused(400, "BadRequestException", message)
}

impl ApiGateway {
    /// Makes an API with a stage for each name; each serves one and the same placeholder.
    pub fn create(&mut self, id: &str, name: &str, stages: &[&str]) {
        let mut api = RestApi {
            name: name.to_owned(),
            ..RestApi::default()
        };
        let placeholder = self.next_id();
        let deployment = RestDeployment {
            description: "placeholder".to_owned(),
            created: self.made,
            definition: None,
        };
        api.deployments.insert(placeholder.clone(), deployment);
        for stage in stages {
            let stage_of = RestStage {
                deployment: placeholder.clone(),
                ..RestStage::default()
            };
            api.stages.insert((*stage).to_owned(), stage_of);
        }
        self.apis.insert(id.to_owned(), api);
    }

    /// An API.
    ///
    /// # Panics
    ///
    /// If there is none of this id.
    #[must_use]
    pub fn api(&self, id: &str) -> &RestApi {
        &self.apis[id]
    }

    /// An API, to be changed as someone else would.
    ///
    /// # Panics
    ///
    /// If there is none of this id.
    pub fn api_mut(&mut self, id: &str) -> &mut RestApi {
        self.apis.get_mut(id).expect("the test made this API")
    }

    /// What a stage serves: the definition in its deployment.
    ///
    /// # Panics
    ///
    /// If there is no such API or stage.
    #[must_use]
    pub fn served(&self, api: &str, stage: &str) -> Option<&Value> {
        let api = self.api(api);
        api.deployments[&api.stages[stage].deployment]
            .definition
            .as_ref()
    }

    fn next_id(&mut self) -> String {
        self.made += 1;
        // Ids do not sort by age on AWS either.
        format!("{:06x}", self.made.wrapping_mul(7_919_977) % 0xff_ffff)
    }

    /// Answers one request.
    #[must_use]
    pub fn route(&mut self, request: &ApiRequest) -> Answer {
        match self.answer(request) {
            Ok((status, Value::Null)) => Answer {
                status,
                headers: Vec::new(),
                body: Vec::new(),
            },
            Ok((status, body)) => Answer::json_with(status, &body),
            Err(Refused {
                status,
                code,
                message,
            }) => Answer::error(status, code, &message),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm an operation")]
    fn answer(&mut self, request: &ApiRequest) -> Answered {
        let operation = request.operation.name.as_str();
        let (id, third) = (request.segment(1).to_owned(), request.segment(3));
        if operation == "GetRestApis" {
            let apis = self
                .apis
                .iter()
                .map(|(id, api)| described_api(id, api))
                .collect();
            return Ok((200, page(apis, request)));
        }
        if operation == "CreateDeployment" {
            return self.create_deployment(&id, request);
        }
        let api = self.apis.get_mut(&id).ok_or_else(|| not_found("API"))?;
        match operation {
            "GetRestApi" => Ok((200, described_api(&id, api))),
            "PutRestApi" => put_rest_api(&id, api, request),
            "GetStages" => {
                let stages: Vec<_> = api
                    .stages
                    .iter()
                    .map(|(name, stage)| described_stage(name, stage))
                    .collect();
                Ok((200, json!({ "item": stages })))
            }
            "GetStage" => {
                let stage = api.stages.get(third).ok_or_else(|| not_found("stage"))?;
                Ok((200, described_stage(third, stage)))
            }
            "UpdateStage" => update_stage(api, third, request),
            "GetDeployments" => {
                let deployments = api
                    .deployments
                    .iter()
                    .map(|(id, made)| described_deployment(id, made))
                    .collect();
                Ok((200, page(deployments, request)))
            }
            "GetDeployment" => {
                let made = api
                    .deployments
                    .get(third)
                    .ok_or_else(|| not_found("Deployment"))?;
                Ok((200, described_deployment(third, made)))
            }
            "UpdateDeployment" => {
                let made = api.deployments.get_mut(third);
                let made = made.ok_or_else(|| not_found("Deployment"))?;
                let patch = &request.body["patchOperations"][0];
                if (&patch["op"], &patch["path"]) != (&json!("replace"), &json!("/description")) {
                    return Err(bad_request("Invalid patch operation specified"));
                }
                let value = patch["value"].as_str().unwrap_or_default();
                value.clone_into(&mut made.description);
                Ok((200, described_deployment(third, made)))
            }
            "DeleteDeployment" => delete_deployment(api, third),
            _ => Err(refused(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            )),
        }
    }

    fn create_deployment(&mut self, id: &str, request: &ApiRequest) -> Answered {
        let asked = &request.body;
        let made_id = self.next_id();
        let created = self.made;
        let api = self.apis.get_mut(id).ok_or_else(|| not_found("API"))?;
        if api.definition.is_none() {
            return Err(bad_request("The REST API doesn't contain any methods"));
        }
        if asked.get("canarySettings").is_some() {
            return Err(bad_request("canaries are not part of this world"));
        }
        if let Some(stage) = asked.get("stageName").and_then(Value::as_str) {
            let stage = api.stages.entry(stage.to_owned()).or_default();
            if stage.canary.is_some() {
                return Err(bad_request(
                    "a canary is on this stage: promote or delete it first",
                ));
            }
            stage.deployment.clone_from(&made_id);
        }
        let made = RestDeployment {
            description: asked["description"].as_str().unwrap_or_default().to_owned(),
            created,
            definition: api.definition.clone(),
        };
        let described = described_deployment(&made_id, &made);
        api.deployments.insert(made_id, made);
        Ok((201, described))
    }
}

fn put_rest_api(id: &str, api: &mut RestApi, request: &ApiRequest) -> Answered {
    let given = |name: &str| request.query.get(name).map(String::as_str);
    if request.bytes.len() > MAX_DEFINITION_BYTES {
        return Err(refused(
            413,
            "RequestEntityTooLargeException",
            "Request size exceeded 6291456 bytes",
        ));
    }
    let definition: Value = serde_json::from_slice(&request.bytes)
        .map_err(|error| bad_request(format!("Invalid OpenAPI input: {error}")))?;
    if definition
        .get("paths")
        .is_none_or(|paths| !paths.is_object())
    {
        return Err(bad_request("Invalid OpenAPI input: `paths` is missing"));
    }
    let warnings = warnings(&definition);
    if given("failonwarnings") == Some("true") && !warnings.is_empty() {
        return Err(bad_request(format!(
            "Warnings found during import:\n\t{}",
            warnings.join("\n\t")
        )));
    }
    if given("mode") != Some("overwrite") {
        return Err(bad_request("merging is not part of this world"));
    }
    let description = &definition["info"]["description"];
    description
        .as_str()
        .unwrap_or_default()
        .clone_into(&mut api.description);
    api.definition = Some(definition);
    let mut described = described_api(id, api);
    described["warnings"] = json!(warnings);
    Ok((200, described))
}

/// What the service says of a method that calls nothing.
fn warnings(definition: &Value) -> Vec<String> {
    const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
    let paths = definition["paths"].as_object().into_iter().flatten();
    let methods = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path, method, operation))
    });
    methods
        .filter(|(_, method, _)| METHODS.contains(&method.as_str()))
        .filter(|(_, _, operation)| operation.get("responses").is_none())
        .map(|(path, method, _)| {
            format!(
                "Unable to find responses of method '{}' of resource '{path}'",
                method.to_uppercase()
            )
        })
        .collect()
}

fn update_stage(api: &mut RestApi, name: &str, request: &ApiRequest) -> Answered {
    let mut stage = api
        .stages
        .get(name)
        .ok_or_else(|| not_found("stage"))?
        .clone();
    for operation in request.body["patchOperations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let path = operation["path"].as_str().unwrap_or_default();
        let value = operation["value"].as_str().unwrap_or_default();
        if operation["op"] != "replace" {
            return Err(bad_request("Invalid patch operation specified"));
        }
        if path == "/deploymentId" {
            if stage.canary.is_some() {
                return Err(bad_request(
                    "a canary is on this stage: promote or delete it first",
                ));
            }
            if !api.deployments.contains_key(value) {
                return Err(bad_request("Deployment id does not exist"));
            }
            value.clone_into(&mut stage.deployment);
        } else if let Some(variable) = path.strip_prefix("/variables/") {
            let plain = |text: &str, signs: &str| {
                !text.is_empty()
                    && text
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
            };
            if !plain(variable, "_") || !plain(value, "-._~:/?#&=,") {
                return Err(bad_request(format!(
                    "Invalid stage variable value: {value}"
                )));
            }
            stage
                .variables
                .insert(variable.to_owned(), value.to_owned());
        } else {
            return Err(bad_request(format!("Invalid patch path {path}")));
        }
    }
    let described = described_stage(name, &stage);
    api.stages.insert(name.to_owned(), stage);
    Ok((200, described))
}

fn delete_deployment(api: &mut RestApi, id: &str) -> Answered {
    let active = |stage: &RestStage| stage.deployment == id || stage.canary.as_deref() == Some(id);
    if api.stages.values().any(active) {
        let message = "Active stages pointing to this deployment must be moved or deleted";
        return Err(bad_request(message));
    }
    api.deployments
        .remove(id)
        .ok_or_else(|| not_found("Deployment"))?;
    Ok((202, Value::Null))
}

fn described_api(id: &str, api: &RestApi) -> Value {
    json!({ "id": id, "name": api.name, "description": api.description, "apiStatus": "AVAILABLE" })
}

fn described_stage(name: &str, stage: &RestStage) -> Value {
    let mut described = json!({ "stageName": name, "deploymentId": stage.deployment, "variables": stage.variables });
    if let Some(canary) = &stage.canary {
        described["canarySettings"] = json!({ "deploymentId": canary, "percentTraffic": 10.0 });
    }
    described
}

fn described_deployment(id: &str, made: &RestDeployment) -> Value {
    json!({ "id": id, "description": made.description, "createdDate": made.created })
}

/// One page of a list, as `limit` and `position` ask.
fn page(items: Vec<Value>, request: &ApiRequest) -> Value {
    let number = |name: &str| {
        request
            .query
            .get(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let start = number("position").unwrap_or(0);
    let limit = number("limit").unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let more = items.len() > start + limit;
    let mut page = json!({ "item": items.into_iter().skip(start).take(limit).collect::<Vec<_>>() });
    if more {
        page["position"] = json!((start + limit).to_string());
    }
    page
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::Request;

    use super::*;
    use crate::operation::Operation;

    fn world() -> ApiGateway {
        let mut apis = ApiGateway::default();
        apis.create("a1", "greeter", &["test"]);
        apis
    }

    fn ask(apis: &mut ApiGateway, method: &str, uri: &str, body: &str) -> Answered {
        let signed = "AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/apigateway/aws4_request, x";
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", signed);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let body = Bytes::from(body.to_owned());
        apis.answer(&ApiRequest::new(Operation::of(&parts), &parts, body))
    }

    const DEFINITION: &str = r#"{"openapi": "3.0.1", "paths": {"/a": {"get": {"responses": {}}}}}"#;

    fn put(apis: &mut ApiGateway, body: &str) -> Answered {
        ask(
            apis,
            "PUT",
            "/restapis/a1?mode=overwrite&failonwarnings=true",
            body,
        )
    }

    #[test]
    fn nothing_is_served_before_a_stage_is_moved() {
        let mut apis = world();
        assert_eq!(
            ask(&mut apis, "POST", "/restapis/a1/deployments", "{}")
                .unwrap_err()
                .message,
            "The REST API doesn't contain any methods"
        );
        put(&mut apis, DEFINITION).unwrap();
        let (_, made) = ask(&mut apis, "POST", "/restapis/a1/deployments", "{}").unwrap();
        assert_eq!(apis.served("a1", "test"), None);
        let patch = json!({"patchOperations": [{"op": "replace", "path": "/deploymentId", "value": made["id"]}]});
        ask(
            &mut apis,
            "PATCH",
            "/restapis/a1/stages/test",
            &patch.to_string(),
        )
        .unwrap();
        assert_eq!(apis.served("a1", "test").unwrap()["openapi"], "3.0.1");
    }

    #[test]
    fn a_deployment_that_is_served_cannot_be_removed() {
        let mut apis = world();
        let id = apis.api("a1").stages["test"].deployment.clone();
        let refused = ask(
            &mut apis,
            "DELETE",
            &format!("/restapis/a1/deployments/{id}"),
            "",
        )
        .unwrap_err();
        assert_eq!(refused.status, 400);
        let gone = ask(&mut apis, "DELETE", "/restapis/a1/deployments/none", "").unwrap_err();
        assert_eq!(gone.code, "NotFoundException");
    }

    #[test]
    fn a_warning_changes_nothing() {
        let mut apis = world();
        let refused = put(&mut apis, r#"{"paths": {"/a": {"get": {}}}}"#).unwrap_err();
        assert_eq!(
            refused.message,
            "Warnings found during import:\n\tUnable to find responses of method 'GET' of resource '/a'"
        );
        assert_eq!(apis.api("a1").definition, None);
    }

    #[test]
    fn a_list_comes_in_pages() {
        let mut apis = world();
        put(&mut apis, DEFINITION).unwrap();
        for _ in 0..3 {
            ask(&mut apis, "POST", "/restapis/a1/deployments", "{}").unwrap();
        }
        let (_, first) = ask(&mut apis, "GET", "/restapis/a1/deployments?limit=3", "").unwrap();
        assert_eq!(
            (first["item"].as_array().unwrap().len(), &first["position"]),
            (3, &json!("3"))
        );
        let (_, last) = ask(
            &mut apis,
            "GET",
            "/restapis/a1/deployments?limit=3&position=3",
            "",
        )
        .unwrap();
        assert_eq!(
            (last["item"].as_array().unwrap().len(), last.get("position")),
            (1, None)
        );
    }
}
