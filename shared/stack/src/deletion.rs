//! What the deletion of a stack needs beside CloudFormation: empty buckets, what the templates say about what stays, and
//! what stayed.

pub mod bucket;
pub mod leftovers;
pub mod policies;

/// The tag of stacks that may be deleted with their environment.
pub const REMOVABLE_TAG: &str = "delivery:removable";
/// Its value.
pub const REMOVABLE: &str = "true";
