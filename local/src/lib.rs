//! The pipeline on one machine: a CodePipeline engine beside a local AWS.

pub mod access;
mod api;
pub mod aws;
pub mod engine;
pub mod gateway;
pub mod launch;
mod listen;
pub mod ministack;
pub mod source;
