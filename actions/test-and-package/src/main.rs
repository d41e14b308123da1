//! Lambda entry point of the `test-and-package` action.

fn main() {}
