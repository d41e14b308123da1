//! Whole pipelines over the real local AWS, with the programs that a user gets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod demo;
mod interruption;
mod kept;
mod keys;
mod leaks;
mod one_service;
mod services;
mod split;
mod story;
mod superseding;
mod workshop;
