//! What a job does to a stack, and what it reports.

use std::time::Duration;

use delivery_testing::world::codepipeline::{Report, Reported};
use test_case::test_case;

use crate::harness::{PACKAGES, ROLE, changes, effects, event, put, run, run_within, world};

const EXECUTION: &str = "&pipeline=shop&execution=0a1b2c3d-1111";

#[tokio::test]
async fn a_stack_is_created_and_its_outputs_become_variables() {
    let world = world().await;
    let found = run(&world, event("r1", "")).await.variables();
    assert_eq!(found["Stack"], "shop");
    assert_eq!(found["Changed"], "true");
    assert!(found.contains_key("TemplateLength"), "{found:?}");
    assert_eq!(changes(&world), ["CreateChangeSet", "ExecuteChangeSet"]);
    let stacks = world.cloud_formation().snapshot();
    assert_eq!(stacks["shop"].status, "CREATE_COMPLETE");
    assert_eq!(stacks["shop"].role, ROLE);
    assert!(stacks["shop"].tags.is_empty());
    let packages = world.bucket(PACKAGES).snapshot().await;
    assert_eq!(packages.len(), 1);
    let key = packages.keys().next().unwrap();
    assert!(
        stacks["shop"].template.contains(key),
        "{:?}",
        stacks["shop"]
    );
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_says_so() {
    let world = world().await;
    run(&world, event("r1", "")).await;
    world.forget_calls();
    let found = run(&world, event("r1", "").id("22222222-1111"))
        .await
        .variables();
    assert_eq!(found["Changed"], "false");
    assert_eq!(changes(&world), ["CreateChangeSet", "DeleteChangeSet"]);
    assert_eq!(effects(&world), 1);
}

#[tokio::test]
async fn releases_there_and_back_are_one_effect_each() {
    let world = world().await;
    for (place, release) in ["r1", "r2", "r1", "r1"].into_iter().enumerate() {
        let id = format!("{place}2222222-1111");
        let found = run(&world, event(release, "").id(&id)).await.variables();
        assert_eq!(found["Changed"], (place < 3).to_string(), "{release}");
    }
    assert_eq!(effects(&world), 3);
}

#[tokio::test]
async fn parameters_are_those_of_the_action() {
    let world = world().await;
    run(&world, event("r1", "&Parameter.Level=warn")).await;
    let stacks = world.cloud_formation().snapshot();
    assert_eq!(stacks["shop"].parameters["Level"], "warn");
}

#[tokio::test]
async fn a_large_template_goes_by_s3() {
    let world = world().await;
    let table = "Resources:\n  Table:\n    Type: AWS::DynamoDB::Table\n";
    let template = format!("{table}# {}\n", "x".repeat(60_000));
    put(&world, "large", &[("template.yaml", &template)]).await;
    run(&world, event("large", "")).await;
    let stacks = world.cloud_formation().snapshot();
    let url = &stacks["shop"].template;
    assert!(
        url.starts_with("https://packages.s3.eu-west-1.amazonaws.com/blobs/sha256/"),
        "{url}"
    );
}

#[tokio::test]
async fn what_takes_longer_goes_on_in_later_jobs() {
    let world = world().await;
    world.cloud_formation().take_polls(3);
    let mut result = run_within(&world, event("r1", ""), Duration::from_secs(1)).await;
    let mut jobs = 1;
    while let Reported::Continuation { token, summary } = result {
        assert!(!summary.is_empty());
        assert!(token.len() < 300, "{token}");
        let next = event("r1", "").id(&format!("{jobs}3333333-1111"));
        let next = next.continuation_token(&token);
        result = run_within(&world, next, Duration::from_secs(1)).await;
        jobs += 1;
    }
    assert_eq!(result.variables()["Changed"], "true");
    assert!(jobs > 1, "one job was enough");
    assert_eq!(changes(&world), ["CreateChangeSet", "ExecuteChangeSet"]);
}

#[tokio::test]
async fn a_failure_names_what_failed_first_and_what_was_not_deployed() {
    let world = world().await;
    run(&world, event("r1", "")).await;
    world
        .cloud_formation()
        .fail_operations("the code has no handler");
    let event = event("r2", "&revision=daed1c4f").id("22222222-1111");
    insta::assert_snapshot!(run(&world, event).await.failure(), @"
    JobFailed: the stack `shop` is as it was before (UPDATE_ROLLBACK_COMPLETE); commit daed1c4f was not deployed
      first failure: shop / Function (AWS::Lambda::Function), UPDATE_FAILED
      the code has no handler
    hint: fix the first failure, then deploy again
    ");
}

#[tokio::test]
async fn a_creation_that_failed_is_reported_once_and_tried_again_from_the_start() {
    let world = world().await;
    world
        .cloud_formation()
        .fail_operations("the code has no handler");
    insta::assert_snapshot!(run(&world, event("r1", "")).await.failure(), @"
    JobFailed: the stack `shop` was not created (ROLLBACK_COMPLETE)
      first failure: shop / Function (AWS::Lambda::Function), CREATE_FAILED
      the code has no handler
    hint: fix the first failure, then deploy again
    ");
    // The same job again finds its own failure, and neither deletes nor creates.
    let before = changes(&world);
    let again = run(&world, event("r1", "")).await.failure();
    assert!(
        again.starts_with("JobFailed: the stack `shop` was not created"),
        "{again}"
    );
    assert_eq!(changes(&world), before);
}

#[tokio::test]
async fn someone_elses_change_is_waited_for_and_then_refused() {
    let world = world().await;
    run(&world, event("r1", "")).await;
    world.cloud_formation().take_polls_of_operations(1_000_000);
    let other = event("r2", "").id("22222222-1111");
    run_within(&world, other, Duration::from_secs(1)).await;
    world.forget_calls();
    let mine = event("r3", "&wait=10m").id("33333333-1111");
    let first = run_within(&world, mine.clone(), Duration::from_secs(1)).await;
    let Reported::Continuation { token, summary } = first else {
        panic!("{first:?}")
    };
    let waiting =
        "waiting for someone else's change of the stack `shop`, which is UPDATE_IN_PROGRESS";
    assert!(summary.starts_with(waiting), "{summary}");
    // A token from an hour ago.
    let old = token.split("\"began_seconds\":").next().unwrap();
    let token = format!("{old}\"began_seconds\":1}}}}");
    let later = mine.id("44444444-1111").continuation_token(&token);
    let message = run_within(&world, later, Duration::from_secs(1))
        .await
        .failure();
    assert!(
        message
            .starts_with("RevisionOutOfSync: someone else is changing the stack `shop`, which is still UPDATE_IN_PROGRESS after "),
        "{message}"
    );
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn two_executions_with_the_same_meet_in_one_change() {
    let world = world().await;
    world.cloud_formation().take_polls(2);
    let time = Duration::from_mins(1);
    tokio::join!(
        run_within(&world, event("r1", ""), time),
        run_within(&world, event("r1", "").id("22222222-1111"), time),
    );
    // One that comes after the other's end finds nothing to change.
    let changed = |report: &Report| report.result.clone().variables()["Changed"] == "true";
    assert!(world.code_pipeline().reports().iter().any(changed));
    assert_eq!(effects(&world), 1);
}

#[tokio::test]
async fn a_change_set_that_reads_do_not_show_yet_is_waited_for() {
    let world = world().await;
    world.cloud_formation().hide_change_sets(3);
    run(&world, event("r1", "")).await.variables();
    assert_eq!(effects(&world), 1);
    // For ever: the job ends all the same, and has not asked as fast as it could.
    world.cloud_formation().hide_change_sets(u32::MAX);
    world.forget_calls();
    let next = event("r2", "").id("22222222-1111");
    let result = run_within(&world, next, Duration::from_secs(1)).await;
    let Reported::Continuation { summary, .. } = result else {
        panic!("{result:?}")
    };
    let computing = "computing the change of the stack `shop`";
    assert!(summary.starts_with(computing), "{summary}");
    assert!(changes(&world).len() < 10, "{:?}", changes(&world));
}

#[tokio::test]
async fn a_job_of_an_execution_that_has_ended_changes_nothing() {
    let world = world().await;
    run(&world, event("r1", "")).await;
    let late = event("r2", EXECUTION).id("22222222-1111");
    let built = late.clone().build();
    world.code_pipeline().add_job(&built);
    world
        .code_pipeline()
        .set_execution("0a1b2c3d-1111", "Stopped");
    world.forget_calls();
    delivery_action::action::Host::new(deploy_stack::DeployStack::new, world.config())
        .invoke(built, delivery_testing::events::invocation())
        .await
        .unwrap();
    let message = crate::harness::last(&world).failure();
    assert!(
        message.starts_with("RevisionOutOfSync: pipeline execution"),
        "{message}"
    );
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn the_roles_of_a_template_get_the_boundary() {
    let world = world().await;
    let template = "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties: { Path: / }\n";
    put(&world, "role", &[("template.yaml", template)]).await;
    let boundary = "arn:aws:iam::111122223333:policy/boundary";
    run(&world, event("role", &format!("&boundary={boundary}"))).await;
    let stacks = world.cloud_formation().snapshot();
    let expected = format!(
        r#"{{"Resources":{{"Role":{{"Type":"AWS::IAM::Role","Properties":{{"Path":"/","PermissionsBoundary":"{boundary}"}}}}}}}}"#
    );
    assert_eq!(stacks["shop"].template, expected);
}

#[test_case("../template.yaml")]
#[test_case("/template.yaml")]
#[test_case("a/../../template.yaml")]
#[tokio::test]
async fn a_template_outside_of_the_artifact_is_refused(template: &str) {
    let world = world().await;
    let parameters = format!("stack=shop&template={template}&bucket={PACKAGES}&role={ROLE}");
    let job = event("r1", "").user_parameters(&parameters);
    let message = run(&world, job).await.failure();
    let expected =
        format!("ConfigurationError: the template `{template}` is outside of the input artifact");
    assert!(message.starts_with(&expected), "{message}");
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn another_artifact_than_the_one_that_was_tested_is_refused() {
    let world = world().await;
    let digest = format!("&digest=sha256:{}", "0".repeat(64));
    let message = run(&world, event("r1", &digest)).await.failure();
    assert!(
        message.starts_with("RevisionUnavailable: input artifact `BuildOutput`"),
        "{message}"
    );
    assert_eq!(changes(&world), [""; 0]);
}

#[test_case("cloudformation:DescribeStacks")]
#[test_case("cloudformation:DescribeStackEvents")]
#[test_case("cloudformation:CreateChangeSet")]
#[test_case("cloudformation:ExecuteChangeSet")]
#[test_case("s3:PutObject")]
#[tokio::test]
async fn a_missing_permission_is_named(action: &str) {
    let world = world().await;
    world
        .cloud_formation()
        .add_stack("shop", "an older template");
    world.deny(action);
    let message = run(&world, event("r1", "")).await.failure();
    assert!(message.starts_with("PermissionError: "), "{message}");
    assert!(
        message.contains(&format!("hint: allow `{action}` on ")),
        "{message}"
    );
}
