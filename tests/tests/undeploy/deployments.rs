//! Stages that end, and environments whose time is over.

use std::collections::BTreeSet;
use std::time::Duration;

use delivery_action::clock::{self, Deadline};
use delivery_action::event::EventFunction as _;
use delivery_release::environment::{Action, Environment, Outcome, Request};
use delivery_testing::proxy::Proxy;
use jiff::SignedDuration;
use serde_json::json;

use crate::world::{DEFINITION, EXECUTION, QA, TOPIC, run, stage_event};

/// How the environment's last deployment ended.
async fn said(environment: &Environment) -> String {
    let last = environment.state().await.unwrap().last.unwrap();
    match last.outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::Failed { message } => format!("failed: {message}"),
        Outcome::Abandoned { message } => format!("abandoned: {message}"),
    }
}

#[test]
fn the_deployment_of_a_stage_that_did_not_succeed_ends_as_failed() {
    run("stages", async |world| {
        let owner = format!("shop/{EXECUTION}");
        for (state, how) in [
            ("FAILED", "failed"),
            ("STOPPED", "was stopped"),
            ("CANCELED", "was canceled"),
        ] {
            world.begin("int", &owner, DEFINITION, None).await;
            let event = stage_event("int", state, clock::timestamp());
            // An event comes twice.
            world.handle(&event).await.unwrap();
            world.handle(&event).await.unwrap();
            let expected =
                format!("failed: the stage `int` {how} before the deployment was verified");
            assert_eq!(said(&world.environment("int")).await, expected);
        }
        let state = world.environment("int").state().await.unwrap();
        assert_eq!(
            (state.deployments, state.current, state.lease),
            (3, None, None)
        );
    });
}

#[test]
fn other_deployments_go_on() {
    run("others", async |world| {
        world
            .begin("int", "shop/another-execution", DEFINITION, None)
            .await;
        let lease = world
            .begin("dev-anna", &format!("shop/{EXECUTION}"), DEFINITION, None)
            .await;
        // The stage was retried since this event.
        let before = lease.deployment.began - SignedDuration::from_secs(1);
        for event in [
            stage_event("int", "FAILED", before),
            stage_event("int", "SUCCEEDED", clock::timestamp()),
            stage_event("int", "STARTED", clock::timestamp()),
        ] {
            world.handle(&event).await.unwrap();
        }
        for name in ["int", "dev-anna"] {
            assert!(
                world
                    .environment(name)
                    .state()
                    .await
                    .unwrap()
                    .lease
                    .is_some(),
                "{name}"
            );
        }
    });
}

#[test]
fn the_environment_of_an_execution_goes_with_its_stage() {
    run("executions", async |world| {
        for state in ["SUCCEEDED", "FAILED", "STOPPED", "CANCELED"] {
            let owner = format!("shop/{EXECUTION}");
            world.begin(QA, &owner, DEFINITION, None).await;
            let stack = world.stack(QA, "orders", TOPIC).await;
            // The stage before it is no reason.
            let commit = stage_event("Commit", "SUCCEEDED", clock::timestamp());
            world.handle(&commit).await.unwrap();
            assert!(world.status(&stack).await.is_some());
            let event = stage_event("qa", state, clock::timestamp());
            world.handle(&event).await.unwrap();
            world.handle(&event).await.unwrap();
            assert_eq!(world.status(&stack).await, None, "{state}");
            assert_eq!(said(&world.environment(QA)).await, "succeeded");
        }
    });
}

#[test]
fn a_retried_stage_keeps_its_environment() {
    run("retried", async |world| {
        let lease = world
            .begin(QA, &format!("shop/{EXECUTION}"), DEFINITION, None)
            .await;
        let stack = world.stack(QA, "orders", TOPIC).await;
        let before = lease.deployment.began - SignedDuration::from_secs(1);
        world
            .handle(&stage_event("qa", "FAILED", before))
            .await
            .unwrap();
        assert!(world.status(&stack).await.is_some());
        assert!(world.environment(QA).state().await.unwrap().lease.is_some());
    });
}

#[test]
fn an_environment_stays_for_a_while_after_a_failure_where_the_definition_says_so() {
    run("failures", async |world| {
        let definition = DEFINITION.replace("qa = {}", "qa = { keep-on-failure = \"2h\" }");
        let owner = format!("shop/{EXECUTION}");
        world.begin(QA, &owner, &definition, None).await;
        let stack = world.stack(QA, "orders", TOPIC).await;
        let now = clock::timestamp();
        world
            .handle(&stage_event("qa", "FAILED", now))
            .await
            .unwrap();
        let environment = world.environment(QA);
        let state = environment.state().await.unwrap();
        let kept = state.until.unwrap().duration_since(now);
        assert!(kept >= SignedDuration::from_mins(119), "{kept}");
        assert!(state.lease.is_none());
        world.sweep().await.unwrap();
        assert!(world.status(&stack).await.is_some());

        // Two hours later.
        environment.remove_at(Some(now)).await.unwrap();
        world.sweep().await.unwrap();
        assert_eq!(world.status(&stack).await, None);
    });
}

#[test]
fn an_event_that_comes_late_ends_nothing_that_a_retry_goes_on_with() {
    run("late", async |world| {
        let owner = format!("shop/{EXECUTION}");
        let failed_at = clock::timestamp() - SignedDuration::from_mins(1);
        for name in [QA, "int"] {
            let began = failed_at - SignedDuration::from_mins(1);
            let release = world.publish(DEFINITION).await;
            let request = Request {
                owner: owner.clone(),
                by: "anna".to_owned(),
                reason: None,
                action: Action::Deploy { release },
                until: None,
            };
            let environment = world.environment(name);
            environment.begin_again(&request, began).await.unwrap();
            // The retry.
            let now = clock::timestamp();
            environment.begin_again(&request, now).await.unwrap();
        }
        let stack = world.stack(QA, "orders", TOPIC).await;
        for stage in ["qa", "int"] {
            let event = stage_event(stage, "FAILED", failed_at);
            world.handle(&event).await.unwrap();
        }
        for name in [QA, "int"] {
            let environment = world.environment(name);
            let lease = environment.state().await.unwrap().lease.unwrap();
            // The retry succeeds.
            let (id, now) = (&lease.deployment.id, clock::timestamp());
            environment.finish(id, &[].into(), now).await.unwrap();
        }
        world
            .handle(&stage_event("qa", "FAILED", failed_at))
            .await
            .unwrap();
        assert!(world.status(&stack).await.is_some());
        let now = clock::timestamp();
        world
            .handle(&stage_event("qa", "SUCCEEDED", now))
            .await
            .unwrap();
        assert_eq!(world.status(&stack).await, None);
    });
}

#[test]
fn a_person_who_keeps_an_environment_is_not_overruled_by_the_end_of_its_stage() {
    run("keeps", async |world| {
        let now = clock::timestamp();
        let until = now + SignedDuration::from_hours(4);
        let owner = format!("shop/{EXECUTION}");
        let definition = DEFINITION.replace("qa = {}", "qa = { keep-on-failure = \"1h\" }");
        for (state, kept) in [
            ("FAILED", Some(until)),
            ("STOPPED", None),
            // The last: after its removal the execution does not deploy again.
            ("SUCCEEDED", Some(until)),
        ] {
            let lease = world.begin(QA, &owner, &definition, Some(now)).await;
            let environment = world.environment(QA);
            let stack = world.stack(QA, "orders", TOPIC).await;
            environment.keep(kept).await.unwrap();
            if state == "SUCCEEDED" {
                let id = &lease.deployment.id;
                environment.finish(id, &[].into(), now).await.unwrap();
            }
            let event = stage_event("qa", state, clock::timestamp());
            world.handle(&event).await.unwrap();
            world.sweep().await.unwrap();
            assert!(world.status(&stack).await.is_some(), "{state}");
            let is = environment.state().await.unwrap();
            let expected = kept.map(jiff::Timestamp::as_second);
            assert_eq!(
                is.until.map(jiff::Timestamp::as_second),
                expected,
                "{state}"
            );

            // Its time, or a person, removes it.
            environment.keep(Some(now)).await.unwrap();
            world.sweep().await.unwrap();
            assert_eq!(world.status(&stack).await, None, "{state}");
            // What is removed keeps no time.
            let removed = environment.keep(Some(until)).await.unwrap();
            assert_eq!((removed.until, removed.is_kept), (None, false));
        }
    });
}

#[test]
fn the_documents_of_removed_environments_are_not_read_for_ever() {
    run("reads", async |world| {
        world.deploy(QA, None).await;
        world.stack(QA, "orders", TOPIC).await;
        world.handle(&json!({"environment": QA})).await.unwrap();
        world.deploy("dev-anna", None).await;
        // The first sweep sees that it is removed.
        let reads = async || {
            let proxy = Proxy::start(&world.endpoint, []).await;
            let undeploy = world.undeploy(&proxy.url());
            let event = json!({"detail-type": "Scheduled Event"});
            let deadline = Deadline::after(Duration::from_mins(2));
            undeploy.handle(&event, deadline).await.unwrap();
            let seen = proxy.seen().into_iter();
            let seen = seen.filter(|call| call.action() == "s3:GetObject");
            let seen = seen.filter(|call| call.resource.ends_with("/current.json"));
            seen.map(|call| call.resource).collect::<BTreeSet<_>>()
        };
        assert_eq!(reads().await.len(), 2);
        let second = reads().await;
        assert_eq!(second.len(), 1, "{second:?}");
        assert!(second.first().unwrap().contains("dev-anna"), "{second:?}");

        // It is made anew, and its time is over.
        world.deploy(QA, Some(clock::timestamp())).await;
        let stack = world.stack(QA, "orders", TOPIC).await;
        world.sweep().await.unwrap();
        assert_eq!(world.status(&stack).await, None);
    });
}

#[test]
fn an_environment_goes_when_its_time_is_over() {
    run("times", async |world| {
        let now = clock::timestamp();
        world.deploy("dev-anna", Some(now)).await;
        let anna = world.stack("dev-anna", "orders", TOPIC).await;
        world
            .deploy("dev-ben", Some(now + SignedDuration::from_hours(1)))
            .await;
        let ben = world.stack("dev-ben", "orders", TOPIC).await;
        // It never got what it was to get.
        let owner = format!("shop/{EXECUTION}");
        world.begin("dev-carl", &owner, DEFINITION, Some(now)).await;
        let carl = world.stack("dev-carl", "orders", TOPIC).await;
        world.sweep().await.unwrap();
        assert_eq!(world.status(&anna).await, None);
        assert!(world.status(&ben).await.is_some());
        assert!(world.status(&carl).await.is_some(), "it is being deployed");

        world
            .handle(&stage_event("dev", "FAILED", clock::timestamp()))
            .await
            .unwrap();
        world.sweep().await.unwrap();
        assert_eq!(world.status(&carl).await, None);
        let state = world.environment("dev-carl").state().await.unwrap();
        assert_eq!((state.until, state.current), (None, None));
        let last = state.last.unwrap().deployment;
        assert_eq!(
            (last.action, last.by.as_str()),
            (Action::Remove, "the schedule")
        );
        assert!(last.reason.unwrap().starts_with("its time was over at "));
    });
}

#[test]
fn a_deployment_that_nobody_ends_is_abandoned_when_its_lease_has_run_out() {
    run("stale", async |world| {
        let release = world.publish(DEFINITION).await;
        let request = Request {
            owner: "shop/dead".to_owned(),
            by: "anna".to_owned(),
            reason: None,
            action: Action::Deploy { release },
            until: None,
        };
        let environment = world.environment("int");
        let began = clock::timestamp() - SignedDuration::from_hours(1);
        environment.begin(&request, began).await.unwrap();
        world.sweep().await.unwrap();
        let said = said(&environment).await;
        assert!(
            said.starts_with("abandoned: its lease ran out at "),
            "{said}"
        );
    });
}
