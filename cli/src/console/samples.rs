//! What tests show: everything at once, in names and texts that want to be more than text.

use jiff::Timestamp;

use super::look::{Look, Order};
use crate::pipeline::environments::{EnvironmentState, SiteState};
use crate::pipeline::rollout::{RolloutState, ServedEnvironment, ServedFunction, VersionTraffic};
use crate::pipeline::state::{Closed, Revision};
use crate::pipeline::status::StatusDocument;
use crate::pipeline::status::tests::busy;
use crate::release::EnvironmentRelease;
use crate::release::list::{ListedRelease, ReleaseList};

/// What somebody writes who wants the page to do something.
pub(super) const HOSTILE: &str =
    "\"><img src=x onerror=alert(1)><script>alert(2)</script>'\u{202e}\u{1b}[2J";

/// A pipeline with a failed stage and an approval that waits, a rollout, and three environments.
pub(super) fn look() -> Look {
    Look {
        at: Timestamp::UNIX_EPOCH,
        region: "eu-west-1".to_owned(),
        status: status(),
        served: vec![served()],
        releases: Some(ReleaseList {
            releases: ["r1", "r2"].map(listed).into(),
            older: 3,
        }),
        order: Order {
            stages: ["int", "pp", "prod"].map(str::to_owned).into(),
            before: Some(vec![
                ("pp".to_owned(), "int".to_owned()),
                ("prod".to_owned(), "pp".to_owned()),
            ]),
        },
        applying: ["pp", "prod"].map(str::to_owned).into(),
    }
}

/// The same where each text that others can write is hostile.
pub(super) fn hostile() -> Look {
    let mut look = look();
    let pipelines = look.status.pipeline.iter_mut();
    for pipeline in pipelines.chain(&mut look.status.pipelines) {
        pipeline.name = HOSTILE.to_owned();
        for stage in &mut pipeline.stages {
            stage.name += HOSTILE;
            stage.revision = Some(Revision {
                id: HOSTILE.to_owned(),
                message: Some(HOSTILE.to_owned()),
                url: Some(format!("javascript:{HOSTILE}")),
            });
            stage.closed = Some(Closed {
                reason: Some(format!(
                    "(delivery resume --config=/tmp/x opens it) {HOSTILE}"
                )),
                since: Some(HOSTILE.to_owned()),
                by: Some(HOSTILE.to_owned()),
            });
            for action in &mut stage.actions {
                action.name += HOSTILE;
                action.summary = Some(HOSTILE.to_owned());
                if let Some(error) = &mut action.error {
                    error.code = HOSTILE.to_owned();
                    error.message = HOSTILE.to_owned();
                }
            }
        }
    }
    look.status.stack.name = HOSTILE.to_owned();
    let outputs = &mut look.status.stack.outputs;
    outputs.insert(HOSTILE.to_owned(), format!("https://{HOSTILE}"));
    outputs.insert("Bad".to_owned(), "javascript:alert(3)".to_owned());
    for environment in &mut look.status.environments {
        environment.name += HOSTILE;
        for site in &mut environment.sites {
            site.name += HOSTILE;
        }
        if let Some(release) = &mut environment.release {
            release.environment += HOSTILE;
            release.by = Some(HOSTILE.to_owned());
            release.commit = Some(HOSTILE.to_owned());
        }
    }
    for function in &mut look.served[0].functions {
        function.alias = HOSTILE.to_owned();
        function.revision = Some(HOSTILE.to_owned());
    }
    let releases = look.releases.iter_mut().flat_map(|list| &mut list.releases);
    for release in releases {
        release.branch = Some(HOSTILE.to_owned());
        release.problem = Some(HOSTILE.to_owned());
    }
    look
}

fn status() -> StatusDocument {
    let mut status = busy();
    let release = |environment: &str, release: &str| EnvironmentState {
        name: environment.to_owned(),
        services: Vec::new(),
        sites: vec![SiteState {
            name: "website".to_owned(),
            url: format!("https://{environment}.example"),
        }],
        release: Some(EnvironmentRelease {
            release: Some(release.to_owned()),
            commit: Some("a".repeat(40)),
            since: Some("2026-11-28T09:00:00Z".to_owned()),
            ..EnvironmentRelease::empty(environment)
        }),
    };
    status.environments = vec![
        release("int", "r2"),
        release("pp", "r1"),
        release("prod", "r1"),
    ];
    status
}

fn served() -> ServedEnvironment {
    let version = |version: &str, percent| VersionTraffic {
        version: version.to_owned(),
        percent,
        requests: Some(120),
        errors: Some(3),
    };
    let rollout = RolloutState {
        id: "r-1".to_owned(),
        execution: None,
        new: version("8", 20.0),
        old: version("7", 80.0),
        step: Some(1),
        steps: Some(2),
        since: "2026-11-28T09:00:00Z".to_owned(),
        seconds: 61,
        planned_seconds: Some(300),
        watched_until: "2026-11-28T09:30:00Z".to_owned(),
        alarms: Vec::new(),
        unread: Vec::new(),
        action: None,
    };
    ServedEnvironment {
        name: "prod".to_owned(),
        pipeline: "greeter".to_owned(),
        functions: vec![ServedFunction {
            service: Some("api".to_owned()),
            alias: "greeter:prod".to_owned(),
            version: "7".to_owned(),
            revision: Some("b".repeat(40)),
            rollout: Some(rollout),
        }],
    }
}

fn listed(id: &str) -> ListedRelease {
    ListedRelease {
        id: id.to_owned(),
        commit: Some("a".repeat(40)),
        branch: Some("main".to_owned()),
        published: Some("2026-11-28T08:00:00Z".to_owned()),
        environments: vec!["int".to_owned()],
        deploying: Vec::new(),
        verified: vec!["int".to_owned()],
        rolled_back: Vec::new(),
        problem: None,
    }
}
