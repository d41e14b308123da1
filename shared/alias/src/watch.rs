//! Alarms and requests, from CloudWatch.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{
    AlarmType, Dimension, Metric, MetricAlarm, MetricDataQuery, MetricDataResult, MetricStat,
    StateValue,
};
use aws_smithy_types::DateTime;
use delivery_action::aws::CallError;
use delivery_rollout::{Alarm, AlarmState, Evidence, Plan, Requests, Rollout, Traffic, Unreadable};
use jiff::Timestamp;

/// Lambda's metrics are sums of a minute (Lambda Developer Guide, "Types of metrics for Lambda functions").
const PERIOD_SECONDS: i32 = 60;

/// An alarm without a period of its own (metric math, composite): the default of the console.
const DEFAULT_PERIOD_SECONDS: i32 = 300;

/// What CloudWatch says of an alias.
#[derive(Clone, Debug)]
pub struct Watcher {
    cloud_watch: Client,
    /// The function's name, without an ARN.
    function: String,
    alias: String,
}

impl Watcher {
    /// Watches an alias of a function, which is a name, a partial ARN or an ARN.
    #[must_use]
    pub fn new(cloud_watch: &Client, function: &str, alias: &str) -> Self {
        let name = function.rsplit(':').next().unwrap_or(function);
        Self {
            cloud_watch: cloud_watch.clone(),
            function: name.to_owned(),
            alias: alias.to_owned(),
        }
    }

    /// What the plan asks for, in a rollout that began then; nothing else is read. What cannot be read is part of the
    /// evidence: it is never a reason to go on.
    pub async fn evidence(
        &self,
        plan: &Plan,
        rollout: &Rollout,
        began: Option<Timestamp>,
        now: Timestamp,
    ) -> Evidence {
        let alarms = self.alarms(&plan.alarm_names()).await;
        let traffic = match (began, rollout.stable.as_deref()) {
            (Some(began), Some(stable)) if plan.watch.needs_traffic() => {
                self.traffic(stable, &rollout.new, began, now).await
            }
            _ => Ok(Traffic::default()),
        };
        Evidence {
            alarms: alarms.map_err(|error| unreadable(&error)),
            traffic: traffic.map_err(|error| unreadable(&error)),
        }
    }

    /// The alarms of these names.
    ///
    /// # Errors
    ///
    /// [`CallError`] if CloudWatch does not say.
    pub async fn alarms(&self, names: &BTreeSet<&str>) -> Result<Vec<Alarm>, CallError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let resource = names.iter().copied().collect::<Vec<_>>().join("`, `");
        let sent = self
            .cloud_watch
            .describe_alarms()
            .set_alarm_names(Some(names.iter().map(|&name| name.to_owned()).collect()))
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .send()
            .await;
        let answer =
            sent.map_err(|error| CallError::new("cloudwatch:DescribeAlarms", resource, &error))?;
        Ok(names.iter().map(|name| alarm(name, &answer)).collect())
    }

    /// The requests by version since the minute in which the rollout began.
    ///
    /// # Errors
    ///
    /// [`CallError`] if CloudWatch does not say.
    pub async fn traffic(
        &self,
        stable: &str,
        new: &str,
        began: Timestamp,
        now: Timestamp,
    ) -> Result<Traffic, CallError> {
        let minute = began.as_second().div_euclid(60) * 60;
        let query = |id: &str, metric: &str, version: &str| self.query(id, metric, version);
        let sent = self
            .cloud_watch
            .get_metric_data()
            .metric_data_queries(query("newserved", "Invocations", new))
            .metric_data_queries(query("newfailed", "Errors", new))
            .metric_data_queries(query("stableserved", "Invocations", stable))
            .metric_data_queries(query("stablefailed", "Errors", stable))
            .start_time(DateTime::from_secs(minute))
            .end_time(DateTime::from_secs(now.as_second() + 1))
            .send()
            .await;
        let resource = format!("{}:{}", self.function, self.alias);
        let answer =
            sent.map_err(|error| CallError::new("cloudwatch:GetMetricData", resource, &error))?;
        let sum = |id: &str| {
            let results = answer.metric_data_results().iter();
            let values = results.filter(|result| result.id() == Some(id));
            whole(values.flat_map(MetricDataResult::values).sum())
        };
        Ok(Traffic {
            new: Requests {
                served: sum("newserved"),
                failed: sum("newfailed"),
            },
            stable: Requests {
                served: sum("stableserved"),
                failed: sum("stablefailed"),
            },
        })
    }

    /// Of the requests that an alias gave to one of its versions.
    fn query(&self, id: &str, metric: &str, version: &str) -> MetricDataQuery {
        let dimension =
            |name: &str, value: String| Dimension::builder().name(name).value(value).build();
        let metric = Metric::builder()
            .namespace("AWS/Lambda")
            .metric_name(metric)
            .dimensions(dimension("FunctionName", self.function.clone()))
            .dimensions(dimension(
                "Resource",
                format!("{}:{}", self.function, self.alias),
            ))
            .dimensions(dimension("ExecutedVersion", version.to_owned()))
            .build();
        let stat = MetricStat::builder()
            .metric(metric)
            .period(PERIOD_SECONDS)
            .stat("Sum")
            .build();
        MetricDataQuery::builder()
            .id(id)
            .metric_stat(stat)
            .return_data(true)
            .build()
    }
}

fn unreadable(error: &CallError) -> Unreadable {
    Unreadable(error.to_string())
}

/// Sums of counts are whole numbers from 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count is not negative, and a float that is too large becomes the largest number"
)]
fn whole(sum: f64) -> u64 {
    sum.round() as u64
}

fn alarm(name: &str, answer: &DescribeAlarmsOutput) -> Alarm {
    if let Some(found) = answer
        .metric_alarms()
        .iter()
        .find(|alarm| alarm.alarm_name() == Some(name))
    {
        return Alarm {
            name: name.to_owned(),
            state: state(
                found.state_value(),
                found.state_updated_timestamp(),
                found.state_reason(),
            ),
            window: window(found),
            subject: subject(found),
        };
    }
    let mut composite = answer.composite_alarms().iter();
    match composite.find(|alarm| alarm.alarm_name() == Some(name)) {
        Some(found) => Alarm {
            name: name.to_owned(),
            state: state(
                found.state_value(),
                found.state_updated_timestamp(),
                found.state_reason(),
            ),
            // Those that it is made of have windows of their own, which are not read.
            window: seconds(DEFAULT_PERIOD_SECONDS),
            subject: found.alarm_rule().unwrap_or_default().to_owned(),
        },
        None => Alarm {
            name: name.to_owned(),
            state: AlarmState::Missing,
            window: Duration::ZERO,
            subject: String::new(),
        },
    }
}

fn state(value: Option<&StateValue>, since: Option<&DateTime>, reason: Option<&str>) -> AlarmState {
    match value {
        Some(StateValue::Ok) => AlarmState::Quiet,
        Some(StateValue::Alarm) => AlarmState::Ringing {
            since: since
                .and_then(|since| Timestamp::from_second(since.secs()).ok())
                .unwrap_or_default(),
            reason: reason
                .unwrap_or("CloudWatch gave no reason")
                .trim_end_matches('.')
                .to_owned(),
        },
        _ => AlarmState::NoData,
    }
}

/// How long a metric alarm looks back.
fn window(alarm: &MetricAlarm) -> Duration {
    let periods = alarm.evaluation_periods().unwrap_or(1);
    let period = alarm.period().or_else(|| {
        let metrics = alarm.metrics().iter();
        metrics
            .filter_map(|query| query.period().or(query.metric_stat()?.period()))
            .max()
    });
    seconds(
        period
            .unwrap_or(DEFAULT_PERIOD_SECONDS)
            .saturating_mul(periods),
    )
}

fn seconds(seconds: i32) -> Duration {
    Duration::from_secs(seconds.unsigned_abs().into())
}

/// `Errors of FunctionName=greeter, Resource=greeter:prod`.
fn subject(alarm: &MetricAlarm) -> String {
    let dimensions = alarm.dimensions().iter().map(|dimension| {
        let (name, value) = (dimension.name(), dimension.value());
        format!("{}={}", name.unwrap_or_default(), value.unwrap_or_default())
    });
    let dimensions = dimensions.collect::<Vec<_>>().join(", ");
    match alarm.metric_name() {
        Some(metric) if dimensions.is_empty() => format!("{metric} without dimensions"),
        Some(metric) => format!("{metric} of {dimensions}"),
        None => "metric math".to_owned(),
    }
}
