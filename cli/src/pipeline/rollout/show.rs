//! `delivery rollout show`.

use std::time::Duration;

use console::Term;
use delivery_rollout::{End, Phase};

use super::state::{RolloutDocument, RolloutState};
use super::subject::{Look, Subject};
use super::versions;
use crate::args::Global;
use crate::args::rollout::Show;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::{foreign, write_stdout};
use crate::pipeline::delivered::history::{self, AppRun};

/// Between two looks of `--follow`: as often as the action looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn show(global: &Global, arguments: &Show) -> Result<Exit, CliError> {
    let subject = Subject::find(global, &arguments.subject).await?;
    let mut shown = look(&subject).await?;
    if !arguments.follow {
        answer::print(global.json, &shown);
        return Ok(Exit::Success);
    }
    let mut screen = Screen::default();
    while shown.rollout.is_some() {
        screen.draw(global, &shown);
        tokio::time::sleep(LOOK_EVERY).await;
        shown = look(&subject).await?;
    }
    screen.draw(global, &shown);
    Ok(match &shown.ended {
        Some(_) => Exit::PipelineFailed,
        None => Exit::Success,
    })
}

/// The document that is drawn again and again, where there is a terminal; else only what changed is printed.
#[derive(Debug, Default)]
struct Screen {
    lines: usize,
    last: Option<String>,
}

impl Screen {
    fn draw(&mut self, global: &Global, shown: &RolloutDocument) {
        if global.json {
            answer::print(true, shown);
            return;
        }
        let text = shown.text();
        if self.last.as_ref() == Some(&text) {
            return;
        }
        let terminal = Term::stdout();
        if terminal.is_term() {
            let _gone_with_the_terminal = terminal.clear_last_lines(self.lines);
            self.lines = text.lines().count();
        }
        write_stdout(&text);
        self.last = Some(text);
    }
}

/// Reads everything that is shown.
async fn look(subject: &Subject) -> Result<RolloutDocument, CliError> {
    let look = subject.look().await?;
    let runs = match &subject.place {
        Some(place) => history::app_runs(place).await?,
        None => Vec::new(),
    };
    let runs: Vec<AppRun> = runs
        .into_iter()
        .filter(|run| run.action == subject.app.action)
        .collect();
    let rollout = match look.under_way() {
        Some(marker) => {
            let run = runs
                .iter()
                .find(|run| marker.is_of_execution(&run.execution));
            Some(RolloutState::of(subject, &look, marker, run).await)
        }
        None => None,
    };
    Ok(RolloutDocument {
        environment: subject.app.alias.clone(),
        service: subject.app.service.clone(),
        alias: look.alias.resource(),
        version: look.found.alias.version.clone(),
        revision: look.description().revision.as_deref().map(foreign::line),
        good: look.good_version().map(str::to_owned),
        next: next(subject, rollout.is_some()),
        rollout,
        ended: ended(&look),
        versions: versions::list(subject, &look, &runs).await?,
    })
}

/// How the last rollout was taken back, if it was.
fn ended(look: &Look) -> Option<String> {
    let marker = look.description().marker.as_ref()?;
    match &marker.phase {
        Phase::Ended(End::Finished { .. }) => None,
        Phase::Ended(end) => Some(foreign::line(&format!("version {}: {end}", marker.new))),
        _ => None,
    }
}

fn next(subject: &Subject, is_under_way: bool) -> Vec<String> {
    let environment = &subject.app.alias;
    let choice = match (&subject.app.service, &subject.place) {
        (Some(service), _) => format!(" --service {service}"),
        (None, None) => format!(" --function {}", subject.app.function),
        (None, Some(_)) => String::new(),
    };
    if is_under_way {
        let commands = ["finish", "abort"]
            .map(|word| format!("delivery rollout {word} {environment}{choice}"));
        return commands.to_vec();
    }
    match subject.place {
        Some(_) => vec![format!("delivery rollback {environment}")],
        None => Vec::new(),
    }
}
