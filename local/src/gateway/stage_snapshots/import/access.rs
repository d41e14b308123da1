//! Who may call a method and with what: authorizers, API keys, request validators and gateway responses of a
//! document, which `MiniStack` applies once they are made.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::super::super::openapi;
use super::super::super::{Shared, forward};
use super::fill_in;

/// What was made for an API.
pub(super) struct Access<'a> {
    shared: &'a Shared,
    api: &'a str,
    document: &'a Value,
    /// What a security scheme means for a method, by the scheme's name.
    schemes: HashMap<&'a str, Value>,
    /// The validators' ids by their names.
    validators: HashMap<&'a str, String>,
    models: AtomicUsize,
}

impl<'a> Access<'a> {
    pub(super) async fn import(
        shared: &'a Shared,
        api: &'a str,
        document: &'a Value,
        variables: &Value,
    ) -> Result<Self, forward::Error> {
        let mut access = Self {
            shared,
            api,
            document,
            schemes: HashMap::new(),
            validators: HashMap::new(),
            models: AtomicUsize::new(0),
        };
        for (name, scheme) in openapi::security_schemes(document) {
            if let Some(meaning) = access.scheme(name, scheme, variables).await? {
                access.schemes.insert(name, meaning);
            }
        }
        let validators = &document["x-amazon-apigateway-request-validators"];
        for (name, validator) in validators.as_object().into_iter().flatten() {
            let mut input = validator.clone();
            input["name"] = json!(name);
            let id = access.make("requestvalidators", &input).await?;
            access.validators.insert(name, id);
        }
        let responses = &document["x-amazon-apigateway-gateway-responses"];
        for (kind, response) in responses.as_object().into_iter().flatten() {
            let path = format!("/restapis/{api}/gatewayresponses/{kind}");
            let put = shared.ministack.call(Method::PUT, &path, Some(response));
            put.await?;
        }
        Ok(access)
    }

    /// Makes something of the API; its id.
    async fn make(&self, kind: &str, input: &Value) -> Result<String, forward::Error> {
        let path = format!("/restapis/{}/{kind}", self.api);
        let made = self.shared.ministack.call(Method::POST, &path, Some(input));
        Ok(made.await?["id"].as_str().unwrap_or_default().to_owned())
    }

    /// What a security scheme means for a method; `None` where API Gateway, too, passes it over.
    async fn scheme(
        &self,
        name: &str,
        scheme: &Value,
        variables: &Value,
    ) -> Result<Option<Value>, forward::Error> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
        let authorizer = &scheme["x-amazon-apigateway-authorizer"];
        let kind = text(&scheme["x-amazon-apigateway-authtype"]);
        if !authorizer.is_object() {
            let is_key = scheme["type"] == "apiKey" && text(&scheme["name"]) == "x-api-key";
            return Ok(match kind.as_str() {
                "awssigv4" => Some(json!({ "authorizationType": "AWS_IAM" })),
                _ if is_key => Some(json!({ "apiKeyRequired": true })),
                _ => None,
            });
        }
        let mut input = authorizer.as_object().cloned().unwrap_or_default();
        let of = text(&authorizer["type"]);
        input.insert("name".to_owned(), json!(name));
        input.insert("type".to_owned(), json!(of.to_uppercase()));
        if let Some(uri) = authorizer["authorizerUri"].as_str() {
            let uri = fill_in(uri, variables);
            input.insert("authorizerUri".to_owned(), json!(uri));
        }
        let place = if scheme["in"] == "query" {
            "querystring"
        } else {
            "header"
        };
        let field = scheme["name"].as_str().unwrap_or("Authorization");
        input
            .entry("identitySource")
            .or_insert_with(|| json!(format!("method.request.{place}.{field}")));
        let id = self.make("authorizers", &Value::Object(input)).await?;
        let kind = if of == "cognito_user_pools" {
            "COGNITO_USER_POOLS"
        } else {
            "CUSTOM"
        };
        Ok(Some(
            json!({ "authorizationType": kind, "authorizerId": id }),
        ))
    }

    /// `PutMethod`'s input for an operation.
    pub(super) async fn method(
        &self,
        item: &Value,
        operation: &Value,
    ) -> Result<Value, forward::Error> {
        let mut input = self.authorization(operation);
        let default = &self.document["x-amazon-apigateway-request-validator"];
        let validator = operation
            .get("x-amazon-apigateway-request-validator")
            .unwrap_or(default);
        let validator = validator
            .as_str()
            .and_then(|name| self.validators.get(name));
        if let Some(validator) = validator {
            input.insert("requestValidatorId".to_owned(), json!(validator));
            input.insert(
                "requestParameters".to_owned(),
                self.parameters(item, operation),
            );
            let models = self.models(item, operation).await?;
            input.insert("requestModels".to_owned(), models);
        }
        Ok(Value::Object(input))
    }

    fn authorization(&self, operation: &Value) -> Map<String, Value> {
        let mut input = Map::from_iter([("authorizationType".to_owned(), json!("NONE"))]);
        let of_operation = |key: &str| operation.get(key).unwrap_or(&self.document[key]);
        let requirements = of_operation("security").as_array().into_iter().flatten();
        for (name, scopes) in requirements.filter_map(Value::as_object).flatten() {
            let Some(meaning) = self.schemes.get(name.as_str()).and_then(Value::as_object) else {
                continue;
            };
            if meaning.contains_key("authorizationType") && input["authorizationType"] != "NONE" {
                continue; // a method has one authorizer
            }
            input.extend(meaning.clone());
            if meaning.contains_key("authorizerId")
                && scopes.as_array().is_some_and(|scopes| !scopes.is_empty())
            {
                input.insert("authorizationScopes".to_owned(), scopes.clone());
            }
        }
        let own = of_operation("x-amazon-apigateway-auth")["type"].as_str();
        if own.is_some_and(|kind| kind.eq_ignore_ascii_case("AWS_IAM")) {
            input.insert("authorizationType".to_owned(), json!("AWS_IAM"));
        }
        input
    }

    /// The parameters of an operation and of its path.
    fn described<'b>(
        &'b self,
        item: &'b Value,
        operation: &'b Value,
    ) -> impl Iterator<Item = &'b Value> {
        let document = self.document;
        [item, operation]
            .into_iter()
            .filter_map(|of| of["parameters"].as_array())
            .flatten()
            .map(move |parameter| openapi::followed(document, parameter))
    }

    /// Which parameters there are, and whether a request has to have them.
    fn parameters(&self, item: &Value, operation: &Value) -> Value {
        let mut parameters = Map::new();
        for parameter in self.described(item, operation) {
            let place = match parameter["in"].as_str() {
                Some("query") => "querystring",
                Some(place @ ("header" | "path")) => place,
                _ => continue,
            };
            let name = parameter["name"].as_str().unwrap_or_default();
            let required = parameter["required"] == true;
            parameters.insert(format!("method.request.{place}.{name}"), json!(required));
        }
        Value::Object(parameters)
    }

    /// The models of the body by content type, made for this operation.
    async fn models(&self, item: &Value, operation: &Value) -> Result<Value, forward::Error> {
        let mut schemas: Vec<(String, Value)> = Vec::new();
        for parameter in self.described(item, operation) {
            if parameter["in"] == "body" {
                schemas.push(("application/json".to_owned(), parameter["schema"].clone()));
            }
        }
        let body = openapi::followed(self.document, &operation["requestBody"]);
        for (kind, content) in body["content"].as_object().into_iter().flatten() {
            schemas.push((kind.clone(), content["schema"].clone()));
        }
        let mut models = Map::new();
        for (kind, mut schema) in schemas {
            if let Some(schema) = schema.as_object_mut() {
                // What it refers to is another member of the document.
                for key in ["definitions", "components"] {
                    if let Some(referred) = self.document.get(key) {
                        schema.insert(key.to_owned(), referred.clone());
                    }
                }
            }
            let name = format!("Body{}", self.models.fetch_add(1, Ordering::Relaxed));
            let input = json!({ "name": name, "contentType": kind, "schema": schema.to_string() });
            self.make("models", &input).await?;
            models.insert(kind, json!(name));
        }
        Ok(Value::Object(models))
    }
}
