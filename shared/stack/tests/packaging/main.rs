//! Templates and their files, brought into a bucket.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod package;
