//! The pipeline on one machine: a CodePipeline engine ([`engine`]) and a local AWS ([`aws`]).

pub mod access;
mod api;
pub mod aws;
mod codedeploy;
pub mod engine;
pub mod gateway;
pub mod launch;
mod listen;
pub mod ministack;
pub mod source;
