//! The S3 that serves both sides of every comparison: a process of its own that counts requests and bytes.
//!
//! HTTP, signatures and XML are those of `s3s`; the objects are in memory. `s3s-fs`, which most tests use,
//! lists without `ETag`s (so that no contents can be compared), reads the whole folder again for each page
//! of a listing, and hands out 4 KiB at a time: what was measured would be the server.

pub mod client;
mod count;
pub mod server;

pub use count::Counted;
