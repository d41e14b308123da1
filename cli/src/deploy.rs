//! `delivery deploy`: the folder as it is, to an environment of a developer's own, before any commit. `delivery plan`
//! shows what a deployment would change.
//!
//! Both build, package and deploy here, by the library that the action deploy-stack works with, so that what
//! works in `dev-anna` works in the pipeline. Everything is looked at before the first change: which services there are,
//! what they are deployed as, and where to.

pub(crate) mod answer;
mod build;
mod error;
mod place;
mod plan;
mod site;
mod work;

use delivery_definition::Service;

use crate::args::Global;
use crate::args::deploy::Deploy;
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::message::StackMessage;
use crate::output::Reporter;
use crate::pipeline::environments;
use crate::settings::Settings;

use error::DeployError;
pub(crate) use plan::plan;
use work::{Services, Work};

/// The command.
pub(crate) async fn deploy(global: &Global, arguments: &Deploy) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let reporter = Reporter::new(global);
    let mut interrupt = Interrupt::listen().map_err(DeployError::Signals)?;
    let ended = tokio::select! {
        ended = deploy_all(&settings, arguments, &reporter) => ended,
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

async fn deploy_all(
    settings: &Settings,
    arguments: &Deploy,
    reporter: &Reporter,
) -> Result<Exit, CliError> {
    let Deploy {
        environment,
        options,
        timeout,
    } = arguments;
    let services = Services::find(settings, environment, &options.services)?;
    services.check_own()?;
    let work = Work::new(settings, &services, reporter, *timeout).await?;
    if !options.no_build {
        build::build(settings, services.all(), reporter, *timeout).await?;
    }
    work.check_sites()?;
    for wave in services.waves() {
        work.deploy(&wave).await?;
    }
    if options.services.is_empty() {
        work.report_left(settings).await;
    }
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

    /// Names the services that are still deployed here although `delivery.toml` does not have them any more. The
    /// deployment is complete: it does not fail where they cannot be looked for.
    async fn report_left(&self, settings: &Settings) {
        let environment = &self.services.environment;
        match environments::left(&self.client, settings, environment).await {
            Ok(left) => {
                for one in left {
                    let (name, stack) = (one.name, one.stack.name);
                    self.reporter
                        .notice(format!("{name} ({stack}): {}", environments::LEFT));
                }
            }
            Err(error) => self.reporter.notice(format!(
                "cannot look for services that are not in delivery.toml any more: {error}"
            )),
        }
    }
}
