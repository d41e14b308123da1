//! `delivery releases prune`: deletes what nobody needs any more.
//!
//! The order is that of docs/decisions/0288: manifests first, so that nobody begins to deploy what goes; then the
//! environments again, since somebody may have begun before; then the blobs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
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
    let holdings = releases.repository.holdings().await?;
    let prunable = holdings.prunable(now);
    let all = holdings.releases.len();
    let pruned = if arguments.delete {
        let bucket = Bucket {
            client: releases.target.cloud.s3(),
            name: releases.repository.bucket().to_owned(),
        };
        delete(&releases.repository, &bucket, &prunable, all, now).await?
    } else {
        Pruned::of(&prunable, all, false)
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
    prunable: &Prunable,
    all: usize,
    now: Timestamp,
) -> Result<Pruned, CliError> {
    let manifests = prunable.releases.iter().map(layout::manifest);
    let (markers, failure) = bucket.delete_as_far(manifests.collect()).await;
    // An environment may have begun with one of them in between; it read the manifest before it was gone.
    let again = repository.holdings().await?;
    let is_used = |release: &&ReleaseId| again.in_use.contains(*release);
    let (used, gone): (Vec<_>, Vec<_>) = prunable.releases.iter().partition(is_used);
    let keys: BTreeSet<String> = used
        .iter()
        .map(|release| layout::manifest(release))
        .collect();
    bucket
        .bring_back(markers.into_iter().filter(|one| keys.contains(&one.key)))
        .await?;
    if let Some(error) = failure {
        return Err(error);
    }
    let again = if used.is_empty() {
        again
    } else {
        repository.holdings().await?
    };
    let rest = deletable(&again, prunable, now);
    bucket
        .delete(rest.blobs.iter().map(layout::blob).collect())
        .await?;
    for release in &gone {
        bucket.delete_companions(release).await?;
    }
    let releases: Vec<_> = gone.into_iter().cloned().collect();
    Ok(Pruned {
        brought_back: used.iter().map(ToString::to_string).collect(),
        ..Pruned::of(&Prunable { releases, ..rest }, all, true)
    })
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

/// What hides an object that was deleted: without it the object is there again.
#[derive(Debug)]
struct Marker {
    key: String,
    version: String,
}

/// What became of a request.
#[derive(Debug)]
struct Sent {
    deleted: Vec<Marker>,
    /// The first of those that were not deleted.
    failure: Option<NotDeleted>,
}

impl Bucket {
    async fn delete(&self, keys: Vec<String>) -> Result<(), CliError> {
        match self.delete_as_far(keys).await {
            (_, Some(error)) => Err(error),
            (_, None) => Ok(()),
        }
    }

    /// What was deleted, also where not all was.
    async fn delete_as_far(&self, keys: Vec<String>) -> (Vec<Marker>, Option<CliError>) {
        let mut markers = Vec::new();
        for batch in keys.chunks(MAX_BATCH) {
            let objects = batch.iter().map(|key| identifier(key, None)).collect();
            match self.send(objects).await {
                Ok(Sent { deleted, failure }) => {
                    markers.extend(deleted);
                    if let Some(failure) = failure {
                        return (markers, Some(failure.into()));
                    }
                }
                Err(error) => return (markers, Some(error)),
            }
        }
        (markers, None)
    }

    async fn bring_back(&self, markers: impl Iterator<Item = Marker>) -> Result<(), CliError> {
        let objects: Vec<_> = markers
            .map(|one| identifier(&one.key, Some(one.version)))
            .collect();
        for batch in objects.chunks(MAX_BATCH) {
            if let Some(failure) = self.send(batch.to_vec()).await?.failure {
                return Err(failure.into());
            }
        }
        Ok(())
    }

    async fn send(&self, objects: Vec<ObjectIdentifier>) -> Result<Sent, CliError> {
        let delete = Delete::builder().set_objects(Some(objects)).build();
        let delete = delete.expect("the objects are set");
        let sent = self
            .client
            .delete_objects()
            .bucket(&self.name)
            .delete(delete);
        let sent = sent.send().await;
        let answer = sent.map_err(|error| CallError::new("s3:DeleteObject", &self.name, &error))?;
        let failure = answer.errors().first().map(|error| NotDeleted {
            address: format!("s3://{}/{}", self.name, error.key().unwrap_or_default()),
            message: error.message().unwrap_or_default().to_owned(),
        });
        let deleted = answer.deleted.unwrap_or_default().into_iter();
        let markers = deleted.filter_map(|one| {
            Some(Marker {
                key: one.key?,
                version: one.delete_marker_version_id?,
            })
        });
        Ok(Sent {
            deleted: markers.collect(),
            failure,
        })
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
        Some(
            "correct what the message says, and run it again: it goes on where it ended".to_owned(),
        )
    }
}
