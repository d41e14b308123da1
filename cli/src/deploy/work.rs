//! The services that are deployed, and what deploys them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use delivery_action::clock::Deadline;
use delivery_action::execution::ExecutionCheck;
use delivery_definition::{Definition, Detected, Kind, Service};
use delivery_stack::deployment::{
    Deployed, Deployment, DeploymentProgress, Desired, Ended, Options, Subject,
};
use delivery_stack::package::{Blobs, Folder};
use delivery_stack::service::{DefinedService, Overrides};
use delivery_stack::template::nearest;

use super::error::DeployError;
use super::place::Place;
use crate::args::deploy::What;
use crate::cloud::Cloud;
use crate::error::CliError;
use crate::output::Reporter;
use crate::settings::{FILE_NAME, Settings};
use crate::templates::kinds;

/// How long a change may be worked out.
pub(super) const DEADLINE: Duration = Duration::from_mins(10);

/// How long the stack is followed before the line that says what goes on is written again.
const PART: Duration = Duration::from_secs(4);

/// The family whose members are deployed from a folder.
const OWN: &str = "dev";

/// A service's folder, from the root of the repository.
pub(super) fn directory(service: &Service) -> &str {
    let directory = service.directory.as_ref();
    directory.map_or(".", |directory| directory.value.as_str())
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
    /// Finds what is deployed; whatever is wrong with it is said before anything is changed.
    pub(super) fn find(
        settings: &'a Settings,
        environment: &str,
        what: &What,
    ) -> Result<Self, CliError> {
        let definition = settings.definition();
        let target = definition.environment(environment);
        let target = target.map_err(DeployError::Environment)?;
        let file = settings.file_path();
        let file = file.unwrap_or_else(|| settings.directory.join(FILE_NAME));
        let kinds = kinds(settings, &settings.directory, &file)?;
        let environment = target.name.as_str().to_owned();
        let mut chosen = Vec::new();
        for name in &what.services {
            let found = definition.services().get(name);
            let service = found.ok_or_else(|| {
                let known = || definition.services().names();
                DeployError::NoService {
                    service: name.clone(),
                    known: known().map(|one| format!("`{one}`")).collect(),
                    meant: nearest(name, known()).map(str::to_owned),
                }
            })?;
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
        if what.services.is_empty() {
            let here = definition.services().iter();
            chosen.extend(here.filter(|service| target.deploys(service)));
        }
        for service in &chosen {
            let kind = kinds[&service.name].kind;
            if !matches!(kind, Kind::Stack | Kind::Site) {
                return Err(DeployError::Kind {
                    service: service.name.clone(),
                    kind: kind.to_string(),
                }
                .into());
            }
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

    /// Those that are deployed, in waves.
    pub(super) fn waves(&self) -> Vec<Vec<&'a Service>> {
        let waves = self.definition.waves().into_iter();
        let is_chosen = |one: &&Service| self.chosen.iter().any(|other| other.name == one.name);
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
