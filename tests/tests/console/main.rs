//! `delivery console` in a browser, over a real local AWS: what a person sees there, and clicks.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

mod chromium;
mod story;
mod world;
