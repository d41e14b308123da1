//! Follows executions: asks CodePipeline for its state and tells what changed.

mod changes;
mod client;

pub(crate) use changes::{ActionSnapshot, Snapshot, changes};
pub(crate) use client::{Pipeline, Shape, round};
