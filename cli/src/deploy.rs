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
use crate::pipeline::environments;
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
        let timeout = arguments.timeout;
        build::build(
            &settings,
            services.all(),
            &arguments.what,
            &reporter,
            timeout,
        )
        .await?;
        work.check_sites()?;
        for wave in services.waves() {
            work.deploy(&wave).await?;
        }
        Ok(Exit::Success)
    };
    let ended = tokio::select! {
        ended = deploying => ended,
        () = interrupt.received() => {
            reporter.clear_progress();
            reporter.notice(format!(
                "interrupted; if CloudFormation has begun something, it goes on: `delivery deploy {}` follows it",
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
    let mut interrupt = Interrupt::listen().map_err(DeployError::Signals)?;
    let preparing = async {
        let work = Work::new(&settings, &services, &reporter, DEADLINE).await?;
        let (all, what) = (services.all(), &arguments.what);
        build::build(&settings, all, what, &reporter, DEADLINE).await?;
        work.check_sites()?;
        Ok::<_, CliError>(work)
    };
    let work = tokio::select! {
        work = preparing => work?,
        () = interrupt.received() => return Ok(Exit::Interrupted),
    };
    let mut planned = Vec::new();
    for service in services.waves().into_iter().flatten() {
        reporter.show_progress(&format!("computing the changes of {}", service.name));
        let mut planning = Box::pin(work.plan(service));
        let one = tokio::select! {
            one = &mut planning => one,
            () = interrupt.received() => {
                // To its end, so that its change set is removed.
                let _not_asked_for_any_more = planning.await;
                reporter.clear_progress();
                return Ok(Exit::Interrupted);
            }
        };
        planned.push(one?);
    }
    if arguments.what.services.is_empty() {
        planned.extend(work.left(&settings).await?);
    }
    reporter.clear_progress();
    let plan = DeploymentPlan {
        environment,
        services: planned,
    };
    output::print(global.json, &plan);
    Ok(if plan.is_refused() {
        Exit::Failed
    } else {
        Exit::Success
    })
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
        let subject = self.services.subject(&defined)?;
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
        let defined = self.services.defined(service)?;
        if !self.services.is_stack(service) {
            return self.plan_site(&defined, service).await;
        }
        let desired = defined
            .desired(&self.files, &self.blobs, &self.client, &self.overrides())
            .await;
        let subject = self.services.subject(&defined)?;
        let desired = match desired {
            Ok(desired) => desired,
            Err(error) => return self.not_planned(&service.name, error),
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

    /// Services that were renamed or removed in the file.
    async fn left(&self, settings: &Settings) -> Result<Vec<PlannedService>, CliError> {
        let environments = environments::find(&self.client, settings).await?;
        let here = environments.into_iter();
        let here = here.filter(|one| one.name == self.services.environment);
        let services = here.flat_map(|one| one.services);
        let left = services
            .filter(|one| one.is_left)
            .map(|one| PlannedService {
                stack: Some(one.stack.name),
                ..PlannedService::new(&one.name).with_note(environments::LEFT)
            });
        Ok(left.collect())
    }

    async fn plan_site(
        &self,
        defined: &DefinedService,
        service: &Service,
    ) -> Result<PlannedService, CliError> {
        let values = service.config.iter();
        let values = values.map(|one| (one.name.as_str(), &one.value.value));
        match defined.resolve(&self.client, values).await {
            Ok(_) => Ok(PlannedService::new(&service.name)
                .with_note("its files are compared when they are uploaded")),
            Err(error) => self.not_planned(&service.name, error),
        }
    }

    /// What cannot be worked out yet, because a service that is deployed before is not there.
    fn not_planned(
        &self,
        service: &str,
        error: DeploymentError,
    ) -> Result<PlannedService, CliError> {
        match error {
            DeploymentError::NoOtherStack {
                service: other,
                environment,
                ..
            } if environment == self.services.environment && self.services.has(&other) => {
                let note = format!(
                    "would be deployed after `{other}`, which is not there yet and whose outputs it needs"
                );
                Ok(PlannedService::new(service).with_note(&note))
            }
            error => Err(DeployError::Deployment(error).into()),
        }
    }
}
