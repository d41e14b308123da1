//! Where this checkout is, and what was built from it.

use std::path::{Path, PathBuf};

/// The checkout's root.
///
/// # Panics
///
/// Never: the crate is a folder of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is a folder of the checkout")
        .to_owned()
}

/// Where cargo put the programs: in this program's folder, or in the one above the folder of tests.
///
/// # Panics
///
/// Where this program is not one that cargo built.
#[must_use]
pub fn programs() -> PathBuf {
    let program = std::env::current_exe().expect("the system knows this program's path");
    let folder = program.parent().expect("a program is in a folder");
    if folder.ends_with("deps") {
        folder
            .parent()
            .expect("`deps` is in a profile's folder")
            .to_owned()
    } else {
        folder.to_owned()
    }
}
