//! What API Gateway refuses, and who it lets in.

use serde_json::{Value, json};

use crate::world::{World, document};

/// An operation that the test's function answers.
fn operation(more: &Value) -> Value {
    let mut operation = document("/x")["paths"]["/x"]["get"].clone();
    let more = more.as_object().unwrap().clone();
    operation.as_object_mut().unwrap().extend(more);
    operation
}

async fn import(world: &World, api: &str, document: &Value) -> (u16, String) {
    let path = format!("/restapis/{api}?failonwarnings=true&mode=overwrite");
    world
        .ask_api_gateway("PUT", &path, Some(document.clone()))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_and_what_only_aws_does_is_refused_by_name() {
    let world = World::start().await;
    let launch = world.launch().await;
    let api = &launch.outputs["Api"];
    let good = operation(&json!({}));
    let with = |paths: Value| json!({ "openapi": "3.0.1", "info": { "title": "a", "version": "1" }, "paths": paths });
    let siblings = with(json!({ "/user/{a}/x": { "get": good }, "/user/{b}/y": { "get": good } }));
    let mapped = json!({ "type": "mock", "responses": { "default": { "statusCode": "200",
        "responseTemplates": { "application/json": "$context.requestId" } } } });
    let mut closed = document("/x");
    closed["x-amazon-apigateway-policy"] = json!({ "Statement": [] });
    for (document, said) in [
        (siblings, "already has a variable path part"),
        (
            with(
                json!({ "/a": { "get": { "responses": {}, "x-amazon-apigateway-integration": mapped } } }),
            ),
            "GET /a: a mapping template",
        ),
        (closed, "the resource policy"),
    ] {
        let (status, body) = import(&world, api, &document).await;
        assert!(
            status == 400 && body.contains(said),
            "{said}: {status} {body}"
        );
    }
    let without = with(json!({ "/a": { "get": { "responses": {} } } }));
    assert_eq!(import(&world, api, &without).await.0, 200);
    let path = format!("/restapis/{api}/deployments");
    let (status, body) = world.ask_api_gateway("POST", &path, Some(json!({}))).await;
    assert!(
        status == 400 && body.contains("No integration defined for method"),
        "{status} {body}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_stage_is_as_closed_as_on_aws() {
    let world = World::start().await;
    let launch = world.launch().await;
    let (api, function) = (&launch.outputs["Api"], &launch.outputs["Function"]);
    world.publish_and_move(function, "test").await;
    let uri =
        document("/x")["paths"]["/x"]["get"]["x-amazon-apigateway-integration"]["uri"].clone();
    let guard = "exports.handler = async (event) => ({ principalId: 'p', policyDocument: { Version: '2012-10-17', \
                 Statement: [{ Action: 'execute-api:Invoke', Resource: event.methodArn, \
                 Effect: event.authorizationToken === 'good' ? 'Allow' : 'Deny' }] } });";
    world
        .function("guard", "nodejs22.x", "index.js", guard.as_bytes())
        .await;
    let of_guard = uri.as_str().unwrap().replace(
        "${stageVariables.function}:${stageVariables.alias}",
        "guard",
    );
    let document = json!({
        "swagger": "2.0", "info": { "title": "a", "version": "1" },
        "paths": {
            "/open": { "get": operation(&json!({})) },
            "/cognito": { "get": operation(&json!({ "security": [{ "pool": [] }] })) },
            "/guarded": { "get": operation(&json!({ "security": [{ "guard": [] }] })) },
            "/key": { "get": operation(&json!({ "security": [{ "api_key": [] }] })) },
            "/iam": { "get": operation(&json!({ "x-amazon-apigateway-auth": { "type": "AWS_IAM" } })) },
            "/checked": { "post": operation(&json!({
                "x-amazon-apigateway-request-validator": "all",
                "parameters": [
                    { "in": "query", "name": "x", "required": true, "type": "string" },
                    { "in": "body", "name": "b", "required": true, "schema": { "$ref": "#/definitions/B" } },
                ],
            })) },
        },
        "definitions": { "B": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } } },
        "x-amazon-apigateway-request-validators": { "all": { "validateRequestBody": true, "validateRequestParameters": true } },
        "securityDefinitions": {
            "pool": { "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "cognito_user_pools",
                "x-amazon-apigateway-authorizer": { "type": "cognito_user_pools",
                    "providerARNs": ["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_AbCdEfGhI"] } },
            "guard": { "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "custom",
                "x-amazon-apigateway-authorizer": { "type": "token", "authorizerUri": of_guard } },
            "api_key": { "type": "apiKey", "name": "x-api-key", "in": "header" },
        },
    });
    let (status, body) = import(&world, api, &document).await;
    assert_eq!(status, 200, "{body}");
    world.create_deployment(api, "test", function).await;

    let stage = &launch.outputs["TestApiUrl"];
    let key = world.api_key(api, "test").await;
    let signed = world.scope("execute-api");
    for (method, path, fields, expected) in [
        ("GET", "/open", vec![], 200),
        ("GET", "/cognito", vec![], 401),
        ("GET", "/cognito", vec![("authorization", "no token")], 401),
        ("GET", "/guarded", vec![], 401),
        ("GET", "/guarded", vec![("authorization", "bad")], 403),
        ("GET", "/guarded", vec![("authorization", "good")], 200),
        ("GET", "/key", vec![], 403),
        ("GET", "/key", vec![("x-api-key", "wrong")], 403),
        ("GET", "/key", vec![("x-api-key", key.as_str())], 200),
        ("GET", "/iam", vec![], 403),
        ("GET", "/iam", vec![("authorization", "Bearer x")], 403),
        ("GET", "/iam", vec![("authorization", signed.as_str())], 200),
        ("POST", "/checked", vec![], 400),
        ("POST", "/checked?x=1", vec![("body", "{}")], 400),
        ("POST", "/checked?x=1", vec![("body", "{\"id\": 1}")], 400),
        (
            "POST",
            "/checked?x=1",
            vec![("body", "{\"id\": \"1\"}")],
            200,
        ),
    ] {
        let (status, _, body) = world.ask(method, &format!("{stage}{path}"), &fields).await;
        assert_eq!(status, expected, "{method} {path} {fields:?}: {body}");
    }
    world.stop().await;
}
