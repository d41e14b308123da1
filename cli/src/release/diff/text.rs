//! The difference for people.

use std::fmt::Write as _;

use super::services::{ServiceChange, ServiceDifference, ValueDifference};
use super::{Difference, NamedRelease};
use crate::output::style::{BAD, DIM, GOOD, WAITING};
use crate::output::text::short;

/// What stands for what is not there.
const NOTHING: &str = "nothing";

pub(super) fn text(shown: &Difference) -> String {
    let named =
        |release: &NamedRelease| format!("{} (commit {})", release.id, short(&release.commit));
    let from = shown.from.as_ref().map_or(NOTHING.to_owned(), named);
    let mut text = format!("{}: {from} → {}\n", shown.environment, named(&shown.to));
    let is_same = |one: &&ServiceDifference| one.change == ServiceChange::Unchanged;
    for service in shown.services.iter().filter(|one| !is_same(one)) {
        write_service(service, &mut text);
    }
    let same: Vec<_> = shown.services.iter().filter(is_same).collect();
    if !same.is_empty() {
        let list: Vec<_> = same.iter().map(|one| one.service.as_str()).collect();
        let _infallible = writeln!(text, "{DIM}= unchanged: {}{DIM:#}", list.join(", "));
    }
    if !shown.settings.is_empty() {
        text.push_str("delivery.toml:\n");
        for setting in &shown.settings {
            write_value(setting, &mut text);
        }
    }
    text
}

fn write_service(service: &ServiceDifference, text: &mut String) {
    let (style, sign, word) = match service.change {
        ServiceChange::Added => (GOOD, "+", "added"),
        ServiceChange::Removed => (
            BAD,
            "-",
            "removed; what is deployed of it stays until its stack is deleted",
        ),
        ServiceChange::Changed => (WAITING, "~", "changed"),
        ServiceChange::Unchanged => (DIM, "=", "unchanged"),
    };
    let _infallible = writeln!(text, "{style}{sign} {}{style:#}  {word}", service.service);
    if service.change == ServiceChange::Removed {
        return;
    }
    for artifact in &service.artifacts {
        let digest = |one: &Option<String>| {
            one.as_deref()
                .map_or(NOTHING.to_owned(), |one| short(one).to_owned())
        };
        let (from, to) = (digest(&artifact.from), digest(&artifact.to));
        let _infallible = writeln!(text, "    {}: {from} → {to}", artifact.name);
    }
    for parameter in &service.parameters {
        write_value(parameter, text);
    }
}

fn write_value(value: &ValueDifference, text: &mut String) {
    let shown = |one: &Option<String>| one.clone().unwrap_or_else(|| NOTHING.to_owned());
    let (from, to) = (shown(&value.from), shown(&value.to));
    let _infallible = writeln!(text, "    {} = {from} → {to}", value.name);
}
