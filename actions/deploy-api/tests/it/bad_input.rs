//! What a job says of what it cannot use; nothing is changed by it.

use insta::assert_snapshot;

use crate::frame::{API, DOCUMENT, Frame};

const PARAMETERS: &str = "api=a1b2c3&stage=test";

async fn failed(frame: &Frame, parameters: &str) -> String {
    let message = frame.fail(parameters).await;
    assert_eq!(frame.changes(), Vec::<String>::new());
    message
}

#[tokio::test]
async fn an_artifact_that_is_not_there() {
    let frame = Frame::start().await;
    frame.world.bucket("store").delete("p/Swagger/x").await;
    let message = failed(&frame, PARAMETERS).await;
    let first = "RevisionUnavailable: input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`) does not exist";
    assert!(message.starts_with(first), "{message}");
}

#[tokio::test]
async fn a_zip_without_a_document() {
    let frame = Frame::start().await;
    frame
        .zip(&[("package.json", "{}"), ("README.md", "openapi")])
        .await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`) contains no OpenAPI document
    hint: make the artifact a `.json`, `.yaml` or `.yml` file with the key `openapi` or `swagger`, or a zip with one such file
    ");
}

#[tokio::test]
async fn a_zip_with_two_documents() {
    let frame = Frame::start().await;
    frame
        .zip(&[("b/api.yml", "openapi: 3.0.1"), ("a.json", DOCUMENT)])
        .await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`) contains 2 OpenAPI documents: `a.json`, `b/api.yml`
    hint: leave only one document in the artifact
    ");
}

#[tokio::test]
async fn a_zip_whose_only_document_is_broken() {
    let frame = Frame::start().await;
    frame.zip(&[("api.json", "{\"openapi\":\n oops}")]).await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: cannot parse `api.json` of input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`): JSON: expected value at line 2 column 2
    hint: fix the document in the source
    ");
}

#[tokio::test]
async fn a_damaged_zip() {
    let frame = Frame::start().await;
    frame.artifact(b"PK\x03\x04 and no more".to_vec()).await;
    let message = failed(&frame, PARAMETERS).await;
    assert!(
        message.contains("artifact `DistSwaggerOutput`"),
        "{message}"
    );
}

#[tokio::test]
async fn broken_yaml() {
    let frame = Frame::start().await;
    frame.artifact("openapi: [3.0.1\npaths: {}\n").await;
    let message = failed(&frame, PARAMETERS).await;
    assert!(
        message.starts_with(
            "JobFailed: cannot parse input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`)"
        ),
        "{message}"
    );
    assert!(message.contains(": YAML: "), "{message}");
}

#[tokio::test]
async fn a_file_that_is_no_text() {
    let frame = Frame::start().await;
    frame.artifact(vec![0xff, 0xfe, 0, 1]).await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: cannot parse input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`): not UTF-8 text
    hint: fix the document in the source
    ");
}

#[tokio::test]
async fn a_file_that_is_something_else() {
    let frame = Frame::start().await;
    frame.artifact("name: greeter\n").await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`) is not an OpenAPI document: it has neither `openapi` nor `swagger`
    hint: in the action that makes the artifact, name the OpenAPI document's path
    ");
}

#[tokio::test]
async fn an_unknown_pseudo_parameter() {
    let frame = Frame::start().await;
    frame
        .artifact(DOCUMENT.replace("AWS::Region", "AWS::StackName"))
        .await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`) uses the unknown pseudo parameter `${AWS::StackName}`
    hint: use `${AWS::Region}`, `${AWS::AccountId}`, `${AWS::Partition}` or a stage variable
    ");
}

#[tokio::test]
async fn a_document_larger_than_api_gateway_takes() {
    let frame = Frame::start().await;
    frame
        .artifact(DOCUMENT.replace("greeter", &"x".repeat(6 * 1024 * 1024)))
        .await;
    let message = failed(&frame, PARAMETERS).await;
    assert!(
        message.contains("bytes; the limit is 6291456\nhint: shorten the document"),
        "{message}"
    );
}

#[tokio::test]
async fn an_api_that_does_not_exist() {
    let frame = Frame::start().await;
    assert_snapshot!(failed(&frame, "api=nothere&stage=test").await, @"
    ConfigurationError: no API has the id or name `nothere`
    hint: correct `api` in the action's `UserParameters`
    ");
}

#[tokio::test]
async fn a_name_that_several_apis_have() {
    let frame = Frame::start().await;
    frame.world.api_gateway().create("z9", "greeter", &["test"]);
    assert_snapshot!(failed(&frame, "api=greeter&stage=test").await, @"
    ConfigurationError: 2 APIs have the name `greeter`: `a1b2c3`, `z9`
    hint: set `api` in `UserParameters` to the id instead of the name
    ");
}

#[tokio::test]
async fn a_stage_that_does_not_exist() {
    let frame = Frame::start().await;
    assert_snapshot!(failed(&frame, "api=a1b2c3&stage=staging").await, @"
    ConfigurationError: API `a1b2c3` has no stage `staging`; its stages are `prod`, `test`
    hint: correct `stage` in the action's `UserParameters`, or create the stage in the stack
    ");
}

#[tokio::test]
async fn a_canary_of_someone_else() {
    let frame = Frame::start().await;
    {
        let mut apis = frame.world.api_gateway();
        let stage = apis.api_mut(API).stages.get_mut("test").unwrap();
        stage.deployment = "d1".to_owned();
        stage.canary = Some("d2".to_owned());
    }
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    RevisionOutOfSync: stage `test` of API `a1b2c3` serves deployment `d1` with a canary of deployment `d2`
    hint: promote or remove the canary, then retry the stage
    ");
}

#[tokio::test]
async fn an_unknown_key() {
    let frame = Frame::start().await;
    assert_snapshot!(failed(&frame, "api=a1b2c3&stage=test&stages=prod").await, @"
    ConfigurationError: `UserParameters` has an unknown key `stages`; known keys are `api`, `stage`, `revision`, `digest`, `Variable.NAME`, `pipeline`, `execution`, `releases`
    hint: correct or remove the key in the action's `UserParameters`
    ");
}

#[tokio::test]
async fn what_the_document_alone_tells_is_refused_with_its_place() {
    let frame = Frame::start().await;
    let integration = r#"{"uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/${F.Arn}/invocations"}}"#;
    frame
        .artifact(format!(
            r#"{{"openapi": "3.0.1", "paths": {{"/a": {{"get": {{"responses": {{}}, "x-amazon-apigateway-integration": {integration}}}, "put": {{"responses": {{}}}}}}}}}}"#
        ))
        .await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: API Gateway would refuse input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`): `paths./a.get.x-amazon-apigateway-integration.uri` is the CloudFormation function `Fn::Sub`, which is not resolved here: use `${AWS::Region}`, `${AWS::AccountId}` and stage variables; `paths./a.put` has no `x-amazon-apigateway-integration`
    hint: fix the document in the source; nothing was changed
    ");
}

#[tokio::test]
async fn what_yaml_leaves_of_a_tag_is_refused_in_a_file_of_a_zip() {
    let frame = Frame::start().await;
    let yaml = "openapi: 3.0.1\npaths:\n  /a:\n    get:\n      responses: {}\n      x-amazon-apigateway-integration:\n        uri: !Sub \"arn:aws:apigateway:${AWS::Region}:lambda:path/${F.Arn}/invocations\"\n";
    frame.zip(&[("api.yaml", yaml)]).await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: API Gateway would refuse `api.yaml` of input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`): nothing replaces `${F.Arn}` in `paths./a.get.x-amazon-apigateway-integration.uri`: use a stage variable, `${stageVariables.NAME}`
    hint: fix the document in the source; nothing was changed
    ");
}

#[tokio::test]
async fn another_artifact_than_the_tested_one() {
    let frame = Frame::start().await;
    let tested = delivery_action::artifact::Digest::of(&b"the tested one"[..]).unwrap();
    let found = delivery_action::artifact::Digest::of(DOCUMENT.as_bytes()).unwrap();
    let message = failed(&frame, &format!("{PARAMETERS}&digest={tested}")).await;
    let expected = format!(
        "RevisionUnavailable: input artifact `DistSwaggerOutput` (`s3://store/p/Swagger/x`) is not the one that \
         was built and tested: its digest is {found}, not {tested}\n"
    );
    assert!(message.starts_with(&expected), "{message}");
    frame.succeed(&format!("{PARAMETERS}&digest={found}")).await;
}

#[tokio::test]
async fn an_import_with_warnings() {
    let frame = Frame::start().await;
    frame
        .artifact(r#"{"openapi": "3.0.1", "paths": {"/a": {"get": {"x-amazon-apigateway-integration": {}}}}}"#)
        .await;
    assert_snapshot!(frame.fail(PARAMETERS).await, @"
    JobFailed: API Gateway rejected the document for API `a1b2c3`; nothing was changed: `apigateway:PUT` on `arn:aws:apigateway:eu-west-1::/restapis/a1b2c3` failed: BadRequestException: Warnings found during import:
    	Unable to find responses of method 'GET' of resource '/a' (request id world-request)
    hint: fix what API Gateway names in the document; warnings count, too
    ");
    assert_eq!(frame.world.api_gateway().api(API).definition, None);
}

#[tokio::test]
async fn access_denied_names_the_permission() {
    let frame = Frame::start().await;
    frame.world.deny("apigateway:PutRestApi");
    assert_snapshot!(frame.fail(PARAMETERS).await, @"
    PermissionError: cannot import the document into API `a1b2c3`: `apigateway:PUT` on `arn:aws:apigateway:eu-west-1::/restapis/a1b2c3` failed: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/r/f is not authorized to perform: apigateway:PutRestApi because no identity-based policy allows the action (request id world-request)
    hint: allow `apigateway:PUT` on `arn:aws:apigateway:eu-west-1::/restapis/a1b2c3` for this function's role
    ");
    assert_eq!(frame.changes(), ["apigateway:PutRestApi"]);
}
