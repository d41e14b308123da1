#![doc = include_str!("../README.md")]

mod error;
mod event;
mod guard;
mod watched;

pub use error::GuardError;
pub use guard::Guard;
pub use watched::{WATCHED_ALIASES, Watched, WatchedError};
