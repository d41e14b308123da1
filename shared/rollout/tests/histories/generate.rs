//! What can happen, and what it can happen to.

use std::time::Duration;

use delivery_rollout::{OnNoData, Plan, Provisioning, Watch};
use proptest::prelude::*;

use crate::world::{FOREIGN, NEW, STABLE};

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A job: the first event, a later job with the token, or a duplicate of either.
    Start {
        with_token: bool,
    },
    /// A job looks and decides, or does what it has decided.
    Step(usize),
    /// Its function ends.
    Kill(usize),
    /// Its function ends after its call, whose answer nobody hears.
    KillAfterCall(usize),
    Tick(u32),
    Alarm(AlarmKind),
    Readable(bool),
    Requests {
        new: (u8, u8),
        stable: (u8, u8),
    },
    /// Somebody changes the alias by another tool, which leaves the description.
    Foreign {
        version: &'static str,
        weight: Option<(&'static str, u16)>,
    },
    Provisioning(Provisioning),
    Abort,
    Finish,
    Guard {
        execution_failed: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum AlarmKind {
    Quiet,
    Ringing,
    NoData,
    Missing,
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let version = prop_oneof![Just(STABLE), Just(NEW), Just(FOREIGN)];
    let weight = proptest::option::of((prop_oneof![Just(NEW), Just(FOREIGN)], 1..1000_u16));
    prop_oneof![
        4 => any::<bool>().prop_map(|with_token| Op::Start { with_token }),
        24 => (0..4_usize).prop_map(Op::Step),
        2 => (0..4_usize).prop_map(Op::Kill),
        2 => (0..4_usize).prop_map(Op::KillAfterCall),
        10 => prop_oneof![1..5_u32, 20..90_u32, 200..1800_u32].prop_map(Op::Tick),
        3 => prop_oneof![
            4 => Just(AlarmKind::Quiet), 1 => Just(AlarmKind::Ringing),
            1 => Just(AlarmKind::NoData), 1 => Just(AlarmKind::Missing)
        ].prop_map(Op::Alarm),
        1 => any::<bool>().prop_map(Op::Readable),
        6 => ((0..50_u8, 0..2_u8), (0..90_u8, 0..2_u8)).prop_map(|(new, stable)| Op::Requests { new, stable }),
        1 => ((0..50_u8, 3..20_u8), (0..90_u8, 0..1_u8)).prop_map(|(new, stable)| Op::Requests { new, stable }),
        1 => (version, weight).prop_map(|(version, weight)| Op::Foreign { version, weight }),
        1 => prop_oneof![
            3 => Just(Provisioning::Ready), 2 => Just(Provisioning::Moving),
            1 => Just(Provisioning::Failed("no capacity".to_owned()))
        ].prop_map(Op::Provisioning),
        1 => Just(Op::Abort),
        1 => Just(Op::Finish),
        2 => any::<bool>().prop_map(|execution_failed| Op::Guard { execution_failed }),
    ]
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let strategies = prop_oneof![
        Just("all-at-once"),
        Just("canary:10@1m"),
        Just("steps:1@30s,20@1m,50@2m"),
    ];
    let watch = (
        any::<bool>(),
        proptest::option::of(0..100_u32),
        any::<bool>(),
        0..40_u64,
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (strategies, 0..200_u64, watch, 0..300_u64, flags).prop_map(
        |(
            strategy,
            bake,
            (alarm, most, compare, min),
            patience,
            (proceed, forward, before, after),
        )| {
            Plan {
                strategy: strategy.parse().unwrap(),
                bake: Duration::from_secs(bake),
                watch: Watch {
                    alarms: alarm.then(|| "errors".to_owned()).into_iter().collect(),
                    max_error_permille: most,
                    compare,
                    min_requests: min,
                },
                patience: Duration::from_secs(patience),
                on_no_data: if proceed {
                    OnNoData::Proceed
                } else {
                    OnNoData::Rollback
                },
                fix_forward: forward,
                metrics_delay: Duration::from_mins(1),
                before_hook: before,
                after_hook: after,
            }
        },
    )
}

/// What the alias is on when the action begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    Nothing,
    Stable,
    StableAndGood,
    /// On the new version already.
    Done,
    /// In a rollout of another execution, whose time is over or not.
    Other {
        over: bool,
        promoted: bool,
    },
}

pub(crate) fn start() -> impl Strategy<Value = Start> {
    prop_oneof![
        1 => Just(Start::Nothing),
        4 => Just(Start::Stable),
        4 => Just(Start::StableAndGood),
        1 => Just(Start::Done),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(over, promoted)| Start::Other { over, promoted }),
    ]
}
