//! An example of each message, for the schema and the texts.

use super::*;

pub(crate) fn action(
    action: &str,
    status: &str,
    seconds: f64,
    summary: Option<&str>,
) -> ActionReport {
    ActionReport {
        execution: "3f2a6c1e-0000-4000-8000-000000000000".to_owned(),
        stage: "Commit".to_owned(),
        action: action.to_owned(),
        status: status.to_owned(),
        seconds,
        summary: summary.map(str::to_owned),
        outputs: BTreeMap::new(),
        failure: None,
    }
}

const HELP: &str = "Acceptance and Production are untouched by this pipeline; fix it, commit, and run `delivery run` again";

fn failure() -> Failure {
    let message = "the gulp task `package` failed: `gulp package` ended with exit code 1\nlocation: lambda/index.js:3\nhint: run `npx gulp package` in the project's directory\n\
                   last lines of output:\n  1 failing\n::error::injected\n    at node:internal/x:1:2\nlog: /aws/lambda/x y";
    Failure {
        execution: "3f2a6c1e-0000-4000-8000-000000000000".to_owned(),
        stage: "Commit".to_owned(),
        action: "TestAndPackage".to_owned(),
        code: "JobFailed".to_owned(),
        message: message.to_owned(),
        cause: Cause::read("JobFailed", message),
        log_group: Some("/aws/lambda/test-and-package".to_owned()),
        log: vec!["  1 failing".to_owned()],
        application_log: Vec::new(),
        untouched: vec!["Acceptance".to_owned(), "Production".to_owned()],
        help: HELP.to_owned(),
        next: "run `npx gulp package` in the project's directory".to_owned(),
    }
}

fn failed_test() -> Failure {
    let message = "`test-functional` of `https://test.example.com` failed: the npm task `test-functional` failed: 3 of 8 tests \
                   failed: `API greets the world`, `API is fast`, `site is there`: `npm run test-functional` ended with exit code 1\n\
                   the test says:\n  Expected values to be strictly equal:\n  502 !== 200\n  ::error::injected\nlocation: test/functional/a.test.js:9\n\
                   hint: run `npm run test-functional` in the project's directory\nlog: /aws/lambda/x y";
    Failure {
        stage: "Acceptance".to_owned(),
        action: "e2e".to_owned(),
        message: message.to_owned(),
        cause: Cause::read("JobFailed", message),
        application_log: vec![
            "ERROR Error: boom".to_owned(),
            "    at index.js:1:39".to_owned(),
        ],
        untouched: vec!["Production".to_owned()],
        next: "see the logs on the page of the run: `delivery open`".to_owned(),
        ..failure()
    }
}

fn of_two_pipelines() -> RunMessage {
    let executions = ["3f2a6c1e-0000-4000-8000-000000000000", "9c00a1b2-0000"];
    let pipelines = ["shop-infra", "shop-app"].into_iter().zip(executions);
    let deployed = |execution: &str| ActionReport {
        execution: execution.to_owned(),
        ..action("deploy-stack", "Succeeded", 2.0, None)
    };
    RunMessage::Result(RunResult {
        execution: Some(executions[1].to_owned()),
        actions: executions.map(deployed).into(),
        pipelines: pipelines
            .map(|(name, execution)| PipelineResult {
                name: name.to_owned(),
                execution: execution.to_owned(),
                status: "Succeeded".to_owned(),
                revision: Some("8130db3d2f6d0e78130db3d2f6d0e78130db3d2f".to_owned()),
            })
            .collect(),
        seconds: 9.0,
        ..RunResult::new(Exit::Success)
    })
}

/// One message of each kind.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn examples() -> Vec<RunMessage> {
    let urls = StageUrls {
        site: Some("http://127.0.0.1:4566/site/".to_owned()),
        api: Some("http://127.0.0.1:4566/api/prod".to_owned()),
        services: BTreeMap::from([(
            "orders".to_owned(),
            BTreeMap::from([("Url".to_owned(), "http://127.0.0.1:4566/orders".to_owned())]),
        )]),
    };
    let execution = "3f2a6c1e-0000-4000-8000-000000000000".to_owned();
    vec![
        RunMessage::Run {
            run: "20261128-041500-3f2a".to_owned(),
            application: "greeter".to_owned(),
            page: "greeter/.delivery/runs/20261128-041500-3f2a/report.html".into(),
        },
        RunMessage::Step {
            step: Step::Functions,
            done: false,
            seconds: None,
            detail: "building 6 with cargo".to_owned(),
        },
        RunMessage::Step {
            step: Step::LocalAws,
            done: true,
            seconds: Some(4.25),
            detail: "on port 4566".to_owned(),
        },
        RunMessage::Pipeline {
            name: "greeter".to_owned(),
            stages: vec![StageShape {
                name: "Source".to_owned(),
                actions: vec!["Source".to_owned()],
            }],
        },
        RunMessage::Execution {
            execution: execution.clone(),
            status: "InProgress".to_owned(),
            revision: Some("8130db3d2f6d0e78130db3d2f6d0e78130db3d2f".to_owned()),
            summary: Some("greet in French\n\nlong".to_owned()),
        },
        RunMessage::Action(action("NpmInstall", "InProgress", 0.1, None)),
        RunMessage::Action(action(
            "NpmInstall",
            "Succeeded",
            125.4,
            Some("290 packages (log: g s)"),
        )),
        RunMessage::Progress(action(
            "deploy-app",
            "InProgress",
            12.0,
            Some("`greeter:prod`: 10 % on version 8 for 12 of 60 s"),
        )),
        RunMessage::Failure(Box::new(failure())),
        RunMessage::Failure(Box::new(failed_test())),
        RunMessage::Failure(Box::new(Failure {
            cause: Cause::read("JobFailed", "no lock file"),
            next: "fix it, commit, and run `delivery run` again".to_owned(),
            ..failure()
        })),
        RunMessage::Finding(Finding {
            severity: Severity::Note,
            message: "2 changed files are not committed and are not delivered".to_owned(),
            help: None,
        }),
        RunMessage::Finding(Finding {
            severity: Severity::Error,
            message: "`node` was not found on PATH".to_owned(),
            help: Some("install Node.js".to_owned()),
        }),
        RunMessage::Log {
            execution: execution.clone(),
            stage: "Commit".to_owned(),
            action: "npm-install".to_owned(),
            lines: vec!["added 290 packages".to_owned()],
            reports: Vec::new(),
        },
        RunMessage::Addresses {
            urls: BTreeMap::from([("Production".to_owned(), urls.clone())]),
        },
        RunMessage::Approval {
            execution: execution.clone(),
            stage: "Production".to_owned(),
            action: "Approve".to_owned(),
            command: "delivery approve 8130db3d".to_owned(),
        },
        RunMessage::Heartbeat {
            running: vec!["Commit / NpmInstall".to_owned()],
            seconds: 30.0,
        },
        RunMessage::Environment {
            variables: BTreeMap::from([("AWS_REGION".to_owned(), "us-east-1".to_owned())]),
        },
        RunMessage::Notice {
            message: "the functions are taken from `dist`".to_owned(),
        },
        RunMessage::Result(RunResult {
            execution: Some(execution),
            urls: BTreeMap::from([("Production".to_owned(), urls)]),
            actions: vec![action("NpmInstall", "Succeeded", 8.0, None)],
            seconds: 61.0,
            page: Some("greeter/.delivery/runs/20261128-041500-3f2a/report.html".into()),
            ..RunResult::new(Exit::Success)
        }),
        RunMessage::Result(RunResult {
            seconds: 3.0,
            error: Some(ResultError {
                kind: "tool-missing".to_owned(),
                message: "`cargo` is not installed".to_owned(),
            }),
            ..RunResult::new(Exit::Failed)
        }),
        RunMessage::Result(RunResult {
            seconds: 3.0,
            ..RunResult::new(Exit::Superseded)
        }),
        of_two_pipelines(),
    ]
}
