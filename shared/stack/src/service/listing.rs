//! The folder of a service, as the detection of its kind looks at it.

use std::collections::BTreeSet;

use delivery_definition::{Folder, TEMPLATES};

use crate::deployment::DeploymentError;
use crate::package::{self, Files, PackageError};

/// What lies in a service's folder.
#[derive(Debug)]
pub(super) struct Listing {
    files: Vec<String>,
    templates: BTreeSet<String>,
}

impl Listing {
    /// Reads the files that can be the template.
    pub(super) async fn of(files: &impl Files, folder: &str) -> Result<Self, DeploymentError> {
        let names = files.files_in(folder);
        let mut templates = BTreeSet::new();
        for name in TEMPLATES {
            if !names.iter().any(|found| found == name) {
                continue;
            }
            let path = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            match package::read(files, &path).await {
                Ok(_) => {
                    templates.insert(name.to_owned());
                }
                Err(PackageError::NotATemplate { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self {
            files: names,
            templates,
        })
    }
}

impl Folder for Listing {
    fn files(&self) -> Vec<String> {
        self.files.clone()
    }

    fn has_resources(&self, file: &str) -> bool {
        self.templates.contains(file)
    }

    /// Only stacks are deployed here: whether it has the task decides nothing but the message.
    fn has_package_task(&self) -> bool {
        true
    }
}
