//! `delivery env unlock`: a person says that nobody is working on a deployment any more.

use schemars::JsonSchema;
use serde::Serialize;

use super::release::word;
use crate::args::Global;
use crate::args::release::Unlock;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::foreign;
use crate::output::write_stderr;
use crate::pipeline::caller;
use crate::release::place::Releases;
use crate::release::refusal::{Refusal, agree};

/// A lease that was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unlocked {
    /// The environment.
    environment: String,
    /// The deployment, which has ended as abandoned.
    deployment: String,
    /// Who had the lease: an execution, or a command.
    owner: String,
}

impl CommandAnswer for Unlocked {
    const TYPE: &'static str = "environment-unlocked";

    fn text(&self) -> String {
        format!(
            "✓ deployment {} of {} has ended as abandoned; {} may have some of it\n",
            self.deployment, self.environment, self.environment
        )
    }
}

/// The command.
pub(super) async fn unlock(global: &Global, arguments: &Unlock) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let environment = releases.environment(&arguments.environment).await?;
    let name = environment.name().to_string();
    let lease = environment.state().await?.lease;
    let lease = lease.ok_or_else(|| Refusal::NotLocked {
        environment: name.clone(),
    })?;
    let deployment = &lease.deployment;
    let owner = foreign::line(&deployment.owner);
    if !global.json && !global.quiet {
        write_stderr(&format!(
            "{name} is being changed by {} ({owner}): {} since {}, its lease lasts until {}\n\
             this stops nothing that still works on it: stop its execution first (`delivery stop`)",
            foreign::line(&deployment.by),
            word(&deployment.action),
            deployment.began,
            lease.until
        ));
    }
    let question = format!("Release the lease of {owner}?");
    let otherwise = format!("the lease of `{name}` stays");
    agree(arguments.yes, global.json, &question, &otherwise)?;
    let by = caller(&releases.target.cloud).await?;
    let now = delivery_action::clock::timestamp();
    let record = environment.unlock(&deployment.id, &by, now).await?;
    let unlocked = Unlocked {
        environment: name,
        deployment: record.deployment.id.to_string(),
        owner,
    };
    answer::print(global.json, &unlocked);
    Ok(Exit::Success)
}
