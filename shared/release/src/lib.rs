#![doc = include_str!("../README.md")]

pub mod digest;
mod document;
pub mod environment;
mod error;
pub mod manifest;
pub mod part;
pub mod prune;
pub mod repository;
mod time;

pub use error::ReleaseError;
