//! What a command tells while it works: one JSON object a line to standard output, or a line for people
//! to standard error.

use std::io::IsTerminal;

use schemars::JsonSchema;
use serde::Serialize;

use super::{write_stderr, write_stdout};
use crate::args::Global;
use crate::event::FORMAT_VERSION;

/// One thing that happened: an enum whose `type` names the variant.
pub(crate) trait Told: Serialize + JsonSchema {
    /// The line for people; `None` where it says nothing new to them.
    fn line(&self) -> Option<String>;

    /// Whether people are told it also with `--quiet`.
    fn is_essential(&self) -> bool {
        false
    }
}

#[derive(Serialize)]
struct Line<'a, T> {
    v: u8,
    #[serde(flatten)]
    told: &'a T,
}

/// Tells people and programs what happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teller {
    json: bool,
    quiet: bool,
}

impl Teller {
    /// Tells as the command line asks for it.
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            json: global.json,
            quiet: global.quiet,
        }
    }

    /// Whether programs read standard output.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Tells one thing.
    pub(crate) fn tell<T: Told>(self, told: &T) {
        if self.json {
            let line = Line {
                v: FORMAT_VERSION,
                told,
            };
            let text =
                serde_json::to_string(&line).expect("what is told holds nothing JSON cannot");
            write_stdout(&format!("{text}\n"));
        }
        if self.quiet && !told.is_essential() {
            return;
        }
        if let Some(line) = told.line() {
            write_stderr(&line);
        }
    }
}

/// Whether there is a person to ask: questions are put only where both the question is seen and the answer
/// is typed on a terminal, and never in continuous integration.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && delivery_action::env::var("CI").is_none()
}
