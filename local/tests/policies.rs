//! Every role allows exactly what is called with it: the policies of the templates against the calls of the whole
//! test suite, both ways.
//!
//! `scripts/test` has all tests append their calls to one file, and then runs this with [`RECORDED`] naming it. A run
//! by hand without that variable checks the comparison itself, and what the templates alone can say.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the helpers of tests are tests, too; a skip is said aloud"
)]

#[path = "policies/calls.rs"]
mod calls;
#[path = "policies/compare.rs"]
mod compare;
#[path = "policies/grants.rs"]
mod grants;
#[path = "templates/read.rs"]
#[expect(dead_code, reason = "the tests of templates use more of it")]
mod read;

use std::collections::BTreeSet;

use calls::Call;
use compare::differences;
use delivery_testing::record::Recorded;
use grants::Role;
use serde_json::{Value, json};

/// Names the file with the calls of the whole test suite.
const RECORDED: &str = "DELIVERY_RECORDED_CALLS";

/// The roles of the templates.
fn roles() -> Vec<Role> {
    let mut roles = Vec::new();
    for file in read::templates().into_keys() {
        let template = read::with_all(&file);
        for (id, role) in read::resources(&template, "AWS::IAM::Role") {
            roles.push(Role::read(&file, id, role));
        }
    }
    roles
}

#[test]
fn the_policies_allow_the_recorded_calls_and_no_others() {
    let Some(file) = delivery_action::env::var(RECORDED) else {
        eprintln!(
            "not compared: {RECORDED} names no file; scripts/test records the calls of all tests"
        );
        return;
    };
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("cannot read `{file}`: {error}"));
    let recorded = text.lines().map(|line| {
        Recorded::of_line(line)
            .unwrap_or_else(|| panic!("`{file}` has a line of something else: {line}"))
    });
    let calls: BTreeSet<Call> = recorded
        .filter_map(|recorded| Call::of(&recorded))
        .collect();
    let found = differences(&roles(), &calls);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    eprintln!(
        "policies: {} distinct calls are allowed, and nothing else is",
        calls.len()
    );
}

/// A role as a template has it.
fn role(statements: &Value, metadata: &Value) -> Role {
    let role = json!({
        "Type": "AWS::IAM::Role",
        "Metadata": metadata,
        "Properties": { "Policies": [{ "PolicyDocument": { "Statement": statements } }] },
    });
    Role::read("actions.yaml", "DeploySiteRole", &role)
}

fn write_site() -> Value {
    let site = json!({ "Fn::Sub": "arn:${AWS::Partition}:s3:::${TestSite}/*" });
    json!([{ "Sid": "WriteSite", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [site] }])
}

fn calls(lines: &[&str]) -> BTreeSet<Call> {
    let recorded = lines
        .iter()
        .map(|line| Recorded::of_line(&line.replace(' ', "\t")).unwrap());
    recorded
        .filter_map(|recorded| Call::of(&recorded))
        .collect()
}

const GET: &str = "deploy-site s3 HEAD /www/index.html ";
const PUT: &str = "deploy-site s3 PUT /www/index.html?partNumber=1&uploadId=u ";
const DELETE: &str = "deploy-site s3 DELETE /www/index.html ";

#[test]
fn policies_that_fit_have_no_differences() {
    let role = role(&write_site(), &json!({}));
    assert_eq!(
        differences(&[role], &calls(&[GET, PUT])),
        Vec::<String>::new()
    );
}

#[test]
fn a_call_without_a_grant_is_found() {
    let role = role(&write_site(), &json!({}));
    let found = differences(&[role], &calls(&[GET, PUT, DELETE]));
    assert_eq!(
        found,
        [
            "actions.yaml: DeploySiteRole lacks `s3:DeleteObject` on `s3:SITE/index.html`, which deploy-site calls"
        ]
    );
}

#[test]
fn a_grant_without_a_call_is_found() {
    let role = role(&write_site(), &json!({}));
    let found = differences(&[role], &calls(&[GET]));
    assert_eq!(
        found,
        [
            "actions.yaml: DeploySiteRole allows `s3:PutObject` on `s3:SITE/*` in `WriteSite`, which no test calls; take it away, \
          or state the reason in the role's Metadata (NotRecorded: { \"WriteSite s3:PutObject\": REASON })"
        ]
    );
}

#[test]
fn a_stated_reason_excuses_a_grant_until_it_is_called() {
    let stated =
        json!({ "NotRecorded": { "WriteSite s3:PutObject": "the service itself puts it" } });
    let excused = || role(&write_site(), &stated);
    assert_eq!(
        differences(&[excused()], &calls(&[GET])),
        Vec::<String>::new()
    );
    let found = differences(&[excused()], &calls(&[GET, PUT]));
    assert_eq!(
        found,
        [
            "actions.yaml: DeploySiteRole states a reason for `WriteSite s3:PutObject`, but all of it is called; take the reason away"
        ]
    );
}

#[test]
fn a_stated_reason_excuses_a_call() {
    let stated = json!({ "NotGranted": { "s3:DeleteObject s3:SITE/index.html": "only with delete=always" } });
    let excused = role(&write_site(), &stated);
    assert_eq!(
        differences(&[excused], &calls(&[GET, PUT, DELETE])),
        Vec::<String>::new()
    );
}

#[test]
fn a_role_that_nobody_was_recorded_with_is_found() {
    let found = differences(&[role(&write_site(), &json!({}))], &BTreeSet::new());
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_caller_without_a_role_is_found() {
    let found = differences(&[], &calls(&[GET]));
    assert_eq!(
        found,
        [
            "no role of the templates is for `deploy-site`, which calls `s3:GetObject` on `s3:SITE/index.html`"
        ]
    );
}
