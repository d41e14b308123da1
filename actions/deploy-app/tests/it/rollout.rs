//! Rollouts: from the first job to the last.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_lambda::Client;
use delivery_action::clock;
use delivery_alias::FunctionAlias;
use delivery_rollout::{Alias, Change, End, Phase, abort, finish};
use delivery_testing::events::JobEvent;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use delivery_testing::world::lambda::Invocation;
use test_case::test_case;

use crate::harness::{
    FUNCTION, KEY, NEW_CODE, OLD_CODE, STORE, alias, changes, event, last, run, world,
};

/// Jobs of one action, at most.
const MOST_JOBS: usize = 50;

/// Ten seconds would be ten seconds of a test.
const CANARY: &str = "strategy=canary:10@1s&metrics-delay=1s&patience=1s";

fn released(parameters: &str, number: usize) -> JobEvent {
    event()
        .id(&format!("11111111-abcd-1111-abcd-{number:012}"))
        .user_parameters(&format!(
            "function=greeter&alias=prod&revision=1a2b3c4&{parameters}"
        ))
}

/// Runs jobs until one is no continuation; `between` runs after each other.
async fn roll_with(world: &World, parameters: &str, between: impl AsyncFn(usize)) -> Reported {
    let mut token: Option<String> = None;
    for number in 0..MOST_JOBS {
        let mut event = released(parameters, number);
        if let Some(token) = &token {
            event = event.continuation_token(token);
        }
        run(world, event).await;
        match last(world) {
            Reported::Continuation { token: next, .. } => token = Some(next),
            end => return end,
        }
        between(number).await;
    }
    panic!("it never ends");
}

async fn roll(world: &World, parameters: &str) -> Reported {
    roll_with(world, parameters, async |_| {}).await
}

fn failure(reported: Reported) -> (String, String) {
    match reported {
        Reported::Failure {
            failure_type,
            message,
        } => (failure_type, message),
        other => panic!("no failure: {other:?}"),
    }
}

fn prod(world: &World) -> FunctionAlias {
    FunctionAlias::new(&Client::new(&world.test_config()), FUNCTION, "prod")
}

async fn read(world: &World) -> Alias {
    prod(world).read().await.unwrap().unwrap().alias
}

fn seconds_ago(seconds: u64) -> Duration {
    let now = clock::now().duration_since(UNIX_EPOCH).unwrap();
    now.saturating_sub(Duration::from_secs(seconds))
}

fn moves(world: &World) -> Vec<String> {
    let changes = changes(world).into_iter();
    changes.filter(|change| change.contains("Alias")).collect()
}

#[tokio::test]
async fn a_good_version_gets_all_traffic_and_is_kept() {
    let world = world().await;
    let Reported::Success { summary, variables } = roll(&world, CANARY).await else {
        panic!("{:?}", last(&world));
    };
    assert!(
        summary.starts_with("prod: version 1 → 2 (function `greeter`, revision 1a2b3c4)"),
        "{summary}"
    );
    assert_eq!(variables["PreviousVersion"], "1");
    assert_eq!(alias(&world, "prod"), "2");
    assert_eq!(alias(&world, "prod-good"), "2");
    // The stable version is named, a share, all traffic, the rollout is over, the new version is named.
    assert_eq!(
        moves(&world),
        [
            "lambda:CreateAlias",
            "lambda:UpdateAlias",
            "lambda:UpdateAlias",
            "lambda:UpdateAlias",
            "lambda:UpdateAlias"
        ]
    );
    let lambda = world.lambda();
    let prod = lambda
        .alias_events()
        .iter()
        .filter(|event| event.alias == "greeter:prod");
    let weights: Vec<_> = prod
        .filter_map(|event| event.state.as_ref())
        .map(|state| (state.version().to_owned(), state.weights().clone()))
        .collect();
    let share = [("2".to_owned(), 100)].into();
    assert_eq!(
        weights[weights.len() - 3..],
        [
            ("1".to_owned(), share),
            ("2".to_owned(), [].into()),
            ("2".to_owned(), [].into())
        ]
    );
}

/// The placeholder answers no request, and an alarm that rings because of it must not keep the first release out.
#[tokio::test]
async fn a_placeholder_gives_its_traffic_to_the_first_release_at_once() {
    let world = world().await;
    let placeholder = "The placeholder until the first deployment";
    if let Some(version) = world.lambda().function(FUNCTION).versions.get_mut(&1) {
        placeholder.clone_into(&mut version.description);
    }
    let watched = "strategy=canary:10@1h&bake=1h&alarms=no-such-alarm&min-requests=5";
    let reported = roll(&world, watched).await;
    assert!(matches!(reported, Reported::Success { .. }), "{reported:?}");
    assert_eq!(alias(&world, "prod"), "2");
    assert_eq!(alias(&world, "prod-good"), "2");
    assert!(
        world
            .lambda()
            .alias_events()
            .iter()
            .filter_map(|event| event.state.as_ref())
            .all(|state| state.weights().is_empty())
    );
}

#[tokio::test]
async fn a_version_that_fails_is_put_back() {
    let world = world().await;
    world
        .cloud_watch()
        .count_requests("greeter:prod", "1", 180, 1);
    world
        .cloud_watch()
        .count_requests("greeter:prod", "2", 20, 7);
    let (failure_type, message) = failure(roll(&world, CANARY).await);
    assert_eq!(failure_type, "JobFailed");
    for part in [
        "the rollout of version 2 to alias `greeter:prod` failed: version 2 fails more often than version 1: 7 of 20 \
         requests failed (35.0 %), and before 1 of 180 requests failed (0.6 %), after version 2 had 10 % of the traffic for ",
        "; all traffic is on version 1 again",
        "hint: fix what the reason says and release again",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(
        (alias(&world, "prod"), alias(&world, "prod-good")),
        ("1".into(), "1".into())
    );
    let marker = read(&world).await.description.marker.unwrap();
    assert!(
        matches!(marker.phase, Phase::Ended(End::PutBack(_))),
        "{marker}"
    );
}

#[test_case("OK", CANARY, "succeeded"; "quiet")]
#[test_case("ALARM", CANARY, "it did not begin: alarm `errors` is in ALARM since "; "ringing before it begins")]
#[test_case("INSUFFICIENT_DATA", CANARY, "alarm `errors` has no data (Errors of FunctionName=greeter), after 1 seconds of patience; all traffic is on version 1 again"; "no data")]
#[test_case("INSUFFICIENT_DATA", "strategy=canary:10@1s&metrics-delay=1s&patience=1s&on-no-data=proceed", "succeeded"; "no data is enough")]
#[test_case("ALARM", "strategy=canary:10@1s&metrics-delay=1s&fix-forward=on", "succeeded"; "to mend what rings")]
#[tokio::test]
async fn alarms_decide(state: &str, parameters: &str, expected: &str) {
    let world = world().await;
    world
        .cloud_watch()
        .set_alarm("errors", state, seconds_ago(100), Duration::from_secs(1));
    let end = roll(&world, &format!("{parameters}&alarms=errors")).await;
    if expected == "succeeded" {
        assert!(matches!(end, Reported::Success { .. }), "{end:?}");
        assert_eq!(alias(&world, "prod"), "2");
        return;
    }
    let (_, message) = failure(end);
    assert!(message.contains(expected), "{message}");
    assert_eq!(alias(&world, "prod"), "1");
}

#[tokio::test]
async fn an_alarm_that_rings_later_puts_it_back() {
    let world = world().await;
    let quiet = |world: &World, state| {
        world
            .cloud_watch()
            .set_alarm("errors", state, seconds_ago(0), Duration::from_secs(1));
    };
    quiet(&world, "OK");
    let parameters = "strategy=canary:10@1h&alarms=errors";
    let end = roll_with(&world, parameters, async |_| quiet(&world, "ALARM")).await;
    let (failure_type, message) = failure(end);
    assert_eq!(failure_type, "JobFailed");
    assert!(
        message.contains("alarm `errors` is in ALARM since "),
        "{message}"
    );
    assert!(
        message.contains("all traffic is on version 1 again"),
        "{message}"
    );
    assert_eq!(alias(&world, "prod"), "1");
}

#[tokio::test]
async fn what_is_watched_must_be_there_and_be_readable() {
    let world = world().await;
    let end = roll(&world, &format!("{CANARY}&alarms=errors")).await;
    let (failure_type, message) = failure(end);
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.contains("it did not begin: there is no alarm `errors`"),
        "{message}"
    );
    world.deny("cloudwatch:DescribeAlarms");
    let (_, message) = failure(roll(&world, &format!("{CANARY}&alarms=errors")).await);
    assert!(
        message.contains("it did not begin: the alarms cannot be read: "),
        "{message}"
    );
    assert_eq!(alias(&world, "prod"), "1");
}

#[test_case("cloudwatch:GetMetricData", "the requests cannot be counted: "; "requests")]
#[tokio::test]
async fn what_cannot_be_read_any_more_puts_it_back(action: &str, expected: &str) {
    let world = world().await;
    world.deny(action);
    let (_, message) = failure(roll(&world, CANARY).await);
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("after 1 seconds of patience"), "{message}");
    assert_eq!(alias(&world, "prod"), "1");
}

#[tokio::test]
async fn too_few_requests_hold_a_step_and_then_put_it_back() {
    let world = world().await;
    world
        .cloud_watch()
        .count_requests("greeter:prod", "1", 300, 0);
    let (_, message) = failure(roll(&world, &format!("{CANARY}&min-requests=20")).await);
    assert!(
        message.contains(
            "version 2 has served 0 of 20 requests; its callers do not seem to use the alias"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_person_aborts_it() {
    let world = world().await;
    let prod = prod(&world);
    let intervene = async |change: fn(&Alias) -> Option<Change>| {
        let found = prod.read().await.unwrap().unwrap();
        prod.change(&found, &change(&found.alias).unwrap())
            .await
            .unwrap();
    };
    let parameters = "strategy=canary:10@1h";
    let end = roll_with(&world, parameters, async |number| {
        if number == 0 {
            intervene(|alias| abort(alias, None, "Anna", "orders fail")).await;
        }
    })
    .await;
    let (_, message) = failure(end);
    assert!(
        message.contains("Anna aborted it: orders fail; all traffic is on version 1 again"),
        "{message}"
    );

    let end = roll_with(&world, "strategy=canary:10@2h", async |number| {
        if number == 0 {
            intervene(|alias| finish(alias, None, "Anna")).await;
        }
    })
    .await;
    // The job's id is the same as before, so it is the rollout that was aborted.
    let (_, message) = failure(end);
    assert!(message.contains("Anna aborted it"), "{message}");
}

#[tokio::test]
async fn a_person_finishes_it() {
    let world = world().await;
    let prod = prod(&world);
    let end = roll_with(&world, "strategy=canary:10@1h", async |number| {
        if number == 0 {
            let found = prod.read().await.unwrap().unwrap();
            let change = finish(&found.alias, None, "Anna").unwrap();
            prod.change(&found, &change).await.unwrap();
        }
    })
    .await;
    assert!(matches!(end, Reported::Success { .. }), "{end:?}");
    assert_eq!(
        (alias(&world, "prod"), alias(&world, "prod-good")),
        ("2".into(), "2".into())
    );
}

#[tokio::test]
async fn a_first_event_that_comes_again_goes_on_with_its_rollout() {
    let world = world().await;
    let parameters = "strategy=canary:10@1h";
    run(&world, released(parameters, 0)).await;
    let before = read(&world).await;
    assert_eq!(before.weights, [("2".to_owned(), 100)].into());
    let moved = moves(&world).len();
    run(&world, released(parameters, 0)).await;
    assert!(
        matches!(last(&world), Reported::Continuation { .. }),
        "{:?}",
        last(&world)
    );
    assert_eq!(moves(&world).len(), moved);
    assert_eq!(read(&world).await, before);
}

#[tokio::test]
async fn another_rollout_is_never_overwritten() {
    let world = world().await;
    run(&world, released("strategy=canary:10@1h", 0)).await;
    let before = read(&world).await;
    for parameters in [CANARY, "strategy=all-at-once"] {
        let (failure_type, message) = failure(roll_with_id(&world, parameters).await);
        assert_eq!(failure_type, "RevisionOutOfSync");
        assert!(
            message.contains("10 % on version 2")
                || message.contains("another rollout is under way: rollout "),
            "{message}"
        );
        assert_eq!(read(&world).await, before);
    }
    world
        .lambda()
        .change_alias(FUNCTION, "prod", "1", &[("2", 0.3)]);
    let (failure_type, message) = failure(roll_with_id(&world, CANARY).await);
    assert_eq!(failure_type, "RevisionOutOfSync");
    assert!(
        message.contains(
            "somebody else splits the traffic: it is on version 1, with 30 % on version 2"
        ),
        "{message}"
    );
}

/// One job of another execution.
async fn roll_with_id(world: &World, parameters: &str) -> Reported {
    run(world, released(parameters, 777)).await;
    last(world)
}

#[tokio::test]
async fn code_that_was_good_before_needs_no_canary() {
    let world = world().await;
    roll(&world, CANARY).await;
    world.bucket(STORE).put(KEY, OLD_CODE).await;
    let before = moves(&world).len();
    let mut reported = None;
    for number in 100..110 {
        run(&world, released("strategy=canary:10@1h", number)).await;
        reported = Some(last(&world));
        if matches!(reported, Some(Reported::Success { .. })) {
            break;
        }
    }
    assert!(
        matches!(reported, Some(Reported::Success { .. })),
        "{reported:?}"
    );
    assert_eq!(
        moves(&world).len() - before,
        3,
        "all traffic, the end, and the good version"
    );
    assert_eq!(
        (alias(&world, "prod"), alias(&world, "prod-good")),
        ("1".into(), "1".into())
    );
    world.bucket(STORE).put(KEY, NEW_CODE).await;
}

fn answers(payload: &str, error: Option<&'static str>) -> Vec<Invocation> {
    vec![Invocation {
        payload: payload.to_owned(),
        error,
        log: "START\nchecked 3 orders\nEND\n".to_owned(),
    }]
}

#[test_case("pre-traffic", r#"{"status":"Succeeded"}"#, None, "succeeded"; "before, yes")]
#[test_case("post-traffic", r#"{"status":"Succeeded"}"#, None, "succeeded"; "after, yes")]
#[test_case("pre-traffic", r#"{"status":"Failed","message":"no orders"}"#, None, "the pre-traffic hook failed: no orders\n  START\n  checked 3 orders"; "before, no")]
#[test_case("post-traffic", r#"{"status":"Failed","message":"no orders"}"#, None, "the post-traffic hook failed: no orders"; "after, no")]
#[test_case("post-traffic", "null", None, "it returned `null`"; "nonsense")]
#[test_case("pre-traffic", r#"{"errorType":"TypeError","errorMessage":"x"}"#, Some("Unhandled"), "it failed (Unhandled): TypeError: x"; "before, an error")]
#[tokio::test]
async fn hooks_decide(key: &str, payload: &str, error: Option<&'static str>, expected: &str) {
    let world = world().await;
    world
        .lambda()
        .answer_invocations("check", answers(payload, error));
    let end = roll(&world, &format!("{CANARY}&{key}=check")).await;
    if expected == "succeeded" {
        assert!(matches!(end, Reported::Success { .. }), "{end:?}");
        return;
    }
    let (failure_type, message) = failure(end);
    assert_eq!(failure_type, "JobFailed");
    assert!(message.contains(expected), "{message}");
    assert_eq!(alias(&world, "prod"), "1");
}

#[tokio::test]
async fn a_first_deployment_asks_the_hooks_and_is_kept() {
    let world = world().await;
    world
        .lambda()
        .answer_invocations("check", answers(r#"{"status":"Succeeded"}"#, None));
    let parameters = format!("{CANARY}&pre-traffic=check&post-traffic=check");
    let event = event().user_parameters(&format!("function=greeter&alias=new&{parameters}"));
    run(&world, event).await;
    assert!(
        matches!(last(&world), Reported::Success { .. }),
        "{:?}",
        last(&world)
    );
    assert_eq!(
        (alias(&world, "new"), alias(&world, "new-good")),
        ("2".into(), "2".into())
    );
}

#[tokio::test]
async fn what_cannot_be_put_back_is_said_first() {
    let world = world().await;
    let end = roll_with(&world, "strategy=canary:10@1h", async |_| {
        world
            .cloud_watch()
            .count_requests("greeter:prod", "2", 20, 20);
        world.deny("lambda:UpdateAlias");
    })
    .await;
    let (failure_type, message) = failure(end);
    assert_eq!(failure_type, "PermissionError");
    assert!(
        message.starts_with(
            "alias `greeter:prod` still gives traffic to the version that failed, because it could not \
             be put back on version 1: version 2 fails more often"
        ),
        "{message}"
    );
}
