//! A function's package: a zip file with its binary, called `bootstrap`. An existing package is used as it is.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

/// What Lambda starts on `provided.al2023`.
const BOOTSTRAP: &str = "bootstrap";

/// How much is hashed at once, in bytes.
const BLOCK: usize = 1 << 20;

/// Whether this is a package and not a program.
pub(super) fn is_package(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// The package in a file that is removed when it is dropped.
pub(super) fn package(binary: &Path) -> io::Result<NamedTempFile> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join(BOOTSTRAP);
    // A link takes no time, but works on one disk only.
    fs::hard_link(binary, &program).or_else(|_| fs::copy(binary, &program).map(drop))?;
    let package = NamedTempFile::new()?;
    delivery_archive::create_file(folder.path(), package.path()).map_err(io::Error::other)?;
    Ok(package)
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(super) fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        hash.update(&block[..read]);
    }
    Ok(super::upload::hexadecimal(&hash.finalize()))
}
