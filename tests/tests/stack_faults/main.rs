//! What `delivery up`, `wait` and `down` do where AWS does not play along: each a clear message and exit
//! code, and nothing half done.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod down;
mod fake;
mod up;
mod wait;
