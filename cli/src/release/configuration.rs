//! `delivery.toml` as a release has it: what a deployment of the release works with, whatever the folder here says.

use delivery_definition::names::EnvironmentName;
use delivery_definition::{Definition, Mistakes};
use delivery_release::repository::Repository;

use super::choose::Release;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::settings::FILE_NAME;

/// The settings of a release.
#[derive(Clone, Debug, Default)]
pub(super) struct Configuration {
    pub(super) definition: Definition,
    /// The same as it is written.
    pub(super) table: toml::Table,
}

impl Configuration {
    /// Reads that of a release.
    pub(super) async fn read(repository: &Repository, release: &Release) -> Result<Self, CliError> {
        let file = &release.manifest.configuration;
        let bytes = repository.blob(&file.sha256).await?;
        let damaged = |source| ConfigurationError {
            release: release.name(),
            source,
        };
        let definition = delivery_definition::parse_bytes(&bytes, FILE_NAME).map_err(damaged)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(Self {
            definition,
            // The definition was read from the same text.
            table: text.parse().unwrap_or_default(),
        })
    }

    /// The environment that has to come before this one; the name of the family where that is one.
    pub(super) fn before(&self, environment: &EnvironmentName) -> Option<&str> {
        let target = self.definition.environment(environment.as_str()).ok()?;
        let after = target.settings.after.as_ref()?;
        Some(&after.value)
    }
}

/// The settings of a release cannot be read by this program.
#[derive(Debug, thiserror::Error)]
#[error("the settings of the release {release} cannot be read")]
struct ConfigurationError {
    release: String,
    source: Mistakes,
}

impl Explained for ConfigurationError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        "release"
    }

    fn hint(&self) -> Option<String> {
        Some("use the version of `delivery` that the pipeline was launched with".to_owned())
    }
}
