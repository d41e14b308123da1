//! The folder of a service, as the detection of its kind looks at it.

use std::fmt;
use std::path::{Path, PathBuf};

use delivery_definition::{Folder, TEMPLATES};
use delivery_node::project::{self, Expected, MANIFEST, Manifest, NoManifest};
use delivery_stack::template::Template;
use serde_json::Value;

use crate::output::foreign;

/// What builds an app.
const PACKAGE: &str = "package";

/// The section of a template that makes it one of a service.
const RESOURCES: &str = "Resources";

/// A file that says what a service is, and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenFile {
    path: PathBuf,
    problem: Problem,
}

/// What is wrong in a file, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    line: Option<usize>,
    why: String,
}

impl fmt::Display for BrokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.problem.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", foreign::line(&self.problem.why))
    }
}

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

    /// The first file that says what a service is and cannot be read: a template, or `package.json`.
    pub(crate) fn broken_file(&self) -> Option<BrokenFile> {
        self.broken_template().or_else(|| self.broken_manifest())
    }

    /// The first template that cannot be read, or whose `Resources` are none.
    pub(crate) fn broken_template(&self) -> Option<BrokenFile> {
        let templates = self.files().into_iter();
        let mut templates = templates.filter(|file| TEMPLATES.contains(&file.as_str()));
        templates.find_map(|file| {
            let path = self.path().join(&file);
            let problem = match std::fs::read_to_string(&path) {
                _ if self.is_of_another(&path) => None,
                Ok(text) => problem(&file, &text),
                Err(error) => Some(Problem {
                    line: None,
                    why: format!("it cannot be read: {error}"),
                }),
            };
            problem.map(|problem| self.broken(&file, problem))
        })
    }

    /// The `package.json`, if it cannot be read.
    pub(crate) fn broken_manifest(&self) -> Option<BrokenFile> {
        match Manifest::read(&project::Folder(&self.path()), "") {
            Err(NoManifest::Broken(reason)) => Some(self.broken(MANIFEST, not_json(&reason))),
            _ => None,
        }
    }

    fn broken(&self, file: &str, problem: Problem) -> BrokenFile {
        // Without `./`, as a person writes it.
        let parts = Path::new(self.directory).components();
        let directory: PathBuf = parts
            .filter(|part| *part != std::path::Component::CurDir)
            .collect();
        BrokenFile {
            path: directory.join(file),
            problem,
        }
    }

    fn is_of_another(&self, path: &Path) -> bool {
        path.canonicalize()
            .is_ok_and(|path| self.others.contains(&path))
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
        if self.is_of_another(&path) {
            return false;
        }
        let Ok(text) = std::fs::read_to_string(path) else {
            return false;
        };
        Template::read(&text).is_ok_and(|template| {
            template
                .value()
                .get(RESOURCES)
                .is_some_and(Value::is_object)
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

/// Why the text of a file is no template; `None` where it is one, or one of something else.
fn problem(file: &str, text: &str) -> Option<Problem> {
    match Template::read(text) {
        Err(_) if Path::new(file).extension().is_some_and(|end| end == "json") => {
            let error = serde_json::from_str::<Value>(text).err()?;
            Some(not_json(&error.to_string()))
        }
        Err(error) => Some(Problem {
            line: error.line(),
            why: error.reason(),
        }),
        Ok(template) => {
            let resources = template.value().get(RESOURCES)?;
            let is_section = |line: &str| {
                let line = line.trim_start_matches([' ', '\t', '{', '"', '\'']);
                line.starts_with(RESOURCES)
            };
            (!resources.is_object()).then(|| Problem {
                line: text.lines().position(is_section).map(|at| at + 1),
                why: format!("`{RESOURCES}` has no resources by their names"),
            })
        }
    }
}

/// What serde says of a text that is not JSON, with the line apart.
fn not_json(reason: &str) -> Problem {
    let place = reason.rsplit_once(" at line ");
    place.map_or_else(
        || Problem {
            line: None,
            why: reason.to_owned(),
        },
        |(why, place)| Problem {
            line: place.split(' ').next().and_then(|line| line.parse().ok()),
            why: format!("this is not JSON: {why}"),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(file: &str, text: &str) -> Option<String> {
        let repository = tempfile::tempdir().unwrap();
        std::fs::create_dir(repository.path().join("api")).unwrap();
        std::fs::write(repository.path().join("api").join(file), text).unwrap();
        let folder = ServiceFolder::new(repository.path(), "./api");
        folder.broken_file().map(|broken| broken.to_string())
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_its_line() {
        for (file, text, expected) in [
            (
                "template.yaml",
                "Resources:\n  A: [unclosed\n",
                "api/template.yaml:2: this is not YAML: unclosed bracket '['",
            ),
            (
                "template.yml",
                "# one\nResources: 5\n",
                "api/template.yml:2: `Resources` has no resources by their names",
            ),
            (
                "template.json",
                "{\n  \"Resources\": {,}\n}\n",
                "api/template.json:2: this is not JSON: key must be a string",
            ),
            ("template.yaml", "", "api/template.yaml: it ends too early"),
            (
                "package.json",
                "{\"a\":",
                "api/package.json:1: this is not JSON: EOF while parsing a value",
            ),
            (
                "package.json",
                "[]",
                "api/package.json: it is not a JSON object",
            ),
        ] {
            assert_eq!(broken(file, text).as_deref(), Some(expected));
        }
        for (file, text) in [
            ("template.yaml", "Resources: {}\n"),
            // Of another tool.
            ("template.yaml", "kind: Deployment\n"),
            // YAML does not allow tabs, which JSON does.
            ("template.json", "{\n\t\"Resources\": {}\n}\n"),
            ("other.yaml", "["),
            ("package.json", "{}"),
        ] {
            assert_eq!(broken(file, text), None, "{file}: {text}");
        }
    }
}
