#![doc = include_str!("../README.md")]

mod error;
mod event;
mod job;
mod order;
mod params;
mod part;
mod pass;
mod progress;
mod removal;
mod stage;
mod sweep;
mod undeploy;

pub use error::UndeployError;
pub use params::UndeployParams;
pub use progress::UndeployProgress;
pub use removal::{MAX_PASSES, SHORTEST_TIME};
pub use undeploy::{APPLICATION, RELEASES_BUCKET, Undeploy};
