//! Lambda entry point of the `e2e` action.

fn main() {}
