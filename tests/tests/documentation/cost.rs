//! `docs/limits-and-cost.md`: its figures are those of the kept run and of the prices in the code, and
//! its limits those of the code.

use std::fs;
use std::time::Duration;

use pipeline_tests::{checkout, cost};

use crate::generated::{self, table};

const PAGE: &str = "docs/limits-and-cost.md";

#[test]
fn the_cost_of_a_run_is_that_of_the_measured_run() {
    let run = checkout::root().join("docs/data/greeter-run.ndjson");
    let report = cost::report(&fs::read_to_string(run).unwrap()).unwrap();
    generated::check(PAGE, "cost", &report);
}

#[test]
fn the_cost_of_rollouts_is_that_of_the_prices() {
    let rollout = |keys, strategy: &str, bake| {
        let bake = Duration::from_mins(bake);
        (keys, strategy.parse().unwrap(), bake)
    };
    let rollouts = [
        rollout("rollout = \"canary:10@5m\"", "canary:10@5m", 0),
        rollout(
            "rollout = \"canary:10@5m\"`, `bake = \"10m\"",
            "canary:10@5m",
            10,
        ),
        rollout("rollout = \"linear:10@1m\"", "linear:10@1m", 0),
        rollout(
            "rollout = \"steps:1@10m,50@1h\"`, `bake = \"1h\"",
            "steps:1@10m,50@1h",
            60,
        ),
        rollout("bake = \"10m\"", "all-at-once", 10),
    ];
    let text = format!(
        "{}\nAn alarm costs ${:.2} a month for each metric in it, one with periods of 10 or 30 seconds ${:.2}, and a composite \
         alarm ${:.2} and its alarms. The prices are those of [limits and cost](limits-and-cost.md#what-a-run-costs): of us-east-1, \
         as AWS published them on {}, without the free tier.",
        cost::rollouts(&rollouts).unwrap(),
        cost::ALARM.dollars,
        cost::FAST_ALARM.dollars,
        cost::COMPOSITE_ALARM.dollars,
        cost::PRICES_OF,
    );
    generated::check("docs/rollouts.md", "cost of rollouts", &text);
}

#[test]
fn the_prices_are_those_that_were_used() {
    let rows: Vec<_> = cost::PRICES
        .iter()
        .map(|price| {
            let dollars = format!("${:.10}", price.dollars);
            vec![
                price.what.to_owned(),
                price.unit.to_owned(),
                dollars.trim_end_matches('0').to_owned(),
                format!("<{}>", price.source),
            ]
        })
        .collect();
    let text = format!(
        "As of {}, us-east-1, US dollars:\n\n{}",
        cost::PRICES_OF,
        table(&["for", "unit", "price", "published at"], &rows)
    );
    generated::check(PAGE, "prices", &text);
}
