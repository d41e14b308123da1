//! The release that an artifact holds: its files, and the `config.json` that is made for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use shared::job::Artifact;
use walkdir::WalkDir;

use crate::error::DeploySiteError;
use crate::headers;
use crate::manifest::MANIFEST;
use crate::params::DeploySiteParams;

/// The page that every site begins with.
const INDEX: &str = "index.html";

/// The file that tells the site of its surroundings.
pub(crate) const CONFIG: &str = "config.json";

/// Largest file: what one `PutObject` takes (S3 User Guide, "Uploading objects": 5 GB).
const MAX_FILE_BYTES: u64 = 5 * 1000 * 1000 * 1000;

/// Bytes of a file read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// A site: what is to be in the bucket, by key.
pub(crate) type Site = BTreeMap<String, Item>;

/// One object of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The content.
    pub(crate) content: Content,
    /// Its SHA-256, hexadecimal.
    pub(crate) sha256: String,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// `Content-Type`
    pub(crate) content_type: String,
    /// `Cache-Control`
    pub(crate) cache_control: &'static str,
    /// When it may be uploaded.
    pub(crate) phase: Phase,
}

/// Where the content of an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// In a file.
    File(PathBuf),
    /// Here.
    Bytes(Vec<u8>),
}

/// The order of uploads: what refers to other objects comes after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// What pages refer to.
    Assets,
    /// What visitors come to.
    Pages,
    /// The page they come to first.
    Index,
    /// `config.json`, which says which release this is.
    Config,
}

/// Reads the site below a directory. A `config.json` in it is replaced by the one that is made.
pub(crate) fn read(
    artifact: &Artifact,
    directory: &Path,
    params: &DeploySiteParams,
    version: &str,
) -> Result<Site, DeploySiteError> {
    let mut site = Site::new();
    for entry in WalkDir::new(directory)
        .follow_links(true)
        .sort_by_file_name()
    {
        let entry = entry.map_err(|error| DeploySiteError::Disk {
            path: error.path().unwrap_or(directory).to_owned(),
            source: error.into(),
        })?;
        if !entry.file_type().is_file() {
            continue;
        }
        let below = entry.path().strip_prefix(directory).unwrap_or(entry.path());
        let Some(name) = below.to_str() else {
            return Err(DeploySiteError::Name {
                artifact: artifact.clone(),
                name: below.to_string_lossy().into_owned(),
            });
        };
        if name == MANIFEST {
            return Err(DeploySiteError::Reserved {
                artifact: artifact.clone(),
            });
        }
        if name != CONFIG {
            let item = file(artifact, name, entry.path())?;
            site.insert(format!("{}{name}", params.prefix), item);
        }
    }
    if !site.contains_key(&format!("{}{INDEX}", params.prefix)) {
        return Err(DeploySiteError::NoIndex {
            artifact: artifact.clone(),
            files: site.len(),
        });
    }
    site.insert(
        format!("{}{CONFIG}", params.prefix),
        config(params, version),
    );
    Ok(site)
}

fn file(artifact: &Artifact, name: &str, path: &Path) -> Result<Item, DeploySiteError> {
    let disk = |source| DeploySiteError::Disk {
        path: path.to_owned(),
        source,
    };
    let mut opened = File::open(path).map_err(disk)?;
    let mut hash = Sha256::new();
    let mut utf8 = Utf8::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut size_bytes = 0;
    loop {
        let count = opened.read(&mut buffer).map_err(disk)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        utf8.update(&buffer[..count]);
        size_bytes += count as u64;
    }
    if size_bytes > MAX_FILE_BYTES {
        return Err(DeploySiteError::TooLarge {
            artifact: artifact.clone(),
            file: name.to_owned(),
            size_bytes,
            most_bytes: MAX_FILE_BYTES,
        });
    }
    let relative = Path::new(name);
    Ok(Item {
        content: Content::File(path.to_owned()),
        sha256: hex::encode(hash.finalize()),
        size_bytes,
        content_type: headers::content_type(relative, utf8.is_text()),
        cache_control: headers::cache_control(relative),
        phase: match name {
            INDEX => Phase::Index,
            _ if headers::is_page(relative) => Phase::Pages,
            _ => Phase::Assets,
        },
    })
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
        size_bytes: bytes.len() as u64,
        content: Content::Bytes(bytes),
        content_type: headers::content_type(Path::new(CONFIG), true),
        cache_control: headers::REVALIDATED,
        phase: Phase::Config,
    }
}

/// Whether bytes that come in pieces are text in UTF-8.
#[derive(Default)]
struct Utf8 {
    broken: bool,
    /// The beginning of a character whose end is in the next piece.
    open: Vec<u8>,
}

impl Utf8 {
    fn update(&mut self, piece: &[u8]) {
        if self.broken {
            return;
        }
        let mut bytes = std::mem::take(&mut self.open);
        bytes.extend_from_slice(piece);
        if let Err(error) = std::str::from_utf8(&bytes) {
            if error.error_len().is_some() {
                self.broken = true;
            } else {
                self.open = bytes.split_off(error.valid_up_to());
            }
        }
    }

    fn is_text(&self) -> bool {
        !self.broken && self.open.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_may_be_cut_in_two() {
        let mut utf8 = Utf8::default();
        let (first, second) = "aü".as_bytes().split_at(2);
        utf8.update(first);
        assert!(!utf8.is_text());
        utf8.update(second);
        assert!(utf8.is_text());
        utf8.update(&[0xff]);
        utf8.update(b"a");
        assert!(!utf8.is_text());
    }
}
