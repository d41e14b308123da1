//! What is deleted, in which order, and what stays.

use std::time::Duration;

use delivery_action::clock::{self, Deadline};
use delivery_action::event::EventFunction as _;
use delivery_release::environment::Action;
use delivery_testing::proxy::Proxy;
use serde_json::json;
use undeploy::UndeployError;

use crate::world::{QA, TOPIC, World, bucket_template, run};

/// A bucket and a table, both with data, and both kept on purpose; and a topic.
const RETAINED: &str = "
Resources:
  Topic: { Type: 'AWS::SNS::Topic' }
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      TableName: retained-orders
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Files:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties: { BucketName: retained-files }
";

/// The stacks whose deletion a function has begun, in order.
async fn deleted_stacks(world: &World, event: &serde_json::Value) -> Vec<String> {
    let proxy = Proxy::start(&world.endpoint, []).await;
    let undeploy = world.undeploy(&proxy.url());
    let deadline = Deadline::after(Duration::from_mins(2));
    undeploy.handle(event, deadline).await.unwrap();
    let seen = proxy.seen().into_iter();
    let deletions = seen.filter(|call| call.action() == "cloudformation:DeleteStack");
    deletions.map(|call| call.resource).collect()
}

#[test]
fn an_environment_goes_in_the_reverse_order_of_its_services_and_what_is_kept_is_named() {
    run("retained", async |world| {
        world.deploy(QA, None).await;
        let database = world.stack(QA, "database", RETAINED).await;
        let orders = world.stack(QA, "orders", TOPIC).await;
        let old = world.stack(QA, "old", TOPIC).await;
        world.put("retained-files", "report").await;

        let event = json!({"environment": "QA-1f09ab3c", "by": "anna", "reason": "done"});
        let deleted = deleted_stacks(&world, &event).await;
        assert_eq!(deleted, [old.clone(), orders.clone(), database.clone()]);
        for stack in [&database, &orders, &old] {
            assert_eq!(world.status(stack).await, None);
        }
        let state = world.environment(QA).state().await.unwrap();
        let last = state.last.unwrap();
        assert_eq!(
            (state.current, state.lease, state.until),
            (None, None, None)
        );
        assert_eq!(last.deployment.action, Action::Remove);
        assert_eq!(last.deployment.by, "anna");
        assert!(last.outcome.is_success());
        let parts = world.parts(QA).await;
        assert_eq!(parts["orders"], "Removed");
        assert_eq!(
            parts["database"],
            "Removed: kept, as `DeletionPolicy` in the template says: \
             `retained-files` (AWS::S3::Bucket, `retained-qa-1f09ab3c-database/Files`), \
             `retained-orders` (AWS::DynamoDB::Table, `retained-qa-1f09ab3c-database/Table`)"
        );
        // What is kept still has what is in it.
        let head = world
            .s3
            .head_object()
            .bucket("retained-files")
            .key("report");
        head.send().await.unwrap();

        // Once more there is nothing to do, and nothing is written.
        let deployments = last.deployment.id.number();
        assert_eq!(deleted_stacks(&world, &event).await, [] as [String; 0]);
        let state = world.environment(QA).state().await.unwrap();
        assert_eq!(state.deployments, deployments);
    });
}

/// Two buckets that are kept on purpose and two that are not, none of which is in the template by its own name.
const LOOPS: &str = "
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Archives:
    - Name
    - [a, b]
    - Archive${Name}:
        Type: AWS::S3::Bucket
        DeletionPolicy: Retain
        UpdateReplacePolicy: Retain
        Properties: { BucketName: !Sub 'loops-archive-${Name}' }
  Fn::ForEach::Caches:
    - Name
    - [a, b]
    - Cache${Name}:
        Type: AWS::S3::Bucket
        Properties: { BucketName: !Sub 'loops-cache-${Name}' }
";

#[test]
fn of_what_a_loop_of_the_template_made_each_is_kept_or_emptied_as_the_loop_says() {
    run("loops", async |world| {
        world.deploy(QA, None).await;
        let stack = world.stack(QA, "database", LOOPS).await;
        for bucket in ["archive-a", "archive-b", "cache-a", "cache-b"] {
            world.put(&format!("loops-{bucket}"), "report").await;
        }
        world.handle(&json!({"environment": QA})).await.unwrap();
        assert_eq!(world.status(&stack).await, None);
        for kept in ["loops-archive-a", "loops-archive-b"] {
            let head = world.s3.head_object().bucket(kept).key("report");
            head.send().await.unwrap();
            let parts = world.parts(QA).await;
            assert!(parts["database"].contains(kept), "{parts:?}");
        }
        for gone in ["loops-cache-a", "loops-cache-b"] {
            let head = world.s3.head_bucket().bucket(gone).send().await;
            assert!(head.is_err(), "{gone}");
        }
    });
}

#[test]
fn a_bucket_with_thousands_of_versions_is_emptied_with_progress() {
    run("versions", async |world| {
        world.deploy(QA, None).await;
        let stack = world
            .stack(QA, "database", &bucket_template("versions-data"))
            .await;
        let puts = futures_util::stream::iter(0..2_000);
        let world = &world;
        futures_util::StreamExt::for_each_concurrent(puts, 16, |number| async move {
            world
                .put("versions-data", &format!("key-{}", number % 500))
                .await;
        })
        .await;
        let deletes = futures_util::stream::iter(0..500);
        futures_util::StreamExt::for_each_concurrent(deletes, 16, |number| async move {
            let delete = world.s3.delete_object().bucket("versions-data");
            delete.key(format!("key-{number}")).send().await.unwrap();
            world.put("versions-data", &format!("other-{number}")).await;
        })
        .await;
        let upload = world.s3.create_multipart_upload().bucket("versions-data");
        upload.key("unfinished").send().await.unwrap();

        let proxy = Proxy::start(&world.endpoint, []).await;
        let undeploy = world.undeploy(&proxy.url());
        let deadline = Deadline::after(Duration::from_mins(2));
        let event = json!({"environment": QA});
        undeploy.handle(&event, deadline).await.unwrap();
        assert_eq!(world.status(&stack).await, None);
        let batches = proxy.seen().into_iter();
        let batches = batches
            .filter(|call| call.action() == "s3:DeleteObjects")
            .count();
        // 2,000 versions, 500 delete markers and 500 further versions, 1,000 a call.
        assert_eq!(batches, 3);
    });
}

#[test]
fn what_belongs_to_others_stays() {
    run("foreign", async |world| {
        world.deploy(QA, None).await;
        let own = world.stack(QA, "orders", TOPIC).await;
        let neighbour = world.stack("qa-00000000", "orders", TOPIC).await;
        let other = World {
            application: "foreign-other".to_owned(),
            ..world.clone()
        };
        let foreign = other.stack(QA, "orders", TOPIC).await;
        world.handle(&json!({"environment": QA})).await.unwrap();
        assert_eq!(world.status(&own).await, None);
        for stack in [neighbour, foreign] {
            assert_eq!(
                world.status(&stack).await.as_deref(),
                Some("CREATE_COMPLETE"),
                "{stack}"
            );
        }
    });
}

#[test]
fn a_stack_that_must_not_be_deleted_keeps_the_whole_environment() {
    run("careful", async |world| {
        world.deploy(QA, None).await;
        let orders = world.stack(QA, "orders", TOPIC).await;
        let untagged = world.tagged_stack(QA, "database", TOPIC, &[]).await;
        let protected = world.stack(QA, "mail", TOPIC).await;
        let protect = world.cloudformation.update_termination_protection();
        let protect = protect.enable_termination_protection(true);
        protect.stack_name(&protected).send().await.unwrap();

        let error = world.handle(&json!({"environment": QA})).await.unwrap_err();
        assert!(matches!(error, UndeployError::Kept { .. }), "{error}");
        for (stack, reason) in [
            (&untagged, "lacks the tag `delivery:removable=true`"),
            (&protected, "has termination protection"),
        ] {
            let said = format!("`{stack}` {reason}");
            assert!(error.to_string().contains(&said), "{error}");
        }
        for stack in [&orders, &untagged, &protected] {
            assert!(world.status(stack).await.is_some(), "{stack}");
        }
        let state = world.environment(QA).state().await.unwrap();
        assert!(state.lease.is_none() && state.current.is_some());
    });
}

#[test]
fn an_environment_that_is_no_member_of_a_family_stays() {
    run("word", async |world| {
        world.deploy("int", None).await;
        let stack = world.stack("int", "orders", TOPIC).await;
        let error = world
            .handle(&json!({"environment": "int"}))
            .await
            .unwrap_err();
        assert!(
            matches!(error, UndeployError::NotOfAFamily { .. }),
            "{error}"
        );
        // A time that is over does not change that.
        let environment = world.environment("int");
        environment.keep(Some(clock::timestamp())).await.unwrap();
        world.sweep().await.unwrap();
        assert!(world.status(&stack).await.is_some());
    });
}

#[test]
fn what_was_never_there_is_removed_without_a_trace() {
    run("nothing", async |world| {
        world
            .handle(&json!({"environment": "dev-nobody"}))
            .await
            .unwrap();
        let state = world.environment("dev-nobody").state().await.unwrap();
        assert_eq!(state.deployments, 0);
        assert!(world.handle(&json!({"environment": "dev"})).await.is_err());
    });
}
