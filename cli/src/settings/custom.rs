//! `[functions]` of `delivery.toml`: Lambda functions of the user's own that are actions of the pipeline.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use delivery_definition::FunctionSettings;

use super::file::texts;

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
    /// `None` without a path, which the reader of the file does not let through.
    pub(super) fn new(name: &str, settings: &FunctionSettings, directory: &Path) -> Option<Self> {
        let path = directory.join(settings.path.as_ref()?);
        let template = match &settings.template {
            Some(template) => directory.join(template),
            None if path.is_dir() => path.join(TEMPLATE),
            None => path.with_file_name(TEMPLATE),
        };
        Some(Self {
            name: name.to_owned(),
            template,
            parameters: texts(&settings.parameters),
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;

    #[test]
    fn a_function_is_a_path_or_a_table() {
        let text = "[functions]\nchat = \"bin/chat\"\n\n[functions.notify]\npath = \"notify\"\ntemplate = \"t.yaml\"\nparameters = { Retries = 3 }\n";
        let file = File::of(text);
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
}
