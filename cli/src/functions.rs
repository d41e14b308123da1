//! The action functions: built from the checkout, or taken from a directory.

mod build;
mod prebuilt;

use std::path::PathBuf;

pub(crate) use build::{build, profile};
pub(crate) use prebuilt::prebuilt;

/// The functions that the template needs, each named as its package.
pub(crate) const NAMES: [&str; 6] = [
    "npm-install",
    "test-and-package",
    "deploy-app",
    "deploy-api",
    "deploy-site",
    "e2e",
];

/// A function's program: what Lambda runs as `bootstrap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The function's name.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) path: PathBuf,
}
