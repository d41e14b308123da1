//! The table of docs/actions/deploy-stack.md, a row a test: what a stack is found in, what is done, and what is said.

use std::time::Duration;

use aws_sdk_cloudformation::types::{ChangeSetType, OnFailure, Tag};
use delivery_testing::world::codepipeline::Reported;

use crate::gate::Gate;
use crate::world::{Local, run};

/// The time of a job that ends before what it waits for. A quarter is the host's and a quarter of the rest is for the last
/// look at the stack: some seconds for a call of a busy machine.
const SHORT: Duration = Duration::from_secs(16);

const OK: &[(&str, &str)] = &[("Version", "1")];

/// Makes a stack whose creation fails, and which is then left in a state by what `on_failure` says.
async fn failed_creation(
    local: &Local,
    stack: &str,
    template: &str,
    on_failure: OnFailure,
) -> String {
    let create = local.cloudformation.create_stack().stack_name(stack);
    let create = create.template_body(template).on_failure(on_failure);
    let owner = Tag::builder().key("delivery:application").value("row");
    let create = create.tags(owner.build());
    create.send().await.unwrap();
    local.at_rest(stack).await
}

#[test]
fn no_stack_is_created() {
    run(async |local| {
        let key = local.custom(OK).await;
        let found = local.deploy("row-none", &key, "").await.variables();
        assert_eq!((&*found["Changed"], &*found["Id"]), ("true", "Custom"));
        assert_eq!(local.status("row-none").await.unwrap(), "CREATE_COMPLETE");
    });
}

#[test]
fn a_deleted_stack_is_created_again() {
    run(async |local| {
        let key = local.custom(OK).await;
        local.deploy("row-deleted", &key, "").await.variables();
        let delete = local
            .cloudformation
            .delete_stack()
            .stack_name("row-deleted");
        delete.send().await.unwrap();
        while local
            .status("row-deleted")
            .await
            .is_some_and(|status| status != "DELETE_COMPLETE")
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        local.deploy("row-deleted", &key, "").await.variables();
        assert_eq!(
            local.status("row-deleted").await.unwrap(),
            "CREATE_COMPLETE"
        );
    });
}

#[test]
fn a_stack_under_review_is_created() {
    run(async |local| {
        let create = local.cloudformation.create_change_set();
        let create = create
            .stack_name("row-review")
            .change_set_name("someone-elses");
        let create = create.change_set_type(ChangeSetType::Create);
        let create = create.template_body(local.template(OK));
        create.send().await.unwrap();
        let key = local.custom(OK).await;
        local.deploy("row-review", &key, "").await.variables();
        assert_eq!(local.status("row-review").await.unwrap(), "CREATE_COMPLETE");
    });
}

#[test]
fn a_complete_stack_is_updated_or_left_unchanged() {
    run(async |local| {
        let (one, two) = (
            local.custom(OK).await,
            local.custom(&[("Version", "2")]).await,
        );
        for (key, changed) in [
            (&one, "true"),
            (&one, "false"),
            (&two, "true"),
            (&two, "false"),
        ] {
            let found = local.deploy("row-complete", key, "").await.variables();
            assert_eq!(found["Changed"], changed);
        }
        let listed = local
            .cloudformation
            .list_change_sets()
            .stack_name("row-complete");
        let listed = listed.send().await.unwrap();
        let open = listed.summaries().iter().filter(|one| {
            one.execution_status()
                .is_some_and(|status| status.as_str() == "AVAILABLE")
        });
        assert_eq!(open.count(), 0, "a change set without changes was left");
    });
}

#[test]
fn an_update_that_fails_is_taken_back_and_tried_again() {
    run(async |local| {
        let key = local.custom(OK).await;
        local.deploy("row-rolled-back", &key, "").await.variables();
        let bad = local.custom(&[("Version", "2"), ("Fail", "Update")]).await;
        let deploy = async || {
            let result = local.deploy("row-rolled-back", &bad, "&revision=daed1c4f");
            result.await.failure()
        };
        let message = deploy().await;
        assert_eq!(deploy().await, message, "a second time");
        insta::assert_snapshot!(message);
        let good = local.custom(&[("Version", "3")]).await;
        local.deploy("row-rolled-back", &good, "").await.variables();
        assert_eq!(
            local.status("row-rolled-back").await.unwrap(),
            "UPDATE_COMPLETE"
        );
    });
}

#[test]
fn a_creation_that_fails_is_taken_back_deleted_and_tried_again() {
    run(async |local| {
        let bad = local.custom(&[("Fail", "Create")]).await;
        let result = local
            .deploy("row-never-created", &bad, "&revision=daed1c4f")
            .await;
        insta::assert_snapshot!(result.failure());
        let status = local.status("row-never-created").await.unwrap();
        assert_eq!(status, "ROLLBACK_COMPLETE");
        let good = local.custom(OK).await;
        local
            .deploy("row-never-created", &good, "")
            .await
            .variables();
        assert_eq!(
            local.status("row-never-created").await.unwrap(),
            "CREATE_COMPLETE"
        );
    });
}

#[test]
fn a_creation_that_was_left_as_it_is_may_hold_something() {
    run(async |local| {
        let template = local.template(&[("Fail", "Create")]);
        let status = failed_creation(local, "row-create-failed", &template, OnFailure::DoNothing);
        assert_eq!(status.await, "CREATE_FAILED");
        let key = local.custom(OK).await;
        let result = local.deploy("row-create-failed", &key, "").await;
        insta::assert_snapshot!(result.failure());
    });
}

#[test]
fn a_rollback_of_a_creation_that_failed_may_leave_something() {
    run(async |local| {
        let template = format!(
            "{}  Bad:\n    Type: Custom::Probe\n    DependsOn: Custom\n    Properties:\n      ServiceToken: '{}'\n      Fail: Create\n",
            local
                .template(&[("Fail", "Delete")])
                .split("Outputs:")
                .next()
                .unwrap(),
            local.template(&[]).split('\'').nth(1).unwrap()
        );
        let status = failed_creation(local, "row-rollback-failed", &template, OnFailure::Rollback);
        assert_eq!(status.await, "ROLLBACK_FAILED");
        let key = local.custom(OK).await;
        let result = local.deploy("row-rollback-failed", &key, "").await;
        insta::assert_snapshot!(result.failure());
    });
}

#[test]
fn a_deletion_that_failed_may_have_left_something() {
    run(async |local| {
        let key = local.custom(&[("Fail", "Delete")]).await;
        local
            .deploy("row-delete-failed", &key, "")
            .await
            .variables();
        let delete = local
            .cloudformation
            .delete_stack()
            .stack_name("row-delete-failed");
        delete.send().await.unwrap();
        assert_eq!(local.at_rest("row-delete-failed").await, "DELETE_FAILED");
        let result = local.deploy("row-delete-failed", &key, "").await;
        insta::assert_snapshot!(result.failure());
    });
}

#[test]
fn a_removable_environment_is_made_anew() {
    run(async |local| {
        let definition =
            "application = \"row\"\n[services]\nmain = \"service\"\n[environments]\ndev = {}\n";
        let template = local.template(&[("Fail", "Delete")]);
        let stack = "row-dev-anna-main";
        let failing = local.template(&[("Fail", "Create")]);
        let status = failed_creation(local, stack, &failing, OnFailure::DoNothing);
        assert_eq!(status.await, "CREATE_FAILED");
        let files = [
            ("delivery.toml", definition),
            ("service/template.yaml", template.as_str()),
        ];
        let key = local.artifact(&files).await;
        let event = local.job("unused", &key, "");
        let parameters = "environment=dev-anna&service=main&bucket=packages&role=arn:aws:iam::000000000000:role/cloudformation";
        local
            .act(event.user_parameters(parameters))
            .await
            .variables();
        assert_eq!(local.status(stack).await.unwrap(), "CREATE_COMPLETE");
    });
}

#[test]
fn a_rollback_that_failed_is_continued_only_where_that_is_allowed() {
    run(async |local| {
        let one = local.fragile(OK).await;
        let two = local.fragile(&[("Version", "2")]).await;
        local.deploy("row-stuck", &one, "").await.variables();
        local.break_probe(true).await;
        let result = local.deploy("row-stuck", &two, "&revision=daed1c4f").await;
        insta::assert_snapshot!(result.failure());
        let result = local.deploy("row-stuck", &two, "").await;
        insta::assert_snapshot!(result.failure());
        let result = local
            .deploy("row-stuck", &two, "&continue-rollback=on")
            .await;
        insta::assert_snapshot!(result.failure());
        local.break_probe(false).await;
        let found = local
            .deploy("row-stuck", &two, "&continue-rollback=on")
            .await;
        assert_eq!(found.variables()["Changed"], "true");
        assert_eq!(local.status("row-stuck").await.unwrap(), "UPDATE_COMPLETE");
    });
}

#[test]
fn someone_elses_operation_is_waited_for_and_never_ended() {
    run(async |local| {
        let key = local.custom(OK).await;
        local.deploy("row-busy", &key, "").await.variables();
        let gate = Gate::closed().await;
        let slow = local.template(&[("Version", "2"), ("Gate", &gate.url())]);
        let update = local.cloudformation.update_stack().stack_name("row-busy");
        update.template_body(&slow).send().await.unwrap();
        let next = local.custom(&[("Version", "3")]).await;
        let event = local.job("row-busy", &next, "");
        let first = local.invoke(&event, SHORT).await;
        let Reported::Continuation { summary, .. } = first else {
            panic!("{first:?}")
        };
        let waiting = "waiting for someone else's change of the stack `row-busy`, which is UPDATE_IN_PROGRESS";
        assert!(summary.starts_with(waiting), "{summary}");
        // A job that has waited for an hour.
        let token = r#"{"action":"deploy-stack","version":1,"content":{"job":"0","entry":"0","operation":null,"begun":false,"deleted":false,"continued":false,"began_seconds":1}}"#;
        let late = local.job("row-busy", &next, "").continuation_token(token);
        let message = local.invoke(&late, Duration::from_mins(1)).await.failure();
        assert!(
            message.starts_with(
                "RevisionOutOfSync: someone else is changing the stack `row-busy`, which is still "
            ),
            "{message}"
        );
        gate.open().await;
        assert_eq!(local.at_rest("row-busy").await, "UPDATE_COMPLETE");
        assert_eq!(local.act(event).await.variables()["Changed"], "true");
    });
}

#[test]
fn the_first_failure_is_found_in_nested_stacks() {
    run(async |local| {
        let outer = "Resources:\n  Inner:\n    Type: AWS::CloudFormation::Stack\n    Properties: { TemplateURL: inner.yaml }\n";
        let inner = local.template(&[("Fail", "Create")]);
        let files = [("template.yaml", outer), ("inner.yaml", inner.as_str())];
        let key = local.artifact(&files).await;
        let message = local.deploy("row-nested", &key, "").await.failure();
        let first = message.lines().find(|line| line.contains("first failure"));
        let first = first.unwrap();
        assert!(
            first.starts_with("  first failure: row-nested-Inner-")
                && first.ends_with(" / Custom (Custom::Probe), CREATE_FAILED"),
            "{message}"
        );
        assert!(message.contains("the probe fails at Create"), "{message}");
    });
}

#[test]
fn what_holds_data_is_neither_replaced_nor_removed_unless_that_is_allowed() {
    run(async |local| {
        let table = |attribute: &str| {
            format!(
                "Resources:\n  Other: {{ Type: 'AWS::SNS::Topic' }}\n  Table:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      \
                 BillingMode: PAY_PER_REQUEST\n      AttributeDefinitions: [{{ AttributeName: {attribute}, AttributeType: S }}]\n      \
                 KeySchema: [{{ AttributeName: {attribute}, KeyType: HASH }}]\n"
            )
        };
        let one = local.artifact(&[("template.yaml", &table("a"))]).await;
        let two = local.artifact(&[("template.yaml", &table("b"))]).await;
        let none = "Resources:\n  Other: { Type: 'AWS::SNS::Topic' }\n";
        let none = local.artifact(&[("template.yaml", none)]).await;
        local.deploy("row-data", &one, "").await.variables();
        insta::assert_snapshot!(local.deploy("row-data", &two, "").await.failure());
        insta::assert_snapshot!(local.deploy("row-data", &none, "").await.failure());
        assert_eq!(local.status("row-data").await.unwrap(), "CREATE_COMPLETE");
        local
            .deploy("row-data", &two, "&allow=Table")
            .await
            .variables();
        local
            .deploy("row-data", &none, "&allow=Table")
            .await
            .variables();
    });
}
