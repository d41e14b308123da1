//! The small JSON documents beside the manifests: written for people to read, read strictly.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ReleaseError;
use crate::manifest::{ManifestError, SCHEMA};

/// The member that is read first: a newer schema may have any other form.
#[derive(Deserialize)]
struct Versioned {
    schema: u32,
}

/// The bytes of a document.
pub(crate) fn write(document: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(document).expect("these documents are JSON");
    bytes.push(b'\n');
    bytes
}

/// Reads the document at an address.
pub(crate) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    address: impl Fn() -> String,
) -> Result<T, ReleaseError> {
    let malformed = |error| ReleaseError::Malformed {
        address: address(),
        source: Box::new(ManifestError::Form(error)),
    };
    let Versioned { schema } = serde_json::from_slice(bytes).map_err(malformed)?;
    if schema > SCHEMA {
        return Err(ReleaseError::Newer {
            address: address(),
            schema,
        });
    }
    serde_json::from_slice(bytes).map_err(malformed)
}
