//! The pipeline on one machine: a CodePipeline engine beside a local AWS.

mod api;
pub mod aws;
pub mod engine;
pub mod gateway;
pub mod guard;
pub mod launch;
mod listen;
pub mod ministack;
pub mod source;
