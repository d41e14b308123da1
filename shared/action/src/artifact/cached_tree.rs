//! A tree of files cached in the artifact bucket as a zip archive, and its metadata.
//!
//! The metadata repeats what the object should look like: its length, where its central directory begins, and the
//! directory's hash. A truncated, damaged or foreign object is therefore recognised from its metadata and directory
//! alone, without reading the files, which can be hundreds of MB.

use std::collections::HashMap;

use super::multipart::ObjectVersion;

/// Version of the metadata.
const FORMAT: &str = "1";

/// Names of the metadata entries.
const FORMAT_NAME: &str = "delivery-format";
const DATA_NAME: &str = "delivery-data-bytes";
const LENGTH_NAME: &str = "delivery-length";
const HASH_NAME: &str = "delivery-directory-sha256";

/// Longest plausible directory: 100,000 entries with names of 160 bytes need half of it.
const MAX_DIRECTORY_BYTES: u64 = 64 * 1024 * 1024;

/// A tree of files cached in the artifact bucket.
#[derive(Clone, Debug)]
pub struct CachedTree {
    pub(super) version: ObjectVersion,
    pub(super) metadata: HashMap<String, String>,
    pub(super) length: u64,
}

/// The metadata of a cached tree.
#[derive(Clone, Debug)]
pub(super) struct TreeMetadata {
    /// Bytes before the central directory.
    pub(super) data_bytes: u64,
    /// Bytes of the whole archive.
    pub(super) length: u64,
    /// SHA-256 of everything from the central directory on.
    pub(super) hash: String,
}

impl TreeMetadata {
    pub(super) fn to_metadata(&self) -> HashMap<String, String> {
        HashMap::from([
            (FORMAT_NAME.to_owned(), FORMAT.to_owned()),
            (DATA_NAME.to_owned(), self.data_bytes.to_string()),
            (LENGTH_NAME.to_owned(), self.length.to_string()),
            (HASH_NAME.to_owned(), self.hash.clone()),
        ])
    }
}

impl CachedTree {
    /// Reads the metadata; an error says how it contradicts the object.
    pub(super) fn claim(&self) -> Result<TreeMetadata, String> {
        let text = |name: &str| self.metadata.get(name).map(String::as_str);
        let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
        if text(FORMAT_NAME) != Some(FORMAT) {
            return Err("its metadata is not that of a cached tree".to_owned());
        }
        let (Some(data_bytes), Some(length), Some(hash)) =
            (number(DATA_NAME), number(LENGTH_NAME), text(HASH_NAME))
        else {
            return Err("its metadata is incomplete".to_owned());
        };
        if length != self.length {
            return Err(format!("it has {} bytes instead of {length}", self.length));
        }
        if !(1..=MAX_DIRECTORY_BYTES).contains(&length.saturating_sub(data_bytes)) {
            return Err("its metadata is contradictory".to_owned());
        }
        Ok(TreeMetadata {
            data_bytes,
            length,
            hash: hash.to_owned(),
        })
    }
}
