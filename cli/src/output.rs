//! Where events go: people read standard error, programs read standard output.

pub(crate) mod document;
pub(crate) mod ending;
pub(crate) mod foreign;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod live;
pub(crate) mod report;
#[cfg(test)]
pub(crate) mod schema;
pub(crate) mod style;
pub(crate) mod teller;

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::args::Global;
use crate::event::Event;

use lines::short;
use live::Live;

/// Whether the reader of standard output has gone away (`| head`).
static READER_IS_GONE: AtomicBool = AtomicBool::new(false);

/// Tells people and programs what happens.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    live: Option<Live>,
    kept: Option<String>,
    /// The executions under way, and what people call each.
    executions: BTreeMap<String, String>,
    /// Whether executions follow each other, so that each line says whose it is.
    several: bool,
}

impl Output {
    /// Output as the command line asks for it: a live view only where a person sees one.
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal()
            && delivery_action::env::var("TERM").is_none_or(|terminal| terminal != "dumb");
        // The engine's log lines would tear the live view apart.
        let live = terminal && !global.quiet && global.verbose == 0;
        Self {
            json: global.json,
            quiet: global.quiet,
            live: live.then(Live::new),
            kept: None,
            executions: BTreeMap::new(),
            several: false,
        }
    }

    /// From now on each action's line says which execution it belongs to.
    pub(crate) fn expect_several(&mut self) {
        self.several = true;
    }

    /// Tells one event.
    pub(crate) fn tell(&mut self, event: &Event) {
        if let Event::Execution {
            execution,
            revision,
            ..
        } = event
        {
            let name = short(revision.as_ref().unwrap_or(execution)).to_owned();
            self.executions.insert(execution.clone(), name);
        }
        if self.json {
            write_stdout(&json::line(event));
        }
        if let Some(live) = &mut self.live {
            live.update(event);
        }
        if let Some(text) = self.for_people(event) {
            self.say(&text);
        }
        match event {
            Event::Environment { variables } => self.kept = Some(report::kept(variables)),
            Event::Result(result) if !self.json => {
                write_stdout(&report::report(result));
                write_stdout(&self.kept.take().unwrap_or_default());
            }
            _ => {}
        }
    }

    fn for_people(&self, event: &Event) -> Option<String> {
        if self.quiet && !matches!(event, Event::Failure(_) | Event::Result(_)) {
            return None;
        }
        // What the live view shows is not told again below it.
        if self.live.is_some()
            && matches!(
                event,
                Event::Action(_) | Event::Heartbeat { .. } | Event::Pipeline { .. }
            )
        {
            return None;
        }
        let whose = match event {
            Event::Action(action) if self.several => self.executions.get(&action.execution),
            _ => None,
        };
        lines::line(event, whose.map(String::as_str))
    }

    fn say(&self, text: &str) {
        match &self.live {
            Some(live) => live.print(text),
            None => write_stderr(text),
        }
    }
}

/// Writes data. A reader that has gone away (`| head`) is no reason to fail; commands that would go on for
/// it alone ask [`reader_is_gone`].
pub(crate) fn write_stdout(text: &str) {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        READER_IS_GONE.store(true, Ordering::Relaxed);
    }
}

/// Whether nobody reads standard output any more.
pub(crate) fn reader_is_gone() -> bool {
    READER_IS_GONE.load(Ordering::Relaxed)
}

/// Writes a line for people.
pub(crate) fn write_stderr(text: &str) {
    let mut err = anstream::stderr().lock();
    let _reader_may_have_gone = writeln!(err, "{text}");
}
