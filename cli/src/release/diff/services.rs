//! What differs between the services of two releases. Pure.

use std::collections::{BTreeMap, BTreeSet};

use delivery_release::digest::Digest;
use delivery_release::manifest::{Manifest, Service};
use schemars::JsonSchema;
use serde::Serialize;

/// A service of one of the releases, or of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceDifference {
    /// The service.
    pub(super) service: String,
    /// What becomes of it.
    pub(super) change: ServiceChange,
    /// What it is made of and differs.
    pub(super) artifacts: Vec<ArtifactDifference>,
    /// The parameters and the `config` that differ, in this environment.
    pub(super) parameters: Vec<ValueDifference>,
}

/// What becomes of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum ServiceChange {
    /// It is new.
    Added,
    /// It is not part of the release any more. What is deployed of it stays until its stack is deleted.
    Removed,
    /// It differs.
    Changed,
    /// It is the same.
    Unchanged,
}

/// A part of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactDifference {
    /// Its name; `template` is the template.
    pub(super) name: String,
    /// The SHA-256 of what is there; `null` where it is new.
    pub(super) from: Option<String>,
    /// The SHA-256 of what comes; `null` where it goes.
    pub(super) to: Option<String>,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValueDifference {
    /// Its name.
    pub(super) name: String,
    /// What it is now; `null` where it is new.
    pub(super) from: Option<String>,
    /// What it becomes; `null` where it goes.
    pub(super) to: Option<String>,
}

/// The values of each service.
pub(super) type Values = BTreeMap<String, BTreeMap<String, String>>;

/// A release, as far as it is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    pub(super) manifest: Option<&'a Manifest>,
    pub(super) values: &'a Values,
}

/// The services of both, by name.
pub(super) fn compare(from: Side<'_>, to: Side<'_>) -> Vec<ServiceDifference> {
    let manifests = [from.manifest, to.manifest].into_iter().flatten();
    let names: BTreeSet<&String> = manifests
        .flat_map(|manifest| manifest.services.keys())
        .collect();
    names
        .into_iter()
        .map(|name| {
            let [before, after] = [from.manifest, to.manifest]
                .map(|manifest| manifest.and_then(|one| one.services.get(name)));
            service(name, before, after, [from.values, to.values])
        })
        .collect()
}

fn service(
    name: &str,
    from: Option<&Service>,
    to: Option<&Service>,
    values: [&Values; 2],
) -> ServiceDifference {
    let digests = |service: Option<&Service>| service.map(digests).unwrap_or_default();
    let artifacts = differing(&digests(from), &digests(to));
    let [before, after] = values.map(|values| values.get(name).cloned().unwrap_or_default());
    let parameters = differing(&before, &after).into_iter();
    let parameters: Vec<_> = parameters
        .map(|(name, from, to)| ValueDifference { name, from, to })
        .collect();
    let is_same = from == to && parameters.is_empty();
    ServiceDifference {
        service: name.to_owned(),
        change: match (from, to) {
            (None, _) => ServiceChange::Added,
            (_, None) => ServiceChange::Removed,
            _ if is_same => ServiceChange::Unchanged,
            _ => ServiceChange::Changed,
        },
        artifacts: artifacts
            .into_iter()
            .map(|(name, from, to)| ArtifactDifference { name, from, to })
            .collect(),
        parameters,
    }
}

/// What a service is made of, its template too.
fn digests(service: &Service) -> BTreeMap<String, String> {
    let artifacts = service.artifacts().into_iter();
    let text = |digest: &Digest| digest.to_string();
    let mut digests: BTreeMap<_, _> = artifacts
        .map(|(name, artifact)| (name.to_owned(), text(&artifact.sha256)))
        .collect();
    if let Service::CloudFormation(stack) = service {
        digests.insert("template".to_owned(), text(&stack.template.sha256));
    }
    digests
}

/// What is not the same in both: its name, and what it is in each.
pub(super) fn differing(
    from: &BTreeMap<String, String>,
    to: &BTreeMap<String, String>,
) -> Vec<(String, Option<String>, Option<String>)> {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| (name.clone(), from.get(name).cloned(), to.get(name).cloned()))
        .collect()
}
