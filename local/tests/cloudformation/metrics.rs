//! Metrics: what the SDK puts and gets, and what functions count.

use std::time::{Duration, Instant};

use aws_sdk_cloudwatch::types::{
    Dimension, Metric as Query, MetricDataQuery, MetricDatum, MetricStat, StandardUnit,
};
use aws_sdk_lambda::types::InvocationType;
use tokio::time::sleep;

use crate::weights::{invoked, two_versions, weighted};
use crate::world::{WITHIN, World, run};

/// How far back a sum goes: all of a test, and more.
const BACK: Duration = Duration::from_hours(1);

/// The metrics of Lambda's with these dimensions.
#[derive(Clone)]
pub(crate) struct Metric {
    namespace: &'static str,
    dimensions: Vec<(&'static str, String)>,
}

impl Metric {
    /// Those of a function, whatever was called.
    pub(crate) fn of(function: &str) -> Self {
        Self {
            namespace: "AWS/Lambda",
            dimensions: vec![("FunctionName", function.to_owned())],
        }
    }

    /// Those of the calls by an alias.
    pub(crate) fn called(mut self, alias: &str) -> Self {
        let resource = format!("{}:{alias}", self.dimensions[0].1);
        self.dimensions.push(("Resource", resource));
        self
    }

    /// Those of the calls that came to this version.
    pub(crate) fn ran(mut self, version: &str) -> Self {
        self.dimensions
            .push(("ExecutedVersion", version.to_owned()));
        self
    }

    pub(crate) fn dimensions(&self) -> Vec<Dimension> {
        let each =
            |(name, value): &(&str, String)| Dimension::builder().name(*name).value(value).build();
        self.dimensions.iter().map(each).collect()
    }

    /// The sum of the last hour; nothing where nothing was counted.
    pub(crate) async fn sum(&self, world: &World, name: &str) -> Option<f64> {
        let metric = Query::builder().namespace(self.namespace).metric_name(name);
        let metric = metric.set_dimensions(Some(self.dimensions())).build();
        let stat = MetricStat::builder()
            .metric(metric)
            .period(3600)
            .stat("Sum")
            .build();
        let query = MetricDataQuery::builder()
            .id("sum")
            .metric_stat(stat)
            .build();
        let now = delivery_action::clock::now();
        let get = aws_sdk_cloudwatch::Client::new(&world.config).get_metric_data();
        let get = get
            .start_time((now - BACK).into())
            .end_time((now + BACK).into());
        let got = get.metric_data_queries(query).send().await.unwrap();
        let values = got
            .metric_data_results
            .unwrap()
            .remove(0)
            .values
            .unwrap_or_default();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

#[test]
fn the_sdk_puts_and_gets_metrics() {
    run(async |world| {
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&world.config);
        for (value, page) in [
            (2.0, Some("/")),
            (3.0, Some("/")),
            (10.0, Some("/other")),
            (100.0, None),
        ] {
            let datum = MetricDatum::builder().metric_name("Requests").value(value);
            let datum = datum
                .unit(StandardUnit::Count)
                .timestamp(delivery_action::clock::now().into());
            let dimension = page.map(|page| Dimension::builder().name("Page").value(page).build());
            let datum = datum
                .set_dimensions(dimension.map(|dimension| vec![dimension]))
                .build();
            let put = cloudwatch
                .put_metric_data()
                .namespace("Shop")
                .metric_data(datum);
            put.send().await.unwrap();
        }
        let with = |dimensions| Metric {
            namespace: "Shop",
            dimensions,
        };
        let page = |page: &str| with(vec![("Page", page.to_owned())]);
        assert_eq!(page("/").sum(world, "Requests").await, Some(5.0));
        assert_eq!(page("/other").sum(world, "Requests").await, Some(10.0));
        assert_eq!(page("/none").sum(world, "Requests").await, None);
        assert_eq!(with(Vec::new()).sum(world, "Requests").await, Some(100.0));

        let listed = cloudwatch
            .list_metrics()
            .namespace("Shop")
            .send()
            .await
            .unwrap();
        assert_eq!(listed.metrics().len(), 3);
    });
}

#[test]
fn functions_count_requests_errors_and_throttles_of_what_was_called_and_ran() {
    run(async |world| {
        let function = "counting";
        two_versions(world, function, "2").await;
        weighted(world, function, "half", 0.5).await;
        let mut ran = [0.0, 0.0];
        for _ in 0..12 {
            let version = invoked(world, function, "half").await;
            ran[usize::from(version == "2")] += 1.0;
        }
        assert!(ran[0] > 0.0 && ran[1] > 0.0, "{ran:?}");
        let all = Metric::of(function);
        let half = all.clone().called("half");
        for (metric, requests, errors) in [
            (all.clone(), 12.0, ran[1]),
            (half.clone(), 12.0, ran[1]),
            (half.clone().ran("1"), ran[0], 0.0),
            (half.clone().ran("2"), ran[1], ran[1]),
        ] {
            assert_eq!(metric.sum(world, "Invocations").await, Some(requests));
            assert_eq!(metric.sum(world, "Errors").await, Some(errors));
            assert_eq!(metric.sum(world, "Throttles").await, Some(0.0));
            assert!(metric.sum(world, "Duration").await.unwrap() > 0.0);
        }
        assert_eq!(half.ran("9").sum(world, "Invocations").await, None);
        let none = Metric {
            namespace: "AWS/Lambda",
            dimensions: Vec::new(),
        };
        assert!(none.sum(world, "Invocations").await.unwrap() >= 12.0);

        // What is called as a version counts for that, and not by the version that ran.
        invoked(world, function, "1").await;
        let first = all.clone().called("1");
        assert_eq!(first.sum(world, "Invocations").await, Some(1.0));
        assert_eq!(first.ran("1").sum(world, "Invocations").await, None);
        fails_unseen(world, function).await;
        is_turned_away(world, function).await;
    });
}

/// A failure that nobody waits for counts as well.
async fn fails_unseen(world: &World, function: &str) {
    let invoke = aws_sdk_lambda::Client::new(&world.config).invoke();
    let invoke = invoke.function_name(function).qualifier("2");
    invoke
        .invocation_type(InvocationType::Event)
        .send()
        .await
        .unwrap();
    let deadline = Instant::now() + WITHIN;
    let second = Metric::of(function).called("2");
    while second.sum(world, "Errors").await.is_none() {
        assert!(Instant::now() < deadline, "the failure is not counted");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A request that finds no concurrency left is no invocation.
async fn is_turned_away(world: &World, function: &str) {
    let lambda = aws_sdk_lambda::Client::new(&world.config);
    let first = Metric::of(function).called("1");
    let before = first.sum(world, "Invocations").await;
    let concurrency = lambda.put_function_concurrency().function_name(function);
    concurrency
        .reserved_concurrent_executions(0)
        .send()
        .await
        .unwrap();
    let invoke = lambda.invoke().function_name(function).qualifier("1");
    assert!(invoke.send().await.is_err());
    let throttles = first.sum(world, "Throttles").await;
    assert!(throttles.unwrap() >= 1.0, "{throttles:?}");
    assert_eq!(first.sum(world, "Invocations").await, before);
}
