//! What stands in the way of a removal.

use std::sync::Arc;
use std::time::Duration;

use delivery_action::clock::{self, Deadline};
use delivery_action::event::EventFunction as _;
use delivery_release::environment::{Action, Begun, Outcome, Request};
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use serde_json::json;
use undeploy::{MAX_PASSES, UndeployError};

use crate::world::{DEFINITION, EXECUTION, QA, TOPIC, bucket_template, run};

const WITHIN: Duration = Duration::from_mins(2);

/// CloudFormation deletes the bucket, and the function must not empty it.
const PRODUCTION: &str = "
Resources:
  Data:
    Type: AWS::S3::Bucket
    Metadata: { Delivery: { Data: production } }
    Properties: { BucketName: twenty-data }
";

#[test]
fn a_bucket_that_is_written_to_meanwhile_is_emptied_again() {
    run("written", async |world| {
        world.deploy(QA, None).await;
        let stack = world
            .stack(QA, "database", &bucket_template("written-data"))
            .await;
        let writer = world.clone();
        let write: Hook = Arc::new(move || {
            let world = writer.clone();
            Box::pin(async move { world.put("written-data", "late").await })
        });
        let rule = Rule::once("cloudformation:DeleteStack", Fault::Before(write));
        let proxy = Proxy::start(&world.endpoint, [rule]).await;
        let undeploy = world.undeploy(&proxy.url());
        let event = json!({"environment": QA});
        undeploy
            .handle(&event, Deadline::after(WITHIN))
            .await
            .unwrap();
        assert_eq!(world.status(&stack).await, None);
        let deletions = proxy.seen().into_iter();
        let deletions = deletions.filter(|call| call.action() == "cloudformation:DeleteStack");
        assert_eq!(deletions.count(), 2);
    });
}

#[test]
fn a_removal_without_an_end_fails_after_twenty_passes_and_is_not_tried_again_by_itself() {
    run("twenty", async |world| {
        world.deploy(QA, None).await;
        let stack = world.stack(QA, "database", PRODUCTION).await;
        world.put("twenty-data", "order").await;
        let environment = world.environment(QA);
        let until = clock::timestamp();
        environment.keep(Some(until)).await.unwrap();
        let request = Request {
            owner: "undeploy".to_owned(),
            by: "the schedule".to_owned(),
            reason: None,
            action: Action::Remove,
            until: None,
        };
        // All but two of the passes come to nothing.
        for pass in 1..=MAX_PASSES - 2 {
            let begun = environment
                .begin(&request, clock::timestamp())
                .await
                .unwrap();
            assert!(matches!(begun, Begun::UnderWay(lease) if lease.passes == pass));
        }
        world.sweep().await.unwrap();
        world.sweep().await.unwrap();
        assert!(environment.state().await.unwrap().lease.is_some());

        let error = world.sweep().await.unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains(&format!("`{QA}` was not removed in 20 passes")),
            "{said}"
        );
        let reason = format!("`{stack}` (DELETE_FAILED): `Data` (AWS::S3::Bucket) in `{stack}`: ");
        assert!(said.contains(&reason), "{said}");
        let state = environment.state().await.unwrap();
        let last = state.last.unwrap();
        assert!(matches!(last.outcome, Outcome::Failed { .. }), "{last:?}");
        assert!(state.lease.is_none() && state.current.is_some());

        // The schedule leaves it alone; whoever has put it right says so.
        world.sweep().await.unwrap();
        let deployments = last.deployment.id.number();
        assert_eq!(environment.state().await.unwrap().deployments, deployments);
        let delete = world.s3.delete_object().bucket("twenty-data").key("order");
        delete.send().await.unwrap();
        world.handle(&json!({"environment": QA})).await.unwrap();
        assert_eq!(world.status(&stack).await, None);
        assert_eq!(environment.state().await.unwrap().until, None);
    });
}

#[test]
fn an_environment_that_is_being_deployed_is_removed_after_that() {
    run("busy", async |world| {
        let owner = format!("shop/{EXECUTION}");
        let lease = world.begin("dev-anna", &owner, DEFINITION, None).await;
        let stack = world.stack("dev-anna", "orders", TOPIC).await;
        world
            .handle(&json!({"environment": "dev-anna"}))
            .await
            .unwrap();
        world.sweep().await.unwrap();
        assert!(world.status(&stack).await.is_some());
        let environment = world.environment("dev-anna");
        assert!(environment.state().await.unwrap().until.is_some());

        let (id, now) = (&lease.deployment.id, clock::timestamp());
        environment.finish(id, &[].into(), now).await.unwrap();
        world.sweep().await.unwrap();
        assert_eq!(world.status(&stack).await, None);
    });
}

#[test]
fn an_event_that_comes_again_leaves_what_was_made_since() {
    run("again", async |world| {
        let event = json!({"environment": "dev-anna", "deployments": 1});
        world.deploy("dev-anna", None).await;
        let first = world.stack("dev-anna", "orders", TOPIC).await;
        world.handle(&event).await.unwrap();
        assert_eq!(world.status(&first).await, None);

        world.deploy("dev-anna", None).await;
        let second = world.stack("dev-anna", "orders", TOPIC).await;
        world.handle(&event).await.unwrap();
        let state = world.environment("dev-anna").state().await.unwrap();
        assert!(world.status(&second).await.is_some());
        assert_eq!((state.deployments, state.until), (3, None));

        let asked_again = json!({"environment": "dev-anna", "deployments": 3});
        world.handle(&asked_again).await.unwrap();
        assert_eq!(world.status(&second).await, None);
    });
}

#[test]
fn a_pass_that_has_no_time_left_leaves_the_rest_to_the_next() {
    run("hurry", async |world| {
        world.deploy(QA, None).await;
        let database = world
            .stack(QA, "database", &bucket_template("hurry-data"))
            .await;
        let orders = world.stack(QA, "orders", TOPIC).await;
        world.put("hurry-data", "key").await;
        let undeploy = world.undeploy(&world.endpoint);
        let mut passes = 0;
        while world
            .environment(QA)
            .state()
            .await
            .unwrap()
            .current
            .is_some()
        {
            let event = json!({"environment": QA});
            let deadline = Deadline::after(Duration::ZERO);
            undeploy.handle(&event, deadline).await.unwrap();
            for stack in [&database, &orders] {
                world.at_rest(stack).await;
            }
            passes += 1;
            assert!(passes < MAX_PASSES);
        }
        // One for each stack, one for the bucket, and one to see that nothing is left.
        assert_eq!(passes, 4);
        assert_eq!(world.status(&database).await, None);
    });
}

#[test]
fn a_stack_that_is_still_being_made_is_waited_for() {
    run("making", async |world| {
        world.deploy(QA, None).await;
        world.stack(QA, "orders", TOPIC).await;
        let name = format!("making-{QA}-orders");
        let update = world.cloudformation.update_stack().stack_name(&name);
        let template =
            "Resources: { Topic: { Type: 'AWS::SNS::Topic' }, Queue: { Type: 'AWS::SQS::Queue' } }";
        update.template_body(template).send().await.unwrap();
        world.handle(&json!({"environment": QA})).await.unwrap();
        assert_eq!(world.status(&name).await, None);
    });
}

#[test]
fn a_permission_that_is_missing_fails_the_function() {
    run("denied", async |world| {
        world.deploy(QA, None).await;
        world.stack(QA, "orders", TOPIC).await;
        let rule = Rule::always("cloudformation:DeleteStack", Fault::Status(403));
        let proxy = Proxy::start(&world.endpoint, [rule]).await;
        let undeploy = world.undeploy(&proxy.url());
        let event = json!({"environment": QA});
        let error = undeploy.handle(&event, Deadline::after(WITHIN)).await;
        assert!(matches!(error, Err(UndeployError::Job(_))), "{error:?}");
        world.sweep().await.unwrap();
        assert_eq!(world.status("denied-qa-1f09ab3c-orders").await, None);
    });
}
