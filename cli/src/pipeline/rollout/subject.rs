//! The alias that a command is about.

use aws_sdk_lambda::Client;
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_alias::{Found, FunctionAlias};
use delivery_rollout::{Description, Marker, under_way};

use crate::args::Global;
use crate::args::rollout::Subject as Arguments;
use crate::cloud::Cloud;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::pipeline::delivered::place::{self, App, Place, PlaceError};
use crate::pipeline::target::Target;
use crate::settings::Settings;

/// The alias of an environment's function.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) cloud: Cloud,
    pub(super) lambda: Client,
    pub(super) app: App,
    /// Where it is deployed; none where only the function was named.
    pub(super) place: Option<Place>,
}

/// An alias and the one that names its last good version, as they were just read.
#[derive(Debug)]
pub(in crate::pipeline) struct Look {
    pub(in crate::pipeline) alias: FunctionAlias,
    pub(in crate::pipeline) found: Found,
    pub(in crate::pipeline) good: Option<Found>,
}

impl Subject {
    /// The function that the arguments name, or the environment's only one.
    pub(super) async fn find(global: &Global, arguments: &Arguments) -> Result<Self, CliError> {
        let settings = Settings::load(global)?;
        if let Some(function) = &arguments.function {
            let cloud = Cloud::connect(&settings).await?;
            return Ok(Self {
                lambda: cloud.lambda(),
                cloud,
                app: App {
                    action: String::new(),
                    service: None,
                    function: function.clone(),
                    alias: arguments.environment.clone(),
                },
                place: None,
            });
        }
        let target = Target::of(&settings).await?;
        let places = place::places(target.meant(None)?, &arguments.environment).await?;
        let (place, app) = choose(places, arguments)?;
        Ok(Self {
            lambda: target.cloud.lambda(),
            cloud: target.cloud,
            app,
            place: Some(place),
        })
    }

    /// Reads its alias.
    pub(super) async fn look(&self) -> Result<Look, CliError> {
        Look::at(&self.lambda, &self.app).await
    }
}

fn choose(places: Vec<Place>, arguments: &Arguments) -> Result<(Place, App), PlaceError> {
    let service = arguments.service.as_deref();
    let all = places.iter().flat_map(|place| &place.apps);
    let meant = |app: &&App| service.is_none() || app.service.as_deref() == service;
    let mut found: Vec<App> = all.filter(meant).cloned().collect();
    if found.len() > 1 {
        let services = found.into_iter().filter_map(|app| app.service);
        return Err(PlaceError::SeveralFunctions {
            environment: arguments.environment.clone(),
            services: services.collect(),
        });
    }
    // Several pipelines that deliver to an environment call their stages alike.
    let mut stages: Vec<String> = places.iter().map(|place| place.stage.clone()).collect();
    stages.sort();
    stages.dedup();
    let app = found.pop().ok_or_else(|| PlaceError::NoFunction {
        stages,
        service: arguments.service.clone(),
    })?;
    let mut places = places.into_iter();
    let place = places.find(|place| place.apps.contains(&app));
    Ok((place.expect("the function was found in one of them"), app))
}

impl Look {
    /// Reads a function's alias.
    pub(in crate::pipeline) async fn at(lambda: &Client, app: &App) -> Result<Self, CliError> {
        let alias = FunctionAlias::new(lambda, &app.function, &app.alias);
        let good = alias.good();
        let (found, good) = tokio::try_join!(alias.read(), good.read())?;
        let Some(found) = found else {
            return Err(SubjectError::NoAlias {
                alias: alias.resource(),
            }
            .into());
        };
        Ok(Self { alias, found, good })
    }

    /// The version that was kept last.
    pub(in crate::pipeline) fn good_version(&self) -> Option<&str> {
        self.good.as_ref().map(|good| good.alias.version.as_str())
    }

    /// The rollout that is under way.
    pub(in crate::pipeline) fn under_way(&self) -> Option<&Marker> {
        under_way(&self.found.alias, self.good_version())
    }

    /// A version's share of the requests, in percent.
    pub(in crate::pipeline) fn percent(&self, version: &str) -> f64 {
        let alias = &self.found.alias;
        let permille = if alias.version == version {
            1000_u16.saturating_sub(alias.weights.values().sum())
        } else {
            alias.weights.get(version).copied().unwrap_or_default()
        };
        f64::from(permille) / 10.0
    }

    /// What the alias says about itself.
    pub(in crate::pipeline) fn description(&self) -> &Description {
        &self.found.alias.description
    }
}

/// Who is signed in, for the alias's description: the last part of the ARN, which is a person's name or session.
pub(crate) async fn caller(cloud: &Cloud) -> Result<String, CliError> {
    let sent = cloud.sts().get_caller_identity().send().await;
    let identity =
        sent.map_err(|error| CallError::new("sts:GetCallerIdentity", "the caller", &error))?;
    let arn = identity.arn().unwrap_or_default();
    let name = arn.rsplit(['/', ':']).next().unwrap_or_default();
    Ok(name.to_owned())
}

/// The error of a change that was refused because the alias is not as it was shown any more.
pub(in crate::pipeline) fn changed_meanwhile(alias: &FunctionAlias, error: CallError) -> CliError {
    if error.kind == CallErrorKind::Conflict {
        let alias = alias.resource();
        return SubjectError::Changed { alias }.into();
    }
    error.into()
}

/// Why an alias cannot be read or changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum SubjectError {
    /// There is none.
    #[error("the alias `{alias}` does not exist")]
    NoAlias { alias: String },
    /// It is not as it was shown.
    #[error("somebody else has changed `{alias}` since it was read, so it was left as it is")]
    Changed { alias: String },
}

impl Explained for SubjectError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoAlias { .. } => Exit::NotFound,
            Self::Changed { .. } => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoAlias { .. } => "not-found",
            Self::Changed { .. } => "changed",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoAlias { .. } => {
                "the first deployment makes it; `delivery status` shows how far that is".to_owned()
            }
            Self::Changed { .. } => {
                "see what it serves now: `delivery rollout show ENV`, and decide again; a rollback that was begun holds its \
                 pipeline until `delivery resume ENV`"
                    .to_owned()
            }
        })
    }
}
