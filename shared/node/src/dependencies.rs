//! The archive comment by which npm-install tells later actions about the dependency tree in an artifact.
//!
//! `npm-install` puts a project's dependencies at the beginning of the archive that it composes, byte for byte the
//! same for every source with the same lock file, and identifies them in the archive's comment. So a later action can
//! recognise the tree without reading it. Writer and reader share this type, so that the form is defined in one
//! place.

use std::fmt;
use std::str::FromStr;

/// Start of the comment; the number is the version of its format.
const PREFIX: &str = "delivery-dependencies/1";

/// Characters of a SHA-256 in hexadecimal.
const KEY_CHARS: usize = 64;

/// The dependency tree at the beginning of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    /// SHA-256 of everything that determines the tree (the lock file with its integrity hashes, platform,
    /// versions, flags), in 64 hexadecimal digits.
    pub key: String,
    /// Entries whose local headers begin before this byte of the archive belong to the tree.
    pub data_bytes: u64,
    /// The directory that contains all of it, such as `node_modules` or `web/node_modules`.
    pub root: String,
}

impl fmt::Display for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            data_bytes,
            root,
        } = self;
        write!(f, "{PREFIX} {key} {data_bytes} {root}")
    }
}

/// The comment does not describe dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the archive's comment does not describe dependencies")]
pub struct NoDependencies;

impl FromStr for Dependencies {
    type Err = NoDependencies;

    fn from_str(comment: &str) -> Result<Self, NoDependencies> {
        let mut fields = comment.splitn(4, ' ');
        let mut next = || fields.next().ok_or(NoDependencies);
        let (prefix, key, data_bytes, root) = (next()?, next()?, next()?, next()?);
        let is_key = key.len() == KEY_CHARS
            && key
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if prefix != PREFIX || !is_key || root.is_empty() {
            return Err(NoDependencies);
        }
        Ok(Self {
            key: key.to_owned(),
            data_bytes: data_bytes.parse().map_err(|_| NoDependencies)?,
            root: root.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let written = Dependencies {
            key: "0a".repeat(32),
            data_bytes: 41_000_000,
            root: "web site/node_modules".to_owned(),
        };
        assert_eq!(written.to_string().parse(), Ok(written));
    }

    #[test_case(""; "empty")]
    #[test_case("delivery-dependencies/2 0a0a 1 node_modules"; "another version")]
    #[test_case("delivery-dependencies/1 0a0a 1 node_modules"; "a short key")]
    fn another_comment_says_nothing(comment: &str) {
        assert_eq!(comment.parse::<Dependencies>(), Err(NoDependencies));
    }
}
