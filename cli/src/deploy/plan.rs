//! `delivery plan`: what a deployment of the folder would change.

use std::pin::Pin;

use delivery_definition::names::Family;
use delivery_definition::{Definition, Service};
use delivery_stack::deployment::{Deployment, DeploymentError, DeploymentProgress, Planned};
use delivery_stack::service::DefinedService;

use super::answer::{DeploymentPlan, PlannedService};
use super::build;
use super::error::DeployError;
use super::work::{DEADLINE, Services, Work};
use crate::args::Global;
use crate::args::deploy::Plan;
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::message::Change;
use crate::output::{Reporter, answer};
use crate::pipeline::environments;
use crate::settings::Settings;

/// The command.
pub(crate) async fn plan(global: &Global, arguments: &Plan) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let reporter = Reporter::for_answer(global);
    let planned = plan_all(&settings, arguments, &reporter).await;
    reporter.clear_progress();
    let Some(plan) = planned? else {
        return Ok(Exit::Interrupted);
    };
    answer::print(global.json, &plan);
    Ok(if plan.is_refused() {
        Exit::Failed
    } else {
        Exit::Success
    })
}

/// What would change; `None` where it was interrupted.
async fn plan_all(
    settings: &Settings,
    arguments: &Plan,
    reporter: &Reporter,
) -> Result<Option<DeploymentPlan>, CliError> {
    let Plan {
        environment,
        options,
    } = arguments;
    let environment = match environment {
        Some(environment) => environment.clone(),
        None => first_environment(settings.definition())?,
    };
    let services = Services::find(settings, &environment, &options.services)?;
    let mut interrupt = Interrupt::listen().map_err(DeployError::Signals)?;
    let preparing = async {
        let work = Work::new(settings, &services, reporter, DEADLINE).await?;
        if !options.no_build {
            build::build(settings, services.all(), reporter, DEADLINE).await?;
        }
        work.check_sites()?;
        Ok::<_, CliError>(work)
    };
    let work = tokio::select! {
        work = preparing => work?,
        () = interrupt.received() => return Ok(None),
    };
    let mut planned = Vec::new();
    for service in services.waves().into_iter().flatten() {
        reporter.show_progress(&format!("computing the changes of {}", service.name));
        let planning = Box::pin(work.plan(service));
        let Some(one) = unless_interrupted(planning, &mut interrupt).await else {
            return Ok(None);
        };
        planned.push(one?);
    }
    if options.services.is_empty() {
        let left = Box::pin(work.left(settings));
        let Some(left) = unless_interrupted(left, &mut interrupt).await else {
            return Ok(None);
        };
        planned.extend(left?);
    }
    Ok(Some(DeploymentPlan {
        environment: services.environment.clone(),
        services: planned,
    }))
}

/// The first environment of the pipeline. Members of the family `qa` have no name before there is an execution.
fn first_environment(definition: &Definition) -> Result<String, DeployError> {
    let stages = definition.stages();
    let mut named = stages
        .iter()
        .filter(|one| one.name != Family::Execution.word());
    let first = named.next().ok_or(DeployError::NoStage)?;
    Ok(first.name.clone())
}

/// What is planned; `None` where it was interrupted. It goes to its end all the same, so that its change set is removed,
/// unless it is interrupted again.
async fn unless_interrupted<T>(
    mut planning: Pin<Box<impl Future<Output = T>>>,
    interrupt: &mut Interrupt,
) -> Option<T> {
    tokio::select! {
        planned = &mut planning => return Some(planned),
        () = interrupt.received() => {}
    }
    tokio::select! {
        _not_asked_for_any_more = planning => {}
        () = interrupt.received() => {}
    }
    None
}

impl Work<'_> {
    async fn plan(&self, service: &Service) -> Result<PlannedService, CliError> {
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
            ..PlannedService::new(&service.name)
        })
    }

    /// The services that are still deployed here although `delivery.toml` does not have them any more.
    async fn left(&self, settings: &Settings) -> Result<Vec<PlannedService>, CliError> {
        let environment = &self.services.environment;
        let left = environments::left(&self.client, settings, environment).await?;
        let left = left.into_iter().map(|one| PlannedService {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_without_a_name_is_the_first_stage() {
        let first = |environments: &str| {
            let text = format!(
                "application = \"a\"\n[services]\na = \"a\"\n[environments]\n{environments}"
            );
            let definition = delivery_definition::parse(&text, "delivery.toml").unwrap();
            first_environment(&definition).map_err(|error| error.to_string())
        };
        assert_eq!(
            first("prd = { after = \"int\" }\nint = {}\nqa = {}\n"),
            Ok("int".to_owned())
        );
        let none = "the pipeline has no environment whose deployment could be planned";
        assert_eq!(first("dev = {}\n"), Err(none.to_owned()));
    }
}
