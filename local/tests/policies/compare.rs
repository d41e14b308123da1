//! The comparison of grants and calls.

use std::collections::BTreeSet;

use super::calls::Call;
use super::grants::{Grant, Role};

/// What is missing and what is too much, a sentence each.
pub(crate) fn differences(roles: &[Role], calls: &BTreeSet<Call>) -> Vec<String> {
    let mut found = Vec::new();
    for call in calls {
        match roles.iter().find(|role| role.by == call.by) {
            Some(role) => found.extend(missing(role, call)),
            None => found.push(format!(
                "no role of the templates is for `{}`, which calls `{}` on `{}`",
                call.by, call.action, call.resource
            )),
        }
    }
    for role in roles {
        let calls: Vec<&Call> = calls.iter().filter(|call| call.by == role.by).collect();
        found.extend(unused(role, &calls));
        found.extend(needless_reasons(role, &calls));
    }
    found
}

fn allows(grant: &Grant, call: &Call) -> bool {
    grant.action == call.action && matches(&grant.resource, &call.resource)
}

/// Whether a resource fits a pattern, whose `*` stands for any text.
fn matches(pattern: &str, resource: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == resource,
        Some((before, after)) => resource.strip_prefix(before).is_some_and(|rest| {
            after.is_empty()
                || rest
                    .char_indices()
                    .any(|(at, _)| matches(after, &rest[at..]))
        }),
    }
}

fn missing(role: &Role, call: &Call) -> Option<String> {
    let excused = format!("{} {}", call.action, call.resource);
    if role.grants.iter().any(|grant| allows(grant, call))
        || role.not_granted.contains_key(&excused)
    {
        return None;
    }
    Some(format!(
        "{} lacks `{}` on `{}`, which {} calls",
        role.name, call.action, call.resource, call.by
    ))
}

fn unused(role: &Role, calls: &[&Call]) -> Vec<String> {
    let without_call = role
        .grants
        .iter()
        .filter(|grant| !calls.iter().any(|call| allows(grant, call)));
    let without_reason = without_call.filter(|grant| {
        !role.not_recorded.contains_key(&grant.sid) && !role.not_recorded.contains_key(&key(grant))
    });
    without_reason
        .map(|grant| {
            format!(
                "{} allows `{}` on `{}` in `{}`, which no test calls; take it away, or state the reason in the role's \
                 Metadata (NotRecorded: {{ \"{}\": REASON }})",
                role.name,
                grant.action,
                grant.resource,
                grant.sid,
                key(grant)
            )
        })
        .collect()
}

fn key(grant: &Grant) -> String {
    format!("{} {}", grant.sid, grant.action)
}

/// A reason that excuses nothing any more is as wrong as one that is missing.
fn needless_reasons(role: &Role, calls: &[&Call]) -> Vec<String> {
    let uncalled = |of: &str| {
        let named = role
            .grants
            .iter()
            .filter(|grant| grant.sid == of || key(grant) == of);
        named
            .into_iter()
            .any(|grant| !calls.iter().any(|call| allows(grant, call)))
    };
    let granted = role
        .not_recorded
        .keys()
        .filter(|of| !uncalled(of))
        .map(|of| {
            format!(
                "{} states a reason for `{of}`, but all of it is called; take the reason away",
                role.name
            )
        });
    let made = |of: &str| {
        calls
            .iter()
            .any(|call| format!("{} {}", call.action, call.resource) == of)
    };
    let called = role.not_granted.keys().filter(|of| !made(of)).map(|of| {
        format!(
            "{} states why `{of}` is not granted, but no test calls it; take the reason away",
            role.name
        )
    });
    granted.chain(called).collect()
}
