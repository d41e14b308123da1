//! Stack policies: what an update may change.

use aws_sdk_cloudformation::types::ChangeSetType;

use crate::world::{World, run, said};

const POLICY: &str = r#"{"Statement": [
    {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "NotResource": "LogicalResourceId/Frozen"},
    {"Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*", "Resource": "*",
     "Condition": {"StringEquals": {"ResourceType": ["AWS::SQS::Queue"]}}}]}"#;

const TEMPLATE: &str = "\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: kept-by-a-policy, DelaySeconds: 1 }
  Frozen:
    Type: AWS::SNS::Topic
    Properties: { DisplayName: one }
  Free:
    Type: AWS::SNS::Topic
    Properties: { DisplayName: one }
";

/// Updates the stack; the status that it ends in, and the first reason of a failed resource.
async fn update(world: &World, name: &str, template: &str) -> (String, Option<String>) {
    let before = world.events("policed").await.len();
    let made = world.change_set(ChangeSetType::Update, "policed", name, template, &[]);
    made.await.unwrap();
    let status = world.execute("policed", name).await;
    let events = world.events("policed").await;
    let failed = events[before..].iter().find(|event| {
        let status = event.resource_status().unwrap();
        status.as_str() == "UPDATE_FAILED"
    });
    let reason = failed.and_then(|event| event.resource_status_reason());
    (status, reason.map(str::to_owned))
}

#[test]
fn an_update_changes_what_the_stack_policy_allows() {
    run(async |world| {
        assert_eq!(world.create("policed", TEMPLATE).await, "CREATE_COMPLETE");
        let set = world
            .cloudformation
            .set_stack_policy()
            .stack_name("policed");
        set.stack_policy_body(POLICY).send().await.unwrap();
        let refused = |reason: &str| {
            (
                "UPDATE_ROLLBACK_COMPLETE".to_owned(),
                Some(reason.to_owned()),
            )
        };
        let allowed = || ("UPDATE_COMPLETE".to_owned(), None);
        let frozen = "Frozen:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: ";

        let modified = TEMPLATE.replace("DelaySeconds: 1", "DelaySeconds: 2");
        assert_eq!(update(world, "modify", &modified).await, allowed());
        let renamed = modified.replace("kept-by-a-policy", "another-name");
        assert_eq!(
            update(world, "replace", &renamed).await,
            refused(
                "Action denied by stack policy: Statement [#2] does not allow [Update:Replace] for resource \
                 [LogicalResourceId/Queue]"
            )
        );
        let thawed = modified.replace(&format!("{frozen}one"), &format!("{frozen}two"));
        assert_eq!(
            update(world, "thaw", &thawed).await,
            refused("Action not allowed by stack policy")
        );
        let (_, rest) = modified.split_once("  Frozen").unwrap();
        let without = format!("Resources:\n  Frozen{rest}");
        assert_eq!(
            update(world, "delete", &without).await,
            refused(
                "Action denied by stack policy: Statement [#2] does not allow [Update:Delete] for resource \
                 [LogicalResourceId/Queue]"
            )
        );
        let sqs = world.stack_resource("policed", "Queue").await;
        assert!(sqs.ends_with("kept-by-a-policy"), "{sqs}");

        let (before, _) = modified.split_once("  Free").unwrap();
        assert_eq!(update(world, "free", before).await, allowed());

        let once = world.cloudformation.update_stack().stack_name("policed");
        let once = once
            .template_body(&renamed)
            .stack_policy_during_update_body(POLICY);
        let refused = said(&once.send().await.unwrap_err());
        assert!(
            refused.contains("knows no StackPolicyDuringUpdate"),
            "{refused}"
        );
    });
}
