//! What the guard does with each event, and what it leaves alone.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use delivery_action::clock::Deadline;
use delivery_action::event::EventFunction;
use delivery_rollout::{Change, Share};
use delivery_testing::events::FUNCTION_KEYS;
use delivery_testing::proxy::{Fault, Proxy, Rule};
use delivery_testing::runtime::{Ended, Function, KillSwitch};
use delivery_testing::s3::config;
use delivery_testing::world::World;
use guard::{Guard, GuardError, Watched};

use crate::rollouts::{Comes, EXECUTION, Left, NEW, STABLE, WATCHED, alias, left, read, reason};

/// More than a test takes.
const WITHIN: Duration = Duration::from_mins(1);

async fn handle(world: &World, url: &str, list: &str, comes: Comes) -> Result<(), GuardError> {
    let watched = Watched::parse_list(Some(list)).unwrap();
    let guard = Guard::new(&config(url, FUNCTION_KEYS), watched);
    world.forget_calls();
    guard.handle(&comes.event(), Deadline::after(WITHIN)).await
}

#[tokio::test]
async fn the_alias_says_why_it_was_put_back() {
    for (comes, expected) in [
        (Comes::Abandoned, "its pipeline execution ended without it"),
        (Comes::Late, "nobody has watched it since "),
    ] {
        let world = left(Left::Step, comes).await;
        handle(&world, &world.url(), WATCHED, comes).await.unwrap();
        let prod = read(&world, "prod").await;
        assert!(prod.is_wholly_on(STABLE), "{prod:?}");
        assert!(reason(&prod).unwrap().starts_with(expected), "{prod:?}");
        let marker = prod.description.marker.unwrap();
        assert!(marker.is_of_execution(EXECUTION), "{marker}");
    }
}

#[tokio::test]
async fn an_alias_without_a_rollout_costs_one_call() {
    let world = left(Left::Step, Comes::Early).await;
    let list = "greeter:test=Acceptance/deploy-app";
    handle(&world, &world.url(), list, Comes::Late)
        .await
        .unwrap();
    let calls: Vec<_> = world
        .calls()
        .iter()
        .map(|call| call.operation.action())
        .collect();
    assert_eq!(calls, ["lambda:GetAlias"]);
}

#[tokio::test]
async fn an_alias_or_a_function_that_is_not_there_is_no_error() {
    let world = left(Left::Step, Comes::Late).await;
    let list = "greeter:new=New/deploy-app,grinder:prod=Production/grinder";
    handle(&world, &world.url(), list, Comes::Late)
        .await
        .unwrap();
    assert_eq!(world.mutating_calls(), [""; 0]);
}

/// The first alias cannot be read, or not be changed; the second one is put back anyway, and the invocation fails.
#[tokio::test]
async fn one_alias_in_trouble_does_not_keep_it_from_the_others() {
    for action in ["lambda:GetAlias", "lambda:UpdateAlias"] {
        let world = left(Left::Step, Comes::Late).await;
        let other = left_too(&world).await;
        let rule = Rule {
            resource: Some("greeter/prod".to_owned()),
            ..Rule::always(action, Fault::Status(503))
        };
        let proxy = Proxy::start(&world.url(), vec![rule]).await;
        let list = format!("{WATCHED},greeter:test=Production/deploy-app");
        let error = handle(&world, &proxy.url(), &list, Comes::Late)
            .await
            .unwrap_err();
        let message = error.to_string();
        let expected = format!(
            "1 of 2 watched aliases could not be looked after; `{action}` on `greeter:prod` failed"
        );
        assert!(
            message.starts_with(&expected),
            "{message}\n{:?}",
            proxy.seen()
        );
        assert!(!read(&world, "prod").await.is_wholly_on(STABLE));
        assert!(read(&world, other).await.is_wholly_on(STABLE));
    }
}

/// Makes the alias `test` the same as `prod`.
async fn left_too(world: &World) -> &'static str {
    let prod = read(world, "prod").await;
    let test = alias(world, "test");
    let from = test.read().await.unwrap().unwrap();
    let change = Change {
        version: prod.version,
        share: Some((NEW.to_owned(), Share::from_permille(100).unwrap())),
        description: prod.description,
    };
    test.change(&from, &change).await.unwrap();
    "test"
}

async fn in_lambda(world: &World, list: Option<&str>) -> (Ended, String) {
    let variables: Vec<_> = list
        .map(|list| ("WATCHED_ALIASES", OsString::from(list)))
        .into_iter()
        .collect();
    let binary = Path::new(env!("CARGO_BIN_EXE_guard"));
    let (kill, timeout) = (KillSwitch::default(), Duration::from_mins(1));
    let mut function = Function::start_with(binary, &world.url(), &kill, timeout, &variables).await;
    let ended = function.invoke(&Comes::Late.event()).await;
    (ended, function.log())
}

#[tokio::test]
async fn the_log_has_a_line_for_what_was_put_back() {
    let world = left(Left::Step, Comes::Late).await;
    let (ended, log) = in_lambda(&world, Some(WATCHED)).await;
    assert_eq!(ended, Ended::Succeeded, "{log}");
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("put back"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in [
        "\"alias\":\"greeter:prod\"",
        "\"version\":\"1\"",
        "version 2 over 1, put back by guard",
    ] {
        assert!(lines[0].contains(part), "{part}: {log}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_fails_the_invocation_with_what_is_wrong() {
    let world = left(Left::Step, Comes::Late).await;
    for (list, expected) in [
        (None, "the variable `WATCHED_ALIASES` is not set"),
        (
            Some("greeter:prod"),
            "`greeter:prod` in the variable `WATCHED_ALIASES` is not `FUNCTION:ALIAS=STAGE/ACTION`",
        ),
    ] {
        let (ended, log) = in_lambda(&world, list).await;
        let Ended::Failed(message) = ended else {
            panic!("{ended:?}: {log}");
        };
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("hint: set it to the aliases"), "{message}");
        assert!(log.contains(expected), "{log}");
    }
}
