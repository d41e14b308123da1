//! deploy-stack against the stacks of the local AWS: each state that a stack can be found in, made for real by custom
//! resources that fail or take their time.
//!
//! CloudFormation and S3 are the local AWS's; jobs and executions are those of the world in memory, which says what was
//! reported.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod gate;
mod input;
mod releases;
mod table;
mod traffic;
mod world;
