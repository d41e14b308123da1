//! Which release a person means: by its id, by its commit, or by the beginning of either.

use delivery_release::ReleaseError;
use delivery_release::manifest::{Manifest, ReleaseId};
use delivery_release::repository::{Listed, Repository};
use futures_util::{StreamExt as _, stream};

use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::output::text::short;
use crate::pipeline::listed;

/// The fewest characters of an id or a commit: fewer are a typing error rather than a choice.
const FEWEST_CHARS: usize = 4;

/// How many manifests are read at once: S3 takes thousands of such requests a second (S3 User Guide, "Optimizing Amazon S3
/// performance").
const PARALLEL_READS: usize = 16;

/// A release, and what it consists of.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) id: ReleaseId,
    pub(crate) manifest: Manifest,
}

impl Release {
    /// Reads a release.
    pub(crate) async fn read(repository: &Repository, id: &ReleaseId) -> Result<Self, CliError> {
        Ok(Self {
            id: id.clone(),
            manifest: repository.manifest(id).await?,
        })
    }

    /// The commit that it was built from.
    pub(crate) fn commit(&self) -> &str {
        &self.manifest.source.revision
    }

    /// As messages name it.
    pub(crate) fn name(&self) -> String {
        named(&self.id, self.commit())
    }
}

/// A release as messages name it.
pub(crate) fn named(id: &ReleaseId, commit: &str) -> String {
    format!("{id} (commit {})", short(commit))
}

/// A release of a listing, and its manifest where that can be read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) listed: Listed,
    pub(crate) manifest: Result<Manifest, ReleaseError>,
}

/// Reads the manifests of releases, in their order.
pub(crate) async fn read_all(repository: &Repository, listed: Vec<Listed>) -> Vec<Read> {
    stream::iter(listed)
        .map(|listed| async move {
            let manifest = repository.manifest(&listed.release).await;
            Read { listed, manifest }
        })
        .buffered(PARALLEL_READS)
        .collect()
        .await
}

/// The release that is meant. Of several of one commit it is the newest.
pub(crate) async fn choose(repository: &Repository, given: &str) -> Result<Release, CliError> {
    if let Ok(id) = given.parse::<ReleaseId>() {
        match Release::read(repository, &id).await {
            // A commit may have the form of an id.
            Err(error) if error.exit() == Exit::NotFound => {}
            found => return found,
        }
    }
    let given = given.to_ascii_lowercase();
    let is_possible =
        given.len() >= FEWEST_CHARS && given.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_possible {
        return Err(ChoiceError::Form { given }.into());
    }
    let all = repository.releases().await?;
    let by_id = all
        .iter()
        .filter(|one| one.release.as_str().starts_with(&given));
    let by_id: Vec<_> = by_id.map(|one| one.release.clone()).collect();
    match by_id.as_slice() {
        [] => of_commit(repository, all, given).await,
        [id] => Release::read(repository, id).await,
        several => Err(ChoiceError::Several {
            given,
            meant: several.iter().map(ToString::to_string).collect(),
        }
        .into()),
    }
}

/// The newest release of a commit.
async fn of_commit(
    repository: &Repository,
    all: Vec<Listed>,
    given: String,
) -> Result<Release, CliError> {
    let mut found: Vec<Release> = Vec::new();
    for Read { listed, manifest } in read_all(repository, all).await {
        // One that cannot be read is not known to be of this commit.
        let Ok(manifest) = manifest else { continue };
        if manifest.source.revision.starts_with(&given) {
            found.push(Release {
                id: listed.release,
                manifest,
            });
        }
    }
    let mut commits: Vec<_> = found.iter().map(|one| one.commit().to_owned()).collect();
    commits.sort();
    commits.dedup();
    if commits.len() > 1 {
        let meant = commits;
        return Err(ChoiceError::Several { given, meant }.into());
    }
    let newest = found.into_iter().next();
    newest.ok_or_else(|| ChoiceError::Unknown { given }.into())
}

/// No release, or no single one, is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ChoiceError {
    #[error(
        "`{given}` is neither the id of a release nor a commit: expected at least {FEWEST_CHARS} hexadecimal digits"
    )]
    Form { given: String },
    #[error("no release has an id or a commit that begins with `{given}`")]
    Unknown { given: String },
    #[error("`{given}` is ambiguous: {}", listed(.meant))]
    Several { given: String, meant: Vec<String> },
}

impl Explained for ChoiceError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } => Exit::NotFound,
            Self::Form { .. } | Self::Several { .. } => Exit::Usage,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "not-found",
            Self::Form { .. } | Self::Several { .. } => "usage",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Form { .. } | Self::Unknown { .. } => "`delivery releases` lists them",
                Self::Several { .. } => "give more of it",
            }
            .to_owned(),
        )
    }
}
