//! The live view on a terminal: every stage and action with its status and elapsed time.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::{action_line, mark};
use super::write_stderr;
use crate::event::{ActionReport, Event, StageShape};

/// How often the elapsed times move; a person sees no more.
const TICK: Duration = Duration::from_millis(120);

/// The view. It stands below all lines that are printed while it is there.
#[derive(Debug)]
pub(crate) struct Live {
    bars: MultiProgress,
    stages: Vec<StageShape>,
    execution: Option<String>,
    headings: Vec<ProgressBar>,
    actions: HashMap<(String, String), ProgressBar>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            stages: Vec::new(),
            execution: None,
            headings: Vec::new(),
            actions: HashMap::new(),
        }
    }

    /// Prints above the view.
    pub(crate) fn print(&self, text: &str) {
        self.bars.suspend(|| write_stderr(text));
    }

    /// Brings the view up to date.
    pub(crate) fn update(&mut self, event: &Event) {
        match event {
            Event::Pipeline { stages, .. } => self.stages.clone_from(stages),
            Event::Execution {
                execution, status, ..
            } if status == "InProgress" && self.execution.as_ref() != Some(execution) => {
                self.close();
                self.execution = Some(execution.clone());
                self.open();
            }
            Event::Action(action) if self.execution.as_ref() == Some(&action.execution) => {
                self.show(action);
            }
            Event::Result(_) => self.close(),
            _ => {}
        }
    }

    fn open(&mut self) {
        for stage in &self.stages {
            let heading = self.bars.add(ProgressBar::new_spinner());
            heading.set_style(style("{msg:.bold}"));
            heading.set_message(stage.name.clone());
            heading.tick();
            self.headings.push(heading);
            for action in &stage.actions {
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(style("  {msg}"));
                bar.set_message(format!("{} {action}", mark("")));
                bar.tick();
                self.actions
                    .insert((stage.name.clone(), action.clone()), bar);
            }
        }
    }

    fn show(&self, action: &ActionReport) {
        let Some(bar) = self
            .actions
            .get(&(action.stage.clone(), action.action.clone()))
        else {
            return;
        };
        if action.status == "InProgress" {
            bar.set_style(style("  {spinner:.cyan} {msg} {elapsed:.dim}"));
            bar.set_message(format!("{:<11} {}", action.status, action.action));
            bar.reset_elapsed();
            bar.enable_steady_tick(TICK);
        } else {
            bar.disable_steady_tick();
            bar.set_style(style("  {msg}"));
            bar.set_message(action_line(action).replace(&format!("{} / ", action.stage), ""));
            bar.tick();
        }
    }

    /// Leaves the view of an execution that is over as it is, and begins none.
    fn close(&mut self) {
        let running = self.actions.drain().map(|(_, bar)| bar);
        for bar in self.headings.drain(..).chain(running) {
            bar.disable_steady_tick();
            bar.abandon();
        }
        self.execution = None;
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants of this file")
}
