//! The continuation token of an action that deploys its part of a release.

use std::marker::PhantomData;
use std::time::{Duration, UNIX_EPOCH};

use delivery_action::action::{Action, Continuation, Outcome};
use delivery_action::clock;
use delivery_action::continuation::{ContinuationError, ContinuationToken, Progress};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::environment::DeploymentId;

/// What an action remembers: since when it has waited for the environment, and the token of its own work, once that has begun.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub(super) struct PartProgress<A> {
    /// When the action began, in seconds of the Unix epoch.
    began_seconds: u64,
    /// The deployment that its work is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployment: Option<DeploymentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    work: Option<Value>,
    #[serde(skip)]
    action: PhantomData<fn() -> A>,
}

impl<A: Action> Progress for PartProgress<A> {
    const ACTION: &'static str = A::NAME;
    const VERSION: u32 = 1;
}

impl<A: Action> PartProgress<A> {
    /// That of a job: of its token or, in the first job of an action, of now.
    pub(super) fn of(token: Option<&str>) -> Result<Self, ContinuationError> {
        match token {
            Some(token) => ContinuationToken::read(token),
            None => Ok(Self {
                began_seconds: now().as_secs(),
                deployment: None,
                work: None,
                action: PhantomData,
            }),
        }
    }

    /// How long the action has taken so far, over all its jobs.
    pub(super) fn elapsed(&self) -> Duration {
        now().saturating_sub(Duration::from_secs(self.began_seconds))
    }

    /// The deployment that its work is a part of, once that has begun.
    pub(super) fn deployment(&self) -> Option<&DeploymentId> {
        self.deployment.as_ref()
    }

    /// The token of its own work.
    pub(super) fn work(&self) -> Option<String> {
        self.work.as_ref().map(Value::to_string)
    }

    /// A job that ends while somebody else is deploying.
    pub(super) fn waiting(self, summary: String) -> Result<Outcome, ContinuationError> {
        Ok(Outcome::Continue(Continuation {
            token: ContinuationToken::new(&self)?,
            summary,
            percent_complete: None,
        }))
    }

    /// The token of a later job that goes on with its own work.
    pub(super) fn with_work(
        self,
        token: &ContinuationToken,
        deployment: &DeploymentId,
    ) -> Result<ContinuationToken, ContinuationError> {
        let work = serde_json::from_str(token.as_str()).map_err(ContinuationError::Write)?;
        ContinuationToken::new(&Self {
            deployment: Some(deployment.clone()),
            work: Some(work),
            ..self
        })
    }
}

fn now() -> Duration {
    clock::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
