//! What stands in the way of a removal.

use std::sync::Arc;
use std::time::Duration;

use delivery_action::clock::{self, Deadline};
use delivery_action::event::EventFunction as _;
use delivery_release::environment::{Action, Begun, Outcome, Request};
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use serde_json::json;
use undeploy::{MAX_PASSES, SHORTEST_TIME, UndeployError};

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

/// What the sweep asks for.
fn removal() -> Request {
    Request {
        owner: "undeploy".to_owned(),
        by: "the schedule".to_owned(),
        reason: None,
        action: Action::Remove,
        until: None,
    }
}

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
        let request = removal();
        // All but two of the passes come to nothing.
        let long_ago = clock::timestamp() - SHORTEST_TIME;
        for pass in 1..=MAX_PASSES - 2 {
            let begun = environment.begin(&request, long_ago).await.unwrap();
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
fn passes_that_come_quickly_use_up_no_removal() {
    run("quick", async |world| {
        world.deploy(QA, None).await;
        let production = PRODUCTION.replace("twenty-data", "quick-data");
        let stack = world.stack(QA, "database", &production).await;
        world.put("quick-data", "order").await;
        let environment = world.environment(QA);
        let request = removal();
        for _ in 0..=MAX_PASSES {
            let now = clock::timestamp();
            environment.begin(&request, now).await.unwrap();
        }
        world.sweep().await.unwrap();
        assert!(environment.state().await.unwrap().lease.is_some());
        let delete = world.s3.delete_object().bucket("quick-data").key("order");
        delete.send().await.unwrap();
        world.sweep().await.unwrap();
        assert_eq!(world.status(&stack).await, None);
    });
}

#[test]
fn a_stack_that_is_protected_between_two_passes_keeps_what_is_in_its_buckets() {
    run("saved", async |world| {
        world.deploy(QA, None).await;
        let orders = world.stack(QA, "orders", TOPIC).await;
        let database = bucket_template("saved-data");
        let database = world.stack(QA, "database", &database).await;
        world.put("saved-data", "order").await;
        let first = world.undeploy(&world.endpoint);
        let event = json!({"environment": QA});
        let no_time = Deadline::after(Duration::ZERO);
        first.handle(&event, no_time).await.unwrap();
        assert_eq!(world.at_rest(&orders).await, None);

        let protect = world.cloudformation.update_termination_protection();
        let protect = protect.stack_name(&database);
        let protect = protect.enable_termination_protection(true);
        protect.send().await.unwrap();
        let error = world.sweep().await.unwrap_err();
        assert!(
            error.to_string().contains("has termination protection"),
            "{error}"
        );
        let head = world.s3.head_object().bucket("saved-data").key("order");
        head.send().await.unwrap();
        assert!(world.status(&database).await.is_some());
        assert!(world.environment(QA).state().await.unwrap().lease.is_none());
    });
}

#[test]
fn a_stack_that_cannot_go_does_not_keep_the_others_of_its_wave() {
    run("wave", async |world| {
        let definition = DEFINITION.replace(
            "[environments]",
            "mail = { directory = \"mail\", needs = [\"database\"] }\n[environments]",
        );
        let owner = format!("shop/{EXECUTION}");
        let lease = world.begin(QA, &owner, &definition, None).await;
        let environment = world.environment(QA);
        let (id, now) = (&lease.deployment.id, clock::timestamp());
        environment.finish(id, &[].into(), now).await.unwrap();
        let database = world.stack(QA, "database", TOPIC).await;
        let mail = world.stack(QA, "mail", TOPIC).await;
        let orders = world.stack(QA, "orders", TOPIC).await;
        for stuck in [&mail, &orders] {
            let rule = Rule {
                resource: Some(stuck.clone()),
                ..Rule::always("cloudformation:DeleteStack", Fault::Status(403))
            };
            let proxy = Proxy::start(&world.endpoint, [rule]).await;
            let undeploy = world.undeploy(&proxy.url());
            let event = json!({"environment": QA});
            let error = undeploy.handle(&event, Deadline::after(WITHIN)).await;
            assert!(matches!(error, Err(UndeployError::Job(_))), "{error:?}");
            let other = if *stuck == mail { &orders } else { &mail };
            assert_eq!(world.status(other).await, None, "{other}");
            assert!(world.status(stuck).await.is_some(), "{stuck}");
            assert!(world.status(&database).await.is_some(), "needed by it");
            world.sweep().await.unwrap();
            assert_eq!(world.status(&database).await, None);
            let finished = environment.state().await.unwrap();
            assert!(finished.is_removed());

            // Once more, with the other one, by another execution.
            let other = format!("shop/after-{stuck}");
            let lease = world.begin(QA, &other, &definition, None).await;
            let (id, now) = (&lease.deployment.id, clock::timestamp());
            environment.finish(id, &[].into(), now).await.unwrap();
            for service in ["database", "mail", "orders"] {
                world.stack(QA, service, TOPIC).await;
            }
        }
    });
}

#[test]
fn an_environment_of_a_pull_request_is_removed_as_others_are() {
    run("pulls", async |world| {
        world.deploy("pr-17", None).await;
        let stack = world.stack("pr-17", "orders", TOPIC).await;
        world
            .handle(&json!({"environment": "pr-17"}))
            .await
            .unwrap();
        assert_eq!(world.status(&stack).await, None);
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
