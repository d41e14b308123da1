//! What a rollback did, for people and as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::rollout::Rollback;
use crate::error::CliError;
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::output::answer::CommandAnswer;
use crate::output::text::short;
use crate::pipeline::start::Following;
use crate::pipeline::state::Revision;
use crate::pipeline::target::Target;

/// What a rollback did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolledBack {
    /// The environment.
    pub(super) environment: String,
    /// The commit that it goes back to; `null` where rollouts were aborted, or only a function went back.
    pub(super) revision: Option<Revision>,
    /// The release that it goes back to, where it has releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) release: Option<String>,
    /// Its functions, and the versions that have all traffic now.
    pub(super) functions: Vec<FunctionBack>,
    /// The execution that brings back everything else in the stage.
    pub(super) execution: Option<String>,
    /// The pipeline of that execution.
    pub(super) pipeline: String,
    /// Why nothing but the functions goes back, where that is so.
    pub(super) only_functions: Option<String>,
    /// The stage that nothing is delivered to until `delivery resume`; `null` where no pipeline delivers there by itself.
    pub(super) held: Option<String>,
    /// The commands to go on with.
    pub(super) next: Vec<String>,
}

/// A function that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FunctionBack {
    /// The function and its alias.
    pub(super) alias: String,
    /// The version that has all traffic now.
    pub(super) version: String,
    /// The version that had it.
    pub(super) from: String,
}

impl CommandAnswer for RolledBack {
    const TYPE: &'static str = "rollback";

    fn text(&self) -> String {
        let mut lines = Vec::new();
        if let Some(revision) = &self.revision {
            let environment = &self.environment;
            let release = self.release.as_ref();
            let release = release.map_or_else(String::new, |id| format!("release {id} of "));
            let sign = if self.functions.is_empty() {
                "•"
            } else {
                "✓"
            };
            lines.push(format!(
                "{sign} {environment} goes back to {release}{}",
                revision.short_form()
            ));
        }
        for FunctionBack {
            alias,
            version,
            from,
        } in &self.functions
        {
            lines.push(format!(
                "✓ {alias}: version {version} has all traffic, version {from} none"
            ));
        }
        match (&self.execution, &self.only_functions) {
            (Some(execution), _) => lines.push(format!(
                "• execution {} of {} brings back {}",
                short(execution),
                self.place(),
                if self.functions.is_empty() {
                    "all of it; until it ends the environment has what it had"
                } else {
                    "the rest of it"
                }
            )),
            (None, Some(why)) => lines.push(format!("✗ only functions went back: {why}")),
            (None, None) => {}
        }
        if let Some(held) = &self.held {
            lines.push(format!(
                "■ nothing is delivered to {held} until it is resumed"
            ));
        }
        lines.push(format!("next: {}\n", self.next.join("\n      ")));
        lines.join("\n")
    }
}

impl RolledBack {
    /// Where the execution is that brings back the rest: the stage, or the pipeline that applies releases.
    fn place(&self) -> &str {
        match (&self.release, &self.held) {
            (None, Some(stage)) => stage,
            _ => &self.pipeline,
        }
    }

    /// Follows the execution that brings back the rest, where there is one and that was asked for.
    pub(super) async fn end(
        &self,
        global: &Global,
        arguments: &Rollback,
        target: &Target,
        pipeline: Pipeline,
    ) -> Result<Exit, CliError> {
        let Some(execution) = self.execution.as_ref().filter(|_| arguments.waiting.wait) else {
            return Ok(Exit::Success);
        };
        let next = &self.next[0];
        let following = Following::prepare(&pipeline).await?;
        following
            .follow(
                global,
                target,
                pipeline,
                execution,
                arguments.waiting.timeout,
                next,
            )
            .await
    }
}
