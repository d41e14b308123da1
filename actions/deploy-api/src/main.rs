//! Lambda entry point of the `deploy-api` action.

fn main() {}
