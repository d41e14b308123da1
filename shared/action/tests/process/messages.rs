//! What the pipeline's owner reads when a child does not do well.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use delivery_action::clock::Deadline;
use delivery_action::failure::{Failure, FailureType};
use delivery_action::process::{Command, ProcessError, Survivors};

use crate::isolation::{Place, block_on, far};

fn printed(error: &ProcessError) -> String {
    let failure = Failure::new(error);
    format!("{:?}: {}", failure.failure_type, failure.message("LOG"))
}

#[test]
fn a_program_that_is_not_there() {
    let mut place = Place::new();
    place.environment.set("PATH", "/nowhere");
    let run = |program: &str| {
        let command = Command::new(program, place.directory.path(), &place.environment);
        printed(&block_on(command.run(far())).unwrap_err())
    };
    insta::assert_snapshot!(run("npm"), @"
    ConfigurationError: program `npm` is not in any directory of `PATH` (/nowhere)
    hint: add the Lambda layer with Node.js and npm to the function, or install Node.js 20 or later
    log: LOG
    ");
    insta::assert_snapshot!(run("git"), @"
    ConfigurationError: program `git` is not in any directory of `PATH` (/nowhere)
    hint: add a Lambda layer that has `git` in its `bin` to the function
    log: LOG
    ");
}

#[test]
fn a_program_that_does_not_start() {
    let place = Place::new();
    let file = place.file("program");
    fs::write(&file, b"\x7fELF no program").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let command = Command::new(&file, place.directory.path(), &place.environment);
    let error = block_on(command.run(far())).unwrap_err();
    let text = printed(&error).replace(&place.directory.path().display().to_string(), "JOB");
    insta::assert_snapshot!(text, @"
    JobFailed: cannot start `JOB/program` in `JOB`: Exec format error (os error 8)
    hint: check the function's limits on memory and processes
    log: LOG
    ");
}

#[test]
fn a_child_that_fails() {
    let place = Place::new();
    let script = "echo 'one  failing'; printf '\\033[31mred\\033[0m\\n' >&2; exit 3";
    insta::assert_snapshot!(printed(&block_on(place.shell(script).run(far())).unwrap_err()), @r#"
    JobFailed: `sh -c "echo 'one  failing'; printf '\\033[31mred\\033[0m\\n' >&2; exit 3"` ended with exit code 3
    last lines of output:
    one  failing
    red
    log: LOG
    "#);
}

#[test]
fn a_child_that_is_killed() {
    let place = Place::new();
    let run = |script: &str| printed(&block_on(place.shell(script).run(far())).unwrap_err());
    insta::assert_snapshot!(run("echo working; kill -KILL $$"), @r#"
    JobFailed: `sh -c "echo working; kill -KILL $$"` was terminated by signal 9 (SIGKILL)
    hint: it most likely ran out of memory: raise the function's `MemorySize`
    last lines of output:
    working
    log: LOG
    "#);
    insta::assert_snapshot!(run("kill -SEGV $$"), @r#"
    JobFailed: `sh -c "kill -SEGV $$"` was terminated by signal 11 (SIGSEGV)
    log: LOG
    "#);
}

#[test]
fn a_child_whose_time_is_over() {
    let place = Place::new();
    let script = "echo working; exec sleep 1000";
    let error = block_on(
        place
            .shell(script)
            .run(Deadline::after(Duration::from_millis(500))),
    )
    .unwrap_err();
    insta::assert_snapshot!(printed(&error), @r#"
    JobFailed: `sh -c "echo working; exec sleep 1000"` was stopped after 1s: it ran out of time
    hint: make it faster, split it, or raise the function's `Timeout`
    last lines of output:
    working
    log: LOG
    "#);
}

#[test]
fn a_child_that_cannot_be_waited_for() {
    let error = ProcessError::Wait {
        command: "npm ci".to_owned(),
        source: std::io::Error::from(std::io::ErrorKind::Interrupted),
    };
    assert_eq!(Failure::new(&error).failure_type, FailureType::JobFailed);
    insta::assert_snapshot!(printed(&error), @"
    JobFailed: cannot wait for `npm ci`: operation interrupted
    hint: check the function's limits on memory and processes
    log: LOG
    ");
}

#[test]
fn a_child_that_cannot_be_contained() {
    let error = ProcessError::Uncontained {
        command: "npm run build".to_owned(),
        source: Survivors::Tampered {
            what: "limit on open files".to_owned(),
        },
    };
    insta::assert_snapshot!(printed(&error), @"
    JobFailed: `npm run build` could not be contained: a program that the job ran changed the function's limit on open files
    hint: check what this program, or a package that it uses, does to its parent process; this execution environment will not be used again
    log: LOG
    ");
}
