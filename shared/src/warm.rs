//! Dependency trees that a warm function keeps from one job to the next.
//!
//! Extracting a project's dependencies is most of the work of a short test run, and from one commit to
//! the next they are the same. So a function that is used again lends the tree of its last job to the
//! next, where both artifacts name the same tree: the tree is moved into the job's directory, not
//! linked, so that programs see what they would see after an extraction. Before it is lent again,
//! what was added to it is removed, and a tree of which one file is not as it was is given up
//! (`docs/decisions/0131-warm-dependency-trees.md`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::artifact::{ArtifactError, Store, blocking};
use crate::job::Artifact;
use crate::workspace::Workspace;

mod snapshot;
mod tree;

use snapshot::{Snapshot, Verdict};
use tree::Tree;

/// A tree is kept only where it takes at most this part of the function's disk, so that a job with
/// other dependencies has at least the rest for itself before the old ones are gone.
const LARGEST_DISK_PART: u64 = 2;

/// What the tree is called where it waits for the next job.
const WAITING: &str = "tree";

/// The dependency tree of the last job, where there is one that can be used again.
#[derive(Debug, Default)]
pub struct WarmTree {
    waiting: Mutex<Option<Kept>>,
}

/// A tree that belongs to the function, wherever it lies at the moment.
#[derive(Debug)]
struct Kept {
    tree: Tree,
    snapshot: Snapshot,
    /// Where it waits; goes, with all in it, when the function gives the tree up or ends.
    home: Workspace,
}

/// An extracted source, with a dependency tree that goes back when the job is done.
#[derive(Debug)]
pub struct Checkout {
    path: PathBuf,
    lent: Option<Kept>,
    is_warm: bool,
}

impl Checkout {
    /// The source.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its dependencies are those of the job before, so that they were not fetched.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        self.is_warm
    }
}

impl WarmTree {
    /// Extracts an input artifact into the workspace's directory of this name, as
    /// [`Store::fetch_and_extract`] does, without the dependencies where they are here already.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact, and the entry where one is at fault.
    pub async fn fetch_and_extract(
        &self,
        store: &Store,
        artifact: &Artifact,
        workspace: &Workspace,
        name: &str,
    ) -> Result<Checkout, ArtifactError> {
        let waiting = self.take();
        let archive = store.open(artifact).await?;
        let into = workspace.directory(name)?;
        let tree = Tree::of(&archive);
        let waiting = usable(waiting, tree.as_ref()).await;
        if let (Some(kept), Some(tree)) = (waiting, &tree) {
            archive.extract(&into, |entry| !tree.holds(entry)).await?;
            lend(&kept, &into)?;
            tracing::info!(
                root = tree.root(),
                "the dependencies are those of the job before"
            );
            return Ok(Checkout {
                path: into,
                lent: Some(kept),
                is_warm: true,
            });
        }
        archive.extract(&into, |_| true).await?;
        let lent = match tree {
            Some(tree) => keep(tree, into.clone()).await,
            None => None,
        };
        Ok(Checkout {
            path: into,
            lent,
            is_warm: false,
        })
    }

    /// Takes the dependencies back for the next job. The programs that could write into them have
    /// ended.
    pub fn take_back(&self, checkout: Checkout) {
        let Some(kept) = checkout.lent else {
            return;
        };
        let from = checkout.path.join(kept.tree.root());
        // A job may have put a link, or another directory, in its place: that is not ours to move.
        let taken = match kept.snapshot.is_at(&from) {
            Ok(true) => fs::rename(&from, kept.waiting()),
            Ok(false) => Err(io::Error::other("something else is in their place")),
            Err(error) => Err(error),
        };
        match taken {
            Ok(()) => *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept),
            Err(error) => not_kept(&error),
        }
    }

    fn take(&self) -> Option<Kept> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Kept {
    fn waiting(&self) -> PathBuf {
        self.home.file(WAITING)
    }
}

/// The tree that waits, if it is the one that is wanted and nobody has changed it; another one is
/// removed, so that the job has its room.
async fn usable(waiting: Option<Kept>, wanted: Option<&Tree>) -> Option<Kept> {
    let wanted = wanted.cloned();
    blocking(move || {
        let kept = waiting.filter(|kept| Some(&kept.tree) == wanted.as_ref())?;
        match kept.snapshot.restore(&kept.waiting()) {
            Ok(Verdict::Restored { removed }) => {
                tracing::debug!(removed, "what was added to the dependencies is gone");
                Some(kept)
            }
            Ok(Verdict::Changed(path)) => {
                tracing::info!(path = %path.display(), "the job before changed its dependencies");
                None
            }
            Err(error) => {
                not_kept(&error);
                None
            }
        }
    })
    .await
}

/// Moves the tree that waits to its place in a source that was extracted without it.
fn lend(kept: &Kept, source: &Path) -> Result<(), ArtifactError> {
    let place = source.join(kept.tree.root());
    let move_in = || {
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(kept.waiting(), &place)
    };
    move_in().map_err(|error| ArtifactError::Disk {
        path: place.clone(),
        source: error,
    })
}

/// Notes how an extracted tree looks, so that it can be lent again; `None` where it is too large for
/// that, or the disk fails.
async fn keep(tree: Tree, source: PathBuf) -> Option<Kept> {
    blocking(move || {
        let noted = || {
            if !fits(&tree, &source)? {
                return Ok(None);
            }
            let home = Workspace::create().map_err(io::Error::other)?;
            let snapshot = Snapshot::take(&source.join(tree.root()), home.path())?;
            Ok(Some(Kept {
                tree,
                snapshot,
                home,
            }))
        };
        noted().unwrap_or_else(|error| {
            not_kept(&error);
            None
        })
    })
    .await
}

/// Whether the function's disk is large enough to keep a tree.
fn fits(tree: &Tree, on: &Path) -> io::Result<bool> {
    let stat = rustix::fs::statvfs(on)?;
    let disk_bytes = stat.f_blocks.saturating_mul(stat.f_frsize);
    Ok(tree.disk_bytes() <= disk_bytes / LARGEST_DISK_PART)
}

fn not_kept(error: &io::Error) {
    tracing::warn!(%error, "the dependencies are not kept for the next job");
}
