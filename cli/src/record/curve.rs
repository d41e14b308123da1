//! The curve of a rollout: the new version's share of the traffic over time, and which part of its requests failed.

use std::fmt::Write as _;

use delivery_rollout::{Course, Requests};
use serde::Serialize;

use super::run::{ActionRecord, State};
use super::view::{place, seconds_between};
use crate::output::foreign;
use crate::output::text::{duration, short_summary};

/// The area of the curve in its drawing: left, right, top and bottom.
const AREA: (f64, f64, f64, f64) = (40.0, 590.0, 10.0, 148.0);

/// Most rows of numbers: more nobody reads.
const MOST_ROWS: usize = 40;

/// A rollout as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct RolloutView {
    place: String,
    /// What the action says of it.
    now: String,
    version: String,
    /// What is read out.
    label: String,
    whole: String,
    grid: Vec<GridLine>,
    /// Paths of SVG.
    share: String,
    errors: Option<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct GridLine {
    y: f64,
    text: &'static str,
}

#[derive(Debug, Serialize)]
struct Row {
    after: String,
    share: String,
    new: String,
    old: String,
}

/// The rollout at one moment.
struct Point {
    seconds: f64,
    percent: f64,
    course: Option<Course>,
}

impl RolloutView {
    /// `None` for an action without a rollout in steps.
    pub(super) fn of(action: &ActionRecord, state: State) -> Option<Self> {
        let mut points: Vec<Point> = action
            .said
            .iter()
            .filter_map(|said| point(action, said))
            .collect();
        let version = points.last()?.course.as_ref()?.version.clone();
        let now = action.report.summary.as_deref().and_then(short_summary);
        let now = match &action.failure {
            Some(failure) => failure.cause.message.lines().next(),
            None => now,
        };
        points.extend(end(action, state));
        let whole = points.last().map_or(0.0, |point| point.seconds).max(1.0);
        let last = points.last().map_or(0.0, |point| point.percent);
        Some(Self {
            place: place(action),
            now: foreign::line(now.unwrap_or_default()),
            label: format!(
                "Version {} has {last} % of the traffic after {}",
                foreign::line(&version),
                duration(whole)
            ),
            version: foreign::line(&version),
            whole: duration(whole),
            grid: grid(),
            share: stairs(&points, whole),
            errors: errors(&points, whole),
            rows: rows(&points),
        })
    }
}

fn point(action: &ActionRecord, (at, said): &(jiff::Timestamp, String)) -> Option<Point> {
    let course: Course = said.parse().ok()?;
    Some(Point {
        seconds: seconds_between(action.began, *at),
        percent: f64::from(course.permille) / 10.0,
        course: Some(course),
    })
}

/// Where it ended: with all traffic, or with none if it failed.
fn end(action: &ActionRecord, state: State) -> Option<Point> {
    let percent = match action.report.status.as_str() {
        "Succeeded" => 100.0,
        "Failed" => 0.0,
        _ => return None,
    };
    (state != State::Killed || action.report.seconds > 0.0).then_some(Point {
        seconds: action.report.seconds,
        percent,
        course: None,
    })
}

fn grid() -> Vec<GridLine> {
    let line = |percent, text| GridLine {
        y: y(percent),
        text,
    };
    vec![line(100.0, "100 %"), line(50.0, "50 %"), line(0.0, "0 %")]
}

fn x(seconds: f64, whole: f64) -> f64 {
    let (left, right, ..) = AREA;
    left + (right - left) * (seconds / whole).clamp(0.0, 1.0)
}

fn y(percent: f64) -> f64 {
    let (_, _, top, bottom) = AREA;
    bottom - (bottom - top) * (percent / 100.0).clamp(0.0, 1.0)
}

/// The share changes at once, and stays until it changes again.
fn stairs(points: &[Point], whole: f64) -> String {
    let mut path = format!("M{:.1} {:.1}", x(0.0, whole), y(0.0));
    for point in points {
        let _infallible = write!(
            path,
            "H{:.1}V{:.1}",
            x(point.seconds, whole),
            y(point.percent)
        );
    }
    let _infallible = write!(path, "H{:.1}", x(whole, whole));
    path
}

/// The part of the new version's requests that failed; `None` where it served none.
fn errors(points: &[Point], whole: f64) -> Option<String> {
    let served = points.iter().filter_map(|point| {
        let (_, traffic) = point.course.as_ref()?.traffic.as_ref()?;
        let Requests { served, failed } = traffic.new;
        (served > 0).then(|| (point.seconds, percent(failed, served)))
    });
    let mut path = String::new();
    for (seconds, failed) in served {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _infallible = write!(path, "{command}{:.1} {:.1}", x(seconds, whole), y(failed));
    }
    (!path.is_empty()).then_some(path)
}

#[expect(clippy::cast_precision_loss, reason = "a drawing is not that exact")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

/// The newest moments in numbers.
fn rows(points: &[Point]) -> Vec<Row> {
    let from = points.len().saturating_sub(MOST_ROWS);
    let rows = points[from..].iter().map(|point| {
        let traffic = point
            .course
            .as_ref()
            .and_then(|course| course.traffic.as_ref());
        let told = |requests: Option<Requests>| match requests {
            Some(Requests { served, failed }) => format!("{failed} of {served}"),
            None => "–".to_owned(),
        };
        Row {
            after: duration(point.seconds),
            share: format!("{} %", point.percent),
            new: told(traffic.map(|(_, traffic)| traffic.new)),
            old: told(traffic.map(|(_, traffic)| traffic.stable)),
        }
    });
    rows.collect()
}
