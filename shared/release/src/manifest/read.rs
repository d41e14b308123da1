//! Reading a manifest, strictly: what is not known is refused, because who does not know it would deploy less than was
//! tested.

use super::{Manifest, SCHEMA};
use serde::Deserialize;

/// Why a document is not a manifest that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Its schema is newer.
    #[error("it has schema {0}, and the newest one known here is {SCHEMA}")]
    Newer(u32),
    /// It is not JSON, or not in the form of its schema.
    #[error("{0}")]
    Form(serde_json::Error),
    /// A service is deployed after one that is not there.
    #[error("its service `{service}` is deployed after `{after}`, which it does not have")]
    After {
        /// The service.
        service: String,
        /// The one that is missing.
        after: String,
    },
}

/// The member that is read first: a newer schema may have any other form.
#[derive(Deserialize)]
struct Versioned {
    schema: u32,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// It has a newer schema, another form, or a service that is deployed after none.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let Versioned { schema } = serde_json::from_slice(bytes).map_err(ManifestError::Form)?;
        if schema > SCHEMA {
            return Err(ManifestError::Newer(schema));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(ManifestError::Form)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks what its form does not say.
    ///
    /// # Errors
    ///
    /// A service is deployed after one that is not there.
    pub fn check(&self) -> Result<(), ManifestError> {
        for (service, entry) in &self.services {
            let missing = entry.after().iter().find(|after| {
                !self.services.contains_key(*after) && !self.elsewhere.contains(*after)
            });
            if let Some(after) = missing {
                return Err(ManifestError::After {
                    service: service.clone(),
                    after: after.clone(),
                });
            }
        }
        Ok(())
    }
}
