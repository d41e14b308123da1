//! What can happen.

use proptest::prelude::*;

use crate::gate::Pass;

pub(crate) const ENVIRONMENTS: [&str; 2] = ["int", "prd"];

/// How many different releases there are.
pub(crate) const CONTENTS: u8 = 4;

/// More calls than a deployment makes.
const WHOLE: u8 = 16;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Publish(u8),
    Start {
        environment: usize,
        wanted: Wanted,
        start: How,
        fails: bool,
        /// It makes so many calls before anything else happens.
        calls: u8,
    },
    /// What was started before is started once more: a job that is delivered twice.
    Again(usize),
    Unlock(usize),
    /// A process makes so many calls.
    Run(usize, u8),
    /// It makes one call, with this end.
    Call(usize, Pass),
    Kill(usize),
    Tick(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    Release(u8),
    /// What the other environment has.
    Promotion,
    Before,
    Nothing,
}

/// What an owner does whose deployment has ended; its name begins with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Nothing: `begin`.
    Once,
    /// It begins again if it has failed: `begin_again`.
    AfterFailure,
    /// It begins again: `join`.
    Always,
}

impl How {
    pub(crate) const ALL: [Self; 3] = [Self::Once, Self::AfterFailure, Self::Always];

    /// Of an owner with this name.
    pub(crate) fn of(owner: &str) -> Self {
        let begins = |how: &Self| owner.starts_with(&format!("{how:?}"));
        Self::ALL
            .into_iter()
            .find(begins)
            .expect("owners are named so")
    }
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let wanted = prop_oneof![
        4 => (0..CONTENTS).prop_map(Wanted::Release),
        2 => Just(Wanted::Promotion),
        4 => Just(Wanted::Before),
        1 => Just(Wanted::Nothing),
    ];
    // Mostly one environment, so that its history is long enough to go back in.
    let environment = prop_oneof![4 => Just(0_usize), 1 => Just(1)];
    let calls = prop_oneof![3 => Just(WHOLE), 2 => 0..WHOLE];
    let how = prop_oneof![
        2 => Just(How::Once),
        1 => Just(How::AfterFailure),
        3 => Just(How::Always),
    ];
    let fails = proptest::bool::weighted(0.2);
    let start = (environment, wanted, how, fails, calls);
    let process = 0..3_usize;
    prop_oneof![
        1 => (0..CONTENTS).prop_map(Op::Publish),
        10 => start.prop_map(|(environment, wanted, start, fails, calls)| Op::Start { environment, wanted, start, fails, calls }),
        3 => (0..8_usize).prop_map(Op::Again),
        1 => (0..ENVIRONMENTS.len()).prop_map(Op::Unlock),
        4 => (process.clone(), 1..6_u8).prop_map(|(process, calls)| Op::Run(process, calls)),
        4 => process.clone().prop_map(|process| Op::Run(process, WHOLE)),
        1 => process.clone().prop_map(|process| Op::Call(process, Pass::LoseReply)),
        1 => process.clone().prop_map(|process| Op::Call(process, Pass::Die)),
        1 => process.prop_map(Op::Kill),
        3 => prop_oneof![1..600_u32, 1_190..1_210_u32, 1_500..4_000_u32].prop_map(Op::Tick),
    ]
}
