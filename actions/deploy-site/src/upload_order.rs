//! The order in which the files of a site are uploaded.
//!
//! S3 replaces one object at a time, visitors load pages all the while, and a job may end after any
//! upload: its time is over, its function is killed, a call fails. Whatever is in the bucket at that moment
//! is served, so it has to be a site that works. It is, as long as nothing refers to a file that is not
//! there yet:
//!
//! 1. Assets (scripts, styles, images): pages refer to them.
//! 2. Pages: links and bookmarks lead to them, and the index page does.
//! 3. The index page: most visits begin there, so it is the switch to the new release.
//! 4. `config.json`: it tells the site, and whoever watches it, which release this is. It may say so only
//!    once all the rest is there.
//!
//! In each of these phases the files that are new come before those that replace one: nothing refers to a
//! new file yet, so up to there a failed job has changed nothing that anybody sees.
//!
//! That makes up to eight batches. Files of one batch are uploaded in any order and many at once; a batch
//! begins when every upload of the one before has ended. Removals come after all batches
//! ([`crate::removals`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::Expected;
use crate::listing::Listing;
use crate::site::{Item, Site};

/// The phases of a deployment, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// What pages refer to.
    Assets,
    /// What visitors come to.
    Pages,
    /// The page they come to first.
    Index,
    /// `config.json`, which names the release.
    Config,
}

/// One file to upload.
#[derive(Clone, Debug)]
pub(crate) struct Upload<'p> {
    pub(crate) key: &'p str,
    pub(crate) item: &'p Item,
    /// What is at its key.
    pub(crate) expected: Expected,
}

/// Files that may be uploaded in any order.
#[derive(Debug)]
pub(crate) struct Batch<'p> {
    phase: Phase,
    replaces: bool,
    pub(crate) uploads: Vec<Upload<'p>>,
}

impl Batch<'_> {
    /// Whether visitors could notice these uploads: new assets are referred to by nothing yet.
    pub(crate) fn is_visible(&self) -> bool {
        self.replaces || self.phase >= Phase::Pages
    }
}

/// Sorts uploads into batches; `listed` is what the bucket has.
pub(crate) fn batches<'p>(
    keys: &'p BTreeSet<String>,
    listed: &Listing,
    site: &'p Site,
) -> Vec<Batch<'p>> {
    // The keys of this map are the order: phases as declared, and `false` (new) before `true` (replaces).
    let mut batches: BTreeMap<(Phase, bool), Vec<_>> = BTreeMap::new();
    for key in keys {
        let item = &site[key];
        let found = listed.get(key);
        let upload = Upload {
            key,
            item,
            expected: Expected::found(found),
        };
        batches
            .entry((item.phase, found.is_some()))
            .or_default()
            .push(upload);
    }
    let batches = batches.into_iter();
    batches
        .map(|((phase, replaces), uploads)| Batch {
            phase,
            replaces,
            uploads,
        })
        .collect()
}
