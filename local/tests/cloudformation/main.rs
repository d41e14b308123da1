//! CloudFormation and what a stack's life touches, as the local AWS answers for it: the gaps that are
//! closed inside `MiniStack` and in front of it. All tests share one `MiniStack`.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod accounts;
mod alarms;
mod changes;
mod checksums;
mod codedeploy;
mod conditional_writes;
mod endings;
mod functions;
mod metrics;
mod refusals;
mod roles;
mod sam;
mod signing_in;
mod stack_policies;
mod templates;
mod weights;
mod world;
