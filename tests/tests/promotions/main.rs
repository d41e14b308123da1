//! Releases over the real local AWS: from a commit through the environments, promoted, rolled back and removed again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod moved;
mod removal;
mod story;
mod world;
