//! Removes what is left of a `MiniStack` whose supervisor was killed.

use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the names of the folders begin with.
pub(super) const PREFIX: &str = "delivery-ministack-";

/// What the supervisor renames a folder to that it deletes.
const REMOVED: &str = ".removed";

/// The file in each folder that its supervisor holds locked, and that names its log.
const ALIVE: &str = "alive";

/// Removes the folders in `parent` whose supervisor is not alive, and their logs.
pub(super) fn remove(parent: &Path) {
    let Ok(uid) = fs::metadata("/proc/self").map(|process| process.uid()) else {
        return; // not Linux
    };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        // Anybody may make such a folder there, or a link to another, with the name of any file in it.
        let is_mine = fs::symlink_metadata(&folder)
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == uid);
        if !name.starts_with(PREFIX) || !is_mine {
            continue;
        }
        let Ok(alive) = File::open(folder.join(ALIVE)) else {
            continue; // one that is just being made
        };
        if alive.try_lock().is_err() {
            continue;
        }
        if !name.ends_with(REMOVED)
            && let Ok(log) = fs::read(folder.join(ALIVE))
        {
            drop(fs::remove_file(PathBuf::from(
                std::ffi::OsString::from_vec(log),
            )));
        }
        drop(fs::remove_dir_all(&folder)); // what cannot be removed now is tried again next time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_supervisor_holds_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let (log, kept_log) = (parent.path().join("a.log"), parent.path().join("b.log"));
        let folder = |name: &str, log: Option<&Path>| {
            let folder = parent.path().join(name);
            fs::create_dir(&folder).unwrap();
            if let Some(log) = log {
                fs::write(log, "text").unwrap();
                fs::write(folder.join(ALIVE), log.as_os_str().as_encoded_bytes()).unwrap();
            }
            folder
        };
        let left = folder("delivery-ministack-left", Some(&log));
        let held = folder("delivery-ministack-held", Some(&kept_log));
        let new = folder("delivery-ministack-new", None);
        let others = folder("another-program", None);
        let lock = File::open(held.join(ALIVE)).unwrap();
        lock.lock().unwrap();
        remove(parent.path());
        assert!(!left.exists() && !log.exists());
        assert!(held.exists() && kept_log.exists() && new.exists() && others.exists());
    }
}
