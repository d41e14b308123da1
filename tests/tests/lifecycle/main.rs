//! A stack's life, from `publish` to `down`, by the built `delivery` against the local AWS: the very
//! calls that AWS would get.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod environments;
mod faults;
mod own_environment;
mod packages;
mod program;
mod refusal;
mod story;
mod upgrade;
mod world;
