use super::*;
use crate::pipeline::state::{ActionFailure, ActionState, Closed, Inbound, Revision, StageState};

fn revision(letter: &str, message: &str) -> Revision {
    Revision {
        id: letter.repeat(40),
        message: Some(message.to_owned()),
        url: None,
    }
}

fn execution(letter: &str) -> String {
    format!("{}-0000-4000-8000-000000000000", letter.repeat(8))
}

fn action(name: &str, status: &str, of: &str, seconds: f64) -> ActionState {
    ActionState {
        name: name.to_owned(),
        status: Some(status.to_owned()),
        execution: Some(execution(of)),
        changed: Some("2026-11-21T09:40:11Z".to_owned()),
        seconds: Some(seconds),
        ..ActionState::default()
    }
}

fn stage(name: &str, status: &str, of: &str, actions: Vec<ActionState>) -> StageState {
    StageState {
        name: name.to_owned(),
        status: Some(status.to_owned()),
        execution: Some(execution(of)),
        revision: Some(revision(of, "Greet in French")),
        actions,
        ..StageState::default()
    }
}

fn stack(status: &str) -> StackState {
    let outputs = [
        ("Pipeline", "greeter-Delivery-ABC"),
        ("ProdApiUrl", "https://example.com/prod"),
    ];
    StackState {
        name: "greeter".to_owned(),
        status: status.to_owned(),
        reason: None,
        changed: Some("2026-11-21T09:00:00Z".to_owned()),
        outputs: outputs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    }
}

fn connection(status: &str) -> Connection {
    Connection::new(
        "arn:aws:codeconnections:eu-west-1:111122223333:connection/c",
        Some(status.to_owned()),
        "eu-west-1",
    )
}

#[test]
fn a_retry_is_offered_where_it_can_help() {
    let next = |code: &str| {
        let mut failed = action("size-budget", "Failed", "b", 1.0);
        failed.error = Some(ActionFailure {
            code: code.to_owned(),
            message: "maxBytes is missing".to_owned(),
        });
        let pipeline = PipelineState {
            name: "greeter".to_owned(),
            stages: vec![stage("Acceptance", "Failed", "b", vec![failed])],
        };
        StatusDocument::new(stack("UPDATE_COMPLETE"), vec![pipeline], None).next
    };
    let log = "delivery log --failed";
    assert_eq!(
        next("SystemUnavailable"),
        [log, "delivery retry Acceptance"]
    );
    assert_eq!(
        next("ConfigurationError"),
        [log, "delivery up", "delivery start"]
    );
    assert_eq!(next("RevisionUnavailable"), [log, "delivery start"]);
}

/// Everything that can be seen at once.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn busy() -> StatusDocument {
    let mut failed = action("test-and-package", "Failed", "b", 8.25);
    failed.error = Some(ActionFailure {
        code: "JobFailed".to_owned(),
        message: "1 test failed: greetings greets the world\nhint: run `npx gulp package`"
            .to_owned(),
    });
    let mut approve = action("approve", "InProgress", "a", 125.0);
    approve.waits_for_approval = true;
    approve.token = Some("t".to_owned());
    let mut commit = stage(
        "Commit",
        "Failed",
        "b",
        vec![action("npm-install", "Succeeded", "b", 12.0), failed],
    );
    commit.inbound = vec![Inbound {
        execution: execution("c"),
        revision: Some(revision("c", "Greet in German")),
        waits_for: None,
    }];
    commit.closed = Some(Closed {
        reason: Some("release freeze".to_owned()),
        since: Some("2026-11-21T09:30:00Z".to_owned()),
        by: Some("arn:aws:iam::111122223333:user/ann".to_owned()),
    });
    let mut approval = stage("Approval", "InProgress", "a", vec![approve]);
    approval.inbound = vec![Inbound {
        execution: execution("d"),
        revision: None,
        waits_for: Some(execution("a")),
    }];
    let pipeline = PipelineState {
        name: "greeter-Delivery-ABC".to_owned(),
        stages: vec![
            stage(
                "Source",
                "Succeeded",
                "c",
                vec![action("Source", "Succeeded", "c", 2.0)],
            ),
            commit,
            approval,
            stage(
                "Production",
                "InProgress",
                "d",
                vec![
                    ActionState {
                        percent_complete: Some(4),
                        summary: Some(
                            "`greeter:prod`: 10 % on version 8 for 12 of 300 s (step 1 of 1) (log: g s)"
                                .to_owned(),
                        ),
                        ..action("deploy-app", "InProgress", "d", 3.0)
                    },
                    action("deploy-site", "Succeeded", "a", 4.0),
                    ActionState {
                        name: "e2e".to_owned(),
                        ..ActionState::default()
                    },
                ],
            ),
        ],
    };
    StatusDocument::new(
        stack("UPDATE_COMPLETE"),
        vec![pipeline],
        Some(connection("AVAILABLE")),
    )
}

fn quiet() -> StatusDocument {
    let pipeline = PipelineState {
        name: "greeter-Delivery-ABC".to_owned(),
        stages: vec![stage(
            "Source",
            "Succeeded",
            "a",
            vec![action("Source", "Succeeded", "a", 2.0)],
        )],
    };
    StatusDocument::new(
        stack("CREATE_COMPLETE"),
        vec![pipeline],
        Some(connection("AVAILABLE")),
    )
}

fn shown(document: &StatusDocument) -> String {
    anstream::adapter::strip_str(&document.text()).to_string()
}

#[test]
fn a_busy_pipeline_says_who_waits_for_whom() {
    insta::assert_snapshot!(shown(&busy()));
}

#[test]
fn a_pipeline_at_rest_is_short() {
    insta::assert_snapshot!(shown(&quiet()));
}

#[test]
fn several_pipelines_are_shown_one_after_the_other_and_named_in_commands() {
    let mut failed = action("deploy-stack-database", "Failed", "a", 3.0);
    failed.error = Some(ActionFailure {
        code: "JobFailed".to_owned(),
        message: "the stack `shop-int-database` cannot be updated".to_owned(),
    });
    let mut approve = action("approve", "InProgress", "b", 125.0);
    approve.waits_for_approval = true;
    let pipeline = |name: &str, stages| PipelineState {
        name: name.to_owned(),
        stages,
    };
    let pipelines = vec![
        pipeline(
            "greeter-infra",
            vec![stage("int", "Failed", "a", vec![failed])],
        ),
        pipeline(
            "greeter-app",
            vec![stage("approval-prd", "InProgress", "b", vec![approve])],
        ),
    ];
    let document = StatusDocument::new(stack("UPDATE_COMPLETE"), pipelines, None);
    assert_eq!(document.exit(), Exit::PipelineFailed);
    insta::assert_snapshot!(shown(&document));
}

#[test]
fn a_stack_without_a_pipeline_says_what_it_is() {
    let mut stack = stack("ROLLBACK_COMPLETE");
    stack.outputs.clear();
    stack.reason = Some("The following resource(s) failed to create: [Role].".to_owned());
    let document = StatusDocument::new(stack, Vec::new(), Some(connection("PENDING")));
    insta::assert_snapshot!(shown(&document));
}

#[test]
fn the_exit_status_follows_what_is_shown() {
    assert_eq!(quiet().exit(), Exit::Success);
    assert_eq!(busy().exit(), Exit::PipelineFailed);
    let mut waits = busy();
    if let Some(pipeline) = &mut waits.pipeline {
        pipeline.stages.remove(1);
    }
    assert_eq!(waits.exit(), Exit::Pending);
    let pending = StatusDocument::new(
        stack("CREATE_COMPLETE"),
        Vec::new(),
        Some(connection("PENDING")),
    );
    assert_eq!(pending.exit(), Exit::Pending);
    let rolled_back = StatusDocument::new(stack("UPDATE_ROLLBACK_COMPLETE"), Vec::new(), None);
    assert_eq!(rolled_back.exit(), Exit::PipelineFailed);
}
