//! The action through its host, over real HTTP.

mod bad_input;
mod faults;
mod frame;
mod order;
mod publishing;
