//! What a person sees while a command waits: lines, and on a terminal one live line below them.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::told::News;
use crate::args::Global;
use crate::output::teller::{Teller, Told};

/// How often the elapsed time moves; a person sees no more.
const TICK: Duration = Duration::from_millis(120);

/// Tells, and shows what is going on.
#[derive(Clone, Debug)]
pub(crate) struct View {
    teller: Teller,
    line: Option<ProgressBar>,
}

impl View {
    /// A view as the command line asks for it: a live line only where a person sees it.
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal()
            && delivery_action::env::var("TERM").is_none_or(|terminal| terminal != "dumb")
            && delivery_action::env::var("CI").is_none();
        let live = terminal && !global.quiet && global.verbose == 0;
        Self {
            teller: Teller::new(global),
            line: live.then(|| {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.set_style(
                    ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}")
                        .expect("the template is a constant"),
                );
                bar
            }),
        }
    }

    /// Whether programs read standard output.
    pub(crate) fn is_json(&self) -> bool {
        self.teller.is_json()
    }

    /// Tells one thing.
    pub(crate) fn tell<T: Told>(&self, told: &T) {
        match &self.line {
            Some(line) => line.suspend(|| self.teller.tell(told)),
            None => self.teller.tell(told),
        }
    }

    /// Tells a sentence.
    pub(crate) fn say(&self, message: impl Into<String>) {
        self.tell(&News::Notice {
            message: message.into(),
        });
    }

    /// Shows what is going on now; says whether a person sees it.
    pub(crate) fn show(&self, what: &str) -> bool {
        let Some(line) = &self.line else { return false };
        line.set_message(what.to_owned());
        line.enable_steady_tick(TICK);
        true
    }

    /// Takes the live line away.
    pub(crate) fn rest(&self) {
        if let Some(line) = &self.line {
            line.disable_steady_tick();
            line.finish_and_clear();
        }
    }
}
