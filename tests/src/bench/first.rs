//! The first delivery on a machine where `delivery` was just installed, and the second of an unchanged application: how much
//! of it the application's own tasks take, which are run by hand beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use super::figures::Figures;
use super::report::{Section, Target, seconds, spread};
use super::{Bench, spent};
use crate::application::Application;
use crate::checkout;

/// Rounds that count; the first of them downloads as much as a newcomer does.
const ROUNDS: usize = 3;

/// What the first delivery may take in all, in seconds.
const MOST_FIRST: f64 = 25.0;

/// What of it may be this project's own.
const MOST_FIRST_OWN: f64 = 5.0;

/// What a second delivery of an unchanged application may take besides its own tasks.
const MOST_SECOND_OWN: f64 = 1.5;

/// What is delivered.
const EXAMPLE: &str = "greeter";

/// The stages whose tests run against what is deployed.
const STAGES: [&str; 2] = ["Acceptance", "Production"];

/// A delivery that is over.
#[derive(Debug)]
struct Delivered {
    wall: f64,
    /// By what the events call them: the steps before, then actions as `Commit / npm-install`.
    parts: BTreeMap<String, f64>,
    /// The addresses of each stage: of its API and its site.
    urls: BTreeMap<&'static str, (String, String)>,
}

/// A kind of delivery: what it takes, and what the tasks take by hand.
#[derive(Debug)]
struct Row {
    name: &'static str,
    wall: Figures,
    tasks: Figures,
    parts: BTreeMap<String, Figures>,
}

impl Row {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            wall: Figures::default(),
            tasks: Figures::default(),
            parts: BTreeMap::new(),
        }
    }

    fn push(&mut self, delivered: &Delivered, tasks: f64) {
        self.wall.push(delivered.wall);
        self.tasks.push(tasks);
        for (name, value) in &delivered.parts {
            self.parts.entry(name.clone()).or_default().push(*value);
        }
    }

    /// What is neither of the application's tasks nor of the part of this name.
    fn own_without(&self, part: Option<&str>) -> f64 {
        let left_out = part.and_then(|name| self.parts.get(name));
        let left_out = left_out.map(Figures::median).unwrap_or_default();
        self.wall.median() - self.tasks.median() - left_out
    }
}

/// Delivers the example on a machine that knows nothing of it, then where all is installed, then again unchanged.
///
/// # Errors
///
/// Where a delivery fails, or a program is missing.
pub async fn compare(bench: &Bench) -> io::Result<Section> {
    let mut first = Row::new("first, nothing installed or downloaded");
    let mut fresh = Row::new("another application's first, all installed");
    let mut second = Row::new("second of an unchanged application, `--keep`");
    // Each begins with nothing, so there is nothing to warm up.
    for _ in bench.rounds(ROUNDS).each().filter(|(_, counts)| *counts) {
        let home = bench.fresh("first-home")?;
        let by_hand = ByHand::new(bench)?;
        let cold = by_hand.install("cold").await?;
        let warm = by_hand.install("cold").await?;
        let package = by_hand.run("package", &[]).await?;

        let application = Application::example(EXAMPLE)?;
        let one = deliver(bench, application.path(), &home, &[]).await?;
        let application = Application::example(EXAMPLE)?;
        let commit = application.head()?;
        let two = deliver(bench, application.path(), &home, &["--keep"]).await?;
        let three = deliver(bench, application.path(), &home, &["--keep"]).await;
        let three = match three {
            Ok(three) => by_hand
                .tests(&three, &commit)
                .await
                .map(|tests| (three, tests)),
            Err(error) => Err(error),
        };
        stop(application.path(), &home).await?;
        let (three, tests) = three?;
        first.push(&one, cold + package + tests);
        fresh.push(&two, warm + package + tests);
        second.push(&three, package + tests);
    }
    Ok(section(&[first, fresh, second]))
}

/// The application's tasks without a pipeline.
struct ByHand {
    folder: PathBuf,
    caches: PathBuf,
}

impl ByHand {
    fn new(bench: &Bench) -> io::Result<Self> {
        let folder = bench.fresh("first-by-hand")?;
        crate::application::copy(&checkout::root().join("examples").join(EXAMPLE), &folder)?;
        let caches = bench.fresh("first-caches")?;
        Ok(Self { folder, caches })
    }

    async fn install(&self, cache: &str) -> io::Result<f64> {
        let mut command = Command::new("npm");
        command.args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--cache",
        ]);
        command.arg(self.caches.join(cache));
        self.spent(command, &[]).await
    }

    async fn run(&self, task: &str, variables: &[(&str, &str)]) -> io::Result<f64> {
        let mut command = Command::new("npx");
        command.args(["gulp", task]);
        self.spent(command, variables).await
    }

    /// The tests of both stages, against what a delivery has left up.
    async fn tests(&self, delivered: &Delivered, commit: &str) -> io::Result<f64> {
        let mut all = 0.0;
        for stage in STAGES {
            let (api, site) = delivered.urls.get(stage).cloned().unwrap_or_default();
            let variables = [
                ("TARGET_URL", api.as_str()),
                ("SITE_URL", site.as_str()),
                ("VERSION", commit),
            ];
            all += self.run("test-functional", &variables).await?;
        }
        Ok(all)
    }

    async fn spent(&self, mut command: Command, variables: &[(&str, &str)]) -> io::Result<f64> {
        command.current_dir(&self.folder);
        command.envs(variables.iter().copied());
        spent::run(&mut command).await.map(|spent| spent.wall)
    }
}

async fn deliver(
    bench: &Bench,
    application: &Path,
    home: &Path,
    arguments: &[&str],
) -> io::Result<Delivered> {
    let mut command = program(application, home);
    command
        .args(["run", "--json", "--functions"])
        .arg(&bench.packages);
    command.args(arguments);
    let (spent, printed) = spent::run_and_read(&mut command).await?;
    let events = printed
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let events: Vec<Value> = events.collect();
    Ok(Delivered {
        wall: spent.wall,
        parts: events.iter().filter_map(part).collect(),
        urls: urls(&events),
    })
}

fn program(application: &Path, home: &Path) -> Command {
    let mut command = Command::new(checkout::programs().join("delivery"));
    command.arg("--home").arg(home).current_dir(application);
    command
}

async fn stop(application: &Path, home: &Path) -> io::Result<()> {
    let mut command = program(application, home);
    spent::run(command.args(["local", "stop"])).await.map(drop)
}

/// What took how long: a step that is done, or an action that ended.
fn part(event: &Value) -> Option<(String, f64)> {
    let seconds = event.get("seconds")?.as_f64()?;
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    match text("type")? {
        "step" => Some((text("step")?.to_owned(), seconds)),
        "action" => Some((format!("{} / {}", text("stage")?, text("action")?), seconds)),
        _ => None,
    }
}

fn urls(events: &[Value]) -> BTreeMap<&'static str, (String, String)> {
    let result = events.iter().rev().find(|event| event["type"] == "result");
    let found = STAGES.into_iter().filter_map(|stage| {
        let urls = result?.get("urls")?.get(stage)?;
        let text = |key: &str| Some(urls.get(key)?.as_str()?.to_owned());
        Some((stage, (text("api")?, text("site")?)))
    });
    found.collect()
}

/// What the events call the installation and the start of the local AWS.
const LOCAL_AWS: &str = "local-aws";

const TEXT: &str = "`delivery run` with the packages of the functions and an empty home: the local AWS is installed from PyPI, npm \
    downloads everything. Then the first delivery of another copy with the same home, and a second of that copy, unchanged, in the \
    environment that `--keep` left. The same tasks by hand: `npm ci`, `npx gulp package`, and `npx gulp test-functional` of both \
    stages; the second delivery has its dependencies from the cache, so `npm ci` does not count there.";

fn section(rows: &[Row; 3]) -> Section {
    let mut table = String::from(
        "| delivery of `examples/greeter` | all, s | its own tasks by hand, s | the rest, s |\n|---|---|---|---|\n",
    );
    for row in rows {
        let rest = row.own_without(None);
        let (wall, tasks) = (spread(&row.wall, seconds), spread(&row.tasks, seconds));
        let _infallible = writeln!(
            table,
            "| {} | {wall} | {tasks} | {} |",
            row.name,
            seconds(rest)
        );
    }
    let _infallible = write!(
        table,
        "\n| of it | {} |\n|---|---|---|---|\n",
        rows.each_ref().map(|row| row.name).join(" | ")
    );
    let names: std::collections::BTreeSet<_> =
        rows.iter().flat_map(|row| row.parts.keys()).collect();
    for name in names {
        let cells = rows.each_ref().map(|row| {
            row.parts
                .get(name)
                .map(|one| seconds(one.median()))
                .unwrap_or_default()
        });
        let _infallible = writeln!(table, "| {name} | {} |", cells.join(" | "));
    }
    let [first, _, second] = rows;
    let target = |work: &str, reached: f64, most: f64| Target {
        work: work.to_owned(),
        aim: format!("at most {most} s"),
        reached: format!("{} s", seconds(reached)),
        met: reached <= most,
    };
    Section {
        title: "From installed to delivered".to_owned(),
        text: TEXT.to_owned(),
        table,
        targets: vec![
            target("first delivery, all of it", first.wall.median(), MOST_FIRST),
            target(
                "first delivery, without its tasks and the installation of the local AWS",
                first.own_without(Some(LOCAL_AWS)),
                MOST_FIRST_OWN,
            ),
            target(
                "second delivery of an unchanged application, without its tasks",
                second.own_without(None),
                MOST_SECOND_OWN,
            ),
        ],
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_steps_that_are_done_and_actions_that_ended() {
        let events = [
            json!({"type": "step", "step": "stack", "done": false, "detail": ""}),
            json!({"type": "step", "step": "stack", "done": true, "seconds": 1.5, "detail": ""}),
            json!({"type": "action", "stage": "Commit", "action": "npm-install", "seconds": 2.0}),
            json!({"type": "result", "urls": {"Production": {"api": "a", "site": "s"}}}),
        ];
        let parts: Vec<_> = events.iter().filter_map(part).collect();
        let expected = [("stack", 1.5), ("Commit / npm-install", 2.0)];
        assert_eq!(
            parts,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
        assert_eq!(
            urls(&events)["Production"],
            ("a".to_owned(), "s".to_owned())
        );
    }

    #[test]
    fn what_is_the_projects_own_is_what_the_tasks_leave() {
        let mut row = Row::new("x");
        let parts = [("local-aws".to_owned(), 4.0)].into();
        let delivered = Delivered {
            wall: 20.0,
            parts,
            urls: BTreeMap::new(),
        };
        row.push(&delivered, 9.0);
        assert!((row.own_without(None) - 11.0).abs() < 1e-9);
        assert!((row.own_without(Some("local-aws")) - 7.0).abs() < 1e-9);
    }
}
