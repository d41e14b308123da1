//! Deployment configurations: how traffic moves.

use std::time::Duration;

use delivery_rollout::{Share, Step, Strategy};
use serde::{Deserialize, Serialize};

use super::failure::Refusal;

/// What the names of the configurations begin with that are there already.
const PREDEFINED: &str = "CodeDeployDefault.Lambda";

/// The configuration of a group that names none.
pub(super) const DEFAULT: &str = "CodeDeployDefault.LambdaAllAtOnce";

/// The predefined configurations (CodeDeploy User Guide, "Working with deployment configurations"): what follows the
/// prefix, the percentage, and the minutes.
const CANARIES: [(&str, u16, u32); 4] = [
    ("Canary10Percent5Minutes", 10, 5),
    ("Canary10Percent10Minutes", 10, 10),
    ("Canary10Percent15Minutes", 10, 15),
    ("Canary10Percent30Minutes", 10, 30),
];
const LINEARS: [(&str, u16, u32); 4] = [
    ("Linear10PercentEvery1Minute", 10, 1),
    ("Linear10PercentEvery2Minutes", 10, 2),
    ("Linear10PercentEvery3Minutes", 10, 3),
    ("Linear10PercentEvery10Minutes", 10, 10),
];

/// From the first change of traffic to the last (CodeDeploy User Guide, quotas: 2880 minutes).
const MOST_MINUTES: u32 = 2_880;

/// How traffic moves to the new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(super) enum Routing {
    AllAtOnce,
    #[serde(rename_all = "camelCase")]
    TimeBasedCanary {
        time_based_canary: Canary,
    },
    #[serde(rename_all = "camelCase")]
    TimeBasedLinear {
        time_based_linear: Linear,
    },
}

/// A share for some minutes, then all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Canary {
    canary_percentage: u16,
    canary_interval: u32,
}

/// The same share more after each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Linear {
    linear_percentage: u16,
    linear_interval: u32,
}

impl Routing {
    /// The configuration of a predefined name.
    pub(super) fn predefined(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREDEFINED)?;
        if rest == "AllAtOnce" {
            return Some(Self::AllAtOnce);
        }
        let found = |table: &[(&str, u16, u32)]| {
            let mut rows = table.iter();
            rows.find_map(|(name, percent, minutes)| {
                (*name == rest).then_some((*percent, *minutes))
            })
        };
        let canary = found(&CANARIES).map(|(percent, minutes)| Self::canary(percent, minutes));
        canary.or_else(|| found(&LINEARS).map(|(percent, minutes)| Self::linear(percent, minutes)))
    }

    fn canary(canary_percentage: u16, canary_interval: u32) -> Self {
        let time_based_canary = Canary {
            canary_percentage,
            canary_interval,
        };
        Self::TimeBasedCanary { time_based_canary }
    }

    fn linear(linear_percentage: u16, linear_interval: u32) -> Self {
        let time_based_linear = Linear {
            linear_percentage,
            linear_interval,
        };
        Self::TimeBasedLinear { time_based_linear }
    }

    /// The same, if its percentage and its minutes are within CodeDeploy's limits.
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        let steps = self.strategy(Duration::from_mins(1)).steps;
        let lasts: Duration = steps.iter().map(|step| step.lasts).sum();
        let is_gradual = self != Self::AllAtOnce;
        let most = Duration::from_mins(MOST_MINUTES.into());
        if is_gradual && (steps.is_empty() || lasts.is_zero() || lasts > most) {
            return Err(Refusal::new(
                "InvalidTrafficRoutingConfigurationException",
                format!(
                    "a percentage must be 1 to 99, and the time from the first to the last change 1 to {MOST_MINUTES} minutes"
                ),
            ));
        }
        Ok(self)
    }

    /// The steps, with minutes of this length.
    pub(super) fn strategy(self, minute: Duration) -> Strategy {
        let step = |percent: u16, minutes: u32| {
            let share = Share::from_permille(percent.checked_mul(10)?)?;
            let lasts = minute.saturating_mul(minutes);
            Some(Step { share, lasts })
        };
        let steps = match self {
            Self::AllAtOnce => Vec::new(),
            Self::TimeBasedCanary {
                time_based_canary: of,
            } => step(of.canary_percentage, of.canary_interval)
                .into_iter()
                .collect(),
            Self::TimeBasedLinear {
                time_based_linear: of,
            } => (1..100)
                .map_while(|times| of.linear_percentage.checked_mul(times))
                .map_while(|percent| step(percent, of.linear_interval))
                .collect(),
        };
        Strategy { steps }
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("LambdaAllAtOnce", "all at once")]
    #[test_case("LambdaCanary10Percent15Minutes", "canary 10 % for 15 minutes")]
    #[test_case(
        "LambdaLinear10PercentEvery3Minutes",
        "linear 10 % more every 3 minutes"
    )]
    fn predefined_configurations_are_what_their_names_say(name: &str, words: &str) {
        let routing = Routing::predefined(&format!("CodeDeployDefault.{name}")).unwrap();
        let strategy = routing.checked().unwrap().strategy(Duration::from_mins(1));
        assert_eq!(strategy.in_words(), words);
    }

    #[test]
    fn each_predefined_configuration_is_a_strategy_of_deploy_app_too() {
        for (name, ..) in CANARIES.iter().chain(&LINEARS) {
            let name = format!("{PREDEFINED}{name}");
            let strategy: Strategy = name.parse().unwrap();
            let routing = Routing::predefined(&name).unwrap();
            assert_eq!(routing.strategy(Duration::from_mins(1)), strategy, "{name}");
        }
    }

    #[test]
    fn there_is_no_other_predefined_configuration() {
        for name in [
            "LambdaCanary10Percent7Minutes",
            "OneAtATime",
            "ECSAllAtOnce",
        ] {
            assert_eq!(
                Routing::predefined(&format!("CodeDeployDefault.{name}")),
                None
            );
        }
    }

    #[test_case(Routing::canary(0, 5); "nothing")]
    #[test_case(Routing::canary(100, 5); "all")]
    #[test_case(Routing::canary(10, 0); "no time")]
    #[test_case(Routing::canary(10, 2_881); "too long")]
    #[test_case(Routing::linear(1, 30); "too long in all")]
    fn what_is_outside_of_the_limits_is_refused(routing: Routing) {
        let refused = routing.checked().unwrap_err();
        assert_eq!(
            refused.code(),
            "InvalidTrafficRoutingConfigurationException"
        );
    }

    #[test]
    fn a_custom_configuration_is_read_as_the_api_has_it() {
        let text = r#"{"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 40, "linearInterval": 1}}"#;
        let routing: Routing = serde_json::from_str(text).unwrap();
        let minute = Duration::from_secs(6);
        assert_eq!(routing.strategy(minute).to_string(), "linear:40@6s");
    }
}
