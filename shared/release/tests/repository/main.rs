//! The repository and environments against S3 in memory.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod damage;
mod environments;
mod manifests;
mod pruning;
mod published;
mod publishing;
mod stages;
mod world;
