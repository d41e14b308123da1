//! Change sets: what they say, and when they are refused.

use std::time::Duration;

use aws_sdk_cloudformation::types::{ChangeSetStatus, ChangeSetType, ResourceSignalStatus};
use tokio::time::sleep;

use crate::world::{World, run};

const ONE: &str = "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n";

/// The changes of a change set: action, logical id, replacement.
async fn changes(world: &World, stack: &str, name: &str) -> Vec<String> {
    let describe = world.cloudformation.describe_change_set();
    let described = describe
        .stack_name(stack)
        .change_set_name(name)
        .send()
        .await
        .unwrap();
    assert_eq!(
        described.status,
        Some(ChangeSetStatus::CreateComplete),
        "{:?}",
        described.status_reason
    );
    let changes = described.changes.unwrap_or_default().into_iter();
    let mut printed: Vec<String> = changes
        .map(|change| {
            let change = change.resource_change.unwrap();
            let replacement = change
                .replacement
                .map(|replacement| format!(" {}", replacement.as_str()));
            format!(
                "{} {}{}",
                change.action.unwrap().as_str(),
                change.logical_resource_id.unwrap(),
                replacement.unwrap_or_default()
            )
        })
        .collect();
    printed.sort();
    printed
}

#[test]
fn a_first_change_set_reserves_the_name_and_a_second_finds_the_same_stack() {
    run(async |world| {
        let create = |name| world.change_set(ChangeSetType::Create, "reserved", name, ONE, &[]);
        create("first").await.unwrap();
        let reserved = world.stack("reserved").await;
        assert_eq!(
            reserved.stack_status.unwrap().as_str(),
            "REVIEW_IN_PROGRESS"
        );
        create("second").await.unwrap();
        assert_eq!(
            world.stack("reserved").await.stack_id,
            reserved.stack_id,
            "the stack was replaced"
        );
        assert_eq!(changes(world, "reserved", "first").await, ["Add Bucket"]);
        assert_eq!(world.execute("reserved", "second").await, "CREATE_COMPLETE");
        assert_eq!(world.stack("reserved").await.stack_id, reserved.stack_id);
        let again = create("third").await.unwrap_err();
        assert_eq!(
            again,
            "ValidationError: Stack [reserved] already exists and cannot be created again with the changeSet [third]."
        );
        let missing = world.change_set(ChangeSetType::Update, "missing", "one", ONE, &[]);
        assert_eq!(
            missing.await.unwrap_err(),
            "ValidationError: Stack [missing] does not exist"
        );
    });
}

#[test]
fn a_change_set_without_changes_fails() {
    run(async |world| {
        assert_eq!(world.create("same", ONE).await, "CREATE_COMPLETE");
        let made = world.change_set(ChangeSetType::Update, "same", "none", ONE, &[]);
        made.await.unwrap();
        let describe = world.cloudformation.describe_change_set();
        let described = describe.stack_name("same").change_set_name("none");
        let described = described.send().await.unwrap();
        assert_eq!(described.status, Some(ChangeSetStatus::Failed));
        assert_eq!(
            described.status_reason.as_deref(),
            Some(
                "The submitted information didn't contain changes. Submit different information to create a change set."
            )
        );
    });
}

/// A resource of each kind of change.
const TEMPLATE: &str = "\
Parameters:
  Days: { Type: Number, Default: 7 }
  Path: { Type: String, Default: /a/ }
  Key: { Type: String, Default: templates/inner.yaml }
  More: { Type: String, Default: 'false' }
Conditions:
  More: !Equals [!Ref More, 'true']
  Less: !Equals [!Ref More, 'false']
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: { RetentionInDays: !Ref Days }
  Role:
    Type: AWS::IAM::Role
    Properties:
      Path: !Ref Path
      AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] }
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: !Sub 'https://code.s3.${AWS::Region}.amazonaws.com/${Key}' }
  Topic:
    Type: AWS::SNS::Topic
    Condition: More
  Other:
    Type: AWS::SNS::Topic
    Condition: Less
";

#[test]
fn a_change_set_says_what_is_added_changed_replaced_and_removed() {
    run(async |world| {
        for key in ["templates/inner.yaml", "templates/inner-2.yaml"] {
            world.put(key, ONE).await;
        }
        let create = world.change_set(ChangeSetType::Create, "changing", "create", TEMPLATE, &[]);
        create.await.unwrap();
        assert_eq!(
            changes(world, "changing", "create").await,
            ["Add Logs", "Add Nested", "Add Other", "Add Role"]
        );
        let created = world.execute("changing", "create").await;
        assert_eq!(created, "CREATE_COMPLETE");

        let parameters = [
            ("Days", "14"),
            ("Path", "/b/"),
            ("Key", "templates/inner-2.yaml"),
            ("More", "true"),
        ];
        let update = world.change_set(
            ChangeSetType::Update,
            "changing",
            "all",
            TEMPLATE,
            &parameters,
        );
        update.await.unwrap();
        assert_eq!(
            changes(world, "changing", "all").await,
            [
                "Add Topic",
                "Modify Logs False",
                "Modify Nested False",
                "Modify Role True",
                "Remove Other"
            ]
        );
        let updated = world.execute("changing", "all").await;
        assert_eq!(updated, "UPDATE_COMPLETE");
    });
}

#[test]
fn a_stack_that_is_being_changed_takes_no_second_change() {
    const WAITING: &str = "\
Resources:
  Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' }
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: { Handle: !Ref Handle, Timeout: '60' }
";
    run(async |world| {
        let create = world.cloudformation.create_stack();
        let create = create.stack_name("busy").template_body(WAITING);
        create.send().await.unwrap();
        let id = world.stack("busy").await.stack_id.unwrap();
        let second = world.change_set(ChangeSetType::Update, "busy", "one", ONE, &[]);
        assert_eq!(
            second.await.unwrap_err(),
            format!(
                "ValidationError: Stack:{id} is in CREATE_IN_PROGRESS state and can not be updated."
            )
        );
        loop {
            let signal = world.cloudformation.signal_resource().stack_name("busy");
            let signal = signal
                .logical_resource_id("Wait")
                .unique_id("one")
                .status(ResourceSignalStatus::Success);
            if signal.send().await.is_ok() {
                break; // it waits, and goes on now
            }
            sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(world.at_rest("busy").await, "CREATE_COMPLETE");
    });
}
