//! Functions of the user's own: package and template of each, below a prefix that both name.

use std::path::{Path, PathBuf};

use delivery_stack::template::Template;

use super::PublishError;
use super::content::{Files, Object, prefix};
use crate::action_functions::custom;
use crate::args::stack::Architecture;
use crate::error::CliError;
use crate::settings::CustomFunction;

/// What `delivery publish` sends of one function, and what launches it.
#[derive(Clone, Debug)]
pub(super) struct PublishedFunction {
    /// Its name.
    pub(super) name: String,
    package: Object,
    template: Object,
    template_path: PathBuf,
    /// The template's parameters, and whether each has a default.
    parameters: Vec<(String, bool)>,
}

impl PublishedFunction {
    pub(super) fn objects(&self) -> [&Object; 2] {
        [&self.package, &self.template]
    }

    /// The command that launches the function's stack: what the template declares and publishing knows is filled
    /// in, and what else has no default is left to fill in.
    pub(super) fn launch_command(&self, bucket: &str, architecture: Architecture) -> String {
        let known = [
            ("Architecture", architecture.name()),
            ("CodeBucket", bucket),
            ("CodeKey", &self.package.key),
            ("FunctionName", &self.name),
        ];
        let values = self.parameters.iter().filter_map(|(name, has_default)| {
            let found = known.iter().find(|(known, _)| known == name);
            match found {
                Some((_, value)) => Some(format!(" {name}={value}")),
                None if *has_default => None,
                None => Some(format!(" {name}=...")),
            }
        });
        format!(
            "aws cloudformation deploy --stack-name {} --template-file {} --capabilities CAPABILITY_IAM \
             --parameter-overrides{}",
            self.name,
            self.template_path.display(),
            values.collect::<String>()
        )
    }
}

/// Reads packages and templates; nothing is sent.
pub(super) fn prepare(functions: &[CustomFunction]) -> Result<Vec<PublishedFunction>, CliError> {
    custom::check(functions)?;
    functions.iter().map(read).collect()
}

fn read(function: &CustomFunction) -> Result<PublishedFunction, CliError> {
    let name = &function.name;
    let package = file(&custom::package(function)?)?;
    let template = file(&function.template)?;
    let text = String::from_utf8_lossy(&template).into_owned();
    let declared = Template::read(&text).map_err(|source| PublishError::Template {
        path: function.template.clone(),
        source,
    })?;
    let files: Files = vec![
        (format!("{name}.zip"), package),
        (format!("{name}.yaml"), template),
    ];
    let prefix = prefix("functions", &files);
    let package = files.into_iter().next().map(|(_, body)| body);
    Ok(PublishedFunction {
        package: Object::zip(format!("{prefix}/{name}.zip"), package.unwrap_or_default()),
        template: Object::template(format!("{prefix}/{name}.yaml"), &text),
        template_path: function.template.clone(),
        parameters: declared
            .parameters()
            .into_iter()
            .map(|parameter| (parameter.name, parameter.default.is_some()))
            .collect(),
        name: name.clone(),
    })
}

fn file(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::File {
        verb: "read",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_s_function_is_published_with_the_command_that_launches_it() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("notify-webhook.zip");
        std::fs::write(&package, "a package").unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/custom-action");
        let function = CustomFunction {
            name: "notify-webhook".to_owned(),
            path: package,
            template: example.join("template.yaml"),
            parameters: std::collections::BTreeMap::new(),
        };
        let [published] = &prepare(&[function]).unwrap()[..] else {
            panic!("not one function")
        };
        let [package, template] = published.objects();
        let prefix = package.key.strip_suffix("/notify-webhook.zip").unwrap();
        assert!(prefix.starts_with("functions/"), "{prefix}");
        assert_eq!(template.key, format!("{prefix}/notify-webhook.yaml"));
        let command = published.launch_command("code", Architecture::Arm64);
        let expected = format!(
            " --parameter-overrides CodeBucket=code CodeKey={} Architecture=arm64 FunctionName=notify-webhook \
             WebhookUrl=...",
            package.key
        );
        assert!(command.ends_with(&expected), "{command}");
    }
}
