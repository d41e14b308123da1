//! Generated histories: jobs that are started twice, killed and overtaken, people, the guard, other deployments, alarms
//! and traffic, in virtual time. After each operation the invariants hold.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod generate;
mod world;

use std::io::Write as _;

use generate::{op, plan, start};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use world::World;

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
