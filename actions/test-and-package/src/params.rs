//! The action's `UserParameters`.

use std::collections::BTreeMap;

use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_node::junit::ReportGlob;
use delivery_node::task::Runner;
use serde::Deserialize;

/// The action's own keys; every other key is the name of an output artifact.
const OWN_KEYS: [&str; 4] = ["directory", "report", "runner", "task"];

/// The parameters of `test-and-package`.
#[derive(Clone, Debug)]
pub struct TestAndPackageParams {
    /// The task's name.
    pub task: String,
    /// What runs it; `None` means gulp if there is a gulpfile, otherwise npm.
    pub runner: Option<Runner>,
    /// The project's directory in the source.
    pub directory: String,
    /// Where the task's JUnit reports are.
    pub report: Option<ReportGlob>,
    /// The path to store as each output artifact.
    pub outputs: BTreeMap<String, String>,
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
}

fn repository_root() -> String {
    ".".to_owned()
}

/// Whether the action has a key with this name.
pub(crate) fn is_own_key(name: &str) -> bool {
    OWN_KEYS.contains(&name)
}

impl Params for TestAndPackageParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        job: &Job,
    ) -> Result<Self, ParametersError> {
        let environment = parameters.take_prefixed("Env.")?;
        let mut outputs = BTreeMap::new();
        for artifact in job
            .output_artifacts
            .iter()
            .filter(|artifact| !is_own_key(&artifact.name))
        {
            if let Some(path) = parameters.take(&artifact.name) {
                outputs.insert(artifact.name.clone(), path);
            }
        }
        let keys: Keys = parameters.deserialize()?;
        Ok(Self {
            task: keys.task,
            runner: keys.runner,
            directory: keys.directory,
            report: keys.report,
            outputs,
            environment,
        })
    }
}
