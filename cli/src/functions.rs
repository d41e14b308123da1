//! The action functions: built from the checkout, or taken from a directory.

mod build;
mod prebuilt;

use std::path::PathBuf;

pub(crate) use build::{build, profile};
pub(crate) use prebuilt::{node_layer, prebuilt};

/// The functions that the template needs, each named as its package.
pub(crate) const NAMES: [&str; 6] = [
    "npm-install",
    "test-and-package",
    "deploy-app",
    "deploy-api",
    "deploy-site",
    "e2e",
];

/// A function's program, what Lambda runs as `bootstrap`, or the package with it (`*.zip`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The function's name.
    pub(crate) name: &'static str,
    /// The program or package.
    pub(crate) path: PathBuf,
}
