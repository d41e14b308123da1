//! What a command works with: a flag wins over its environment variable, that over `delivery.toml`, and
//! that over the default.

pub(crate) mod check;
mod custom;
mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::application;
use crate::args::Global;
use crate::args::stack::{Architecture, Publish};
use crate::error::CliError;
use crate::installation;
use crate::state_folder::StateFolder;

pub(crate) use custom::CustomFunction;
pub(crate) use file::File;

/// The name of the settings file in the application's folder.
pub(crate) const FILE_NAME: &str = "delivery.toml";

/// What an environment variable that sets a template's parameter begins with; the parameter's name
/// follows as it is written in the template.
pub(crate) const PARAMETER_PREFIX: &str = "DELIVERY_PARAMETER_";

/// Where `scripts/package` writes.
const DEFAULT_PACKAGES: &str = "target/packages";

/// The settings of one call.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The directory that relative paths begin at: of `delivery.toml`, or the current one.
    pub(crate) directory: PathBuf,
    /// The stack's name.
    pub(crate) stack_name: String,
    /// Whether it is not the stack of the application here.
    pub(crate) is_of_another_stack: bool,
    /// The region, where one was named; else the profile's counts.
    pub(crate) region: Option<String>,
    /// The profile, where one was named.
    pub(crate) profile: Option<String>,
    home: StateFolder,
    file_path: Option<PathBuf>,
    file: File,
}

impl Settings {
    /// Reads the settings that every command needs.
    pub(crate) fn load(global: &Global) -> Result<Self, CliError> {
        Self::load_from(global, Path::new("."))
    }

    /// The same, of the file that is the nearest one to this directory.
    pub(crate) fn load_from(global: &Global, directory: &Path) -> Result<Self, CliError> {
        let current = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let file_path = global.config.clone().or_else(|| find(&current));
        let (directory, file) = match &file_path {
            Some(path) => (parent(path), File::read(path)?),
            None => (current, File::default()),
        };
        let stack_name_here = file
            .stack_name()
            .cloned()
            .unwrap_or_else(|| application::stack_name_of(&directory));
        let stack_name = global.stack_name.as_ref().unwrap_or(&stack_name_here);
        Ok(Self {
            is_of_another_stack: *stack_name != stack_name_here,
            stack_name: stack_name.clone(),
            region: global
                .region
                .clone()
                .or_else(|| delivery_action::env::var("AWS_DEFAULT_REGION"))
                .or_else(|| file.region().cloned()),
            profile: profile(global.profile.as_ref(), &file, delivery_action::env::var),
            home: StateFolder::find(global.home.as_deref()),
            file_path,
            directory,
            file,
        })
    }

    /// What `delivery.toml` defines.
    pub(crate) fn definition(&self) -> &delivery_definition::Definition {
        self.file.definition()
    }

    /// The application's name: the file's, else that of the folder.
    pub(crate) fn application(&self) -> String {
        let named = self.definition().application().map(str::to_owned);
        named.unwrap_or_else(|| application::stack_name_of(&self.directory))
    }

    /// The settings file, where there is one.
    pub(crate) fn file_path(&self) -> Option<PathBuf> {
        self.file_path.clone()
    }

    /// The stack's name as `delivery.toml` has it.
    pub(crate) fn file_stack_name(&self) -> Option<&String> {
        self.file.stack_name()
    }

    /// The region that `delivery.toml` names.
    pub(crate) fn file_region(&self) -> Option<&String> {
        self.file.region()
    }

    /// The bucket that `delivery.toml` names.
    pub(crate) fn file_bucket(&self) -> Option<String> {
        self.file.bucket().cloned()
    }

    /// The bucket to publish to, where one was named.
    pub(crate) fn bucket(&self, arguments: &Publish) -> Option<String> {
        arguments
            .bucket
            .clone()
            .or_else(|| self.file.bucket().cloned())
    }

    /// The folder of the packages, with a folder for each architecture in it.
    ///
    /// `delivery.toml` has no say in it: the packages run with the roles of the deploy functions, so the
    /// person who launches the stack chooses them, not the repository that is delivered.
    pub(crate) fn packages(arguments: &Publish) -> PathBuf {
        if let Some(path) = &arguments.packages {
            return path.clone();
        }
        if let Some(packages) = installation::packages() {
            return packages;
        }
        crate::checkout::find().map_or_else(
            || installation::to_fill().join("packages"),
            |checkout| checkout.join(DEFAULT_PACKAGES),
        )
    }

    /// The architecture that the action functions run on.
    pub(crate) fn architecture(&self, arguments: &Publish) -> Architecture {
        arguments
            .architecture
            .or(self.file.architecture())
            .unwrap_or_default()
    }

    /// The functions of the user's own, in the order of their names.
    ///
    /// Unlike the packages, `delivery.toml` may name them: each runs with a role of its own, by a stack that a
    /// person launches (`docs/decisions/0206-functions-of-ones-own.md`).
    pub(crate) fn custom_functions(&self) -> Vec<CustomFunction> {
        self.file.custom_functions(&self.directory)
    }

    /// The template's parameters in `delivery.toml` that name actions of the user's own.
    pub(crate) fn custom_actions(&self) -> BTreeMap<String, String> {
        let mut parameters = self.file.parameters();
        parameters.retain(|name, _| check::action_of(name).is_some());
        parameters
    }

    /// Whether a local AWS runs for the current directory, which this command was not led to.
    pub(crate) fn has_local_aws_here(&self) -> bool {
        let Ok(here) = Path::new(".").canonicalize() else {
            return false;
        };
        let running = self.home.running();
        running.iter().any(|one| one.settings.application == here)
    }

    /// The files and folders that are used as they are, not as they were committed.
    pub(crate) fn in_effect(&self) -> Vec<PathBuf> {
        let functions = self.custom_functions().into_iter();
        let functions = functions.flat_map(|one| [one.path, one.template]);
        let all = self.file_path.iter().cloned().chain(functions);
        all.filter_map(|path| path.canonicalize().ok()).collect()
    }

    /// `delivery.toml`, where the pipelines are made from it as it is and deploy-stack reads it at the commit.
    pub(crate) fn in_effect_in_part(&self) -> Option<PathBuf> {
        self.file.definition().file().services.as_ref()?;
        self.file_path.as_ref()?.canonicalize().ok()
    }

    /// All of the template's parameters that `delivery.toml` sets.
    pub(crate) fn file_parameters(&self) -> BTreeMap<String, String> {
        self.file.parameters()
    }

    /// The template's parameters: those of the command line, then of the environment, then of the file.
    pub(crate) fn parameters(&self, arguments: &[(String, String)]) -> BTreeMap<String, String> {
        let mut parameters = self.file.parameters();
        parameters.extend(delivery_action::env::with_prefix(PARAMETER_PREFIX));
        parameters.extend(arguments.iter().cloned());
        parameters
    }
}

/// The profile to sign in with, where one is named: by the flag, else by the file unless the environment
/// names one itself (`AWS_PROFILE`, which the SDK reads) or describes another AWS altogether, as the
/// variables of `delivery local env` do: an endpoint and the keys that belong to it.
fn profile(
    flag: Option<&String>,
    file: &File,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let is_set = |name| variable(name).is_some();
    let by_environment =
        is_set("AWS_PROFILE") || (is_set("AWS_ENDPOINT_URL") && is_set("AWS_ACCESS_KEY_ID"));
    match flag {
        Some(name) => Some(name.clone()),
        None if by_environment => None,
        None => file.profile().cloned(),
    }
}

/// The nearest file of settings, in a directory or above it; a folder of that name too, since it is there by mistake, which
/// reading it says.
fn find(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .map(|ancestor| ancestor.join(FILE_NAME))
        .find(|path| path.is_file() || path.is_dir())
}

fn parent(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.parent().unwrap_or(&path).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn settings(text: &str, arguments: &[&str]) -> (Settings, Command) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, text).unwrap();
        let mut line = vec!["delivery", "--config", path.to_str().unwrap()];
        line.extend(arguments);
        let cli = Cli::parse_from(line);
        (Settings::load(&cli.global).unwrap(), cli.command)
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = "stack-name = \"file\"\nregion = \"eu-west-1\"\n";
        let (found, _) = settings(file, &["status", "--stack-name", "flag"]);
        assert_eq!(found.stack_name, "flag");
        assert_eq!(found.region.as_deref(), Some("eu-west-1"));
        assert!(found.is_of_another_stack);
        let (found, _) = settings(file, &["status", "--stack-name", "file"]);
        assert!(!found.is_of_another_stack);
        let (found, _) = settings(file, &["status"]);
        assert!(!found.is_of_another_stack);
        let (found, _) = settings("", &["status", "--stack-name", "flag"]);
        assert!(found.is_of_another_stack);
    }

    #[test]
    fn a_named_profile_wins_over_keys_and_the_file_s_yields_to_another_aws() {
        let file = File::of("profile = \"prod\"");
        let found = |flag: Option<&str>, variables: &[&str]| {
            let is_set = |name: &str| variables.contains(&name).then(|| "set".to_owned());
            profile(flag.map(str::to_owned).as_ref(), &file, is_set)
        };
        let prod = Some("prod".to_owned());
        assert_eq!(found(None, &[]), prod);
        assert_eq!(found(None, &["AWS_ACCESS_KEY_ID"]), prod);
        assert_eq!(found(None, &["AWS_ENDPOINT_URL"]), prod);
        assert_eq!(found(None, &["AWS_PROFILE"]), None);
        let local = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"];
        assert_eq!(found(None, &local), None);
        assert_eq!(found(Some("dev"), &local), Some("dev".to_owned()));
    }

    #[test]
    fn parameters_of_the_command_line_win_over_those_of_the_file() {
        let file =
            "[parameters]\nBranchName = \"file\"\nBuildMemory = 1024\nManualApproval = true\n";
        let (found, command) = settings(file, &["up", "-p", "BranchName=flag"]);
        let Command::Up(up) = command else {
            panic!("not `up`")
        };
        let expected = [
            ("BranchName", "flag"),
            ("BuildMemory", "1024"),
            ("ManualApproval", "true"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(found.parameters(&up.parameters), expected.into());
    }
}
