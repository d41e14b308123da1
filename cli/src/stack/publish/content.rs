//! What is published, and the prefixes that its content gives it.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// As much of a SHA-256 (in hexadecimal digits) as names a prefix: 64 bits, and the objects below it are
/// verified in full.
const PREFIX_DIGITS: usize = 16;

/// An object to be: its key and its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// Its key.
    pub(crate) key: String,
    /// Its content type.
    pub(crate) content_type: &'static str,
    /// Its content.
    pub(crate) body: Vec<u8>,
}

impl Object {
    /// A zip.
    pub(crate) fn zip(key: String, body: Vec<u8>) -> Self {
        Self {
            key,
            content_type: "application/zip",
            body,
        }
    }

    /// A template.
    pub(crate) fn template(key: String, text: &str) -> Self {
        Self {
            key,
            content_type: "application/yaml",
            body: text.as_bytes().to_vec(),
        }
    }

    /// Its size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.body.len() as u64
    }

    /// Its SHA-256 in hexadecimal digits.
    pub(crate) fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.body))
    }

    /// Its SHA-256 as S3 writes it.
    pub(crate) fn checksum(&self) -> String {
        STANDARD.encode(Sha256::digest(&self.body))
    }
}

/// Files that belong together, by name.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// The prefix of files that belong together: it changes with every name and every byte.
pub(crate) fn prefix(folder: &str, files: &Files) -> String {
    let mut digest = Sha256::new();
    for (name, body) in files {
        for part in [name.as_bytes(), body] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    let digest = hex::encode(digest.finalize());
    format!("{folder}/{}", &digest[..PREFIX_DIGITS])
}

/// Reads files; those that are not there come back by their paths.
pub(crate) fn read_all(folder: &Path, names: &[String]) -> Result<Files, Unreadable> {
    let mut files = Files::new();
    let mut missing = Vec::new();
    for name in names {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(body) => files.push((name.clone(), body)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing.push(path),
            Err(source) => return Err(Unreadable::File { path, source }),
        }
    }
    if missing.is_empty() {
        Ok(files)
    } else {
        Err(Unreadable::Missing(missing))
    }
}

/// Why files cannot be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// They are not there.
    Missing(Vec<PathBuf>),
    /// One cannot be read.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        let owned = |(name, body): &(&str, &str)| ((*name).to_owned(), body.as_bytes().to_vec());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_prefix_follows_every_name_and_every_byte() {
        let first = prefix("actions", &files(&[("a", "1"), ("b", "2")]));
        assert_eq!(first.len(), "actions/".len() + PREFIX_DIGITS);
        assert_eq!(first, prefix("actions", &files(&[("a", "1"), ("b", "2")])));
        for other in [
            files(&[("a", "1"), ("b", "3")]),
            files(&[("a", "1"), ("c", "2")]),
            files(&[("a", "1b"), ("", "2")]),
            files(&[("a", "1")]),
        ] {
            assert_ne!(prefix("actions", &other), first);
        }
    }
}
