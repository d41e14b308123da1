//! The crates that an action is built on, copied out of the installation into the new folder, so that it builds wherever it is
//! cloned.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::installation::VERSION;

/// The folder of the crates in the new one.
const FOLDER: &str = "sdk";

/// The settings of cargo that let the folder build against its own copy.
pub(super) fn settings() -> String {
    super::settings(|name| format!("{FOLDER}/delivery-{name}-{VERSION}"))
}

/// Copies the crates and returns the files, as paths in the folder.
pub(super) fn copy(sdk: &Path, folder: &Path) -> Result<Vec<String>, CliError> {
    let mut copied = Vec::new();
    for entry in walkdir::WalkDir::new(sdk).sort_by_file_name() {
        let entry = entry.map_err(|error| failed("read", sdk)(error.into()))?;
        let (Ok(path), true) = (entry.path().strip_prefix(sdk), entry.file_type().is_file()) else {
            continue;
        };
        let path = Path::new(FOLDER).join(path);
        let target = folder.join(&path);
        let parent = target.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(failed("write", parent))?;
        // Not `fs::copy`: an installation may be read-only, and so would the copy be.
        let text = fs::read(entry.path()).map_err(failed("read", entry.path()))?;
        fs::write(&target, text).map_err(failed("write", &target))?;
        copied.push(path.display().to_string());
    }
    Ok(copied)
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let path: PathBuf = path.to_owned();
    move |source| CliError::File { verb, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_copied_and_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let sdk = folder.path().join("installed");
        fs::create_dir_all(sdk.join("delivery-action-0.1.0/src")).unwrap();
        let file = sdk.join("delivery-action-0.1.0/src/lib.rs");
        fs::write(&file, "x").unwrap();
        let mut read_only = fs::metadata(&file).unwrap().permissions();
        read_only.set_readonly(true);
        fs::set_permissions(&file, read_only).unwrap();
        let new = folder.path().join("notify-chat");
        let copied = copy(&sdk, &new).unwrap();
        assert_eq!(copied, ["sdk/delivery-action-0.1.0/src/lib.rs"]);
        fs::write(new.join(&copied[0]), "y").unwrap();
    }

    #[test]
    fn cargo_finds_the_copy() {
        let settings = settings();
        let line = format!("delivery-testing = {{ path = \"sdk/delivery-testing-{VERSION}\" }}\n");
        assert!(settings.ends_with(&line), "{settings}");
    }
}
