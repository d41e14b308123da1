//! Recorded runs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// What somebody writes who wants the page to do something.
pub(super) const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\">";

/// A run as its events.
pub(super) struct Recorded {
    id: &'static str,
    hour: u32,
    application: &'static str,
    pub(super) text: String,
    logs: Vec<(&'static str, String)>,
}

impl Recorded {
    fn new(id: &'static str, hour: u32, application: &'static str) -> Self {
        let mut new = Self {
            id,
            hour,
            application,
            text: String::new(),
            logs: Vec::new(),
        };
        new.at(
            0,
            json!({"type": "run", "run": id, "application": application, "page": "report.html"}),
        );
        new
    }

    fn at(&mut self, seconds: u32, mut event: Value) {
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        event["v"] = json!(1);
        event["at"] = json!(format!(
            "2026-11-28T{:02}:{minutes:02}:{seconds:02}Z",
            self.hour
        ));
        writeln!(self.text, "{event}").unwrap();
    }

    fn begins(&mut self, stages: &Value, summary: &str) {
        self.at(
            1,
            json!({"type": "step", "step": "local-aws", "done": false, "detail": "starting"}),
        );
        self.at(4, json!({"type": "step", "step": "local-aws", "done": true, "seconds": 3.1, "detail": "started"}));
        self.at(6, json!({"type": "step", "step": "stack", "done": true, "seconds": 2.0, "detail": "created"}));
        self.at(
            7,
            json!({"type": "pipeline", "name": self.application, "stages": stages}),
        );
        self.at(
            7,
            json!({
                "type": "execution", "execution": EXECUTION, "status": "InProgress",
                "revision": "8130db3d2f6d0e78130db3d2f6d0e78130db3d2f", "summary": summary,
            }),
        );
    }

    /// An action that began at one second and ended at another.
    fn action(
        &mut self,
        stage: &str,
        action: &str,
        (from, to): (u32, u32),
        summary: &str,
        outputs: &Value,
    ) {
        self.at(from, report(stage, action, "InProgress", 0, "", &json!({})));
        self.at(
            to,
            report(stage, action, "Succeeded", to - from, summary, outputs),
        );
    }

    fn ends(&mut self, seconds: u32, status: &str, result: Value) {
        self.at(
            seconds,
            json!({"type": "execution", "execution": EXECUTION, "status": status}),
        );
        let mut event = json!({
            "type": "result", "exitCode": 0, "urls": {}, "actions": [], "seconds": seconds,
            "status": if status == "Succeeded" { "success" } else { "failure" },
        });
        if let Value::Object(fields) = result {
            event.as_object_mut().unwrap().extend(fields);
        }
        self.at(seconds, event);
    }

    /// Writes it as a run would have; the run's folder.
    pub(super) fn write(&self, runs: &Path) -> PathBuf {
        let folder = runs.join(self.id);
        fs::create_dir_all(folder.join("logs")).unwrap();
        fs::write(folder.join("events.jsonl"), &self.text).unwrap();
        for (name, lines) in &self.logs {
            fs::write(folder.join(format!("logs/{name}.log")), lines).unwrap();
        }
        folder
    }
}

const EXECUTION: &str = "3f2a6c1e-0000-4000-8000-000000000000";

fn report(
    stage: &str,
    action: &str,
    status: &str,
    seconds: u32,
    summary: &str,
    outputs: &Value,
) -> Value {
    json!({
        "type": "action", "execution": EXECUTION, "stage": stage, "action": action, "status": status,
        "seconds": seconds, "summary": summary, "outputs": outputs,
    })
}

fn stages() -> Value {
    json!([
        {"name": "Source", "actions": ["Source"]},
        {"name": "Commit", "actions": ["npm-install", "test-and-package"]},
        {"name": "Acceptance", "actions": ["deploy-app", "deploy-api", "deploy-site", "e2e"]},
        {"name": "Production", "actions": ["deploy-app", "deploy-api", "deploy-site", "e2e"]},
    ])
}

const DIGEST: &str = "sha256:9f2b5c1e7a40d3c8815e6b7f0a2d94c3e1f6587b20c9d4a3f8e7b6c5d4e3f2a1";

/// A test failed, and everything that others write is hostile.
pub(super) fn failed() -> Recorded {
    let mut run = Recorded::new("20261128-090000-aaaa", 9, "greeter");
    run.begins(
        &stages(),
        &format!("greet in French {HOSTILE}\n\n<b>bold</b> \u{202e}abc\u{0}"),
    );
    run.action("Source", "Source", (7, 8), "greet in French", &json!({}));
    run.action(
        "Commit",
        "npm-install",
        (8, 16),
        "290 packages (log: /aws/lambda/npm-install s)",
        &json!({}),
    );
    run.at(
        16,
        report(
            "Commit",
            "test-and-package",
            "InProgress",
            0,
            "",
            &json!({}),
        ),
    );
    let cause = json!({
        "type": "JobFailed",
        "message": format!("the npm task `package` failed: 1 of 14 tests failed: `greets in French {HOSTILE}`"),
        "hint": "run `npx gulp package` in the project's directory",
        "testSays": [
            "AssertionError: expected 'Bonjour' to equal 'Salut'",
            "+ expected - actual", "-Bonjour", "+Salut", format!("\u{1b}[31m{HOSTILE}\u{1b}[0m"),
        ],
        "location": "test/greetings.test.js:12",
        "output": [],
        "failedTests": [format!("greets in French {HOSTILE}")],
    });
    let mut failed = report("Commit", "test-and-package", "Failed", 6, "", &json!({}));
    failed["failure"] = cause.clone();
    run.at(22, failed);
    run.at(22, json!({
        "type": "failure", "execution": EXECUTION, "stage": "Commit", "action": "test-and-package", "code": "JobFailed",
        "message": "", "cause": cause, "log": [], "applicationLog": [format!("ERROR {HOSTILE}")],
        "untouched": ["Acceptance", "Production"],
        "help": "Acceptance and Production are untouched by this pipeline; fix it, commit, and run `delivery run` again",
        "next": "run `npx gulp package` in the project's directory",
    }));
    run.logs
        .push(("Commit-npm-install", "added 290 packages\n".to_owned()));
    run.logs.push((
        "Commit-test-and-package",
        format!("  13 passing\n  1 failing\n\u{1b}[2J{HOSTILE}\n"),
    ));
    run.ends(23, "Failed", json!({
        "exitCode": 3,
        "actions": [{"execution": EXECUTION, "stage": "Commit", "action": "test-and-package", "status": "Failed", "seconds": 6}],
        "urls": {"Acceptance": {"site": "javascript:alert(1)"}},
        "error": {"type": "pipeline-failed", "message": "1 test failed"},
    }));
    run
}

/// A canary has reached its second step, and the run goes on.
#[expect(clippy::too_many_lines, reason = "a list of events")]
pub(super) fn rollout() -> Recorded {
    let mut run = Recorded::new("20261128-100000-bbbb", 10, "greeter");
    run.begins(&stages(), "greet faster");
    run.action("Source", "Source", (7, 8), "", &json!({}));
    run.action("Commit", "npm-install", (8, 14), "290 packages", &json!({}));
    run.action(
        "Commit",
        "test-and-package",
        (14, 21),
        "package (gulp) in 6s; 14 tests: 14 passed",
        &json!({
            "DistLambdaOutputDigest": DIGEST,
        }),
    );
    run.action("Acceptance", "deploy-app", (21, 24), "`greeter:test` is on version 8", &json!({
        "Alias": "test", "CodeSha256": "nytcHnpA08iBXmt/Ci2Uw+H2WHsgydSj+Oe2xdTj8qE=", "Version": "8",
    }));
    run.action("Acceptance", "deploy-api", (21, 23), "", &json!({}));
    run.action(
        "Acceptance",
        "deploy-site",
        (21, 23),
        "4 uploaded, 0 unchanged, 0 removed",
        &json!({}),
    );
    run.action(
        "Acceptance",
        "e2e",
        (24, 29),
        "test-functional (gulp) in 4s; 5 tests: 5 passed",
        &json!({}),
    );
    run.at(
        29,
        report("Production", "deploy-app", "InProgress", 0, "", &json!({})),
    );
    for seconds in (2..=48).step_by(2) {
        let (percent, step, since) = if seconds <= 30 {
            (10, 1, 0)
        } else {
            (50, 2, 30)
        };
        let served = if seconds <= 30 {
            seconds * 4
        } else {
            120 + (seconds - 30) * 20
        };
        let failed = u32::from(seconds > 12) + 3 * u32::from(seconds > 36);
        let (tenths, old) = ((failed * 1000_u32).div_ceil(served), seconds * 36);
        let mut event = report(
            "Production",
            "deploy-app",
            "InProgress",
            seconds,
            &format!(
                "`greeter:prod`: {percent} % on version 8 for {} of 30 s (step {step} of 2); version 8: {failed} of {served} requests \
             failed ({}.{} %); version 7: 0 of {old} requests failed (0.0 %)",
                seconds - since,
                tenths / 10,
                tenths % 10,
            ),
            &json!({}),
        );
        event["type"] = json!("progress");
        run.at(29 + seconds, event);
    }
    run
}

/// A release went through three environments.
#[expect(clippy::too_many_lines, reason = "a list of events")]
pub(super) fn environments() -> Recorded {
    let mut run = Recorded::new("20261128-110000-cccc", 11, "shop");
    let deploy = json!(["deploy-orders", "deploy-website", "e2e", "release"]);
    run.begins(&json!([
        {"name": "Source", "actions": ["Source"]},
        {"name": "Commit", "actions": ["build", "release"]},
        {"name": "qa", "actions": deploy}, {"name": "int", "actions": deploy}, {"name": "prod", "actions": deploy},
    ]), "ship orders in one parcel");
    run.action("Source", "Source", (7, 8), "", &json!({}));
    run.action(
        "Commit",
        "build",
        (8, 19),
        "package (npm) in 9s; 31 tests: 31 passed",
        &json!({}),
    );
    run.action(
        "Commit",
        "release",
        (19, 21),
        "release 7c1f0a92 of 2 services",
        &json!({"Release": DIGEST}),
    );
    for (place, (stage, changed)) in [
        ("qa", "3 changed"),
        ("int", "3 changed"),
        ("prod", "2 changed"),
    ]
    .into_iter()
    .enumerate()
    {
        let from = 21 + 14 * u32::try_from(place).unwrap();
        run.action(
            stage,
            "deploy-orders",
            (from, from + 6),
            &format!("stack `shop-orders-{stage}`: {changed}"),
            &json!({
                "Stack": format!("shop-orders-{stage}"), "TemplateDigest": DIGEST,
            }),
        );
        run.action(
            stage,
            "deploy-website",
            (from, from + 3),
            "12 uploaded, 40 unchanged, 1 removed",
            &json!({}),
        );
        run.action(
            stage,
            "e2e",
            (from + 6, from + 12),
            "test-functional (npm) in 5s; 8 tests: 8 passed",
            &json!({}),
        );
        run.action(
            stage,
            "release",
            (from + 12, from + 13),
            "release 7c1f0a92 is verified",
            &json!({}),
        );
    }
    let urls = |stage: &str| {
        json!({
            "site": format!("http://127.0.0.1:4566/shop-{stage}/"),
            "services": {"orders": {"Url": format!("http://127.0.0.1:4566/orders-{stage}")}},
        })
    };
    run.ends(
        63,
        "Succeeded",
        json!({"urls": {"qa": urls("qa"), "int": urls("int"), "prod": urls("prod")}}),
    );
    run
}
