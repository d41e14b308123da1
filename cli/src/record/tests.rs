//! The record of a run, as it is written and read again.

use std::collections::BTreeMap;
use std::fs;

use super::folder::MOST_RUNS;
use super::*;
use crate::message::{TestReport, run_examples};

fn recorder(application: &tempfile::TempDir) -> Recorder {
    let runs = RunsFolder::of(application.path());
    let mut recorder = Recorder::begin(&runs, "greeter").unwrap();
    recorder.note(&recorder.began()).unwrap();
    recorder
}

#[test]
fn every_message_can_be_written_down_and_read_again() {
    let application = tempfile::tempdir().unwrap();
    let mut recorder = recorder(&application);
    for message in run_examples() {
        recorder.note(&message).unwrap();
        assert!(recorder.page().is_file());
    }
    assert_eq!(recorder.folder.read().unwrap(), recorder.record);
    let log = recorder
        .page()
        .with_file_name("logs")
        .join("Commit-npm-install.log");
    assert_eq!(fs::read_to_string(log).unwrap(), "added 290 packages\n");
}

#[test]
fn reports_of_tests_become_files_whatever_they_are_called() {
    let application = tempfile::tempdir().unwrap();
    let mut recorder = recorder(&application);
    let long = "a".repeat(5_000);
    for path in [
        "reports/unit.xml",
        "reports/unit.xml",
        "../../../<b>\u{202e}",
        &long,
    ] {
        recorder
            .note(&RunMessage::Log {
                execution: "e".to_owned(),
                stage: "Commit".to_owned(),
                action: "test-and-package".to_owned(),
                lines: vec!["read a report".to_owned()],
                reports: vec![TestReport {
                    path: path.to_owned(),
                    xml: "<testsuites/>".to_owned(),
                }],
            })
            .unwrap();
    }
    recorder.note(&run_examples()[0]).unwrap();
    let folder = recorder.page().with_file_name("junit");
    let names = fs::read_dir(&folder).unwrap();
    let mut names: Vec<_> = names
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let cut = format!("Commit-test-and-package-4-{}.xml", "a".repeat(100));
    assert_eq!(
        names,
        [
            "Commit-test-and-package-1-unit.xml",
            "Commit-test-and-package-2-unit.xml",
            "Commit-test-and-package-3-_b__.xml",
            cut.as_str(),
        ]
    );
    let page = fs::read_to_string(recorder.page()).unwrap();
    assert!(page.contains("href=\"junit/Commit-test-and-package-1-unit.xml\""));
}

#[test]
fn the_key_of_the_local_aws_is_not_written_down() {
    let application = tempfile::tempdir().unwrap();
    let mut recorder = recorder(&application);
    recorder
        .note(&RunMessage::Environment {
            variables: BTreeMap::from([("AWS_SECRET_ACCESS_KEY".to_owned(), "s3cret".to_owned())]),
        })
        .unwrap();
    recorder
        .note(&RunMessage::Approval {
            execution: "e".to_owned(),
            stage: "Production".to_owned(),
            action: "Approve".to_owned(),
            command: "env AWS_SECRET_ACCESS_KEY=s3cret delivery --stack-name a approve 8130db3d"
                .to_owned(),
        })
        .unwrap();
    let events = fs::read_to_string(recorder.page().with_file_name("events.jsonl")).unwrap();
    assert!(!events.contains("s3cret"), "{events}");
    assert!(
        events.contains("\"delivery --stack-name a approve 8130db3d\""),
        "{events}"
    );
}

#[test]
fn the_oldest_runs_are_removed_and_git_sees_none() {
    let application = tempfile::tempdir().unwrap();
    let runs = RunsFolder::of(application.path());
    let names: Vec<_> = (0..MOST_RUNS + 5)
        .map(|number| {
            let (folder, _lock) = runs.create(clock::timestamp()).unwrap();
            folder
                .append(&Recorded::new(
                    clock::timestamp(),
                    RunMessage::Notice {
                        message: number.to_string(),
                    },
                ))
                .unwrap();
            folder.id().to_owned()
        })
        .collect();
    assert_eq!(names.len(), MOST_RUNS + 5);
    let newest = recorder(&application);
    let kept = runs.all();
    assert_eq!(kept.len(), MOST_RUNS);
    assert!(kept.contains(&newest.folder));
    let ignored = application.path().join(".delivery/runs/.gitignore");
    assert_eq!(fs::read_to_string(ignored).unwrap(), "*\n");
}
