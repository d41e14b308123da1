//! Alarms that compute with metrics, and alarms on alarms.

use std::time::Duration;

use aws_sdk_cloudformation::types::ChangeSetType;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Metric, MetricDataQuery, MetricStat, StateValue,
};
use serde_json::json;
use test_case::test_case;

use super::{becomes, cloudwatch, put, state};
use crate::weights::{invoked_with, two_versions};
use crate::world::{World, run, said};

#[test]
fn alarms_of_a_template_compute_a_rate_and_follow_each_other() {
    run(async |world| {
        let function = "computing";
        two_versions(world, function, "").await;
        let template = include_str!("computed.yaml");
        let parameters = [("Function", function)];
        let made = world.change_set(
            ChangeSetType::Create,
            "computed",
            "create",
            template,
            &parameters,
        );
        made.await.unwrap();
        assert_eq!(world.execute("computed", "create").await, "CREATE_COMPLETE");
        let arn = world.output("computed", "Arn").await;
        assert!(arn.ends_with(":alarm:computed-both"), "{arn}");
        for failing in ["1", "1", "1"] {
            invoked_with(world, function, "1", &json!({ "failing": failing })).await;
        }
        becomes(world, "computed-rate", StateValue::Ok).await; // three requests are too few
        becomes(world, "computed-quiet", StateValue::Ok).await;
        assert_eq!(state(world, "computed-both").await, StateValue::Ok);

        invoked_with(world, function, "1", &json!({})).await; // 3 of 4 failed
        becomes(world, "computed-rate", StateValue::Alarm).await;
        becomes(world, "computed-both", StateValue::Alarm).await;
        let set = cloudwatch(world)
            .set_alarm_state()
            .alarm_name("computed-quiet");
        let set = set.state_value(StateValue::Alarm).state_reason("a drill");
        set.send().await.unwrap();
        assert_eq!(state(world, "computed-both").await, StateValue::Ok);
        let id = world.stack("computed").await.stack_id.unwrap();
        assert_eq!(world.delete(&id).await, "DELETE_COMPLETE");
        let left = cloudwatch(world)
            .describe_alarms()
            .alarm_name_prefix("computed-");
        assert_eq!(left.send().await.unwrap().metric_alarms(), []);
    });
}

/// An alarm above 10 of this expression over `a`, the metric of the alarm's name, and `b`, of which there is nothing.
async fn alarm_of(world: &World, name: &str, expression: &str) -> Result<(), String> {
    let stat = |metric: &str| {
        let metric = Metric::builder()
            .namespace("Table")
            .metric_name(metric)
            .build();
        let stat = MetricStat::builder().metric(metric).period(60).stat("Sum");
        MetricDataQuery::builder()
            .metric_stat(stat.build())
            .return_data(false)
    };
    let put = cloudwatch(world).put_metric_alarm().alarm_name(name);
    let put = put.evaluation_periods(1).threshold(10.0);
    let put = put.comparison_operator(ComparisonOperator::GreaterThanThreshold);
    let put = put.metrics(
        MetricDataQuery::builder()
            .id("it")
            .expression(expression)
            .build(),
    );
    let put = put.metrics(stat(name).id("a").build());
    let put = put.metrics(stat("nothing").id("b").build());
    put.send().await.map(drop).map_err(|error| said(&error))
}

/// `a` is 4 in the last minute, and `b` is missing.
#[test_case("a * 2 + 2", "OK"; "ten is not above ten")]
#[test_case("a * 2 + 3", "ALARM"; "eleven is")]
#[test_case("a ^ 2 - 1", "ALARM"; "powers")]
#[test_case("a / 0", "INSUFFICIENT_DATA"; "no data where the divisor is 0")]
#[test_case("a + b", "INSUFFICIENT_DATA"; "missing in one is missing")]
#[test_case("a * 2 + FILL(b, 3)", "ALARM"; "filled")]
#[test_case("SUM([a, b]) * 3", "ALARM"; "a sum of what is there")]
#[test_case("SUM(METRICS()) * 3", "ALARM"; "a sum of all metrics")]
#[test_case("MAX([a, FILL(b, 11)])", "ALARM"; "the greater one")]
#[test_case("IF(a > 3 AND a < 5, 11, 0)", "ALARM"; "a condition")]
#[test_case("IF(NOT a > 3 || a == 9, 11, 0)", "OK"; "a condition that is not met")]
#[test_case("11", "ALARM"; "a number")]
fn an_expression_is_computed(expression: &str, expected: &str) {
    run(async |world| {
        let name = format!("computed: {expression}");
        put(world, &name, 4.0, Duration::from_secs(30)).await;
        alarm_of(world, &name, expression).await.unwrap();
        assert_eq!(state(world, &name).await.as_str(), expected);
    });
}

#[test_case("ANOMALY_DETECTION_BAND(a, 2)", "cannot compute `ANOMALY_DETECTION_BAND`"; "anomaly detection")]
#[test_case("SEARCH('{AWS/Lambda,FunctionName}', 'Sum', 60)", "cannot compute `SEARCH`"; "a search")]
#[test_case("SELECT SUM(Errors) FROM \"AWS/Lambda\"", "cannot read the expression"; "a query")]
#[test_case("c / a", "no metric with the Id `c`"; "an unknown metric")]
#[test_case("it + a", "needs itself"; "an expression of itself")]
#[test_case("[a, b]", "one series, not several"; "several series")]
fn what_cannot_be_computed_is_refused(expression: &str, words: &str) {
    run(async |world| {
        let refused = alarm_of(world, "refused", expression).await.unwrap_err();
        assert!(
            refused.contains(words) && refused.starts_with("ValidationError"),
            "{refused}"
        );
        let described = cloudwatch(world).describe_alarms().alarm_names("refused");
        assert_eq!(described.send().await.unwrap().metric_alarms(), []);
    });
}
