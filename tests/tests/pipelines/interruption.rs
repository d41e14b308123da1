//! Ctrl-C leaves nothing behind.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pipeline_tests::application::Application;
use pipeline_tests::checkout;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use pipeline_tests::home::home;

/// When the interruption comes: at the first event for which this holds.
type Moment = fn(&Value) -> bool;

async fn interrupted_run_leaves_nothing(moment: Moment, arguments: &[&str]) {
    interrupted(moment, arguments, 1).await;
}

/// How long what is left may take to end after a run that did not wait for it: the supervisor's own time.
const SUPERVISOR_ENDS_WITHIN: Duration = Duration::from_secs(30);

#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn interrupted(moment: Moment, arguments: &[&str], signals: usize) {
    let greeter = Application::example("greeter").unwrap();
    let home = home();
    let temporary = tempfile::Builder::new()
        .prefix("delivery-tmp-")
        .tempdir()
        .unwrap();
    let mut child = Command::new(checkout::programs().join("delivery"))
        .args(["run", "--json", "--home"])
        .arg(home.path())
        .arg("--functions")
        .arg(checkout::programs())
        .args(arguments)
        .arg(greeter.path())
        .env("TMPDIR", temporary.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut addresses = BTreeSet::new();
    let mut started = HashSet::new();
    let mut last = Value::Null;
    let mut sent = false;
    while let Some(line) = lines.next_line().await.unwrap() {
        last = serde_json::from_str(&line).unwrap();
        addresses.extend(loopback_addresses(&line));
        if !sent && moment(&last) {
            started = below(pid);
            for _ in 0..signals {
                kill_process(pid, Signal::INT).unwrap();
                // One signal that waits is all that the kernel keeps of several.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            sent = true;
        }
    }
    let status = child.wait().await.unwrap();

    assert_eq!((sent, status.code()), (true, Some(130)), "{last}");
    assert_eq!(last["status"], "interrupted");
    let message = last["error"]["message"].as_str().unwrap();
    assert_eq!(
        message.contains("ends by itself within"),
        signals > 1,
        "{message}"
    );
    let alive = || -> Vec<String> { started.iter().copied().filter_map(running).collect() };
    let ended = Instant::now();
    while signals > 1 && ended.elapsed() < SUPERVISOR_ENDS_WITHIN && !alive().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(alive(), Vec::<String>::new(), "processes are left");
    for address in addresses {
        assert!(
            TcpStream::connect(&address).await.is_err(),
            "{address} still answers"
        );
    }
    // The folder of the local AWS is renamed at once and removed in the background.
    let gone = Instant::now();
    while gone.elapsed() < SUPERVISOR_ENDS_WITHIN && !entries(temporary.path()).is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        entries(temporary.path()),
        Vec::<PathBuf>::new(),
        "temporary files are left"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_while_the_local_aws_starts_leaves_nothing() {
    let starting: Moment = |event| event["step"] == "local-aws" && event["done"] == false;
    interrupted_run_leaves_nothing(starting, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_while_an_action_runs_leaves_nothing() {
    let installing: Moment = |event| {
        event["type"] == "action"
            && event["action"] == "npm-install"
            && event["status"] == "InProgress"
    };
    interrupted_run_leaves_nothing(installing, &[]).await;
}

/// The second signal is not waited for by anything, and nothing is left all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_interruption_ends_the_run_at_once_and_leaves_nothing() {
    let installing: Moment = |event| {
        event["type"] == "action"
            && event["action"] == "npm-install"
            && event["status"] == "InProgress"
    };
    interrupted(installing, &[], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_before_there_is_something_to_keep_leaves_nothing() {
    let launching: Moment = |event| event["step"] == "stack" && event["done"] == false;
    interrupted_run_leaves_nothing(launching, &["--keep"]).await;
}

/// What another command has stopped does not stay, and no variables lead to it.
#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_after_another_command_stopped_the_local_aws_says_so() {
    let greeter = Application::example("greeter").unwrap();
    let home = home();
    let program = |arguments: &[&str]| {
        let mut command = Command::new(checkout::programs().join("delivery"));
        command.args(arguments).arg("--home").arg(home.path());
        command.arg(greeter.path()).kill_on_drop(true);
        command
    };
    let mut child = program(&["run", "--json", "--keep"])
        .arg("--functions")
        .arg(checkout::programs())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut events: Vec<Value> = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["action"] == "npm-install" && event["status"] == "InProgress" {
            let stopped = program(&["local", "stop", "--quiet"]).status().await;
            assert!(stopped.unwrap().success());
            kill_process(pid, Signal::INT).unwrap();
        }
        events.push(event);
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(130), "{events:?}");
    let message = events.last().unwrap()["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("everything that was started has been stopped"),
        "{message}"
    );
    assert!(
        events.iter().all(|event| event["variables"].is_null()),
        "{events:?}"
    );
}

/// Every process below one.
fn below(pid: Pid) -> HashSet<Pid> {
    let mut found = HashSet::new();
    let mut waiting = vec![pid];
    while let Some(parent) = waiting.pop() {
        for child in children(parent) {
            if found.insert(child) {
                waiting.push(child);
            }
        }
    }
    found
}

/// The process, unless it has ended: one that only waits to be collected by its parent, or by that of orphans, has.
fn running(pid: Pid) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, state) = stat.rsplit_once(')')?;
    (!state.trim_start().starts_with('Z')).then_some(stat)
}

fn children(parent: Pid) -> Vec<Pid> {
    let tasks = PathBuf::from(format!("/proc/{}/task", parent.as_raw_nonzero()));
    entries(&tasks)
        .iter()
        .filter_map(|task| std::fs::read_to_string(task.join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

/// The loopback addresses that a line names.
fn loopback_addresses(line: &str) -> Vec<String> {
    const HOST: &str = "127.0.0.1:";
    line.match_indices(HOST)
        .map(|(at, host)| {
            let port: String = line[at + host.len()..]
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            format!("{host}{port}")
        })
        .collect()
}
