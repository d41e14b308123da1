//! The pipeline on one machine: a CodePipeline engine beside a local AWS.

pub mod aws;
pub mod gateway;
pub mod launch;
pub mod ministack;
