//! The manifest of a release: all that is deployed, by digest, and how.
//!
//! It holds no id and no time: its id is the hash of its bytes, so the same content is the same release whoever makes
//! it and whenever. Nothing in it is a secret; a reference to one (`{{resolve:secretsmanager:...}}`) stays a reference.

mod canonical;
mod combine;
mod id;
mod published;
mod read;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use id::{NotAnId, ReleaseId};
pub use published::json_schema;
pub use read::ManifestError;

use crate::digest::Digest;

/// The schema that is written, and the newest one that is read.
pub const SCHEMA: u32 = 1;

/// The manifest of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The schema of this document.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// The application.
    pub application: String,
    /// What it was built from.
    pub source: Source,
    /// The services, by name.
    pub services: BTreeMap<String, Service>,
    /// `delivery.toml` at that commit, which has all settings: parameters, rollouts, what CloudFormation may do. So a
    /// rollback brings settings back, too.
    pub configuration: File,
    /// The application's other services, which other pipelines deliver: an environment keeps what it has of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub elsewhere: BTreeSet<String>,
    /// Services that an environment had already, and from which release; all others are of `source`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub combined: BTreeMap<String, ReleaseId>,
}

/// What a release was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The repository, such as `team/workshop`; none for a plain folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The revision: a commit.
    pub revision: String,
    /// The branch it was built on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Whether there were changes that are in no commit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dirty: bool,
}

/// A service, by what deploys it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "engine", rename_all = "lowercase")]
pub enum Service {
    /// A CloudFormation or SAM template.
    CloudFormation(Stack),
    /// Files in a bucket, behind a website.
    Site(Site),
    /// A function, an API and a site.
    App(App),
}

/// A CloudFormation or SAM template, and what it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// The template, with the addresses of its artifacts in it.
    pub template: File,
    /// Its transforms, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transform: Vec<String>,
    /// What it names: code of functions, layers, nested templates, documents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub artifacts: BTreeMap<String, Artifact>,
    /// The services that are deployed before it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<String>,
}

/// Files in a bucket, behind a website.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// What it consists of.
    pub artifacts: SiteArtifacts,
    /// The services that are deployed before it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<String>,
}

/// What a site consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteArtifacts {
    /// Its files, as a zip archive.
    pub site: Artifact,
}

/// A function, an API and a site: each that the application has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// What it consists of.
    pub artifacts: AppArtifacts,
    /// The services that are deployed before it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<String>,
}

/// What an app consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppArtifacts {
    /// The function's code, as a zip archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<Artifact>,
    /// The OpenAPI document, in a zip archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Artifact>,
    /// The site's files, as a zip archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Artifact>,
}

/// A file of the repository, kept as a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Its path in the repository.
    pub path: String,
}

/// What a service is made of, kept as a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where the template names it, as a JSON pointer: an environment in another region names another bucket there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Manifest {
    /// The digests of all that it names, with their lengths.
    #[must_use]
    pub fn blobs(&self) -> BTreeMap<Digest, u64> {
        let services = self.services.values();
        let mut blobs: BTreeMap<_, _> = services.flat_map(Service::blobs).collect();
        blobs.insert(self.configuration.sha256, self.configuration.size);
        blobs
    }
}

impl Manifest {
    /// What is deployed one by one: `SERVICE` for a stack or a site, and `SERVICE/function`, `SERVICE/api` and `SERVICE/site`
    /// for what an app has.
    #[must_use]
    pub fn parts(&self) -> BTreeSet<String> {
        let services = self.services.iter();
        services
            .flat_map(|(name, service)| match service {
                Service::CloudFormation(_) | Service::Site(_) => vec![name.clone()],
                Service::App(_) => {
                    let artifacts = service.artifacts().into_iter();
                    artifacts
                        .map(|(what, _)| format!("{name}/{what}"))
                        .collect()
                }
            })
            .collect()
    }
}

impl Service {
    /// The services that are deployed before it.
    #[must_use]
    pub fn after(&self) -> &BTreeSet<String> {
        match self {
            Self::CloudFormation(stack) => &stack.after,
            Self::Site(site) => &site.after,
            Self::App(app) => &app.after,
        }
    }

    /// Its artifacts, by name; a template is none.
    #[must_use]
    pub fn artifacts(&self) -> Vec<(&str, &Artifact)> {
        match self {
            Self::CloudFormation(stack) => {
                let artifacts = stack.artifacts.iter();
                artifacts.map(|(name, one)| (name.as_str(), one)).collect()
            }
            Self::Site(site) => vec![("site", &site.artifacts.site)],
            Self::App(App { artifacts, .. }) => [
                ("function", artifacts.function.as_ref()),
                ("api", artifacts.api.as_ref()),
                ("site", artifacts.site.as_ref()),
            ]
            .into_iter()
            .filter_map(|(name, one)| Some((name, one?)))
            .collect(),
        }
    }

    fn template(&self) -> Option<&File> {
        match self {
            Self::CloudFormation(stack) => Some(&stack.template),
            Self::Site(_) | Self::App(_) => None,
        }
    }

    fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        let artifacts = self.artifacts().into_iter();
        let artifacts = artifacts.map(|(_, one)| (one.sha256, one.size));
        artifacts.chain(self.template().map(|file| (file.sha256, file.size)))
    }
}
