//! A function's package: a zip file with its binary, called `bootstrap`. One that was made already is
//! taken as it is.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What Lambda starts on `provided.al2023`.
const BOOTSTRAP: &str = "bootstrap";

/// The fastest level: the package travels over the loopback interface only.
const LEVEL: i64 = 1;

/// How much is hashed at once, in bytes.
const BLOCK: usize = 1 << 20;

/// Whether this is a package and not a program.
pub(super) fn is_package(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// The package in a file that is removed when it is dropped.
pub(super) fn package(binary: &Path) -> io::Result<NamedTempFile> {
    let mut source = File::open(binary)?;
    let mut file = NamedTempFile::new()?;
    let mut archive = ZipWriter::new(file.as_file_mut());
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .unix_permissions(0o755)
        .large_file(true);
    archive.start_file(BOOTSTRAP, options)?;
    io::copy(&mut source, &mut archive)?;
    archive.finish()?;
    file.as_file_mut().rewind()?;
    Ok(file)
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
