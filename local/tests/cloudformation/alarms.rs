//! Alarms: what state they are in, and who is told.

mod computed;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::ChangeSetType;
use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
use aws_sdk_cloudwatch::types::{ComparisonOperator, MetricDatum, StateValue, Statistic};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use serde_json::{Value, json};
use test_case::test_case;
use tokio::time::sleep;

use crate::metrics::Metric;
use crate::weights::{invoked_with, two_versions, weighted};
use crate::world::{WITHIN, World, package, run};

/// The rows of the two tables in "Configuring how CloudWatch alarms treat missing data" (User Guide): how many of three
/// data points must breach; the points, where `X` breaches and `-` is missing; and the state with missing data treated as
/// `missing`, `ignore`, `breaching` and `notBreaching`. `=` is the state that the alarm had.
const TABLE: [(i32, &str, [&str; 4]); 10] = [
    (3, "0-X-X", ["OK", "OK", "OK", "OK"]),
    (3, "0----", ["OK", "OK", "OK", "OK"]),
    (3, "-----", ["INSUFFICIENT_DATA", "=", "ALARM", "OK"]),
    (3, "0XX-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    (3, "--X--", ["ALARM", "=", "ALARM", "OK"]),
    (2, "0-X-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    (2, "00X0X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    (2, "0-X--", ["OK", "OK", "ALARM", "OK"]),
    (2, "----0", ["OK", "OK", "ALARM", "OK"]),
    (2, "---X-", ["ALARM", "=", "ALARM", "OK"]),
];

/// The treatments of missing data, in the order of the table.
const TREATMENTS: [&str; 4] = ["missing", "ignore", "breaching", "notBreaching"];

/// How soon a test expects the local AWS to notice; it looks each second.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

/// How many invocations are enough for both versions of an alias with equal weights: fewer than one in a million million
/// seeds needs more.
const MOST_INVOCATIONS: usize = 40;

fn cloudwatch(world: &World) -> aws_sdk_cloudwatch::Client {
    aws_sdk_cloudwatch::Client::new(&world.config)
}

/// Puts a value as it was some time ago.
async fn put(world: &World, metric: &str, value: f64, ago: Duration) {
    let at = delivery_action::clock::now() - ago;
    let datum = MetricDatum::builder().metric_name(metric).value(value);
    let put = cloudwatch(world).put_metric_data().namespace("Table");
    let put = put.metric_data(datum.timestamp(at.into()).build());
    put.send().await.unwrap();
}

/// An alarm of that metric that breaches above a half, in three periods of a minute.
fn alarm(world: &World, metric: &str) -> PutMetricAlarmFluentBuilder {
    let put = cloudwatch(world).put_metric_alarm().alarm_name(metric);
    put.namespace("Table")
        .metric_name(metric)
        .statistic(Statistic::Maximum)
        .period(60)
        .evaluation_periods(3)
        .threshold(0.5)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
}

/// The state of an alarm of either kind.
pub(crate) async fn state(world: &World, alarm: &str) -> StateValue {
    use aws_sdk_cloudwatch::types::AlarmType::{CompositeAlarm, MetricAlarm};

    let describe = cloudwatch(world).describe_alarms().alarm_names(alarm);
    let describe = describe
        .alarm_types(MetricAlarm)
        .alarm_types(CompositeAlarm);
    let described = describe.send().await.unwrap();
    let metric = described
        .metric_alarms()
        .iter()
        .map(|alarm| alarm.state_value());
    let composite = described
        .composite_alarms()
        .iter()
        .map(|alarm| alarm.state_value());
    metric.chain(composite).flatten().next().unwrap().clone()
}

/// Waits until an alarm is in a state.
pub(crate) async fn becomes(world: &World, alarm: &str, wanted: StateValue) {
    let began = Instant::now();
    loop {
        let state = state(world, alarm).await;
        if state == wanted {
            return;
        }
        assert!(
            began.elapsed() < NOTICED_WITHIN,
            "`{alarm}` is still {state}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

#[test_case(0; "first row of three out of three")]
#[test_case(1; "second row of three out of three")]
#[test_case(2; "third row of three out of three")]
#[test_case(3; "fourth row of three out of three")]
#[test_case(4; "fifth row of three out of three")]
#[test_case(5; "first row of two out of three")]
#[test_case(6; "second row of two out of three")]
#[test_case(7; "third row of two out of three")]
#[test_case(8; "fourth row of two out of three")]
#[test_case(9; "fifth row of two out of three")]
fn missing_data_is_treated_as_in_the_tables_of_cloudwatch(row: usize) {
    let (needed, points, states) = TABLE[row];
    run(async |world| {
        let metric = format!("row-{row}");
        for (point, back) in points.chars().zip((0..points.len() as u64).rev()) {
            // In the middle of its period, so that half a minute may pass.
            let ago = Duration::from_secs(back * 60 + 30);
            match point {
                'X' => put(world, &metric, 1.0, ago).await,
                '0' => put(world, &metric, 0.0, ago).await,
                _ => {}
            }
        }
        for (treatment, expected) in TREATMENTS.iter().zip(states) {
            for before in ["OK", "ALARM"] {
                let threshold = if before == "OK" { 1e9 } else { -1.0 };
                let missing = if before == "OK" {
                    "notBreaching"
                } else {
                    "breaching"
                };
                let first = alarm(world, &metric).threshold(threshold);
                first.treat_missing_data(missing).send().await.unwrap();
                assert_eq!(state(world, &metric).await.as_str(), before);
                let then = alarm(world, &metric).datapoints_to_alarm(needed);
                then.treat_missing_data(*treatment).send().await.unwrap();
                let expected = if expected == "=" { before } else { expected };
                let found = state(world, &metric).await;
                assert_eq!(
                    found.as_str(),
                    expected,
                    "{points} as {treatment}, {before} before"
                );
            }
        }
    });
}

#[test]
fn an_alarm_sees_time_pass() {
    run(async |world| {
        // The last of the three periods of ten seconds that are looked at is over in two seconds.
        put(world, "passing", 1.0, Duration::from_secs(28)).await;
        let passing = alarm(world, "passing").period(10).evaluation_periods(1);
        passing.send().await.unwrap();
        assert_eq!(state(world, "passing").await, StateValue::Alarm);
        becomes(world, "passing", StateValue::InsufficientData).await;
    });
}

#[test]
fn a_state_that_is_set_lasts_until_the_next_look() {
    run(async |world| {
        let quiet = alarm(world, "quiet").treat_missing_data("notBreaching");
        quiet.send().await.unwrap();
        let set = cloudwatch(world).set_alarm_state().alarm_name("quiet");
        let set = set.state_value(StateValue::Alarm).state_reason("a drill");
        set.send().await.unwrap();
        sleep(Duration::from_secs(2)).await; // two looks of the local AWS's own
        assert_eq!(state(world, "quiet").await, StateValue::Alarm);
        let brief = alarm(world, "brief")
            .treat_missing_data("notBreaching")
            .period(10);
        brief.send().await.unwrap();
        let set = cloudwatch(world).set_alarm_state().alarm_name("brief");
        let set = set.state_value(StateValue::Alarm).state_reason("a drill");
        let began = Instant::now();
        set.send().await.unwrap();
        while state(world, "brief").await == StateValue::Alarm {
            assert!(began.elapsed() < WITHIN, "`brief` is still set");
            sleep(Duration::from_millis(100)).await;
        }
        assert!(
            began.elapsed() > Duration::from_secs(9),
            "{:?}",
            began.elapsed()
        );
    });
}

/// A function that writes what it gets.
async fn listener(world: &World, name: &str) -> String {
    let code = "import json\ndef handler(event, context):\n    print('got', json.dumps(event), flush=True)\n";
    let code = FunctionCode::builder().zip_file(Blob::new(package(&[("index.py", code)])));
    let create = aws_sdk_lambda::Client::new(&world.config).create_function();
    let create = create.function_name(name).runtime(Runtime::Python312);
    let create = create.handler("index.handler").code(code.build());
    let create = create.role("arn:aws:iam::000000000000:role/any");
    create.send().await.unwrap().function_arn.unwrap()
}

/// What a listener got, as soon as it is so much.
async fn got(world: &World, name: &str, count: usize) -> Vec<Value> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&world.config);
    let deadline = Instant::now() + WITHIN;
    loop {
        let filter = logs
            .filter_log_events()
            .log_group_name(format!("/aws/lambda/{name}"));
        let found = filter.filter_pattern("got").send().await;
        let found = found
            .map(|found| found.events.unwrap_or_default())
            .unwrap_or_default();
        let texts = found
            .iter()
            .filter_map(|event| event.message()?.trim().strip_prefix("got "));
        let got: Vec<Value> = texts
            .map(|text| serde_json::from_str(text).unwrap())
            .collect();
        if got.len() >= count {
            return got;
        }
        assert!(Instant::now() < deadline, "`{name}` got only {got:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn an_alarm_of_a_version_rings_for_that_version_alone_and_tells_topic_and_rule() {
    run(async |world| {
        let function = "ringing";
        two_versions(world, function, "1").await; // it is the old one that fails
        weighted(world, function, "half", 0.5).await;
        let listener = listener(world, "listener").await;
        let parameters = [("Function", function), ("Listener", listener.as_str())];
        let template = include_str!("alarms/told.yaml");
        let made = world.change_set(
            ChangeSetType::Create,
            "told",
            "create",
            template,
            &parameters,
        );
        made.await.unwrap();
        assert_eq!(world.execute("told", "create").await, "CREATE_COMPLETE");
        let half = Metric::of(function).called("half");
        let old = cloudwatch(world)
            .put_metric_alarm()
            .alarm_name("old")
            .namespace("AWS/Lambda");
        old.metric_name("Errors")
            .set_dimensions(Some(half.clone().ran("1").dimensions()))
            .statistic(Statistic::Sum)
            .period(60)
            .evaluation_periods(1)
            .threshold(0.0)
            .comparison_operator(ComparisonOperator::GreaterThanThreshold)
            .send()
            .await
            .unwrap();
        runs_both(world, function, &json!({})).await;
        becomes(world, "old", StateValue::Alarm).await;
        assert_eq!(
            state(world, "told").await,
            StateValue::Ok,
            "the new version did not fail"
        );
        assert_eq!(half.clone().ran("2").sum(world, "Errors").await, Some(0.0));

        // From now on the new version fails as well.
        runs_both(world, function, &json!({ "failing": "2" })).await;
        becomes(world, "told", StateValue::Alarm).await;
        let got = got(world, "listener", 2).await;
        let event = got
            .iter()
            .find(|event| event["source"] == "aws.cloudwatch")
            .unwrap();
        assert_eq!(event["detail"]["alarmName"], "told");
        assert_eq!(event["detail"]["previousState"]["value"], "OK");
        let metric = &event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"];
        assert_eq!(metric["dimensions"]["ExecutedVersion"], "2");
        let message = got
            .iter()
            .find_map(|event| event["Records"][0]["Sns"]["Message"].as_str());
        let message: Value = serde_json::from_str(message.unwrap()).unwrap();
        assert_eq!(
            (&message["AlarmName"], &message["NewStateValue"]),
            (&"told".into(), &"ALARM".into())
        );
    });
}

/// Invokes an alias that gives half to each of two versions, until both have run.
async fn runs_both(world: &World, function: &str, event: &Value) {
    let mut ran = BTreeSet::new();
    for _ in 0..MOST_INVOCATIONS {
        ran.insert(invoked_with(world, function, "half", event).await);
        if ran.len() == 2 {
            return;
        }
    }
    panic!("only {ran:?} ran");
}
