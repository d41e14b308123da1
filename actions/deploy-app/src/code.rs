//! The hash of the code in the input artifact.

use std::fs::File;
use std::io::{self, Read};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use delivery_action::artifact::{ArtifactError, Digest, Store};
use delivery_action::job::Artifact;
use delivery_action::workspace::Workspace;
use sha2::{Digest as _, Sha256};

use crate::error::DeployAppError;

/// The first bytes of every zip file with an entry (APPNOTE.TXT 4.3.7).
const ZIP_SIGNATURE: [u8; 4] = *b"PK\x03\x04";

/// Bytes that are hashed at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// The hash of an artifact as Lambda writes it. Checks that the artifact is a zip and has the expected digest.
pub(crate) async fn hash(
    store: &Store,
    artifact: &Artifact,
    expected: Option<Digest>,
    workspace: &Workspace,
) -> Result<String, DeployAppError> {
    let path = workspace.file("code.zip");
    store.fetch(artifact, &path).await?;
    let hashed = File::open(&path).and_then(hash_zip);
    let sha256 = hashed
        .map_err(|source| ArtifactError::Disk { path, source })?
        .ok_or_else(|| DeployAppError::NotAZip {
            artifact: artifact.clone(),
        })?;
    if let Some(expected) = expected {
        expected.check(artifact, Digest::Whole(sha256))?;
    }
    Ok(BASE64_STANDARD.encode(sha256))
}

/// `None` if the file does not begin like a zip.
fn hash_zip(mut file: File) -> io::Result<Option<[u8; 32]>> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut first = true;
    loop {
        let length = file.read(&mut chunk)?;
        if first && !chunk[..length].starts_with(&ZIP_SIGNATURE) {
            return Ok(None);
        }
        first = false;
        if length == 0 {
            return Ok(Some(hasher.finalize().into()));
        }
        hasher.update(&chunk[..length]);
    }
}
