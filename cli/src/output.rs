//! Where events go: people read standard error, programs read standard output.

pub(crate) mod document;
pub(crate) mod ending;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod live;
pub(crate) mod report;
#[cfg(test)]
pub(crate) mod schema;
pub(crate) mod style;
pub(crate) mod teller;

use std::io::{IsTerminal, Write};

use crate::args::Global;
use crate::event::Event;

use live::Live;

/// Tells people and programs what happens.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    live: Option<Live>,
    kept: Option<String>,
}

impl Output {
    /// Output as the command line asks for it: a live view only where a person sees one.
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal()
            && shared::env::var("TERM").is_none_or(|terminal| terminal != "dumb");
        // The engine's log lines would tear the live view apart.
        let live = terminal && !global.quiet && global.verbose == 0;
        Self {
            json: global.json,
            quiet: global.quiet,
            live: live.then(Live::new),
            kept: None,
        }
    }

    /// Tells one event.
    pub(crate) fn tell(&mut self, event: &Event) {
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
        lines::line(event)
    }

    fn say(&self, text: &str) {
        match &self.live {
            Some(live) => live.print(text),
            None => write_stderr(text),
        }
    }
}

/// Writes data. A reader that has gone away (`| head`) is no reason to fail.
pub(crate) fn write_stdout(text: &str) {
    let mut out = anstream::stdout().lock();
    let _reader_may_have_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a line for people.
pub(crate) fn write_stderr(text: &str) {
    let mut err = anstream::stderr().lock();
    let _reader_may_have_gone = writeln!(err, "{text}");
}
