//! What the API refuses.

use serde_json::{Value, json};

use crate::test_engine::{TestEngine, approval_action, lambda_action, pipeline};

#[tokio::test]
async fn a_page_of_another_host_is_not_served() {
    let engine = TestEngine::start().await;
    let headers = [
        ("x-amz-target", "CodePipeline_20150709.ListPipelines"),
        ("host", "attacker.example"),
    ];
    let (status, body) = engine.request(&headers, "{}".to_owned()).await;
    assert_eq!(
        (status, &body["__type"]),
        (403, &json!("AccessDeniedException"))
    );
}

#[tokio::test]
async fn an_unknown_operation_and_an_unreadable_body_are_named() {
    let engine = TestEngine::start().await;
    assert_eq!(
        engine.refused("PollForJobs", &json!({})).await,
        "UnknownOperationException"
    );
    let headers = [("x-amz-target", "CodePipeline_20150709.ListPipelines")];
    let (status, body) = engine.request(&headers, "{".to_owned()).await;
    assert_eq!(
        (status, &body["__type"]),
        (400, &json!("SerializationException"))
    );
}

async fn create_refused(engine: &TestEngine, change: impl FnOnce(&mut Value)) -> (String, String) {
    let stages = [
        ("Commit", vec![lambda_action("a", 1), lambda_action("b", 2)]),
        ("Approval", vec![approval_action("Sign")]),
    ];
    let mut declaration = pipeline("p", &stages);
    change(&mut declaration);
    let (status, body) = engine
        .call("CreatePipeline", &json!({"pipeline": declaration}))
        .await;
    assert_eq!(status, 400, "{body}");
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("__type"), text("message"))
}

#[tokio::test]
async fn a_provider_that_is_not_served_is_refused_by_name() {
    let engine = TestEngine::start().await;
    let refused = create_refused(&engine, |pipeline| {
        pipeline["stages"][1]["actions"][1]["actionTypeId"] =
            json!({"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"});
    })
    .await;
    assert_eq!(
        refused,
        (
            "InvalidActionDeclarationException".to_owned(),
            "not supported by the local engine: action `b` of stage `Commit`: the provider \
             Build/AWS/CodeBuild/1. It supports the providers Source/AWS/CodeStarSourceConnection/1 (as \
             CODE_ZIP), Invoke/AWS/Lambda/1, Compute/AWS/Commands/1 (with variables of the type \
             PLAINTEXT) and Approval/AWS/Manual/1 in its own region `us-east-1`, and of a stage's conditions only `onFailure` with the result `RETRY`; remove what it does not support"
                .to_owned()
        )
    );
    let none = engine.call("ListPipelines", &json!({})).await.1;
    assert_eq!(none, json!({"pipelines": []}), "nothing was created");
}

#[tokio::test]
async fn structures_that_the_service_does_not_take_are_refused() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 18] = [
        (
            "InvalidStructureException",
            |p| drop(p["stages"].as_array_mut().unwrap().drain(1..)),
            "a minimum of 2 stages",
        ),
        (
            "InvalidStructureException",
            |p| p["stages"][2]["name"] = json!("Commit"),
            "two stages have the name `Commit`",
        ),
        (
            "InvalidStageDeclarationException",
            |p| p["stages"][1]["actions"][1]["name"] = json!("a"),
            "two actions have the name `a`",
        ),
        (
            "InvalidStructureException",
            |p| p["stages"].as_array_mut().unwrap().swap(0, 1),
            "can have only source actions",
        ),
        (
            "InvalidStructureException",
            |p| p["stages"][1]["actions"][0]["inputArtifacts"] = json!([{"name": "Nowhere"}]),
            "needs the artifact `Nowhere`",
        ),
        (
            "InvalidStructureException",
            |p| p["stages"][1]["actions"][0]["outputArtifacts"] = json!([{"name": "SourceOutput"}]),
            "two actions produce the artifact `SourceOutput`",
        ),
        (
            "InvalidActionDeclarationException",
            |p| p["stages"][1]["actions"][0]["namespace"] = json!("SourceVariables"),
            "Namespaces must be unique",
        ),
        (
            "InvalidStructureException",
            |p| p["stages"][1]["actions"][0]["namespace"] = json!("codepipeline"),
            "is reserved",
        ),
        (
            "InvalidStructureException",
            |p| {
                p["pipelineType"] = json!("V1");
                p["executionMode"] = json!("QUEUED");
            },
            "`executionMode` needs `pipelineType` `V2`",
        ),
        (
            "InvalidStructureException",
            |p| p["artifactStore"] = Value::Null,
            "`artifactStore`",
        ),
        (
            "InvalidActionDeclarationException",
            |p| p["stages"][1]["actions"][0]["configuration"] = json!({}),
            "no `FunctionName`",
        ),
        (
            "InvalidActionDeclarationException",
            |p| p["stages"][1]["actions"][0]["configuration"]["Timeout"] = json!("5"),
            "does not know the configuration key `Timeout`",
        ),
        (
            "InvalidActionDeclarationException",
            |p| p["stages"][1]["actions"][0]["timeoutInMinutes"] = json!(5),
            "only a manual approval",
        ),
        (
            "InvalidActionDeclarationException",
            |p| p["stages"][1]["actions"][0]["region"] = json!("eu-west-1"),
            "its own region",
        ),
        (
            "InvalidStageDeclarationException",
            |p| p["stages"][1]["onFailure"] = json!({"result": "ROLLBACK"}),
            "`onFailure.result`",
        ),
        (
            "ValidationException",
            |p| p["name"] = json!("a b"),
            "regular expression pattern",
        ),
        (
            "ValidationException",
            |p| p["stages"][1]["actions"][0]["runOrder"] = json!(1_000),
            "less than or equal to 999",
        ),
        (
            "ValidationException",
            |p| {
                p["stages"][1]["actions"][0]["configuration"]["UserParameters"] =
                    json!("x".repeat(1_001));
            },
            "length less than or equal to 1000",
        ),
    ];
    let engine = TestEngine::start().await;
    for (code, change, message) in cases {
        let refused = create_refused(&engine, change).await;
        assert_eq!(refused.0, code, "{}", refused.1);
        assert!(refused.1.contains(message), "{message}: {}", refused.1);
    }
}

#[tokio::test]
async fn what_does_not_exist_has_its_own_error() {
    let engine = TestEngine::start().await;
    engine
        .create(&pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]))
        .await;
    let id = "00000000-0000-0000-0000-000000000000";
    let cases = [
        (
            "GetPipeline",
            json!({"name": "q"}),
            "PipelineNotFoundException",
        ),
        (
            "GetPipeline",
            json!({"name": "p", "version": 2}),
            "PipelineVersionNotFoundException",
        ),
        (
            "StartPipelineExecution",
            json!({"name": "q"}),
            "PipelineNotFoundException",
        ),
        (
            "StartPipelineExecution",
            json!({"name": "p", "variables": [{"name": "x", "value": "y"}]}),
            "ValidationException",
        ),
        (
            "GetPipelineExecution",
            json!({"pipelineName": "p", "pipelineExecutionId": id}),
            "PipelineExecutionNotFoundException",
        ),
        (
            "ListActionExecutions",
            json!({"pipelineName": "p", "filter": {"pipelineExecutionId": id}}),
            "PipelineExecutionNotFoundException",
        ),
        (
            "ListPipelineExecutions",
            json!({"pipelineName": "p", "nextToken": "x"}),
            "InvalidNextTokenException",
        ),
        (
            "DisableStageTransition",
            json!({"pipelineName": "p", "stageName": "x",
            "transitionType": "Inbound", "reason": "r"}),
            "StageNotFoundException",
        ),
        (
            "PutApprovalResult",
            json!({"pipelineName": "p", "stageName": "Commit", "actionName": "x",
            "token": id, "result": {"summary": "", "status": "Approved"}}),
            "ActionNotFoundException",
        ),
        (
            "PutJobSuccessResult",
            json!({"jobId": id}),
            "JobNotFoundException",
        ),
        (
            "RetryStageExecution",
            json!({"pipelineName": "p", "stageName": "x",
            "pipelineExecutionId": id, "retryMode": "ALL_ACTIONS"}),
            "StageNotFoundException",
        ),
        (
            "RollbackStage",
            json!({"pipelineName": "p", "stageName": "x", "targetPipelineExecutionId": id}),
            "StageNotFoundException",
        ),
        (
            "TagResource",
            json!({"resourceArn": "arn:aws:codepipeline:us-east-1:000000000000:q",
            "tags": []}),
            "ResourceNotFoundException",
        ),
        (
            "TagResource",
            json!({"resourceArn": "arn:aws:codepipeline:us-east-1:000000000000:p",
            "tags": [{"key": "aws:x", "value": "y"}]}),
            "InvalidTagsException",
        ),
    ];
    for (operation, input, code) in cases {
        assert_eq!(
            engine.refused(operation, &input).await,
            code,
            "{operation} {input}"
        );
    }
    let again = json!({"pipeline": pipeline("p", &[("Commit", vec![lambda_action("a", 1)])])});
    assert_eq!(
        engine.refused("CreatePipeline", &again).await,
        "PipelineNameInUseException"
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let engine = TestEngine::start().await;
    for name in ["a", "b", "c"] {
        engine
            .create(&pipeline(name, &[("Commit", vec![lambda_action("f", 1)])]))
            .await;
    }
    let (_, first) = engine
        .call("ListPipelines", &json!({"maxResults": 2}))
        .await;
    assert_eq!(first["pipelines"].as_array().unwrap().len(), 2);
    let rest = json!({"maxResults": 2, "nextToken": first["nextToken"]});
    let (_, second) = engine.call("ListPipelines", &rest).await;
    assert_eq!(second["pipelines"][0]["name"], "c");
    assert_eq!(second.get("nextToken"), None);
}
