//! The action's `UserParameters`.

use std::time::Duration;

use aws_sdk_lambda::Client;
use delivery_action::artifact::Digest;
use delivery_action::execution::Execution;
use delivery_action::job::Job;
use delivery_action::parameters::{HumanDuration, ParametersError, Params, Switch, UserParameters};
use delivery_alias::FunctionAlias;
use delivery_definition::EnvironmentSettings;
use delivery_release::part::ReleaseParams;
use delivery_rollout::{
    LONGEST, MAX_ALARM_CHARS, MOST_ALARMS, OnNoData, PATIENCE, Plan, Strategy, StrategyError, Watch,
};
use serde::{Deserialize, Deserializer, de};

/// Longest name, partial ARN or ARN of a function, in characters (`API_UpdateFunctionCode`).
const MAX_FUNCTION_CHARS: usize = 140;

/// Longest name of an alias, in characters (`API_CreateAlias`, `Name`).
const MAX_ALIAS_CHARS: usize = 128;

/// How late a metric may be, if nothing is said: Lambda sends its metrics every minute.
const METRICS_DELAY: Duration = Duration::from_mins(1);

/// The parameters of `deploy-app`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeployAppParams {
    /// The function to deploy to.
    pub function: FunctionName,
    /// The alias to move to the new version.
    pub alias: AliasName,
    /// The source revision, for the version's description.
    pub revision: Option<String>,
    /// How traffic moves.
    #[serde(default, deserialize_with = "strategy")]
    pub strategy: Strategy,
    /// How long the new version is watched with all traffic.
    pub bake: Option<HumanDuration>,
    /// Alarms that put the rollout back.
    #[serde(default, deserialize_with = "alarms")]
    pub alarms: Vec<String>,
    /// The most errors of the new version.
    pub max_error_rate: Option<ErrorRate>,
    /// Whether the new version's errors are compared with the old one's.
    pub compare: Option<Compare>,
    /// Requests that the new version must have served.
    #[serde(default)]
    pub min_requests: u32,
    /// How long a step is held for data.
    pub patience: Option<HumanDuration>,
    /// What happens after that.
    #[serde(default)]
    pub on_no_data: NoData,
    /// Alarms that ring at the start do not count until they have been quiet.
    pub fix_forward: Option<Switch>,
    /// A function that says whether the new version may get traffic.
    pub pre_traffic: Option<HookFunction>,
    /// A function that says whether it may keep it.
    pub post_traffic: Option<HookFunction>,
    /// How late CloudWatch's metrics may be.
    pub metrics_delay: Option<HumanDuration>,
    /// The digest of the artifact that was built and tested; any other artifact is refused.
    #[serde(default, deserialize_with = "Digest::deserialize_whole")]
    pub digest: Option<Digest>,
    /// The pipeline execution; if it has ended, the job changes nothing more.
    #[serde(skip)]
    pub execution: Option<Execution>,
    /// The release that is deployed, instead of an artifact.
    #[serde(skip)]
    pub release: Option<ReleaseParams>,
}

impl Params for DeployAppParams {
    fn from_user_parameters(
        parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        Self::read(parameters)
    }
}

impl DeployAppParams {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`ParametersError`] if one is missing, unknown or not valid.
    pub fn read(mut parameters: UserParameters) -> Result<Self, ParametersError> {
        let execution = Execution::take(&mut parameters)?;
        let release = ReleaseParams::take(&mut parameters, execution.as_ref())?;
        let params = Self {
            execution,
            release,
            ..parameters.deserialize()?
        };
        if params.release.is_some()
            && let Some(key) = params.key_of_the_release()
        {
            return Err(ParametersError::Invalid {
                key: key.to_owned(),
                expected: "no value next to `releases`: the release says it".to_owned(),
            });
        }
        params.check_length()?;
        Ok(params)
    }

    /// Fails if the rollout may last longer than one may.
    fn check_length(&self) -> Result<(), ParametersError> {
        let plan = self.plan();
        if plan.strategy.lasts_at_most(plan.bake, plan.patience) <= LONGEST {
            return Ok(());
        }
        Err(ParametersError::Invalid {
            key: "strategy".to_owned(),
            expected: "steps, `bake` and a `patience` for each of at most 20 hours together"
                .to_owned(),
        })
    }

    /// A key that is set although a release says it.
    fn key_of_the_release(&self) -> Option<&'static str> {
        let keys = [
            ("revision", self.revision.is_some()),
            ("digest", self.digest.is_some()),
            ("strategy", self.strategy != Strategy::default()),
            ("bake", self.bake.is_some()),
            ("alarms", !self.alarms.is_empty()),
            ("pre-traffic", self.pre_traffic.is_some()),
            ("post-traffic", self.post_traffic.is_some()),
        ];
        let mut set = keys.into_iter().filter(|(_, is_set)| *is_set);
        set.next().map(|(key, _)| key)
    }

    /// The same with what a release says: its commit, and how traffic moves in the environment.
    ///
    /// # Errors
    ///
    /// [`ParametersError`] if the settings do not fit together.
    pub(crate) fn of_release(
        &self,
        revision: &str,
        settings: &EnvironmentSettings,
    ) -> Result<Self, ParametersError> {
        let said = settings.rollout_parameters().into_iter();
        let named = [
            ("function", self.function.as_str().to_owned()),
            ("alias", self.alias.as_str().to_owned()),
        ];
        let pairs = named.into_iter().chain(said);
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
        let said = Self::read(pairs.collect())?;
        let whole = Self {
            revision: Some(revision.to_owned()),
            strategy: said.strategy,
            bake: said.bake,
            alarms: said.alarms,
            pre_traffic: said.pre_traffic,
            post_traffic: said.post_traffic,
            ..self.clone()
        };
        whole.check_length()?;
        Ok(whole)
    }

    /// The alias to move.
    pub(crate) fn alias(&self, lambda: &Client) -> FunctionAlias {
        FunctionAlias::new(lambda, self.function.as_str(), self.alias.as_str())
    }

    /// Whether traffic moves in steps, or anything is watched or asked on the way. Otherwise one call moves it.
    #[must_use]
    pub(crate) fn is_rollout(&self) -> bool {
        let plan = self.plan();
        let is_watched = plan.watch.is_any() || !plan.bake.is_zero();
        !plan.strategy.steps.is_empty() || is_watched || plan.before_hook || plan.after_hook
    }

    /// What the rollout does.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let is_gradual = !self.strategy.steps.is_empty();
        let watch = Watch {
            alarms: self.alarms.clone(),
            max_error_permille: self.max_error_rate.map(|ErrorRate(permille)| permille),
            compare: self
                .compare
                .map_or(is_gradual, |compare| compare == Compare::Errors),
            min_requests: self.min_requests.into(),
        };
        Plan {
            strategy: self.strategy.clone(),
            bake: self.bake.map_or(Duration::ZERO, |bake| bake.0),
            watch,
            patience: self.patience.map_or(PATIENCE, |patience| patience.0),
            on_no_data: match self.on_no_data {
                NoData::Rollback => OnNoData::Rollback,
                NoData::Proceed => OnNoData::Proceed,
            },
            fix_forward: self.fix_forward.is_some_and(Switch::is_on),
            metrics_delay: self.metrics_delay.map_or(METRICS_DELAY, |delay| delay.0),
            before_hook: self.pre_traffic.is_some(),
            after_hook: self.post_traffic.is_some(),
        }
    }
}

/// Name, partial ARN or ARN of a function, without a version or alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName(String);

impl FunctionName {
    /// The name as Lambda takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FunctionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
        let short = name.chars().count() <= MAX_FUNCTION_CHARS;
        if name.is_empty() || !short || !name.chars().all(known) || is_qualified(&name) {
            return Err(de::Error::custom(
                "the name or ARN of a function, without a version or alias",
            ));
        }
        Ok(Self(name))
    }
}

/// Whether a version or alias follows the name: `name:q`, `account:function:name:q` or an ARN of
/// eight parts.
fn is_qualified(name: &str) -> bool {
    let after = name
        .rsplit_once(":function:")
        .map_or(name, |(_, after)| after);
    after
        .strip_prefix("function:")
        .unwrap_or(after)
        .contains(':')
}

/// The name of an alias: letters, digits, `-` and `_`, not digits alone (`API_CreateAlias`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasName(String);

impl AliasName {
    /// The name as Lambda takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for AliasName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_version = name.chars().all(|c| c.is_ascii_digit());
        if is_version || name.len() > MAX_ALIAS_CHARS || !name.chars().all(known) {
            return Err(de::Error::custom(
                "the name of an alias: letters, digits, `-` and `_`, not digits alone",
            ));
        }
        Ok(Self(name))
    }
}

/// How traffic moves to the new version.
fn strategy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Strategy, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| match error {
        StrategyError::Form => de::Error::custom(Strategy::FORM),
        error => de::Error::custom(format!("{}; {error}", Strategy::FORM)),
    })
}

/// Names of alarms with commas between them.
fn alarms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let fits = |name: &String| (1..=MAX_ALARM_CHARS).contains(&name.chars().count());
    if names.len() > MOST_ALARMS || !names.iter().all(fits) {
        return Err(de::Error::custom(
            "names of at most 10 alarms, with commas between them",
        ));
    }
    Ok(names)
}

/// The share of requests that may fail, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorRate(u32);

impl<'de> Deserialize<'de> for ErrorRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (whole, tenths) = text.split_once('.').unwrap_or((&text, "0"));
        let number = |text: &str, most: usize| {
            let fits = (1..=most).contains(&text.len());
            (fits && text.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| text.parse::<u32>().ok())?
        };
        number(whole, 2)
            .zip(number(tenths, 1))
            .map(|(whole, tenths)| Self(whole * 10 + tenths))
            .ok_or_else(|| de::Error::custom("a percentage from 0 to 99.9, such as `1` or `0.5`"))
    }
}

/// What is compared between the new and the old version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compare {
    /// How many of their requests fail.
    Errors,
    /// Nothing.
    Off,
}

/// What becomes of a rollout whose data does not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoData {
    /// It is put back.
    #[default]
    Rollback,
    /// It goes on.
    Proceed,
}

/// The function of a hook: `FUNCTION` or `FUNCTION:QUALIFIER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFunction(String);

impl HookFunction {
    /// As Lambda takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for HookFunction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '$');
        let short = name.chars().count() <= MAX_FUNCTION_CHARS + MAX_ALIAS_CHARS;
        if name.is_empty() || !short || !name.chars().all(known) {
            return Err(de::Error::custom(
                "the name or ARN of a function, with `:ALIAS` or `:VERSION` after it if one is meant",
            ));
        }
        Ok(Self(name))
    }
}
