//! Reports what happens: text for people on standard error, JSON lines for programs on standard output, and
//! on a terminal a live view below the text.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::live::Live;
use super::text::{short, text};
use super::{json, summary, write_stderr, write_stdout};
use crate::args::Global;
use crate::message::{Message, RunMessage};
use crate::record::Recorder;

/// Renders messages as the command line asks for it.
#[derive(Debug)]
pub(crate) struct Reporter {
    json: bool,
    quiet: bool,
    /// Whether executions run at the same time, so that each action's line names its execution.
    names_executions: bool,
    live: Option<Live>,
    seen: Mutex<Seen>,
    recording: Mutex<Recording>,
}

/// Whether what is reported is written down.
#[derive(Debug, Default)]
enum Recording {
    /// It is not.
    #[default]
    Off,
    /// It will be: these are to be written down first.
    Awaited(Vec<RunMessage>),
    /// It is.
    On(Box<Recorder>),
}

/// What earlier messages said that later ones need.
#[derive(Debug, Default)]
struct Seen {
    /// The executions' ids, and what people call each: the beginning of its revision's id.
    execution_names: BTreeMap<String, String>,
    /// How what stays up is reached; it ends the output.
    kept: &'static str,
    /// Failures that are not shown yet.
    failures: Vec<String>,
}

impl Reporter {
    /// A reporter with a live view only where a person sees one.
    pub(crate) fn new(global: &Global) -> Self {
        let is_terminal = std::io::stderr().is_terminal()
            && delivery_action::env::var("TERM").is_none_or(|terminal| terminal != "dumb")
            && delivery_action::env::var("CI").is_none();
        // Log lines of `--verbose` are printed past the view and would tear it apart.
        let is_live = is_terminal && !global.quiet && global.verbose == 0;
        Self {
            json: global.json,
            quiet: global.quiet,
            names_executions: false,
            live: is_live.then(Live::new),
            seen: Mutex::default(),
            recording: Mutex::default(),
        }
    }

    /// From now on what is reported is remembered for a record that begins later.
    pub(crate) fn await_recorder(&self) {
        *self.recording() = Recording::Awaited(Vec::new());
    }

    /// Writes down what was remembered, and all that is reported from now on.
    pub(crate) fn record(&self, recorder: Recorder) {
        let began = recorder.began();
        let before = std::mem::replace(&mut *self.recording(), Recording::On(Box::new(recorder)));
        self.report(began);
        if let Recording::Awaited(messages) = before {
            for message in messages {
                self.write_down(&message);
            }
        }
    }

    /// Writes a message down that people are not told.
    pub(crate) fn write_down(&self, message: &RunMessage) {
        let failed = match &mut *self.recording() {
            Recording::Off => None,
            Recording::Awaited(messages) => {
                messages.push(message.clone());
                None
            }
            Recording::On(recorder) => recorder.note(message).err(),
        };
        // The run goes on without its page.
        if let Some(error) = failed {
            *self.recording() = Recording::Off;
            self.notice(format!("the run's page is not written any more: {error}"));
        }
    }

    /// The page of the run, where it is recorded.
    pub(crate) fn page(&self) -> Option<PathBuf> {
        match &*self.recording() {
            Recording::On(recorder) => Some(recorder.page()),
            _ => None,
        }
    }

    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A reporter for a command whose answer is all that standard output gets: messages are text, with `--json` too.
    pub(crate) fn for_answer(global: &Global) -> Self {
        Self {
            json: false,
            ..Self::new(global)
        }
    }

    /// From now on each action's line names its execution.
    pub(crate) fn name_executions(&mut self) {
        self.names_executions = true;
    }

    /// Whether a person is at the terminal, who can press keys.
    pub(crate) fn takes_keys(&self) -> bool {
        self.live.is_some() && !self.json
    }

    /// Whether a program reads standard output.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Reports one message.
    pub(crate) fn report(&self, message: impl Into<Message>) {
        let message = message.into();
        if let Message::Run(message) = &message {
            self.write_down(message);
        }
        self.show(&message);
    }

    /// Shows a message that is not written down: what it says is known already.
    pub(crate) fn show(&self, message: &Message) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.note(message);
        if let Some(live) = &self.live {
            live.update(message);
        }
        let mut text = self.text(message, &seen);
        if self.live.is_some() {
            text = seen.last(message, text);
        }
        let print = || {
            if self.json {
                write_stdout(&json::line(None, message));
            }
            match (text, message) {
                (Some(_), Message::Log(_)) if self.json => {}
                (Some(text), Message::Log(_)) => write_stdout(&format!("{text}\n")),
                (Some(text), _) => write_stderr(&text),
                (None, _) => {}
            }
            if let Message::Run(RunMessage::Result(result)) = message
                && !self.json
            {
                // The view stays on the terminal, and is the same.
                let actions = self.live.is_none() || !std::io::stdout().is_terminal();
                write_stdout(&format!(
                    "{}{}",
                    summary::summary(result, actions),
                    seen.kept
                ));
            }
        };
        match &self.live {
            Some(live) => live.print_above(print),
            None => print(),
        }
    }

    /// Reports a sentence.
    pub(crate) fn notice(&self, message: impl Into<String>) {
        self.report(RunMessage::Notice {
            message: message.into(),
        });
    }

    /// Shows what is in progress, until [`Self::clear_progress`]; says whether a person sees it.
    pub(crate) fn show_progress(&self, what: &str) -> bool {
        if let Some(live) = &self.live {
            live.show_progress(what);
        }
        self.live.is_some()
    }

    /// Removes the line of [`Self::show_progress`].
    pub(crate) fn clear_progress(&self) {
        if let Some(live) = &self.live {
            live.clear_progress();
        }
    }

    fn text(&self, message: &Message, seen: &Seen) -> Option<String> {
        let is_in_view = self.live.is_some() && Live::shows(message);
        if is_in_view || self.quiet && !message.is_essential() {
            return None;
        }
        let execution = match message {
            Message::Run(RunMessage::Action(action)) if self.names_executions => {
                seen.execution_names.get(&action.execution)
            }
            _ => None,
        };
        text(message, execution.map(String::as_str))
    }
}

impl Seen {
    /// What is printed with a message beside a live view: failures come below the view, which stays as a whole when its
    /// execution ends, and would be scrolled away above it.
    fn last(&mut self, message: &Message, text: Option<String>) -> Option<String> {
        match message {
            Message::Run(RunMessage::Failure(_)) => {
                self.failures.extend(text);
                None
            }
            Message::Run(RunMessage::Execution { status, .. })
                if !matches!(status.as_str(), "InProgress" | "Stopping") =>
            {
                joined(text.into_iter().chain(self.failures.drain(..)))
            }
            Message::Run(RunMessage::Result(_)) => joined(self.failures.drain(..).chain(text)),
            _ => text,
        }
    }

    fn note(&mut self, message: &Message) {
        match message {
            Message::Run(RunMessage::Execution {
                execution,
                revision,
                ..
            }) => {
                let name = short(revision.as_ref().unwrap_or(execution)).to_owned();
                self.execution_names.insert(execution.clone(), name);
            }
            Message::Run(RunMessage::Environment { .. }) => self.kept = summary::KEPT,
            _ => {}
        }
    }
}

/// Texts as one; `None` where there is none.
fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Whether there is a person to ask: questions are put only where both the question is seen and the answer
/// is typed on a terminal, and never in continuous integration.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && delivery_action::env::var("CI").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::run_examples;

    #[test]
    fn beside_a_live_view_failures_follow_the_end_of_their_execution() {
        let failure = run_examples()
            .into_iter()
            .find(|message| matches!(message, RunMessage::Failure(_)))
            .unwrap();
        let execution = |status: &str| {
            Message::from(RunMessage::Execution {
                execution: "e".to_owned(),
                status: status.to_owned(),
                revision: None,
                summary: None,
            })
        };
        let mut seen = Seen::default();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(seen.last(&failure.into(), text("error")), None);
        assert_eq!(seen.last(&execution("InProgress"), text("on")), text("on"));
        assert_eq!(
            seen.last(&execution("Failed"), text("failed")),
            text("failed\nerror")
        );
        assert_eq!(
            seen.last(&execution("Failed"), text("failed")),
            text("failed")
        );
    }
}
