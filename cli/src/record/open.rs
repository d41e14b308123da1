//! `delivery open`: shows a run's page in the browser.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use schemars::JsonSchema;
use serde::Serialize;

use super::run::State;
use super::select;
use crate::args::Global;
use crate::args::record::Open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::write_stderr;

/// A run's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunPage {
    /// The run's id.
    run: String,
    /// The page.
    page: PathBuf,
    /// Whether a browser was asked to show it.
    opened: bool,
}

impl CommandAnswer for RunPage {
    const TYPE: &'static str = "page";

    fn text(&self) -> String {
        format!("{}\n", self.page.display())
    }
}

/// The command.
pub(crate) fn open(global: &Global, arguments: &Open) -> Result<Exit, CliError> {
    let (folder, record) = select::select(arguments.run.as_deref())?;
    let state = State::of(&record, folder.is_live());
    // Of a run that was killed the page still says that it goes on.
    folder
        .write_page(&record, state)
        .map_err(|source| CliError::File {
            verb: "write",
            path: folder.page(),
            source,
        })?;
    let page = folder.page();
    let is_asked = !arguments.print && !global.json && std::io::stderr().is_terminal();
    let opened = is_asked && shows(&page);
    if is_asked && !opened {
        write_stderr("no browser can be started from here; the page:");
    }
    answer::print(
        global.json,
        &RunPage {
            run: folder.id().to_owned(),
            page,
            opened,
        },
    );
    Ok(Exit::Success)
}

/// Asks the browser to show a page; says whether there is one.
pub(crate) fn shows(page: &Path) -> bool {
    opener().is_some_and(|opener| start(opener, page))
}

/// The program that opens files as the user would; none where there is no desktop.
fn opener() -> Option<&'static str> {
    if cfg!(target_os = "macos") {
        return Some("open");
    }
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"];
    let has_display = has_display.map(delivery_action::env::var);
    has_display
        .iter()
        .any(Option::is_some)
        .then_some("xdg-open")
}

/// Starts the program and does not wait: some openers end only with the browser.
fn start(program: &str, page: &Path) -> bool {
    let mut command = Command::new(program);
    let command = command.arg(page).stdin(Stdio::null());
    let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.is_ok()
}
