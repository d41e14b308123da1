//! The action functions: built from the checkout, or taken from a directory.

mod build;
pub(crate) mod custom;
mod prebuilt;
mod program;

use std::path::{Path, PathBuf};

use crate::error::CliError;

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

/// Finds all functions in a folder; those that are missing are one error.
fn all(
    directory: &Path,
    find: impl Fn(&str) -> Option<PathBuf>,
) -> Result<Vec<Function>, CliError> {
    let mut functions = Vec::new();
    let mut missing = Vec::new();
    for name in NAMES {
        match find(name) {
            Some(path) => functions.push(Function { name, path }),
            None => missing.push(name),
        }
    }
    if missing.is_empty() {
        return Ok(functions);
    }
    Err(CliError::FunctionsMissing {
        names: missing,
        directory: directory.to_owned(),
    })
}
