//! A service of a definition in one of its environments.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use aws_sdk_cloudformation::Client;
use delivery_definition::names::EnvironmentName;
use delivery_definition::{
    Definition, Folder, Kind, Parameter, Reference, Service, Target, kind_of,
};
use delivery_stack::description::describe;
use delivery_stack::package::{self, FileKind, Files};
use delivery_stack::template::{Template, nearest};

use crate::error::DeployStackError;
use crate::source::ArtifactFiles;

/// A service that is deployed to an environment.
#[derive(Debug)]
pub(crate) struct DefinedService {
    definition: Definition,
    /// The definition's path, and the folder that it is in: its paths begin there.
    file: String,
    application: String,
    environment: EnvironmentName,
    service: String,
}

impl DefinedService {
    /// Finds the definition in one of the artifacts, and the service and the environment in it.
    pub(crate) async fn read(
        artifacts: &[ArtifactFiles<'_>],
        file: &str,
        environment: &str,
        service: &str,
    ) -> Result<Self, DeployStackError> {
        let mut artifacts = artifacts.iter();
        let found = artifacts.find(|files| files.kind(file) == Some(FileKind::File));
        let files = found.ok_or_else(|| DeployStackError::NoDefinition {
            file: file.to_owned(),
        })?;
        let path = files
            .fetch(file)
            .await
            .map_err(package::PackageError::Files)?;
        let bytes = fs::read(&path).map_err(|source| DeployStackError::Disk { path, source })?;
        let definition = delivery_definition::parse_bytes(&bytes, file)?;
        let application = definition.application();
        let application = application.ok_or_else(|| DeployStackError::NoApplication {
            file: file.to_owned(),
        })?;
        let environment = definition.environment(environment)?.name;
        if definition.services().get(service).is_none() {
            let known = || definition.services().names();
            return Err(DeployStackError::NoService {
                service: service.to_owned(),
                file: file.to_owned(),
                meant: nearest(service, known()).map(str::to_owned),
                known: known().map(str::to_owned).collect(),
            });
        }
        Ok(Self {
            application: application.to_owned(),
            file: file.to_owned(),
            environment,
            service: service.to_owned(),
            definition,
        })
    }

    fn service(&self) -> &Service {
        let service = self.definition.services().get(&self.service);
        service.expect("the service was found when the definition was read")
    }

    fn target(&self) -> Target<'_> {
        let target = self.definition.environment(self.environment.as_str());
        target.expect("the environment was found when the definition was read")
    }

    /// Fails where the service is not deployed here: it is another environment's, or the environment is elsewhere.
    pub(crate) fn check(&self, account: &str, region: &str) -> Result<(), DeployStackError> {
        let (target, service) = (self.target(), self.service());
        if let Some(other) = target.settings.share.get(&service.name) {
            return Err(DeployStackError::Shared {
                service: service.name.clone(),
                environment: self.environment.to_string(),
                other: other.value.value.clone(),
            });
        }
        let settings = &target.settings;
        let wanted_account = settings.account.as_ref().map(|one| one.0.as_str());
        let wanted_region = settings.region.as_ref().map(|one| one.0.as_str());
        let elsewhere = [(wanted_account, account), (wanted_region, region)]
            .into_iter()
            .find_map(|(wanted, here)| wanted.filter(|wanted| *wanted != here));
        match elsewhere {
            None => Ok(()),
            Some(place) => Err(DeployStackError::Elsewhere {
                environment: self.environment.to_string(),
                place: place.to_owned(),
            }),
        }
    }

    /// The stack's name.
    pub(crate) fn stack(&self) -> Result<String, DeployStackError> {
        Ok(self.target().stack(&self.application, self.service())?)
    }

    /// As messages name it.
    pub(crate) fn subject(&self) -> Result<String, DeployStackError> {
        let Self {
            service,
            environment,
            ..
        } = self;
        let stack = self.stack()?;
        Ok(format!("`{service}` in `{environment}` (stack `{stack}`)"))
    }

    /// Whether the stack must not be deleted.
    pub(crate) fn is_protected(&self) -> bool {
        self.target().settings.is_protected()
    }

    /// Whether the environment is made and removed as needed, so that nothing in it is worth keeping.
    pub(crate) fn is_removable(&self) -> bool {
        self.environment.family().is_some() && !self.is_protected()
    }

    pub(crate) fn capabilities(&self) -> Vec<String> {
        let capabilities = self.service().capabilities().iter();
        capabilities.map(ToString::to_string).collect()
    }

    pub(crate) fn allow(&self) -> Vec<String> {
        self.service().allow.clone()
    }

    /// The stack's tags. They say where it belongs and never which release it has: a tag that changes with each release
    /// would change each resource that takes tags.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        [
            ("delivery:application", self.application.as_str()),
            ("delivery:environment", self.environment.as_str()),
            ("delivery:service", self.service.as_str()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    /// The path of the service's template in the artifact.
    pub(crate) async fn template(
        &self,
        files: &ArtifactFiles<'_>,
    ) -> Result<String, DeployStackError> {
        let service = self.service();
        let directory = service.directory.as_ref();
        let directory = directory.map_or(".", |directory| directory.value.as_str());
        let around = self.file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let parts = [around, directory];
        let parts: Vec<&str> = parts
            .into_iter()
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        let folder = parts.join("/");
        let listing = Listing::of(files, &folder).await?;
        let detected = kind_of(service, &listing)?;
        match detected.template.filter(|_| detected.kind == Kind::Stack) {
            Some(template) if folder.is_empty() => Ok(template),
            Some(template) => Ok(format!("{folder}/{template}")),
            None => Err(DeployStackError::NotAStack {
                service: service.name.clone(),
                kind: detected.kind.to_string(),
            }),
        }
    }

    /// The template's parameters here; `own` are the caller's, which override all others.
    pub(crate) async fn parameters(
        &self,
        client: &Client,
        template: &Template,
        own: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, DeployStackError> {
        let declared = template.parameters();
        let has = |name: &str| declared.iter().any(|one| one.name == name);
        let mut parameters = self.target().parameters(self.service(), has);
        parameters.retain(|name, _| !own.contains_key(name));
        let outputs = self.outputs(client, &parameters).await?;
        let mut values = own.clone();
        for (name, parameter) in parameters {
            let output = |reference: &Reference| {
                let outputs = outputs.get(&reference.service)?;
                outputs.get(&reference.output).map(String::as_str)
            };
            let resolved = parameter.value.resolve(self.environment.as_str(), output);
            let value = resolved.map_err(|reference| {
                let known = outputs.get(&reference.service);
                DeployStackError::NoOutput {
                    parameter: name.clone(),
                    output: reference.output,
                    service: reference.service,
                    known: known
                        .into_iter()
                        .flat_map(BTreeMap::keys)
                        .cloned()
                        .collect(),
                }
            })?;
            values.insert(name, value);
        }
        Ok(values)
    }

    /// The outputs of the services that parameters refer to, from their stacks in this environment or in the one that
    /// shares its own.
    async fn outputs(
        &self,
        client: &Client,
        parameters: &BTreeMap<String, Parameter>,
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, DeployStackError> {
        let references = parameters.values().flat_map(|one| one.value.references());
        let services: BTreeSet<&str> = references.map(|one| one.service.as_str()).collect();
        let target = self.target();
        let mut outputs = BTreeMap::new();
        for name in services {
            let Some(service) = self.definition.services().get(name) else {
                continue; // the definition was checked: each reference has its service
            };
            let stack = match target.settings.share.get(name) {
                Some(other) => {
                    let other = self.definition.environment(&other.value.value)?;
                    other.stack(&self.application, service)?
                }
                None => target.stack(&self.application, service)?,
            };
            let found = describe(client, &stack).await?;
            let found = found.ok_or_else(|| DeployStackError::NoOtherStack {
                service: name.to_owned(),
                stack,
            })?;
            outputs.insert(name.to_owned(), found.outputs);
        }
        Ok(outputs)
    }
}

/// What lies in a service's folder.
#[derive(Debug)]
struct Listing {
    files: Vec<String>,
    templates: BTreeSet<String>,
}

impl Listing {
    /// Reads the files that can be the template.
    async fn of(files: &ArtifactFiles<'_>, folder: &str) -> Result<Self, DeployStackError> {
        let names = files.files_in(folder);
        let mut templates = BTreeSet::new();
        for name in ["template.yaml", "template.yml", "template.json"] {
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
                Err(package::PackageError::NotATemplate { .. }) => {}
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
