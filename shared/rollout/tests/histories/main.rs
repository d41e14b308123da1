//! Generated histories: jobs that are started twice, killed and overtaken, people, the guard, other deployments, alarms
//! and traffic, in virtual time. After each operation the invariants hold.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod generate;
mod world;

use std::io::Write as _;
use std::time::Duration;

use delivery_rollout::{OnNoData, Plan, Watch};
use generate::{Op, Start, op, plan, start};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use world::{FOREIGN, NEW, World};

/// Histories in the test command.
const HISTORIES: u32 = 10_000;

/// Operations of one.
const MOST_OPERATIONS: usize = 80;

#[test]
fn no_history_breaks_an_invariant() {
    let history = (
        plan(),
        any::<(bool, bool)>(),
        start(),
        proptest::bool::weighted(0.2),
        proptest::collection::vec(op(), 0..MOST_OPERATIONS),
        any::<bool>(),
    );
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(HISTORIES)
    };
    let mut runner = TestRunner::new(config);
    let run = runner.run(&history, |(plan, hooks, start, has_new_role, ops, dies)| {
        let mut world = World::new(plan, hooks, start, has_new_role);
        world.start(false);
        for op in ops {
            world.apply(op);
        }
        if dies {
            world.check_that_the_guard_ends_it();
        } else {
            world.check_that_a_job_ends_it();
        }
        Ok(())
    });
    run.unwrap();
    // Not `println!`: the test harness would keep it to itself.
    writeln!(
        std::io::stderr(),
        "rollouts: {HISTORIES} generated histories without a broken invariant"
    )
    .unwrap();
}

/// Was generated: a person ends another rollout between two deliveries of the job. One begins on the version of that rollout,
/// and Lambda moves provisioned concurrency from it; the other was told an earlier version by its first look.
#[test]
fn deliveries_that_found_different_versions_go_back_to_what_the_alias_says() {
    let plan = Plan {
        strategy: "all-at-once".parse().unwrap(),
        bake: Duration::ZERO,
        watch: Watch::default(),
        patience: Duration::ZERO,
        on_no_data: OnNoData::Rollback,
        fix_forward: false,
        metrics_delay: Duration::from_mins(1),
        before_hook: false,
        after_hook: false,
    };
    let other = Start::Other {
        over: true,
        promoted: false,
    };
    let mut world = World::new(plan, (false, false), other, false);
    world.start(false);
    world.apply(Op::Step(0));
    world.apply(Op::Finish);
    world.start(false);
    for _ in 0..4 {
        world.apply(Op::Step(1));
    }
    assert_eq!(world.versions(), (NEW, vec![]));
    world.apply(Op::Foreign {
        version: NEW,
        weight: Some((FOREIGN, 1)),
    });
    for _ in 0..3 {
        world.apply(Op::Step(0));
    }
    assert_eq!(world.versions(), (FOREIGN, vec![]));
}
