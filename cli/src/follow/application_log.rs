//! The application's own log beside a test of it that failed: what its functions logged since the test began.

use std::time::Duration;

use delivery_stack::resources;

use crate::function_log::{self, Entry, LogPlace};

use super::{ActionSnapshot, Shape, Snapshot};

/// Most lines that are shown: the message of an error and where it was thrown.
const MAX_LINES: usize = 5;

/// Most functions whose logs are read: each is two calls.
const MAX_FUNCTIONS: usize = 10;

/// How often a log that is still empty is asked again, until it must hold what was logged.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The output variable of deploy-stack with the stack that it deployed.
const STACK: &str = "Stack";

/// The output variable of deploy-app with the version that it deployed.
const VERSION: &str = "FunctionVersion";

/// The type of a function in a stack.
const FUNCTION: &str = "AWS::Lambda::Function";

/// What begins an error in a log, of Node.js, Python, Java, of Lambda itself, and of the local AWS, which writes a function that
/// cannot be loaded without the word.
const ERRORS: [&str; 8] = [
    "rror",
    "ERROR",
    "xception",
    "Traceback",
    "Task timed out",
    "Cannot find module",
    "Unable to import module",
    "init failed",
];

/// Where the code of a function lies: on Lambda, and in the local AWS.
const CODE_FOLDERS: [&str; 2] = ["/var/task/", "/code/"];

/// The clients that it is read with.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
}

/// A function of the application.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deployed {
    name: String,
    /// The version that was deployed, where it is known.
    version: Option<String>,
}

/// The functions that the execution deployed in the stage before the action. It only helps to understand a failure, so a
/// stack that cannot be read has none.
pub(super) async fn functions(
    clients: &Clients,
    shape: &Shape,
    now: &Snapshot,
    action: &ActionSnapshot,
) -> Vec<Deployed> {
    let in_stage = now.actions.iter().filter(|one| one.stage == action.stage);
    let mut found = Vec::new();
    for one in in_stage.filter(|one| one.status == "Succeeded") {
        if let Some(name) = shape.deployed_function(&one.stage, &one.action) {
            found.push(Deployed {
                name: name.to_owned(),
                version: one.outputs.get(VERSION).cloned(),
            });
        }
        if let Some(stack) = one.outputs.get(STACK) {
            let resources = resources::list(&clients.cloudformation, stack).await;
            let resources = resources.unwrap_or_default().into_iter();
            let functions = resources.filter(|one| one.kind == FUNCTION && !one.is_deleted());
            found.extend(
                functions
                    .filter_map(|one| one.physical)
                    .map(|name| Deployed {
                        name,
                        version: None,
                    }),
            );
        }
    }
    found.truncate(MAX_FUNCTIONS);
    found
}

/// The lines that tell most of what the functions logged since the action began.
pub(super) async fn lines(
    clients: &Clients,
    functions: &[Deployed],
    action: &ActionSnapshot,
) -> Vec<String> {
    let mut entries = Vec::new();
    for function in functions {
        let group = function_log::group(&clients.lambda, &function.name).await;
        let place = LogPlace::of_function(group);
        loop {
            let read = function_log::read(&clients.logs, &place, action).await;
            let read = read.unwrap_or_default();
            if !read.is_empty() || function_log::is_complete(action) {
                let of_version = |entry: &Entry| entry.may_be_of(function.version.as_deref());
                entries.extend(read.into_iter().filter(of_version));
                break;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
    entries.sort_by_key(|entry| entry.at_ms);
    telling(entries.into_iter().flat_map(|entry| entry.lines).collect())
}

/// The first error, else the last lines.
fn telling(lines: Vec<String>) -> Vec<String> {
    let lines = lines.into_iter().filter(|line| !line.trim().is_empty());
    let mut lines: Vec<String> = lines.filter_map(|line| below_code(&line)).collect();
    let is_error = |line: &String| ERRORS.iter().any(|word| line.contains(word));
    let from = lines
        .iter()
        .position(is_error)
        .unwrap_or(lines.len().saturating_sub(MAX_LINES));
    lines.drain(..from);
    lines.truncate(MAX_LINES);
    lines
}

/// The line, in which a place in a stack reads as in the function's code; `None` for one of the runtime.
fn below_code(line: &str) -> Option<String> {
    if !line.trim_start().starts_with("at ") {
        return Some(line.to_owned());
    }
    let found = |folder: &&str| line.find(*folder).map(|at| (at, at + folder.len()));
    let (path, code) = CODE_FOLDERS.iter().find_map(found)?;
    let begin = line[..path]
        .rfind(['(', ' '])
        .map_or(0, |before| before + 1);
    Some(format!("{}{}", &line[..begin], &line[code..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_more_than_what_was_logged_last() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let all: Vec<String> = (1..10).map(|number| format!("request {number}")).collect();
        assert_eq!(telling(all.clone()), all[4..]);
        let mut failed: Vec<String> = lines(&[
            "Error: boom",
            "",
            "    at f (/tmp/x/code/index.js:1:39)",
            "    at g (node:events:1:2)",
        ]);
        failed.extend(all.clone());
        let expected = [
            "Error: boom",
            "    at f (index.js:1:39)",
            "request 1",
            "request 2",
        ];
        let mut both = all.clone();
        both.extend(failed);
        assert_eq!(telling(both)[..4], expected);
        assert_eq!(telling(Vec::new()), [""; 0]);
        // As the local AWS writes it, beside a warning of another function that came later.
        let not_loaded = lines(&[
            "Worker init failed: Cannot find module 'nanoid'",
            "will require node >=22. You are running node v20.20.2",
        ]);
        let late: Vec<String> = [not_loaded.clone(), all].concat();
        assert_eq!(telling(late)[..2], not_loaded[..]);
    }
}
