//! What the deletion of a stack needs beside CloudFormation: empty buckets, what the templates say about what stays, and
//! what stayed.

pub mod bucket;
pub mod leftovers;
pub mod policies;
