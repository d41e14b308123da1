//! Lambda entry point of the `deploy-site` action.

fn main() {}
