//! A service of a definition in one of its environments.

mod listing;
mod template_path;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use aws_sdk_cloudformation::Client;
use delivery_definition::names::EnvironmentName;
use delivery_definition::{Definition, Reference, Service, Target, Text};
use delivery_release::part::ReleasedService;

use crate::deletion::{REMOVABLE, REMOVABLE_TAG};
use crate::deployment::{DeploymentError, Desired, Settings, Subject};
use crate::description::describe;
use crate::package::{self, Blobs, FileKind, Files};
use crate::template::Template;

pub use template_path::{folder_of, template_of};

/// What messages call the definition of a release.
const DEFINITION: &str = "delivery.toml";

/// The tag of a service's stack with the application's name.
pub const APPLICATION_TAG: &str = "delivery:application";

/// That with the environment's.
pub const ENVIRONMENT_TAG: &str = "delivery:environment";

/// That with the service's.
pub const SERVICE_TAG: &str = "delivery:service";

/// The output of a site's own stack that the definition calls `Url`.
const SITE_URL: &str = "SiteUrl";

/// A service that is deployed to an environment.
#[derive(Clone, Debug)]
pub struct DefinedService {
    definition: Definition,
    /// The folder that the definition is in, seen from the tree's root: its paths begin there.
    folder: String,
    application: String,
    environment: EnvironmentName,
    service: String,
    /// Outputs of services that their stacks do not have, because only the pipeline knows them.
    addresses: BTreeMap<Reference, String>,
}

/// What whoever deploys a service says besides the definition.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Parameters of the template; they override all others.
    pub parameters: BTreeMap<String, String>,
    /// The capabilities, in CloudFormation's words; the definition's where there are none.
    pub capabilities: Option<Vec<String>>,
    /// The resources that hold data and may be replaced or removed; the definition's where there are none.
    pub allow: Option<Vec<String>>,
    /// The role that CloudFormation works with.
    pub role: Option<String>,
    /// The permissions boundary of the roles that the template makes.
    pub boundary: Option<String>,
}

impl DefinedService {
    /// Finds the definition in one of the trees, and the service and the environment in it.
    ///
    /// # Errors
    ///
    /// One of them is not there, or the definition has mistakes.
    pub async fn read(
        trees: &[impl Files],
        file: &str,
        environment: &str,
        service: &str,
    ) -> Result<Self, DeploymentError> {
        let mut trees = trees.iter();
        let found = trees.find(|files| files.kind(file) == Some(FileKind::File));
        let files = found.ok_or_else(|| DeploymentError::NoDefinition {
            file: file.to_owned(),
        })?;
        let path = files
            .fetch(file)
            .await
            .map_err(package::PackageError::Files)?;
        let bytes = fs::read(&path).map_err(|source| DeploymentError::Disk { path, source })?;
        let definition = delivery_definition::parse_bytes(&bytes, file)?;
        let application = definition.application();
        let application = application.ok_or_else(|| DeploymentError::NoApplication {
            file: file.to_owned(),
        })?;
        let application = application.to_owned();
        Self::new(definition, file, &application, environment, service)
    }

    /// A service of a definition, which is in this file of the tree.
    ///
    /// # Errors
    ///
    /// The definition has no such service or environment.
    pub fn new(
        definition: Definition,
        file: &str,
        application: &str,
        environment: &str,
        service: &str,
    ) -> Result<Self, DeploymentError> {
        let environment = definition.environment(environment)?.name;
        if definition.services().get(service).is_none() {
            return Err(DeploymentError::no_service(&definition, file, service));
        }
        Ok(Self {
            application: application.to_owned(),
            folder: package::folder_of(file).to_owned(),
            environment,
            service: service.to_owned(),
            definition,
            addresses: BTreeMap::new(),
        })
    }

    /// A service as a release has it.
    ///
    /// # Errors
    ///
    /// The definition has no such service or environment.
    pub fn released(service: &ReleasedService) -> Result<Self, DeploymentError> {
        Self::new(
            service.definition.clone(),
            DEFINITION,
            &service.application,
            service.environment.as_str(),
            &service.name,
        )
    }

    /// The same where these outputs of services are known, and not asked of their stacks.
    #[must_use]
    pub fn with_addresses(self, addresses: BTreeMap<Reference, String>) -> Self {
        Self { addresses, ..self }
    }

    fn service(&self) -> &Service {
        let service = self.definition.services().get(&self.service);
        service.expect("the service was found when the definition was read")
    }

    fn target(&self) -> Target<'_> {
        let target = self.definition.environment(self.environment.as_str());
        target.expect("the environment was found when the definition was read")
    }

    /// Fails where the service is not deployed here.
    ///
    /// # Errors
    ///
    /// It is another environment's, or the environment is in another account or region.
    pub fn check(&self, account: &str, region: &str) -> Result<(), DeploymentError> {
        let (target, service) = (self.target(), self.service());
        if let Some(other) = target.settings.share.get(&service.name) {
            return Err(DeploymentError::Shared {
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
            Some(place) => Err(DeploymentError::Elsewhere {
                environment: self.environment.to_string(),
                place: place.to_owned(),
            }),
        }
    }

    /// Where it is deployed.
    ///
    /// # Errors
    ///
    /// The stack's name would be too long.
    pub fn subject(&self) -> Result<Subject, DeploymentError> {
        let (service, environment) = (&self.service, &self.environment);
        let stack = self.target().stack(&self.application, self.service())?;
        let protected = self.target().settings.is_protected();
        Ok(Subject {
            name: format!("`{service}` in `{environment}` (stack `{stack}`)"),
            stack,
            protected,
            removable: self.is_removable(),
            later: self.later(),
        })
    }

    /// The services that the same pipeline deploys here after this one.
    fn later(&self) -> Vec<String> {
        let pipelines = self.definition.pipelines();
        let own = pipelines
            .iter()
            .find(|one| one.services.iter().any(|other| other.name == self.service));
        let is_in_own = |service: &Service| {
            own.is_none_or(|own| own.services.iter().any(|other| other.name == service.name))
        };
        let target = self.target();
        let waves = self.definition.waves().into_iter();
        let waves = waves.skip_while(|wave| wave.iter().all(|one| one.name != self.service));
        let later = waves.skip(1).flatten();
        let later = later.filter(|one| is_in_own(one) && target.deploys(one));
        later.map(|one| one.name.clone()).collect()
    }

    /// What its stack is brought to.
    ///
    /// # Errors
    ///
    /// It has no template, the template cannot be packaged, or a parameter has no value.
    pub async fn desired(
        &self,
        files: &impl Files,
        blobs: &Blobs,
        client: &Client,
        overrides: &Overrides,
    ) -> Result<Desired, DeploymentError> {
        let path = self.template(files).await?;
        let template = package::read(files, &path).await?;
        let settings = self.settings(client, &template, overrides).await?;
        Desired::package(files, blobs, &path, &template, settings).await
    }

    /// What its stack is brought to by a template that was packaged before; `file` is what messages call it, and `url` where
    /// it is.
    ///
    /// A parameter of `overrides` that the template does not declare counts for nothing: whoever gives it has the definition of
    /// another commit.
    ///
    /// # Errors
    ///
    /// It is not a template, or a parameter has no value.
    pub async fn desired_of_packaged(
        &self,
        (file, text, url): (&str, &str, String),
        client: &Client,
        overrides: &Overrides,
    ) -> Result<Desired, DeploymentError> {
        let template = package::parse(file, text)?;
        let declared = template.parameters();
        let mut overrides = overrides.clone();
        let is_declared = |name: &str| declared.iter().any(|one| one.name == name);
        overrides.parameters.retain(|name, _| is_declared(name));
        let settings = self.settings(client, &template, &overrides).await?;
        Desired::of_packaged(file, text, url, settings)
    }

    async fn settings(
        &self,
        client: &Client,
        template: &Template,
        overrides: &Overrides,
    ) -> Result<Settings, DeploymentError> {
        let parameters = self.parameters(client, template, &overrides.parameters);
        let service = self.service();
        let capabilities = service.capabilities().iter().map(ToString::to_string);
        let given = (overrides.capabilities.clone(), overrides.allow.clone());
        Ok(Settings {
            parameters: parameters.await?,
            capabilities: given.0.unwrap_or_else(|| capabilities.collect()),
            allow: given.1.unwrap_or_else(|| self.allowed()),
            tags: self.tags(),
            role: overrides.role.clone(),
            boundary: overrides.boundary.clone(),
        })
    }

    /// The resources that hold data and may be replaced or removed here: the service's, and this environment's.
    fn allowed(&self) -> Vec<String> {
        let of_service = format!("{}.", self.service);
        let here = self.target().settings.allow.iter();
        let here = here.filter_map(|name| name.value.strip_prefix(&of_service));
        let always = self.service().allow.iter().map(String::as_str);
        always.chain(here).map(str::to_owned).collect()
    }

    /// Values with the outputs of other services in place of their references; `names` say in messages which they are.
    ///
    /// # Errors
    ///
    /// A service that one refers to is not deployed, or has no such output.
    pub async fn resolve<'a>(
        &self,
        client: &Client,
        values: impl Iterator<Item = (&'a str, &'a Text)> + Clone,
    ) -> Result<BTreeMap<String, String>, DeploymentError> {
        let references = values.clone().flat_map(|(_, text)| text.references());
        let asked = references.filter(|one| !self.addresses.contains_key(one));
        let services: BTreeSet<&str> = asked.map(|one| one.service.as_str()).collect();
        let outputs = self.outputs(client, services).await?;
        let mut resolved = BTreeMap::new();
        for (name, text) in values {
            let output = |reference: &Reference| {
                if let Some(address) = self.addresses.get(reference) {
                    return Some(address.as_str());
                }
                let outputs = outputs.get(&reference.service)?;
                outputs.get(&reference.output).map(String::as_str)
            };
            let value = text.resolve(self.environment.as_str(), output);
            let value = value.map_err(|reference| {
                let known = outputs.get(&reference.service);
                let known = known.into_iter().flat_map(BTreeMap::keys);
                DeploymentError::NoOutput {
                    parameter: name.to_owned(),
                    known: known.cloned().collect(),
                    output: reference.output,
                    service: reference.service,
                }
            })?;
            resolved.insert(name.to_owned(), value);
        }
        Ok(resolved)
    }

    /// The stack's tags. They say where it belongs and never which release it has: a tag that changes with each release
    /// would change each resource that takes tags.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        let own = [
            (APPLICATION_TAG, self.application.as_str()),
            (ENVIRONMENT_TAG, self.environment.as_str()),
            (SERVICE_TAG, self.service.as_str()),
        ];
        let removable = self.is_removable().then_some((REMOVABLE_TAG, REMOVABLE));
        let tags = own.into_iter().chain(removable);
        tags.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Whether the stack goes with its environment: that of a family's member that is not protected.
    fn is_removable(&self) -> bool {
        self.environment.family().is_some() && !self.target().settings.is_protected()
    }

    /// The path of the service's template in the tree.
    async fn template(&self, files: &impl Files) -> Result<String, DeploymentError> {
        template_of(self.service(), &self.folder, files).await
    }

    /// The template's parameters here; `own` are the caller's, which override all others.
    async fn parameters(
        &self,
        client: &Client,
        template: &Template,
        own: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, DeploymentError> {
        let declared = template.parameters();
        let has = |name: &str| declared.iter().any(|one| one.name == name);
        let mut parameters = self.target().parameters(self.service(), has);
        parameters.retain(|name, _| !own.contains_key(name));
        let texts = parameters.iter();
        let texts = texts.map(|(name, parameter)| (name.as_str(), &parameter.value));
        let mut values = self.resolve(client, texts).await?;
        values.extend(own.clone());
        Ok(values)
    }

    /// The outputs of services, from their stacks in this environment or in the one that shares its own.
    async fn outputs(
        &self,
        client: &Client,
        services: BTreeSet<&str>,
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, DeploymentError> {
        let target = self.target();
        let mut outputs = BTreeMap::new();
        for name in services {
            let Some(service) = self.definition.services().get(name) else {
                continue; // the definition was checked: each reference has its service
            };
            let place = match target.settings.share.get(name) {
                Some(other) => self.definition.environment(&other.value.value)?,
                None => self.target(),
            };
            let stack = place.stack(&self.application, service)?;
            let found = describe(client, &stack).await?;
            let found = found.ok_or_else(|| DeploymentError::NoOtherStack {
                service: name.to_owned(),
                environment: place.name.to_string(),
                stack,
            })?;
            let mut found = found.outputs;
            if let (Some(_), Some(url)) = (&service.site, found.get(SITE_URL).cloned()) {
                found.insert("Url".to_owned(), url);
            }
            outputs.insert(name.to_owned(), found);
        }
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_lets_go_of_its_own_services_resources() {
        let text = "application = \"shop\"\n[services]\n\
            api = { directory = \"api\", allow = [\"Old\"] }\napi2 = \"api2\"\n[environments]\n\
            int = { allow = [\"api.Table\", \"api2.Other\"] }\nprd = {}\n";
        let definition = delivery_definition::parse_bytes(text.as_bytes(), "delivery.toml");
        let definition = definition.unwrap();
        let allowed = |environment: &str| {
            let file = "delivery.toml";
            let service = DefinedService::new(definition.clone(), file, "shop", environment, "api");
            service.unwrap().allowed()
        };
        assert_eq!(allowed("int"), ["Old", "Table"]);
        assert_eq!(allowed("prd"), ["Old"]);
    }
}
