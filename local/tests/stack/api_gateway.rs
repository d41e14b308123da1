//! Calls of the API Gateway API.

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::World;

impl World {
    /// An API key that a usage plan lets into a stage; its value.
    pub(crate) async fn api_key(&self, api: &str, stage: &str) -> String {
        let make =
            async |path: &str, input: Value| self.api_gateway("POST", path, Some(input)).await;
        let key = make("/apikeys", json!({ "name": "key", "enabled": true })).await;
        let stages = json!([{ "apiId": api, "stage": stage }]);
        let plan = make(
            "/usageplans",
            json!({ "name": "plan", "apiStages": stages }),
        )
        .await;
        let keys = format!("/usageplans/{}/keys", plan["id"].as_str().unwrap());
        make(&keys, json!({ "keyId": key["id"], "keyType": "API_KEY" })).await;
        key["value"].as_str().unwrap().to_owned()
    }

    /// A call of the API Gateway API.
    pub(crate) async fn ask_api_gateway(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, String) {
        let scope = self.scope("apigateway");
        let request = axum::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.aws.endpoint()))
            .header("authorization", scope)
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap();
        let response = self.http.request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    pub(crate) async fn put_rest_api(&self, api: &str, document: &Value) {
        let path = format!("/restapis/{api}?failonwarnings=true&mode=overwrite");
        assert_eq!(
            self.api_gateway("PUT", &path, Some(document.clone())).await["id"],
            api
        );
    }

    pub(crate) async fn create_deployment(&self, api: &str, stage: &str, function: &str) {
        let body =
            json!({ "stageName": stage, "variables": { "function": function, "alias": stage } });
        let made = self
            .api_gateway("POST", &format!("/restapis/{api}/deployments"), Some(body))
            .await;
        let found = self
            .api_gateway("GET", &format!("/restapis/{api}/stages/{stage}"), None)
            .await;
        assert_eq!(found["deploymentId"], made["id"]);
    }

    /// A deployment without a stage, and the stage moved onto it with its variables.
    pub(crate) async fn move_stage(&self, api: &str, stage: &str, function: &str, alias: &str) {
        let described = json!({ "description": "moved" });
        let deployments = format!("/restapis/{api}/deployments");
        let made = self
            .api_gateway("POST", &deployments, Some(described))
            .await;
        let replace =
            |path: &str, value: &str| json!({ "op": "replace", "path": path, "value": value });
        let operations = json!({ "patchOperations": [
            replace("/deploymentId", made["id"].as_str().unwrap()),
            replace("/variables/function", function),
            replace("/variables/alias", alias),
        ] });
        let path = format!("/restapis/{api}/stages/{stage}");
        self.api_gateway("PATCH", &path, Some(operations)).await;
    }

    pub(crate) async fn rest_apis(&self) -> Vec<String> {
        let listed = self.api_gateway("GET", "/restapis", None).await;
        let items = listed
            .get("item")
            .or_else(|| listed.get("items"))
            .unwrap()
            .as_array()
            .unwrap();
        items
            .iter()
            .map(|api| api["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A call of the API Gateway API that succeeds.
    async fn api_gateway(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, body) = self.ask_api_gateway(method, path, body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {body}"
        );
        serde_json::from_str(&body).unwrap()
    }
}
