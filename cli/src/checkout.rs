//! The checkout that this program was built from.

use std::path::{Path, PathBuf};

/// Its directory, if it is still there.
pub(crate) fn find() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    workspace
        .join("cloudformation")
        .is_dir()
        .then(|| workspace.to_owned())
}
