//! What is packaged of a release before it is published: an action has few input artifacts, so several may package one
//! release, and each hands on what there is so far.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Blob, Publisher, Repository, layout};
use crate::digest::Digest;
use crate::document;
use crate::error::ReleaseError;
use crate::manifest::{SCHEMA, Service};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    schema: u32,
    services: BTreeMap<String, Service>,
}

impl Publisher {
    /// Keeps services that are packaged, as a blob.
    ///
    /// # Errors
    ///
    /// A call failed.
    pub async fn put_entries(
        &mut self,
        services: &BTreeMap<String, Service>,
    ) -> Result<Blob, ReleaseError> {
        let entries = Entries {
            schema: SCHEMA,
            services: services.clone(),
        };
        self.put_bytes(&document::write(&entries)).await
    }
}

impl Repository {
    /// Reads services that are packaged.
    ///
    /// # Errors
    ///
    /// There is no such blob, or it is something else.
    pub async fn entries(
        &self,
        digest: &Digest,
    ) -> Result<BTreeMap<String, Service>, ReleaseError> {
        let bytes = self.blob(digest).await?;
        let address = || self.objects.address(&layout::blob(digest));
        let entries: Entries = document::read(&bytes, address)?;
        Ok(entries.services)
    }
}
