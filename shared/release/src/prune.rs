//! What can be deleted from the repository. It decides over a listing, and deletes nothing.
//!
//! A release goes as a whole: its manifest first, then what no other release names. So whatever is listed can be applied.
//! A listing is of one moment: who deletes looks at the environments again between the manifests and the blobs
//! (`docs/decisions/0288-what-is-kept-and-who-deletes.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::environment::{Action, Environment, Record};
use crate::error::ReleaseError;
use crate::manifest::ReleaseId;
use crate::repository::{Repository, layout};

/// The newest releases are kept, whatever their age: so many deliveries can be gone back to.
pub const NEWEST: usize = 50;

/// What is younger is kept: a month of deliveries, and what is being published while somebody looks.
pub const YOUNGEST: Duration = Duration::from_hours(30 * 24);

/// What a repository holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// The releases.
    pub releases: Vec<HeldRelease>,
    /// The releases that environments have, get, or would go back to.
    pub in_use: BTreeSet<ReleaseId>,
    /// Releases without a manifest that are needed all the same: somebody who deleted was interrupted. As long as there are
    /// any, nothing can be deleted, since what they name is not known.
    pub lost: BTreeSet<ReleaseId>,
    /// The blobs.
    pub blobs: Vec<HeldBlob>,
}

/// A release of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRelease {
    /// Its id.
    pub release: ReleaseId,
    /// When it was published; `None` if that is not known.
    pub published: Option<Timestamp>,
    /// What it names.
    pub blobs: BTreeSet<Digest>,
    /// The releases that some of its services came from: their definitions say how those are deployed.
    pub combined: BTreeSet<ReleaseId>,
}

/// A blob of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written; `None` if that is not known.
    pub written: Option<Timestamp>,
}

/// What can be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prunable {
    /// Releases, to be deleted first.
    pub releases: Vec<ReleaseId>,
    /// Blobs that no release names that stays.
    pub blobs: Vec<Digest>,
    /// How many bytes those blobs have.
    pub bytes: u64,
}

impl Holdings {
    /// What can be deleted now.
    #[must_use]
    pub fn prunable(&self, now: Timestamp) -> Prunable {
        if !self.lost.is_empty() {
            return Prunable::default();
        }
        let is_old = |at: Option<Timestamp>| at.is_some_and(|at| at + YOUNGEST < now);
        let mut newest: Vec<_> = self.releases.iter().collect();
        // One without a time comes first: it is not known to be old.
        newest.sort_by_key(|one| std::cmp::Reverse((one.published.is_none(), one.published)));
        let (old, kept): (Vec<_>, Vec<_>) =
            newest.into_iter().enumerate().partition(|(index, one)| {
                *index >= NEWEST && is_old(one.published) && !self.in_use.contains(&one.release)
            });
        let origins: BTreeSet<_> = kept.iter().flat_map(|(_, one)| &one.combined).collect();
        let (origins, old): (Vec<_>, Vec<_>) = old
            .into_iter()
            .partition(|(_, one)| origins.contains(&one.release));
        let kept: Vec<_> = kept.into_iter().chain(origins).collect();
        let named: BTreeSet<&Digest> = kept.iter().flat_map(|(_, one)| &one.blobs).collect();
        let blobs = self.blobs.iter();
        let blobs: Vec<_> = blobs
            .filter(|blob| is_old(blob.written) && !named.contains(&blob.digest))
            .collect();
        Prunable {
            releases: old
                .into_iter()
                .map(|(_, one)| one.release.clone())
                .collect(),
            blobs: blobs.iter().map(|blob| blob.digest).collect(),
            bytes: blobs.iter().map(|blob| blob.size).sum(),
        }
    }
}

impl Repository {
    /// Reads all that the repository holds.
    ///
    /// # Errors
    ///
    /// A manifest or the document of an environment cannot be read: what it names is not known then, so nothing may be
    /// deleted. Or a call failed.
    pub async fn holdings(&self) -> Result<Holdings, ReleaseError> {
        let mut in_use = BTreeSet::new();
        for environment in self.environments().await? {
            in_use.extend(environment.in_use().await?);
        }
        let mut blobs: BTreeMap<Digest, HeldBlob> = BTreeMap::new();
        for listed in self.objects.list(layout::BLOBS).await? {
            if let Some(digest) = layout::digest_of(&listed.key) {
                let blob = HeldBlob {
                    digest,
                    size: listed.size,
                    written: listed.modified,
                };
                blobs.insert(digest, blob);
            }
        }
        let mut releases = Vec::new();
        for listed in self.releases().await? {
            let manifest = self.manifest(&listed.release).await?;
            releases.push(HeldRelease {
                release: listed.release,
                published: listed.published,
                blobs: manifest.blobs().into_keys().collect(),
                combined: manifest.combined.into_values().collect(),
            });
        }
        let there: BTreeSet<_> = releases.iter().map(|one| &one.release).collect();
        let origins = releases.iter().flat_map(|one| &one.combined);
        let needed = in_use.iter().chain(origins);
        let lost = needed.filter(|one| !there.contains(one)).cloned();
        let lost = lost.collect();
        Ok(Holdings {
            releases,
            in_use,
            lost,
            blobs: blobs.into_values().collect(),
        })
    }
}

impl Environment {
    /// The releases that it has, gets, or would go back to.
    async fn in_use(&self) -> Result<BTreeSet<ReleaseId>, ReleaseError> {
        let state = self.state().await?;
        let lease = state.lease.iter().map(|lease| &lease.deployment);
        // An environment that was removed goes back to nothing; else each execution's would keep its release for ever.
        let is_gone =
            |last: &&Record| last.outcome.is_success() && last.deployment.action == Action::Remove;
        let last = state.last.iter().filter(|last| !is_gone(last));
        let last = last.map(|last| &last.deployment);
        let mut releases = BTreeSet::new();
        for deployment in lease.chain(last) {
            releases.extend(deployment.from.iter().map(|from| from.release.clone()));
            releases.extend(deployment.to.iter().map(|to| to.release.clone()));
        }
        releases.extend(state.current.iter().map(|current| current.release.clone()));
        match self.rollback_target(None).await {
            Ok(target) => releases.extend([target.release]),
            Err(ReleaseError::NothingBefore { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(releases)
    }
}
