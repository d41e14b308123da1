//! The values that have a form of their own.

pub(crate) mod alarm;
pub(crate) mod duration;
pub(crate) mod hook;
pub(crate) mod path;
pub(crate) mod place;
pub(crate) mod rollout;
pub(crate) mod text;
pub(crate) mod ttl;
