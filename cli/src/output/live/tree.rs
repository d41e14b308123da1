//! What the view shows: pure, so that every size of a terminal can be tested.

use std::time::Instant;

use console::truncate_str;

use crate::message::{ActionReport, StageShape};
use crate::output::style::{BUSY, DIM, HEADING};
use crate::output::text::{action_line, duration, mark};

/// The row below the view on which the cursor stands.
const CURSOR_ROWS: usize = 1;

/// One execution's stages and actions.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// The execution.
    pub(super) execution: String,
    stages: Vec<Stage>,
}

#[derive(Clone, Debug)]
struct Stage {
    name: String,
    actions: Vec<Action>,
}

#[derive(Clone, Debug)]
struct Action {
    name: String,
    report: Option<ActionReport>,
    since: Instant,
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    Running,
    Over,
}

impl Tree {
    pub(super) fn new(execution: &str, stages: &[StageShape]) -> Self {
        let action = |name: &String| Action {
            name: name.clone(),
            report: None,
            since: Instant::now(),
        };
        let stage = |stage: &StageShape| Stage {
            name: stage.name.clone(),
            actions: stage.actions.iter().map(action).collect(),
        };
        Self {
            execution: execution.to_owned(),
            stages: stages.iter().map(stage).collect(),
        }
    }

    /// Remembers how an action is.
    pub(super) fn show(&mut self, report: &ActionReport, now: Instant) {
        let mut stages = self.stages.iter_mut();
        let stage = stages.find(|stage| stage.name == report.stage);
        let action = stage.and_then(|stage| {
            stage
                .actions
                .iter_mut()
                .find(|action| action.name == report.action)
        });
        if let Some(action) = action {
            if report.status == "InProgress" {
                action.since = now;
            }
            action.report = Some(report.clone());
        }
    }

    /// The view in a terminal of this size: no row is wider, and where there are too many, the stages that
    /// are over and those that have not begun are one row each. What runs is always among them.
    pub(super) fn rows(&self, width: usize, height: usize, now: Instant) -> Vec<String> {
        let room = height.saturating_sub(CURSOR_ROWS);
        let whole: Vec<String> = self
            .stages
            .iter()
            .flat_map(|stage| stage.rows(now))
            .collect();
        let rows = if whole.len() <= room {
            whole
        } else {
            self.folded(room, now)
        };
        rows.iter()
            .map(|row| truncate_str(row, width.saturating_sub(1), "…").into_owned())
            .collect()
    }

    fn folded(&self, room: usize, now: Instant) -> Vec<String> {
        let rows = |stage: &Stage| match stage.progress() {
            Progress::Running => stage.rows(now),
            _ => vec![stage.heading()],
        };
        let folded: Vec<String> = self.stages.iter().flat_map(rows).collect();
        if folded.len() <= room {
            return folded;
        }
        // Not even that fits: what is in progress, then as much as there is room for.
        let running = self
            .stages
            .iter()
            .filter(|stage| stage.progress() == Progress::Running);
        let rows = running.flat_map(|stage| {
            let running = stage.actions.iter().filter(|action| action.is_running());
            running.map(|action| {
                format!(
                    "{HEADING}{}{HEADING:#} {}",
                    stage.name,
                    action.row(stage, now)
                )
            })
        });
        rows.take(room.max(1)).collect()
    }
}

impl Stage {
    fn progress(&self) -> Progress {
        let begun = self
            .actions
            .iter()
            .filter_map(|action| action.report.as_ref());
        let statuses: Vec<&str> = begun.map(|report| report.status.as_str()).collect();
        let is_over = statuses.len() == self.actions.len() && !statuses.contains(&"InProgress")
            || statuses.contains(&"Failed");
        match statuses.as_slice() {
            [] => Progress::Waiting,
            _ if is_over => Progress::Over,
            _ => Progress::Running,
        }
    }

    fn rows(&self, now: Instant) -> Vec<String> {
        let heading = format!("{HEADING}{}{HEADING:#}", self.name);
        let actions = self
            .actions
            .iter()
            .map(|action| format!("  {}", action.row(self, now)));
        std::iter::once(heading).chain(actions).collect()
    }

    /// The stage as one row.
    fn heading(&self) -> String {
        let reports = self
            .actions
            .iter()
            .filter_map(|action| action.report.as_ref());
        let seconds: f64 = reports.clone().map(|report| report.seconds).sum();
        let worst = reports.clone().find(|report| report.status != "Succeeded");
        match (self.progress(), worst) {
            (Progress::Over, None) => format!(
                "{} {HEADING}{}{HEADING:#} {DIM}{}{DIM:#}",
                mark("Succeeded"),
                self.name,
                duration(seconds)
            ),
            (Progress::Over, Some(report)) => action_line(report, None),
            _ => format!("{} {HEADING}{}{HEADING:#}", mark(""), self.name),
        }
    }
}

impl Action {
    fn is_running(&self) -> bool {
        let report = self.report.as_ref();
        report.is_some_and(|report| report.status == "InProgress")
    }

    fn row(&self, stage: &Stage, now: Instant) -> String {
        match &self.report {
            None => format!("{} {}", mark(""), self.name),
            Some(report) if report.status == "InProgress" => {
                let took = now.saturating_duration_since(self.since).as_secs_f64();
                format!(
                    "{} {BUSY}{}{BUSY:#} {DIM}{}{DIM:#}",
                    mark("InProgress"),
                    self.name,
                    duration(took)
                )
            }
            Some(report) => {
                action_line(report, None).replacen(&format!("{} / ", stage.name), "", 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::*;

    fn tree(reports: &[(&str, &str, &str)], at: Instant) -> Tree {
        let shape = |name: &str, actions: &[&str]| StageShape {
            name: name.to_owned(),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        };
        let stages = [
            shape("Source", &["Source"]),
            shape("Commit", &["npm-install", "test-and-package"]),
            shape(
                "Acceptance",
                &["deploy-app", "deploy-api", "deploy-site", "e2e"],
            ),
            shape(
                "Production",
                &["deploy-app", "deploy-api", "deploy-site", "e2e"],
            ),
        ];
        let mut tree = Tree::new("e", &stages);
        for (stage, action, status) in reports {
            let report = ActionReport {
                execution: "e".to_owned(),
                stage: (*stage).to_owned(),
                action: (*action).to_owned(),
                status: (*status).to_owned(),
                seconds: 1.5,
                summary: Some(
                    "a summary that is much longer than a narrow terminal is wide".to_owned(),
                ),
                outputs: std::collections::BTreeMap::new(),
                failure: None,
            };
            tree.show(&report, at);
        }
        tree
    }

    fn plain(rows: &[String]) -> String {
        anstream::adapter::strip_str(&rows.join("\n")).to_string()
    }

    const HALFWAY: [(&str, &str, &str); 6] = [
        ("Source", "Source", "Succeeded"),
        ("Commit", "npm-install", "Succeeded"),
        ("Commit", "test-and-package", "Succeeded"),
        ("Acceptance", "deploy-app", "Succeeded"),
        ("Acceptance", "deploy-api", "Succeeded"),
        ("Acceptance", "deploy-site", "InProgress"),
    ];

    #[test]
    fn a_large_terminal_shows_all_and_a_small_one_what_runs() {
        let at = Instant::now();
        let tree = tree(&HALFWAY, at);
        insta::assert_snapshot!(plain(&tree.rows(60, 40, at)), @r"
        Source
          ✓ Succeeded   Source 1.5 s  a summary that is much longe…
        Commit
          ✓ Succeeded   npm-install 1.5 s  a summary that is much …
          ✓ Succeeded   test-and-package 1.5 s  a summary that is …
        Acceptance
          ✓ Succeeded   deploy-app 1.5 s  a summary that is much l…
          ✓ Succeeded   deploy-api 1.5 s  a summary that is much l…
          • InProgress  deploy-site 0.0 s
          ·             e2e
        Production
          ·             deploy-app
          ·             deploy-api
          ·             deploy-site
          ·             e2e
        ");
        insta::assert_snapshot!(plain(&tree.rows(40, 10, at)), @r"
        ✓ Succeeded   Source 1.5 s
        ✓ Succeeded   Commit 3.0 s
        Acceptance
          ✓ Succeeded   deploy-app 1.5 s  a su…
          ✓ Succeeded   deploy-api 1.5 s  a su…
          • InProgress  deploy-site 0.0 s
          ·             e2e
        ·             Production
        ");
        insta::assert_snapshot!(plain(&tree.rows(40, 5, at)), @"Acceptance • InProgress  deploy-site 0…");
    }

    #[test]
    fn no_row_is_wider_than_the_terminal_and_what_runs_is_always_there() {
        let at = Instant::now();
        let tree = tree(&HALFWAY, at);
        for width in [10, 30, 60, 120, 400] {
            for height in [2, 3, 6, 8, 12, 16, 20, 60] {
                let rows = tree.rows(width, height, at);
                assert!(rows.len() < height, "{width}x{height}: {rows:?}");
                assert!(
                    rows.iter().all(|row| measure_text_width(row) < width),
                    "{rows:?}"
                );
                if width >= 40 {
                    assert!(
                        plain(&rows).contains("deploy-site"),
                        "{width}x{height}: {rows:?}"
                    );
                }
            }
        }
    }
}
