//! What the service says of a declaration when a pipeline is created, in its own words where they are known.

use local::engine::PortError;
use serde_json::{Value, json};

use crate::fakes::trust;
use crate::test_engine::{TestEngine, approval_action, commands_action, lambda_action, pipeline};

fn declared() -> Value {
    let stages = [
        ("Commit", vec![lambda_action("a", 1), lambda_action("b", 2)]),
        ("Approval", vec![approval_action("Sign")]),
    ];
    pipeline("p", &stages)
}

/// The error of a creation and, of an update too, since both are checked alike.
async fn refused(engine: &TestEngine, declaration: &Value) -> (String, String) {
    let input = json!({"pipeline": declaration});
    let (status, body) = engine.call("CreatePipeline", &input).await;
    assert_eq!(status, 400, "{body}");
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("__type"), text("message"))
}

async fn refused_action(change: impl FnOnce(&mut Value)) -> String {
    let engine = TestEngine::start().await;
    let mut declaration = declared();
    change(&mut declaration);
    let (code, message) = refused(&engine, &declaration).await;
    assert_eq!(code, "InvalidActionDeclarationException", "{message}");
    message
}

fn parameters(pipeline: &mut Value, stage: usize, action: usize, text: &str) {
    pipeline["stages"][stage]["actions"][action]["configuration"]["UserParameters"] = json!(text);
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_refused_in_the_words_of_the_service() {
    let message = refused_action(|p| parameters(p, 1, 0, "v=#{Build.Version}")).await;
    assert_eq!(
        message,
        "Valid format for a pipeline execution variable reference is a namespace and a key separated by \
         a period (.). The following pipeline execution variables are referencing a namespace that does \
         not exist. StageName=[Commit], ActionName=[a], ActionConfigurationKey=[UserParameters], \
         VariableReferenceText=[Build.Version]"
    );
}

#[tokio::test]
async fn references_that_can_never_have_a_value_are_refused() {
    for (text, why) in [
        ("#{SourceVariables}", "have another format"),
        (
            "#{variables.tier}",
            "a key that their namespace does not have",
        ),
        (
            "#{codepipeline.Name}",
            "a key that their namespace does not have",
        ),
        ("#{Own.Version}", "whose action has not run by then"),
    ] {
        let message = refused_action(|p| {
            p["stages"][1]["actions"][0]["namespace"] = json!("Own");
            parameters(p, 1, 0, text);
        })
        .await;
        assert!(message.contains(why), "{text}: {message}");
    }
    let engine = TestEngine::start().await;
    let mut right = declared();
    right["variables"] = json!([{"name": "tier", "defaultValue": "gold"}]);
    right["stages"][1]["actions"][0]["namespace"] = json!("Own");
    let text = "#{SourceVariables.CommitId} #{variables.tier} #{codepipeline.PipelineExecutionId}";
    parameters(&mut right, 1, 0, text);
    parameters(&mut right, 1, 1, "#{Own.Version}");
    engine.create(&right).await;
}

#[tokio::test]
async fn a_namespace_that_two_actions_have_is_refused_in_the_words_of_the_service() {
    let message = refused_action(|p| {
        p["stages"][1]["actions"][1]["namespace"] = json!("SourceVariables");
    })
    .await;
    assert_eq!(
        message,
        "Namespaces must be unique across the pipeline definition. The following occur more than once \
         in the pipeline. StageName=[Commit], ActionName=[b], Namespace=[SourceVariables]"
    );
}

#[tokio::test]
async fn members_of_commands_are_refused_in_other_actions() {
    for (field, value) in [
        ("commands", json!(["make"])),
        ("outputVariables", json!(["VERSION"])),
        ("environmentVariables", json!([{"name": "A", "value": "b"}])),
    ] {
        let message = refused_action(|p| p["stages"][1]["actions"][0][field] = value).await;
        let words = format!("The following action cannot contain a {field} field.");
        assert!(message.starts_with(&words), "{message}");
    }
    let message = refused_action(|p| {
        p["stages"][1]["actions"][0]["outputArtifacts"] = json!([{"name": "A", "files": ["*"]}]);
    })
    .await;
    assert!(
        message.starts_with("The following action cannot contain a files field."),
        "{message}"
    );
}

#[tokio::test]
async fn what_a_commands_action_may_not_have_is_refused() {
    let outputs = json!([{"name": "One"}, {"name": "Two"}]);
    for (member, value, why) in [
        ("commands", json!(null), "it has no `commands`"),
        (
            "commands",
            json!(["a", "b\nc"]),
            "the command `b\\nc` has more than one line",
        ),
        (
            "inputArtifacts",
            json!([]),
            "the provider takes 1 to 10 input",
        ),
        (
            "outputArtifacts",
            outputs,
            "0 to 1 output artifacts, not 1 and 2",
        ),
        (
            "configuration",
            json!({"Image": "x"}),
            "does not know the configuration key `Image`",
        ),
        (
            "timeoutInMinutes",
            json!(30),
            "only a manual approval takes `timeoutInMinutes`",
        ),
        (
            "configuration",
            json!({"EnvironmentType": "WINDOWS_SERVER_2022_CONTAINER"}),
            "the `EnvironmentType` `WINDOWS_SERVER_2022_CONTAINER`",
        ),
        (
            "environmentVariables",
            json!([{"name": "TOKEN", "value": "t", "type": "SECRETS_MANAGER"}]),
            "the type `SECRETS_MANAGER` of the variable `TOKEN`",
        ),
        (
            "commands",
            json!(["echo #{Build.Version}"]),
            "ActionConfigurationKey=[commands]",
        ),
        (
            "environmentVariables",
            json!([{"name": "V", "value": "#{Build.Version}"}]),
            "ActionConfigurationKey=[environmentVariables]",
        ),
    ] {
        let message = refused_action(|p| {
            let mut action = commands_action("a", &["ls"]);
            action[member] = value;
            p["stages"][1]["actions"][0] = action;
        })
        .await;
        assert!(message.contains(why), "{why}: {message}");
    }
}

#[tokio::test]
async fn a_commands_action_makes_a_pipeline_v2_and_is_read_as_it_was_written() {
    let engine = TestEngine::start().await;
    let mut action = commands_action("Build", &["make", "echo #{SourceVariables.CommitId}"]);
    action["configuration"] = json!({"ComputeType": "BUILD_GENERAL1_MEDIUM"});
    action["environmentVariables"] =
        json!([{"name": "TIER", "value": "gold", "type": "PLAINTEXT"}]);
    action["outputVariables"] = json!(["VERSION"]);
    action["outputArtifacts"] = json!([{"name": "Built", "files": ["dist/**/*"]}]);
    let mut declaration = pipeline("p", &[("Commit", vec![action.clone()])]);
    declaration["pipelineType"] = json!("V1");
    let message = refused_structure(&engine, &declaration).await;
    assert_eq!(message, "`commands` needs `pipelineType` `V2`");
    declaration["pipelineType"] = json!(null);
    engine.create(&declaration).await;
    let (_, body) = engine.call("GetPipeline", &json!({"name": "p"})).await;
    assert_eq!(body["pipeline"]["pipelineType"], "V2");
    let read = &body["pipeline"]["stages"][1]["actions"][0];
    for (member, value) in action.as_object().unwrap() {
        assert_eq!(&read[member], value, "{member}");
    }
}

#[tokio::test]
async fn everything_that_is_not_served_is_named_at_once() {
    let message = refused_action(|p| {
        p["stages"][1]["actions"][0]["actionTypeId"]["provider"] = json!("StepFunctions");
        p["stages"][1]["actions"][1]["region"] = json!("eu-west-1");
        p["stages"][0]["actions"][0]["configuration"]["OutputArtifactFormat"] =
            json!("CODEBUILD_CLONE_REF");
        p["stages"][1]["onFailure"] = json!({"result": "ROLLBACK"});
        p["stages"][2]["beforeEntry"] = json!({"conditions": [{"result": "FAIL"}]});
    })
    .await;
    for part in [
        "action `Checkout` of stage `Source`: the `OutputArtifactFormat` `CODEBUILD_CLONE_REF`",
        "action `a` of stage `Commit`: the provider Invoke/AWS/StepFunctions/1",
        "action `b` of stage `Commit`: the region `eu-west-1`",
        "stage `Commit`: the `onFailure.result` `ROLLBACK`",
        "stage `Approval`: `beforeEntry`",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

async fn refused_structure(engine: &TestEngine, declaration: &Value) -> String {
    let (code, message) = refused(engine, declaration).await;
    assert_eq!(code, "InvalidStructureException", "{message}");
    message
}

fn trigger(action: &str, push: &Value) -> Value {
    json!({"providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": action, "push": [push]}})
}

#[tokio::test]
async fn a_trigger_is_for_a_source_action_and_is_its_only_one() {
    let engine = TestEngine::start().await;
    let push = json!({"branches": {"includes": ["main"]}});
    let (own, other) = (trigger("Checkout", &push), trigger("a", &push));
    for triggers in [json!([other]), json!([own, own])] {
        let mut declaration = declared();
        declaration["triggers"] = triggers;
        assert_eq!(
            refused_structure(&engine, &declaration).await,
            "Triggers for connection must reference a CodeStarSourceConnection action. Note that when \
             you specify a trigger, you cant specify more than one trigger per source action."
        );
    }
}

#[tokio::test]
async fn a_push_filter_has_tags_or_branches() {
    let engine = TestEngine::start().await;
    let mut declaration = declared();
    let both = json!({"tags": {"includes": ["v*"]}, "branches": {"includes": ["main"]}});
    declaration["triggers"] = json!([trigger("Checkout", &both)]);
    assert_eq!(
        refused_structure(&engine, &declaration).await,
        "The trigger configuration for the source action is not valid. Make sure to choose valid filter \
         combinations."
    );
    let mut two = trigger("Checkout", &json!({"tags": {"includes": ["v*"]}}));
    let branches = json!({"branches": {"includes": ["main"]}});
    let filters = two["gitConfiguration"]["push"].as_array_mut();
    filters.unwrap().push(branches);
    declaration["triggers"] = json!([two]);
    engine.create(&declaration).await;
}

#[tokio::test]
async fn a_source_that_detects_changes_has_a_trigger_of_its_own_in_v2() {
    let engine = TestEngine::start().await;
    let triggers = async |name: &str, change: fn(&mut Value)| {
        let mut declaration = declared();
        declaration["name"] = json!(name);
        change(&mut declaration);
        engine.create(&declaration).await;
        let (_, body) = engine.call("GetPipeline", &json!({"name": name})).await;
        body["pipeline"].get("triggers").cloned()
    };
    let pushes = trigger("Checkout", &json!({"branches": {"includes": ["main"]}}));
    assert_eq!(triggers("unset", |_| ()).await, Some(json!([pushes])));
    let off = |p: &mut Value| {
        p["stages"][0]["actions"][0]["configuration"]["DetectChanges"] = json!("false");
    };
    assert_eq!(triggers("off", off).await, None);
    let own = |p: &mut Value| {
        p["triggers"] = json!([trigger("Checkout", &json!({"tags": {"includes": ["v*"]}}))]);
    };
    let tags = trigger("Checkout", &json!({"tags": {"includes": ["v*"]}}));
    assert_eq!(triggers("own", own).await, Some(json!([tags])));
    assert_eq!(
        triggers("v1", |p| p["pipelineType"] = json!("V1")).await,
        None
    );
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_refused_in_the_words_of_the_service() {
    let engine = TestEngine::start().await;
    let mut declaration = declared();
    for role in [
        "arn:aws:iam::000000000000:role/unknown",
        "arn:aws:iam::000000000000:role/service-role/lambda",
        "arn:aws:iam::111111111111:role/pipeline",
    ] {
        engine.add_role("lambda", trust("lambda.amazonaws.com"));
        declaration["roleArn"] = json!(role);
        assert_eq!(
            refused_structure(&engine, &declaration).await,
            format!("CodePipeline is not authorized to perform AssumeRole on role {role}")
        );
    }
    let (own, of_action) = (
        "arn:aws:iam::000000000000:role/service-role/pipeline",
        "arn:aws:iam::000000000000:role/action",
    );
    declaration["roleArn"] = json!(own);
    declaration["stages"][1]["actions"][0]["roleArn"] = json!(of_action);
    assert_eq!(
        refused_structure(&engine, &declaration).await,
        format!("{own} is not authorized to perform AssumeRole on role {of_action}")
    );
    engine.add_role(
        "action",
        json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": own}}}),
    );
    engine.create(&declaration).await;
    declaration["roleArn"] = json!("arn:aws:iam::000000000000:role/unknown");
    let update = json!({"pipeline": declaration});
    assert_eq!(
        engine.refused("UpdatePipeline", &update).await,
        "InvalidStructureException"
    );
}

#[tokio::test]
async fn a_declaration_is_not_accepted_while_nobody_knows_its_roles() {
    let engine = TestEngine::start().await;
    *engine.roles.0.lock().unwrap() = Err(PortError {
        code: "SystemUnavailable".to_owned(),
        message: "IAM does not answer".to_owned(),
    });
    let input = json!({"pipeline": declared()});
    let (status, body) = engine.call("CreatePipeline", &input).await;
    assert_eq!(
        (status, &body["__type"]),
        (503, &json!("ServiceUnavailableException"))
    );
    let message = body["message"].as_str().unwrap();
    assert!(
        message.contains("role/pipeline can be assumed: IAM does not answer"),
        "{message}"
    );
    // What is wrong with the structure does not depend on it.
    let mut one = declared();
    one["stages"].as_array_mut().unwrap().truncate(1);
    assert_eq!(
        refused_structure(&engine, &one).await,
        "Pipeline has only 1 stage(s). There should be a minimum of 2 stages in a pipeline."
    );
}

#[tokio::test]
async fn unknown_and_taken_names_are_told_in_the_words_of_the_service() {
    let engine = TestEngine::start().await;
    engine.create(&declared()).await;
    let mut unknown = declared();
    unknown["name"] = json!("q");
    let not_included =
        "The account with id '000000000000' does not include a pipeline with the name 'q'";
    let cases = [
        (
            "GetPipeline",
            json!({"name": "q"}),
            "PipelineNotFoundException",
            "Account '000000000000' does not have a pipeline with name 'q'",
        ),
        (
            "StartPipelineExecution",
            json!({"name": "q"}),
            "PipelineNotFoundException",
            not_included,
        ),
        (
            "UpdatePipeline",
            json!({"pipeline": unknown}),
            "ResourceNotFoundException",
            not_included,
        ),
        (
            "CreatePipeline",
            json!({"pipeline": declared()}),
            "PipelineNameInUseException",
            "A pipeline with the name 'p' already exists in account '000000000000'",
        ),
    ];
    for (operation, input, code, message) in cases {
        let (_, body) = engine.call(operation, &input).await;
        assert_eq!(
            body,
            json!({"__type": code, "message": message}),
            "{operation}"
        );
    }
}
