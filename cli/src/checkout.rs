//! The checkout that this program was built in, where it still lies in there: as `target/debug/delivery`.

use std::path::{Path, PathBuf};

/// What cargo writes into the folder of a profile: who installs a program does not copy it.
const OF_CARGO: &str = ".fingerprint";

/// Files by which a folder is a checkout.
const OF_A_CHECKOUT: [&str; 2] = ["cli/Cargo.toml", "cloudformation/actions.yaml"];

/// Its directory. Found from where the program is, not from where it was compiled: that folder may be anything on the
/// machine of who installed it.
pub(crate) fn find() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    above(&program.canonicalize().unwrap_or(program))
}

/// The checkout of a program in `target/PROFILE` or `target/TARGET/PROFILE`, or of a test in `deps` of those.
fn above(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    let profile = if folder.ends_with("deps") {
        folder.parent()?
    } else {
        folder
    };
    if !profile.join(OF_CARGO).is_dir() {
        return None;
    }
    let is_checkout = |folder: &Path| OF_A_CHECKOUT.iter().all(|file| folder.join(file).is_file());
    let mut folders = profile.ancestors().skip(2).take(2);
    folders
        .find(|folder| is_checkout(folder))
        .map(Path::to_owned)
}

/// The checkout of these tests, wherever cargo puts what it builds.
#[cfg(test)]
pub(crate) fn of_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_what_cargo_built_there_is_in_a_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkout");
        for file in OF_A_CHECKOUT {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        for profile in ["target/debug", "target/x86_64-unknown-linux-musl/release"] {
            fs::create_dir_all(root.join(profile).join(OF_CARGO)).unwrap();
        }
        for program in [
            "target/debug/delivery",
            "target/debug/deps/delivery-0123",
            "target/x86_64-unknown-linux-musl/release/delivery",
        ] {
            assert_eq!(above(&root.join(program)), Some(root.clone()), "{program}");
        }
        for program in ["target/delivery-0.1.0/delivery", "tools/bin/delivery"] {
            assert_eq!(above(&root.join(program)), None, "{program}");
        }
        let elsewhere = folder.path().join("elsewhere/debug");
        fs::create_dir_all(elsewhere.join(OF_CARGO)).unwrap();
        assert_eq!(above(&elsewhere.join("delivery")), None);
    }
}
