//! `delivery history`: the recorded runs.

use schemars::JsonSchema;
use serde::Serialize;

use super::folder::RunFolder;
use super::run::{RunRecord, State};
use super::select;
use crate::args::Global;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::foreign;
use crate::output::table::{plain, trimmed};
use crate::output::text::{duration, short};

/// The recorded runs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunHistory {
    /// The runs, the newest first.
    runs: Vec<ListedRun>,
}

/// A recorded run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedRun {
    /// Its id.
    run: String,
    /// When it began (RFC 3339).
    began: String,
    /// `running`, or how it ended: `success`, `failure`, `superseded`, `timeout` or `interrupted`.
    status: String,
    /// The revision that it delivered.
    revision: Option<String>,
    /// The first line of the revision's message.
    summary: Option<String>,
    /// How long it took, or has taken so far.
    seconds: f64,
    /// Its page.
    page: String,
}

impl ListedRun {
    fn of(folder: &RunFolder, record: &RunRecord) -> Self {
        let state = State::of(record, folder.is_live());
        let delivered = record.delivered();
        Self {
            run: folder.id().to_owned(),
            began: record.began.to_string(),
            status: record.status(state).to_owned(),
            revision: delivered.map(|(revision, _)| foreign::line(revision)),
            summary: delivered.map(|(_, summary)| foreign::line(summary)),
            seconds: record.seconds(),
            page: folder.page().display().to_string(),
        }
    }
}

impl CommandAnswer for RunHistory {
    const TYPE: &'static str = "history";

    fn text(&self) -> String {
        let mut table = plain();
        table.set_header(["RUN", "STATUS", "COMMIT", "TIME", "MESSAGE"]);
        for one in &self.runs {
            table.add_row([
                one.run.clone(),
                one.status.clone(),
                one.revision.as_deref().map_or("-", short).to_owned(),
                duration(one.seconds),
                one.summary.clone().unwrap_or_default(),
            ]);
        }
        let newest = self.runs.first().map(|one| one.run.as_str());
        format!(
            "{}\n\n`delivery open {}` opens a run's page\n",
            trimmed(table),
            newest.unwrap_or("RUN")
        )
    }
}

/// The command.
pub(crate) fn history(global: &Global) -> Result<Exit, CliError> {
    let runs = select::runs()?;
    let read = runs
        .iter()
        .map(|run| Ok(ListedRun::of(run, &select::read(run)?)));
    let shown = RunHistory {
        runs: read.collect::<Result<_, CliError>>()?,
    };
    answer::print(global.json, &shown);
    Ok(Exit::Success)
}
