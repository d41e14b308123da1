//! Deployments that succeed.

use shared::testing::events::{FUNCTION_KEYS, JOB_KEYS};
use shared::testing::world::codepipeline::Reported;
use shared::testing::world::lambda::code_sha256;

use crate::harness::{
    FUNCTION, KEY, NEW_CODE, OLD_CODE, STORE, alias, assert_always_served, changes, event, last,
    run, variables, versions, world,
};

#[tokio::test]
async fn a_new_version_is_published_and_the_alias_moved_onto_it() {
    let world = world().await;
    run(&world, event()).await;
    assert_eq!(
        (alias(&world, "prod"), alias(&world, "test")),
        ("2".to_owned(), "1".to_owned())
    );
    assert_eq!(
        Vec::from_iter(variables(&world)),
        [
            ("CodeSha256".to_owned(), code_sha256(NEW_CODE)),
            ("FunctionVersion".to_owned(), "2".to_owned()),
            ("PreviousVersion".to_owned(), "1".to_owned()),
        ]
    );
    let Reported::Success { summary, .. } = last(&world) else {
        panic!("no success")
    };
    assert_eq!(
        summary,
        "`greeter:prod` is on version 2 (revision 1a2b3c4), moved from version 1 (log: \
         /aws/lambda/the-function 2026/11/21/[$LATEST]0123 (request id 5c3b5a3e-request))"
    );
    let mut lambda = world.lambda();
    let function = lambda.function(FUNCTION);
    assert_eq!(function.versions[&2].code_sha256, code_sha256(NEW_CODE));
    assert_eq!(function.versions[&2].description, "revision 1a2b3c4");
    assert_eq!(
        function.aliases["prod"].description(),
        "revision 1a2b3c4; before: version 1"
    );
}

#[tokio::test]
async fn each_change_is_one_call() {
    let world = world().await;
    run(&world, event()).await;
    assert_eq!(
        changes(&world),
        [
            "lambda:UpdateFunctionCode",
            "lambda:PublishVersion",
            "lambda:UpdateAlias"
        ]
    );
    assert_always_served(&world);
}

#[tokio::test]
async fn the_artifact_is_read_with_the_credentials_of_the_job_and_lambda_called_with_its_own() {
    let world = world().await;
    run(&world, event()).await;
    for call in world.calls() {
        let expected = if call.operation.service == "s3" {
            JOB_KEYS
        } else {
            FUNCTION_KEYS
        };
        assert_eq!(
            call.access_key.as_deref(),
            Some(expected.access_key_id),
            "{call:?}"
        );
    }
}

#[tokio::test]
async fn an_update_that_takes_its_time_is_waited_for() {
    let world = world().await;
    world.lambda().take_polls(2);
    run(&world, event()).await;
    assert_eq!(alias(&world, "prod"), "2");
    assert_always_served(&world);
}

#[tokio::test]
async fn the_same_code_again_publishes_no_new_version() {
    let world = world().await;
    run(&world, event()).await;
    world.forget_calls();
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(versions(&world), ("2".to_owned(), "1".to_owned()));
    assert_eq!(changes(&world), ["lambda:PublishVersion"]);
}

#[tokio::test]
async fn a_second_alias_is_moved_onto_the_version_that_the_first_is_on() {
    let world = world().await;
    let test = "function=greeter&alias=test&revision=1a2b3c4";
    run(&world, event().user_parameters(test)).await;
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(
        (alias(&world, "test"), alias(&world, "prod")),
        ("2".to_owned(), "2".to_owned())
    );
    assert_eq!(world.lambda().function(FUNCTION).last_version, 2);
}

#[tokio::test]
async fn another_configuration_with_the_same_code_is_another_version() {
    let world = world().await;
    run(&world, event()).await;
    world.lambda().change_configuration(FUNCTION, "more memory");
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(versions(&world), ("3".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn going_back_to_older_code_is_a_deployment_like_any_other() {
    let world = world().await;
    run(&world, event()).await;
    world.bucket(STORE).put(KEY, OLD_CODE).await;
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(versions(&world), ("3".to_owned(), "2".to_owned()));
    assert_eq!(variables(&world)["CodeSha256"], code_sha256(OLD_CODE));
}

#[tokio::test]
async fn a_missing_alias_is_made() {
    let world = world().await;
    run(
        &world,
        event().user_parameters("function=greeter&alias=canary"),
    )
    .await;
    assert_eq!(alias(&world, "canary"), "2");
    assert_eq!(versions(&world), ("2".to_owned(), "2".to_owned()));
    assert_eq!(
        changes(&world).last().map(String::as_str),
        Some("lambda:CreateAlias")
    );
}

#[tokio::test]
async fn promotion_takes_the_weights_of_an_alias_away_in_the_same_call() {
    let world = world().await;
    run(&world, event()).await;
    world
        .lambda()
        .change_alias(FUNCTION, "prod", "1", &[("2", 0.1)]);
    world.forget_calls();
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(alias(&world, "prod"), "2");
    assert_eq!(
        changes(&world),
        ["lambda:PublishVersion", "lambda:UpdateAlias"]
    );
}

#[tokio::test]
async fn weights_on_the_very_version_are_taken_away_too() {
    let world = world().await;
    run(&world, event()).await;
    world
        .lambda()
        .change_alias(FUNCTION, "prod", "2", &[("1", 0.5)]);
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(alias(&world, "prod"), "2");
}

#[tokio::test]
async fn an_arn_names_the_function_as_well() {
    let world = world().await;
    let arn = "function=arn:aws:lambda:eu-west-1:111122223333:function:greeter&alias=prod";
    run(&world, event().user_parameters(arn)).await;
    assert_eq!(alias(&world, "prod"), "2");
}
