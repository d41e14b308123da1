//! Children as they really are: each test runs in a process of its own, as the function would, and as
//! an unprivileged user where this one is root (a root child can read everything).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ending;
mod isolation;
mod messages;
mod secrets;
