//! A function's package: a zip file with its binary, called `bootstrap`. An existing package is used as it is.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use delivery_action::clock;

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

/// How many packages are kept: those of four builds of all functions.
const KEPT: usize = 40;

/// The packages that were made of programs, by the programs' digests: making one takes longer than anything else of a launch.
#[derive(Clone, Debug)]
pub(super) struct Packages(PathBuf);

impl Packages {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The package of a program, made now if it is not there.
    pub(super) fn of(&self, binary: &Path, digest: &str) -> io::Result<PathBuf> {
        let Self(folder) = self;
        let package = folder.join(format!("{digest}.zip"));
        if let Ok(file) = File::options().append(true).open(&package) {
            // The oldest are removed, by when they were used.
            file.set_modified(clock::now())?;
            return Ok(package);
        }
        fs::create_dir_all(folder)?;
        let made = NamedTempFile::new_in(folder)?;
        make(binary, made.path())?;
        // Renamed when it is whole: other runs read it at the same time.
        made.persist(&package).map_err(|error| error.error)?;
        Ok(package)
    }

    /// Removes the oldest of more than [`KEPT`].
    pub(super) fn trim(&self) {
        let Self(folder) = self;
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let packages = entries
            .map(|entry| entry.path())
            .filter(|path| is_package(path));
        let used = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
        let mut packages: Vec<_> = packages.map(|path| (used(&path), path)).collect();
        packages.sort();
        let many = packages.len().saturating_sub(KEPT);
        for (_, path) in &packages[..many] {
            let _another_run_removed_it = fs::remove_file(path);
        }
    }
}

fn make(binary: &Path, package: &Path) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join(BOOTSTRAP);
    // A link takes no time, but works on one disk only.
    fs::hard_link(binary, &program).or_else(|_| fs::copy(binary, &program).map(drop))?;
    delivery_archive::create_file(folder.path(), package)
        .map(drop)
        .map_err(io::Error::other)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_program_is_packaged_once_and_the_least_used_packages_go() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "one").unwrap();
        let packages = Packages::new(&folder.path().join("packages"));
        let first = packages.of(&program, "0").unwrap();
        let bytes = fs::read(&first).unwrap();
        fs::write(&program, "two").unwrap();
        assert_eq!(packages.of(&program, "0").unwrap(), first);
        assert_eq!(fs::read(&first).unwrap(), bytes);
        for number in 1..=KEPT {
            let other = packages.of(&program, &number.to_string()).unwrap();
            let file = File::options().append(true).open(other).unwrap();
            let before = clock::now() - Duration::from_mins(1);
            file.set_modified(before).unwrap();
        }
        packages.of(&program, "0").unwrap();
        packages.trim();
        assert!(first.exists(), "it was used last");
        let names = fs::read_dir(folder.path().join("packages")).unwrap();
        assert_eq!(names.count(), KEPT);
    }
}
