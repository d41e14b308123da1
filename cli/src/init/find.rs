//! The services of a repository, by its folders.

use std::collections::BTreeSet;
use std::path::Path;

use delivery_definition::{Definition, Folder, Kind, UnknownKind, kind_of};

use crate::templates::repository::ServiceFolder;

/// How deep services are looked for: `packages/backend/api` is the deepest that repositories have them.
const DEPTH: usize = 3;

/// Folders that hold what others made.
const NOT_SOURCES: [&str; 6] = ["node_modules", "target", "dist", "build", "vendor", "venv"];

/// The page that makes a folder a site.
const SITE_PAGE: &str = "index.html";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) services: Vec<FoundService>,
    pub(super) unclear: Vec<Unclear>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundService {
    pub(super) name: String,
    pub(super) directory: String,
    pub(super) kind: Kind,
}

/// A folder that a person has to decide about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unclear {
    pub(super) directory: String,
    pub(super) why: String,
}

/// Looks through a repository. The folders in a service are its own.
pub(super) fn services(repository: &Path) -> Found {
    let mut found = Found::default();
    look(repository, ".", 0, &mut found);
    found
}

fn look(repository: &Path, directory: &str, depth: usize, found: &mut Found) {
    let folder = ServiceFolder::new(repository, directory);
    match kind(&folder, directory) {
        Some(Ok(kind)) if kind.is_not_yet_supported() => {
            let why = format!("services of the kind `{kind}` are not deployed yet");
            found.unclear.push(Unclear {
                directory: directory.to_owned(),
                why,
            });
            return;
        }
        Some(Ok(kind)) => {
            let name = name(directory, &found.services);
            let directory = directory.to_owned();
            found.services.push(FoundService {
                name,
                directory,
                kind,
            });
            return;
        }
        Some(Err(why)) => {
            found.unclear.push(Unclear {
                directory: directory.to_owned(),
                why,
            });
            return;
        }
        None => {}
    }
    if depth == DEPTH {
        return;
    }
    for child in folders(&repository.join(directory)) {
        let path = if directory == "." {
            child
        } else {
            format!("{directory}/{child}")
        };
        look(repository, &path, depth + 1, found);
    }
}

/// What a folder is deployed as; nothing where it is no service.
fn kind(folder: &ServiceFolder<'_>, directory: &str) -> Option<Result<Kind, String>> {
    // What a repository without a file is: only the folder's files say its kind.
    let nameless = Definition::default();
    let service = nameless.services().iter().next()?;
    match kind_of(service, folder) {
        Ok(detected) => Some(Ok(detected.kind)),
        Err(UnknownKind::None { .. }) => {
            let is_site = folder.files().iter().any(|file| file == SITE_PAGE);
            is_site.then_some(Ok(Kind::Site))
        }
        Err(UnknownKind::Several { first, second, .. }) => Some(Err(format!(
            "`{}` makes it a `{}`, and `{}` a `{}`: add it with the key `kind`",
            first.1, first.0, second.1, second.0
        ))),
        Err(UnknownKind::SeveralTemplates { templates, .. }) => Some(Err(format!(
            "it has {templates}: add it with the key `template`"
        ))),
        Err(error) => Some(Err(format!("{error} ({directory})"))),
    }
}

fn folders(path: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| !name.starts_with('.') && !NOT_SOURCES.contains(&name.as_str()))
        .collect()
}

/// The folder's name in the letters that a service's may have; with the folders above it where that is taken.
fn name(directory: &str, others: &[FoundService]) -> String {
    if directory == "." {
        return delivery_definition::names::ONLY_SERVICE.to_owned();
    }
    let last = directory.rsplit('/').next().unwrap_or(directory);
    let is_free = |name: &str| others.iter().all(|other| other.name != name);
    let candidates = [dashed(last), dashed(directory)];
    let numbered = (2..).map(|number| format!("{}-{number}", dashed(directory)));
    let mut names = candidates.into_iter().chain(numbered);
    names
        .find(|name| is_free(name))
        .expect("numbers do not end")
}

fn dashed(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let name = words.join("-");
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    if name.is_empty() {
        "service".to_owned()
    } else {
        name.to_owned()
    }
}

/// The file.
pub(super) fn text(application: &str, services: &[FoundService]) -> String {
    let width = services
        .iter()
        .map(|one| one.name.len())
        .max()
        .unwrap_or_default();
    let lines = services.iter().map(|service| {
        // A string of JSON is one of TOML.
        let directory = serde_json::Value::from(service.directory.as_str());
        let value = match service.kind {
            Kind::Site => format!("{{ directory = {directory}, site = \".\" }}"),
            _ => directory.to_string(),
        };
        format!("{:width$} = {value}\n", service.name)
    });
    format!(
        "application = \"{application}\"\n\n[services]\n{}\n[environments]\ntest = {{}}\nprod = {{ after = \"test\" }}\n",
        lines.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Resources:\n  Table: { Type: AWS::DynamoDB::Table }\n";

    fn found(files: &[(&str, &str)]) -> (String, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let found = services(folder.path());
        let text = text("shop", &found.services);
        delivery_definition::parse(&text, "delivery.toml").unwrap();
        let unclear = found.unclear.into_iter();
        (
            text,
            unclear
                .map(|one| format!("{}: {}", one.directory, one.why))
                .collect(),
        )
    }

    #[test]
    fn services_are_the_folders_that_can_be_deployed() {
        let app = r#"{"scripts": {"package": "true"}}"#;
        let (text, unclear) = found(&[
            ("backend/API v2/template.yaml", TEMPLATE),
            ("backend/API v2/nested/template.yaml", TEMPLATE),
            ("database/template.json", r#"{"Resources": {}}"#),
            ("docs/README.md", ""),
            ("frontend/index.html", ""),
            ("infra/main.tf", ""),
            ("node_modules/x/template.yaml", TEMPLATE),
            ("other/database/template.yml", TEMPLATE),
            ("shop/package.json", app),
            ("two/template.yaml", TEMPLATE),
            ("two/main.tf", ""),
        ]);
        insta::assert_snapshot!(text, @r#"
        application = "shop"

        [services]
        api-v2         = "backend/API v2"
        database       = "database"
        frontend       = { directory = "frontend", site = "." }
        other-database = "other/database"
        shop           = "shop"

        [environments]
        test = {}
        prod = { after = "test" }
        "#);
        insta::assert_snapshot!(unclear.join("\n"), @r"
        infra: services of the kind `terraform` are not deployed yet
        two: `template.yaml` makes it a `stack`, and `main.tf` a `terraform`: add it with the key `kind`
        ");
    }

    #[test]
    fn a_repository_that_is_a_service_is_one() {
        let (text, _) = found(&[("template.yaml", TEMPLATE), ("src/index.html", "")]);
        assert!(text.contains("main = \".\"\n"), "{text}");
    }
}
