//! Lambda entry point of the `npm-install` action.

fn main() {}
