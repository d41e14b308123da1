//! `delivery rollout finish` and `abort`: one call of Lambda each, on the alias that was shown.

use delivery_rollout::{Change, Marker, abort as aborted, finish as finished};
use schemars::JsonSchema;
use serde::Serialize;

use super::subject::{Look, Subject, caller, changed_meanwhile};
use crate::args::Global;
use crate::args::rollout::{Abort, Finish, Subject as Arguments};
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::reporter::can_ask;
use crate::output::write_stderr;
use crate::stack::question;

/// The reason where none is given.
const NO_REASON: &str = "no reason given";

/// A rollout that a person ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Intervened {
    /// The function and its alias.
    alias: String,
    /// `finished` or `aborted`.
    done: &'static str,
    /// The version that has all traffic now.
    version: String,
    /// The version that has none now.
    other: String,
    /// The command to go on with.
    next: String,
}

impl CommandAnswer for Intervened {
    const TYPE: &'static str = "rollout-ended";

    fn text(&self) -> String {
        let sign = if self.done == "finished" {
            "✓"
        } else {
            "✗"
        };
        format!(
            "{sign} {} the rollout of {}: version {} has all traffic, version {} none\nnext: {}\n",
            self.done, self.alias, self.version, self.other, self.next
        )
    }
}

pub(super) async fn finish(global: &Global, arguments: &Finish) -> Result<Exit, CliError> {
    let subject = Subject::find(global, &arguments.subject).await?;
    let look = subject.look().await?;
    let marker = under_way(&look)?.clone();
    ask(global, arguments.yes, "finish", &look, &marker)?;
    let by = caller(&subject.cloud).await?;
    let change = finished(&look.found.alias, look.good_version(), &by);
    let change = change.expect("a rollout is under way");
    set(&look, &change).await?;
    // The action does this, too; but it may be dead, and what a person has found good is what others go back to.
    let good = look.alias.good();
    let before = look.good_version().map(str::to_owned);
    let kept = good.keep(look.good.as_ref(), &change.version, before).await;
    kept.map_err(|error| changed_meanwhile(&good, error))?;
    print(
        global,
        &arguments.subject,
        &look,
        "finished",
        &marker.new,
        &marker.stable,
    );
    Ok(Exit::Success)
}

pub(super) async fn abort(global: &Global, arguments: &Abort) -> Result<Exit, CliError> {
    let subject = Subject::find(global, &arguments.subject).await?;
    let look = subject.look().await?;
    let marker = under_way(&look)?.clone();
    ask(global, arguments.yes, "abort", &look, &marker)?;
    let by = caller(&subject.cloud).await?;
    let why = arguments.message.as_deref().unwrap_or(NO_REASON);
    let change = aborted(&look.found.alias, look.good_version(), &by, why);
    let change = change.expect("a rollout is under way");
    set(&look, &change).await?;
    print(
        global,
        &arguments.subject,
        &look,
        "aborted",
        &change.version,
        &marker.new,
    );
    Ok(Exit::Success)
}

fn under_way(look: &Look) -> Result<&Marker, InterveneError> {
    look.under_way()
        .ok_or_else(|| InterveneError::NothingUnderWay {
            alias: look.alias.resource(),
            version: look.found.alias.version.clone(),
        })
}

fn ask(
    global: &Global,
    yes: bool,
    verb: &'static str,
    look: &Look,
    marker: &Marker,
) -> Result<(), InterveneError> {
    if yes {
        return Ok(());
    }
    if global.json || !can_ask() {
        return Err(InterveneError::CannotAsk { verb });
    }
    write_stderr(&format!(
        "{}: version {} has {} % of the traffic, version {} the rest",
        look.alias.resource(),
        marker.new,
        look.percent(&marker.new),
        marker.stable
    ));
    let question = match verb {
        "finish" => format!("Give version {} all traffic now?", marker.new),
        _ => format!("Give version {} all traffic back?", marker.stable),
    };
    match question::confirm(&question) {
        question::Answer::Yes => Ok(()),
        question::Answer::No => Err(InterveneError::Declined),
        question::Answer::Interrupted => Err(InterveneError::Interrupted),
        question::Answer::NotATerminal => Err(InterveneError::CannotAsk { verb }),
    }
}

async fn set(look: &Look, change: &Change) -> Result<(), CliError> {
    let changed = look.alias.change(&look.found, change).await;
    changed
        .map(drop)
        .map_err(|error| changed_meanwhile(&look.alias, error))
}

fn print(
    global: &Global,
    arguments: &Arguments,
    look: &Look,
    done: &'static str,
    version: &str,
    other: &str,
) {
    let environment = &arguments.environment;
    let ended = Intervened {
        alias: look.alias.resource(),
        done,
        version: version.to_owned(),
        other: other.to_owned(),
        next: match &arguments.function {
            Some(function) => format!("delivery rollout show {environment} --function {function}"),
            None => "delivery status".to_owned(),
        },
    };
    answer::print(global.json, &ended);
}

/// Why no rollout was ended.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum InterveneError {
    #[error("no rollout of `{alias}` is under way: all traffic is on version {version}")]
    NothingUnderWay { alias: String, version: String },
    #[error("cannot ask whether to {verb} the rollout: not a terminal")]
    CannotAsk { verb: &'static str },
    #[error("nothing was changed")]
    Declined,
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

impl Explained for InterveneError {
    fn exit(&self) -> Exit {
        match self {
            Self::NothingUnderWay { .. } => Exit::NotFound,
            Self::CannotAsk { .. } => Exit::Usage,
            Self::Declined => Exit::Failed,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NothingUnderWay { .. } => "no-rollout",
            Self::CannotAsk { .. } => "usage",
            Self::Declined => "declined",
            Self::Interrupted => "interrupted",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NothingUnderWay { .. } => Some(
                "to bring back what the environment had before: `delivery rollback ENV`".to_owned(),
            ),
            Self::CannotAsk { .. } => Some("to answer yes: `--yes`".to_owned()),
            Self::Declined | Self::Interrupted => None,
        }
    }
}
