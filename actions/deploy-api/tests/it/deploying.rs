//! What a stage serves after a job.

use delivery_testing::world::codepipeline::Reported;
use serde_json::json;

use crate::frame::{API, DOCUMENT, Frame, changed_document};

const TEST: &str = "api=a1b2c3&stage=test&Variable.alias=test";

#[tokio::test]
async fn a_document_is_imported_deployed_and_served() {
    let frame = Frame::start().await;
    let before = frame.world.api_gateway().api(API).stages["test"]
        .deployment
        .clone();
    let variables = frame.succeed(TEST).await;
    let apis = frame.world.api_gateway();
    let stage = &apis.api(API).stages["test"];
    assert_eq!(variables["ApiId"], API);
    assert_eq!(variables["DeploymentId"], stage.deployment);
    assert_eq!(variables["PreviousDeploymentId"], before);
    assert_eq!(
        variables["InvokeUrl"],
        "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/test"
    );
    assert_eq!(
        stage.variables,
        [("alias".to_owned(), "test".to_owned())].into()
    );
    let uri = &apis.served(API, "test").unwrap()["paths"]["/greeting"]["get"]["x-amazon-apigateway-integration"];
    assert_eq!(
        uri["uri"],
        "arn:aws:apigateway:eu-west-1:lambda:path/111122223333:${stageVariables.alias}"
    );
    drop(apis);
    assert_eq!(
        frame.changes(),
        [
            "apigateway:PutRestApi",
            "apigateway:CreateDeployment",
            "apigateway:UpdateDeployment",
            "apigateway:UpdateStage"
        ]
    );
}

#[tokio::test]
async fn the_same_document_again_changes_nothing() {
    let frame = Frame::start().await;
    let first = frame.succeed(TEST).await;
    frame.world.forget_calls();
    let again = frame.succeed(TEST).await;
    assert_eq!(again["DeploymentId"], first["DeploymentId"]);
    assert_eq!(frame.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn changed_variables_alone_are_one_update_of_the_stage() {
    let frame = Frame::start().await;
    frame.succeed(TEST).await;
    frame.world.forget_calls();
    let reported = frame
        .run("api=a1b2c3&stage=test&Variable.alias=other")
        .await;
    let Reported::Success { summary, .. } = reported else {
        panic!("{reported:?}")
    };
    assert!(
        summary.contains("with changed stage variables"),
        "{summary}"
    );
    assert_eq!(frame.changes(), ["apigateway:UpdateStage"]);
    assert_eq!(
        frame.world.api_gateway().api(API).stages["test"].variables["alias"],
        "other"
    );
}

#[tokio::test]
async fn production_serves_the_deployment_that_acceptance_tested() {
    let frame = Frame::start().await;
    let tested = frame.succeed(TEST).await;
    frame.world.forget_calls();
    let promoted = frame
        .succeed("api=a1b2c3&stage=prod&Variable.alias=prod")
        .await;
    assert_eq!(promoted["DeploymentId"], tested["DeploymentId"]);
    assert_eq!(frame.changes(), ["apigateway:UpdateStage"]);
    assert_eq!(
        frame.world.api_gateway().api(API).stages["prod"].variables["alias"],
        "prod"
    );
}

#[tokio::test]
async fn an_older_document_is_served_again_by_its_deployment() {
    let frame = Frame::start().await;
    let first = frame.succeed(TEST).await;
    frame.artifact(changed_document()).await;
    let second = frame.succeed(TEST).await;
    assert_ne!(second["DeploymentId"], first["DeploymentId"]);
    assert_eq!(second["PreviousDeploymentId"], first["DeploymentId"]);
    frame.artifact(DOCUMENT).await;
    let back = frame.succeed(TEST).await;
    assert_eq!(back["DeploymentId"], first["DeploymentId"]);
    let apis = frame.world.api_gateway();
    let response =
        &apis.served(API, "test").unwrap()["paths"]["/greeting"]["get"]["responses"]["200"];
    assert_eq!(response["description"], "ok");
}

#[tokio::test]
async fn an_api_is_found_by_its_name() {
    let frame = Frame::start().await;
    assert_eq!(frame.succeed("api=greeter&stage=test").await["ApiId"], API);
}

#[tokio::test]
async fn a_document_may_be_yaml_in_a_zip_beside_other_files() {
    let frame = Frame::start().await;
    let yaml = "swagger: '2.0'\npaths:\n  /a:\n    get:\n      responses:\n        200: {description: ok}\n      x-amazon-apigateway-integration: {type: mock}\n";
    let files = [
        ("README.md", "-"),
        ("package.json", "{}"),
        ("api/api.yaml", yaml),
        ("broken.json", "{"),
    ];
    frame.zip(&files).await;
    frame.succeed(TEST).await;
    let apis = frame.world.api_gateway();
    let expected = json!({
        "swagger": "2.0",
        "paths": {"/a": {"get": {
            "responses": {"200": {"description": "ok"}},
            "x-amazon-apigateway-integration": {"type": "mock"},
        }}},
    });
    let mut served = apis.served(API, "test").unwrap().clone();
    // What the action adds, to see later whether the API is still this import.
    let info = served.as_object_mut().unwrap().remove("info").unwrap();
    assert!(
        info["description"]
            .as_str()
            .unwrap()
            .starts_with("serverless-delivery sha256:")
    );
    assert_eq!(served, expected);
}

#[tokio::test]
async fn a_repeated_deployment_is_removed_and_a_foreign_one_is_not() {
    let frame = Frame::start().await;
    let first = frame.succeed(TEST).await;
    let mut repeated =
        frame.world.api_gateway().api(API).deployments[&first["DeploymentId"]].clone();
    repeated.created += 100;
    {
        let mut apis = frame.world.api_gateway();
        let api = apis.api_mut(API);
        api.deployments
            .insert("repeated".to_owned(), repeated.clone());
        repeated.description = "made by hand".to_owned();
        api.deployments
            .insert("foreign".to_owned(), repeated.clone());
        repeated.description = "serverless-delivery unchecked".to_owned();
        api.deployments.insert("unchecked".to_owned(), repeated);
    }
    frame.succeed(TEST).await;
    let apis = frame.world.api_gateway();
    assert!(!apis.api(API).deployments.contains_key("repeated"));
    assert!(!apis.api(API).deployments.contains_key("unchecked"));
    assert!(apis.api(API).deployments.contains_key("foreign"));
}

#[tokio::test]
async fn a_role_that_may_not_remove_deployments_is_no_reason_to_fail() {
    let frame = Frame::start().await;
    let first = frame.succeed(TEST).await;
    {
        let mut apis = frame.world.api_gateway();
        let api = apis.api_mut(API);
        let repeated = api.deployments[&first["DeploymentId"]].clone();
        api.deployments.insert("zzz-repeated".to_owned(), repeated);
    }
    frame.world.deny("apigateway:DeleteDeployment");
    assert_eq!(
        frame.succeed(TEST).await["DeploymentId"],
        first["DeploymentId"]
    );
}
