//! The function undeploy against the local AWS: what it deletes and what it leaves, killed at each of its calls, with whatever
//! stands in its way.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod deployments;
mod killed;
mod obstacles;
mod removals;
mod world;
