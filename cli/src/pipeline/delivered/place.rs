//! The stage that delivers to an environment, and the functions in it, by the pipelines as they run: who is called at night
//! need not have the repository.

use aws_sdk_codepipeline::types::{ActionDeclaration, StageDeclaration};
use delivery_action::parameters::UserParameters;
use delivery_stack::template::nearest;

use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::pipeline::listed;
use crate::pipeline::target::Target;

/// What the action that deploys a function is called; `-SERVICE` follows, where there are several services.
const DEPLOY_APP: &str = "deploy-app";

/// A stage that delivers to an environment.
#[derive(Clone, Debug)]
pub(in crate::pipeline) struct Place {
    pub(in crate::pipeline) pipeline: Pipeline,
    pub(in crate::pipeline) stage: String,
    /// The functions that it deploys.
    pub(in crate::pipeline) apps: Vec<App>,
}

/// A function that is deployed to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pipeline) struct App {
    /// The action that deploys it.
    pub(in crate::pipeline) action: String,
    /// Its service, where there are several.
    pub(in crate::pipeline) service: Option<String>,
    /// Name or ARN.
    pub(in crate::pipeline) function: String,
    /// The alias that has the environment's name.
    pub(in crate::pipeline) alias: String,
}

/// The stages of these pipelines that deliver to an environment; there is at least one.
pub(in crate::pipeline) async fn places(
    pipelines: Vec<Pipeline>,
    environment: &str,
) -> Result<Vec<Place>, CliError> {
    let (places, known) = look(pipelines, environment).await?;
    if places.is_empty() {
        let environment = environment.to_owned();
        return Err(PlaceError::NoEnvironment { environment, known }.into());
    }
    Ok(places)
}

/// All stages that deliver to environments, each with its environment, in the order of the pipelines.
pub(in crate::pipeline) async fn all(
    pipelines: Vec<Pipeline>,
) -> Result<Vec<(String, Place)>, CliError> {
    let mut places = Vec::new();
    for pipeline in pipelines {
        for stage in pipeline.stages().await? {
            let Some(name) = environment_of(&stage) else {
                continue;
            };
            let place = Place {
                pipeline: pipeline.clone(),
                apps: apps(&stage, &name),
                stage: stage.name,
            };
            places.push((name, place));
        }
    }
    Ok(places)
}

/// An environment that a stage delivers to.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pipeline) struct Delivered {
    environment: String,
    stage: String,
}

/// The stages that deliver to an environment, and the other environments that stages deliver to.
async fn look(
    pipelines: Vec<Pipeline>,
    environment: &str,
) -> Result<(Vec<Place>, Vec<Delivered>), CliError> {
    let mut places = Vec::new();
    let mut known = Vec::new();
    for pipeline in pipelines {
        for stage in pipeline.stages().await? {
            let Some(name) = environment_of(&stage) else {
                continue;
            };
            if name == environment {
                places.push(Place {
                    pipeline: pipeline.clone(),
                    apps: apps(&stage, environment),
                    stage: stage.name,
                });
            } else if known.iter().all(|one: &Delivered| one.environment != name) {
                known.push(Delivered {
                    environment: name,
                    stage: stage.name,
                });
            }
        }
    }
    Ok((places, known))
}

/// The only stage that delivers to an environment, for a command that changes one.
pub(in crate::pipeline) async fn the_only(
    target: &Target,
    pipeline: Option<&str>,
    environment: &str,
) -> Result<Place, CliError> {
    let mut places = places(target.meant(pipeline)?, environment).await?;
    if places.len() > 1 {
        return Err(several(target, environment, &places).into());
    }
    Ok(places.remove(0))
}

/// The same of an environment that may have none: releases come to it only by `delivery promote`.
pub(in crate::pipeline) async fn at_most_one(
    target: &Target,
    pipeline: Option<&str>,
    environment: &str,
) -> Result<Option<Place>, CliError> {
    let (mut places, _) = look(target.meant(pipeline)?, environment).await?;
    if places.len() > 1 {
        return Err(several(target, environment, &places).into());
    }
    Ok(places.pop())
}

/// The error of a command that cannot find out which of several stages is meant.
pub(in crate::pipeline) fn several(
    target: &Target,
    environment: &str,
    places: &[Place],
) -> PlaceError {
    let names = places.iter().map(|one| target.short(&one.pipeline));
    PlaceError::Several {
        environment: environment.to_owned(),
        pipelines: names.map(str::to_owned).collect(),
    }
}

/// What an action's `UserParameters` say, if they can be read.
fn parameters(action: &ActionDeclaration) -> Option<UserParameters> {
    let text = action.configuration()?.get("UserParameters")?;
    UserParameters::parse(Some(text)).ok()
}

/// The environment that a stage delivers to: what its actions say. A stage of sites alone has the environment's name.
pub(crate) fn environment_of(stage: &StageDeclaration) -> Option<String> {
    let mut deploys = false;
    for action in stage.actions() {
        let Some(mut parameters) = parameters(action) else {
            continue;
        };
        for (key, with) in [
            ("alias", "function"),
            ("environment", "service"),
            ("stage", "api"),
        ] {
            let named = parameters.take(key);
            if let (Some(name), Some(_)) = (named, parameters.take(with)) {
                return Some(name);
            }
        }
        deploys |= parameters.take("bucket").is_some();
    }
    deploys.then(|| stage.name().to_lowercase())
}

fn apps(stage: &StageDeclaration, environment: &str) -> Vec<App> {
    let app = |action: &ActionDeclaration| {
        let service = action.name().strip_prefix(DEPLOY_APP)?;
        let mut parameters = parameters(action)?;
        Some(App {
            action: action.name().to_owned(),
            service: service.strip_prefix('-').map(str::to_owned),
            function: parameters.take("function")?,
            alias: parameters.take("alias").filter(|one| one == environment)?,
        })
    };
    stage.actions().iter().filter_map(app).collect()
}

fn or_none(known: &[Delivered]) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<_> = known.iter().map(|one| one.environment.clone()).collect();
    listed(&names)
}

/// The environment that somebody means by another name: that of its stage, or a mistyped one.
fn meant<'a>(given: &str, known: &'a [Delivered]) -> Option<&'a str> {
    let by_stage = known
        .iter()
        .find(|one| one.stage.eq_ignore_ascii_case(given))
        .map(|one| one.environment.as_str());
    let names = known.iter().map(|one| one.environment.as_str());
    by_stage.or_else(|| nearest(given, names))
}

fn named(stages: &[String]) -> String {
    match stages {
        [stage] => format!("the stage `{stage}`"),
        several => format!("the stages {}", listed(several)),
    }
}

/// Why it is not known what a command is about.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::pipeline) enum PlaceError {
    /// Nothing is delivered there.
    #[error("no stage delivers to an environment `{environment}`; the pipeline delivers to {}", or_none(.known))]
    NoEnvironment {
        environment: String,
        known: Vec<Delivered>,
    },
    /// Several pipelines deliver there.
    #[error("more than one pipeline delivers to `{environment}`: {}", listed(.pipelines))]
    Several {
        environment: String,
        pipelines: Vec<String>,
    },
    /// It has no function.
    #[error("no action of {} deploys a function{}", named(.stages), .service.as_ref().map(|one| format!(" of the service `{one}`")).unwrap_or_default())]
    NoFunction {
        /// The stages that deliver there, each name once.
        stages: Vec<String>,
        service: Option<String>,
    },
    /// It has several.
    #[error("several services of `{environment}` have a function: {}", listed(.services))]
    SeveralFunctions {
        environment: String,
        services: Vec<String>,
    },
}

impl Explained for PlaceError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoEnvironment { .. } | Self::NoFunction { .. } => Exit::NotFound,
            Self::Several { .. } | Self::SeveralFunctions { .. } => Exit::Usage,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoEnvironment { .. } | Self::NoFunction { .. } => "not-found",
            Self::Several { .. } | Self::SeveralFunctions { .. } => "usage",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoEnvironment { environment, known } => meant(environment, known)
                .map(|meant| format!("did you mean `{meant}`?")),
            Self::Several { .. } => Some("name one: `--pipeline NAME`".to_owned()),
            Self::NoFunction { .. } => Some(
                "rollouts move the traffic of a function that deploy-app deploys; stacks and sites go back with \
                 `delivery rollback`"
                    .to_owned(),
            ),
            Self::SeveralFunctions { .. } => Some("name one: `--service NAME`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_codepipeline::types::ActionTypeId;

    use super::*;

    fn stage(name: &str, actions: &[(&str, &str)]) -> StageDeclaration {
        let kind = ActionTypeId::builder()
            .category("Invoke".into())
            .owner("AWS".into())
            .provider("Lambda")
            .version("1");
        let kind = kind.build().unwrap();
        let actions = actions.iter().map(|(name, parameters)| {
            ActionDeclaration::builder()
                .name(*name)
                .action_type_id(kind.clone())
                .configuration("UserParameters", *parameters)
                .build()
                .unwrap()
        });
        StageDeclaration::builder()
            .name(name)
            .set_actions(Some(actions.collect()))
            .build()
            .unwrap()
    }

    #[test]
    fn a_stage_delivers_to_the_environment_that_its_actions_name() {
        let production = stage(
            "Production",
            &[
                (
                    "deploy-app",
                    "function=greeter&alias=prod&revision=#{SourceVariables.CommitId}",
                ),
                ("deploy-api", "api=a1&stage=prod"),
            ],
        );
        assert_eq!(environment_of(&production).as_deref(), Some("prod"));
        let app = App {
            action: "deploy-app".to_owned(),
            service: None,
            function: "greeter".to_owned(),
            alias: "prod".to_owned(),
        };
        assert_eq!(apps(&production, "prod"), [app]);

        let stacks = stage(
            "Int",
            &[("deploy-stack-api", "environment=int&service=api")],
        );
        assert_eq!(environment_of(&stacks).as_deref(), Some("int"));
        assert_eq!(apps(&stacks, "int"), []);
        let site = stage("Prd", &[("deploy-site-web", "bucket=b")]);
        assert_eq!(environment_of(&site).as_deref(), Some("prd"));
        let commit = stage("Commit", &[("npm-install", "directory=."), ("any", "%")]);
        assert_eq!(environment_of(&commit), None);
    }

    #[test]
    fn an_environment_is_also_known_by_its_stage() {
        let known = [("test", "Acceptance"), ("prod", "Production")];
        let known = known.map(|(environment, stage)| Delivered {
            environment: environment.to_owned(),
            stage: stage.to_owned(),
        });
        assert_eq!(meant("production", &known), Some("prod"));
        assert_eq!(meant("prdo", &known), Some("prod"));
        assert_eq!(meant("staging", &known), None);
    }

    #[test]
    fn the_function_of_a_service_is_found_by_its_action() {
        let several = stage(
            "Prod",
            &[
                ("deploy-app-shop", "function=shop&alias=prod"),
                ("deploy-app-mail", "function=mail&alias=prod"),
                ("notify", "function=chat&alias=live"),
            ],
        );
        let found = apps(&several, "prod");
        let services: Vec<_> = found.iter().map(|app| app.service.as_deref()).collect();
        assert_eq!(services, [Some("shop"), Some("mail")]);
    }
}
