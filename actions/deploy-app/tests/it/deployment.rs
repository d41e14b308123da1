//! Deployments that succeed.

use delivery_action::action::Host;
use delivery_action::artifact::Digest;
use delivery_testing::events::{FUNCTION_KEYS, JOB_KEYS, JobEvent, invocation};
use delivery_testing::world::codepipeline::Reported;
use delivery_testing::world::lambda::{Version, code_sha256};
use deploy_app::DeployApp;
use test_case::test_case;

use crate::harness::{
    FUNCTION, KEY, NEW_CODE, OLD_CODE, STORE, alias, assert_always_served, changes, event, failure,
    last, run, variables, versions, world,
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
        "prod: version 1 → 2 (function `greeter`, revision 1a2b3c4) (log: \
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
    assert_eq!(changes(&world), [""; 0]);
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
async fn going_back_to_older_code_is_going_back_to_its_version() {
    let world = world().await;
    run(&world, event()).await;
    world.bucket(STORE).put(KEY, OLD_CODE).await;
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(versions(&world), ("1".to_owned(), "2".to_owned()));
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

#[test_case("1", "2", "10 % on version 2"; "before the move")]
#[test_case("2", "1", "10 % on version 1"; "on the very version")]
#[tokio::test]
async fn a_rollout_of_someone_else_is_left_alone(on: &str, other: &str, weights: &str) {
    let world = world().await;
    run(&world, event()).await;
    world
        .lambda()
        .change_alias(FUNCTION, "prod", on, &[(other, 0.1)]);
    world.forget_calls();
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "RevisionOutOfSync");
    assert_eq!(
        message.lines().next(),
        Some(&*format!(
            "alias `greeter:prod` splits its traffic: it is on version {on}, with {weights}, so it was not moved \
             to version 2"
        ))
    );
    assert_eq!(changes(&world), [""; 0]);
    let mut lambda = world.lambda();
    let alias = &lambda.function(FUNCTION).aliases["prod"];
    assert_eq!((alias.version(), alias.weights()[other]), (on, 100));
}

#[tokio::test]
async fn weights_that_lambda_sets_while_it_moves_provisioned_concurrency_are_waited_for() {
    let world = world().await;
    world.lambda().provision(FUNCTION, "prod", 2);
    run(&world, event()).await;
    assert_eq!(versions(&world), ("2".to_owned(), "1".to_owned()));
    assert_eq!(alias(&world, "prod"), "2");
    let looks = world.calls();
    let looks = looks
        .iter()
        .filter(|call| call.operation.name == "GetProvisionedConcurrencyConfig");
    assert!(looks.count() >= 2);
    // Those of the move before are waited for, too.
    world.lambda().provision(FUNCTION, "prod", 5);
    world.lambda().change_code(FUNCTION, b"PK\x03\x04 other");
    run(&world, event().id("22222222-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(versions(&world), ("2".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn what_was_published_before_other_code_is_not_published_again() {
    let world = world().await;
    run(
        &world,
        event().user_parameters("function=greeter&alias=test"),
    )
    .await;
    assert_eq!(alias(&world, "test"), "2");
    world
        .bucket(STORE)
        .put("other", b"PK\x03\x04 of the next commit")
        .await;
    let next = JobEvent::new()
        .id("22222222-abcd-1111-abcd-111111abcdef")
        .input("DistLambdaOutput", STORE, "other")
        .user_parameters("function=greeter&alias=test");
    run(&world, next).await;
    assert_eq!(alias(&world, "test"), "3");
    world.forget_calls();
    run(&world, event().id("33333333-abcd-1111-abcd-111111abcdef")).await;
    assert_eq!(alias(&world, "prod"), "2");
    assert_eq!(changes(&world), ["lambda:UpdateAlias"]);
}

#[tokio::test]
async fn a_version_is_found_behind_many_others_and_with_its_configuration_alone() {
    let world = world().await;
    let version = |code: &[u8], configuration: &str| Version {
        code_sha256: code_sha256(code),
        configuration: configuration.to_owned(),
        ..Version::default()
    };
    {
        let mut lambda = world.lambda();
        let function = lambda.function(FUNCTION);
        for number in 2..120 {
            let code = format!("PK\x03\x04 {number}");
            function
                .versions
                .insert(number, version(code.as_bytes(), "c1"));
        }
        function.versions.insert(70, version(NEW_CODE, "c1"));
        function
            .versions
            .insert(119, version(NEW_CODE, "another memory size"));
        function.last_version = 119;
    }
    run(&world, event()).await;
    assert_eq!(alias(&world, "prod"), "70");
}

#[tokio::test]
async fn an_artifact_of_another_digest_is_refused() {
    let world = world().await;
    let tested = Digest::of(OLD_CODE).unwrap();
    let parameters = format!("function=greeter&alias=prod&digest={tested}");
    run(&world, event().user_parameters(&parameters)).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "RevisionUnavailable");
    let found = Digest::of(NEW_CODE).unwrap();
    assert_eq!(
        message.lines().next(),
        Some(&*format!(
            "input artifact `DistLambdaOutput` (`s3://{STORE}/{KEY}`) is not the one that was built and tested: its \
             digest is {found}, not {tested}"
        ))
    );
    assert_eq!(changes(&world), [""; 0]);
    let parameters = format!("function=greeter&alias=prod&digest={found}");
    let again = event().id("22222222-abcd-1111-abcd-111111abcdef");
    run(&world, again.user_parameters(&parameters)).await;
    assert_eq!(alias(&world, "prod"), "2");
}

#[test_case("Succeeded")]
#[test_case("Stopped")]
#[tokio::test]
async fn a_late_job_changes_nothing(status: &str) {
    let world = world().await;
    let late = event()
        .user_parameters("function=greeter&alias=prod&pipeline=greeter&execution=0a1b-1")
        .build();
    world.code_pipeline().add_job(&late);
    world.code_pipeline().set_execution("0a1b-1", status);
    Host::new(DeployApp::new, world.config())
        .invoke(late, invocation())
        .await
        .unwrap();
    let pipeline = world.code_pipeline();
    let [report] = pipeline.reports() else {
        panic!("{:?}", pipeline.reports())
    };
    let Reported::Failure { message, .. } = &report.result else {
        panic!("{report:?}")
    };
    assert!(
        message.starts_with(&format!(
            "pipeline execution `0a1b-1` of `greeter` has ended (status: {status})"
        )),
        "{message}"
    );
    drop(pipeline);
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn an_arn_names_the_function_as_well() {
    let world = world().await;
    let arn = "function=arn:aws:lambda:eu-west-1:111122223333:function:greeter&alias=prod";
    run(&world, event().user_parameters(arn)).await;
    assert_eq!(alias(&world, "prod"), "2");
}
