//! What an alias that was just read means for a rollout.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::description::{Description, End, Marker, Phase};
use crate::plan::Rollout;
use crate::strategy::Share;

/// How long a rollout counts as watched after its time: the guard that puts it back comes every five minutes.
const GUARD_COMES_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// What a function is called that has no published version behind its alias.
const UNPUBLISHED: &str = "$LATEST";

/// An alias, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alias {
    /// The version that gets what the weights leave.
    pub version: String,
    /// The other versions' weights, in thousandths.
    pub weights: BTreeMap<String, u16>,
    /// What it says about itself.
    pub description: Description,
}

/// The alias's provisioned concurrency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Provisioning {
    /// It has none, or all of it is there.
    #[default]
    Ready,
    /// Lambda is moving it to another version, and sets weights meanwhile.
    Moving,
    /// Lambda could not provide it, for this reason.
    Failed(String),
}

/// What an alias means for a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none, or it has no published version: nothing to go back to.
    New,
    /// All traffic is on the stable version.
    NotBegun,
    /// The new version has the share of a step.
    Step {
        /// From 0.
        index: usize,
        /// When it began.
        since: Timestamp,
    },
    /// The new version has all traffic and is watched.
    Bake {
        /// When it got it.
        since: Timestamp,
    },
    /// The new version has all traffic, and nobody watches it.
    Done,
    /// This rollout was ended.
    Ended(End),
    /// Another rollout is under way.
    Busy(Marker),
    /// Another rollout was left as it was; this version should have all traffic.
    Abandoned {
        /// The other rollout.
        marker: Marker,
        /// The version to go back to.
        version: String,
    },
    /// Lambda itself splits the traffic while it moves provisioned concurrency.
    Provisioning,
    /// Somebody splits the traffic, without a rollout of ours.
    Split,
    /// Somebody gave another version the traffic, or changed the shares of this rollout.
    Changed,
}

impl Alias {
    /// Whether all traffic goes to this version.
    #[must_use]
    pub fn is_wholly_on(&self, version: &str) -> bool {
        self.version == version && self.weights.is_empty()
    }

    /// The other versions and their weights: `10 % on version 8`.
    #[must_use]
    pub fn weights_text(&self) -> String {
        let weights = self.weights.iter().map(|(version, permille)| {
            format!("{} % on version {version}", f64::from(*permille) / 10.0)
        });
        weights.collect::<Vec<_>>().join(", ")
    }

    fn has_share(&self, rollout: &Rollout, share: Option<Share>) -> bool {
        let expected = share.map(|share| (rollout.new.clone(), share.permille()));
        rollout.stable.as_ref() == Some(&self.version)
            && self.weights == expected.into_iter().collect()
    }
}

impl Standing {
    /// What `alias` means for `rollout`; `good` is the version that was kept last.
    #[must_use]
    pub fn of(
        alias: Option<&Alias>,
        good: Option<&str>,
        provisioning: &Provisioning,
        share_of: impl Fn(usize) -> Option<Share>,
        rollout: &Rollout,
        now: Timestamp,
    ) -> Self {
        let Some(alias) = alias.filter(|alias| alias.version != UNPUBLISHED) else {
            return Self::New;
        };
        let marker = alias.description.marker.as_ref();
        if let Some(marker) = marker.filter(|marker| marker.id == rollout.id) {
            return Self::of_own(alias, marker, share_of, rollout);
        }
        if let Some(marker) = marker
            && let Some(until) = marker.phase.watched_until()
            && is_under_way(alias, marker, good)
        {
            if now < guarded_until(until) {
                return Self::Busy(marker.clone());
            }
            return Self::Abandoned {
                marker: marker.clone(),
                version: version_before(alias, marker, good),
            };
        }
        if !alias.weights.is_empty() {
            return if *provisioning == Provisioning::Moving {
                Self::Provisioning
            } else {
                Self::Split
            };
        }
        if alias.version == rollout.new {
            Self::Done
        } else if rollout.stable.as_ref() == Some(&alias.version) {
            Self::NotBegun
        } else {
            Self::Changed
        }
    }

    /// The marker is this rollout's; somebody who uses the console or another tool leaves it as it is.
    fn of_own(
        alias: &Alias,
        marker: &Marker,
        share_of: impl Fn(usize) -> Option<Share>,
        rollout: &Rollout,
    ) -> Self {
        match &marker.phase {
            Phase::Ended(End::Finished { .. }) if alias.is_wholly_on(&rollout.new) => Self::Done,
            Phase::Ended(end) => Self::Ended(end.clone()),
            Phase::Step { index, since, .. } if alias.has_share(rollout, share_of(*index)) => {
                Self::Step {
                    index: *index,
                    since: *since,
                }
            }
            Phase::Bake { since, .. } if is_under_way(alias, marker, None) => {
                Self::Bake { since: *since }
            }
            Phase::Step { .. } if alias.is_wholly_on(&rollout.new) => Self::Done,
            Phase::Step { .. } | Phase::Bake { .. } => Self::Changed,
        }
    }
}

/// When a rollout is certainly not watched any more.
fn guarded_until(watched_until: Timestamp) -> Timestamp {
    watched_until
        .saturating_add(GUARD_COMES_WITHIN)
        .unwrap_or(Timestamp::MAX)
}

/// The rollout that an alias is in, if somebody watches it.
#[must_use]
pub fn is_watched<'a>(now: Timestamp, alias: &'a Alias, good: Option<&str>) -> Option<&'a Marker> {
    let marker = alias.description.marker.as_ref()?;
    let until = marker.phase.watched_until()?;
    (is_under_way(alias, marker, good) && now < guarded_until(until)).then_some(marker)
}

/// The version that is stable for the rollout with this id, from the alias that its first job finds.
#[must_use]
pub fn stable_version(id: &str, alias: Option<&Alias>, good: Option<&str>) -> Option<String> {
    let alias = alias.filter(|alias| alias.version != UNPUBLISHED)?;
    match &alias.description.marker {
        Some(marker) if marker.id == id => Some(marker.stable.clone()),
        Some(marker) if is_under_way(alias, marker, good) => {
            Some(version_before(alias, marker, good))
        }
        _ => Some(alias.version.clone()),
    }
}

/// Whether the alias still is as this rollout left it, and the rollout is not over.
pub(crate) fn is_under_way(alias: &Alias, marker: &Marker, good: Option<&str>) -> bool {
    let others_are = |version: &String| alias.weights.keys().all(|other| other == version);
    match marker.phase {
        Phase::Step { .. } => {
            alias.version == marker.stable && !alias.weights.is_empty() && others_are(&marker.new)
        }
        // With provisioned concurrency Lambda keeps a part on the stable version for a while.
        Phase::Bake { .. } => {
            alias.version == marker.new
                && others_are(&marker.stable)
                && good != Some(marker.new.as_str())
        }
        Phase::Ended(_) => false,
    }
}

/// The version that had all traffic before a rollout that is under way.
pub(crate) fn version_before(alias: &Alias, marker: &Marker, good: Option<&str>) -> String {
    match marker.phase {
        Phase::Step { .. } => alias.version.clone(),
        Phase::Bake { .. } | Phase::Ended(_) => good.unwrap_or(&marker.stable).to_owned(),
    }
}
