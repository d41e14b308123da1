//! What a tree looked like before anybody could write into it, so that it can be told whether
//! somebody did, without reading a file.
//!
//! The kernel sets a file's change time with each write, rename, link and change of mode, and no
//! program can set it back. So a file of the same inode, size, mode and times is the same file.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use walkdir::WalkDir;

/// How often it is looked whether the file system's clock has gone on, and how long it may take: it
/// ticks every 1 to 10 ms (`CONFIG_HZ`), and times within one tick are equal.
const TICK_POLL: Duration = Duration::from_millis(1);
const MAX_TICK_POLLS: u32 = 100;

/// A point of the file system's time, in seconds and nanoseconds.
type Time = (i64, i64);

/// Every path of a tree, and how it was.
#[derive(Debug)]
pub(super) struct Snapshot {
    root: Identity,
    items: HashMap<PathBuf, State>,
}

/// Which directory it is, wherever it is moved: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    /// `None` where something else than a directory is there, such as a link to one.
    fn of(directory: &Path) -> io::Result<Option<Self>> {
        let metadata = fs::symlink_metadata(directory)?;
        Ok(metadata
            .is_dir()
            .then(|| Self(metadata.dev(), metadata.ino())))
    }
}

/// How a path was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A directory: what is in it may come and go, its permissions may not.
    Directory { mode: u32 },
    /// A file, or a link.
    Leaf {
        inode: u64,
        size: u64,
        mode: u32,
        modified: Time,
        changed: Time,
    },
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        if metadata.is_dir() {
            return Self::Directory {
                mode: metadata.mode(),
            };
        }
        Self::Leaf {
            inode: metadata.ino(),
            size: metadata.len(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What became of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All that was there is there as it was; this many paths that were not are gone again.
    Restored {
        /// Paths that were added, a directory with all below it as one.
        removed: usize,
    },
    /// This path is not as it was.
    Changed(PathBuf),
}

impl Snapshot {
    /// Looks at a tree that nobody writes into any more. From its return on every change shows.
    /// `scratch` is a directory on the same file system, for a file that comes and goes.
    pub(super) fn take(root: &Path, scratch: &Path) -> io::Result<Self> {
        let identity = Identity::of(root)?.ok_or(io::ErrorKind::NotADirectory)?;
        let mut items = HashMap::new();
        let mut newest = Time::default();
        for found in WalkDir::new(root).follow_root_links(false).min_depth(1) {
            let found = found?;
            let state = State::of(&found.metadata()?);
            if let State::Leaf { changed, .. } = state {
                newest = newest.max(changed);
            }
            items.insert(relative(root, found.path()), state);
        }
        wait_until_after(newest, scratch)?;
        Ok(Self {
            root: identity,
            items,
        })
    }

    /// Whether this is the tree's own directory, and not another one or a link in its place.
    pub(super) fn is_at(&self, root: &Path) -> io::Result<bool> {
        Ok(Identity::of(root)? == Some(self.root))
    }

    /// Removes what was added to the tree, and says whether the rest is as it was.
    pub(super) fn restore(&self, root: &Path) -> io::Result<Verdict> {
        if !self.is_at(root)? {
            return Ok(Verdict::Changed(PathBuf::new()));
        }
        let mut seen = 0;
        let mut removed = 0;
        let mut found = WalkDir::new(root)
            .follow_root_links(false)
            .min_depth(1)
            .into_iter();
        while let Some(item) = found.next() {
            let item = item?;
            let path = relative(root, item.path());
            match self.items.get(&path) {
                Some(state) if *state == State::of(&item.metadata()?) => seen += 1,
                Some(_) => return Ok(Verdict::Changed(path)),
                None if item.file_type().is_dir() => {
                    found.skip_current_dir();
                    fs::remove_dir_all(item.path())?;
                    removed += 1;
                }
                None => {
                    fs::remove_file(item.path())?;
                    removed += 1;
                }
            }
        }
        if seen == self.items.len() {
            return Ok(Verdict::Restored { removed });
        }
        let missing = self
            .items
            .keys()
            .find(|path| fs::symlink_metadata(root.join(path)).is_err());
        Ok(Verdict::Changed(missing.cloned().unwrap_or_default()))
    }
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// Waits until what is changed from now on gets a later time than this one.
fn wait_until_after(newest: Time, scratch: &Path) -> io::Result<()> {
    let probe = scratch.join(".clock");
    for _ in 0..MAX_TICK_POLLS {
        let metadata = File::create(&probe)?.metadata()?;
        fs::remove_file(&probe)?;
        if (metadata.ctime(), metadata.ctime_nsec()) > newest {
            return Ok(());
        }
        thread::sleep(TICK_POLL);
    }
    Err(io::Error::other("the file system's clock does not go on"))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use test_case::test_case;

    use super::*;

    fn taken(root: &Path) -> Snapshot {
        Snapshot::take(root, root.parent().unwrap()).unwrap()
    }

    fn tree() -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("node_modules");
        fs::create_dir_all(root.join("a/lib")).unwrap();
        fs::create_dir_all(root.join(".bin")).unwrap();
        fs::write(root.join("a/index.js"), "index").unwrap();
        fs::write(root.join("a/lib/b.js"), "b").unwrap();
        symlink("../a/index.js", root.join(".bin/a")).unwrap();
        (parent, root)
    }

    #[test]
    fn what_was_added_goes_and_the_rest_stays() {
        let (_parent, root) = tree();
        let snapshot = taken(&root);
        assert_eq!(
            snapshot.restore(&root).unwrap(),
            Verdict::Restored { removed: 0 }
        );
        fs::create_dir_all(root.join(".cache/deep/er")).unwrap();
        fs::write(root.join(".cache/deep/x"), "x").unwrap();
        fs::write(root.join("a/lib/new.js"), "new").unwrap();
        symlink("/etc", root.join("a/out")).unwrap();
        assert_eq!(
            snapshot.restore(&root).unwrap(),
            Verdict::Restored { removed: 3 }
        );
        assert!(!root.join(".cache").exists() && !root.join("a/lib/new.js").exists());
        assert!(Path::new("/etc").exists());
        assert_eq!(
            snapshot.restore(&root).unwrap(),
            Verdict::Restored { removed: 0 }
        );
    }

    #[test]
    fn a_tree_that_moves_as_a_whole_is_the_same() {
        let (parent, root) = tree();
        let snapshot = taken(&root);
        let elsewhere = parent.path().join("elsewhere");
        fs::rename(&root, &elsewhere).unwrap();
        assert_eq!(
            snapshot.restore(&elsewhere).unwrap(),
            Verdict::Restored { removed: 0 }
        );
    }

    fn same_size_and_time(root: &Path) {
        let path = root.join("a/index.js");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "INDEX").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
    }

    fn replaced(root: &Path) {
        fs::write(root.join("new"), "index").unwrap();
        fs::rename(root.join("new"), root.join("a/index.js")).unwrap();
    }

    fn through_a_hard_link(root: &Path) {
        let other = root.parent().unwrap().join("other");
        fs::hard_link(root.join("a/index.js"), &other).unwrap();
        fs::write(&other, "INDEX").unwrap();
        fs::remove_file(&other).unwrap();
    }

    fn removed(root: &Path) {
        fs::remove_file(root.join("a/index.js")).unwrap();
    }

    fn made_a_directory(root: &Path) {
        removed(root);
        fs::create_dir(root.join("a/index.js")).unwrap();
    }

    fn runnable(root: &Path) {
        fs::set_permissions(root.join("a/index.js"), Permissions::from_mode(0o755)).unwrap();
    }

    fn swapped(root: &Path) {
        fs::rename(root.join("a/index.js"), root.join("x")).unwrap();
        fs::rename(root.join("a/lib/b.js"), root.join("a/index.js")).unwrap();
        fs::rename(root.join("x"), root.join("a/lib/b.js")).unwrap();
    }

    #[test_case(same_size_and_time; "other bytes of the same size and time")]
    #[test_case(replaced; "replaced")]
    #[test_case(through_a_hard_link; "written through a hard link")]
    #[test_case(removed; "removed")]
    #[test_case(made_a_directory; "a directory in its place")]
    #[test_case(runnable; "another mode")]
    #[test_case(swapped; "swapped")]
    fn what_was_changed_shows(change: fn(&Path)) {
        let (_parent, root) = tree();
        let snapshot = taken(&root);
        change(&root);
        let verdict = snapshot.restore(&root).unwrap();
        assert!(matches!(verdict, Verdict::Changed(_)), "{verdict:?}");
    }

    #[test]
    fn another_directory_in_its_place_is_not_touched() {
        let (parent, root) = tree();
        let snapshot = taken(&root);
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("file"), "x").unwrap();
        fs::remove_dir_all(&root).unwrap();
        symlink(&other, &root).unwrap();
        assert!(!snapshot.is_at(&root).unwrap());
        for place in [&root, &other] {
            let verdict = snapshot.restore(place).unwrap();
            assert_eq!(verdict, Verdict::Changed(PathBuf::new()));
        }
        assert!(other.join("file").exists());
    }

    #[test]
    fn another_link_and_a_closed_directory_show() {
        let (_parent, root) = tree();
        let snapshot = taken(&root);
        fs::remove_file(root.join(".bin/a")).unwrap();
        symlink("../a/lib/b.js", root.join(".bin/a")).unwrap();
        assert_eq!(
            snapshot.restore(&root).unwrap(),
            Verdict::Changed(".bin/a".into())
        );
        let (_parent, root) = tree();
        let snapshot = taken(&root);
        fs::set_permissions(root.join("a"), Permissions::from_mode(0o700)).unwrap();
        assert_eq!(
            snapshot.restore(&root).unwrap(),
            Verdict::Changed("a".into())
        );
    }
}
