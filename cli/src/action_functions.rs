//! The action functions: built from the checkout, or taken from a directory.

mod build;
pub(crate) mod custom;
mod prebuilt;

use std::path::PathBuf;

pub(crate) use build::{build, profile};
pub(crate) use prebuilt::{beside_this_program, node_layer, prebuilt};

/// The functions that the template needs.
pub(crate) use local::launch::FUNCTIONS as NAMES;

/// A function's program, what Lambda runs as `bootstrap`, or the package with it (`*.zip`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The function's name.
    pub(crate) name: &'static str,
    /// The program or package.
    pub(crate) path: PathBuf,
}
