//! `delivery env down`: removes a member of a family, with everything that was deployed to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use delivery_release::environment::{Record, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::release::is_there;
use super::undeploy::{self, Followed};
use crate::args::Global;
use crate::args::release::EnvDown;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::{Reporter, foreign};
use crate::release::place::Releases;
use crate::release::refusal::{Refusal, agree};

/// An environment that is being removed, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Removed {
    /// The environment.
    environment: String,
    /// Whether it is gone; `false` where that was not waited for.
    gone: bool,
    /// What the function says of each service.
    services: BTreeMap<String, String>,
    /// The command to go on with.
    next: Option<String>,
}

impl CommandAnswer for Removed {
    const TYPE: &'static str = "environment-removed";

    fn text(&self) -> String {
        let mut text = if self.gone {
            format!("✓ {} is gone\n", self.environment)
        } else {
            format!("• {} is being removed\n", self.environment)
        };
        for (service, summary) in &self.services {
            let _infallible = writeln!(text, "  {service}: {summary}");
        }
        if let Some(next) = &self.next {
            let _infallible = writeln!(text, "next: {next}");
        }
        text
    }
}

/// The command.
pub(super) async fn down(global: &Global, arguments: &EnvDown) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let environment = releases.member(&arguments.environment).await?;
    let name = environment.name().to_string();
    let state = environment.state().await?;
    if state.deployments == 0 {
        return Err(Refusal::Absent { environment: name }.into());
    }
    if !is_there(&state) {
        answer::print(global.json, &gone(&name, None));
        return Ok(Exit::Success);
    }
    let function = undeploy::function(&releases.target)?;
    let question = format!("Remove {name} with everything that was deployed to it?");
    let otherwise = format!("`{name}` stays");
    agree(arguments.yes, global.json, &question, &otherwise)?;
    undeploy::ask(&releases.target, function, &environment).await?;
    if arguments.no_wait {
        let removed = Removed {
            gone: false,
            next: Some("delivery env ls".to_owned()),
            ..gone(&name, None)
        };
        answer::print(global.json, &removed);
        return Ok(Exit::Success);
    }
    let reporter = Reporter::for_answer(global);
    let timeout = arguments.timeout;
    let before = ended(&state);
    match undeploy::follow(&environment, before, timeout, &reporter).await? {
        Followed::Gone(record) => {
            answer::print(global.json, &gone(&name, Some(&record)));
            Ok(Exit::Success)
        }
        Followed::Interrupted => {
            reporter.notice(format!(
                "interrupted; the removal goes on: `delivery env down {name}` follows it"
            ));
            Ok(Exit::Interrupted)
        }
    }
}

/// How many deployments have ended. A removal that is under way already is the one that is followed.
pub(super) fn ended(state: &State) -> u64 {
    state.deployments - u64::from(state.lease.is_some())
}

fn gone(environment: &str, record: Option<&Record>) -> Removed {
    let services = record.iter().flat_map(|record| &record.services);
    let services = services.filter_map(|(name, change)| {
        let summary = change.summary.as_deref()?;
        Some((name.clone(), foreign::line(summary)))
    });
    Removed {
        environment: environment.to_owned(),
        gone: true,
        services: services.collect(),
        next: None,
    }
}
