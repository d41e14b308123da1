//! A service as a release has it.

use delivery_action::artifact::Digest;
use delivery_action::job::Artifact;
use delivery_definition::names::EnvironmentName;
use delivery_definition::{Definition, Target};

use super::piece::Has;
use super::{PartError, Piece, ReleaseParams};
use crate::manifest::{File, Manifest, ReleaseId, Service};
use crate::repository::{Repository, layout};

/// A release with its definition.
#[derive(Debug)]
pub(super) struct Configured {
    release: ReleaseId,
    manifest: Manifest,
    definition: Definition,
}

/// What a release has for an action.
#[derive(Debug)]
pub(super) enum Found {
    /// This service.
    Service(Box<ReleasedService>),
    /// Nothing; the text says why.
    Nothing(String),
}

/// A service as a release has it, in the environment that it is deployed to.
#[derive(Clone, Debug)]
pub struct ReleasedService {
    /// Its name.
    pub name: String,
    /// Its entry in the manifest.
    pub entry: Service,
    /// The application.
    pub application: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// `delivery.toml` at the commit that the service is of.
    pub definition: Definition,
    /// The commit that the service is of.
    pub revision: String,
    /// The release that the environment gets.
    pub release: ReleaseId,
    /// What the deployment calls what the action deploys; the stack around a site is no part of a release.
    pub(super) part: Option<String>,
    repository: Repository,
}

impl Configured {
    /// Reads a release.
    pub(super) async fn read(
        repository: &Repository,
        release: &ReleaseId,
    ) -> Result<Self, PartError> {
        let manifest = repository.manifest(release).await?;
        let file = &manifest.configuration;
        let bytes = repository.blob(&file.sha256).await?;
        let definition = delivery_definition::parse_bytes(&bytes, &file.path);
        let definition = definition.map_err(|mistakes| PartError::Definition {
            release: release.clone(),
            mistakes: Box::new(mistakes),
        })?;
        Ok(Self {
            release: release.clone(),
            manifest,
            definition,
        })
    }

    /// An environment by this release's definition.
    pub(super) fn target(&self, environment: &EnvironmentName) -> Result<Target<'_>, PartError> {
        let target = self.definition.environment(environment.as_str());
        target.map_err(|source| PartError::Environment {
            release: self.release.clone(),
            source,
        })
    }
}

/// Finds what a release has for an action.
///
/// A service that another pipeline has delivered comes with the definition of the release that it is of.
pub(super) async fn find(
    repository: &Repository,
    release: &ReleaseId,
    asked: Configured,
    params: &ReleaseParams,
    piece: Piece,
) -> Result<Found, PartError> {
    let name = &params.service;
    let nothing = |what: String| Ok(Found::Nothing(format!("nothing to deploy: {what}")));
    let whole = if *release == asked.release {
        asked
    } else {
        Configured::read(repository, release).await?
    };
    let Some(entry) = whole.manifest.services.get(name).cloned() else {
        return nothing(format!("the release `{release}` has no service `{name}`"));
    };
    let own = match whole.manifest.combined.get(name) {
        Some(origin) => Configured::read(repository, origin).await?,
        None => whole,
    };
    let target = own.target(&params.environment)?;
    let service = own.definition.services().get(name);
    let service = service.ok_or_else(|| PartError::NoService {
        release: own.release.clone(),
        service: name.clone(),
    })?;
    if let Some(other) = target.settings.share.get(&service.name) {
        let (environment, other) = (&params.environment, &other.value.value);
        return nothing(format!(
            "`{environment}` uses the service `{name}` of `{other}` in the release `{release}`"
        ));
    }
    let is_in_family = params.environment.family().is_some();
    let part = match piece.of(name, &entry, is_in_family) {
        Has::Part(part) => part,
        Has::Nothing => {
            let word = piece.word();
            return nothing(format!(
                "the service `{name}` of the release `{release}` has no {word}"
            ));
        }
        Has::Other(kind) => {
            return Err(PartError::OtherKind {
                service: name.clone(),
                kind,
                release: release.clone(),
            });
        }
    };
    Ok(Found::Service(Box::new(ReleasedService {
        name: name.clone(),
        entry,
        application: own.manifest.application.clone(),
        environment: params.environment.clone(),
        revision: own.manifest.source.revision.clone(),
        release: release.clone(),
        part,
        repository: repository.clone(),
        definition: own.definition,
    })))
}

impl ReleasedService {
    /// The environment by the definition.
    ///
    /// # Panics
    ///
    /// Never: it was found when the release was read.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        let target = self.definition.environment(self.environment.as_str());
        target.expect("the environment was found when the release was read")
    }

    /// An artifact of the service by its name (`function`, `api`, `site`), which the function reads with its own rights.
    #[must_use]
    pub fn blob(&self, what: &str) -> Option<ReleasedBlob> {
        let artifacts = self.entry.artifacts();
        let found = artifacts.into_iter().find(|(name, _)| *name == what);
        found.map(|(_, blob)| ReleasedBlob {
            artifact: Artifact {
                name: format!("{}/{what}", self.name),
                revision: Some(self.revision.clone()),
                bucket: self.repository.bucket().to_owned(),
                key: layout::blob(&blob.sha256),
            },
            sha256: blob.sha256,
        })
    }

    /// Reads a file of the release, such as a template.
    ///
    /// # Errors
    ///
    /// It is not there, or not what was published.
    pub async fn file(&self, file: &File) -> Result<Vec<u8>, PartError> {
        Ok(self.repository.blob(&file.sha256).await?)
    }
}

/// An artifact of a release.
#[derive(Clone, Debug)]
pub struct ReleasedBlob {
    /// Where it is.
    pub artifact: Artifact,
    /// Its digest.
    pub sha256: crate::digest::Digest,
}

impl ReleasedBlob {
    /// The digest that whoever reads it compares.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::Whole(self.sha256.bytes())
    }
}
