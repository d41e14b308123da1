//! One cell: a call of the first delivery, what happens to it, and how the job is delivered again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::operation::Operation;
use crate::proxy::{Fault, Hook, Rule};
use crate::runtime::KillSwitch;

/// How long a delivery that is held at a call waits for the other one before it goes on anyway.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// What happens to one call of the first delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// Nothing: only the second delivery disturbs.
    Nothing,
    /// One request fails and does nothing; the SDK tries again.
    FailsBefore,
    /// Every request from this one on fails and does nothing.
    Outage,
    /// It takes effect, and no answer comes; the SDK tries again.
    ReplyLost,
    /// Every request from this one on takes effect, and no answer comes.
    RepliesLost,
    /// The process is killed before the request reaches the service.
    KilledBefore,
    /// The process is killed after the request took effect.
    KilledAfter,
}

pub(super) const MISHAPS: [Mishap; 7] = [
    Mishap::Nothing,
    Mishap::FailsBefore,
    Mishap::Outage,
    Mishap::ReplyLost,
    Mishap::RepliesLost,
    Mishap::KilledBefore,
    Mishap::KilledAfter,
];

/// How the job is delivered a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// When the first delivery has ended.
    Later,
    /// At the same time: both start together.
    AtOnce,
    /// At the same time: the first is held at the call until the second has ended.
    WhileHeld,
    /// When the first delivery has ended, and another release after it.
    AfterOther,
    /// When the first delivery has ended, which was held at the call until another release had ended.
    AfterOtherWhileHeld,
}

pub(super) const AGAIN: [Again; 3] = [Again::Later, Again::AtOnce, Again::WhileHeld];
pub(super) const AGAIN_AFTER_OTHER: [Again; 2] = [Again::AfterOther, Again::AfterOtherWhileHeld];

impl Again {
    /// Whether the first delivery is held at the call.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::WhileHeld | Self::AfterOtherWhileHeld)
    }
}

/// One mutating call of the fault-free run.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) operation: Operation,
    /// How often this very operation was on this resource before it, from 1.
    pub(super) nth: usize,
}

pub(super) struct Cell<'a> {
    pub(super) call: &'a Call,
    pub(super) mishap: Mishap,
    pub(super) again: Again,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { operation, nth } = self.call;
        write!(
            f,
            "{} on `{}` ({nth}) x {:?} x {:?}",
            operation.action(),
            operation.resource,
            self.mishap,
            self.again
        )
    }
}

/// The faults of the first delivery's proxy.
pub(super) fn rules(
    cell: &Cell<'_>,
    kill: &KillSwitch,
    held: &Arc<Notify>,
    second_ended: &Arc<Notify>,
) -> Vec<Rule> {
    let rule = |times: usize, fault: Fault| Rule {
        action: cell.call.operation.action(),
        resource: Some(cell.call.operation.resource.clone()),
        nth: cell.call.nth,
        times,
        fault,
    };
    let mut rules = Vec::new();
    if cell.again.holds() {
        let (held, second_ended) = (Arc::clone(held), Arc::clone(second_ended));
        let wait: Hook = Arc::new(move || {
            let (held, second_ended) = (Arc::clone(&held), Arc::clone(&second_ended));
            Box::pin(async move {
                held.notify_one();
                if tokio::time::timeout(LONGEST_HOLD, second_ended.notified())
                    .await
                    .is_err()
                {
                    tracing::warn!("the second delivery waits for the first, which goes on");
                }
            })
        });
        rules.push(rule(1, Fault::Before(wait)));
    }
    let killing = || -> Hook {
        let kill = kill.clone();
        Arc::new(move || {
            let kill = kill.clone();
            Box::pin(async move { kill.kill() })
        })
    };
    match cell.mishap {
        Mishap::Nothing => {}
        Mishap::FailsBefore => rules.push(rule(1, Fault::Status(503))),
        Mishap::Outage => rules.push(rule(usize::MAX, Fault::Status(503))),
        Mishap::ReplyLost => rules.push(rule(1, Fault::LoseReply)),
        Mishap::RepliesLost => rules.push(rule(usize::MAX, Fault::LoseReply)),
        // From this one on: whoever is held longer than the SDK waits for an answer asks again, and would go on.
        Mishap::KilledBefore => {
            rules.push(rule(usize::MAX, Fault::Before(killing())));
            rules.push(rule(usize::MAX, Fault::Reset));
        }
        Mishap::KilledAfter => {
            rules.push(rule(usize::MAX, Fault::AfterInsteadOfReply(killing())));
        }
    }
    rules
}
