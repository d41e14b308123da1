//! The stages and actions of the pipeline.

use std::collections::BTreeSet;

use delivery_definition::Mistake;

use crate::commit;
use crate::deploy;
use crate::plan::{Member, Plan, PlannedEnvironment};
use crate::query::{Piece, Query};
use crate::release::{self, Given, RELEASE};

/// The artifact of the Source stage.
pub(crate) const SOURCE: &str = "SourceOutput";

/// The commit, as a variable of the pipeline.
pub(crate) const COMMIT: &str = "SourceVariables.CommitId";

/// The functions of actions, as templates and people call them, in the order of the templates.
pub(crate) const FUNCTIONS: [(&str, &str); 8] = [
    ("NpmInstall", "npm-install"),
    ("TestAndPackage", "test-and-package"),
    (RELEASE, "release"),
    ("DeployStack", "deploy-stack"),
    ("DeployApp", "deploy-app"),
    ("DeployApi", "deploy-api"),
    ("DeploySite", "deploy-site"),
    ("E2e", "e2e"),
];

/// The stages after the Source stage.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) stages: Vec<Stage>,
}

/// A stage.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) actions: Vec<Action>,
    /// The stage is one in which a person approves.
    pub(crate) approval: Option<Approval>,
    pub(crate) own_actions: Vec<OwnAction>,
    /// The deployment that its end is told of.
    pub(crate) deployment: Option<Deployment>,
}

/// An action of the user's own, after the tests.
#[derive(Clone, Debug)]
pub(crate) struct OwnAction {
    /// The parameter that names its function, as this pipeline's template calls it.
    pub(crate) parameter: String,
    /// What its name begins with: functions of two pipelines may be the same one.
    pub(crate) prefix: Option<String>,
    /// The artifacts of the pipeline that delivers, where it is that one's action: its input may be one that is not made here.
    pub(crate) artifacts_of_another: Option<Vec<String>>,
}

/// What the end of a stage is to the environment that it deploys to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// Its deployment failed, unless the stage succeeded.
    OfEnvironment,
    /// Nobody needs the environment any more.
    OfExecution,
}

/// What a person is asked.
#[derive(Debug)]
pub(crate) struct Approval {
    /// The stage before.
    pub(crate) after: String,
    /// For `!Sub`.
    pub(crate) question: String,
    /// The parameter with the address that shows the release.
    pub(crate) link: Option<String>,
}

/// An action.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) name: String,
    pub(crate) run_order: usize,
    /// What its output variables are called by.
    pub(crate) namespace: Option<String>,
    pub(crate) work: Work,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    /// What it moves traffic of, which the guard watches.
    pub(crate) moves: Option<Moved>,
    /// The line of its service.
    pub(crate) line: usize,
}

/// An alias whose traffic an action moves.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    /// The parameter with the function's name.
    pub(crate) function: String,
    pub(crate) alias: String,
}

/// What an action does.
#[derive(Debug)]
pub(crate) enum Work {
    /// A function of this project.
    Function {
        /// Its name in templates.
        id: &'static str,
        parameters: Query,
        /// Its parameters where sites are behind CloudFront, if they are others then.
        with_distribution: Option<Query>,
    },
    /// CodePipeline's own commands.
    Commands(Commands),
}

/// Commands of a shell.
#[derive(Debug)]
pub(crate) struct Commands {
    pub(crate) lines: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) variables: Vec<String>,
    pub(crate) files: Vec<String>,
}

impl Action {
    /// An action of a function, without artifacts.
    pub(crate) fn of_function(
        id: &'static str,
        name: String,
        run_order: usize,
        parameters: Query,
        line: usize,
    ) -> Self {
        Self {
            name,
            run_order,
            namespace: None,
            work: Work::Function {
                id,
                parameters,
                with_distribution: None,
            },
            inputs: Vec::new(),
            outputs: Vec::new(),
            moves: None,
            line,
        }
    }

    /// It moves the traffic of this alias.
    pub(crate) fn moves(mut self, function: String, alias: &str) -> Self {
        self.moves = Some(Moved {
            function,
            alias: alias.to_owned(),
        });
        self
    }

    pub(crate) fn namespace(mut self, namespace: String) -> Self {
        self.namespace = Some(namespace);
        self
    }

    pub(crate) fn reads(mut self, artifacts: Vec<String>) -> Self {
        self.inputs = artifacts;
        self
    }

    /// The function's name in templates.
    pub(crate) fn function(&self) -> Option<&'static str> {
        match self.work {
            Work::Function { id, .. } => Some(id),
            Work::Commands(_) => None,
        }
    }

    /// All forms of its `UserParameters`.
    pub(crate) fn queries(&self) -> impl Iterator<Item = &Query> {
        let (one, other) = match &self.work {
            Work::Function {
                parameters,
                with_distribution,
                ..
            } => (Some(parameters), with_distribution.as_ref()),
            Work::Commands(_) => (None, None),
        };
        one.into_iter().chain(other)
    }
}

impl Pipeline {
    pub(crate) fn of(plan: &Plan<'_>, mistakes: &mut Vec<Mistake>) -> Self {
        let mut stages = Vec::new();
        let actions = commit::actions(plan, mistakes);
        if !actions.is_empty() {
            stages.push(Stage::of_build("Commit", actions));
        }
        if let Some(environment) = &plan.of_execution {
            let given = Some(Given::Published);
            stages.push(Stage::of(plan, environment, given, Vec::new(), mistakes));
        }
        let mut before = None;
        for environment in plan.environments.iter().filter(|one| !one.is_manual()) {
            let by_parameter = plan.has_default_environments && before.is_some();
            if by_parameter || environment.target.settings.is_approved_by_hand() {
                stages.push(approval(plan, before, environment));
            }
            let given = plan.has_releases().then_some(Given::Published);
            let own_action = OwnAction {
                parameter: environment.own_action(),
                prefix: None,
                artifacts_of_another: None,
            };
            let own_actions = vec![own_action];
            stages.push(Stage::of(plan, environment, given, own_actions, mistakes));
            before = Some(environment);
        }
        Self { stages }
    }

    /// That which applies releases to an environment.
    pub(crate) fn applying(
        plan: &Plan<'_>,
        environment: &PlannedEnvironment<'_>,
        own_actions: Vec<OwnAction>,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let mut stages = Vec::new();
        let installs = commit::installs_of_tests(plan);
        if !installs.is_empty() {
            stages.push(Stage::of_build("Dependencies", installs));
        }
        let after = environment.after();
        let given = Some(Given::Asked { after });
        stages.push(Stage::of(plan, environment, given, own_actions, mistakes));
        Self { stages }
    }

    /// The actions of the user's own, each with its stage.
    pub(crate) fn own_actions(&self) -> impl Iterator<Item = (&Stage, &OwnAction)> {
        self.stages
            .iter()
            .flat_map(|stage| stage.own_actions.iter().map(move |one| (stage, one)))
    }

    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.stages.iter().flat_map(|stage| &stage.actions)
    }

    /// The functions that are used, as templates and people call them.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let used: BTreeSet<_> = self.actions().filter_map(Action::function).collect();
        FUNCTIONS
            .into_iter()
            .filter(move |(id, _)| used.contains(id))
    }

    pub(crate) fn uses(&self, function: &str) -> bool {
        self.functions().any(|(id, _)| id == function)
    }

    /// What the guard watches, for `!Sub`: `${Function}:prod=Production/deploy-app`, with the action that moves it.
    pub(crate) fn watched(&self) -> impl Iterator<Item = (&Action, String)> {
        self.stages.iter().flat_map(|stage| {
            stage.actions.iter().filter_map(|action| {
                let Moved { function, alias } = action.moves.as_ref()?;
                let (stage, name) = (&stage.name, &action.name);
                Some((action, format!("${{{function}}}:{alias}={stage}/{name}")))
            })
        })
    }

    pub(crate) fn runs_commands(&self) -> bool {
        self.actions().any(|action| action.function().is_none())
    }

    /// The template's parameters that values have.
    pub(crate) fn parameters(&self) -> BTreeSet<&str> {
        let of_actions = self
            .actions()
            .flat_map(Action::queries)
            .flat_map(Query::parameters);
        let approvals = self
            .stages
            .iter()
            .filter_map(|stage| stage.approval.as_ref());
        let links = approvals.filter_map(|approval| approval.link.as_deref());
        of_actions.chain(links).collect()
    }

    /// The artifacts, in the order in which they are made.
    pub(crate) fn artifacts(&self) -> Vec<&str> {
        let made = self.actions().flat_map(|action| &action.outputs);
        std::iter::once(SOURCE)
            .chain(made.map(String::as_str))
            .collect()
    }
}

impl Stage {
    fn of_build(name: &str, actions: Vec<Action>) -> Self {
        Self {
            name: name.to_owned(),
            actions,
            approval: None,
            own_actions: Vec::new(),
            deployment: None,
        }
    }

    fn of(
        plan: &Plan<'_>,
        environment: &PlannedEnvironment<'_>,
        given: Option<Given<'_>>,
        own_actions: Vec<OwnAction>,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let mut actions = deploy::actions(plan, environment, given, mistakes);
        let deployment = given.map(|given| {
            // The user's own actions come before: they may find something wrong.
            let run_order = next_run_order(&actions) + usize::from(!own_actions.is_empty());
            let may_lack_one = own_actions
                .iter()
                .any(|one| one.artifacts_of_another.is_some());
            actions.push(release::end(given, environment, run_order, may_lack_one));
            match environment.member {
                Some(Member::OfExecution) => Deployment::OfExecution,
                _ => Deployment::OfEnvironment,
            }
        });
        Self {
            name: environment.stage.clone(),
            actions,
            approval: None,
            own_actions,
            deployment,
        }
    }
}

impl Stage {
    /// When the user's own actions run: before the one that ends the deployment, if there is one.
    pub(crate) fn own_run_order(&self) -> usize {
        let next = next_run_order(&self.actions);
        next - if self.deployment.is_some() { 2 } else { 0 }
    }
}

/// What comes after all of these actions.
pub(crate) fn next_run_order(actions: &[Action]) -> usize {
    let orders = actions.iter().map(|action| action.run_order);
    orders.max().unwrap_or_default() + 1
}

fn approval(
    plan: &Plan<'_>,
    before: Option<&PlannedEnvironment<'_>>,
    environment: &PlannedEnvironment<'_>,
) -> Stage {
    let before_first = plan.of_execution.as_ref();
    let after = before
        .or(before_first)
        .map_or("Commit", |before| before.stage.as_str())
        .to_owned();
    let link = before.and_then(|before| {
        let mut sites = plan.with_sites();
        let site = sites.find(|one| before.target.deploys(one.service))?;
        Some((before, format!("{}SiteUrl", site.in_environment(before))))
    });
    let shown = link
        .as_ref()
        .map(|(before, _)| format!("; the {} site shows it, or a later commit", before.word));
    let question = format!(
        "Release commit #{{{COMMIT}}} of ${{FullRepositoryId}} (${{BranchName}}) to {}? It passed {after}{}.",
        environment.word,
        shown.unwrap_or_default()
    );
    let name = if plan.has_default_environments {
        "Approval".to_owned()
    } else {
        format!("approval-{}", environment.name())
    };
    Stage {
        name,
        actions: Vec::new(),
        approval: Some(Approval {
            after,
            question,
            link: link.map(|(_, parameter)| parameter),
        }),
        own_actions: Vec::new(),
        deployment: None,
    }
}

/// What each deploy action asks CodePipeline about, before it changes something.
pub(crate) fn with_execution(query: Query) -> Query {
    query
        .add("pipeline", &[Piece::parameter("PipelineName")])
        .variable("execution", "codepipeline.PipelineExecutionId")
}
