//! Digests that pin an artifact's bytes, from the action that creates it to the ones that deploy it
//! (`docs/decisions/0151-artifacts-are-pinned-by-digest.md`).

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use sha2::{Digest as _, Sha256};

use super::ArtifactError;
use crate::job::Artifact;

/// Prefix of a digest of all bytes.
const WHOLE: &str = "sha256:";

/// Prefix of a digest of a zip's central directory.
const DIRECTORY: &str = "directory-sha256:";

/// What messages about an invalid value expect.
const EXPECTED: &str = "`sha256:` or `directory-sha256:` and 64 hexadecimal digits, as in an output variable of \
                        test-and-package";

/// What they expect where a digest of the directory is not enough.
const EXPECTED_WHOLE: &str =
    "the digest of the whole artifact: `sha256:` and 64 hexadecimal digits";

/// Bytes hashed at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The digest of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256 of all bytes.
    Whole([u8; 32]),
    /// SHA-256 of the central directory of a zip that contains a fingerprint of each file
    /// ([`delivery_archive::Fingerprint`]) and no links. It pins all contents for readers that fetch only some files.
    Directory([u8; 32]),
}

impl Digest {
    /// The digest of all bytes of a reader.
    ///
    /// # Errors
    ///
    /// The reader's error.
    pub fn of(mut bytes: impl Read) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match bytes.read(&mut chunk)? {
                0 => return Ok(Self::Whole(hash.finalize().into())),
                length => hash.update(&chunk[..length]),
            }
        }
    }

    /// Reads an optional digest of all bytes, for an action that reads them all.
    ///
    /// # Errors
    ///
    /// If it is not a digest, or a digest of a directory.
    pub fn deserialize_whole<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        match Self::deserialize(deserializer)? {
            whole @ Self::Whole(_) => Ok(Some(whole)),
            Self::Directory(_) => Err(de::Error::custom(EXPECTED_WHOLE)),
        }
    }

    /// Compares it with the digest of the artifact that was found.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Replaced`] if they differ.
    pub fn check(self, artifact: &Artifact, found: Self) -> Result<(), ArtifactError> {
        if self == found {
            return Ok(());
        }
        Err(ArtifactError::Replaced {
            artifact: artifact.clone(),
            expected: self,
            found,
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, digest) = match self {
            Self::Whole(digest) => (WHOLE, digest),
            Self::Directory(digest) => (DIRECTORY, digest),
        };
        write!(f, "{prefix}{}", hex::encode(digest))
    }
}

/// The text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let read = |digits: &str| {
            let mut digest = [0; 32];
            hex::decode_to_slice(digits, &mut digest).map_err(|_| DigestError)?;
            Ok(digest)
        };
        if let Some(digits) = text.strip_prefix(WHOLE) {
            return read(digits).map(Self::Whole);
        }
        match text.strip_prefix(DIRECTORY) {
            Some(digits) => read(digits).map(Self::Directory),
            None => Err(DigestError),
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom(EXPECTED))
    }
}

/// A stored output artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its length in bytes.
    pub bytes: u64,
    /// The digest of all of it.
    pub whole: Digest,
    /// The digest of its central directory, if that pins the contents of all files.
    pub directory: Option<Digest>,
}

/// A writer that hashes what passes through it.
#[derive(Debug)]
pub(super) struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            to,
            hash: Sha256::new(),
        }
    }

    /// The inner writer, and the digest of everything written.
    pub(super) fn finish(self) -> (W, Digest) {
        (self.to, Digest::Whole(self.hash.finalize().into()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn a_digest_is_written_and_read() {
        let whole = Digest::of(&b"abc"[..]).unwrap();
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(whole.to_string(), text);
        assert_eq!(text.parse(), Ok(whole));
        let directory = Digest::Directory([0xab; 32]);
        assert_eq!(directory.to_string().parse(), Ok(directory));
    }

    #[test_case(""; "nothing")]
    #[test_case("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; "no prefix")]
    #[test_case("sha256:ba78"; "short")]
    #[test_case("sha256:xx7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; "not hexadecimal")]
    #[test_case("#{BuildVariables.DistSiteOutputDigest}"; "not resolved")]
    fn what_is_no_digest_is_refused(text: &str) {
        assert_eq!(text.parse::<Digest>(), Err(DigestError));
    }

    #[test]
    fn what_is_written_is_hashed() {
        let mut hashing = Hashing::new(Vec::new());
        hashing.write_all(b"a").unwrap();
        hashing.write_all(b"bc").unwrap();
        let (written, digest) = hashing.finish();
        assert_eq!(written, b"abc");
        assert_eq!(digest, Digest::of(&b"abc"[..]).unwrap());
    }
}
