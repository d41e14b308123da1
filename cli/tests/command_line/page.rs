//! The page of a run, from its recorded events: as text, and in a browser.

mod browser;
mod runs;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{delivery, says};
use browser::{Browser, Screen};
use runs::{HOSTILE, Recorded};

/// An application with one recorded run.
struct Application {
    folder: TempDir,
    run: PathBuf,
}

impl Application {
    fn with(recorded: &Recorded) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = recorded.write(&folder.path().join(".delivery/runs"));
        Self { folder, run }
    }

    /// The page, written anew.
    fn page(&self) -> PathBuf {
        let output = delivery(self.folder.path())
            .args(["open", "--print"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let page = PathBuf::from(printed.trim_end());
        assert_eq!(page, self.run.canonicalize().unwrap().join("report.html"));
        page
    }

    fn html(&self) -> String {
        fs::read_to_string(self.page()).unwrap()
    }

    /// Plays the process of the run, as long as the file is open.
    fn goes_on(&self) -> File {
        let file = File::create(self.run.join("lock")).unwrap();
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        file
    }
}

fn answer(folder: &Path, arguments: &[&str]) -> Value {
    let output = delivery(folder)
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn where_nothing_ran_there_is_no_page() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["open", "history"] {
        let message = says(folder.path(), &[command], 5);
        assert!(message.contains("no run is recorded for"), "{message}");
    }
}

#[test]
fn a_run_is_found_by_its_id_and_by_its_commit_from_any_folder_below() {
    let application = Application::with(&runs::failed());
    let below = application.folder.path().join("src/a");
    fs::create_dir_all(&below).unwrap();
    for name in ["20261128-09", "8130db3d"] {
        let answer = answer(&below, &["open", name]);
        assert_eq!(answer["run"], "20261128-090000-aaaa");
        assert_eq!(answer["opened"], false);
    }
    let message = says(&below, &["open", "2025"], 5);
    assert!(message.contains("begins with `2025`"), "{message}");
}

#[test]
fn the_history_has_the_newest_first_and_says_which_were_killed() {
    let application = Application::with(&runs::failed());
    let runs_folder = application.run.parent().unwrap();
    runs::rollout().write(runs_folder);
    runs::environments().write(runs_folder);
    let history = answer(application.folder.path(), &["history"]);
    let listed = history["runs"].as_array().unwrap().iter();
    let statuses: Vec<_> = listed
        .map(|run| {
            (
                run["run"].as_str().unwrap(),
                run["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        statuses,
        [
            ("20261128-110000-cccc", "success"),
            ("20261128-100000-bbbb", "interrupted"),
            ("20261128-090000-aaaa", "failure"),
        ]
    );
    let output = delivery(application.folder.path())
        .arg("history")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("delivery open 20261128-110000-cccc"),
        "{text}"
    );
}

#[test]
fn what_others_wrote_is_text_on_the_page() {
    let html = Application::with(&runs::failed()).html();
    assert!(!html.contains(HOSTILE), "{html}");
    for forbidden in ["<img", "<b>", "onerror=\"", "\u{1b}", "\u{202e}", "\0"] {
        assert!(!html.contains(forbidden), "{forbidden:?} in {html}");
    }
    // The page's own script is the only one, and all that it needs is in it.
    assert_eq!(html.matches("<script").count(), 1);
    assert!(!html.contains("src=\"") && !html.contains("@import") && !html.contains("url("));
    assert!(html.contains("&lt;img src"), "{html}");
    // An address of another scheme is no link.
    assert!(html.contains("javascript:alert") && !html.contains("href=\"javascript"));
}

#[test]
fn a_killed_run_has_a_page_that_says_so() {
    let application = Application::with(&runs::rollout());
    let killed = application.html();
    assert!(killed.contains("The process ended before the run was over"));
    assert!(killed.contains("Did not end"));
    let _process = application.goes_on();
    let running = application.html();
    assert!(!running.contains("The process ended before"));
    assert!(running.contains("In progress"));
}

/// Half a line is what a killed process may leave, and a newer version writes what this one does not know.
#[test]
fn a_record_with_broken_lines_is_read_as_far_as_it_can_be() {
    let mut recorded = runs::failed();
    recorded
        .text
        .push_str("{\"v\":1,\"at\":\"2026-11-28T09:01:00Z\",\"type\":\"not");
    let html = Application::with(&recorded).html();
    assert!(html.contains("Not delivered"), "{html}");
}

#[test]
fn the_page_works_in_a_browser_with_its_script_and_no_other() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let application = Application::with(&runs::rollout());
    let process = application.goes_on();
    let page = application.page();
    // Nobody has written it for a while, and the page's own script says so.
    let written = File::options().write(true).open(&page).unwrap();
    let long_ago = written.metadata().unwrap().modified().unwrap() - Duration::from_hours(1);
    written.set_modified(long_ago).unwrap();
    let dom = browser.dom(&page);
    assert!(dom.contains("<p id=\"stale\">"), "{dom}");
    drop(process);

    let page = Application::with(&runs::failed());
    let html = page.html();
    let injected = html.replace("<main>", "<main><script>document.title = 'owned'</script>");
    assert_ne!(html, injected);
    let copy = page.run.join("injected.html");
    fs::write(&copy, injected).unwrap();
    let dom = browser.dom(&copy);
    assert!(!dom.contains("<title>owned"), "{dom}");
}

/// A copy of the page without its policy measures itself.
#[test]
fn on_a_telephone_nothing_is_wider_than_the_screen() {
    let Some(browser) = Browser::find() else {
        return;
    };
    for recorded in [runs::failed(), runs::rollout(), runs::environments()] {
        let application = Application::with(&recorded);
        let (before, rest) = application
            .html()
            .split_once("<meta http-equiv")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let (_, after) = rest.split_once('>').unwrap();
        let measured = "<script>addEventListener('load', () => { document.title = \
                        `${document.documentElement.scrollWidth <= innerWidth} ${innerWidth}`; });</script></body>";
        let copy = application.run.join("measured.html");
        fs::write(
            &copy,
            format!("{before}{after}").replace("</body>", measured),
        )
        .unwrap();
        let dom = browser.dom_on(&copy, Screen::TELEPHONE);
        assert!(dom.contains("<title>true "), "{dom}");
    }
}

/// `DELIVERY_UPDATE_DOCS=1` writes those of the documentation.
#[test]
fn the_screenshots_of_the_documentation_can_be_made() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
    let updates = delivery_action::env::var("DELIVERY_UPDATE_DOCS").is_some();
    let pictures = [
        ("run-failed", runs::failed(), Screen::DESKTOP),
        ("run-rollout", runs::rollout(), Screen::DESKTOP),
        ("run-environments", runs::environments(), Screen::DARK),
        ("run-telephone", runs::rollout(), Screen::TELEPHONE),
    ];
    let mut bytes = 0;
    for (name, recorded, screen) in pictures {
        let application = Application::with(&recorded);
        let _process = application.goes_on();
        let picture = application.run.join(format!("{name}.webp"));
        browser.screenshot(&application.page(), screen, &picture);
        let target = documented.join(format!("{name}.webp"));
        if updates {
            fs::create_dir_all(&documented).unwrap();
            fs::copy(&picture, &target).unwrap();
        }
        bytes += fs::metadata(target).unwrap().len();
    }
    assert!(bytes < 200_000, "{bytes} bytes of pictures");
}
