//! The environments that somebody has to look at, without those that are known to be removed.
//!
//! There is an environment for each execution that ever was, and its document stays. Whoever looks at all of them every few
//! minutes reads a document only if it has changed since it was seen to be that of a removed environment: the list of the
//! bucket tells. What is known is in one object, which anybody may lose: then all are read once.

use std::collections::{BTreeMap, BTreeSet};

use delivery_definition::names::EnvironmentName;
use serde::{Deserialize, Serialize};

use super::{Repository, layout};
use crate::document;
use crate::environment::Environment;
use crate::error::ReleaseError;
use crate::manifest::SCHEMA;

/// The documents of environments that were seen to be removed, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Removed {
    schema: u32,
    /// The `ETag` of the document that says so.
    removed: BTreeMap<String, String>,
}

/// The environments to look at.
#[derive(Debug)]
pub struct Roll {
    /// Those that may be there.
    pub environments: Vec<Environment>,
    /// How many there ever were.
    pub all: usize,
    repository: Repository,
    known: Removed,
    etag: Option<String>,
    listed: BTreeMap<String, String>,
}

impl Repository {
    /// The environments that are not known to be removed.
    ///
    /// # Errors
    ///
    /// A call failed, or what is known cannot be read.
    pub async fn roll(&self) -> Result<Roll, ReleaseError> {
        let objects = self.objects.list(layout::ENVIRONMENTS).await?;
        let listed = objects.into_iter().filter_map(|object| {
            let name = layout::environment_of(&object.key)?;
            EnvironmentName::parse(name).ok()?;
            Some((name.to_owned(), object.etag))
        });
        let listed: BTreeMap<_, _> = listed.collect();
        let (known, etag) = match self.objects.get(layout::REMOVED).await? {
            None => (BTreeMap::new(), None),
            Some(object) => {
                let address = || self.objects.address(layout::REMOVED);
                let read: Removed = document::read(&object.bytes, address)?;
                (read.removed, Some(object.etag))
            }
        };
        let is_known = |name: &str, etag: &String| known.get(name) == Some(etag);
        let names = listed.iter().filter(|(name, etag)| !is_known(name, etag));
        let names = names.filter_map(|(name, _)| EnvironmentName::parse(name).ok());
        Ok(Roll {
            environments: names.map(|name| Environment::new(self, name)).collect(),
            all: listed.len(),
            repository: self.clone(),
            known: Removed {
                schema: SCHEMA,
                removed: known,
            },
            etag,
            listed,
        })
    }
}

impl Roll {
    /// Says of some of them that they are removed: they are not looked at again until their documents change.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn strike(&self, removed: &BTreeSet<String>) -> Result<(), ReleaseError> {
        let is_known = |name: &str, etag: &str| {
            removed.contains(name) || self.known.removed.get(name).is_some_and(|it| it == etag)
        };
        let listed = self.listed.iter();
        let next = listed.filter(|(name, etag)| is_known(name, etag));
        let next = Removed {
            schema: SCHEMA,
            removed: next
                .map(|(name, etag)| (name.clone(), etag.clone()))
                .collect(),
        };
        if next == self.known {
            return Ok(());
        }
        let bytes = document::write(&next);
        // Somebody else who writes it at the same time knows as much.
        let objects = &self.repository.objects;
        objects
            .replace(layout::REMOVED, self.etag.as_deref(), &bytes)
            .await?;
        Ok(())
    }
}
