//! Packages as `scripts/package` leaves them, of the programs that cargo built for the tests.

use std::fs;
use std::path::Path;

use pipeline_tests::checkout;
use pipeline_tests::packages::FUNCTIONS;

/// The architecture of this machine, in Lambda's words.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x86_64"
};

/// Writes them into a folder. The layer holds no Node.js: the functions find the machine's.
pub(crate) fn write(folder: &Path) {
    let packages = folder.join(ARCHITECTURE);
    fs::create_dir_all(&packages).unwrap();
    let staged = tempfile::tempdir().unwrap();
    for function in FUNCTIONS {
        let content = staged.path().join(function);
        fs::create_dir(&content).unwrap();
        fs::copy(
            checkout::programs().join(function),
            content.join("bootstrap"),
        )
        .unwrap();
        zip(&content, &packages.join(format!("{function}.zip")));
    }
    let content = staged.path().join("layer");
    fs::create_dir(&content).unwrap();
    fs::write(
        content.join("README"),
        "The machine's own Node.js is used.\n",
    )
    .unwrap();
    zip(&content, &packages.join("node-layer.zip"));
}

fn zip(content: &Path, to: &Path) {
    delivery_archive::create_file(content, to).unwrap();
}
