//! Functions that someone else built.

use std::path::{Path, PathBuf};

use super::Function;
use crate::error::CliError;
use crate::installation;

/// What `scripts/node-layer` calls the layer's package.
const NODE_LAYER: &str = "node-layer.zip";

/// Finds every function in a directory: the package `NAME.zip`, `NAME/bootstrap` or the program `NAME`.
pub(crate) fn prebuilt(directory: &Path) -> Result<Vec<Function>, CliError> {
    if !directory.is_dir() {
        let directory = directory.to_owned();
        return Err(CliError::NoFunctionsFolder { directory });
    }
    super::all(directory, |name| {
        let places = [
            directory.join(format!("{name}.zip")),
            directory.join(name).join("bootstrap"),
            directory.join(name),
        ];
        places.into_iter().find(|path| path.is_file())
    })
}

/// The folder of the functions that came with this program.
pub(crate) fn beside_this_program() -> Option<PathBuf> {
    let mut places = installation::functions().into_iter();
    places.find(|place| prebuilt(place).is_ok())
}

/// The package of the layer with Node.js and npm, if it is next to the functions.
pub(crate) fn node_layer(directory: &Path) -> Option<PathBuf> {
    let layer = directory.join(NODE_LAYER);
    layer.is_file().then_some(layer)
}

#[cfg(test)]
mod tests {
    use super::super::NAMES;
    use super::*;

    #[test]
    fn functions_are_found_in_every_form_and_the_layer_beside_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "x").unwrap();
            path
        };
        let mut expected = vec![file("npm-install/bootstrap"), file("test-and-package.zip")];
        expected.extend(NAMES[2..].iter().map(|name| file(name)));
        assert_eq!(node_layer(directory.path()), None);
        let layer = file("node-layer.zip");

        let found: Vec<_> = prebuilt(directory.path())
            .unwrap()
            .into_iter()
            .map(|function| function.path)
            .collect();
        assert_eq!(found, expected);
        assert_eq!(node_layer(directory.path()), Some(layer));
    }

    #[test]
    fn missing_functions_are_named_all_at_once() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("e2e.zip"), "x").unwrap();
        let message = prebuilt(directory.path()).unwrap_err().message();
        let missing = NAMES.into_iter().filter(|name| *name != "e2e");
        let missing: Vec<_> = missing.map(|name| format!("`{name}`")).collect();
        let expected = format!("{}\n", missing.join(", "));
        assert!(message.contains(&expected), "{message}");
        assert!(message.contains("leave `--functions` out"), "{message}");
        let nowhere = directory.path().join("nofns");
        let message = prebuilt(&nowhere).unwrap_err().message();
        let expected = format!(
            "the folder of functions `{}` does not exist",
            nowhere.display()
        );
        assert!(message.starts_with(&expected), "{message}");
    }
}
