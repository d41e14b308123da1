//! One deployment: update the function's code, publish a version, move the alias to the version.
//!
//! Problem: Lambda delivers a job more than once, a deployment may take longer than one invocation, and another pipeline or
//! a person may change the same function and alias at any time.
//!
//! Solution: no step relies on what an earlier step did. Each reads the state, decides, and changes it only
//! on the condition that it still is what was read (`RevisionId`, `CodeSha256`). If that condition fails, the state is read
//! again. So any number of invocations, one after another or at once, end in the same state, and no
//! change of another deployment is overwritten unseen.

mod wait;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_lambda::Client;
use delivery_action::action::{Completion, Continuation};
use delivery_action::clock::{self, Deadline};
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::failure::JobError;
use delivery_action::job::Artifact;
use delivery_alias::{Found, FunctionAlias};
use delivery_release::part::Work;
use delivery_rollout::{Change, Description, Failure, Hint, Rollout, is_watched};

use crate::error::DeployAppError;
use crate::function::{self, Condition, PLACEHOLDER, Snapshot};
use crate::params::DeployAppParams;
use crate::progress::{DeployAppProgress, RolloutProgress};
use crate::rollout::{End, RolloutRun};
use crate::versions;
use wait::FIRST_PAUSE;

/// How long before the end of the job's time the last call that changes something may begin; then the work
/// continues in a later job.
const CONTINUE_MARGIN: Duration = Duration::from_secs(10);

/// The margin is at most this part of a job's time.
const LARGEST_MARGIN_PART: u32 = 4;

/// How often the code is sent to Lambda: a second and third time only if somebody else has replaced it since.
const MAX_UPDATES: u32 = 3;

/// The part of a deployment that one job does.
pub(crate) struct Deployment<'a> {
    lambda: &'a Client,
    cloud_watch: &'a aws_sdk_cloudwatch::Client,
    alias: FunctionAlias,
    params: &'a DeployAppParams,
    artifact: &'a Artifact,
    check: ExecutionCheck,
    stop_at: Deadline,
    /// The whole time of this job, until `stop_at`.
    job_time: Duration,
    progress: DeployAppProgress,
    next_pause: Duration,
    updates: u32,
}

/// How a step ended.
enum Step<T> {
    Done(T),
    /// The job's time is over; the next job continues.
    OutOfTime,
}

/// How the alias got to the version.
struct AliasMove {
    /// Its version before; `None` if it was created.
    previous: Option<String>,
    /// Whether this job moved it, and not an earlier invocation.
    by_this_job: bool,
}

impl<'a> Deployment<'a> {
    pub(crate) fn new(
        (lambda, cloud_watch): (&'a Client, &'a aws_sdk_cloudwatch::Client),
        params: &'a DeployAppParams,
        artifact: &'a Artifact,
        check: ExecutionCheck,
        deadline: Deadline,
        progress: DeployAppProgress,
    ) -> Self {
        let margin = CONTINUE_MARGIN.min(deadline.remaining() / LARGEST_MARGIN_PART);
        let stop_at = deadline.earlier_by(margin);
        Self {
            lambda,
            cloud_watch,
            alias: params.alias(lambda),
            params,
            artifact,
            check,
            stop_at,
            job_time: stop_at.remaining(),
            progress,
            next_pause: FIRST_PAUSE,
            updates: 0,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Work, DeployAppError> {
        let Step::Done(version) = self.publish().await? else {
            return self.continue_later();
        };
        let Step::Done(new) = self.settle(Some(&version)).await? else {
            return self.continue_later();
        };
        if let Some(rollout) = self.progress.rollout.clone() {
            return self.roll_out(version, &new, rollout).await;
        }
        match self.move_alias(&version).await? {
            Step::Done(moved) => Ok(self.complete(&version, moved)),
            Step::OutOfTime => self.continue_later(),
        }
    }

    /// The version with the artifact's code: an existing one, or else a new one.
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
            // The function may have this code although its last update failed: because an earlier job's
            // update failed for a reason that may be gone by now, or because it was an update of the
            // configuration. So the code is sent once more before that failure counts as this deployment's.
            let has_code =
                current.code_sha256 == self.progress.code_sha256 && (!failed || self.updates > 0);
            let conflict = if has_code {
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
        let read = function::update_code(self.lambda, self.params, self.artifact, current).await?;
        self.updates += 1;
        let expected = &self.progress.code_sha256;
        if let Some(found) = read.filter(|found| found != expected) {
            return Err(DeployAppError::OtherCode {
                artifact: self.artifact.clone(),
                expected: expected.clone(),
                found,
            });
        }
        tracing::info!(
            function = self.params.function.as_str(),
            "sent the code to Lambda"
        );
        Ok(())
    }

    async fn publish_version(&self, current: &Snapshot) -> Result<String, DeployAppError> {
        let code_sha256 = &self.progress.code_sha256;
        let version = function::publish(self.lambda, self.params, code_sha256, current).await?;
        tracing::info!(
            function = self.params.function.as_str(),
            version,
            "published a version"
        );
        Ok(version)
    }

    /// Fails the deployment if the update to this code failed.
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

    /// Moves the alias unless it is on the version already.
    ///
    /// It is moved only from the version that it had when the action began: if it is on any other, somebody else has
    /// deployed since, and a later release would be replaced by an earlier one.
    async fn move_alias(&mut self, version: &str) -> Result<Step<AliasMove>, DeployAppError> {
        let mut may_look_again = true;
        let mut by_this_job = None;
        self.next_pause = FIRST_PAUSE;
        loop {
            if self.stop_at.remaining().is_zero() {
                return Ok(Step::OutOfTime);
            }
            let found = self.alias.read().await?;
            self.check_that_nobody_watches(found.as_ref(), version)
                .await?;
            if let Some(found) = found
                .as_ref()
                .filter(|found| !found.alias.weights.is_empty())
            {
                self.wait_for_provisioning(found, version).await?;
                continue;
            }
            let previous = found.as_ref().map(|found| found.alias.version.clone());
            if let Some(found) = found
                .as_ref()
                .filter(|found| found.alias.is_wholly_on(version))
            {
                return Ok(Step::Done(by_this_job.unwrap_or(AliasMove {
                    previous: found.alias.description.before.clone(),
                    by_this_job: false,
                })));
            }
            let sent = self.send_move(found, version).await?;
            match sent {
                Ok(moved) if moved.alias.version == version => {
                    // With provisioned concurrency Lambda itself sets weights now; wait for it above.
                    if moved.alias.is_wholly_on(version) {
                        return Ok(Step::Done(AliasMove {
                            previous,
                            by_this_job: true,
                        }));
                    }
                    by_this_job = Some(AliasMove {
                        previous,
                        by_this_job: true,
                    });
                }
                Ok(moved) => return Err(self.alias_moved(&moved.alias.version, version)),
                // The call may have moved the alias although its answer was lost.
                Err(DeployAppError::Job(JobError::Call(error)))
                    if error.outcome_unknown && may_look_again =>
                {
                    may_look_again = false;
                    let seen = self.alias.read().await?;
                    if !seen.is_some_and(|seen| seen.alias.is_wholly_on(version)) {
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

    /// Asks Lambda for the move, from the version that the alias had when the action began.
    async fn send_move(
        &mut self,
        found: Option<Found>,
        version: &str,
    ) -> Result<Result<Found, DeployAppError>, DeployAppError> {
        if let Some(found) = &found {
            let at_start = self.progress.alias.as_ref();
            if at_start.is_none_or(|at_start| at_start.version != found.alias.version) {
                return Err(self.alias_moved(&found.alias.version, version));
            }
        }
        // After the alias was read, so that no gap is left: whoever moves it from here on changes
        // its revision, and the update is refused.
        self.check.still_runs().await?;
        let description = Description {
            marker: None,
            revision: self.params.revision.clone(),
            before: found.as_ref().map(|found| found.alias.version.clone()),
        };
        let sent = match &found {
            None => self.alias.create(version, &description).await,
            Some(found) => {
                let change = Change {
                    version: version.to_owned(),
                    share: None,
                    description,
                };
                self.alias.change(found, &change).await
            }
        };
        if sent
            .as_ref()
            .is_ok_and(|moved| moved.alias.version == version)
        {
            tracing::info!(alias = self.alias.resource(), version, "moved the alias");
        }
        Ok(sent.map_err(DeployAppError::from))
    }

    /// Fails if another deployment's version has all traffic and is still watched: putting it back would take this
    /// one away.
    async fn check_that_nobody_watches(
        &self,
        found: Option<&Found>,
        version: &str,
    ) -> Result<(), DeployAppError> {
        let Some(found) = found.filter(|found| found.alias.weights.is_empty()) else {
            return Ok(()); // Split traffic is looked at by itself.
        };
        let Some(marker) = is_watched(clock::timestamp(), &found.alias, None) else {
            return Ok(());
        };
        let good = self.alias.good().read().await?;
        if good.is_some_and(|good| good.alias.version == found.alias.version) {
            return Ok(());
        }
        Err(DeployAppError::Rollout {
            alias: self.alias.resource(),
            version: version.to_owned(),
            failure: Failure::Busy(Box::new(marker.clone())),
        })
    }

    /// The version that has the traffic, if there is another one than the new one.
    async fn stable(&self, rollout: &Rollout) -> Result<Option<Snapshot>, DeployAppError> {
        let stable = rollout.stable.as_deref();
        let Some(stable) = stable.filter(|stable| *stable != rollout.new) else {
            return Ok(None);
        };
        function::read(self.lambda, self.params, Some(stable))
            .await
            .map(Some)
    }

    /// Moves the alias step by step, or watches it, or asks hooks.
    async fn roll_out(
        mut self,
        version: String,
        new: &Snapshot,
        progress: RolloutProgress,
    ) -> Result<Work, DeployAppError> {
        let rollout = Rollout {
            id: progress.id,
            execution: self
                .params
                .execution
                .as_ref()
                .map(|execution| execution.id().to_owned()),
            stable: progress.stable,
            new: version,
            revision: self.params.revision.clone(),
        };
        let hint = Hint {
            began: self.progress.began(),
            before_hook: progress.before_hook_passed.then_some(Ok(())),
            after_hook: progress.after_hook_passed.then_some(Ok(())),
        };
        let run = RolloutRun::new(
            (self.lambda, self.cloud_watch),
            self.params,
            &self.check,
            (self.stop_at, self.job_time),
            rollout.clone(),
            hint,
        );
        let run = match self.stable(&rollout).await? {
            // The alias is still on the version that the template made.
            Some(stable) if stable.description == PLACEHOLDER => run.at_once(),
            Some(stable) => run.between(new.settings.differences_from(&stable.settings)),
            None => run,
        };
        match run.run().await? {
            End::Complete => {
                let moved = self.moved_by(&rollout);
                Ok(self.complete(&rollout.new, moved))
            }
            End::Continue {
                hint,
                summary,
                percent,
            } => {
                self.progress.rollout = Some(RolloutProgress {
                    id: rollout.id,
                    stable: rollout.stable,
                    before_hook_passed: hint.before_hook == Some(Ok(())),
                    after_hook_passed: hint.after_hook == Some(Ok(())),
                });
                Ok(Work::Continue(Continuation {
                    token: ContinuationToken::new(&self.progress)?,
                    summary,
                    percent_complete: percent,
                }))
            }
        }
    }

    /// What a rollout that is complete has done.
    fn moved_by(&self, rollout: &Rollout) -> AliasMove {
        let at_start = self.progress.alias.as_ref();
        // An alias on `$LATEST` has no stable version.
        let before = rollout
            .stable
            .clone()
            .or_else(|| at_start.map(|alias| alias.version.clone()));
        let previous = before.filter(|before| *before != rollout.new);
        AliasMove {
            by_this_job: at_start.is_none() || previous.is_some(),
            previous,
        }
    }

    fn code_changed(&self) -> DeployAppError {
        DeployAppError::CodeChanged {
            function: self.params.function.as_str().to_owned(),
        }
    }

    fn alias_moved(&self, found: &str, version: &str) -> DeployAppError {
        DeployAppError::AliasMoved {
            alias: self.alias.resource(),
            began: self
                .progress
                .alias
                .as_ref()
                .map(|alias| alias.version.clone()),
            found: found.to_owned(),
            version: version.to_owned(),
        }
    }

    fn complete(self, version: &str, moved: AliasMove) -> Work {
        let at_start = self.progress.alias.as_ref();
        let changed = at_start.is_none_or(|alias| alias.version != version);
        let summary = self.summary(version, &moved);
        let variables = BTreeMap::from([
            (
                "PreviousVersion".to_owned(),
                moved.previous.unwrap_or_else(|| version.to_owned()),
            ),
            ("CodeSha256".to_owned(), self.progress.code_sha256),
            ("FunctionVersion".to_owned(), version.to_owned()),
        ]);
        Work::Complete {
            completion: Completion { summary, variables },
            changed,
        }
    }

    /// ``prod: version 1 → 2 (function `greeter`, revision 1a2b3c4)``: what changed comes first, since a terminal cuts the rest.
    fn summary(&self, version: &str, moved: &AliasMove) -> String {
        let params = self.params;
        let (alias, function) = (params.alias.as_str(), params.function.as_str());
        let change = match (&moved.previous, moved.by_this_job) {
            (Some(previous), true) => format!("version {previous} → {version}"),
            (None, true) => format!("version {version}, new alias"),
            (_, false) => format!("version {version} already"),
        };
        let revision = params.revision.as_deref();
        let revision = revision.map_or_else(String::new, |name| format!(", revision {name}"));
        format!("{alias}: {change} (function `{function}`{revision})")
    }

    fn continue_later(self) -> Result<Work, DeployAppError> {
        Ok(Work::Continue(Continuation {
            token: ContinuationToken::new(&self.progress)?,
            summary: format!(
                "waiting for the update of `{}`",
                self.params.function.as_str()
            ),
            percent_complete: None,
        }))
    }
}
