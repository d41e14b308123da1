//! What a run costs on AWS: measured durations times public prices.
//!
//! All prices are in US dollars, of us-east-1, without taxes and without the free tier.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::time::Duration;

use delivery_rollout::Strategy;
use delivery_stack::yaml;
use serde_json::Value;

use crate::checkout;

/// A price, and where it is published.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    /// What is paid for.
    pub what: &'static str,
    /// The unit.
    pub unit: &'static str,
    /// US dollars for one unit.
    pub dollars: f64,
    /// The page of AWS that says so.
    pub source: &'static str,
}

/// An action's minute in a pipeline of type V2; begun minutes count whole.
pub const ACTION_MINUTE: Price = Price {
    what: "CodePipeline V2",
    unit: "per action minute, rounded up",
    dollars: 0.002,
    source: "https://aws.amazon.com/codepipeline/pricing/",
};

/// A function's memory.
pub const LAMBDA_ARM: Price = Price {
    what: "Lambda, arm64",
    unit: "GB-second",
    dollars: 0.000_013_333_4,
    source: "https://aws.amazon.com/lambda/pricing/",
};

/// The same on Intel and AMD.
pub const LAMBDA_X86: Price = Price {
    what: "Lambda, x86_64",
    unit: "GB-second",
    dollars: 0.000_016_666_7,
    source: "https://aws.amazon.com/lambda/pricing/",
};

/// An invocation of a function.
pub const LAMBDA_REQUEST: Price = Price {
    what: "Lambda, requests",
    unit: "request",
    dollars: 0.000_000_2,
    source: "https://aws.amazon.com/lambda/pricing/",
};

/// A function's disk beyond [`FREE_STORAGE_MIB`].
pub const LAMBDA_STORAGE: Price = Price {
    what: "Lambda, /tmp beyond 512 MiB",
    unit: "GB-second",
    dollars: 0.000_000_030_9,
    source: "https://aws.amazon.com/lambda/pricing/",
};

/// Requests that write or list.
pub const S3_WRITE: Price = Price {
    what: "S3, PUT and LIST",
    unit: "request",
    dollars: 0.000_005,
    source: "https://aws.amazon.com/s3/pricing/",
};

/// Requests that read.
pub const S3_READ: Price = Price {
    what: "S3, GET",
    unit: "request",
    dollars: 0.000_000_4,
    source: "https://aws.amazon.com/s3/pricing/",
};

/// Log lines that come in.
pub const LOGS: Price = Price {
    what: "CloudWatch Logs",
    unit: "GB taken in",
    dollars: 0.5,
    source: "https://aws.amazon.com/cloudwatch/pricing/",
};

/// A metric that is asked for; `GetMetricData` has no free tier.
pub const METRIC: Price = Price {
    what: "CloudWatch, GetMetricData",
    unit: "metric",
    dollars: 0.000_01,
    source: "https://aws.amazon.com/cloudwatch/pricing/",
};

/// Another request to CloudWatch, such as `DescribeAlarms`.
pub const CLOUDWATCH_REQUEST: Price = Price {
    what: "CloudWatch, other requests",
    unit: "request",
    dollars: 0.000_01,
    source: "https://aws.amazon.com/cloudwatch/pricing/",
};

/// An alarm whose periods are minutes.
pub const ALARM: Price = Price {
    what: "CloudWatch, alarm",
    unit: "metric of an alarm and month",
    dollars: 0.1,
    source: "https://aws.amazon.com/cloudwatch/pricing/",
};

/// An alarm whose periods are 10 or 30 seconds.
pub const FAST_ALARM: Price = Price {
    what: "CloudWatch, alarm of high resolution",
    unit: "metric of an alarm and month",
    dollars: 0.3,
    source: "https://aws.amazon.com/cloudwatch/pricing/",
};

/// An alarm on other alarms.
pub const COMPOSITE_ALARM: Price = Price {
    what: "CloudWatch, composite alarm",
    unit: "alarm and month",
    dollars: 0.5,
    source: "https://aws.amazon.com/cloudwatch/pricing/",
};

/// Every price that is used.
pub const PRICES: [Price; 13] = [
    ACTION_MINUTE,
    LAMBDA_ARM,
    LAMBDA_X86,
    LAMBDA_REQUEST,
    LAMBDA_STORAGE,
    S3_WRITE,
    S3_READ,
    LOGS,
    METRIC,
    CLOUDWATCH_REQUEST,
    ALARM,
    FAST_ALARM,
    COMPOSITE_ALARM,
];

/// When the prices were read.
pub const PRICES_OF: &str = "2026-11-21";

/// Disk that a function has for nothing, in MiB.
const FREE_STORAGE_MIB: f64 = 512.0;

/// MiB in what Lambda calls a GB.
const MIB_OF_A_GB: f64 = 1024.0;

/// Requests to S3 that no action of a small application reaches: the pipeline's own included.
const S3_WRITES_OF_AN_ACTION: f64 = 10.0;

/// The same for reading.
const S3_READS_OF_AN_ACTION: f64 = 20.0;

/// More than an action logs: some twenty lines of JSON, and the child's output.
const LOGS_OF_AN_ACTION_GB: f64 = 0.000_1;

/// What a function is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Memory, in MiB.
    pub memory_mib: f64,
    /// Disk, in MiB.
    pub storage_mib: f64,
}

/// One action of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The stage.
    pub stage: String,
    /// The action.
    pub action: String,
    /// How long it took.
    pub seconds: f64,
}

/// What one action costs, in dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// CodePipeline's share.
    pub pipeline: f64,
    /// Lambda's: memory, disk and the request.
    pub function: f64,
    /// S3's and CloudWatch Logs'.
    pub storage: f64,
}

impl Cost {
    /// All of it.
    #[must_use]
    pub fn total(self) -> f64 {
        self.pipeline + self.function + self.storage
    }
}

/// The actions that ended, of the lines that `delivery run --json` prints.
///
/// # Errors
///
/// A line that is not JSON.
pub fn measured(lines: &str) -> io::Result<Vec<Measured>> {
    let mut actions = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let event: Value = serde_json::from_str(line)?;
        if event["type"] != "action" || event["status"] == "InProgress" {
            continue;
        }
        actions.push(Measured {
            stage: event["stage"].as_str().unwrap_or_default().to_owned(),
            action: event["action"].as_str().unwrap_or_default().to_owned(),
            seconds: event["seconds"].as_f64().unwrap_or_default(),
        });
    }
    Ok(actions)
}

/// What the template gives each function, by the action's name.
///
/// # Errors
///
/// Where the template cannot be read.
pub fn sizes() -> io::Result<BTreeMap<String, Size>> {
    let text = fs::read_to_string(checkout::root().join("cloudformation/actions.yaml"))?;
    let template = yaml::parse(&text).map_err(io::Error::other)?;
    let number = |value: &Value| {
        let parameter = value["Ref"].as_str().unwrap_or_default();
        let default = &template["Parameters"][parameter]["Default"];
        value.as_f64().or(default.as_f64()).unwrap_or_default()
    };
    let resources = template["Resources"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let functions = resources
        .values()
        .filter(|resource| resource["Type"] == "AWS::Lambda::Function");
    let sizes = functions.filter_map(|function| {
        let properties = &function["Properties"];
        let key = &properties["Code"]["S3Key"];
        let key = key["Fn::Sub"].as_str()?;
        let name = key.rsplit('/').next()?.strip_suffix(".zip")?;
        let size = Size {
            memory_mib: number(&properties["MemorySize"]),
            storage_mib: number(&properties["EphemeralStorage"]["Size"]),
        };
        Some((name.to_owned(), size))
    });
    Ok(sizes.collect())
}

/// What an action costs: `size` is that of its function, `None` where CodePipeline works itself.
#[must_use]
pub fn cost(seconds: f64, size: Option<Size>, memory: Price) -> Cost {
    let function = size.map_or(0.0, |size| {
        let memory_gb = size.memory_mib / MIB_OF_A_GB;
        let storage_gb = (size.storage_mib - FREE_STORAGE_MIB).max(0.0) / MIB_OF_A_GB;
        seconds * (memory_gb * memory.dollars + storage_gb * LAMBDA_STORAGE.dollars)
            + LAMBDA_REQUEST.dollars
    });
    Cost {
        pipeline: (seconds / 60.0).ceil() * ACTION_MINUTE.dollars,
        function,
        storage: S3_WRITES_OF_AN_ACTION * S3_WRITE.dollars
            + S3_READS_OF_AN_ACTION * S3_READ.dollars
            + LOGS_OF_AN_ACTION_GB * LOGS.dollars,
    }
}

/// A Markdown table of a run: what each action took and costs on arm64, and what all of them cost.
///
/// # Errors
///
/// Where the run or the template cannot be read.
pub fn report(lines: &str) -> io::Result<String> {
    let actions = measured(lines)?;
    let sizes = sizes()?;
    let mut text = String::from(
        "| stage | action | seconds | memory | CodePipeline | Lambda | S3 and logs |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let (mut arm, mut x86) = (Cost::default(), Cost::default());
    for action in &actions {
        let size = sizes.get(&action.action).copied();
        let one = cost(action.seconds, size, LAMBDA_ARM);
        add(&mut arm, one);
        add(&mut x86, cost(action.seconds, size, LAMBDA_X86));
        let memory = size.map_or_else(
            || "none".to_owned(),
            |size| format!("{:.0} MiB", size.memory_mib),
        );
        let _infallible = writeln!(
            text,
            "| {} | {} | {:.1} | {memory} | {} | {} | {} |",
            action.stage,
            action.action,
            action.seconds,
            dollars(one.pipeline),
            dollars(one.function),
            dollars(one.storage),
        );
    }
    let seconds: f64 = actions.iter().map(|action| action.seconds).sum();
    let _infallible = writeln!(
        text,
        "| all | | {seconds:.1} | | {} | {} | {} |",
        dollars(arm.pipeline),
        dollars(arm.function),
        dollars(arm.storage),
    );
    let _infallible = writeln!(
        text,
        "\nOne run: {} on arm64, {} on x86_64. A thousand runs: ${:.2}.",
        dollars(arm.total()),
        dollars(x86.total()),
        arm.total() * 1000.0,
    );
    Ok(text)
}

/// How far apart the looks of a rollout are, in seconds: as near as they can be, and as far as CodePipeline's jobs seem to be.
const BETWEEN_LOOKS: [f64; 2] = [5.0, 30.0];

/// A look of a rollout is a job, with a pause of two seconds in it.
const SECONDS_OF_A_LOOK: f64 = 2.5;

/// Requests and errors of both versions.
const METRICS_OF_A_LOOK: f64 = 4.0;

/// A Markdown table of rollouts: how long each takes, and what it costs on arm64. `rollouts` have what the keys of
/// `delivery.toml` are, the steps, and for how long all traffic is watched after them.
///
/// # Errors
///
/// Where the template cannot be read.
pub fn rollouts(rollouts: &[(&str, Strategy, Duration)]) -> io::Result<String> {
    let size = sizes()?.get("deploy-app").copied();
    let mut text = String::from(
        "| rollout | takes | CodePipeline | looks | Lambda | CloudWatch | all |\n|---|---|---|---|---|---|---|\n",
    );
    for (keys, strategy, bake) in rollouts {
        let seconds = (strategy.lasts() + *bake).as_secs_f64();
        let pipeline = cost(seconds, None, LAMBDA_ARM).pipeline;
        let [most, least] = BETWEEN_LOOKS.map(|between| seconds / between);
        let function = cost(SECONDS_OF_A_LOOK, size, LAMBDA_ARM).function;
        let watch = METRICS_OF_A_LOOK * METRIC.dollars + CLOUDWATCH_REQUEST.dollars;
        let between = |one: f64| format!("{} to {}", cents(least * one), cents(most * one));
        let all = |looks: f64| cents(pipeline + looks * (function + watch));
        let _infallible = writeln!(
            text,
            "| `{keys}` | {:.0} minutes | {} | {least:.0} to {most:.0} | {} | {} | {} to {} |",
            seconds / 60.0,
            cents(pipeline),
            between(function),
            between(watch),
            all(least),
            all(most),
        );
    }
    Ok(text)
}

fn cents(dollars: f64) -> String {
    format!("{:.2} ¢", dollars * 100.0)
}

fn add(sum: &mut Cost, one: Cost) {
    sum.pipeline += one.pipeline;
    sum.function += one.function;
    sum.storage += one.storage;
}

fn dollars(amount: f64) -> String {
    format!("${amount:.5}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::FUNCTIONS;

    const BUILD: Size = Size {
        memory_mib: 2048.0,
        storage_mib: 1536.0,
    };

    #[test]
    fn a_function_costs_memory_disk_and_a_request() {
        let ten_seconds = cost(10.0, Some(BUILD), LAMBDA_ARM);
        let expected = 10.0 * (2.0 * 0.000_013_333_4 + 0.000_000_030_9) + 0.000_000_2;
        assert!(
            (ten_seconds.function - expected).abs() < 1e-12,
            "{ten_seconds:?}"
        );
    }

    #[test]
    fn codepipeline_counts_begun_minutes() {
        for (seconds, minutes) in [(0.1, 1.0), (60.0, 1.0), (60.1, 2.0)] {
            let found = cost(seconds, None, LAMBDA_ARM).pipeline;
            assert!(
                (found - minutes * 0.002).abs() < 1e-12,
                "{seconds} s: {found}"
            );
        }
        assert!(cost(60.0, None, LAMBDA_ARM).function.abs() < 1e-12);
    }

    #[test]
    fn only_what_ended_is_counted() {
        let lines = r#"{"type":"step"}
{"type":"action","stage":"S","action":"a","status":"InProgress","seconds":0.1}
{"type":"action","stage":"S","action":"a","status":"Failed","seconds":1.5}"#;
        let expected = Measured {
            stage: "S".to_owned(),
            action: "a".to_owned(),
            seconds: 1.5,
        };
        assert_eq!(measured(lines).unwrap(), [expected]);
    }

    #[test]
    fn every_function_of_an_action_has_a_size() {
        let sizes = sizes().unwrap();
        let actions = FUNCTIONS.iter().filter(|name| **name != "guard").count();
        assert_eq!(sizes.len(), actions, "{sizes:?}");
        assert!(
            sizes.values().all(|size| size.memory_mib >= 128.0),
            "{sizes:?}"
        );
    }
}
