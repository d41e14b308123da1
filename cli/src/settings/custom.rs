//! `[functions]` of `delivery.toml`: Lambda functions of the user's own that are actions of the pipeline.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, de};

use super::file::{Value, texts};

/// The template of a function, where none is named: beside its program, or in its project.
const TEMPLATE: &str = "template.yaml";

/// A function of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CustomFunction {
    /// Its name.
    pub(crate) name: String,
    /// The folder of a cargo project, a program, or a package (`*.zip`).
    pub(crate) path: PathBuf,
    /// The template that makes it.
    pub(crate) template: PathBuf,
    /// Parameters of the template.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl CustomFunction {
    pub(super) fn new(name: &str, entry: &Entry, directory: &Path) -> Self {
        let path = directory.join(&entry.path);
        let template = match &entry.template {
            Some(template) => directory.join(template),
            None if path.is_dir() => path.join(TEMPLATE),
            None => path.with_file_name(TEMPLATE),
        };
        Self {
            name: name.to_owned(),
            template,
            parameters: texts(&entry.parameters),
            path,
        }
    }
}

/// `NAME = "PATH"`, or a table with `path`, `template` and `parameters`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    path: PathBuf,
    template: Option<PathBuf>,
    parameters: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    path: PathBuf,
    template: Option<PathBuf>,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;

        // Not `#[serde(untagged)]`: its errors do not say which key is wrong.
        impl<'de> Visitor<'de> for PathOrTable {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a table with `path`, `template` and `parameters`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Entry, E> {
                Ok(Entry {
                    path: path.into(),
                    ..Entry::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Entry {
                    path: table.path,
                    template: table.template,
                    parameters: table.parameters,
                })
            }
        }

        deserializer.deserialize_any(PathOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;

    #[test]
    fn a_function_is_a_path_or_a_table() {
        let text = "[functions]\nchat = \"bin/chat\"\n\n[functions.notify]\npath = \"notify\"\ntemplate = \"t.yaml\"\nparameters = { Retries = 3 }\n";
        let file: File = toml::from_str(text).unwrap();
        let found = file.custom_functions(Path::new("/app"));
        let function = |name: &str, path: &str, template: &str| CustomFunction {
            name: name.to_owned(),
            path: path.into(),
            template: template.into(),
            parameters: BTreeMap::new(),
        };
        let chat = function("chat", "/app/bin/chat", "/app/bin/template.yaml");
        let mut notify = function("notify", "/app/notify", "/app/t.yaml");
        notify.parameters = [("Retries".to_owned(), "3".to_owned())].into();
        assert_eq!(found, [chat, notify]);
    }

    #[test]
    fn a_mistyped_key_is_named() {
        let text = "[functions.notify]\npath = \"notify\"\ntemplates = \"t.yaml\"\n";
        let error = toml::from_str::<File>(text).unwrap_err().to_string();
        assert!(error.contains("unknown field `templates`"), "{error}");
    }
}
