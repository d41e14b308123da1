#![doc = include_str!("../README.md")]
//!
//! Everything listens on 127.0.0.1 at a port of the system's choice and ends when it is dropped.

#![expect(
    clippy::missing_panics_doc,
    reason = "whatever fails here fails the test that uses it, which is all there is to say"
)]

pub mod archives;
pub mod events;
pub mod matrix;
pub mod memory;
pub mod operation;
pub mod proxy;
pub mod record;
pub mod runtime;
pub mod s3;
mod server;
pub mod source;
#[cfg(feature = "terminal")]
pub mod terminal;
pub mod world;
