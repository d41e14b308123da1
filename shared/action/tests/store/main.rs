//! Artifacts in and out, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    reason = "a test says what it skipped and measured"
)]

mod composed;
mod disk;
mod memory;
mod ranges;
mod transfer;

use delivery_action::job::Job;
use delivery_testing::events::{JobEvent, invocation};
use serde_json::Value;

/// The bucket of the artifact store.
const BUCKET: &str = "store";

/// A job with one input and one output artifact.
fn job(event: JobEvent) -> Job {
    let event: Value = event
        .input("SourceOutput", BUCKET, "greeter/SourceOutp/aB3xY9z")
        .output("DistOutput", BUCKET, "greeter/DistOutput/cD4wV8u")
        .build();
    Job::from_event(&event, invocation()).unwrap()
}
