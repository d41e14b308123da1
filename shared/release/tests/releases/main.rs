//! Generated histories of publications and deployments that are killed between any two calls, doubled, overtaken and
//! abandoned, over the code and the SDK as they are and S3 in memory. After each call the invariants hold:
//!
//! - one writer at a time: a lease is given on only when its deployment has ended or its time has;
//! - what was published, and a record, never changes;
//! - an environment always has a release that is there, with all that it names;
//! - each deployment has one record with its outcome, or can be seen not to have ended;
//! - a rollback brings back exactly what was there before;
//! - what has ended begins again only where its owner may, with the parts that are there, and never after others;
//! - whoever comes after the time of a lease takes it over.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gate;
mod generate;
mod model;
mod process;
mod world;

use std::io::Write as _;

use generate::op;
use proptest::test_runner::{Config, TestRunner};
use world::{Beginning, World};

/// Histories in the test command.
const HISTORIES: u32 = 1_000;

/// Operations of one.
const MOST_OPERATIONS: usize = 40;

/// Histories at once: whose calls wait for each other within one, not between two.
const THREADS: u32 = 2;

#[test]
fn no_history_breaks_an_invariant() {
    let calls = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| run(HISTORIES / THREADS)))
            .collect();
        let calls = threads.into_iter().map(|thread| thread.join().unwrap());
        calls.sum::<usize>()
    });
    // Not `println!`: the test harness would keep it to itself.
    writeln!(
        std::io::stderr(),
        "releases: {HISTORIES} generated histories without a broken invariant, {calls} calls one by one"
    )
    .unwrap();
}

/// Runs so many histories; returns the number of their calls.
fn run(histories: u32) -> usize {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(histories)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let beginning = runtime.block_on(Beginning::new());
    let calls = std::cell::Cell::new(0);
    let history = proptest::collection::vec(op(), 0..MOST_OPERATIONS);
    let run = TestRunner::new(config).run(&history, |ops| {
        runtime.block_on(async {
            let mut world = World::new(&beginning);
            for op in ops {
                world.apply(op).await;
            }
            calls.set(calls.get() + world.calls);
            world.check_that_the_next_takes_over().await;
        });
        Ok(())
    });
    run.unwrap();
    calls.get()
}
