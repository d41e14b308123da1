//! Functions that someone else built.

use std::path::Path;

use super::{Function, NAMES};
use crate::error::CliError;

/// Finds every function in a directory: `NAME/bootstrap` or the program `NAME`.
pub(crate) fn prebuilt(directory: &Path) -> Result<Vec<Function>, CliError> {
    NAMES
        .into_iter()
        .map(|name| {
            let places = [directory.join(name).join("bootstrap"), directory.join(name)];
            match places.into_iter().find(|path| path.is_file()) {
                Some(path) => Ok(Function { name, path }),
                None => Err(CliError::FunctionMissing {
                    name,
                    directory: directory.to_owned(),
                }),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_in_either_form() {
        let directory = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "x").unwrap();
            path
        };
        let mut expected = vec![file("npm-install/bootstrap")];
        expected.extend(NAMES[1..].iter().map(|name| file(name)));

        let found: Vec<_> = prebuilt(directory.path())
            .unwrap()
            .into_iter()
            .map(|function| function.path)
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_missing_function_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let message = prebuilt(directory.path()).unwrap_err().to_string();
        assert!(
            message.starts_with("function `npm-install` is not in"),
            "{message}"
        );
    }
}
