//! How an alias moves from the old version to the new one.

use std::time::Duration;

use crate::form::{TextForm, must_be};
use crate::value::duration;

/// The shortest wait of a step: alarms and metrics need that much to say anything.
const SHORTEST_WAIT: Duration = Duration::from_secs(30);

/// The longest rollout: CodePipeline ends an action after 24 hours, and watching takes its time too.
const LONGEST: Duration = Duration::from_hours(20);

/// Steps of a rollout: each is a call that changes the alias, and none needs more.
const MOST_STEPS: usize = 100;

/// The new version's share of the traffic, and for how long, until it gets all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// In tenths of a per cent: 100 is 10 %.
    pub permille: u16,
    /// How long the share stays.
    pub wait: Duration,
}

/// The steps of a rollout; none means that all traffic moves at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// With rising shares, each below 100 %.
    pub steps: Vec<Step>,
}

impl TextForm for Rollout {
    const IS: &'static str = "`all-at-once`, `canary:PERCENT@DURATION`, `linear:PERCENT@DURATION`, \
         `steps:PERCENT@DURATION,...`, or a name of CodeDeploy's (`Canary10Percent5Minutes`)";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = must_be::<Self>;
        let plain = match text {
            "all-at-once" | "AllAtOnce" => return Ok(Self::default()),
            _ => of_code_deploy(text).unwrap_or_else(|| text.to_owned()),
        };
        let (kind, steps) = plain.split_once(':').ok_or_else(wrong)?;
        let steps = match kind {
            "canary" => vec![step(steps)?],
            "linear" => linear(step(steps)?),
            "steps" => steps.split(',').map(step).collect::<Result<_, _>>()?,
            _ => return Err(wrong()),
        };
        within_limits(&steps)?;
        Ok(Self { steps })
    }
}

/// `10@5m`.
fn step(text: &str) -> Result<Step, String> {
    let (percent, wait) = text.split_once('@').ok_or_else(must_be::<Rollout>)?;
    let permille = permille(percent)
        .ok_or_else(|| format!("`{percent}` must be a percentage from 0.1 to 99.9"))?;
    let wait = duration::parse(wait)
        .filter(|wait| (SHORTEST_WAIT..=LONGEST).contains(wait))
        .ok_or_else(|| format!("`{wait}` must be a duration from `30s` to `20h`"))?;
    Ok(Step { permille, wait })
}

/// `10`, `0.5`.
fn permille(text: &str) -> Option<u16> {
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, most: usize| {
        let fits = (1..=most).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())?
    };
    let permille = digits(whole, 2)? * 10 + digits(tenths, 1)?;
    (permille > 0).then_some(permille)
}

/// The same share more, again and again.
fn linear(first: Step) -> Vec<Step> {
    (1..)
        .map_while(|times: u16| first.permille.checked_mul(times))
        .take_while(|permille| *permille < 1000)
        .map(|permille| Step { permille, ..first })
        .collect()
}

fn within_limits(steps: &[Step]) -> Result<(), String> {
    if steps.len() > MOST_STEPS {
        return Err(format!(
            "it has {} steps; the limit is {MOST_STEPS}",
            steps.len()
        ));
    }
    if steps
        .windows(2)
        .any(|pair| pair[0].permille >= pair[1].permille)
    {
        return Err("each step must have a higher percentage than the one before".to_owned());
    }
    let whole: Duration = steps.iter().map(|step| step.wait).sum();
    if whole > LONGEST {
        return Err("it takes longer than `20h`".to_owned());
    }
    Ok(())
}

/// `Canary10Percent5Minutes` and `Linear10PercentEvery1Minute` as we write them.
fn of_code_deploy(text: &str) -> Option<String> {
    let (kind, rest, between) = match text.strip_prefix("Canary") {
        Some(rest) => ("canary", rest, "Percent"),
        None => ("linear", text.strip_prefix("Linear")?, "PercentEvery"),
    };
    let (percent, wait) = rest.split_once(between)?;
    let minutes = wait
        .strip_suffix("Minutes")
        .or_else(|| wait.strip_suffix("Minute"))?;
    Some(format!("{kind}:{percent}@{minutes}m"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    fn minutes(steps: &[(u16, u64)]) -> Rollout {
        let steps = steps.iter().map(|(permille, minutes)| Step {
            permille: *permille,
            wait: Duration::from_secs(minutes * 60),
        });
        Rollout {
            steps: steps.collect(),
        }
    }

    #[test_case("all-at-once", &[])]
    #[test_case("AllAtOnce", &[]; "all at once of CodeDeploy")]
    #[test_case("canary:10@5m", &[(100, 5)])]
    #[test_case("canary:0.5@5m", &[(5, 5)]; "half a per cent")]
    #[test_case("Canary10Percent5Minutes", &[(100, 5)])]
    #[test_case("linear:40@1m", &[(400, 1), (800, 1)])]
    #[test_case("Linear50PercentEvery1Minute", &[(500, 1)])]
    #[test_case("steps:1@10m,50@1h", &[(10, 10), (500, 60)])]
    fn strategies_are_steps(text: &str, steps: &[(u16, u64)]) {
        assert_eq!(Rollout::parse(text), Ok(minutes(steps)));
    }

    #[test_case("blue-green", &must_be::<Rollout>())]
    #[test_case("canary:10", &must_be::<Rollout>(); "no wait")]
    #[test_case("canary:100@5m", "`100` must be a percentage from 0.1 to 99.9")]
    #[test_case("canary:0@5m", "`0` must be a percentage from 0.1 to 99.9")]
    #[test_case("canary:10@1s", "`1s` must be a duration from `30s` to `20h`")]
    #[test_case(
        "steps:50@1m,10@1m",
        "each step must have a higher percentage than the one before"
    )]
    #[test_case("steps:10@11h,20@11h", "it takes longer than `20h`")]
    #[test_case("linear:0.1@30s", "it has 999 steps; the limit is 100")]
    fn other_strategies_are_refused(text: &str, why: &str) {
        assert_eq!(Rollout::parse(text), Err(why.to_owned()));
    }
}
