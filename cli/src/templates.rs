//! The templates of an application's pipeline: rendered from its `delivery.toml` and from what its services are.

mod references;
pub(crate) mod repository;
mod services;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use delivery_definition::names::ONLY_SERVICE;
use delivery_definition::{
    Detected, Folder as _, Kind, Mistake, Mistakes, Service, UnknownKind, kind_of,
};
use delivery_render::{NodeProject, RenderedEnvironment, RenderedPipeline, Request, render};

use crate::application;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::init::why_not_deployed;
use crate::message::Finding;
use crate::settings::{FILE_NAME, Settings};
use delivery_stack::names::{self, WrongName};
use delivery_stack::template::{Declared, Template};

use repository::{BrokenFile, ServiceFolder};

/// The template that a user launches.
pub(crate) const ROOT: &str = "delivery.yaml";

/// The template of the action functions, which is the same for every application. It is a part of this program, which needs
/// no checkout.
const ACTIONS: (&str, &str) = (
    "actions.yaml",
    include_str!("../../cloudformation/actions.yaml"),
);

/// The templates of a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Templates {
    /// By file name.
    pub(crate) files: BTreeMap<String, String>,
    /// The pipelines in the order in which they deliver; there is at least one.
    pub(crate) pipelines: Vec<RenderedPipeline>,
    /// The environments in the order of their stages.
    pub(crate) environments: Vec<RenderedEnvironment>,
    /// The services whose dependencies npm-install installs.
    pub(crate) projects: Vec<NodeProject>,
    /// What is wrong with the files that the services name.
    pub(crate) findings: Vec<Finding>,
    /// Whether they are those that are committed in the checkout.
    pub(crate) is_default: bool,
    /// Whether the repository is one app, whose settings are parameters of the stack.
    pub(crate) is_one_app: bool,
}

/// Why there are no templates.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplatesError {
    /// What the file says cannot be a pipeline.
    #[error("what `{FILE_NAME}` says cannot be deployed:\n{0}")]
    Mistakes(Mistakes),
    /// The repository cannot be a pipeline without a file.
    #[error("without a `{FILE_NAME}` this cannot be deployed:{}", without_lines(.0))]
    WithoutFile(Mistakes),
    /// It is not known what the repository is deployed as.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    /// The same, since a file cannot be read.
    #[error("nothing can be deployed: {0}")]
    Broken(BrokenFile),
    /// The repository is of a tool whose projects are not deployed.
    #[error("nothing in `{}` can be deployed: {why}", .folder.display())]
    OfAnotherTool { folder: PathBuf, why: String },
}

/// Mistakes of which no file has a line.
fn without_lines(mistakes: &Mistakes) -> String {
    mistakes.iter().fold(String::new(), |text, one| {
        format!("{text}\n- {}\n  {}", one.what, one.next)
    })
}

impl TemplatesError {
    fn of(settings: &Settings, mistakes: Mistakes) -> Self {
        if settings.file_path().is_some() {
            Self::Mistakes(mistakes)
        } else {
            Self::WithoutFile(mistakes)
        }
    }
}

impl Explained for TemplatesError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn kind(&self) -> &'static str {
        "settings"
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Mistakes(_) | Self::OfAnotherTool { .. } => None,
            Self::Broken(_) => Some("correct the file".to_owned()),
            Self::Kind(_) | Self::WithoutFile(_) => Some(format!(
                "`delivery init` writes a `{FILE_NAME}`, which can say it"
            )),
        }
    }
}

impl Templates {
    /// Renders the templates of the application that the settings are of.
    pub(crate) fn of(settings: &Settings) -> Result<Self, CliError> {
        Self::of_folder(settings, &settings.directory)
    }

    /// The same, of the application in a folder.
    pub(crate) fn of_folder(settings: &Settings, folder: &Path) -> Result<Self, CliError> {
        let definition = settings.definition();
        let file = settings
            .file_path()
            .unwrap_or_else(|| folder.join(FILE_NAME));
        let kinds = kinds(settings, folder, &file)?;
        check_templates(settings, folder, None, &kinds)?;
        let application = application::stack_name_of(folder);
        let request = Request {
            definition,
            application: &application,
            kinds: &kinds,
            takes_environment: takes_environment(folder, &kinds),
            file: &file.display().to_string(),
        };
        let rendering =
            render(&request).map_err(|mistakes| TemplatesError::of(settings, mistakes))?;
        let mut files = rendering.templates;
        let (name, text) = ACTIONS;
        files.insert(name.to_owned(), text.to_owned());
        let is_app = kinds.values().any(|detected| detected.kind == Kind::App);
        let file = definition.file();
        let is_one_app = is_app && file.services.is_none();
        Ok(Self {
            is_default: is_one_app && file.environments.is_none() && file.pipelines.is_none(),
            files,
            pipelines: rendering.pipelines,
            environments: rendering.environments,
            projects: rendering.projects,
            findings: services::findings(definition, folder, &kinds),
            is_one_app,
        })
    }

    /// The template that a user launches.
    pub(crate) fn root(&self) -> &str {
        self.files.get(ROOT).map(String::as_str).unwrap_or_default()
    }

    /// The parameters of that template.
    pub(crate) fn parameters(&self) -> Vec<Declared> {
        Template::read(self.root()).map_or_else(|_| Vec::new(), |template| template.parameters())
    }

    /// Writes all into a folder and returns their paths.
    pub(crate) fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, CliError> {
        let failed = |path: &Path, source| CliError::File {
            verb: "write",
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        let write = |(name, text): (&String, &String)| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|source| failed(&path, source))?;
            Ok(path)
        };
        self.files.iter().map(write).collect()
    }
}

/// Fails where the file does not fit the services' templates: parameters, references to outputs, and the names that
/// resources would have in this environment, or else in the one with the longest name.
pub(crate) fn check_templates(
    settings: &Settings,
    folder: &Path,
    environment: Option<&str>,
    kinds: &BTreeMap<String, Detected>,
) -> Result<(), TemplatesError> {
    let definition = settings.definition();
    let mut wrong = references::mistakes(definition, folder, kinds);
    let application = application::stack_name_of(folder);
    let application = definition.application().unwrap_or(&application);
    for service in definition.services() {
        let environment = match environment {
            Some(environment) => Some(environment.to_owned()),
            None => definition.longest_environment(service),
        };
        let target = environment.and_then(|name| definition.environment(&name).ok());
        let target = target.filter(|target| target.deploys(service));
        if let (Some(target), Some(kind)) = (target, kinds.get(&service.name)) {
            let found = read(folder, service, kind)
                .map(|template| names::wrong_names(&template, &target, service, application));
            wrong.extend(
                found
                    .into_iter()
                    .flatten()
                    .map(|one| mistake(service, &one)),
            );
        }
        if let Some(family) = definition.removed_family(service)
            && let Some(kind) = kinds.get(&service.name)
        {
            let found =
                read(folder, service, kind).map(|template| names::left_behind(&template, family));
            wrong.extend(
                found
                    .into_iter()
                    .flatten()
                    .map(|one| mistake(service, &one)),
            );
        }
    }
    let file = settings.file_path();
    let file = file.unwrap_or_else(|| folder.join(FILE_NAME));
    Mistakes::new(&file.display().to_string(), wrong).map_or(Ok(()), |mistakes| {
        Err(TemplatesError::of(settings, mistakes))
    })
}

fn mistake(service: &Service, wrong: &WrongName) -> Mistake {
    Mistake::new(service.line, &wrong.what, &wrong.next)
}

/// A service's template; `None` where it has none, or none that can be read: a build may write it later.
fn read(folder: &Path, service: &Service, kind: &Detected) -> Option<Template> {
    let template = kind.template.as_ref()?;
    let path = folder.join(service.folder()).join(template);
    Template::read(&std::fs::read_to_string(path).ok()?).ok()
}

/// What each service is deployed as.
pub(crate) fn kinds(
    settings: &Settings,
    folder: &Path,
    file: &Path,
) -> Result<BTreeMap<String, Detected>, TemplatesError> {
    let definition = settings.definition();
    let mut kinds = BTreeMap::new();
    let mut mistakes = Vec::new();
    let is_one_service = definition.file().services.is_none();
    for service in definition.services() {
        let directory = service.folder();
        if !folder.join(directory).is_dir() {
            let what = format!(
                "the folder `{directory}` of the service `{}` does not exist",
                service.name
            );
            mistakes.push(Mistake::new(
                service.line,
                &what,
                "correct `directory`, or make the folder",
            ));
            continue;
        }
        let functions = settings.custom_functions().into_iter();
        let files =
            ServiceFolder::new(folder, directory).without(functions.map(|one| one.template));
        let found = if is_one_service {
            Ok(kind_of_all(service, folder, &files)?)
        } else {
            kind_in_file(service, &files)
        };
        match found {
            Ok(detected) => drop(kinds.insert(service.name.clone(), detected)),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    match Mistakes::new(&file.display().to_string(), mistakes) {
        None => Ok(kinds),
        Some(mistakes) => Err(TemplatesError::Mistakes(mistakes)),
    }
}

/// What a repository is deployed as whose file names no services, or that has none.
fn kind_of_all(
    service: &Service,
    folder: &Path,
    files: &ServiceFolder<'_>,
) -> Result<Detected, TemplatesError> {
    let found = kind_of(service, files);
    let broken = match &found {
        Err(UnknownKind::None { .. }) => files.broken_file(),
        // A template that cannot be read may be what is to be deployed.
        Ok(detected) if detected.kind == Kind::App => files.broken_template(),
        _ => None,
    };
    if let Some(file) = broken {
        return Err(TemplatesError::Broken(file));
    }
    match found {
        Ok(detected) => match why_not_deployed(detected.kind, &files.files()) {
            None => Ok(detected),
            Some(why) => Err(TemplatesError::OfAnotherTool {
                folder: folder.to_owned(),
                why,
            }),
        },
        // What an app lacks is said where the application is looked at.
        Err(UnknownKind::None { .. }) => Ok(Detected {
            kind: Kind::App,
            template: None,
        }),
        Err(error) => Err(error.into()),
    }
}

/// What a service of the file is deployed as.
fn kind_in_file(service: &Service, files: &ServiceFolder<'_>) -> Result<Detected, Mistake> {
    let error = match kind_of(service, files) {
        Ok(detected) => return Ok(detected),
        Err(error) => error,
    };
    let broken = match &error {
        UnknownKind::None { .. } => files.broken_file(),
        _ => None,
    };
    if let Some(file) = broken {
        let what = format!("the service `{}` cannot be deployed: {file}", service.name);
        return Err(Mistake::new(service.line, &what, "correct that file"));
    }
    let next = "a service's `kind`, `template` and `site` say what its files do not";
    Err(Mistake::new(service.line, &error.to_string(), next))
}

/// Whether the template of the only service declares the parameter `Environment`.
fn takes_environment(folder: &Path, kinds: &BTreeMap<String, Detected>) -> bool {
    let only = kinds.get(ONLY_SERVICE);
    let template = only.and_then(|only| only.template.as_ref());
    let text = template.and_then(|template| std::fs::read_to_string(folder.join(template)).ok());
    let template = text.and_then(|text| Template::read(&text).ok());
    let mut parameters = template.map(|one| one.parameters()).into_iter().flatten();
    parameters.any(|parameter| parameter.name == "Environment")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    fn templates(files: &[(&str, &str)]) -> Result<Templates, String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let cli = Cli::parse_from(["delivery", "validate"]);
        let settings = Settings::load_from(&cli.global, folder.path()).unwrap();
        let home = folder.path().display().to_string();
        Templates::of(&settings).map_err(|error| error.message().replace(&home, "HOME"))
    }

    const TEMPLATE: &str = "Resources:\n  Table: { Type: AWS::DynamoDB::Table }\n";

    #[test]
    fn a_repository_without_a_file_is_what_lies_in_it() {
        let app = [("package.json", r#"{"scripts": {"package": "true"}}"#)];
        assert!(templates(&app).unwrap().is_one_app);
        assert!(templates(&[]).unwrap().is_one_app);
        let stack = templates(&[("template.yaml", TEMPLATE)]).unwrap();
        assert!(!stack.is_one_app);
        assert!(stack.files["pipeline.yaml"].contains("!Ref DeployStack"));
        assert!(!stack.files["pipeline.yaml"].contains("Parameter.Environment"));
        let named = format!("Parameters:\n  Environment: {{ Type: String }}\n{TEMPLATE}");
        let named = templates(&[("template.yaml", &named)]).unwrap();
        assert!(named.files["pipeline.yaml"].contains("&Parameter.Environment=prod&"));
    }

    #[test]
    fn of_a_file_that_is_not_there_no_line_is_named() {
        let parameter = format!("Parameters:\n  Zone: {{ Type: String }}\n{TEMPLATE}");
        let files = |name, text| templates(&[(name, text)]).unwrap_err();
        let all = [
            files("template.yaml", &parameter),
            files("main.tf", ""),
            files("serverless.yml", ""),
            files("template.yaml", "Resources: 5\n"),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn a_service_whose_template_cannot_be_read_is_named_with_the_line_of_the_template() {
        let files = [
            (
                "delivery.toml",
                "application = \"shop\"\n[services]\napi = \"api\"\n",
            ),
            ("api/template.yaml", "Resources:\n  A: [unclosed\n"),
        ];
        let error = templates(&files).unwrap_err();
        let expected = "HOME/delivery.toml:3: the service `api` cannot be deployed: api/template.yaml:2: this is not YAML: unclosed \
                        bracket '['\n  correct that file";
        assert!(error.ends_with(expected), "{error}");
    }

    #[test]
    fn a_parameter_without_a_default_has_a_value_in_each_environment() {
        let text = "application = \"shop\"\n[services]\napi = \"api\"\n\
            [environments]\nint = { parameters = { TableName = \"x\" } }\nprd = {}\n";
        let api = format!(
            "Parameters:\n  Environment: {{ Type: String }}\n  TableName: {{ Type: String }}\n{TEMPLATE}"
        );
        let files = [("delivery.toml", text), ("api/template.yaml", &api)];
        let error = templates(&files).unwrap_err();
        assert!(
            error.contains("delivery.toml:3: `api/template.yaml` needs the parameter `TableName`: it has no default, and no value in `prd`"),
            "{error}"
        );
    }

    #[test]
    fn a_service_is_held_against_the_environments_that_deploy_it() {
        // With `dev-` and 16 more characters, and in `stg`, its bucket and its parameter would be mistakes.
        let text = "application = \"shop\"\n[services]\nfiles = \"files\"\nother = \"other\"\n\
            [environments]\ndev = { share = { files = \"int\" } }\nint = { parameters = { Zone = \"x\" } }\n\
            stg = { after = \"int\", share = { files = \"int\" } }\n";
        let bucket = format!("{}-${{Environment}}", "x".repeat(59));
        let files = format!(
            "Parameters:\n  Environment: {{ Type: String }}\n  Zone: {{ Type: String }}\nResources:\n  \
             Files: {{ Type: AWS::S3::Bucket, Properties: {{ BucketName: !Sub \"{bucket}\" }} }}\n"
        );
        let all = |text: &str| {
            templates(&[
                ("delivery.toml", text),
                ("files/template.yaml", &files),
                ("other/template.yaml", TEMPLATE),
            ])
        };
        all(text).unwrap();
        let deployed = text.replace("dev = { share = { files = \"int\" } }", "dev = {}");
        let error = all(&deployed).unwrap_err();
        assert!(
            error.contains("would have a name of 80 characters"),
            "{error}"
        );
    }

    #[test]
    fn parameters_and_outputs_are_those_of_the_templates() {
        let text = "application = \"shop\"\n[services]\ntable = \"table\"\n\
            made = { directory = \"made\", template = \"out/template.yaml\", parameters = { Any = \"x\" } }\n\
            web = { directory = \"web\", site = \".\", config = { a = \"${table.TableNme}\", b = \"${made.Any}\" } }\n\
            api = { directory = \"api\", parameters = { TableNam = \"${table.TableName}\", Zone = \"${table.Zone}\" } }\n\
            [environments.int]\nservices.api = { Memry = 512 }\n";
        let table = format!("{TEMPLATE}Outputs:\n  TableName: {{ Value: !Ref Table }}\n");
        let api = format!(
            "Parameters:\n  TableName: {{ Type: String }}\n  Memory: {{ Type: Number }}\n{TEMPLATE}"
        );
        let files = [
            ("delivery.toml", text),
            ("table/template.yaml", &table),
            ("api/template.yaml", &api),
            ("made/README.md", ""),
            ("web/index.html", ""),
        ];
        insta::assert_snapshot!(templates(&files).unwrap_err());
    }

    #[test]
    fn a_parameter_of_an_environment_is_declared_by_a_template() {
        let text = "application = \"shop\"\n[services]\napi = \"api\"\ntable = \"table\"\n\
            [environments.int]\nparameters = { LogLevl = \"warn\", Memory = 512 }\n";
        let api = format!("Parameters:\n  LogLevel: {{ Type: String, Default: info }}\n{TEMPLATE}");
        let table = format!("Parameters:\n  Memory: {{ Type: Number, Default: 1 }}\n{TEMPLATE}");
        let files = |api: &str| {
            templates(&[
                ("delivery.toml", text),
                ("api/template.yaml", api),
                ("table/template.yaml", &table),
            ])
        };
        assert_eq!(
            files(&api).unwrap_err(),
            "what `delivery.toml` says cannot be deployed:\nHOME/delivery.toml:6: no service's template declares the parameter `LogLevl`\n  did you mean `LogLevel`?"
        );
        // Whatever a transform of the whole section makes of it may declare it.
        files(&api.replace("LogLevel: {", "Fn::Transform: {")).unwrap();
    }

    #[test]
    fn an_output_that_was_removed_is_one_mistake() {
        let text = "application = \"shop\"\n[services]\ntable = \"table\"\n\
            web = { directory = \"web\", site = \".\", config = { a = \"${table.Name}\" } }\n\
            help = { directory = \"help\", site = \".\", config = { a = \"${table.Name}\" } }\n";
        let files = [
            ("delivery.toml", text),
            ("table/template.yaml", TEMPLATE),
            ("web/index.html", ""),
            ("help/index.html", ""),
        ];
        assert_eq!(
            templates(&files).unwrap_err(),
            "what `delivery.toml` says cannot be deployed:\nHOME/delivery.toml:4: `table/template.yaml` has no output `Name` \
             (also on line 5)\n  add it there, or correct the reference"
        );
    }

    #[test]
    fn the_template_of_a_function_makes_no_stack() {
        let file = ("delivery.toml", "[functions]\nnotify-chat = \".\"\n");
        let files = [file, ("template.yaml", TEMPLATE)];
        assert!(templates(&files).unwrap().is_one_app);
    }

    #[test]
    fn all_services_that_are_nothing_are_named_at_once() {
        let text =
            "application = \"shop\"\n[services]\none = \"one\"\ntwo = \"two\"\nthree = \"three\"\n";
        let files = [
            ("delivery.toml", text),
            ("one/template.yaml", TEMPLATE),
            ("two/README.md", ""),
        ];
        insta::assert_snapshot!(templates(&files).unwrap_err());
    }
}
