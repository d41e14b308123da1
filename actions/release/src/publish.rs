//! The end of a publication: the manifest, or what the next action goes on with.

use std::collections::{BTreeMap, BTreeSet};

use delivery_action::action::Completion;
use delivery_action::clock;
use delivery_action::execution::Execution;
use delivery_action::job::Job;
use delivery_release::manifest::{File, Manifest, SCHEMA, Service, Source};
use delivery_release::repository::{Blob, Provenance, Publication, Publisher, Put, Repository};

use crate::error::ReleaseActionError;
use crate::inputs::Defined;
use crate::params::PublishParams;
use crate::unchanged;

/// The most characters of a list in an output variable: a variable is used in parameters, which have 1,000 in all
/// (CodePipeline User Guide, "Quotas").
const MAX_LIST_CHARS: usize = 1_000;

/// What an output variable has that has nothing: an empty one cannot be told from one that is not there.
const NOTHING: &str = "-";

/// Publishes the release.
pub(crate) async fn publish(
    repository: &Repository,
    mut publisher: Publisher,
    params: &PublishParams,
    job: &Job,
    defined: &Defined,
    services: BTreeMap<String, Service>,
) -> Result<Completion, ReleaseActionError> {
    let elsewhere = elsewhere(defined, &services)?;
    let Blob { sha256, size } = publisher.put_bytes(&defined.bytes).await?;
    let manifest = Manifest {
        schema: SCHEMA,
        application: defined.application.clone(),
        source: Source {
            repository: params.repository.clone(),
            revision: params.revision.clone(),
            branch: params.branch.clone(),
            dirty: false,
        },
        services,
        configuration: File {
            sha256,
            size,
            path: defined.path.clone(),
        },
        elsewhere,
        combined: BTreeMap::new(),
    };
    let unchanged = unchanged::services(repository, &manifest).await?;
    let provenance = provenance(params.execution.as_ref(), job);
    let publication = publisher.publish(&manifest, &provenance, clock::timestamp());
    let publication = publication.await?;
    let names = manifest.services.keys().map(String::as_str);
    let unchanged_names = unchanged.iter().map(String::as_str);
    Ok(Completion {
        summary: summary(&publication, &manifest, unchanged.len()),
        variables: BTreeMap::from([
            ("Release".to_owned(), publication.release.to_string()),
            ("Services".to_owned(), list(names)),
            ("Unchanged".to_owned(), list(unchanged_names)),
        ]),
    })
}

/// Keeps what is packaged so far for the next action.
pub(crate) async fn hand_on(
    mut publisher: Publisher,
    services: &BTreeMap<String, Service>,
) -> Result<Completion, ReleaseActionError> {
    let blob = publisher.put_entries(services).await?;
    let names = list(services.keys().map(String::as_str));
    Ok(Completion {
        summary: format!("packaged {} so far: {names}", counted(services.len())),
        variables: BTreeMap::from([
            ("Entries".to_owned(), blob.sha256.to_string()),
            ("Services".to_owned(), names),
        ]),
    })
}

/// The services that other pipelines deliver. Without such, one that nobody packaged is forgotten.
fn elsewhere(
    defined: &Defined,
    services: &BTreeMap<String, Service>,
) -> Result<BTreeSet<String>, ReleaseActionError> {
    let all = defined.definition.services().names();
    let rest = all.filter(|name| !services.contains_key(*name));
    let rest: BTreeSet<String> = rest.map(str::to_owned).collect();
    if rest.is_empty() || !defined.definition.pipelines().is_empty() {
        return Ok(rest);
    }
    Err(ReleaseActionError::Forgotten {
        services: rest.into_iter().collect(),
    })
}

fn provenance(execution: Option<&Execution>, job: &Job) -> Provenance {
    Provenance {
        pipeline: execution.map(|one| one.pipeline().to_owned()),
        execution: execution.map_or(job.id.as_str(), Execution::id).to_owned(),
        by: None,
    }
}

fn summary(publication: &Publication, manifest: &Manifest, unchanged: usize) -> String {
    let Publication { release, blobs, .. } = publication;
    let services = manifest.services.len();
    match publication.manifest {
        Put::Unchanged => format!("release {release} was there already: {}", counted(services)),
        Put::Written => format!(
            "published release {release}: {}; {}",
            changes(services, unchanged),
            uploaded(blobs.written, blobs.written + blobs.unchanged)
        ),
    }
}

/// How many services differ from those of the release before.
fn changes(services: usize, unchanged: usize) -> String {
    let all = counted(services);
    match (services, unchanged) {
        (1, 0) => format!("{all}, new or changed"),
        (1, _) => format!("{all}, unchanged"),
        (_, 0) => format!("{all}, all new or changed"),
        _ if unchanged == services => format!("{all}, all unchanged"),
        _ => format!("{all}, {unchanged} unchanged"),
    }
}

fn uploaded(new: usize, all: usize) -> String {
    match (new, all) {
        (0, _) => "nothing to upload".to_owned(),
        (1, 1) => "1 file uploaded".to_owned(),
        _ if new == all => format!("{all} files uploaded"),
        _ => format!("{new} of {all} files uploaded"),
    }
}

fn counted(services: usize) -> String {
    match services {
        1 => "1 service".to_owned(),
        several => format!("{several} services"),
    }
}

/// Names joined by commas; how many there are where that is too long.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    let text = names.join(",");
    match text.len() {
        0 => NOTHING.to_owned(),
        length if length > MAX_LIST_CHARS => names.len().to_string(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_said_as_a_person_says_them() {
        let said = [(1, 0), (1, 1), (3, 0), (3, 1), (3, 3)].map(|(all, same)| changes(all, same));
        assert_eq!(
            said,
            [
                "1 service, new or changed",
                "1 service, unchanged",
                "3 services, all new or changed",
                "3 services, 1 unchanged",
                "3 services, all unchanged",
            ]
        );
        let said = [(0, 4), (1, 1), (1, 4), (4, 4)].map(|(new, all)| uploaded(new, all));
        assert_eq!(
            said,
            [
                "nothing to upload",
                "1 file uploaded",
                "1 of 4 files uploaded",
                "4 files uploaded",
            ]
        );
    }

    #[test]
    fn a_list_that_is_too_long_is_a_count() {
        assert_eq!(list(["a", "b"].into_iter()), "a,b");
        assert_eq!(list([].into_iter()), "-");
        let names: Vec<String> = (0..100).map(|one| format!("service-{one:03}")).collect();
        assert_eq!(list(names.iter().map(String::as_str)), "100");
    }
}
