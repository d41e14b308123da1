//! Each row of the table in `docs/rollouts.md`, through the action: what the pipeline's owner reads in full, and where
//! the aliases are then.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::Client;
use delivery_alias::FunctionAlias;
use delivery_rollout::{Alias, Change, abort};
use delivery_testing::events::{FUNCTION_KEYS, JobEvent, invocation_of};
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::s3::config;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use delivery_testing::world::lambda::{Identity, Invocation};
use test_case::test_case;

use crate::harness::{FUNCTION, KEY, NEW_CODE, OLD_CODE, STORE, event, last, run, run_in, world};

/// Jobs of one action, at most.
const MOST_JOBS: usize = 20;

/// When alarms came into their state: long before any rollout, and the same in every run.
const LONG_AGO: Duration = Duration::from_hours(490_000);

/// A step of an hour, for what happens in the middle of it.
const LONG: &str = "strategy=canary:10@1h";

/// A step of a second, for what happens at its end.
const SHORT: &str = "strategy=canary:10@1s&metrics-delay=1s&patience=1s";

/// The resource that requests are counted for.
const RESOURCE: &str = "greeter:prod";

/// What a function that hangs gets of a job's time.
const SHORT_JOB: Duration = Duration::from_secs(4);

fn nothing(_: &World) {}

fn job(number: usize, parameters: &str) -> JobEvent {
    let parameters = format!("function=greeter&alias=prod&revision=1a2b3c4&{parameters}");
    event()
        .id(&format!("11111111-abcd-1111-abcd-{number:012}"))
        .user_parameters(&parameters)
}

/// Runs jobs until one is no continuation; `meanwhile` happens after the first.
async fn roll(world: &World, from: usize, parameters: &str, meanwhile: fn(&World)) -> Reported {
    let mut token: Option<String> = None;
    for number in from..from + MOST_JOBS {
        let mut event = job(number, parameters);
        if let Some(token) = &token {
            event = event.continuation_token(token);
        }
        run(world, event).await;
        match last(world) {
            Reported::Continuation { token: next, .. } => token = Some(next),
            end => return end,
        }
        if number == from {
            meanwhile(world);
        }
    }
    panic!("it never ends: {:?}", last(world));
}

/// What was reported, and where the aliases are.
fn told(world: &World, reported: &Reported) -> String {
    let report = match reported {
        Reported::Failure {
            failure_type,
            message,
        } => format!("{failure_type}\n{message}"),
        Reported::Success { summary, .. } => format!("success\n{summary}"),
        Reported::Continuation { summary, .. } => format!("continued\n{summary:?}"),
    };
    let mut text = masked(&report) + "\n";
    let mut lambda = world.lambda();
    for (name, alias) in &lambda.function(FUNCTION).aliases {
        if name == "test" {
            continue;
        }
        let weights = match alias.weights().len() {
            0 => String::new(),
            _ => format!(", {:?}", alias.weights()),
        };
        let _infallible = write!(text, "\n{name}: version {}{weights}", alias.version());
    }
    text
}

/// Without what differs between two runs: present times, and how many seconds a step or a hook took.
fn masked(text: &str) -> String {
    text.lines().map(masked_line).collect::<Vec<_>>().join("\n")
}

fn masked_line(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let before = words.last().map(String::as_str);
        let is_time = |text: &str| {
            let time: Option<jiff::Timestamp> = text.parse().ok();
            time.is_some_and(|time| time.as_second().unsigned_abs() != LONG_AGO.as_secs())
        };
        let bare = word.trim_end_matches([';', ',', ':', '.']);
        let is_duration = matches!(before, Some("for" | "within"))
            && word.bytes().all(|byte| byte.is_ascii_digit());
        words.push(match () {
            () if is_time(bare) => word.replace(bare, "TIME"),
            () if is_duration => "N".to_owned(),
            () => word.to_owned(),
        });
    }
    words.join(" ")
}

fn alarm(world: &World, state: &str) {
    world
        .cloud_watch()
        .set_alarm("errors", state, LONG_AGO, Duration::from_secs(1));
}

fn quiet(world: &World) {
    alarm(world, "OK");
}

fn requests(world: &World, stable: (u32, u32), new: (u32, u32)) {
    let mut watch = world.cloud_watch();
    watch.count_requests(RESOURCE, "1", stable.0, stable.1);
    watch.count_requests(RESOURCE, "2", new.0, new.1);
}

fn hook(world: &World, payload: &str, error: Option<&'static str>) {
    let answer = Invocation {
        payload: payload.to_owned(),
        error,
        log: "START RequestId: 1\nchecked 3 orders\nEND RequestId: 1\n".to_owned(),
    };
    world.lambda().answer_invocations("check", vec![answer]);
}

fn identity(world: &World, role: Option<&str>, queue: Option<&str>) {
    let identity = Identity {
        role: role.map(str::to_owned),
        dead_letter_queue: queue.map(str::to_owned),
    };
    world.lambda().change_identity(FUNCTION, identity);
}

fn route(world: &World, version: &str, weights: &[(&str, f64)]) {
    let mut lambda = world.lambda();
    lambda.change_alias(FUNCTION, "prod", version, weights);
}

// Alarms.
#[test_case("alarm-quiet", &[SHORT, "alarms=errors"], quiet, nothing)]
#[test_case("alarm-rings-at-the-start", &[LONG, "alarms=errors"], |world| alarm(world, "ALARM"), nothing)]
#[test_case("alarm-rings-later", &[LONG, "alarms=errors"], quiet, |world| alarm(world, "ALARM"))]
#[test_case("alarm-without-data", &[SHORT, "alarms=errors"], |world| alarm(world, "INSUFFICIENT_DATA"), nothing)]
#[test_case("alarm-without-data-proceed", &[SHORT, "alarms=errors", "on-no-data=proceed"], |world| alarm(world, "INSUFFICIENT_DATA"), nothing)]
#[test_case("alarm-missing", &[LONG, "alarms=errors"], nothing, nothing)]
#[test_case("alarm-deleted-later", &["strategy=canary:10@30s&metrics-delay=1s&patience=1s", "alarms=errors"], quiet, |world| world.cloud_watch().delete_alarm("errors"))]
#[test_case("alarms-unreadable-at-the-start", &[LONG, "alarms=errors"], |world| world.deny("cloudwatch:DescribeAlarms"), nothing)]
#[test_case("alarms-unreadable-later", &["strategy=canary:10@30s&metrics-delay=1s&patience=1s", "alarms=errors"], quiet, |world| world.deny("cloudwatch:DescribeAlarms"))]
// Requests and errors.
#[test_case("requests-unreadable", &[SHORT], |world| world.deny("cloudwatch:GetMetricData"), nothing)]
#[test_case("requests-none-at-all", &[SHORT, "min-requests=20"], nothing, nothing)]
#[test_case("requests-only-of-the-old-version", &[SHORT, "min-requests=20"], |world| requests(world, (300, 0), (0, 0)), nothing)]
#[test_case("requests-too-few", &[SHORT, "min-requests=20"], |world| requests(world, (40, 0), (3, 0)), nothing)]
#[test_case("requests-too-few-proceed", &[SHORT, "min-requests=20", "on-no-data=proceed"], |world| requests(world, (40, 0), (3, 0)), nothing)]
#[test_case("errors-more-than-the-old-version", &[LONG], nothing, |world| requests(world, (180, 1), (20, 7)))]
#[test_case("errors-more-than-allowed", &[LONG, "max-error-rate=5&compare=off"], nothing, |world| requests(world, (180, 90), (20, 3)))]
// What others do.
#[test_case("weights-of-somebody-else", &[LONG], |world| { publish(world); route(world, "1", &[("2", 0.3)]); }, nothing)]
#[test_case("weights-changed-by-somebody-else", &[LONG], nothing, |world| route(world, "1", &[("2", 0.5)]))]
#[test_case("version-changed-by-somebody-else", &[LONG], nothing, |world| { publish(world); route(world, "3", &[]); })]
// Hooks.
#[test_case("hook-before-says-no", &[LONG, "pre-traffic=check"], |world| hook(world, r#"{"status":"Failed","message":"no orders"}"#, None), nothing)]
#[test_case("hook-before-fails", &[LONG, "pre-traffic=check"], |world| hook(world, r#"{"errorType":"TypeError","errorMessage":"orders is undefined"}"#, Some("Unhandled")), nothing)]
#[test_case("hook-before-says-nonsense", &[LONG, "pre-traffic=check"], |world| hook(world, r#""ok""#, None), nothing)]
#[test_case("hook-before-is-missing", &[LONG, "pre-traffic=nowhere"], nothing, nothing)]
#[test_case("hook-before-is-denied", &[LONG, "pre-traffic=check"], |world| world.deny("lambda:Invoke"), nothing)]
#[test_case("hook-after-says-no", &[SHORT, "post-traffic=check"], |world| hook(world, r#"{"status":"Failed","message":"no orders"}"#, None), nothing)]
#[test_case("hook-after-says-nonsense", &[SHORT, "post-traffic=check"], |world| hook(world, "null", None), nothing)]
#[test_case("hook-after-is-missing", &[SHORT, "post-traffic=nowhere"], nothing, nothing)]
// Versions that traffic cannot be split between.
#[test_case("role-differs", &[LONG, "pre-traffic=check"], |world| identity(world, Some("writer"), None), nothing)]
#[test_case("queue-differs", &[LONG], |world| identity(world, None, Some("failed")), nothing)]
#[test_case("role-and-queue-differ", &[LONG], |world| identity(world, Some("writer"), Some("failed")), nothing)]
#[test_case("role-differs-all-at-once", &["strategy=all-at-once&bake=1s&compare=errors&metrics-delay=1s"], |world| identity(world, Some("writer"), None), nothing)]
// Where there is nothing to go back to.
#[test_case("alias-on-latest", &[LONG], |world| route(world, "$LATEST", &[]), nothing)]
#[test_case("alias-missing", &[LONG], |world| { world.lambda().function(FUNCTION).aliases.remove("prod"); }, nothing)]
#[test_case("alias-missing-and-hook-says-no", &[LONG, "pre-traffic=check"], |world| {
    world.lambda().function(FUNCTION).aliases.remove("prod");
    hook(world, r#"{"status":"Failed","message":"no orders"}"#, None);
}, nothing)]
#[tokio::test]
async fn a_rollout_says_why_it_ends(
    name: &str,
    parameters: &[&str],
    before: fn(&World),
    meanwhile: fn(&World),
) {
    let world = world().await;
    before(&world);
    let end = roll(&world, 0, &parameters.join("&"), meanwhile).await;
    insta::assert_snapshot!(name, told(&world, &end));
}

/// Another deployment publishes a version, and leaves the function's code as it was.
fn publish(world: &World) {
    let mut lambda = world.lambda();
    let function = lambda.function(FUNCTION);
    let version = function.versions[&1].clone();
    function.last_version += 1;
    let code_sha256 = format!("code of version {}", function.last_version);
    let version = delivery_testing::world::lambda::Version {
        code_sha256,
        ..version
    };
    function.versions.insert(function.last_version, version);
}

#[tokio::test]
async fn a_rollout_of_somebody_else_is_named() {
    let world = world().await;
    run(&world, job(0, LONG)).await;
    let end = roll(&world, 1, SHORT, nothing).await;
    insta::assert_snapshot!("rollout-of-somebody-else", told(&world, &end));
}

#[tokio::test]
async fn a_person_s_abort_is_named() {
    let world = world().await;
    run(&world, job(0, LONG)).await;
    let Reported::Continuation { token, .. } = last(&world) else {
        panic!("{:?}", last(&world));
    };
    let prod = FunctionAlias::new(&Client::new(&world.test_config()), FUNCTION, "prod");
    let found = prod.read().await.unwrap().unwrap();
    let aborted = |alias: &Alias| -> Option<Change> { abort(alias, None, "Anna", "orders fail") };
    let change = aborted(&found.alias).unwrap();
    prod.change(&found, &change).await.unwrap();
    run(&world, job(1, LONG).continuation_token(&token)).await;
    insta::assert_snapshot!("aborted-by-a-person", told(&world, &last(&world)));
}

/// Code that was good before moves at once, also where its role is another one.
#[test_case("good-before", None)]
#[test_case("good-before-and-role-differs", Some("writer"))]
#[tokio::test]
async fn code_that_was_good_before_is_moved_at_once(name: &str, role: Option<&str>) {
    let world = world().await;
    identity(&world, role, None);
    roll(
        &world,
        0,
        "strategy=all-at-once&bake=1s&compare=errors&metrics-delay=1s",
        nothing,
    )
    .await;
    identity(&world, None, None);
    world.bucket(STORE).put(KEY, OLD_CODE).await;
    let end = roll(&world, 100, LONG, nothing).await;
    world.bucket(STORE).put(KEY, NEW_CODE).await;
    insta::assert_snapshot!(name, told(&world, &end));
}

/// A function that does not answer is waited for until the job's time is nearly over, once.
#[test_case("hook-before-hangs", LONG, "pre-traffic")]
#[test_case("hook-after-hangs", SHORT, "post-traffic")]
#[tokio::test]
async fn a_hook_that_hangs_has_failed(name: &str, parameters: &str, key: &str) {
    let world = world().await;
    let never: Hook = Arc::new(|| Box::pin(std::future::pending()));
    let proxy = Proxy::start(
        &world.url(),
        [Rule::always("lambda:Invoke", Fault::Before(never))],
    )
    .await;
    let parameters = format!("{parameters}&{key}=check");
    let mut token: Option<String> = None;
    for number in 0..MOST_JOBS {
        let mut event = job(number, &parameters);
        if let Some(token) = &token {
            event = event.continuation_token(token);
        }
        let config = config(&proxy.url(), FUNCTION_KEYS);
        run_in(&world, event, config, invocation_of(SHORT_JOB)).await;
        match last(&world) {
            Reported::Continuation { token: next, .. } => token = Some(next),
            _ => break,
        }
    }
    let calls = proxy.seen();
    let calls = calls.iter().filter(|call| call.name == "Invoke").count();
    assert_eq!(
        calls, 1,
        "a hook is not called again while it may still run"
    );
    insta::assert_snapshot!(name, told(&world, &last(&world)));
}
