#![doc = include_str!("../README.md")]

mod course;
mod decision;
mod description;
mod difference;
mod evidence;
mod failure;
mod intervention;
mod plan;
mod standing;
mod strategy;

pub use course::{Course, NotACourse};
pub use decision::{Change, Decision, Hint, Hook, Progress, Seen, began, decide, give_up};
pub use description::{Description, End, Marker, Phase};
pub use difference::{Difference, Setting, Settings};
pub use evidence::{Alarm, AlarmState, Evidence, Missing, Requests, Traffic, Unreadable, Verdict};
pub use failure::Failure;
pub use intervention::{abort, finish, put_back_unwatched, under_way};
pub use plan::{MAX_ALARM_CHARS, MOST_ALARMS, OnNoData, PATIENCE, Plan, Rollout, Watch};
pub use standing::{Alias, Provisioning, Standing, is_watched, stable_version};
pub use strategy::{
    LONGEST, Share, Step, Strategy, StrategyError, duration_in_words, short_duration,
};
