//! Each phase x each event x each mishap, with the real binary, and then the same event once more.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::runtime::{Ended, Function, KillSwitch};
use delivery_testing::world::World;
use futures_util::{StreamExt, stream};

use crate::rollouts::{Comes, FUNCTION, Left, NEW, STABLE, WATCHED, left, read, reason};

/// Cells that run at once: a cell mostly waits.
const PARALLEL_CELLS: usize = 6;

/// What happens to the guard's first delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    Nothing,
    /// Somebody else gives the alias other shares right before the change.
    ForeignShares,
    /// Somebody else gives the new version all traffic right before the change.
    ForeignVersion,
    /// The change takes effect and its answer is lost.
    LostReply,
    /// Lambda is in trouble once.
    Unavailable,
    /// The process is killed before the change.
    KilledBefore,
    /// The process is killed after the change.
    KilledAfter,
}

const MISHAPS: [Mishap; 7] = [
    Mishap::Nothing,
    Mishap::ForeignShares,
    Mishap::ForeignVersion,
    Mishap::LostReply,
    Mishap::Unavailable,
    Mishap::KilledBefore,
    Mishap::KilledAfter,
];

/// The call that changes something.
const CHANGE: &str = "lambda:UpdateAlias";

impl Mishap {
    fn is_foreign(self) -> bool {
        matches!(self, Self::ForeignShares | Self::ForeignVersion)
    }

    fn fault(self, world: &World, kill: &KillSwitch) -> Option<Fault> {
        let foreign = |version: &'static str, weights: &'static [(&'static str, f64)]| {
            let world = world.clone();
            let hook: Hook = Arc::new(move || {
                world
                    .lambda()
                    .change_alias(FUNCTION, "prod", version, weights);
                Box::pin(std::future::ready(()))
            });
            Fault::Before(hook)
        };
        let kills: Hook = {
            let kill = kill.clone();
            Arc::new(move || {
                kill.kill();
                Box::pin(std::future::pending())
            })
        };
        Some(match self {
            Self::Nothing => return None,
            Self::ForeignShares => foreign(STABLE, &[(NEW, 0.5)]),
            Self::ForeignVersion => foreign(NEW, &[]),
            Self::LostReply => Fault::LoseReply,
            Self::Unavailable => Fault::Status(503),
            Self::KilledBefore => Fault::Before(kills),
            Self::KilledAfter => Fault::AfterInsteadOfReply(kills),
        })
    }
}

async fn deliver(url: &str, kill: &KillSwitch, comes: Comes) -> (Ended, String) {
    let binary = Path::new(env!("CARGO_BIN_EXE_guard"));
    let variables = [("WATCHED_ALIASES", OsString::from(WATCHED))];
    let timeout = Duration::from_mins(1);
    let mut function = Function::start_with(binary, url, kill, timeout, &variables).await;
    let ended = function.invoke(&comes.event()).await;
    (ended, function.log())
}

async fn run_cell(phase: Left, comes: Comes, mishap: Mishap) -> Result<(), String> {
    let world = left(phase, comes).await;
    let before = read(&world, "prod").await;
    let kill = KillSwitch::default();
    let rules = mishap
        .fault(&world, &kill)
        .map(|fault| Rule::once(CHANGE, fault));
    let proxy = Proxy::start(&world.url(), Vec::from_iter(rules)).await;
    world.forget_calls();
    let (first, log) = deliver(&proxy.url(), &kill, comes).await;
    let changed = proxy.seen().iter().any(|seen| seen.action() == CHANGE);
    let between = read(&world, "prod").await;
    let (second, second_log) = deliver(&world.url(), &KillSwitch::default(), comes).await;
    let after = read(&world, "prod").await;

    let expect = |holds: bool, what: &str| {
        let about = || {
            format!("{what}\nfirst: {first:?}\n{log}\nsecond: {second:?}\n{second_log}\n{after:?}")
        };
        if holds { Ok(()) } else { Err(about()) }
    };
    let puts_back = phase.is_under_way() && comes.puts_back();
    expect(
        changed == puts_back,
        "it changes exactly what is to be put back",
    )?;
    expect(second == Ended::Succeeded, "the second delivery succeeds")?;
    let killed = matches!(mishap, Mishap::KilledBefore | Mishap::KilledAfter);
    let died = matches!(first, Ended::Died(_));
    expect(
        died == (killed && puts_back),
        "it dies where it is killed, and nowhere else",
    )?;
    expect(
        died || first == Ended::Succeeded,
        "the first delivery succeeds",
    )?;
    if !puts_back {
        expect(after == before, "what is alive or over is left as it is")?;
        return expect(world.mutating_calls().is_empty(), "nothing is written");
    }
    if mishap.is_foreign() {
        return judge_foreign(&world, mishap, [&between, &after], expect);
    }
    expect(
        after.is_wholly_on(STABLE),
        "all traffic is on the stable version",
    )?;
    expect(reason(&after).is_some(), "the alias says who put it back")?;
    expect(
        all_served(&world),
        "each version that it chose could be invoked",
    )
}

/// Somebody else's change stands. It says nothing of a rollout, so the second delivery leaves it, too.
fn judge_foreign(
    world: &World,
    mishap: Mishap,
    seen: [&delivery_rollout::Alias; 2],
    expect: impl Fn(bool, &str) -> Result<(), String>,
) -> Result<(), String> {
    let stands = |alias: &delivery_rollout::Alias| match mishap {
        Mishap::ForeignVersion => alias.is_wholly_on(NEW),
        _ => alias.version == STABLE && alias.weights == [(NEW.to_owned(), 500)].into(),
    };
    expect(
        seen.into_iter().all(stands),
        "somebody else's change is not overwritten",
    )?;
    expect(
        all_served(world),
        "each version that it chose could be invoked",
    )
}

fn all_served(world: &World) -> bool {
    world
        .lambda()
        .alias_events()
        .iter()
        .all(|event| event.served)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rollout_that_is_left_ends_on_one_good_version() {
    let mut all = 0;
    for phase in Left::ALL {
        let cells: Vec<_> = Comes::ALL
            .into_iter()
            .flat_map(|comes| MISHAPS.map(|mishap| (comes, mishap)))
            // Where nothing is written, a mishap of a change cannot happen: one of them shows that.
            .filter(|(comes, mishap)| {
                phase.is_under_way() && comes.puts_back() || *mishap == Mishap::Nothing
            })
            .collect();
        let count = cells.len();
        let broken: Vec<_> = stream::iter(cells)
            .map(|(comes, mishap)| async move {
                let ran = run_cell(phase, comes, mishap).await;
                ran.err()
                    .map(|promise| format!("{phase}, {comes:?}, {mishap:?}: {promise}"))
            })
            .buffer_unordered(PARALLEL_CELLS)
            .filter_map(std::future::ready)
            .collect()
            .await;
        assert!(broken.is_empty(), "{}", broken.join("\n\n"));
        // Not `println!`: the test harness would keep it to itself.
        writeln!(std::io::stderr(), "guard, {phase}: {count} cells").unwrap();
        all += count;
    }
    assert_eq!(all, 66);
}
