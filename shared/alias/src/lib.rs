#![doc = include_str!("../README.md")]

mod alias;
mod hook;
mod watch;

pub use alias::{Found, FunctionAlias};
pub use hook::{HookCall, call_hook};
pub use watch::Watcher;
