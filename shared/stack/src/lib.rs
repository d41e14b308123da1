#![doc = include_str!("../README.md")]

pub mod change_set;
pub mod description;
pub mod events;
pub mod failure;
pub mod package;
pub mod parameters;
pub mod resources;
pub mod state;
pub mod template;
pub mod yaml;
