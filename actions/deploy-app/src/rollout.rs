//! A rollout: look at the alias, decide, do that one thing, look again.
//!
//! The decisions are those of `delivery_rollout`; here are the calls. A look that finds somebody else's change
//! leads to another decision, so a conflict is not an error but a reason to look again.

use std::time::Duration;

use aws_sdk_lambda::Client;
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::clock::{self, Deadline};
use delivery_action::execution::ExecutionCheck;
use delivery_alias::{Found, FunctionAlias, HookCall, Watcher, call_hook};
use delivery_rollout::{
    Change, Course, Decision, Difference, Failure, Hint, Hook, Plan, Progress, Provisioning,
    Rollout, Seen, Share, Traffic, began, decide, give_up,
};

use crate::error::DeployAppError;
use crate::params::DeployAppParams;

/// Between two looks of one job. Metrics come by the minute, and a person who aborts a rollout wants to see it end.
const PAUSE: Duration = Duration::from_secs(2);

/// A step that is over so soon is waited for in the same job: how late CodePipeline starts the next one is not
/// documented for functions.
const SOON: Duration = Duration::from_secs(25);

/// Conflicts and lost answers in a row: a job that is delivered twice meets one at each change, and then sees what
/// the other has made.
const MOST_CONFLICTS: u32 = 5;

/// A hook is called only while this part of the job's time is left, and by the next job otherwise: it must not fail because
/// publishing the version took long.
const PART_FOR_A_HOOK: u32 = 2;

/// The part of a rollout that one job does.
pub(crate) struct RolloutRun<'a> {
    lambda: &'a Client,
    params: &'a DeployAppParams,
    check: &'a ExecutionCheck,
    stop_at: Deadline,
    /// The whole time of this job.
    job_time: Duration,
    alias: FunctionAlias,
    good: FunctionAlias,
    watcher: Watcher,
    plan: Plan,
    rollout: Rollout,
    differences: Vec<Difference>,
    hint: Hint,
    /// Why this job put the rollout back: the alias has room for a part of it only.
    why: Option<String>,
    conflicts: u32,
}

/// How a job ends that does not fail.
pub(crate) enum End {
    /// The new version has all traffic.
    Complete,
    /// A later job goes on.
    Continue {
        hint: Hint,
        summary: String,
        percent: Option<u8>,
    },
}

/// What was read in one look.
struct Look {
    found: Option<Found>,
    good: Option<Found>,
    seen: Seen,
}

impl<'a> RolloutRun<'a> {
    pub(crate) fn new(
        (lambda, cloud_watch): (&'a Client, &aws_sdk_cloudwatch::Client),
        params: &'a DeployAppParams,
        check: &'a ExecutionCheck,
        (stop_at, job_time): (Deadline, Duration),
        rollout: Rollout,
        hint: Hint,
    ) -> Self {
        let (function, name) = (params.function.as_str(), params.alias.as_str());
        let alias = params.alias(lambda);
        Self {
            lambda,
            params,
            check,
            stop_at,
            job_time,
            good: alias.good(),
            alias,
            watcher: Watcher::new(cloud_watch, function, name),
            plan: params.plan(),
            rollout,
            differences: Vec::new(),
            hint,
            why: None,
            conflicts: 0,
        }
    }

    /// The same with all traffic at once, and nothing to watch: there is no old version that traffic could stay on.
    pub(crate) fn at_once(mut self) -> Self {
        self.plan = self.plan.at_once();
        self
    }

    /// The same between versions with these differences. Versions do not change, so they are compared once a job.
    pub(crate) fn between(mut self, differences: Vec<Difference>) -> Self {
        self.differences = differences;
        self
    }

    pub(crate) async fn run(mut self) -> Result<End, DeployAppError> {
        loop {
            let look = self.look().await?;
            let decision = decide(
                clock::timestamp(),
                &self.plan,
                &self.rollout,
                &self.hint,
                &look.seen,
            );
            match decision {
                Decision::Call(_) if !self.has_time_for_a_hook() => {
                    return Ok(self.continue_soon());
                }
                Decision::Call(hook) => self.call(&look, hook).await?,
                Decision::Set(change) => self.set(&look, &change).await?,
                Decision::PutBack(change, why) => self.put_back(&look, &change, why).await?,
                Decision::Keep { version, before } => self.keep(&look, &version, before).await?,
                Decision::Done => return Ok(End::Complete),
                Decision::Fail(failure) => return Err(self.failed(failure)),
                Decision::Wait(progress) => {
                    self.conflicts = 0;
                    let until = progress
                        .held
                        .as_ref()
                        .map_or(progress.due, |(_, until)| *until);
                    let left = until.duration_since(clock::timestamp());
                    let left = Duration::try_from(left).unwrap_or_default();
                    self.pause(left).await;
                    if left > SOON || self.is_out_of_time() {
                        let traffic = look.seen.evidence.traffic.ok();
                        return Ok(self.continue_later(&progress, traffic));
                    }
                }
            }
            // A hook that failed may have taken all the time. The next job would call it again, so this one ends the rollout.
            if self.is_out_of_time() && !self.has_failed_hook() {
                return Ok(self.continue_soon());
            }
        }
    }

    fn has_time_for_a_hook(&self) -> bool {
        self.stop_at.remaining() >= self.job_time / PART_FOR_A_HOOK
    }

    fn has_failed_hook(&self) -> bool {
        let said = [&self.hint.before_hook, &self.hint.after_hook];
        said.into_iter()
            .any(|said| said.as_ref().is_some_and(Result::is_err))
    }

    fn is_out_of_time(&self) -> bool {
        self.stop_at.remaining().is_zero()
    }

    async fn pause(&self, left: Duration) {
        tokio::time::sleep(PAUSE.min(left).min(self.stop_at.remaining())).await;
    }

    async fn look(&self) -> Result<Look, DeployAppError> {
        let (found, good) = tokio::try_join!(self.alias.read(), self.good.read())?;
        let provisioning = match &found {
            Some(_) => self.alias.provisioning().await?,
            None => Provisioning::Ready,
        };
        let alias = found.as_ref().map(|found| found.alias.clone());
        let rollout = self.rollout.as_begun(alias.as_ref());
        let began = alias
            .as_ref()
            .and_then(|alias| began(&self.plan, &rollout, alias));
        let evidence = self
            .watcher
            .evidence(&self.plan, &rollout, began, clock::timestamp())
            .await;
        let seen = Seen {
            alias,
            good: good.as_ref().map(|good| good.alias.clone()),
            provisioning,
            differences: self.differences.clone(),
            evidence,
        };
        Ok(Look { found, good, seen })
    }

    async fn call(&mut self, look: &Look, hook: Hook) -> Result<(), DeployAppError> {
        let function = match hook {
            Hook::BeforeTraffic => &self.params.pre_traffic,
            Hook::AfterTraffic => &self.params.post_traffic,
        };
        let Some(function) = function else {
            return Ok(());
        };
        let call = HookCall {
            hook_function: function.as_str(),
            hook,
            function: self.params.function.as_str(),
            alias: self.params.alias.as_str(),
            rollout: &self.rollout,
        };
        let time = self.stop_at.remaining();
        let said = match call_hook(self.lambda, call, time).await {
            Ok(said) => said,
            Err(error) => return self.give_up(look, error.into()).await,
        };
        tracing::info!(%hook, passed = said.is_ok(), "called a hook");
        match hook {
            Hook::BeforeTraffic => self.hint.before_hook = Some(said),
            Hook::AfterTraffic => self.hint.after_hook = Some(said),
        }
        Ok(())
    }

    async fn set(&mut self, look: &Look, change: &Change) -> Result<(), DeployAppError> {
        // After the alias was read, so that no gap is left: whoever changes it from here on changes its revision.
        if let Err(error) = self.check.still_runs().await {
            return self.give_up(look, error.into()).await;
        }
        let sent = match &look.found {
            None => {
                self.alias
                    .create(&change.version, &change.description)
                    .await
            }
            Some(found) => self.alias.change(found, change).await,
        };
        match sent {
            Ok(_) => {
                self.conflicts = 0;
                tracing::info!(
                    alias = self.alias.resource(),
                    version = change.version,
                    share = change.share.as_ref().map(|(_, share)| share.to_string()),
                    "changed the alias"
                );
                Ok(())
            }
            Err(error) => self.after_error(look, error).await,
        }
    }

    async fn keep(
        &mut self,
        look: &Look,
        version: &str,
        before: Option<String>,
    ) -> Result<(), DeployAppError> {
        match self.good.keep(look.good.as_ref(), version, before).await {
            Ok(_) => {
                self.conflicts = 0;
                Ok(())
            }
            Err(error) => self.after_error(look, error).await,
        }
    }

    /// Looks again after a conflict, or where it is not known what became of the call. Otherwise the rollout is given up,
    /// and put back unless somebody else is at work: another job of this rollout may have brought it to a good end.
    async fn after_error(&mut self, look: &Look, error: CallError) -> Result<(), DeployAppError> {
        if self.may_look_again(&error) {
            return Ok(());
        }
        if error.kind == CallErrorKind::Conflict {
            return Err(error.into());
        }
        self.give_up(look, error.into()).await
    }

    /// Whether an error may be somebody else's change, or this call's own whose answer was lost.
    fn may_look_again(&mut self, error: &CallError) -> bool {
        self.conflicts += 1;
        let again = error.kind == CallErrorKind::Conflict || error.outcome_unknown;
        if again {
            tracing::info!(%error, "looking at the alias again");
        }
        again && self.conflicts <= MOST_CONFLICTS
    }

    async fn put_back(
        &mut self,
        look: &Look,
        change: &Change,
        why: String,
    ) -> Result<(), DeployAppError> {
        let Some(found) = &look.found else {
            return Ok(());
        };
        match self.alias.change(found, change).await {
            Ok(_) => {
                tracing::warn!(alias = self.alias.resource(), why, "put the rollout back");
                self.why = Some(why);
                Ok(())
            }
            Err(error) if self.may_look_again(&error) => Ok(()),
            Err(error) => Err(DeployAppError::NotPutBack {
                alias: self.alias.resource(),
                stable: change.version.clone(),
                why,
                source: Box::new(error),
            }),
        }
    }

    /// Fails with an error; a rollout that is under way is put back first, because nobody would watch it.
    async fn give_up(&mut self, look: &Look, error: DeployAppError) -> Result<(), DeployAppError> {
        let alias = look.seen.alias.as_ref();
        let change = alias.and_then(|alias| give_up(&self.rollout, alias, &error.to_string()));
        match change {
            Some(change) => self.put_back(look, &change, error.to_string()).await,
            None => Err(error),
        }
    }

    fn failed(self, failure: Failure) -> DeployAppError {
        let failure = match (failure, self.why) {
            (Failure::PutBack { stable, .. }, Some(why)) => Failure::PutBack { why, stable },
            (failure, _) => failure,
        };
        DeployAppError::Rollout {
            alias: self.alias.resource(),
            version: self.rollout.new,
            failure,
        }
    }

    fn continue_soon(self) -> End {
        End::Continue {
            summary: format!("rollout of `{}` under way", self.alias.resource()),
            percent: None,
            hint: self.hint,
        }
    }

    fn continue_later(self, progress: &Progress, traffic: Option<Traffic>) -> End {
        let now = clock::timestamp();
        let seconds = now.duration_since(progress.since).as_secs().max(0);
        let summary = match &progress.held {
            Some((missing, _)) => {
                format!("`{}`: held, because {missing}", self.alias.resource())
            }
            None => self.course(progress, seconds, traffic).to_string(),
        };
        End::Continue {
            percent: percent(&self.plan, progress, seconds),
            summary,
            hint: self.hint,
        }
    }

    fn course(&self, progress: &Progress, seconds: i64, traffic: Option<Traffic>) -> Course {
        let planned = progress.due.duration_since(progress.since).as_secs();
        let steps = self.plan.strategy.steps.len();
        // Nothing was served where nothing is watched.
        let traffic = traffic.filter(|traffic| *traffic != Traffic::default());
        Course {
            alias: self.alias.resource(),
            version: self.rollout.new.clone(),
            permille: progress.share.map_or(Course::ALL, Share::permille),
            seconds: u64::try_from(seconds).unwrap_or_default(),
            planned: u64::try_from(planned).unwrap_or_default(),
            step: progress
                .share
                .and(progress.step)
                .map(|step| (step + 1, steps)),
            traffic: self.rollout.stable.clone().zip(traffic),
        }
    }
}

/// The time that has passed, of the time that is planned. Time in which a step is held does not count.
fn percent(plan: &Plan, progress: &Progress, seconds: i64) -> Option<u8> {
    let steps = &plan.strategy.steps;
    let before = steps.iter().take(progress.step.unwrap_or(steps.len()));
    let before: Duration = before.map(|step| step.lasts).sum();
    let whole = (plan.strategy.lasts() + plan.bake).as_secs();
    let planned = u64::try_from(progress.due.duration_since(progress.since).as_secs()).ok()?;
    let passed = before.as_secs() + u64::try_from(seconds).ok()?.min(planned);
    let percent = (passed * 100).checked_div(whole)?;
    u8::try_from(percent.min(99)).ok()
}
