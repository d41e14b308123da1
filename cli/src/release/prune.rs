//! `delivery releases prune`: deletes what nobody needs any more.
//!
//! The order is that of docs/decisions/0288: manifests first, so that nobody begins to deploy what goes; then the
//! environments again, since somebody may have begun before; then the blobs. What an environment uses and has no manifest any
//! more comes back first, also what a run before this one has deleted and was interrupted.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws_sdk_s3::types::{Delete, DeleteMarkerEntry, ObjectIdentifier};
use delivery_action::aws::CallError;
use delivery_release::manifest::ReleaseId;
use delivery_release::prune::{Holdings, Prunable};
use delivery_release::repository::{Repository, layout};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::place::Releases;
use crate::args::Global;
use crate::args::release::Prune;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::pipeline::listed;

/// The most objects of one request (`API_DeleteObjects`).
const MAX_BATCH: usize = 1000;

/// What can be deleted, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pruned {
    /// Whether it was deleted.
    deleted: bool,
    /// The releases.
    releases: Vec<String>,
    /// How many blobs.
    blobs: usize,
    /// How many bytes these have.
    bytes: u64,
    /// How many releases stay.
    kept: usize,
    /// Releases that were brought back, since an environment had come to use them.
    brought_back: Vec<String>,
}

impl CommandAnswer for Pruned {
    const TYPE: &'static str = "prune";

    fn text(&self) -> String {
        let Self {
            releases,
            blobs,
            kept,
            ..
        } = self;
        let mut text = String::new();
        for release in releases {
            let _infallible = writeln!(text, "- {release}");
        }
        let megabytes = megabytes(self.bytes);
        let what = format!(
            "{} releases and {blobs} blobs ({megabytes} MB); {kept} releases stay",
            releases.len()
        );
        if !self.brought_back.is_empty() {
            let _infallible = writeln!(
                text,
                "brought back, since an environment has come to use them: {}",
                listed(&self.brought_back)
            );
        }
        if self.deleted {
            let _infallible = writeln!(text, "✓ deleted {what}");
        } else if releases.is_empty() && *blobs == 0 {
            let _infallible = writeln!(text, "✓ nothing can be deleted; {kept} releases stay");
        } else {
            let _infallible = writeln!(
                text,
                "nobody needs {what}\nnext: delivery releases prune --delete"
            );
        }
        text
    }
}

fn megabytes(bytes: u64) -> String {
    let (whole, rest) = (bytes / 1_000_000, bytes % 1_000_000);
    format!("{whole}.{}", rest / 100_000)
}

/// The command.
pub(super) async fn prune(global: &Global, arguments: &Prune) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let now = delivery_action::clock::timestamp();
    let repository = &releases.repository;
    let pruned = if arguments.delete {
        let bucket = Bucket {
            client: releases.target.cloud.s3(),
            name: repository.bucket().to_owned(),
        };
        let (holdings, brought_back) = bring_back(repository, &bucket).await?;
        let mut pruned = delete(repository, &bucket, &holdings, now).await?;
        pruned.brought_back = [names(&brought_back), pruned.brought_back].concat();
        pruned
    } else {
        let holdings = repository.holdings().await?;
        if let Some(release) = holdings.lost.first() {
            return Err(LostRelease::of(repository, release, true).into());
        }
        Pruned::of(&holdings.prunable(now), holdings.releases.len(), false)
    };
    answer::print(global.json, &pruned);
    Ok(Exit::Success)
}

impl Pruned {
    fn of(prunable: &Prunable, all: usize, deleted: bool) -> Self {
        Self {
            deleted,
            releases: prunable.releases.iter().map(ToString::to_string).collect(),
            blobs: prunable.blobs.len(),
            bytes: prunable.bytes,
            kept: all - prunable.releases.len(),
            brought_back: Vec::new(),
        }
    }
}

async fn delete(
    repository: &Repository,
    bucket: &Bucket,
    holdings: &Holdings,
    now: Timestamp,
) -> Result<Pruned, CliError> {
    let prunable = holdings.prunable(now);
    let manifests = prunable.releases.iter().map(layout::manifest);
    let deleted = bucket.delete(manifests.collect()).await;
    // An environment may have begun with one of them in between; it read the manifest before it was gone.
    let (again, brought_back) = bring_back(repository, bucket).await?;
    deleted?;
    let rest = deletable(&again, &prunable, now);
    bucket
        .delete(rest.blobs.iter().map(layout::blob).collect())
        .await?;
    let is_gone = |release: &&ReleaseId| !brought_back.contains(release);
    let gone: Vec<_> = prunable.releases.iter().filter(is_gone).cloned().collect();
    for release in &gone {
        bucket.delete_companions(release).await?;
    }
    let releases = gone;
    Ok(Pruned {
        brought_back: names(&brought_back),
        ..Pruned::of(
            &Prunable { releases, ..rest },
            holdings.releases.len(),
            true,
        )
    })
}

/// Brings back the manifests that are gone and needed; what the repository holds then, and which they are.
async fn bring_back(
    repository: &Repository,
    bucket: &Bucket,
) -> Result<(Holdings, Vec<ReleaseId>), CliError> {
    let mut brought_back = Vec::new();
    loop {
        // One that is back may need another one: the one that some of its services came from.
        let holdings = repository.holdings().await?;
        if holdings.lost.is_empty() {
            return Ok((holdings, brought_back));
        }
        for release in &holdings.lost {
            if !bucket.bring_back(&layout::manifest(release)).await? {
                return Err(LostRelease::of(repository, release, false).into());
            }
        }
        brought_back.extend(holdings.lost);
    }
}

fn names(releases: &[ReleaseId]) -> Vec<String> {
    releases.iter().map(ToString::to_string).collect()
}

/// The blobs that could be deleted before and still can.
fn deletable(again: &Holdings, before: &Prunable, now: Timestamp) -> Prunable {
    let before: BTreeSet<_> = before.blobs.iter().collect();
    let mut rest = again.prunable(now);
    rest.blobs.retain(|digest| before.contains(digest));
    let blobs: BTreeSet<_> = rest.blobs.iter().collect();
    let sizes = again.blobs.iter();
    let sizes = sizes.filter(|blob| blobs.contains(&blob.digest));
    rest.bytes = sizes.map(|blob| blob.size).sum();
    rest
}

/// The bucket, as far as something is deleted from it.
#[derive(Debug)]
struct Bucket {
    client: aws_sdk_s3::Client,
    name: String,
}

impl Bucket {
    async fn delete(&self, keys: Vec<String>) -> Result<(), CliError> {
        for batch in keys.chunks(MAX_BATCH) {
            let objects = batch.iter().map(|key| identifier(key, None)).collect();
            self.send(objects).await?;
        }
        Ok(())
    }

    /// Removes what hides an object that was deleted; `false` if nothing hides it.
    async fn bring_back(&self, key: &str) -> Result<bool, CliError> {
        let list = self.client.list_object_versions().bucket(&self.name);
        let versions = list.prefix(key).send().await;
        let versions = versions
            .map_err(|error| CallError::new("s3:ListBucketVersions", &self.name, &error))?;
        let mut markers = versions.delete_markers().iter();
        let marker =
            markers.find(|one| one.key() == Some(key) && one.is_latest().unwrap_or_default());
        let Some(version) = marker.and_then(DeleteMarkerEntry::version_id) else {
            return Ok(false);
        };
        let marker = identifier(key, Some(version.to_owned()));
        self.send(vec![marker]).await?;
        Ok(true)
    }

    async fn send(&self, objects: Vec<ObjectIdentifier>) -> Result<(), CliError> {
        let delete = Delete::builder().set_objects(Some(objects)).build();
        let delete = delete.expect("the objects are set");
        let sent = self
            .client
            .delete_objects()
            .bucket(&self.name)
            .delete(delete);
        let sent = sent.send().await;
        let answer = sent.map_err(|error| CallError::new("s3:DeleteObject", &self.name, &error))?;
        match answer.errors().first() {
            None => Ok(()),
            Some(error) => Err(NotDeleted {
                address: format!("s3://{}/{}", self.name, error.key().unwrap_or_default()),
                message: error.message().unwrap_or_default().to_owned(),
            }
            .into()),
        }
    }

    /// What stands beside a manifest: who published it, its marks, and its entry by time.
    async fn delete_companions(&self, release: &ReleaseId) -> Result<(), CliError> {
        let folder = layout::manifest(release).replace("manifest.json", "");
        let mut keys = self.list(&folder).await?;
        let entries = self.list(layout::BY_TIME).await?;
        let suffix = format!("-{release}");
        keys.extend(entries.into_iter().filter(|key| key.ends_with(&suffix)));
        self.delete(keys).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, CliError> {
        let list = self.client.list_objects_v2().bucket(&self.name);
        let mut pages = list.prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new("s3:ListBucket", &self.name, &error))?;
            let objects = page.contents.unwrap_or_default().into_iter();
            keys.extend(objects.filter_map(|object| object.key));
        }
        Ok(keys)
    }
}

fn identifier(key: &str, version: Option<String>) -> ObjectIdentifier {
    let object = ObjectIdentifier::builder().key(key);
    let object = object.set_version_id(version).build();
    object.expect("the key is set")
}

/// S3 did not delete an object.
#[derive(Debug, thiserror::Error)]
#[error("`{address}` was not deleted: {message}")]
struct NotDeleted {
    address: String,
    message: String,
}

impl Explained for NotDeleted {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        "release"
    }

    fn hint(&self) -> Option<String> {
        Some("fix what the message says, and run it again: it goes on where it ended".to_owned())
    }
}

/// The manifest of a release that is needed is gone.
#[derive(Debug, thiserror::Error)]
#[error(
    "the manifest of the release `{release}`, which is in use, is missing: `{address}` does not exist; nothing can be deleted"
)]
struct LostRelease {
    release: ReleaseId,
    address: String,
    /// Whether it may be only hidden.
    may_come_back: bool,
}

impl LostRelease {
    fn of(repository: &Repository, release: &ReleaseId, may_come_back: bool) -> Self {
        Self {
            release: release.clone(),
            address: format!("s3://{}/{}", repository.bucket(), layout::manifest(release)),
            may_come_back,
        }
    }
}

impl Explained for LostRelease {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        "release"
    }

    fn hint(&self) -> Option<String> {
        Some(if self.may_come_back {
            "`delivery releases prune --delete` brings it back, if the bucket has it as an earlier version".to_owned()
        } else {
            "the bucket has no earlier version of it: deliver its commit again".to_owned()
        })
    }
}
