//! Says what a run costs on AWS, from what `delivery run --json` printed:
//! `cargo run --workspace --bin cost < run.ndjson`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::io::Read as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut lines = String::new();
    let read = std::io::stdin().read_to_string(&mut lines);
    match read.and_then(|_| pipeline_tests::cost::report(&lines)) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cost: {error}");
            ExitCode::FAILURE
        }
    }
}
