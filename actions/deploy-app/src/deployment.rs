//! One deployment: the code into the function, a version of it, the alias onto the version.
//!
//! Every step observes before it acts and carries the revision it observed, so that any number of
//! invocations, one after another or at the same time, end in one state; and nothing that another
//! deployment did meanwhile is overwritten unseen.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_lambda::Client;
use delivery_action::action::{Completion, Continuation, Outcome};
use delivery_action::aws::CallErrorKind;
use delivery_action::clock::Deadline;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::failure::JobError;
use delivery_action::job::Artifact;

use crate::alias::{self, AliasState};
use crate::error::DeployAppError;
use crate::function::{self, Condition, Snapshot};
use crate::params::DeployAppParams;
use crate::progress::DeployAppProgress;
use crate::versions;

/// First pause between two looks at a function that is being updated. A zip's update takes seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest such pause: the SDKs' waiter `FunctionUpdatedV2` asks once a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long the action waits, over all its jobs, for a function that does not settle or that others
/// keep changing. The SDKs' waiters give up after 5 minutes; a function in a VPC takes longer.
const PATIENCE: Duration = Duration::from_mins(10);

/// No call that changes something begins later than this before the end of the job's time; the work
/// goes on in a later job instead.
const CONTINUE_MARGIN: Duration = Duration::from_secs(10);

/// The margin is at most this part of a job's time.
const LARGEST_MARGIN_PART: u32 = 4;

/// How often the code is handed to Lambda. A second and third time only where someone else put
/// other code in between.
const MAX_UPDATES: u32 = 3;

/// One deployment, as far as one job carries it.
pub(crate) struct Deployment<'a> {
    lambda: &'a Client,
    params: &'a DeployAppParams,
    artifact: &'a Artifact,
    check: ExecutionCheck,
    stop_at: Deadline,
    progress: DeployAppProgress,
    pause: Duration,
    updates: u32,
}

/// What a step came to.
enum Step<T> {
    /// It is done.
    Done(T),
    /// The job's time is over.
    OutOfTime,
}

/// How the alias got to the version.
struct Moved {
    before: Option<String>,
    now: bool,
}

impl<'a> Deployment<'a> {
    pub(crate) fn new(
        lambda: &'a Client,
        params: &'a DeployAppParams,
        artifact: &'a Artifact,
        check: ExecutionCheck,
        deadline: Deadline,
        progress: DeployAppProgress,
    ) -> Self {
        let margin = CONTINUE_MARGIN.min(deadline.remaining() / LARGEST_MARGIN_PART);
        Self {
            lambda,
            params,
            artifact,
            check,
            stop_at: deadline.earlier_by(margin),
            progress,
            pause: FIRST_PAUSE,
            updates: 0,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Outcome, DeployAppError> {
        let Step::Done(version) = self.publish().await? else {
            return self.later();
        };
        if let Step::OutOfTime = self.settle(Some(&version)).await? {
            return self.later();
        }
        match self.move_alias(&version).await? {
            Step::Done(moved) => Ok(self.complete(&version, moved)),
            Step::OutOfTime => self.later(),
        }
    }

    /// The version that holds the artifact's code: one that is there, else a new one.
    async fn publish(&mut self) -> Result<Step<String>, DeployAppError> {
        loop {
            let Step::Done(current) = self.settle(None).await? else {
                return Ok(Step::OutOfTime);
            };
            let code_sha256 = &self.progress.code_sha256;
            if let Some(version) = versions::find(self.lambda, self.params, code_sha256).await? {
                return Ok(Step::Done(version));
            }
            self.check.still_runs().await?;
            let failed = matches!(current.condition, Condition::Failed { .. });
            // Code that was handed over before, and whose update failed for what may be mended by now, or was
            // a failed update of the configuration, is handed over once more.
            let is_there =
                current.code_sha256 == self.progress.code_sha256 && (!failed || self.updates > 0);
            let conflict = if is_there {
                self.check_updated(&current)?;
                match self.publish_version(&current).await {
                    Ok(version) => return Ok(Step::Done(version)),
                    Err(error) => error,
                }
            } else {
                match self.update_code(&current).await {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            };
            if let Step::OutOfTime = self.after_conflict(conflict).await? {
                return Ok(Step::OutOfTime);
            }
        }
    }

    async fn update_code(&mut self, current: &Snapshot) -> Result<(), DeployAppError> {
        if self.updates == MAX_UPDATES {
            return Err(self.code_changed());
        }
        function::update_code(self.lambda, self.params, self.artifact, current).await?;
        self.updates += 1;
        tracing::info!(
            function = self.params.function.as_str(),
            "code handed to Lambda"
        );
        Ok(())
    }

    async fn publish_version(&self, current: &Snapshot) -> Result<String, DeployAppError> {
        let code_sha256 = &self.progress.code_sha256;
        let version = function::publish(self.lambda, self.params, code_sha256, current).await?;
        tracing::info!(
            function = self.params.function.as_str(),
            version,
            "version published"
        );
        Ok(version)
    }

    /// An update to this very code that failed is the deployment's failure.
    fn check_updated(&self, current: &Snapshot) -> Result<(), DeployAppError> {
        match &current.condition {
            Condition::Failed { code, reason } => Err(DeployAppError::NotReady {
                what: self.params.function.as_str().to_owned(),
                code: code.clone(),
                reason: reason.clone(),
            }),
            Condition::Settled | Condition::Busy => Ok(()),
        }
    }

    /// Waits until nothing goes on with the function, or until a version of it can be invoked.
    async fn settle(&mut self, version: Option<&str>) -> Result<Step<Snapshot>, DeployAppError> {
        self.pause = FIRST_PAUSE;
        loop {
            if self.stop_at.remaining().is_zero() {
                return Ok(Step::OutOfTime);
            }
            let snapshot = function::read(self.lambda, self.params, version).await?;
            if snapshot.condition != Condition::Busy {
                if version.is_some() {
                    self.check_updated(&snapshot)?;
                }
                return Ok(Step::Done(snapshot));
            }
            if self.progress.elapsed() > PATIENCE {
                return Err(DeployAppError::NeverSettles {
                    function: self.params.function.as_str().to_owned(),
                    minutes: PATIENCE.as_secs() / 60,
                });
            }
            self.rest().await;
        }
    }

    /// Goes on after someone else was faster, and not after anything else.
    async fn after_conflict(&mut self, error: DeployAppError) -> Result<Step<()>, DeployAppError> {
        match error {
            DeployAppError::Job(JobError::Call(error)) if error.kind == CallErrorKind::Conflict => {
                if self.progress.elapsed() > PATIENCE {
                    return Err(DeployAppError::Job(JobError::Call(error)));
                }
                tracing::info!(%error, "the function changed meanwhile, looking again");
            }
            error => return Err(error),
        }
        self.rest().await;
        Ok(if self.stop_at.remaining().is_zero() {
            Step::OutOfTime
        } else {
            Step::Done(())
        })
    }

    /// Moves the alias unless it is there already; never over what someone else did meanwhile.
    async fn move_alias(&mut self, version: &str) -> Result<Step<Moved>, DeployAppError> {
        let mut may_look_again = true;
        let mut by_us = None;
        self.pause = FIRST_PAUSE;
        loop {
            if self.stop_at.remaining().is_zero() {
                return Ok(Step::OutOfTime);
            }
            let found = alias::read(self.lambda, self.params).await?;
            if let Some(found) = found.as_ref().filter(|found| !found.weights.is_empty()) {
                self.wait_for_provisioning(found, version).await?;
                continue;
            }
            let (sent, before) = match found {
                None => {
                    self.check.still_runs().await?;
                    (alias::create(self.lambda, self.params, version).await, None)
                }
                Some(found) if found.is_wholly_on(version) => {
                    let before = found.version_before().map(str::to_owned);
                    let moved = by_us.unwrap_or(Moved { before, now: false });
                    return Ok(Step::Done(moved));
                }
                Some(found) => {
                    let begin = self.progress.alias.as_ref();
                    if begin.is_none_or(|begin| begin.version != found.version) {
                        return Err(self.alias_moved(&found.version, version));
                    }
                    // After the look at the alias: whoever moves it from here on changes its revision.
                    self.check.still_runs().await?;
                    let sent = alias::update(self.lambda, self.params, &found, version).await;
                    (sent, Some(found.version))
                }
            };
            match sent {
                Ok(moved) if moved.version == version => {
                    tracing::info!(alias = alias::resource(self.params), version, "alias moved");
                    if moved.is_wholly_on(version) {
                        return Ok(Step::Done(Moved { before, now: true }));
                    }
                    by_us = Some(Moved { before, now: true });
                }
                Ok(moved) => return Err(self.alias_moved(&moved.version, version)),
                // It may have been moved although no answer came: one look tells.
                Err(DeployAppError::Job(JobError::Call(error)))
                    if error.outcome_unknown && may_look_again =>
                {
                    may_look_again = false;
                    let seen = alias::read(self.lambda, self.params).await?;
                    if !seen.is_some_and(|seen| seen.is_wholly_on(version)) {
                        return Err(DeployAppError::Job(JobError::Call(error)));
                    }
                }
                Err(error) => {
                    if let Step::OutOfTime = self.after_conflict(error).await? {
                        return Ok(Step::OutOfTime);
                    }
                }
            }
        }
    }

    /// Waits a little while Lambda itself shares the alias's traffic between versions, which it does as long as
    /// it moves provisioned concurrency. Whatever else shares it is another's, and is left alone.
    async fn wait_for_provisioning(
        &mut self,
        found: &AliasState,
        version: &str,
    ) -> Result<(), DeployAppError> {
        let alias = || alias::resource(self.params);
        if !alias::is_provisioning(self.lambda, self.params).await? {
            // It may have ended between the two looks.
            let seen = alias::read(self.lambda, self.params).await?;
            if seen.is_some_and(|seen| !seen.weights.is_empty()) {
                return Err(DeployAppError::AliasShared {
                    alias: alias(),
                    found: found.version.clone(),
                    weights: found.shares(),
                    version: version.to_owned(),
                });
            }
            return Ok(());
        }
        if self.progress.elapsed() > PATIENCE {
            return Err(DeployAppError::ProvisioningNeverEnds {
                alias: alias(),
                found: found.version.clone(),
                minutes: PATIENCE.as_secs() / 60,
            });
        }
        self.rest().await;
        Ok(())
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.pause.min(self.stop_at.remaining())).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
    }

    fn code_changed(&self) -> DeployAppError {
        DeployAppError::CodeChanged {
            function: self.params.function.as_str().to_owned(),
        }
    }

    fn alias_moved(&self, found: &str, version: &str) -> DeployAppError {
        DeployAppError::AliasMoved {
            alias: alias::resource(self.params),
            began: self
                .progress
                .alias
                .as_ref()
                .map(|alias| alias.version.clone()),
            found: found.to_owned(),
            version: version.to_owned(),
        }
    }

    fn complete(self, version: &str, moved: Moved) -> Outcome {
        let alias = alias::resource(self.params);
        let revision = self.params.revision.as_deref();
        let of_revision = revision
            .map(|name| format!(" (revision {name})"))
            .unwrap_or_default();
        let before = match (&moved.before, moved.now) {
            (Some(before), true) => format!(", moved from version {before}"),
            (None, true) => ", alias made".to_owned(),
            (_, false) => ", where it was already".to_owned(),
        };
        let variables = BTreeMap::from([
            (
                "PreviousVersion".to_owned(),
                moved.before.unwrap_or_else(|| version.to_owned()),
            ),
            ("CodeSha256".to_owned(), self.progress.code_sha256),
            ("FunctionVersion".to_owned(), version.to_owned()),
        ]);
        Outcome::Complete(Completion {
            summary: format!("`{alias}` is on version {version}{of_revision}{before}"),
            variables,
        })
    }

    fn later(self) -> Result<Outcome, DeployAppError> {
        Ok(Outcome::Continue(Continuation {
            token: ContinuationToken::new(&self.progress)?,
            summary: format!("waiting for `{}` to settle", self.params.function.as_str()),
            percent_complete: None,
        }))
    }
}
