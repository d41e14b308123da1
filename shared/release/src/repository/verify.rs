//! The mark that a release passed the tests of an environment; promotion asks for it.

use delivery_definition::names::{EnvironmentName, FAMILIES};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Put, Repository, layout};
use crate::document;
use crate::environment::DeploymentId;
use crate::error::ReleaseError;
use crate::manifest::{ReleaseId, SCHEMA};
use crate::time;

/// That a release passed the tests of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    schema: u32,
    /// The deployment that was tested.
    pub deployment: DeploymentId,
    /// The execution that tested it.
    pub execution: String,
    /// When.
    #[serde(with = "time")]
    pub at: Timestamp,
}

impl Verification {
    /// A deployment passed the tests of an execution.
    #[must_use]
    pub fn new(deployment: DeploymentId, execution: &str, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            deployment,
            execution: execution.to_owned(),
            at: time::whole_seconds(now),
        }
    }
}

impl Repository {
    /// Marks a release as verified in an environment. The first mark stays.
    ///
    /// # Errors
    ///
    /// There is no such release, or a call failed.
    pub async fn verify(
        &self,
        release: &ReleaseId,
        environment: &EnvironmentName,
        verification: &Verification,
    ) -> Result<Put, ReleaseError> {
        self.manifest(release).await?;
        let key = layout::verified(release, environment.as_str());
        let bytes = document::write(verification);
        self.objects.create_bytes(&key, &bytes).await
    }

    /// How a release was verified in an environment; `None` if it was not.
    ///
    /// # Errors
    ///
    /// The mark cannot be read, or a call failed.
    pub async fn verification(
        &self,
        release: &ReleaseId,
        environment: &EnvironmentName,
    ) -> Result<Option<Verification>, ReleaseError> {
        let key = layout::verified(release, environment.as_str());
        let Some(object) = self.objects.get(&key).await? else {
            return Ok(None);
        };
        document::read(&object.bytes, || self.objects.address(&key)).map(Some)
    }

    /// Whether a release was verified in an environment, or in any of a family (`qa`).
    ///
    /// # Errors
    ///
    /// A call failed.
    pub async fn is_verified(
        &self,
        release: &ReleaseId,
        environment: &str,
    ) -> Result<bool, ReleaseError> {
        if FAMILIES.contains(&environment) {
            let prefix = layout::verified_in_family(release, environment);
            return Ok(!self.objects.list(&prefix).await?.is_empty());
        }
        let key = layout::verified(release, environment);
        Ok(self.objects.get(&key).await?.is_some())
    }
}
