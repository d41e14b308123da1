//! The release that an artifact holds: its files, and the `config.json` that is made for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use delivery_action::artifact::{ArtifactError, SITE_PAGE};
use delivery_action::job::Artifact;
use delivery_archive::{Fingerprint, Fingerprinting};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::contents::Contents;
use crate::error::DeploySiteError;
use crate::headers;
use crate::manifest::MANIFEST;
use crate::naming::Naming;
use crate::params::DeploySiteParams;
use crate::served_files;
use crate::upload_order::Phase;

/// The file that tells the site where it runs.
pub(crate) const CONFIG: &str = "config.json";

/// Largest file: what one `PutObject` takes (S3 User Guide, "Uploading objects": 5 GB).
const MAX_FILE_BYTES: u64 = 5 * 1000 * 1000 * 1000;

/// Most threads that hash: each holds the buffers of a reader, and a function has six processors at
/// most (Lambda Developer Guide, "Configure Lambda function memory").
const MAX_THREADS: usize = 6;

/// A site: the objects that the bucket should hold, by key.
pub(crate) type Site = BTreeMap<String, Item>;

/// One object of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The content.
    pub(crate) content: Content,
    /// Its SHA-256, hexadecimal.
    pub(crate) sha256: String,
    /// Its CRC-32.
    pub(crate) crc32: u32,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// `Content-Type`
    pub(crate) content_type: String,
    /// `Cache-Control`
    pub(crate) cache_control: &'static str,
    /// When it is uploaded.
    pub(crate) phase: Phase,
}

/// Where the content of an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// In this entry of the artifact's archive.
    Entry(usize),
    /// Here.
    Bytes(Bytes),
}

/// Reads the site that an archive holds. Files without a fingerprint in the archive are inflated and
/// hashed, on several threads. A `config.json` in it is left out: [`add_config`] makes the stage's own.
pub(crate) fn read(
    artifact: &Artifact,
    contents: &Arc<Contents>,
    params: &DeploySiteParams,
) -> Result<Site, DeploySiteError> {
    let named = names(artifact, contents, &params.directory)?;
    let all_names = named.iter().map(|(name, _)| name.as_str());
    let naming = Naming::of(&params.immutable, all_names);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut items = Vec::new();
        while let Some((name, place)) = named.get(next.fetch_add(1, Ordering::Relaxed)) {
            items.push((
                format!("{}{name}", params.prefix),
                item(artifact, contents, &naming, name, *place)?,
            ));
        }
        Ok(items)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let done: Vec<Result<Vec<_>, DeploySiteError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.min(MAX_THREADS))
            .map(|_| scope.spawn(work))
            .collect();
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(items) => items,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ended.collect()
    });
    let mut site = Site::new();
    for items in done {
        site.extend(items?);
    }
    Ok(site)
}

/// The files of the site and their entries; refuses what can be refused by names and sizes alone.
fn names(
    artifact: &Artifact,
    contents: &Contents,
    directory: &str,
) -> Result<Vec<(String, usize)>, DeploySiteError> {
    let files = served_files::files(contents.archive(), directory);
    let mut files = files.map_err(|link| DeploySiteError::Link {
        artifact: artifact.clone(),
        link: format!("{directory}{}", link.path),
    })?;
    if files.contains_key(MANIFEST) {
        return Err(DeploySiteError::Reserved {
            artifact: artifact.clone(),
        });
    }
    files.remove(CONFIG);
    let all = files.len();
    files.retain(|name, _| !is_macos_metadata(name));
    if files.len() < all {
        let left_out = all - files.len();
        tracing::info!(left_out, "metadata files of macOS are not published");
    }
    if !files.contains_key(SITE_PAGE) {
        return Err(DeploySiteError::NoIndex {
            artifact: artifact.clone(),
            place: match directory.strip_suffix('/') {
                Some(directory) => format!("in `{directory}`"),
                None => "at its root".to_owned(),
            },
            files: files.len(),
        });
    }
    for (name, place) in &files {
        let size_bytes = contents.entry(*place).size();
        if size_bytes > MAX_FILE_BYTES {
            return Err(DeploySiteError::TooLarge {
                artifact: artifact.clone(),
                file: name.clone(),
                size_bytes,
                max_bytes: MAX_FILE_BYTES,
            });
        }
    }
    Ok(files.into_iter().collect())
}

/// Whether a file was added by macOS's archiver or Finder: attributes, and how a folder is shown.
fn is_macos_metadata(name: &str) -> bool {
    let mut parts = name.split('/');
    parts.any(|part| matches!(part, "__MACOSX" | ".DS_Store"))
}

fn item(
    artifact: &Artifact,
    contents: &Contents,
    naming: &Naming,
    name: &str,
    place: usize,
) -> Result<Item, DeploySiteError> {
    let entry = contents.entry(place);
    let fingerprint = match entry.fingerprint() {
        Some(fingerprint) => *fingerprint,
        None => fingerprint(artifact, contents, place)?,
    };
    let relative = Path::new(name);
    // Visitors come to a page by its name, so browsers have to revalidate it even if it holds a digest.
    let is_immutable = !headers::is_page(relative) && naming.is_immutable(name);
    Ok(Item {
        content: Content::Entry(place),
        sha256: hex::encode(fingerprint.sha256()),
        crc32: entry.crc32(),
        size_bytes: entry.size(),
        content_type: headers::content_type(relative, fingerprint.is_text()),
        cache_control: if is_immutable {
            headers::IMMUTABLE
        } else {
            headers::REVALIDATED
        },
        phase: match name {
            SITE_PAGE => Phase::Index,
            _ if headers::is_page(relative) => Phase::Pages,
            _ => Phase::Assets,
        },
    })
}

/// Hashes a file without a fingerprint in the archive.
fn fingerprint(
    artifact: &Artifact,
    contents: &Contents,
    place: usize,
) -> Result<Fingerprint, DeploySiteError> {
    let mut fingerprinting = Fingerprinting::default();
    let read = contents.copy(place, |piece| {
        fingerprinting.update(piece);
        Ok(())
    });
    read.map_err(|source| unreadable(artifact, source))?;
    Ok(fingerprinting.finish())
}

/// The error of an artifact whose archive, or one entry of it, cannot be used.
pub(crate) fn unreadable(
    artifact: &Artifact,
    source: delivery_archive::ArchiveError,
) -> DeploySiteError {
    DeploySiteError::from(ArtifactError::Archive {
        artifact: artifact.clone(),
        source,
    })
}

/// Adds the `config.json` that is made for the stage.
pub(crate) fn add_config(site: &mut Site, params: &DeploySiteParams, version: &str) {
    site.insert(
        format!("{}{CONFIG}", params.prefix),
        config(params, version),
    );
}

fn config(params: &DeploySiteParams, version: &str) -> Item {
    let mut config = Map::new();
    if let Some(url) = &params.api_baseurl {
        config.insert("apiBaseurl".to_owned(), Value::from(url.as_str()));
    }
    config.insert("version".to_owned(), Value::from(version));
    for (name, value) in &params.config {
        config.insert(name.clone(), Value::from(value.as_str()));
    }
    let mut bytes = serde_json::to_vec_pretty(&config).expect("a map of texts can be written");
    bytes.push(b'\n');
    Item {
        sha256: hex::encode(Sha256::digest(&bytes)),
        crc32: crc32fast::hash(&bytes),
        size_bytes: bytes.len() as u64,
        content: Content::Bytes(bytes.into()),
        content_type: headers::content_type(Path::new(CONFIG), true),
        cache_control: headers::REVALIDATED,
        phase: Phase::Config,
    }
}

/// The digest of a release: equal where every key, content and header is.
pub(crate) fn digest(site: &Site) -> String {
    let mut hash = Sha256::new();
    for (key, item) in site {
        for part in [
            key.as_str(),
            &item.sha256,
            &item.content_type,
            item.cache_control,
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize())
}
