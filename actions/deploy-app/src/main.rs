//! Lambda entry point of the `deploy-app` action.

fn main() {}
