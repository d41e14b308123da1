//! The pipelines: one with all services, or several with some of them each; and one for each environment that applies
//! releases.

use delivery_definition::Mistake;

use crate::paths;
use crate::pipeline::{OwnAction, Pipeline};
use crate::plan::{Plan, PlannedEnvironment, camel_case};
use crate::{ApplyPipeline, RenderedPipeline};

/// What the names of pipelines that apply releases begin with.
pub(crate) const APPLIES: &str = "apply-";

/// A pipeline, and what of the plan it delivers.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// Its name in the file, or that of a pipeline that applies releases; none where one pipeline has all services.
    pub(crate) name: Option<String>,
    /// The environment that it applies releases to, if it does nothing else.
    pub(crate) applies: Option<PlannedEnvironment<'a>>,
    /// The line of its name.
    pub(crate) line: usize,
    /// What its names in templates begin with: `Infra`.
    pub(crate) id: String,
    pub(crate) plan: Plan<'a>,
    pub(crate) pipeline: Pipeline,
    /// The resources of the pipelines whose services its own need.
    pub(crate) after: Vec<String>,
    /// The patterns of the paths whose change starts it; all where there is none.
    pub(crate) paths: Vec<String>,
}

impl<'a> Part<'a> {
    /// All pipelines: those that deliver, in their order, then those that apply releases. The latter repeat the mistakes of
    /// the former.
    pub(crate) fn all(plan: &Plan<'a>, mistakes: &mut Vec<Mistake>) -> Vec<Self> {
        let mut parts = Self::delivering(plan, mistakes);
        if !plan.has_releases() || !mistakes.is_empty() {
            return parts;
        }
        let environments = plan.environments.iter().chain(&plan.of_developers);
        let applying = environments.map(|one| {
            let own_actions = own_actions(one, &parts);
            Self::applying(plan, one, own_actions, mistakes)
        });
        let applying: Vec<_> = applying.collect();
        parts.extend(applying);
        parts
    }

    fn delivering(plan: &Plan<'a>, mistakes: &mut Vec<Mistake>) -> Vec<Self> {
        let several = plan.request.definition.pipelines();
        if several.is_empty() {
            return vec![Self {
                name: None,
                applies: None,
                line: 1,
                id: String::new(),
                plan: plan.clone(),
                pipeline: Pipeline::of(plan, mistakes),
                after: Vec::new(),
                paths: Vec::new(),
            }];
        }
        let parts = several.into_iter().map(|one| {
            let services: Vec<_> = one
                .services
                .iter()
                .map(|service| service.name.as_str())
                .collect();
            let plan = plan.with_services(&services);
            Self {
                name: Some(one.name.to_owned()),
                applies: None,
                line: one.line,
                id: camel_case(one.name),
                pipeline: Pipeline::of(&plan, mistakes),
                after: one
                    .needs
                    .iter()
                    .map(|name| resource(&camel_case(name)))
                    .collect(),
                paths: paths::of(&one.services),
                plan,
            }
        });
        parts.collect()
    }

    /// The pipeline that applies releases to an environment.
    fn applying(
        plan: &Plan<'a>,
        environment: &PlannedEnvironment<'a>,
        own_actions: Vec<OwnAction>,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let name = format!("{APPLIES}{}", environment.name());
        let plan = plan.with_environment(environment);
        Self {
            id: camel_case(&name),
            name: Some(name),
            applies: Some(environment.clone()),
            line: environment.target.settings.line,
            pipeline: Pipeline::applying(&plan, environment, own_actions, mistakes),
            after: Vec::new(),
            paths: Vec::new(),
            plan,
        }
    }

    /// A parameter for an action of the user's own, as the template with all pipelines calls it. What applies releases has
    /// those of several pipelines by these names already.
    pub(crate) fn launched(&self, parameter: &str) -> String {
        match self.applies {
            Some(_) => parameter.to_owned(),
            None => format!("{}{parameter}", self.id),
        }
    }

    /// The resource of its template.
    pub(crate) fn resource(&self) -> String {
        match &self.name {
            Some(_) => resource(&self.id),
            None => "Delivery".to_owned(),
        }
    }

    /// The output with its name.
    pub(crate) fn output(&self) -> String {
        format!("{}Pipeline", self.id)
    }

    /// The file of its template.
    pub(crate) fn file(&self) -> String {
        match &self.name {
            Some(name) => format!("pipeline-{name}.yaml"),
            None => "pipeline.yaml".to_owned(),
        }
    }

    /// What delivers commits.
    pub(crate) fn rendered(&self) -> Option<RenderedPipeline> {
        self.applies.is_none().then(|| RenderedPipeline {
            name: self.name.clone(),
            output: self.output(),
            paths: self.paths.clone(),
        })
    }

    /// What applies releases.
    pub(crate) fn rendered_as_applying(&self) -> Option<ApplyPipeline> {
        let environment = self.applies.as_ref()?;
        Some(ApplyPipeline {
            environment: environment.name().to_owned(),
            name: self.name.clone()?,
            output: self.output(),
        })
    }
}

/// The actions of the user's own in the pipeline that applies releases to an environment: those of the pipelines that deliver
/// there; where none does, it is the only one that has them.
fn own_actions(environment: &PlannedEnvironment<'_>, delivering: &[Part<'_>]) -> Vec<OwnAction> {
    let parameter = environment.own_action();
    if environment.member.is_some() {
        return Vec::new();
    }
    if environment.is_manual() {
        return vec![OwnAction {
            parameter,
            prefix: None,
            artifacts_of_another: None,
        }];
    }
    let delivers = |part: &&Part<'_>| {
        let mut own_actions = part.pipeline.own_actions();
        own_actions.any(|(_, one)| one.parameter == parameter)
    };
    let own_actions = delivering.iter().filter(delivers).map(|part| OwnAction {
        parameter: part.launched(&parameter),
        prefix: part.name.clone(),
        artifacts_of_another: Some(names(&part.pipeline.artifacts())),
    });
    own_actions.collect()
}

fn names(artifacts: &[&str]) -> Vec<String> {
    artifacts.iter().map(|name| (*name).to_owned()).collect()
}

fn resource(id: &str) -> String {
    format!("{id}Pipeline")
}
