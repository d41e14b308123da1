//! One deployment from its beginning to its end: look at the alias and the alarms, decide, do that one thing, look again.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::clock::{self, Deadline};
use delivery_alias::{Found, FunctionAlias, Watcher};
use delivery_rollout::{
    Alarm, AlarmState, Alias, Change, Decision, Description, Evidence, Hint, Hook, OnNoData, Plan,
    Provisioning, Rollout, Seen, Unreadable, Watch, decide, give_up,
};
use serde_json::json;
use uuid::Uuid;

use super::deployment::{Deployment, Status, Stop};
use super::ending::Cause;
use super::{Caller, CodeDeploy, Place};
use crate::launch::SECRET_ACCESS_KEY;

/// How often the alias and the alarms are looked at: the local alarms change each second at most.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a hook may take to report (CodeDeploy User Guide, "`AppSpec` 'hooks' section": an hour), in the minutes of
/// deployment configurations, which may be shorter here.
const HOOK_MINUTES: u32 = 60;

/// Alarms are looked at once more when the new version has all traffic; the plan watches nothing without a time for it.
const LAST_LOOK: Duration = Duration::from_millis(1);

/// Changes of the alias by others in a row: more are not a coincidence.
const MOST_CONFLICTS: u32 = 5;

/// A deployment under way.
pub(super) struct Run {
    service: Arc<CodeDeploy>,
    place: Place,
    deployment: Deployment,
    lambda: aws_sdk_lambda::Client,
    alias: FunctionAlias,
    watcher: Watcher,
    plan: Plan,
    rollout: Rollout,
    hint: Hint,
    /// What deploy-app would keep in the alias's description.
    description: Description,
    /// The version that is known to be good, which deploy-app would keep in another alias.
    good: String,
    called: Option<Called>,
    conflicts: u32,
}

/// A hook that has not reported yet.
struct Called {
    execution: String,
    until: Deadline,
}

/// What was read in one look.
struct Look {
    found: Found,
    seen: Seen,
}

/// Why it does not succeed, and what gives the old version its traffic back.
struct Ending {
    cause: Cause,
    back: Option<Change>,
}

impl From<Cause> for Ending {
    fn from(cause: Cause) -> Self {
        Self { cause, back: None }
    }
}

impl Run {
    pub(super) fn new(service: Arc<CodeDeploy>, caller: Caller, deployment: Deployment) -> Self {
        let place = caller.place();
        let config = config(&service.endpoint, caller);
        let lambda = aws_sdk_lambda::Client::new(&config);
        let spec = &deployment.spec;
        let rollout = Rollout {
            id: deployment.id.clone(),
            execution: None,
            stable: Some(spec.current.clone()),
            new: spec.target.clone(),
            revision: None,
        };
        Self {
            alias: FunctionAlias::new(&lambda, &spec.function, &spec.alias),
            watcher: Watcher::new(
                &aws_sdk_cloudwatch::Client::new(&config),
                &spec.function,
                &spec.alias,
            ),
            plan: plan(&deployment, service.minute),
            rollout,
            hint: Hint {
                began: clock::timestamp(),
                before_hook: None,
                after_hook: None,
            },
            description: Description::default(),
            good: spec.current.clone(),
            called: None,
            conflicts: 0,
            lambda,
            place,
            service,
            deployment,
        }
    }

    pub(super) async fn complete(mut self) {
        self.change(|deployment| deployment.advance(0));
        let ended = match self.check().await {
            Ok(()) => self.deploy().await,
            Err(cause) => Err(cause.into()),
        };
        match ended {
            Ok(()) => self.change(|deployment| deployment.end(Status::Succeeded, None)),
            Err(Ending { cause, back }) => self.fail(&cause, back).await,
        }
    }

    /// Changes the deployment that everybody sees.
    fn change<R>(&self, change: impl FnOnce(&mut Deployment) -> R) -> R {
        let id = &self.deployment.id;
        self.service.with(&self.place, id, change)
    }

    /// The alias has to be as the `AppSpec` says.
    async fn check(&self) -> Result<(), Cause> {
        let found = self.read().await?;
        if found.alias.is_wholly_on(&self.deployment.spec.current) {
            return Ok(());
        }
        Err(Cause::OtherAlias(
            "The Lambda function alias version does not match the current version in AppSpec file."
                .to_owned(),
        ))
    }

    async fn read(&self) -> Result<Found, Cause> {
        let found = self.alias.read().await.map_err(|error| call(&error))?;
        found.ok_or_else(|| {
            let alias = self.alias.resource();
            Cause::OtherAlias(format!("The alias `{alias}` does not exist."))
        })
    }

    async fn deploy(&mut self) -> Result<(), Ending> {
        loop {
            let look = self.look().await?;
            if let Some(cause) = self.interruption(&look) {
                return Err(self.give_up(&look, cause));
            }
            let now = clock::timestamp();
            match decide(now, &self.plan, &self.rollout, &self.hint, &look.seen) {
                Decision::Call(hook) => self.ask(hook).await,
                Decision::Set(change) => self.set(&look, &change).await?,
                Decision::Keep { version, .. } => self.good = version,
                Decision::Wait(progress) => {
                    let left = progress.due.duration_since(now);
                    let left = Duration::try_from(left).unwrap_or_default();
                    tokio::time::sleep(LOOK_EVERY.min(left)).await;
                }
                Decision::Done => return Ok(()),
                Decision::PutBack(change, why) => {
                    return Err(Ending {
                        cause: self.cause(&look, why),
                        back: Some(change),
                    });
                }
                Decision::Fail(failure) => {
                    return Err(self.cause(&look, failure.to_string()).into());
                }
            }
        }
    }

    async fn look(&self) -> Result<Look, Cause> {
        let found = self.read().await?;
        let alias = Alias {
            description: self.description.clone(),
            ..found.alias.clone()
        };
        let good = Alias {
            version: self.good.clone(),
            ..Alias::default()
        };
        let evidence = Evidence {
            alarms: self.alarms().await,
            ..Evidence::default()
        };
        let seen = Seen {
            alias: Some(alias),
            good: Some(good),
            provisioning: Provisioning::Ready, // MiniStack's is there at once
            differences: Vec::new(), // Lambda itself refuses the weights, which ends the deployment
            evidence,
        };
        Ok(Look { found, seen })
    }

    /// CodeDeploy asks for nothing but the state of an alarm, whatever it looks back at.
    async fn alarms(&self) -> Result<Vec<Alarm>, Unreadable> {
        let ignores_failures = self.deployment.alarms.ignore_poll_alarm_failure;
        let alarms = match self.watcher.alarms(&self.plan.alarm_names()).await {
            Ok(alarms) => alarms,
            Err(_) if ignores_failures => Vec::new(),
            Err(error) => return Err(Unreadable(error.to_string())),
        };
        let missing = |alarm: &&Alarm| alarm.state == AlarmState::Missing;
        if let Some(alarm) = alarms.iter().find(missing).filter(|_| !ignores_failures) {
            return Err(Unreadable(format!(
                "the alarm `{}` does not exist",
                alarm.name
            )));
        }
        let alarms = alarms.into_iter().filter(|alarm| !missing(&alarm));
        let without_window = alarms.map(|alarm| Alarm {
            window: Duration::ZERO,
            ..alarm
        });
        Ok(without_window.collect())
    }

    /// What ends a deployment at once, and deploy-app does not know: a request, and alarms whose state is not known.
    fn interruption(&self, look: &Look) -> Option<Cause> {
        if self.stop().is_some() {
            return Some(Cause::Stopped);
        }
        let unreadable = look.seen.evidence.alarms.as_ref().err()?;
        Some(Cause::NoAlarms(unreadable.0.clone()))
    }

    fn stop(&self) -> Option<Stop> {
        self.change(|deployment| deployment.stop)
    }

    fn give_up(&self, look: &Look, cause: Cause) -> Ending {
        let alias = look.seen.alias.as_ref();
        let back = alias.and_then(|alias| give_up(&self.rollout, alias, &cause.error().1));
        Ending { cause, back }
    }

    /// What a decision against the new version was made for.
    fn cause(&self, look: &Look, why: String) -> Cause {
        let alarms = look.seen.evidence.alarms.iter().flatten();
        let ringing = alarms.filter(|alarm| matches!(alarm.state, AlarmState::Ringing { .. }));
        let ringing: Vec<String> = ringing.map(|alarm| alarm.name.clone()).collect();
        if !ringing.is_empty() {
            return Cause::Alarms(ringing);
        }
        let failed = |said: &Option<Result<(), String>>| matches!(said, Some(Err(_)));
        match (
            failed(&self.hint.before_hook),
            failed(&self.hint.after_hook),
        ) {
            (false, false) => Cause::OtherAlias(why),
            _ if self.called.is_some() => Cause::HookTimeout,
            _ => Cause::Hook,
        }
    }

    /// Moves traffic.
    async fn set(&mut self, look: &Look, change: &Change) -> Result<(), Ending> {
        let marker = change.description.marker.as_ref();
        if marker.is_some_and(|marker| marker.phase.watched_until().is_none()) {
            // Only the description would change, which is kept here.
            self.description = change.description.clone();
            return Ok(());
        }
        match self.alias.route(&look.found, change).await {
            Ok(_) => {
                self.conflicts = 0;
                self.description = change.description.clone();
                let weight = change
                    .share
                    .as_ref()
                    .map_or(1.0, |(_, share)| share.weight());
                self.change(|deployment| {
                    deployment.advance(1);
                    deployment.weight = weight;
                });
                Ok(())
            }
            Err(error)
                if error.kind == CallErrorKind::Conflict && self.conflicts < MOST_CONFLICTS =>
            {
                self.conflicts += 1;
                Ok(())
            }
            Err(error) => Err(self.give_up(look, call(&error))),
        }
    }

    /// Calls a hook, or waits for what it reports.
    async fn ask(&mut self, hook: Hook) {
        let Some(called) = &self.called else {
            self.call(hook).await;
            return;
        };
        let reported = self.change(|deployment| deployment.hooks.get(&called.execution).copied());
        match reported.flatten() {
            Some(true) => {
                self.called = None;
                self.said(hook, Ok(()));
            }
            Some(false) => {
                self.called = None;
                let why = "it reported `Failed`";
                self.change(|deployment| deployment.explain(hook, false, why));
                self.said(hook, Err(why.to_owned()));
            }
            None if called.until.remaining().is_zero() => {
                let why = "it reported nothing in time";
                self.change(|deployment| deployment.explain(hook, true, why));
                self.said(hook, Err(why.to_owned()));
            }
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }

    fn said(&mut self, hook: Hook, said: Result<(), String>) {
        match hook {
            Hook::BeforeTraffic => self.hint.before_hook = Some(said),
            Hook::AfterTraffic => self.hint.after_hook = Some(said),
        }
    }

    async fn call(&mut self, hook: Hook) {
        let spec = &self.deployment.spec;
        let (place, function) = match hook {
            Hook::BeforeTraffic => (0, spec.before.clone()),
            Hook::AfterTraffic => (2, spec.after.clone()),
        };
        let function = function.unwrap_or_default();
        let execution = Uuid::new_v4().simple().to_string();
        self.change(|deployment| {
            deployment.advance(place);
            deployment.hooks.insert(execution.clone(), None);
        });
        let event = json!({
            "DeploymentId": self.deployment.id,
            "LifecycleEventHookExecutionId": execution,
        });
        let sent = self
            .lambda
            .invoke()
            .function_name(&function)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(event.to_string()))
            .send()
            .await;
        if let Err(error) = sent {
            let error = CallError::new("lambda:InvokeFunction", function, &error).to_string();
            self.change(|deployment| deployment.explain(hook, false, &error));
            self.said(hook, Err(error));
            return;
        }
        let until = Deadline::after(self.service.minute.saturating_mul(HOOK_MINUTES));
        self.called = Some(Called { execution, until });
    }

    /// Ends it, and takes it back where that is wanted.
    async fn fail(&self, cause: &Cause, back: Option<Change>) {
        let stop = self.stop();
        let taken_back = cause.is_taken_back(&self.deployment.rollback, stop);
        let rollback = taken_back.then(|| self.deployment.taken_back());
        if let Some(rollback) = &rollback {
            self.service.add(&self.place, rollback.clone());
        }
        self.change(|deployment| {
            deployment.rolled_back_by = rollback.as_ref().map(|rollback| rollback.id.clone());
            deployment.end(cause.status(), Some(cause.error()));
        });
        tracing::warn!(
            deployment = self.deployment.id,
            ?cause,
            taken_back,
            "a deployment has failed"
        );
        let Some(rollback) = rollback else { return };
        let error = match back {
            Some(change) => self.take_back(&change).await.err(),
            None => None,
        };
        let status = error.as_ref().map_or(Status::Succeeded, Cause::status);
        self.service.with(&self.place, &rollback.id, |rollback| {
            rollback.advance(1);
            rollback.weight = if error.is_none() { 1.0 } else { 0.0 };
            rollback.end(status, error.map(|cause| cause.error()));
        });
    }

    /// Gives the old version all traffic, if the alias is as this deployment left it.
    async fn take_back(&self, change: &Change) -> Result<(), Cause> {
        let found = self.read().await?;
        let alias = Alias {
            description: self.description.clone(),
            ..found.alias.clone()
        };
        if give_up(&self.rollout, &alias, "").is_none() {
            let why = "Somebody has changed the Lambda function alias meanwhile.";
            return Err(Cause::OtherAlias(why.to_owned()));
        }
        let sent = self.alias.route(&found, change).await;
        sent.map(drop).map_err(|error| call(&error))
    }
}

fn call(error: &CallError) -> Cause {
    Cause::Call(error.to_string())
}

/// Alarms alone decide, and one without data is as good as quiet.
fn plan(deployment: &Deployment, minute: Duration) -> Plan {
    let alarms = deployment.alarms.alarms.iter();
    let alarms = alarms.filter(|_| deployment.alarms.enabled);
    let alarms: Vec<String> = alarms.map(|alarm| alarm.name.clone()).collect();
    Plan {
        strategy: deployment.routing.strategy(minute),
        bake: if alarms.is_empty() {
            Duration::ZERO
        } else {
            LAST_LOOK
        },
        watch: Watch {
            alarms,
            ..Watch::default()
        },
        patience: Duration::ZERO,
        on_no_data: OnNoData::Proceed,
        fix_forward: false,
        metrics_delay: Duration::ZERO,
        before_hook: deployment.spec.before.is_some(),
        after_hook: deployment.spec.after.is_some(),
    }
}

/// That of whoever made the deployment.
fn config(endpoint: &str, caller: Caller) -> SdkConfig {
    let credentials =
        Credentials::new(caller.access_key_id, SECRET_ACCESS_KEY, None, None, "local");
    SdkConfig::builder()
        .http_client(delivery_action::aws::http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(caller.region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build()
}
