#![doc = include_str!("../README.md")]

pub mod change_set;
mod codedeploy;
pub mod deletion;
pub mod deployment;
pub mod description;
pub mod events;
pub mod failure;
pub mod names;
pub mod package;
pub mod parameters;
pub mod resources;
pub mod service;
pub mod state;
pub mod template;
pub mod yaml;

/// The type of a nested stack.
pub const NESTED_STACK: &str = "AWS::CloudFormation::Stack";
