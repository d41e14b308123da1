//! The live view in a terminal, at every size that people use.

use test_case::test_case;

use crate::world::World;

/// What each action reports, in the order in which they run.
const SUMMARIES: [(&str, &str); 10] = [
    (
        "npm-install",
        "npm ci: added 289 packages in 3s (npm 11.19.1, Node.js v22.14.0), 10 MiB (log: g s)",
    ),
    (
        "test-and-package",
        "8 tests: 8 passed; package (gulp) in 0s; DistLambdaOutput from `dist/lambda` (19603 bytes) (log: g s)",
    ),
    (
        "deploy-app",
        "test: version 1 → 2 (function `greeter-Application-a546fbd2-265-Function-9A2141F0CB5ED`) (log: g s)",
    ),
    (
        "deploy-api",
        "test: deployment 98c806b4 → ca61e448, newly imported (API `48a9c00c`) (log: g s)",
    ),
    (
        "deploy-site",
        "4 files uploaded, 0 unchanged, 0 removed: version `4af61380d3af6c7c66a0dc039f85d84bbc4f443c` is in `s3://site/` (log: g s)",
    ),
    (
        "e2e",
        "6 tests: 6 passed; test-functional (gulp) of https://48a9c00c.execute-api.eu-west-1.amazonaws.com/test in 0s; not retried (log: g s)",
    ),
    (
        "deploy-app",
        "prod: version 1 → 2 (function `greeter`) (log: g s)",
    ),
    (
        "deploy-api",
        "prod: deployment 98c806b4 → ca61e448, of an earlier import (API `48a9c00c`) (log: g s)",
    ),
    (
        "deploy-site",
        "4 files uploaded, 0 unchanged, 0 removed: version `4af6` is in `s3://site/` (log: g s)",
    ),
    (
        "e2e",
        "6 tests: 6 passed; test-functional (gulp) in 0s; not retried (log: g s)",
    ),
];

/// The action at which the screen is looked at: in the middle, so that there is something above and below it.
const LOOKED_AT: usize = 4;

#[test_case(40, 15)]
#[test_case(80, 24)]
#[test_case(120, 40)]
#[test_case(400, 60)]
#[tokio::test(flavor = "multi_thread")]
async fn the_view_fits_every_terminal_and_is_left_whole(columns: u16, rows: u16) {
    let mut world = World::start().await;
    let job = world.job_of("package").await;
    world.fail(&job, "not of this test").await;
    world.deliver_an_application().await;
    let terminal = world.in_terminal(&["start", "--wait"], columns, rows);
    for (place, (action, summary)) in SUMMARIES.iter().enumerate() {
        let job = world.job_of(action).await;
        if place == LOOKED_AT {
            let running = format!("• InProgress  {action}");
            let screen = terminal.until(|screen| screen.contains(&running)).await;
            insta::assert_snapshot!(format!("running_{columns}x{rows}"), normal(&screen));
        }
        world.succeed_with(&job, summary).await;
    }
    let (code, left) = terminal.ended().await;
    assert_eq!(code, 0, "{left}");
    insta::assert_snapshot!(format!("left_{columns}x{rows}"), normal(&left));
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_off_when_asked() {
    let mut world = World::start().await;
    let job = world.job_of("package").await;
    world.fail(&job, "not of this test").await;
    let terminal = world.in_terminal(&["start", "--wait", "--color", "never"], 80, 24);
    let job = world.job_of("package").await;
    terminal
        .until(|screen| screen.contains("• InProgress  package"))
        .await;
    assert!(!terminal.is_coloured());
    world.fail(&job, "1 test failed").await;
    let (code, left) = terminal.ended().await;
    assert_eq!(code, 3, "{left}");
}

/// The row of an execution whose commit is not known yet.
const WITHOUT_COMMIT: &str = "• InProgress  execution IIIIIIII";

/// Each row without its times and ids: what follows a time is only said to be cut or not, since longer times cut more of it.
///
/// The execution's row without its commit is left out: it is there only if the first look comes before the source action is over.
fn normal(screen: &str) -> String {
    let rows = screen.lines().map(|row| {
        let words: Vec<&str> = row.split(' ').collect();
        let time = words
            .iter()
            .position(|word| word.parse::<f64>().is_ok() && word.contains('.'));
        let kept = time.map_or(words.as_slice(), |time| &words[..time]);
        let rest = match time {
            None => "",
            Some(_) if row.ends_with('…') => " N s …",
            Some(_) => " N s",
        };
        let kept: Vec<&str> = kept.iter().map(|word| without_id(word)).collect();
        format!("{}{rest}", kept.join(" "))
    });
    let rows = rows.filter(|row| row != WITHOUT_COMMIT);
    rows.collect::<Vec<_>>().join("\n")
}

/// An execution's or a commit's id is as wide as each other one.
fn without_id(word: &str) -> &str {
    const DIGITS: usize = 8;
    let is_id = word.len() == DIGITS && word.chars().all(|one| one.is_ascii_hexdigit());
    if is_id { "IIIIIIII" } else { word }
}
