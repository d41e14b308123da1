//! e2e as functions run it, job after job: the real npm, and an in-process artifact store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod application_log;
mod attempts;
mod messages;
