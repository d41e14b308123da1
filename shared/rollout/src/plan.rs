//! What a rollout does, and what must be seen before traffic moves on.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::standing::Alias;
use crate::strategy::{Share, Step, Strategy};

/// Alarms of one rollout, as many as AWS's own action takes (CodePipeline User Guide, "AWS Lambda deploy action").
pub const MOST_ALARMS: usize = 10;

/// Longest name of an alarm, in characters (`API_PutMetricAlarm`, `AlarmName`).
pub const MAX_ALARM_CHARS: usize = 255;

/// How long a step is held for data, if nothing is said: two periods of the console's alarms.
pub const PATIENCE: Duration = Duration::from_mins(10);

/// What becomes of a rollout whose evidence does not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNoData {
    /// The stable version gets all traffic back.
    #[default]
    Rollback,
    /// The rollout goes on.
    Proceed,
}

/// What is watched while the new version has traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Alarms of CloudWatch: at most ten, metric or composite.
    pub alarms: Vec<String>,
    /// The most errors of the new version, in thousandths of its requests.
    pub max_error_permille: Option<u32>,
    /// Whether the new version's errors are compared with the stable version's.
    pub compare: bool,
    /// Requests that the new version must have served in this rollout.
    pub min_requests: u64,
}

impl Watch {
    /// Whether requests and errors are looked at.
    #[must_use]
    pub fn needs_traffic(&self) -> bool {
        self.compare || self.max_error_permille.is_some() || self.min_requests > 0
    }

    /// Whether anything is watched.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.alarms.is_empty() || self.needs_traffic()
    }
}

/// What a rollout does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The steps before all traffic.
    pub strategy: Strategy,
    /// How long the new version is watched with all traffic.
    pub bake: Duration,
    /// What is watched.
    pub watch: Watch,
    /// How long a step waits for evidence after its time is over.
    pub patience: Duration,
    /// What happens after that.
    pub on_no_data: OnNoData,
    /// Alarms that rang before the rollout began do not count until they have been quiet.
    pub fix_forward: bool,
    /// How late the metrics of a request may be: what is younger proves nothing.
    pub metrics_delay: Duration,
    /// A hook runs before the new version gets traffic.
    pub before_hook: bool,
    /// A hook runs when it has all traffic.
    pub after_hook: bool,
}

/// Who gets traffic from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The same for every job of one action execution.
    pub id: String,
    /// The pipeline execution, or the first characters of its id.
    pub execution: Option<String>,
    /// The version that had all traffic when the rollout began; none for a new alias.
    pub stable: Option<String>,
    /// The version that is to get it.
    pub new: String,
    /// The revision that the new version was built from, for people.
    pub revision: Option<String>,
}

impl Rollout {
    /// The rollout as its alias says. A job that is delivered twice may find another version each time, where somebody ends an
    /// earlier rollout in between: the traffic goes back to the version that whoever began has written down.
    #[must_use]
    pub fn as_begun(&self, alias: Option<&Alias>) -> Self {
        let marker = alias.and_then(|alias| alias.description.marker.as_ref());
        let own = marker.filter(|marker| marker.id == self.id);
        let stable = own.map(|marker| marker.stable.clone());
        Self {
            stable: stable.or_else(|| self.stable.clone()),
            ..self.clone()
        }
    }
}

impl Plan {
    /// All traffic at once, without anything that is watched: the hooks alone decide.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self {
            strategy: Strategy::default(),
            bake: Duration::ZERO,
            watch: Watch::default(),
            ..self
        }
    }

    pub(crate) fn step(&self, index: usize) -> Option<Step> {
        self.strategy.steps.get(index).copied()
    }

    pub(crate) fn share(&self, index: usize) -> Option<Share> {
        self.step(index).map(|step| step.share)
    }

    /// How long the steps before this one take at least.
    pub(crate) fn before(&self, index: usize) -> Duration {
        self.strategy
            .steps
            .iter()
            .take(index)
            .map(|step| step.lasts)
            .sum()
    }

    /// The names of its alarms, each once.
    #[must_use]
    pub fn alarm_names(&self) -> BTreeSet<&str> {
        self.watch.alarms.iter().map(String::as_str).collect()
    }
}
