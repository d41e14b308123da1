//! Parameters and artifacts that the action does not take.

use test_case::test_case;

use crate::harness::{KEY, STORE, changes, event, failure, run, world};
use delivery_testing::events::JobEvent;

#[test_case("alias=prod", "`UserParameters` lacks `function`"; "no function")]
#[test_case("function=greeter", "`UserParameters` lacks `alias`"; "no alias")]
#[test_case("function=greeter&alias=prod&alarm=A", "`UserParameters` has an unknown key `alarm`; known keys are `function`, `alias`, `revision`, `strategy`, `bake`, `alarms`, `max-error-rate`, `compare`, `min-requests`, `patience`, `on-no-data`, `fix-forward`, `pre-traffic`, `post-traffic`, `metrics-delay`, `digest`, `pipeline`, `execution`, `releases`"; "unknown")]
#[test_case("function=greeter&alias=prod&alias=test", "`UserParameters` has `alias` twice"; "twice")]
#[test_case("function=greeter&alias=7", "`alias` in `UserParameters` is not valid: expected the name of an alias: letters, digits, `-` and `_`, not digits alone"; "a version as alias")]
#[test_case("function=greeter&alias=$LATEST", "`alias` in `UserParameters` is not valid: expected the name of an alias: letters, digits, `-` and `_`, not digits alone"; "latest as alias")]
#[test_case("function=greeter:prod&alias=prod", "`function` in `UserParameters` is not valid: expected the name or ARN of a function, without a version or alias"; "qualified")]
#[test_case("function=greeter&alias=prod&strategy=canary:100@5m", "`strategy` in `UserParameters` is not valid: expected `all-at-once`, `canary:PERCENT@DURATION`, `linear:PERCENT@DURATION`, `steps:PERCENT@DURATION,...`, or a name of CodeDeploy's (`Canary10Percent5Minutes`); `100` must be a percentage from 0.1 to 99.9"; "canary")]
#[test_case("function=greeter&alias=prod&strategy=linear:10@2h&bake=1h", "`strategy` in `UserParameters` is not valid: expected steps, `bake` and a `patience` for each of at most 20 hours together"; "too long")]
#[test_case("function=greeter&alias=prod&alarms=a,,b", "`alarms` in `UserParameters` is not valid: expected names of at most 10 alarms, with commas between them"; "alarms")]
#[test_case("function=greeter&alias=prod&max-error-rate=101", "`max-error-rate` in `UserParameters` is not valid: expected a percentage from 0 to 99.9, such as `1` or `0.5`"; "error rate")]
#[test_case("function=greeter&alias=prod&compare=latency", "`compare` in `UserParameters` is not valid: expected one of `errors`, `off`"; "comparison")]
#[test_case("function=greeter&alias=prod&on-no-data=wait", "`on-no-data` in `UserParameters` is not valid: expected one of `rollback`, `proceed`"; "no data")]
#[test_case("function=greeter&alias=prod&pre-traffic=a b", "`pre-traffic` in `UserParameters` is not valid: expected the name or ARN of a function, with `:ALIAS` or `:VERSION` after it if one is meant"; "hook")]
#[test_case("function=my-function:prod&alias=prod", "`function` in `UserParameters` is not valid: expected the name or ARN of a function, without a version or alias"; "qualified, and named after its kind")]
#[test_case("function=function:greeter:7&alias=prod", "`function` in `UserParameters` is not valid: expected the name or ARN of a function, without a version or alias"; "partial and qualified")]
#[test_case("function=greeter&alias=prod&digest=sha256:12", "`digest` in `UserParameters` is not valid: expected `sha256:` or `directory-sha256:` and 64 hexadecimal digits, as in an output variable of test-and-package"; "no digest")]
#[test_case("function=greeter&alias=prod&digest=directory-sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "`digest` in `UserParameters` is not valid: expected the digest of the whole artifact: `sha256:` and 64 hexadecimal digits"; "digest of a directory")]
#[test_case("function=greeter&alias=prod&pipeline=greeter", "`UserParameters` lacks `execution`"; "a pipeline without an execution")]
#[test_case("function=greeter&alias=prod&strategy=slowly", "`strategy` in `UserParameters` is not valid: expected `all-at-once`, `canary:PERCENT@DURATION`, `linear:PERCENT@DURATION`, `steps:PERCENT@DURATION,...`, or a name of CodeDeploy's (`Canary10Percent5Minutes`)"; "other strategy")]
#[tokio::test]
async fn wrong_parameters_are_named_and_nothing_is_done(parameters: &str, cause: &str) {
    let world = world().await;
    run(&world, event().user_parameters(parameters)).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(
        (failure_type.as_str(), message.lines().next()),
        ("ConfigurationError", Some(cause))
    );
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn exactly_one_input_artifact_is_taken() {
    let world = world().await;
    run(
        &world,
        JobEvent::new().user_parameters("function=greeter&alias=prod"),
    )
    .await;
    assert_eq!(
        failure(&world).1.lines().next(),
        Some("the action takes 1 input artifact but has none")
    );
}

#[tokio::test]
async fn an_output_artifact_is_refused() {
    let world = world().await;
    run(&world, event().output("Out", STORE, KEY)).await;
    let (failure_type, message) = failure(&world);
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.contains("no output artifact but has 1"),
        "{message}"
    );
    assert_eq!(changes(&world), [""; 0]);
}
