//! Whole rollouts on one machine: the program deploy-app in the local Lambda, run by the engine, with visitors whose
//! requests come by the alias, metrics of what they got, and an alarm on them.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod hooks;
mod world;

use std::time::{Duration, Instant};

use aws_sdk_codepipeline::types::PipelineExecutionStatus;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use world::{Service, run};

/// A rollout in seconds: metrics are there at once on one machine.
const FAST: &str = "strategy=steps:20@3s,50@3s&metrics-delay=1s&min-requests=3&patience=30s";

/// Fails every request.
const BAD: &str = "raise RuntimeError('this release is broken')";

/// That the alias gives all to this version, and the last good version is this.
async fn is_wholly_on(service: &Service, version: &str) {
    let alias = service.alias("prod").await;
    assert_eq!(alias.function_version(), Some(version), "{alias:?}");
    let weights = alias
        .routing_config()
        .and_then(|routing| routing.additional_version_weights());
    assert!(
        weights.is_none_or(std::collections::HashMap::is_empty),
        "{alias:?}"
    );
    let good = service.alias("prod-good").await;
    assert_eq!(good.function_version(), Some(version), "{good:?}");
}

#[test]
fn a_good_release_gets_more_and_more_requests_and_then_all() {
    run(async |world| {
        let service = world.service("good", FAST).await;
        let visitor = service.visited();
        let (status, said) = service.release("second", "pass").await;
        let seen = visitor.end().await.unwrap();
        assert_eq!(status, PipelineExecutionStatus::Succeeded, "{said}");
        assert!(seen.failures.is_empty(), "{:?}", seen.failures);
        // Both answered in turns while the weights were between none and all.
        assert!(seen.versions.len() > 4, "{:?}", seen.versions);
        assert_eq!(seen.versions.first().unwrap().1, "first");
        is_wholly_on(&service, "2").await;
        service.answers(20, "second").await;
    });
}

#[test]
fn a_release_that_fails_more_often_than_the_old_one_is_taken_back() {
    run(async |world| {
        let service = world.service("worse", FAST).await;
        let visitor = service.visited();
        let (status, said) = service.release("second", BAD).await;
        let seen = visitor.end().await.unwrap();
        assert_eq!(status, PipelineExecutionStatus::Failed, "{said}");
        assert!(
            said.contains("version 2 fails more often than version 1"),
            "{said}"
        );
        assert!(seen.failures.len() >= 3, "{:?}", seen.failures);
        assert!(
            seen.failures.len() < seen.requests / 2,
            "{} of {}",
            seen.failures.len(),
            seen.requests
        );
        is_wholly_on(&service, "1").await;
        service.answers(20, "first").await;
    });
}

#[test]
fn an_alarm_that_stays_quiet_lets_a_release_pass_and_one_that_rings_takes_it_back() {
    run(async |world| {
        let strategy =
            "strategy=steps:30@3s&metrics-delay=1s&compare=off&patience=30s&alarms=ringing-failing";
        let service = world.service("ringing", strategy).await;
        let visitor = service.visited();
        let began = Instant::now();
        let (status, said) = service.release("second", "pass").await;
        assert_eq!(status, PipelineExecutionStatus::Succeeded, "{said}");
        // The alarm looks at ten seconds, and its metrics may be a second late: before, its silence means nothing.
        assert!(
            began.elapsed() > Duration::from_secs(11),
            "{:?}",
            began.elapsed()
        );
        is_wholly_on(&service, "2").await;
        let seen = visitor.end().await.unwrap();
        assert!(seen.failures.is_empty(), "{:?}", seen.failures);

        let visitor = service.visited();
        let (status, said) = service.release("third", BAD).await;
        visitor.end().await.unwrap();
        assert_eq!(status, PipelineExecutionStatus::Failed, "{said}");
        assert!(
            said.contains("alarm `ringing-failing` is in ALARM"),
            "{said}"
        );
        is_wholly_on(&service, "2").await;
        service.answers(20, "second").await;
    });
}

#[test]
fn a_rollout_whose_execution_is_abandoned_is_put_back_by_the_guard() {
    run(async |world| {
        let slow = "strategy=steps:20@10m&metrics-delay=1s&patience=10m";
        let service = world.service("abandoned", slow).await;
        let execution = service.start("second", "pass").await;
        service
            .wait_for_alias(|alias| alias.routing_config().is_some_and(has_weights))
            .await;
        service.abandon(&execution).await;
        let by_guard = "put back by guard: its pipeline execution ended without it";
        service
            .wait_for_alias(|alias| {
                let says = alias.description().unwrap_or_default();
                says.contains(by_guard)
            })
            .await;
        is_wholly_on(&service, "1").await;
        service.answers(20, "first").await;
    });
}

fn has_weights(routing: &AliasRoutingConfiguration) -> bool {
    let weights = routing.additional_version_weights();
    weights.is_some_and(|weights| !weights.is_empty())
}
