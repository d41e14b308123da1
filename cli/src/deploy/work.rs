//! The services that are deployed, and what deploys them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use delivery_action::clock::Deadline;
use delivery_action::execution::ExecutionCheck;
use delivery_definition::names::Family;
use delivery_definition::{Definition, Detected, Kind, Service};
use delivery_stack::deployment::{
    Deployed, Deployment, DeploymentError, DeploymentProgress, Desired, Ended, Options, Subject,
};
use delivery_stack::package::{Blobs, Folder};
use delivery_stack::service::{DefinedService, Overrides};

use super::error::DeployError;
use super::place::Place;
use crate::application;
use crate::cloud::Cloud;
use crate::error::CliError;
use crate::message::StackMessage;
use crate::output::Reporter;
use crate::settings::{FILE_NAME, Settings};
use crate::templates::{check_templates, kinds};

/// How long `delivery plan` may build, and how long CloudFormation may compute a change for it.
pub(super) const DEADLINE: Duration = Duration::from_mins(10);

/// How long the stack is followed before the line that says what goes on is written again.
const PART: Duration = Duration::from_secs(4);

/// The family whose members are deployed from a folder.
const OWN: &str = Family::Developer.word();

/// Fails for what is not deployed from a folder.
fn check_kind(service: &Service, kind: Kind, folder: &Path) -> Result<(), DeployError> {
    match kind {
        Kind::Stack | Kind::Site => Ok(()),
        Kind::App if !folder.join("package.json").is_file() => Err(DeployError::Nothing {
            folder: folder.display().to_string(),
        }),
        kind => Err(DeployError::Kind {
            service: service.name.clone(),
            kind: kind.to_string(),
        }),
    }
}

/// The services that are deployed, and the environment.
#[derive(Debug)]
pub(super) struct Services<'a> {
    definition: &'a Definition,
    kinds: BTreeMap<String, Detected>,
    chosen: Vec<&'a Service>,
    application: String,
    pub(super) environment: String,
    /// Whether it is an environment of a developer's own.
    is_own: bool,
}

impl<'a> Services<'a> {
    /// Finds what is deployed: the services of these names, all where there are none. Whatever is wrong with it is said before
    /// anything is changed.
    pub(super) fn find(
        settings: &'a Settings,
        environment: &str,
        only: &[String],
    ) -> Result<Self, CliError> {
        let definition = settings.definition();
        if definition.application().is_none() && !application::has_usable_name(&settings.directory)
        {
            let folder = settings.directory.display().to_string();
            return Err(DeployError::NoName { folder }.into());
        }
        let target = definition.environment(environment);
        let target = target.map_err(DeployError::Environment)?;
        let file = settings.file_path();
        let file = file.unwrap_or_else(|| settings.directory.join(FILE_NAME));
        let kinds = kinds(settings, &settings.directory, &file)?;
        let environment = target.name.as_str().to_owned();
        let mut chosen = Vec::new();
        for name in only {
            let found = definition.services().get(name);
            let service = found.ok_or_else(|| {
                DeployError::Deployment(DeploymentError::no_service(definition, FILE_NAME, name))
            })?;
            if chosen.iter().any(|one: &&Service| one.name == *name) {
                continue;
            }
            if let Some(other) = target.settings.share.get(name) {
                return Err(DeployError::Shared {
                    service: name.clone(),
                    environment,
                    other: other.value.value.clone(),
                }
                .into());
            }
            chosen.push(service);
        }
        if only.is_empty() {
            let here = definition.services().iter();
            chosen.extend(here.filter(|service| target.deploys(service)));
        }
        check_templates(settings, &settings.directory, Some(&environment), &kinds)?;
        for service in &chosen {
            let folder = settings.directory.join(service.folder());
            check_kind(service, kinds[&service.name].kind, &folder)?;
        }
        Ok(Self {
            definition,
            kinds,
            chosen,
            application: settings.application(),
            environment,
            is_own: target.name.family() == Some(OWN),
        })
    }

    /// Fails where the environment is not a developer's own.
    pub(super) fn check_own(&self) -> Result<(), DeployError> {
        if self.is_own {
            return Ok(());
        }
        Err(DeployError::NotOwn {
            environment: self.environment.clone(),
        })
    }

    /// Those that are deployed.
    pub(super) fn all(&self) -> &[&'a Service] {
        &self.chosen
    }

    /// Whether a service is among them.
    pub(super) fn has(&self, service: &str) -> bool {
        self.chosen.iter().any(|one| one.name == service)
    }

    /// Those that are deployed, in waves.
    pub(super) fn waves(&self) -> Vec<Vec<&'a Service>> {
        let waves = self.definition.waves().into_iter();
        let is_chosen = |one: &&Service| self.has(&one.name);
        waves
            .map(|wave| wave.into_iter().filter(is_chosen).collect())
            .collect()
    }

    /// Whether a service is a stack; else it is a site.
    pub(super) fn is_stack(&self, service: &Service) -> bool {
        self.kinds[&service.name].kind == Kind::Stack
    }

    /// A service with its environment.
    pub(super) fn defined(&self, service: &Service) -> Result<DefinedService, DeployError> {
        let defined = DefinedService::new(
            self.definition.clone(),
            FILE_NAME,
            &self.application,
            &self.environment,
            &service.name,
        );
        Ok(defined?)
    }

    /// Where a service is deployed. A stack that can only be deleted is left to its developer: something may be in it.
    pub(super) fn subject(&self, service: &DefinedService) -> Result<Subject, DeployError> {
        let mut subject = service.subject()?;
        subject.removable = false;
        subject.later.retain(|service| self.has(service));
        Ok(subject)
    }
}

/// What deploys.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) services: &'a Services<'a>,
    pub(super) reporter: &'a Reporter,
    pub(super) cloud: Cloud,
    pub(super) client: Client,
    pub(super) files: Folder,
    pub(super) blobs: Blobs,
    pub(super) place: Place,
    /// Tells this deployment from others.
    pub(super) id: String,
    pub(super) deadline: Deadline,
}

impl<'a> Work<'a> {
    pub(super) async fn new(
        settings: &Settings,
        services: &'a Services<'a>,
        reporter: &'a Reporter,
        timeout: Duration,
    ) -> Result<Self, CliError> {
        let cloud = Cloud::connect(settings).await?;
        let place = Place::find(settings, &cloud).await?;
        if place.is_new {
            reporter.report(StackMessage::BucketMade {
                bucket: place.bucket.clone(),
            });
        }
        for service in &services.chosen {
            let defined = services.defined(service)?;
            let here = defined.check(&place.account, cloud.region());
            here.map_err(DeployError::Deployment)?;
        }
        Ok(Self {
            services,
            reporter,
            client: cloud.cloudformation(),
            files: Folder::new(&settings.directory),
            blobs: Blobs::new(cloud.s3(), &place.bucket, cloud.region()),
            id: uuid::Uuid::new_v4().to_string(),
            deadline: Deadline::after(timeout),
            cloud,
            place,
        })
    }

    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            role: self.place.role.clone(),
            boundary: self.place.boundary.clone(),
            ..Overrides::default()
        }
    }

    pub(super) fn options(&self) -> Options {
        Options {
            role: self.place.role.clone(),
            wait: self.deadline.remaining(),
            // Nothing in an environment of one's own is worth keeping it stuck.
            continue_rollback: self.services.is_own,
            release: None,
            by: "delivery deploy",
        }
    }

    /// No pipeline execution stands behind a deployment of a folder.
    pub(super) fn check(&self) -> ExecutionCheck {
        ExecutionCheck::new(self.cloud.config(), None)
    }

    /// Fails where a site is not there, before anything is changed.
    pub(super) fn check_sites(&self) -> Result<(), DeployError> {
        let sites = self.services.all().iter();
        let mut sites = sites.filter(|one| !self.services.is_stack(one));
        sites.try_for_each(|service| self.site_folder(service).map(drop))
    }

    /// The folder of a built site.
    pub(super) fn site_folder(&self, service: &Service) -> Result<PathBuf, DeployError> {
        let site = service.site_folder();
        let folder = self.files.root().join(service.folder()).join(site);
        if folder.is_dir() {
            return Ok(folder);
        }
        Err(DeployError::NoSite {
            service: service.name.clone(),
            folder: format!("{}/{site}", service.folder()),
        })
    }

    /// Brings a stack to what it should be, and says meanwhile what goes on.
    pub(super) async fn bring(
        &self,
        service: &str,
        desired: Desired,
        subject: Subject,
    ) -> Result<Deployed, CliError> {
        let options = self.options();
        // Each service has a token of its own.
        let mut progress = DeploymentProgress::new(&format!("{}-{service}", self.id));
        loop {
            let deployment = Deployment::new(
                &self.client,
                desired.clone(),
                subject.clone(),
                &options,
                self.check(),
                Deadline::after(PART),
                progress,
            );
            match deployment.run().await.map_err(DeployError::Deployment)? {
                Ended::Deployed(deployed) => return Ok(deployed),
                Ended::Unfinished {
                    progress: next,
                    summary,
                } => {
                    self.reporter.show_progress(&summary);
                    progress = next;
                }
            }
        }
    }
}
