//! How traffic moves: the shares of the new version, and how long each stays.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// The shortest step. On AWS metrics are later than that (see [`Plan`](crate::Plan)), so a step that is watched lasts
/// longer by itself; on one machine nobody wants to wait for them.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest rollout: CodePipeline ends an action after 24 hours, and watching takes its time too.
pub const LONGEST: Duration = Duration::from_hours(20);

/// Steps of a rollout: each is a call that changes the alias, and none needs more.
const MOST_STEPS: usize = 100;

/// What a strategy is, for messages.
const FORM: &str = "`all-at-once`, `canary:PERCENT@DURATION`, `linear:PERCENT@DURATION`, \
     `steps:PERCENT@DURATION,...`, or a name of CodeDeploy's (`Canary10Percent5Minutes`)";

/// The share of traffic that the new version gets, in thousandths: 1 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// A share of so many thousandths; `None` outside 1 to 999.
    #[must_use]
    pub fn from_permille(permille: u16) -> Option<Self> {
        (1..1000).contains(&permille).then_some(Self(permille))
    }

    /// In thousandths.
    #[must_use]
    pub fn permille(self) -> u16 {
        self.0
    }

    /// As Lambda takes it: above 0, below 1.
    #[must_use]
    pub fn weight(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 10.0)
    }
}

/// The new version's share of the traffic, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The share.
    pub share: Share,
    /// How long it stays.
    pub lasts: Duration,
}

/// The steps of a rollout; none means that all traffic moves at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strategy {
    /// With rising shares.
    pub steps: Vec<Step>,
}

/// Why a text is not a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StrategyError {
    /// It has another form.
    #[error("it must be {FORM}")]
    Form,
    /// Not a percentage.
    #[error("`{0}` must be a percentage from 0.1 to 99.9")]
    Percentage(String),
    /// Not a duration, or one outside the limits.
    #[error("`{0}` must be a duration from `1s` to `20h`")]
    Duration(String),
    /// More steps than anybody needs.
    #[error("it has {0} steps; the limit is {MOST_STEPS}")]
    Steps(usize),
    /// A step that does not give the new version more.
    #[error("each step must have a higher percentage than the one before")]
    Order,
    /// Longer than an action may run.
    #[error("it takes longer than `20h`")]
    Longest,
}

impl Strategy {
    /// What a strategy is, for messages and documents.
    pub const FORM: &'static str = FORM;

    /// How long all steps take.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.steps.iter().map(|step| step.lasts).sum()
    }

    /// How long a rollout may take: its steps and `bake`, each of them held for `patience`.
    #[must_use]
    pub fn lasts_at_most(&self, bake: Duration, patience: Duration) -> Duration {
        let held = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let held = patience.saturating_mul(held.saturating_add(1));
        self.lasts().saturating_add(bake).saturating_add(held)
    }

    /// What it does, for people: `canary 10 % for 5 minutes`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.form() {
            Form::AllAtOnce => "all at once".to_owned(),
            Form::Canary(step) => {
                format!(
                    "canary {} for {}",
                    step.share,
                    duration_in_words(step.lasts)
                )
            }
            Form::Linear(step) => {
                format!("linear {} more every {}", step.share, every(step.lasts))
            }
            Form::Steps(steps) => {
                let steps = steps
                    .iter()
                    .map(|step| format!("{} for {}", step.share, duration_in_words(step.lasts)));
                format!("steps {}", steps.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn form(&self) -> Form<'_> {
        match self.steps[..] {
            [] => Form::AllAtOnce,
            [step] => Form::Canary(step),
            [first, ..] if self.steps == linear(first) => Form::Linear(first),
            _ => Form::Steps(&self.steps),
        }
    }
}

/// The shortest way to write a strategy.
enum Form<'a> {
    AllAtOnce,
    Canary(Step),
    Linear(Step),
    Steps(&'a [Step]),
}

/// As it is parsed.
impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form() {
            Form::AllAtOnce => f.write_str("all-at-once"),
            Form::Canary(step) => write!(f, "canary:{step}"),
            Form::Linear(step) => write!(f, "linear:{step}"),
            Form::Steps(steps) => {
                let steps: Vec<_> = steps.iter().map(ToString::to_string).collect();
                write!(f, "steps:{}", steps.join(","))
            }
        }
    }
}

/// As it is parsed: `10@5m`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = f64::from(self.share.permille()) / 10.0;
        write!(f, "{percent}@{}", short_duration(self.lasts))
    }
}

/// Seconds, minutes and hours: short, and in words.
const UNITS: [(u64, &str, &str); 3] =
    [(3600, "h", "hour"), (60, "m", "minute"), (1, "s", "second")];

/// A whole number of the largest unit that it is a multiple of.
fn in_unit(duration: Duration) -> (u64, &'static str, &'static str) {
    let seconds = duration.as_secs();
    let fits = |(unit, ..): &&(u64, &str, &str)| seconds >= *unit && seconds.is_multiple_of(*unit);
    let unit = UNITS.iter().find(fits);
    let (unit, letter, word) = unit.copied().unwrap_or((1, "s", "second"));
    (seconds / unit, letter, word)
}

/// `minute`, `2 minutes`.
fn every(duration: Duration) -> String {
    match in_unit(duration) {
        (1, _, word) => word.to_owned(),
        _ => duration_in_words(duration),
    }
}

/// A duration as parameters have it: `90s`, `5m`, `1h`.
#[must_use]
pub fn short_duration(duration: Duration) -> String {
    let (number, letter, _) = in_unit(duration);
    format!("{number}{letter}")
}

/// A duration for people: `90 seconds`, `1 minute`.
#[must_use]
pub fn duration_in_words(duration: Duration) -> String {
    let (number, _, word) = in_unit(duration);
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {word}{end}")
}

impl FromStr for Strategy {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        let plain = match text {
            "all-at-once" | "AllAtOnce" => return Ok(Self::default()),
            _ => of_code_deploy(text).unwrap_or_else(|| text.to_owned()),
        };
        let (kind, steps) = plain.split_once(':').ok_or(StrategyError::Form)?;
        let steps = match kind {
            "canary" => vec![step(steps)?],
            "linear" => linear(step(steps)?),
            "steps" => steps.split(',').map(step).collect::<Result<_, _>>()?,
            _ => return Err(StrategyError::Form),
        };
        within_limits(Self { steps })
    }
}

/// `10@5m`.
fn step(text: &str) -> Result<Step, StrategyError> {
    let (percent, lasts) = text.split_once('@').ok_or(StrategyError::Form)?;
    let share = share(percent).ok_or_else(|| StrategyError::Percentage(percent.to_owned()))?;
    let lasts = duration(lasts)
        .filter(|lasts| (SHORTEST..=LONGEST).contains(lasts))
        .ok_or_else(|| StrategyError::Duration(lasts.to_owned()))?;
    Ok(Step { share, lasts })
}

/// `10`, `0.5`.
fn share(text: &str) -> Option<Share> {
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, most: usize| {
        let fits = (1..=most).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())?
    };
    Share::from_permille(digits(whole, 2)? * 10 + digits(tenths, 1)?)
}

/// A number and `s`, `m` or `h`.
fn duration(text: &str) -> Option<Duration> {
    let number = text.strip_suffix(['s', 'm', 'h'])?;
    let digits = (1..=8).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.then(|| number.parse().ok())??;
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        _ => 60 * 60,
    };
    Some(Duration::from_secs(number * unit))
}

/// The same share more, again and again.
fn linear(first: Step) -> Vec<Step> {
    (1..)
        .map_while(|times: u16| first.share.permille().checked_mul(times))
        .map_while(Share::from_permille)
        .map(|share| Step { share, ..first })
        .collect()
}

fn within_limits(strategy: Strategy) -> Result<Strategy, StrategyError> {
    let steps = &strategy.steps;
    if steps.len() > MOST_STEPS {
        return Err(StrategyError::Steps(steps.len()));
    }
    if steps.windows(2).any(|pair| pair[0].share >= pair[1].share) {
        return Err(StrategyError::Order);
    }
    if strategy.lasts() > LONGEST {
        return Err(StrategyError::Longest);
    }
    Ok(strategy)
}

/// `Canary10Percent5Minutes` and `Linear10PercentEvery1Minute` in the form of this project.
fn of_code_deploy(text: &str) -> Option<String> {
    let text = text
        .strip_prefix("CodeDeployDefault.Lambda")
        .unwrap_or(text);
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

    fn minutes(steps: &[(u16, u64)]) -> Strategy {
        let steps = steps.iter().map(|(permille, minutes)| Step {
            share: Share(*permille),
            lasts: Duration::from_mins(*minutes),
        });
        Strategy {
            steps: steps.collect(),
        }
    }

    #[test_case("all-at-once", &[])]
    #[test_case("AllAtOnce", &[]; "all at once of CodeDeploy")]
    #[test_case("canary:10@5m", &[(100, 5)])]
    #[test_case("canary:0.5@5m", &[(5, 5)]; "half a per cent")]
    #[test_case("Canary10Percent5Minutes", &[(100, 5)])]
    #[test_case("CodeDeployDefault.LambdaCanary10Percent5Minutes", &[(100, 5)]; "with its prefix")]
    #[test_case("linear:40@1m", &[(400, 1), (800, 1)])]
    #[test_case("Linear50PercentEvery1Minute", &[(500, 1)])]
    #[test_case("steps:1@10m,50@1h", &[(10, 10), (500, 60)])]
    fn strategies_are_steps(text: &str, steps: &[(u16, u64)]) {
        assert_eq!(text.parse(), Ok(minutes(steps)));
    }

    #[test_case("all-at-once", "all at once")]
    #[test_case("canary:10@5m", "canary 10 % for 5 minutes")]
    #[test_case("canary:0.5@90s", "canary 0.5 % for 90 seconds"; "half a per cent")]
    #[test_case("linear:10@1h", "linear 10 % more every hour")]
    #[test_case("steps:1@10m,50@1h", "steps 1 % for 10 minutes, 50 % for 1 hour")]
    fn a_strategy_is_written_as_it_is_read(text: &str, words: &str) {
        let strategy: Strategy = text.parse().unwrap();
        assert_eq!(strategy.to_string(), text);
        assert_eq!(strategy.in_words(), words);
    }

    #[test]
    fn each_step_may_be_held_as_long_as_the_bake() {
        let strategy: Strategy = "steps:10@1m,20@2m".parse().unwrap();
        let most = strategy.lasts_at_most(Duration::from_mins(4), Duration::from_mins(10));
        assert_eq!(most, Duration::from_mins(37));
    }

    #[test_case("blue-green", StrategyError::Form)]
    #[test_case("canary:10", StrategyError::Form; "no wait")]
    #[test_case("canary:100@5m", StrategyError::Percentage("100".to_owned()))]
    #[test_case("canary:0@5m", StrategyError::Percentage("0".to_owned()); "nothing")]
    #[test_case("canary:10@0s", StrategyError::Duration("0s".to_owned()); "no time")]
    #[test_case("steps:50@1m,10@1m", StrategyError::Order)]
    #[test_case("steps:10@11h,20@11h", StrategyError::Longest)]
    #[test_case("linear:0.1@30s", StrategyError::Steps(999))]
    fn other_strategies_are_refused(text: &str, why: StrategyError) {
        assert_eq!(text.parse::<Strategy>(), Err(why));
    }
}
