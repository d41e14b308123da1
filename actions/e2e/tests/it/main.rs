//! e2e as functions run it, job after job: the real npm, and an in-process artifact store.

mod attempts;
mod messages;
