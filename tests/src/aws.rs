//! The real `aws` command line, pointed at a kept environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tokio::process::Command;

use crate::checkout;

/// The `aws` program with the variables that `delivery local env` printed, and nothing else of the caller's.
#[derive(Clone, Debug)]
pub struct Aws {
    variables: BTreeMap<String, String>,
}

impl Aws {
    /// It, with these variables.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        Self { variables }
    }

    /// What it answers to these arguments.
    ///
    /// # Panics
    ///
    /// Where it is not installed or refuses: a test that cannot go on has failed.
    pub async fn ask(&self, arguments: &[&str]) -> Value {
        let output = Command::new(program())
            .args(arguments)
            .args(["--output", "json"])
            .env_clear()
            .env(
                "PATH",
                delivery_action::env::var_os("PATH").unwrap_or_default(),
            )
            .env("AWS_PAGER", "")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .envs(&self.variables)
            .output()
            .await
            .expect("`aws` is installed by scripts/test");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aws {arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// An output of a stack.
    ///
    /// # Panics
    ///
    /// Where the stack has no such output.
    pub async fn output(&self, stack: &str, name: &str) -> String {
        let stacks = self
            .ask(&["cloudformation", "describe-stacks", "--stack-name", stack])
            .await;
        let outputs = stacks["Stacks"][0]["Outputs"].as_array();
        let mut outputs = outputs.into_iter().flatten();
        let found = outputs.find(|output| output["OutputKey"] == name);
        let value = found.and_then(|output| output["OutputValue"].as_str());
        value
            .unwrap_or_else(|| panic!("no output `{name}`: {stacks:#}"))
            .to_owned()
    }

    /// What Lambda says of a function, which a stack has under this logical id.
    ///
    /// # Panics
    ///
    /// Where the stack has no such resource.
    pub async fn function_of(&self, stack: &str, logical: &str) -> Value {
        let resource = ["--stack-name", stack, "--logical-resource-id", logical];
        let resource = [
            &["cloudformation", "describe-stack-resource"],
            &resource[..],
        ]
        .concat();
        let resource = self.ask(&resource).await;
        let function = resource["StackResourceDetail"]["PhysicalResourceId"].as_str();
        let function = function.expect("a function has a name");
        let asked = [
            "lambda",
            "get-function-configuration",
            "--function-name",
            function,
        ];
        self.ask(&asked).await
    }

    /// The failed action executions of an execution: action and message.
    pub async fn failures(&self, pipeline: &str, execution: &str) -> Vec<(String, String)> {
        let filter = format!("pipelineExecutionId={execution}");
        let listed = self
            .ask(&[
                "codepipeline",
                "list-action-executions",
                "--pipeline-name",
                pipeline,
                "--filter",
                &filter,
            ])
            .await;
        let details = listed["actionExecutionDetails"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        details
            .iter()
            .filter(|detail| detail["status"] == "Failed")
            .map(|detail| {
                let message = &detail["output"]["executionResult"]["errorDetails"]["message"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (text(&detail["actionName"]), text(message))
            })
            .collect()
    }

    /// Every line in every log group.
    pub async fn logs(&self) -> Vec<String> {
        let groups = self.ask(&["logs", "describe-log-groups"]).await;
        let mut lines = Vec::new();
        for group in groups["logGroups"].as_array().into_iter().flatten() {
            let name = group["logGroupName"].as_str().unwrap_or_default();
            let events = self
                .ask(&["logs", "filter-log-events", "--log-group-name", name])
                .await;
            let events = events["events"].as_array().cloned().unwrap_or_default();
            lines.extend(
                events
                    .iter()
                    .filter_map(|event| event["message"].as_str().map(str::to_owned)),
            );
        }
        lines
    }
}

/// The one that `scripts/test` installed, else the one on the path.
fn program() -> PathBuf {
    let installed = checkout::root().join(".delivery/tools/bin/aws");
    if installed.exists() {
        installed
    } else {
        PathBuf::from("aws")
    }
}
