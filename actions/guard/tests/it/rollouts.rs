//! Rollouts that were left as they are, in each phase, and the events that come then.

use std::fmt;

use aws_sdk_lambda::Client;
use delivery_action::clock;
use delivery_alias::FunctionAlias;
use delivery_rollout::{Alias, Change, Description, End, Marker, Phase, Share};
use delivery_testing::world::World;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(crate) const FUNCTION: &str = "greeter";
pub(crate) const WATCHED: &str = "greeter:prod=Production/deploy-app";
pub(crate) const EXECUTION: &str = "0a1b2c3d-1111-2222-3333-444455556666";

/// The version before the rollout.
pub(crate) const STABLE: &str = "1";
/// The version that is rolled out.
pub(crate) const NEW: &str = "2";

/// How far a rollout came before nobody watched it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// The new version has a share.
    Step,
    /// The new version has all traffic, and no version was kept before.
    Bake,
    /// As [`Left::Bake`], with provisioned concurrency, of which Lambda leaves a part on the stable version.
    BakeProvisioned,
    /// It ended, and then somebody else made the alias what it is.
    Ended,
    /// The new version was kept.
    Kept,
}

/// Where the next event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comes {
    /// The action that moves the alias was abandoned.
    Abandoned,
    /// Time: nobody has watched it for long.
    Late,
    /// Time, while it is watched.
    Early,
    /// The action of another execution failed.
    OtherExecution,
    /// Another action of the same execution failed.
    OtherAction,
    /// The action failed before this step began: the stage was retried.
    OfAnEarlierAttempt,
}

impl Left {
    pub(crate) const ALL: [Self; 5] = [
        Self::Step,
        Self::Bake,
        Self::BakeProvisioned,
        Self::Ended,
        Self::Kept,
    ];

    pub(crate) fn is_under_way(self) -> bool {
        !matches!(self, Self::Ended | Self::Kept)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Step => "step",
            Self::Bake => "bake",
            Self::BakeProvisioned => "bake with provisioned concurrency",
            Self::Ended => "ended",
            Self::Kept => "kept",
        })
    }
}

impl Comes {
    pub(crate) const ALL: [Self; 6] = [
        Self::Abandoned,
        Self::Late,
        Self::Early,
        Self::OtherExecution,
        Self::OtherAction,
        Self::OfAnEarlierAttempt,
    ];

    /// Whether a rollout that is under way is to be put back then.
    pub(crate) fn puts_back(self) -> bool {
        matches!(self, Self::Abandoned | Self::Late)
    }

    pub(crate) fn event(self) -> Value {
        let now = clock::timestamp();
        match self {
            Self::Late | Self::Early => json!({
                "source": "aws.events", "detail-type": "Scheduled Event", "time": now.to_string(), "detail": {}
            }),
            Self::Abandoned => of_action(EXECUTION, "deploy-app", now, "ABANDONED"),
            Self::OtherExecution => of_action(
                "99999999-1111-2222-3333-444455556666",
                "deploy-app",
                now,
                "FAILED",
            ),
            Self::OtherAction => of_action(EXECUTION, "deploy-site", now, "FAILED"),
            Self::OfAnEarlierAttempt => of_action(
                EXECUTION,
                "deploy-app",
                began() - SignedDuration::from_mins(1),
                "FAILED",
            ),
        }
    }
}

fn of_action(execution: &str, action: &str, at: Timestamp, state: &str) -> Value {
    json!({
        "source": "aws.codepipeline",
        "detail-type": "CodePipeline Action Execution State Change",
        "time": at.to_string(),
        "detail": {"pipeline": "greeter", "execution-id": execution, "stage": "Production", "action": action,
            "state": state, "version": 1.0},
    })
}

/// When the last step of a rollout began that is an hour old.
fn began() -> Timestamp {
    clock::timestamp() - SignedDuration::from_mins(30)
}

/// A world whose `greeter:prod` is in a rollout, which is watched still or not any more.
pub(crate) async fn left(phase: Left, comes: Comes) -> World {
    let world = with_two_versions().await;
    let until = match comes {
        Comes::Late => clock::timestamp() - SignedDuration::from_secs(1),
        _ => clock::timestamp() + SignedDuration::from_hours(1),
    };
    let prod = alias(&world, "prod");
    if let Some(good) = phase.good() {
        let description = Description::default();
        prod.good().create(good, &description).await.unwrap();
    }
    let from = prod.read().await.unwrap().unwrap();
    prod.change(&from, &phase.change(until)).await.unwrap();
    world.forget_calls();
    world
}

async fn with_two_versions() -> World {
    let world = World::start().await;
    {
        let mut lambda = world.lambda();
        lambda.add_function(FUNCTION, b"PK\x03\x04 old code", &["test", "prod"]);
        let function = lambda.function(FUNCTION);
        let new = function.versions[&1].clone();
        function.versions.insert(2, new);
        function.last_version = 2;
    }
    world
}

impl Left {
    /// The version that was kept as the last good one.
    fn good(self) -> Option<&'static str> {
        match self {
            Self::Kept => Some(NEW),
            Self::BakeProvisioned => Some(STABLE),
            Self::Step | Self::Bake | Self::Ended => None,
        }
    }

    /// The change of the alias with which the rollout came this far.
    fn change(self, watched_until: Timestamp) -> Change {
        let since = began();
        let bake = Phase::Bake {
            since,
            watched_until,
        };
        let (version, other, phase) = match self {
            Self::Step => {
                let step = Phase::Step {
                    index: 0,
                    count: 2,
                    since,
                    watched_until,
                };
                (STABLE, Some(NEW), step)
            }
            Self::Bake | Self::Kept => (NEW, None, bake),
            Self::BakeProvisioned => (NEW, Some(STABLE), bake),
            Self::Ended => {
                let ended = Phase::Ended(End::PutBack("errors".to_owned()));
                (STABLE, Some(NEW), ended)
            }
        };
        let marker = Marker {
            id: "7f3a91c2e0".to_owned(),
            execution: Some(EXECUTION.to_owned()),
            new: NEW.to_owned(),
            stable: STABLE.to_owned(),
            phase,
        };
        let share = Share::from_permille(100).unwrap();
        Change {
            version: version.to_owned(),
            share: other.map(|other| (other.to_owned(), share)),
            description: Description {
                marker: Some(marker),
                revision: Some("1a2b3c4".to_owned()),
                before: None,
            },
        }
    }
}

pub(crate) fn alias(world: &World, name: &str) -> FunctionAlias {
    FunctionAlias::new(&Client::new(&world.test_config()), FUNCTION, name)
}

pub(crate) async fn read(world: &World, name: &str) -> Alias {
    alias(world, name).read().await.unwrap().unwrap().alias
}

/// What the guard wrote, if it put the rollout back.
pub(crate) fn reason(alias: &Alias) -> Option<&str> {
    match &alias.description.marker.as_ref()?.phase {
        Phase::Ended(End::PutBackByGuard(why)) => Some(why),
        _ => None,
    }
}
