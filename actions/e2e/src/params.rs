//! The action's `UserParameters`.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_action::job::Job;
use delivery_action::parameters::{HumanDuration, ParametersError, Params, UserParameters};
use delivery_node::junit::ReportGlob;
use delivery_node::task::Runner;
use serde::Deserialize;

use crate::application::{Application, Function};

/// Most retries: their descriptions fit into a continuation token, and a stage that still fails after
/// that is broken.
pub const MAX_RETRIES: u32 = 10;

/// The parameters of `e2e`.
#[derive(Clone, Debug)]
pub struct EndToEndParams {
    /// The task's name.
    pub task: String,
    /// What runs it; `None` means gulp if there is a gulpfile, otherwise npm.
    pub runner: Option<Runner>,
    /// The project's directory in the source.
    pub directory: String,
    /// Where the task's JUnit reports are.
    pub report: Option<ReportGlob>,
    /// How often the whole task is run again after it failed.
    pub retries: u32,
    /// How long one attempt may take; `None` means as long as the function has.
    pub timeout: Option<Duration>,
    /// What is tested, and its log shown beside a failure.
    pub application: Application,
    /// Variables that the task gets.
    pub environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keys {
    task: String,
    runner: Option<Runner>,
    #[serde(default = "repository_root")]
    directory: String,
    report: Option<ReportGlob>,
    #[serde(default)]
    retries: Retries,
    timeout: Option<HumanDuration>,
    function: Option<Function>,
    stack: Option<String>,
}

#[derive(Default)]
struct Retries(u32);

impl<'de> Deserialize<'de> for Retries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(retries @ 0..=MAX_RETRIES) => Ok(Self(retries)),
            _ => Err(serde::de::Error::custom(format_args!(
                "a whole number from 0 to {MAX_RETRIES}"
            ))),
        }
    }
}

fn repository_root() -> String {
    ".".to_owned()
}

impl Params for EndToEndParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        let environment = parameters.take_prefixed("Env.")?;
        let keys: Keys = parameters.deserialize()?;
        Ok(Self {
            task: keys.task,
            runner: keys.runner,
            directory: keys.directory,
            report: keys.report,
            retries: keys.retries.0,
            timeout: keys.timeout.map(|HumanDuration(timeout)| timeout),
            application: Application {
                function: keys.function,
                stack: keys.stack,
            },
            environment,
        })
    }
}
