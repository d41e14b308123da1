//! The action through its host, over real HTTP.

mod bad_input;
mod deploying;
mod faults;
mod frame;
