//! `docs/limits-and-cost.md`: its figures are those of the kept run and of the prices in the code, and
//! its limits those of the code.

use std::fs;

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
