//! `delivery deploy`: the folder as it is, to an environment of a developer's own, before any commit. And `delivery plan`:
//! what a deployment would change.
//!
//! Both build, package and deploy here, by the library that the action deploy-stack works with, so that what
//! works in `dev-anna` works in the pipeline. Everything is looked at before the first change: which services there are,
//! what they are deployed as, and where to.

mod answer;
mod build;
mod error;
mod place;
mod site;
mod work;

use delivery_definition::Service;
use delivery_stack::deployment::{Deployment, DeploymentProgress};
use delivery_stack::deployment::{DeploymentError, Planned};
use delivery_stack::service::DefinedService;

use crate::args::Global;
use crate::args::deploy::{Deploy, Plan};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::message::{Change, StackMessage};
use crate::output::Reporter;
use crate::output::answer as output;
use crate::settings::Settings;

pub(crate) use answer::DeploymentPlan;
use answer::PlannedService;
use error::DeployError;
use work::{DEADLINE, Services, Work};

/// The command `deploy`.
pub(crate) async fn deploy(global: &Global, arguments: &Deploy) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let reporter = Reporter::new(global);
    let mut interrupt = Interrupt::listen().map_err(DeployError::Signals)?;
    let deploying = async {
        let services = Services::find(&settings, &arguments.environment, &arguments.what)?;
        services.check_own()?;
        let work = Work::new(&settings, &services, &reporter, arguments.timeout).await?;
        if work.place.is_new {
            reporter.report(StackMessage::BucketMade {
                bucket: work.place.bucket.clone(),
            });
        }
        for wave in services.waves() {
            build::build(&settings, &wave, &arguments.what, &reporter).await?;
            work.deploy(&wave).await?;
        }
        Ok(Exit::Success)
    };
    let ended = tokio::select! {
        ended = deploying => ended,
        () = interrupt.received() => {
            reporter.clear_progress();
            reporter.notice(format!(
                "interrupted; what CloudFormation has begun goes on: `delivery deploy {}` follows it",
                arguments.environment
            ));
            Ok(Exit::Interrupted)
        }
    };
    reporter.clear_progress();
    ended
}

/// The command `plan`.
pub(crate) async fn plan(global: &Global, arguments: &Plan) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let reporter = Reporter::new(global);
    let first = || {
        let stages = settings.definition().stages();
        let first = stages.iter().find(|one| one.name != "qa");
        first.map_or_else(String::new, |one| one.name.clone())
    };
    let environment = arguments.environment.clone().unwrap_or_else(first);
    let services = Services::find(&settings, &environment, &arguments.what)?;
    let work = Work::new(&settings, &services, &reporter, DEADLINE).await?;
    let mut planned = Vec::new();
    for wave in services.waves() {
        build::build(&settings, &wave, &arguments.what, &reporter).await?;
        for service in wave {
            reporter.show_progress(&format!("computing the changes of {}", service.name));
            planned.push(work.plan(service).await?);
        }
    }
    reporter.clear_progress();
    output::print(
        global.json,
        &DeploymentPlan {
            environment,
            services: planned,
        },
    );
    Ok(Exit::Success)
}

impl Work<'_> {
    /// Deploys services that do not need each other: stacks at the same time, then sites.
    async fn deploy(&self, wave: &[&Service]) -> Result<(), CliError> {
        let stacks = wave.iter().filter(|one| self.services.is_stack(one));
        let deployed = futures_util::future::join_all(stacks.map(|one| self.stack(one))).await;
        let mut failures: Vec<CliError> = deployed.into_iter().filter_map(Result::err).collect();
        if failures.is_empty() {
            for service in wave.iter().filter(|one| !self.services.is_stack(one)) {
                self.site(service).await?;
            }
        }
        match failures.len() {
            0 => Ok(()),
            1 => Err(failures.remove(0)),
            _ => Err(DeployError::Several(failures).into()),
        }
    }

    async fn stack(&self, service: &Service) -> Result<(), CliError> {
        let defined = self.services.defined(service)?;
        let desired = defined
            .desired(&self.files, &self.blobs, &self.client, &self.overrides())
            .await;
        let desired = desired.map_err(DeployError::Deployment)?;
        let subject = defined.subject().map_err(DeployError::Deployment)?;
        let deployed = self.bring(&service.name, desired, subject).await?;
        self.reporter.report(StackMessage::Service {
            environment: self.services.environment.clone(),
            service: service.name.clone(),
            stack: deployed.stack,
            changed: deployed.changed,
            outputs: deployed.outputs,
        });
        Ok(())
    }

    async fn plan(&self, service: &Service) -> Result<PlannedService, CliError> {
        let nothing = PlannedService::new(&service.name);
        if !self.services.is_stack(service) {
            let note = "its files are compared when they are uploaded";
            return Ok(nothing.with_note(note));
        }
        let defined: DefinedService = self.services.defined(service)?;
        let desired = defined
            .desired(&self.files, &self.blobs, &self.client, &self.overrides())
            .await;
        let subject = defined.subject().map_err(DeployError::Deployment)?;
        let desired = match desired {
            Ok(desired) => desired,
            Err(DeploymentError::NoOtherStack { service, .. }) => {
                let note = format!(
                    "created after `{service}`, which is not deployed yet and whose outputs it needs"
                );
                return Ok(nothing.with_note(&note));
            }
            Err(error) => return Err(DeployError::Deployment(error).into()),
        };
        let stack = subject.stack.clone();
        let options = self.options();
        let progress = DeploymentProgress::new(&self.id);
        let deployment = Deployment::new(
            &self.client,
            desired,
            subject,
            &options,
            self.check(),
            self.deadline,
            progress,
        );
        let Planned {
            creates,
            changes,
            at_stake,
        } = deployment.plan().await.map_err(DeployError::Deployment)?;
        Ok(PlannedService {
            stack: Some(stack),
            creates,
            changes: changes.iter().map(Change::from).collect(),
            refused: at_stake,
            ..nothing
        })
    }
}
