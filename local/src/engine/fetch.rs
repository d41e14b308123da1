//! A source action: a local source stands in for the connection that the declaration names.

use std::collections::BTreeMap;

use delivery_action::failure::Failure;

use crate::source::{Source, SourceError};

use super::execution::ErrorDetails;
use super::message::{SourceOutput, SourceRequest};
use super::ports::ArtifactStore;

/// Resolves the revision, makes the archive and puts it where the action's output belongs.
pub(crate) async fn fetch(
    request: &SourceRequest,
    sources: &BTreeMap<String, Source>,
    store: &dyn ArtifactStore,
) -> Result<SourceOutput, ErrorDetails> {
    let setting = |key: &str| request.configuration.get(key).cloned().unwrap_or_default();
    let repository = setting("FullRepositoryId");
    let branch = setting("BranchName");
    let source = sources.get(&repository).ok_or_else(|| ErrorDetails {
        code: "ConfigurationError".to_owned(),
        message: format!(
            "no local folder is registered for the repository `{repository}`\nhint: check \
             `FullRepositoryId` of the source action"
        ),
    })?;
    let archive = source
        .fetch(&branch, request.revision.as_deref())
        .await
        .map_err(|error| source_error(&error))?;
    for output in &request.outputs {
        let key = request.encryption_key.as_ref().map(|key| &*key.id);
        store
            .put(&output.bucket, &output.key, archive.file.path(), key)
            .await?;
    }
    let revision = archive.revision;
    let variables = BTreeMap::from([
        ("AuthorDate".to_owned(), revision.author_date),
        ("BranchName".to_owned(), branch),
        ("CommitId".to_owned(), revision.id.clone()),
        ("CommitMessage".to_owned(), revision.message.clone()),
        ("ConnectionArn".to_owned(), setting("ConnectionArn")),
        ("FullRepositoryName".to_owned(), repository),
    ]);
    let summary: String = revision.message.chars().take(MAX_SUMMARY_CHARS).collect();
    Ok(SourceOutput {
        revision: revision.id,
        summary: Some(summary).filter(|summary| !summary.is_empty()),
        variables,
    })
}

/// Longest `revisionSummary` (`API_SourceRevision`: 2,048).
const MAX_SUMMARY_CHARS: usize = 2_048;

fn source_error(error: &SourceError) -> ErrorDetails {
    let failure = Failure::new(error);
    let hint = failure
        .hint
        .map(|hint| format!("\nhint: {hint}"))
        .unwrap_or_default();
    ErrorDetails {
        code: format!("{:?}", failure.failure_type),
        message: format!("{}{hint}", failure.cause),
    }
}
