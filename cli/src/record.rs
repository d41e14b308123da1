//! What a run leaves: `.delivery/runs/ID/` beside the application, with its events, the logs of its actions, and one page.
//!
//! Each event is appended to `events.jsonl` as it happens, in the form of `--json` with its time, and the page is written
//! anew from all of them. So a run that is killed leaves what was known by then, and the page can be made again.

mod curve;
mod event;
mod folder;
mod history;
mod open;
mod page;
mod run;
mod select;
mod view;

use std::io;
use std::path::PathBuf;

use delivery_action::clock;

use crate::message::RunMessage;

use event::Recorded;
use folder::RunFolder;
use run::{RunRecord, State};

use crate::state_folder::lock::Lock;

pub(crate) use folder::RunsFolder;
#[cfg(test)]
pub(crate) use history::RunHistory;
pub(crate) use history::history;
#[cfg(test)]
pub(crate) use open::RunPage;
pub(crate) use open::{open, shows};
pub(crate) use view::Mark;

/// Writes down one run as it happens.
#[derive(Debug)]
pub(crate) struct Recorder {
    folder: RunFolder,
    application: String,
    record: RunRecord,
    /// As long as it is held the run is not over.
    _lock: Lock,
}

impl Recorder {
    /// Begins the record of a run, and removes the oldest ones.
    pub(crate) fn begin(runs: &RunsFolder, application: &str) -> io::Result<Self> {
        let (folder, lock) = runs.create(clock::timestamp())?;
        runs.prune(&folder);
        Ok(Self {
            folder,
            application: application.to_owned(),
            record: RunRecord::default(),
            _lock: lock,
        })
    }

    /// The message that the record begins with.
    pub(crate) fn began(&self) -> RunMessage {
        RunMessage::Run {
            run: self.folder.id().to_owned(),
            application: self.application.clone(),
            page: self.page(),
        }
    }

    /// Its page.
    pub(crate) fn page(&self) -> PathBuf {
        self.folder.page()
    }

    /// Writes down what happened.
    pub(crate) fn note(&mut self, message: &RunMessage) -> io::Result<()> {
        match message {
            // The key of the local AWS, with which anybody on this machine can run programs as this user.
            RunMessage::Environment { .. } => return Ok(()),
            RunMessage::Log {
                execution,
                stage,
                action,
                lines,
                reports,
            } => {
                let name = self.record.log_name(execution, stage, action);
                self.folder.append_log(&name, lines)?;
                return self.folder.keep_reports(&name, reports);
            }
            _ => {}
        }
        let recorded = Recorded::new(clock::timestamp(), without_key(message));
        self.folder.append(&recorded)?;
        self.record.apply(recorded);
        self.folder
            .write_page(&self.record, State::of(&self.record, true))
    }
}

/// A command that another shell runs on the local AWS assigns its key in front: it is left out.
fn without_key(message: &RunMessage) -> RunMessage {
    let mut message = message.clone();
    if let RunMessage::Approval { command, .. } = &mut message
        && let Some((_, arguments)) = command.split_once(" delivery ")
    {
        *command = format!("delivery {arguments}");
    }
    message
}

#[cfg(test)]
mod tests;
