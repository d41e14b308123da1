//! Makes an API of an OpenAPI document, call by call: `MiniStack` 1.5.33's own import knows no request
//! templates, integration responses or `x-amazon-apigateway-any-method`.

mod access;

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::super::openapi::METHODS;
use super::super::{Shared, forward};
use access::Access;

/// The API's id.
pub(super) async fn import(
    shared: &Shared,
    api: &str,
    stage: &str,
    document: &Value,
    variables: &Value,
) -> Result<String, forward::Error> {
    let ministack = &shared.ministack;
    let made = json!({
        "name": format!("{api}-{stage}-snapshot"),
        "apiKeySource": "HEADER",
        "binaryMediaTypes": document.get("x-amazon-apigateway-binary-media-types").cloned().unwrap_or_else(|| json!([])),
    });
    let made = ministack
        .call(Method::POST, "/restapis", Some(&made))
        .await?;
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    shared.snapshots.hide(&id);

    let access = Access::import(shared, &id, document, variables).await?;
    let mut tree = Tree::of(shared, &id).await?;
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let resource = tree.resource(path).await?;
        for (key, method) in METHODS {
            if let Some(operation) = item.get(key) {
                let input = access.method(item, operation).await?;
                let method = format!("/restapis/{id}/resources/{resource}/methods/{method}");
                ministack.call(Method::PUT, &method, Some(&input)).await?;
                put_integration(shared, &method, operation, variables).await?;
            }
        }
    }
    let deployment = json!({ "stageName": stage, "variables": variables });
    ministack
        .call(
            Method::POST,
            &format!("/restapis/{id}/deployments"),
            Some(&deployment),
        )
        .await?;
    Ok(id)
}

/// The API's resources by their path.
struct Tree<'a> {
    shared: &'a Shared,
    api: &'a str,
    resources: HashMap<String, String>,
}

impl<'a> Tree<'a> {
    async fn of(shared: &'a Shared, api: &'a str) -> Result<Self, forward::Error> {
        let listed = shared
            .ministack
            .call(Method::GET, &format!("/restapis/{api}/resources"), None)
            .await?;
        let items = listed
            .get("item")
            .or_else(|| listed.get("items"))
            .and_then(Value::as_array);
        let resources = items
            .into_iter()
            .flatten()
            .filter_map(|item| {
                Some((
                    item["path"].as_str()?.to_owned(),
                    item["id"].as_str()?.to_owned(),
                ))
            })
            .collect();
        Ok(Self {
            shared,
            api,
            resources,
        })
    }

    /// The resource of a path, made with all above it if need be.
    async fn resource(&mut self, path: &str) -> Result<String, forward::Error> {
        let mut parent = self.resources.get("/").cloned().unwrap_or_default();
        let mut so_far = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            so_far = format!("{so_far}/{part}");
            if let Some(found) = self.resources.get(&so_far) {
                parent.clone_from(found);
                continue;
            }
            let body = json!({ "pathPart": part });
            let made = format!("/restapis/{}/resources/{parent}", self.api);
            let made = self
                .shared
                .ministack
                .call(Method::POST, &made, Some(&body))
                .await?;
            made["id"]
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut parent);
            self.resources.insert(so_far.clone(), parent.clone());
        }
        Ok(parent)
    }
}

async fn put_integration(
    shared: &Shared,
    path: &str,
    operation: &Value,
    variables: &Value,
) -> Result<(), forward::Error> {
    let ministack = &shared.ministack;
    let Some(integration) = operation.get("x-amazon-apigateway-integration") else {
        return Ok(());
    };

    let put = format!("{path}/integration");
    ministack
        .call(
            Method::PUT,
            &put,
            Some(&integration_input(integration, variables)),
        )
        .await?;
    for (pattern, response) in integration
        .get("responses")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let status = response["statusCode"].as_str().unwrap_or("200").to_owned();
        let mut body = Map::new();
        if pattern != "default" {
            body.insert("selectionPattern".to_owned(), json!(pattern));
        }
        for key in ["responseTemplates", "responseParameters"] {
            if let Some(value) = response.get(key) {
                body.insert(key.to_owned(), value.clone());
            }
        }
        ministack
            .call(
                Method::PUT,
                &format!("{path}/responses/{status}"),
                Some(&json!({})),
            )
            .await?;
        ministack
            .call(
                Method::PUT,
                &format!("{put}/responses/{status}"),
                Some(&Value::Object(body)),
            )
            .await?;
    }
    Ok(())
}

/// `PutIntegration`'s input for an `x-amazon-apigateway-integration`.
fn integration_input(integration: &Value, variables: &Value) -> Value {
    let mut input = Map::new();
    let kind = integration["type"]
        .as_str()
        .unwrap_or_default()
        .to_uppercase();
    input.insert("type".to_owned(), json!(kind));
    if let Some(uri) = integration.get("uri").and_then(Value::as_str) {
        input.insert("uri".to_owned(), json!(fill_in(uri, variables)));
    }
    let copied = [
        "httpMethod",
        "requestTemplates",
        "requestParameters",
        "passthroughBehavior",
        "contentHandling",
    ];
    for key in copied {
        if let Some(value) = integration.get(key) {
            input.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(input)
}

/// The text with `${stageVariables.NAME}` replaced; a variable that is not set becomes nothing.
fn fill_in(text: &str, variables: &Value) -> String {
    const OPEN: &str = "${stageVariables.";
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            rest = &rest[before.len()..];
            break;
        };
        filled.push_str(variables[name].as_str().unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_variables_are_filled_into_a_uri() {
        let variables = json!({ "function": "app", "alias": "test" });
        let filled = fill_in(
            "f:${stageVariables.function}:${stageVariables.alias}/x",
            &variables,
        );
        assert_eq!(filled, "f:app:test/x");
        assert_eq!(fill_in("a${stageVariables.none}b", &variables), "ab");
        assert_eq!(
            fill_in("a${stageVariables.cut", &variables),
            "a${stageVariables.cut"
        );
    }
}
