//! The folder of a service, as the detection of its kind looks at it.

use std::path::{Path, PathBuf};

use delivery_definition::{Folder, TEMPLATES};
use delivery_node::project::{self, Expected};
use delivery_stack::yaml;

/// What builds an app.
const PACKAGE: &str = "package";

/// A folder of the repository.
#[derive(Debug)]
pub(crate) struct ServiceFolder<'a> {
    repository: &'a Path,
    directory: &'a str,
    others: Vec<PathBuf>,
}

impl<'a> ServiceFolder<'a> {
    pub(crate) fn new(repository: &'a Path, directory: &'a str) -> Self {
        Self {
            repository,
            directory,
            others: Vec::new(),
        }
    }

    /// Passes over templates that are not services', such as those of functions of the user's own.
    pub(crate) fn without(mut self, templates: impl Iterator<Item = PathBuf>) -> Self {
        let templates = templates.filter_map(|template| template.canonicalize().ok());
        self.others = templates.collect();
        self
    }

    /// The first template that is no YAML, and why.
    pub(crate) fn broken_template(&self) -> Option<(String, String)> {
        let templates = self.files().into_iter();
        let mut templates = templates.filter(|file| TEMPLATES.contains(&file.as_str()));
        templates.find_map(|file| {
            let text = std::fs::read_to_string(self.path().join(&file)).ok()?;
            let error = yaml::parse(&text).err()?;
            Some((file, error.to_string()))
        })
    }

    fn path(&self) -> PathBuf {
        self.repository.join(self.directory)
    }
}

impl Folder for ServiceFolder<'_> {
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path())
            .into_iter()
            .flatten()
            .flatten();
        let files = entries.filter(|entry| entry.path().is_file());
        let mut names: Vec<String> = files
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    fn has_resources(&self, file: &str) -> bool {
        let path = self.path().join(file);
        if path
            .canonicalize()
            .is_ok_and(|path| self.others.contains(&path))
        {
            return false;
        }
        let Ok(text) = std::fs::read_to_string(path) else {
            return false;
        };
        yaml::parse(&text).is_ok_and(|template| {
            template
                .get("Resources")
                .is_some_and(serde_json::Value::is_object)
        })
    }

    fn has_package_task(&self) -> bool {
        let tasks = [PACKAGE.to_owned()];
        let expected = Expected {
            directory: self.directory,
            tasks: &tasks,
            installs: false,
            ..Expected::default()
        };
        let found = project::check(self.repository, &expected);
        found
            .iter()
            .all(|finding| finding.severity != project::Severity::Error)
    }
}
