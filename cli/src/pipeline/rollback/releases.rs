//! The rollback of an environment that has releases: the pipeline that applies releases brings the earlier one back.
//!
//! The order is that of every rollback: the entrance of the stage is closed, the functions get their old versions in one call
//! each, then everything else goes back.

use delivery_definition::names::EnvironmentName;
use delivery_release::ReleaseError;
use delivery_release::environment::{Action, Environment, Record, State};
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::Repository;

use super::choice::{RollbackError, is_version};
use super::functions::functions_back;
use super::reason::RESUME;
use super::rolled_back::{FunctionBack, RolledBack};
use super::{RollbackPlan, hold, say_functions};
use crate::args::Global;
use crate::args::rollout::Rollback;
use crate::error::CliError;
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::output::answer;
use crate::output::text::short;
use crate::output::write_stderr;
use crate::pipeline::delivered::history::{self, Delivery};
use crate::pipeline::delivered::place::{self, Place};
use crate::pipeline::rollout::{Look, caller};
use crate::pipeline::state::Revision;
use crate::pipeline::target::Target;
use crate::release::apply::{self, Application, ApplyKind};
use crate::release::{Release, agree, find_repository};

/// How many of the newest deployments are looked through for what is named: as many as the newest releases that are always
/// kept.
const MOST_DEPLOYMENTS: usize = delivery_release::prune::NEWEST;

/// An environment with a release.
pub(super) struct Found {
    repository: Repository,
    environment: Environment,
    state: State,
}

/// Finds the environment in the repository of releases; `None` where it has no release there.
pub(super) async fn find(target: &Target, given: &str) -> Result<Option<Found>, CliError> {
    let Some(repository) = find_repository(&target.cloud, &target.stack) else {
        return Ok(None);
    };
    let Ok(name) = EnvironmentName::parse(given) else {
        return Ok(None);
    };
    let environment = Environment::new(&repository, name);
    if apply::pipeline(target, environment.name()).is_err() && environment.name().family().is_none()
    {
        return Ok(None); // The stage can run again, at least.
    }
    let state = environment.state().await?;
    Ok(state.current.is_some().then_some(Found {
        repository,
        environment,
        state,
    }))
}

/// What is rolled back, and to what.
struct Work<'a> {
    pipeline: Pipeline,
    /// The stage with the functions: of the pipeline that delivers there, else of the one that applies releases. Members of
    /// families may have none.
    stage: Option<Place>,
    /// Whether a pipeline delivers to the stage by itself, and has to be held.
    is_delivered: bool,
    looks: Vec<Look>,
    plan: RollbackPlan,
    to: Release,
    target: &'a Target,
    found: Found,
}

pub(super) async fn rollback(
    global: &Global,
    arguments: &Rollback,
    target: &Target,
    found: Found,
) -> Result<Exit, CliError> {
    let work = prepare(arguments, target, found).await?;
    let name = work.found.environment.name().to_string();
    if !arguments.yes && !global.json {
        work.say();
    }
    let question = if work.is_delivered {
        format!("Roll {name} back, and hold its pipeline?")
    } else {
        format!("Roll {name} back?")
    };
    agree(arguments.yes, global.json, &question, "nothing was changed")?;
    let by = caller(&target.cloud).await?;
    let mut functions = Vec::new();
    let choice = work.choice();
    if let Some(stage) = &work.stage {
        if work.is_delivered {
            hold(stage, arguments, &choice, &by).await?;
        }
        functions = functions_back(stage, &work.looks, &work.plan, arguments, &choice, &by).await?;
    }
    let application = Application {
        release: &work.to,
        environment: work.found.environment.name(),
        kind: ApplyKind::Rollback,
        from: None,
        by: &by,
        reason: arguments.message.as_deref(),
        unverified: false,
    };
    let execution = apply::start(&work.pipeline, application).await;
    let execution = execution.inspect_err(|_| {
        if work.is_delivered {
            write_stderr(&format!(
                "{name}: its functions are back, and its stage is held until `{RESUME}{name}{choice}`; the rest is not back yet"
            ));
        }
    })?;
    let rolled_back = work.rolled_back(functions, execution);
    answer::print(global.json, &rolled_back);
    rolled_back
        .end(global, arguments, target, work.pipeline)
        .await
}

async fn prepare<'a>(
    arguments: &Rollback,
    target: &'a Target,
    found: Found,
) -> Result<Work<'a>, CliError> {
    let name = found.environment.name().clone();
    let pipeline = apply::pipeline(target, &name)?;
    let delivered = if name.family().is_none() {
        let choice = arguments.choice.pipeline.as_deref();
        place::at_most_one(target, choice, name.as_str()).await?
    } else {
        None
    };
    let is_delivered = delivered.is_some();
    let stage = match delivered {
        Some(stage) => Some(stage),
        None => place::at_most_one(target, Some(pipeline.name()), name.as_str()).await?,
    };
    let lambda = target.cloud.lambda();
    let mut looks = Vec::new();
    for app in stage.iter().flat_map(|stage| &stage.apps) {
        looks.push(Look::at(&lambda, app).await?);
    }
    let places = Places {
        stage: stage.as_ref(),
        applying: &pipeline,
    };
    let to = match &arguments.to {
        Some(given) => found.named(given, &places).await?,
        None => found.before().await?,
    };
    let is_under_way = looks.iter().any(|look| look.under_way().is_some());
    let plan = if is_under_way && arguments.to.is_none() {
        RollbackPlan::Abort
    } else {
        found.functions(&to, &places).await?
    };
    Ok(Work {
        to: Release::read(&found.repository, &to).await?,
        pipeline,
        stage,
        is_delivered,
        looks,
        plan,
        target,
        found,
    })
}

/// Where executions that deployed to the environment are looked for.
struct Places<'a> {
    stage: Option<&'a Place>,
    applying: &'a Pipeline,
}

impl Places<'_> {
    /// What the executions of both pipelines brought: the stage has the same actions in both.
    async fn deliveries(&self) -> Result<Vec<Delivery>, CliError> {
        let Some(stage) = self.stage.filter(|stage| !stage.apps.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut all = history::deliveries(stage).await?;
        if stage.pipeline.name() != self.applying.name() {
            let applied = Place {
                pipeline: self.applying.clone(),
                ..stage.clone()
            };
            all.extend(history::deliveries(&applied).await?);
        }
        Ok(all)
    }
}

impl Found {
    /// What a rollback without a name goes to. One deployment that is under way is taken back: it has not brought its release
    /// yet.
    async fn before(&self) -> Result<ReleaseId, CliError> {
        let lease = self.state.lease.as_ref();
        match (lease, &self.state.current) {
            (Some(lease), _)
                if matches!(
                    lease.deployment.action,
                    Action::Rollback { .. } | Action::Remove
                ) =>
            {
                Err(ReleaseError::Busy {
                    environment: self.environment.name().to_string(),
                    lease: Box::new(lease.clone()),
                }
                .into())
            }
            (Some(_), Some(current)) => Ok(current.release.clone()),
            _ => Ok(self.environment.rollback_target(None).await?.release),
        }
    }

    /// What is named: a release, a commit, or the version of a function. It has to have been there.
    async fn named(&self, given: &str, places: &Places<'_>) -> Result<ReleaseId, CliError> {
        let history = self.environment.history(MOST_DEPLOYMENTS).await?.ended;
        let succeeded = history
            .iter()
            .filter(|record| record.outcome.is_success() && record.deployment.to.is_some());
        let succeeded: Vec<_> = succeeded.collect();
        let found = if is_version(given) {
            of_version(given, &succeeded, &places.deliveries().await?)
        } else {
            self.of_id(given, &succeeded).await?
        };
        let Some(release) = found else {
            return Err(RollbackError::NeverDelivered {
                environment: self.environment.name().to_string(),
                given: short(given).to_owned(),
                known: self.choices(&succeeded).await,
                is_version: false,
            }
            .into());
        };
        let target = self.environment.rollback_target(Some(&release)).await?;
        Ok(target.release)
    }

    /// The releases that a rollback takes, the newest deployment first.
    async fn choices(&self, succeeded: &[&Record]) -> Vec<String> {
        let mut looked_at: Vec<&ReleaseId> = Vec::new();
        let mut choices = Vec::new();
        for release in succeeded.iter().filter_map(|record| brought(record)) {
            if choices.len() == super::choice::MOST_NAMED {
                break;
            }
            if looked_at.contains(&release) {
                continue;
            }
            looked_at.push(release);
            let current = self.state.current.as_ref();
            let is_there = self.is_whole() && current.is_some_and(|one| one.release == *release);
            let target = self.environment.rollback_target(Some(release)).await;
            if target.is_ok() && !is_there {
                choices.push(release.to_string());
            }
        }
        choices
    }

    /// Whether the environment has what it is said to have: after a deployment that failed it may not.
    fn is_whole(&self) -> bool {
        let last = self.state.last.as_ref();
        last.is_none_or(|last| last.outcome.is_success())
    }

    /// The newest deployment of a release whose id, or whose commit, begins so.
    async fn of_id(
        &self,
        given: &str,
        succeeded: &[&Record],
    ) -> Result<Option<ReleaseId>, CliError> {
        let given = given.to_ascii_lowercase();
        let mut commits = Vec::new();
        for release in succeeded.iter().filter_map(|record| brought(record)) {
            if release.as_str().starts_with(&given) {
                return Ok(Some(release.clone()));
            }
            if commits.iter().any(|(known, _)| known == release) {
                continue;
            }
            let manifest = self.repository.manifest(release).await?;
            commits.push((release.clone(), manifest.source.revision));
        }
        commits.retain(|(_, commit)| commit.starts_with(&given));
        let mut different: Vec<_> = commits.iter().map(|(_, commit)| commit.clone()).collect();
        different.dedup();
        if different.len() > 1 {
            return Err(RollbackError::Ambiguous {
                given,
                commits: different,
            }
            .into());
        }
        Ok(commits.into_iter().next().map(|(release, _)| release))
    }

    /// What becomes of the functions: the versions that the release brought when it came last. Where that is not known any
    /// more, the pipeline finds out.
    async fn functions(
        &self,
        to: &ReleaseId,
        places: &Places<'_>,
    ) -> Result<RollbackPlan, CliError> {
        let history = self.environment.history(MOST_DEPLOYMENTS).await?.ended;
        let brought_it = |record: &&Record| {
            record.outcome.is_success() && brought(record).is_some_and(|release| release == to)
        };
        let owners: Vec<_> = history.iter().filter(brought_it).map(owner).collect();
        let deliveries = places.deliveries().await?;
        let found = owners.iter().find_map(|owner| {
            let mut deliveries = deliveries.iter();
            deliveries.find(|one| one.execution == *owner && !one.versions.is_empty())
        });
        Ok(RollbackPlan::Delivery(found.cloned().unwrap_or_default()))
    }
}

/// The execution that deployed: the owner is `PIPELINE/EXECUTION`.
fn owner(record: &Record) -> &str {
    let owner = &record.deployment.owner;
    owner
        .rsplit_once('/')
        .map_or(owner, |(_, execution)| execution)
}

fn brought(record: &Record) -> Option<&ReleaseId> {
    record.deployment.to.as_ref().map(|to| &to.release)
}

fn of_version(version: &str, succeeded: &[&Record], deliveries: &[Delivery]) -> Option<ReleaseId> {
    let brought_it = |record: &&&Record| {
        deliveries.iter().any(|one| {
            one.execution == owner(record) && one.versions.values().any(|one| one == version)
        })
    };
    let found = succeeded.iter().find(brought_it)?;
    brought(found).cloned()
}

impl Work<'_> {
    /// The option that names the delivering pipeline in a further command.
    fn choice(&self) -> String {
        let delivered = self.stage.as_ref().filter(|_| self.is_delivered);
        delivered.map_or_else(String::new, |stage| self.target.choice(&stage.pipeline))
    }

    fn rolled_back(&self, functions: Vec<FunctionBack>, execution: String) -> RolledBack {
        let name = self.found.environment.name();
        let pipeline = self.target.short(&self.pipeline);
        let follow = format!("delivery log --follow --pipeline {pipeline}");
        let resume = format!("{}{name}{}", RESUME, self.choice());
        let resume = self.is_delivered.then_some(resume);
        let stage = self.stage.as_ref().filter(|_| self.is_delivered);
        RolledBack {
            environment: name.to_string(),
            revision: Some(Revision::new(self.to.commit(), None, None)),
            release: Some(self.to.id.to_string()),
            functions,
            execution: Some(execution),
            pipeline: self.pipeline.name().to_owned(),
            only_functions: None,
            held: stage.map(|stage| stage.stage.clone()),
            next: [follow].into_iter().chain(resume).collect(),
        }
    }

    /// Says what would change.
    fn say(&self) {
        if let Some(stage) = &self.stage {
            say_functions(stage, &self.looks, &self.plan);
        }
        let current = self.found.state.current.as_ref();
        let current = current.map_or("?", |current| current.release.as_str());
        write_stderr(&format!(
            "  {}: {current} → {}",
            self.found.environment.name(),
            self.to.name()
        ));
        if let Some(lease) = &self.found.state.lease {
            write_stderr(&format!(
                "  it is being changed by {} ({}); the pipeline waits for the end of that, at most until {}",
                lease.deployment.by, lease.deployment.owner, lease.until
            ));
        }
    }
}
