//! What others do meanwhile, what services refuse, and time that runs out.

use std::sync::Arc;
use std::time::Duration;

use delivery_action::action::Host;
use delivery_action::aws::MAX_ATTEMPTS;
use delivery_testing::events::{FUNCTION_KEYS, JobEvent, invocation_of};
use delivery_testing::operation::Operation;
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::s3::config;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use delivery_testing::world::lambda::Lambda;
use deploy_app::DeployApp;
use test_case::test_case;

use crate::harness::{
    FUNCTION, KEY, NEW_CODE, STORE, alias, assert_always_served, changes, event, failure, last,
    run, run_with, versions, world,
};

const FOREIGN_CODE: &[u8] = b"PK\x03\x04 someone else's code";

/// Runs the job with faults on its way to AWS, and returns what came to the proxy.
async fn run_through(world: &World, rules: Vec<Rule>) -> Vec<String> {
    let proxy = Proxy::start(&world.url(), rules).await;
    run_with(world, event(), config(&proxy.url(), FUNCTION_KEYS)).await;
    proxy.seen().iter().map(Operation::action).collect()
}

/// Something that another deployment does right before a call reaches Lambda.
fn meanwhile(world: &World, act: impl Fn(&mut Lambda) + Send + Sync + 'static) -> Fault {
    let (world, act) = (world.clone(), Arc::new(act));
    let hook: Hook = Arc::new(move || {
        act(&mut world.lambda());
        Box::pin(std::future::ready(()))
    });
    Fault::Before(hook)
}

fn count(seen: &[String], action: &str) -> usize {
    seen.iter().filter(|seen| *seen == action).count()
}

#[test_case("lambda:UpdateFunctionCode")]
#[test_case("lambda:PublishVersion")]
#[test_case("lambda:UpdateAlias")]
#[test_case("s3:GetObject")]
#[test_case("lambda:GetFunctionConfiguration")]
#[tokio::test]
async fn a_service_in_trouble_is_asked_three_times_and_then_named(action: &str) {
    let world = world().await;
    let seen = run_through(&world, vec![Rule::always(action, Fault::Status(503))]).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "SystemUnavailable");
    assert!(message.contains(action), "{message}");
    assert_eq!(count(&seen, action), MAX_ATTEMPTS as usize);
    assert_eq!(alias(&world, "prod"), "1");
}

#[test_case("lambda:UpdateFunctionCode", Fault::Status(429))]
#[test_case("lambda:PublishVersion", Fault::Status(500))]
#[test_case("lambda:UpdateAlias", Fault::Reset)]
#[test_case("lambda:GetAlias", Fault::Status(429))]
#[test_case("codepipeline:PutJobSuccessResult", Fault::Status(503))]
#[tokio::test]
async fn a_call_that_fails_once_is_made_again(action: &str, fault: Fault) {
    let world = world().await;
    run_through(&world, vec![Rule::once(action, fault)]).await;
    assert_eq!(versions(&world), ("2".to_owned(), "1".to_owned()));
    assert_eq!(alias(&world, "prod"), "2");
}

#[test_case(Rule::once("lambda:UpdateFunctionCode", Fault::LoseReply))]
#[test_case(Rule::once("lambda:PublishVersion", Fault::LoseReply))]
#[test_case(Rule::once("lambda:UpdateAlias", Fault::LoseReply))]
#[test_case(Rule::always("lambda:UpdateAlias", Fault::LoseReply); "every reply")]
#[test_case(Rule::once("lambda:UpdateAlias", Fault::Twice); "twice")]
#[test_case(Rule::once("lambda:PublishVersion", Fault::Twice); "published twice")]
#[test_case(Rule::once("codepipeline:PutJobSuccessResult", Fault::LoseReply))]
#[tokio::test]
async fn a_reply_that_is_lost_changes_nothing(rule: Rule) {
    let world = world().await;
    run_through(&world, vec![rule]).await;
    assert_eq!(versions(&world), ("2".to_owned(), "1".to_owned()));
    assert_eq!(alias(&world, "prod"), "2");
    assert_eq!(world.lambda().function(FUNCTION).last_version, 2);
}

#[test_case("lambda:GetFunctionConfiguration", "greeter")]
#[test_case("lambda:UpdateFunctionCode", "greeter")]
#[test_case("lambda:PublishVersion", "greeter")]
#[test_case("lambda:GetAlias", "greeter:prod")]
#[test_case("lambda:UpdateAlias", "greeter:prod")]
#[tokio::test]
async fn a_missing_permission_is_named_with_its_resource(action: &str, resource: &str) {
    let world = world().await;
    world.deny(action);
    run(&world, event()).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "PermissionError");
    let hint = format!("hint: allow `{action}` on `{resource}` for this function's role");
    assert_eq!(message.lines().nth(1), Some(hint.as_str()), "{message}");
    assert_eq!(alias(&world, "prod"), "1");
}

#[tokio::test]
async fn an_alias_that_cannot_be_made_for_want_of_permission_is_named() {
    let world = world().await;
    world.deny("lambda:CreateAlias");
    run(
        &world,
        event().user_parameters("function=greeter&alias=new"),
    )
    .await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "PermissionError");
    assert!(
        message.contains("allow `lambda:CreateAlias` on `greeter:new`"),
        "{message}"
    );
}

#[tokio::test]
async fn an_artifact_that_the_job_may_not_read_is_a_permission_error() {
    let world = world().await;
    world.deny("s3:GetObject");
    run(&world, event()).await;
    assert_eq!(failure(&world).0, "PermissionError");
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn an_artifact_that_lambda_may_not_read_is_a_permission_error() {
    let world = world().await;
    world.lambda().deny_store();
    run(&world, event()).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "PermissionError");
    assert!(
        message
            .contains("allow `s3:GetObject` on `s3://artifact-store/greeter/DistLambda/aB3xY9z`"),
        "{message}"
    );
}

#[tokio::test]
async fn a_function_that_is_not_there_is_named() {
    let world = world().await;
    run(
        &world,
        event().user_parameters("function=grinder&alias=prod"),
    )
    .await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.starts_with("function `grinder` does not exist: "),
        "{message}"
    );
    assert!(
        message.contains("hint: correct `function` in `UserParameters`"),
        "{message}"
    );
}

#[tokio::test]
async fn an_artifact_that_is_not_there_is_a_missing_revision() {
    let world = world().await;
    world.bucket(STORE).delete(KEY).await;
    run(&world, event()).await;
    assert_eq!(failure(&world).0, "RevisionUnavailable");
    assert_eq!(changes(&world), [""; 0]);
}

#[test_case(b"<html>not a zip</html>"; "text")]
#[test_case(b""; "empty")]
#[test_case(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"; "a zip without entries")]
#[tokio::test]
async fn an_artifact_that_is_no_zip_never_reaches_lambda(body: &[u8]) {
    let world = world().await;
    world.bucket(STORE).put(KEY, body).await;
    world.forget_calls();
    run(&world, event()).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "JobFailed");
    assert!(
        message.contains("is not a zip file with at least one entry"),
        "{message}"
    );
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn an_alias_that_someone_else_moved_meanwhile_is_left_there() {
    let world = world().await;
    world.lambda().take_polls(1);
    let foreign = meanwhile(&world, |lambda| {
        lambda.change_alias(FUNCTION, "prod", "1", &[("2", 0.5)]);
    });
    run_through(&world, vec![Rule::once("lambda:UpdateAlias", foreign)]).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "RevisionOutOfSync");
    assert!(
        message.starts_with(
            "alias `greeter:prod` splits its traffic: it is on version 1, with 50 % on version 2"
        ),
        "{message}"
    );
    let mut lambda = world.lambda();
    assert_eq!(
        lambda.function(FUNCTION).aliases["prod"].weights()["2"],
        500
    );
}

#[tokio::test]
async fn an_alias_that_changed_and_still_routes_as_before_is_moved() {
    let world = world().await;
    let foreign = meanwhile(&world, |lambda| {
        lambda.change_alias(FUNCTION, "prod", "1", &[]);
    });
    let seen = run_through(&world, vec![Rule::once("lambda:UpdateAlias", foreign)]).await;
    assert_eq!(count(&seen, "lambda:UpdateAlias"), 2);
    assert_eq!(alias(&world, "prod"), "2");
}

#[tokio::test]
async fn an_alias_that_appears_meanwhile_is_left_there() {
    let world = world().await;
    let foreign = meanwhile(&world, |lambda| {
        lambda.change_alias(FUNCTION, "new", "1", &[]);
    });
    let proxy = Proxy::start(&world.url(), [Rule::once("lambda:CreateAlias", foreign)]).await;
    let event = event().user_parameters("function=greeter&alias=new");
    run_with(&world, event, config(&proxy.url(), FUNCTION_KEYS)).await;
    assert_eq!(failure(&world).0, "RevisionOutOfSync");
    assert_eq!(alias(&world, "new"), "1");
}

#[tokio::test]
async fn code_that_someone_else_put_in_between_is_never_published() {
    let world = world().await;
    let foreign = meanwhile(&world, |lambda| lambda.change_code(FUNCTION, FOREIGN_CODE));
    let seen = run_through(&world, vec![Rule::once("lambda:PublishVersion", foreign)]).await;
    assert_eq!(count(&seen, "lambda:UpdateFunctionCode"), 2);
    assert_eq!(versions(&world), ("2".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn code_that_someone_else_keeps_putting_in_between_ends_the_deployment() {
    let world = world().await;
    let foreign = meanwhile(&world, |lambda| lambda.change_code(FUNCTION, FOREIGN_CODE));
    let seen = run_through(&world, vec![Rule::always("lambda:PublishVersion", foreign)]).await;
    assert_eq!(count(&seen, "lambda:UpdateFunctionCode"), 3);
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "RevisionOutOfSync");
    assert!(
        message.starts_with("another deployment keeps changing the code"),
        "{message}"
    );
    assert_eq!(alias(&world, "prod"), "1");
}

#[tokio::test]
async fn an_update_of_someone_else_is_waited_for() {
    let world = world().await;
    let foreign = meanwhile(&world, |lambda| lambda.function(FUNCTION).in_progress = 2);
    let seen = run_through(
        &world,
        vec![Rule::once("lambda:UpdateFunctionCode", foreign)],
    )
    .await;
    assert_eq!(count(&seen, "lambda:UpdateFunctionCode"), 2);
    assert_eq!(alias(&world, "prod"), "2");
}

#[tokio::test]
async fn an_update_that_lambda_gives_up_is_reported_with_its_reason() {
    let world = world().await;
    world.lambda().fail_updates("the key is disabled");
    run(&world, event()).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "JobFailed");
    assert_eq!(
        message.lines().next(),
        Some(
            "Lambda could not make `greeter` ready to run: InvalidConfiguration: the key is disabled"
        )
    );
    assert_eq!(alias(&world, "prod"), "1");
}

#[tokio::test]
async fn code_whose_last_update_failed_is_handed_over_again() {
    let world = world().await;
    // As a change of the configuration leaves it that could not be carried out.
    world.lambda().change_code(FUNCTION, NEW_CODE);
    world.lambda().function(FUNCTION).failed = Some("the key was disabled".to_owned());
    run(&world, event()).await;
    assert_eq!(versions(&world), ("2".to_owned(), "1".to_owned()));
    assert_eq!(
        changes(&world),
        [
            "lambda:UpdateFunctionCode",
            "lambda:PublishVersion",
            "lambda:UpdateAlias"
        ]
    );
}

#[tokio::test]
async fn an_s3_in_trouble_is_not_taken_for_code_that_is_refused() {
    let world = world().await;
    world.lambda().answer_of_store("SlowDown");
    run(&world, event()).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "SystemUnavailable");
    assert!(message.contains("S3 Error Code: SlowDown"), "{message}");
}

/// Delivers the job with little time while the function is busy, and returns the token.
async fn continued(world: &World, event: JobEvent) -> String {
    let event = event.build();
    world.code_pipeline().add_job(&event);
    let host = Host::new(DeployApp::new, world.config());
    host.invoke(event, invocation_of(Duration::from_secs(2)))
        .await
        .expect("the result is reported");
    let Reported::Continuation { token, summary } = last(world) else {
        panic!("{:?}", last(world))
    };
    assert!(
        summary.starts_with("waiting for the update of `greeter`"),
        "{summary}"
    );
    token
}

#[tokio::test]
async fn a_function_that_stays_busy_is_waited_for_in_a_later_job() {
    let world = world().await;
    world.lambda().take_polls(1_000);
    let token = continued(&world, event()).await;
    world.lambda().function(FUNCTION).in_progress = 0;
    world.lambda().take_polls(0);
    world.forget_calls();
    let later = event()
        .id("22222222-abcd-1111-abcd-111111abcdef")
        .continuation_token(&token);
    run(&world, later).await;
    assert_eq!(versions(&world), ("2".to_owned(), "1".to_owned()));
    assert_eq!(
        changes(&world),
        ["lambda:PublishVersion", "lambda:UpdateAlias"]
    );
    assert!(
        !world
            .calls()
            .iter()
            .any(|call| call.operation.service == "s3")
    );
    assert_always_served(&world);
}

#[tokio::test]
async fn an_alias_that_was_moved_between_two_jobs_is_left_there() {
    let world = world().await;
    world.lambda().take_polls(1_000);
    let token = continued(&world, event()).await;
    world.lambda().function(FUNCTION).in_progress = 0;
    world.lambda().take_polls(0);
    world
        .lambda()
        .change_alias(FUNCTION, "prod", "$LATEST", &[]);
    let later = event()
        .id("22222222-abcd-1111-abcd-111111abcdef")
        .continuation_token(&token);
    run(&world, later).await;
    assert_eq!(failure(&world).0, "RevisionOutOfSync");
    assert_eq!(alias(&world, "prod"), "$LATEST");
}

#[tokio::test]
async fn a_function_that_never_settles_ends_the_deployment() {
    let world = world().await;
    world.lambda().function(FUNCTION).in_progress = 1_000;
    let sha = delivery_testing::world::lambda::code_sha256(NEW_CODE);
    let token = format!(
        r#"{{"action":"deploy-app","version":1,"content":{{"code_sha256":"{sha}","alias":null,"began_seconds":1}}}}"#
    );
    run(&world, event().continuation_token(&token)).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "RevisionOutOfSync");
    assert!(
        message.contains("has been updating for 10 minutes"),
        "{message}"
    );
}

#[tokio::test]
async fn a_token_of_another_action_is_refused() {
    let world = world().await;
    let token = r#"{"action":"e2e","version":1,"content":{}}"#;
    run(&world, event().continuation_token(token)).await;
    assert_eq!(failure(&world).0, "JobFailed");
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn nobody_sees_credentials() {
    let world = world().await;
    world.deny("lambda:UpdateAlias");
    run(&world, event()).await;
    let printed = format!("{:?}", world.code_pipeline().reports());
    assert!(
        !printed.contains("job-secret") && !printed.contains("job-session-token"),
        "{printed}"
    );
}
