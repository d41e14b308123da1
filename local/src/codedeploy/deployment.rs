//! Deployments: what the API says of them.

use std::collections::BTreeMap;

use delivery_action::clock;
use delivery_rollout::Hook;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::app_spec::AppSpec;
use super::failure::Refusal;
use super::group::{AlarmConfiguration, AutoRollback, Group};
use super::routing::Routing;
use super::seconds;

/// How many characters an id has after `d-`, as those of CodeDeploy.
const ID_CHARS: usize = 9;

/// The three events of a deployment to a function, in their order.
pub(super) const EVENTS: [&str; 3] = ["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"];

/// A deployment.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    pub(super) id: String,
    pub(super) application: String,
    pub(super) group: String,
    pub(super) config: String,
    pub(super) routing: Routing,
    pub(super) spec: AppSpec,
    pub(super) revision: Value,
    pub(super) alarms: AlarmConfiguration,
    /// Where the alarms are this deployment's own, and not the group's.
    pub(super) overrides_alarms: bool,
    pub(super) rollback: AutoRollback,
    pub(super) description: Option<String>,
    pub(super) creator: &'static str,
    pub(super) status: Status,
    pub(super) error: Option<(&'static str, String)>,
    pub(super) created: Timestamp,
    pub(super) started: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    pub(super) events: [Event; 3],
    /// The new version's share.
    pub(super) weight: f64,
    /// The deployment that takes this one back.
    pub(super) rolled_back_by: Option<String>,
    /// The deployment that this one takes back.
    pub(super) rolls_back: Option<String>,
    /// The calls of hooks by their ids, and what they have reported.
    pub(super) hooks: BTreeMap<String, Option<bool>>,
    pub(super) stop: Option<Stop>,
}

/// Somebody wants it to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// Whether it is taken back; what its group says where this does not.
    pub(super) rollback: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Created,
    InProgress,
    Succeeded,
    Failed,
    Stopped,
}

impl Status {
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }
}

/// One event of a deployment.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    status: EventStatus,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// The hook's function and what is known of its failure.
    diagnostics: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
enum EventStatus {
    #[default]
    Pending,
    InProgress,
    Succeeded,
    Failed,
    Skipped,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CreateDeployment {
    pub(super) application_name: String,
    pub(super) deployment_group_name: String,
    pub(super) revision: Value,
    pub(super) deployment_config_name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) auto_rollback_configuration: Option<AutoRollback>,
    pub(super) override_alarm_configuration: Option<AlarmConfiguration>,
}

impl Deployment {
    /// A deployment that has not begun.
    pub(super) fn new(
        asked: CreateDeployment,
        group: &Group,
        routing: Routing,
        spec: AppSpec,
    ) -> Self {
        let overrides_alarms = asked.override_alarm_configuration.is_some();
        let alarms = asked.override_alarm_configuration;
        let rollback = asked.auto_rollback_configuration;
        Self {
            id: new_id(),
            application: asked.application_name,
            group: asked.deployment_group_name,
            config: asked
                .deployment_config_name
                .unwrap_or_else(|| group.config.clone()),
            routing,
            spec,
            revision: asked.revision,
            alarms: alarms.or_else(|| group.alarms.clone()).unwrap_or_default(),
            overrides_alarms,
            rollback: rollback
                .or_else(|| group.rollback.clone())
                .unwrap_or_default(),
            description: asked.description,
            creator: "user",
            status: Status::Created,
            error: None,
            created: clock::timestamp(),
            started: None,
            completed: None,
            events: Default::default(),
            weight: 0.0,
            rolled_back_by: None,
            rolls_back: None,
            hooks: BTreeMap::new(),
            stop: None,
        }
    }

    /// The deployment that takes this one back: all traffic at once.
    pub(super) fn taken_back(&self) -> Self {
        let spec = self.spec.back();
        Self {
            id: new_id(),
            routing: Routing::AllAtOnce,
            revision: spec.revision(),
            spec,
            description: None,
            creator: "codeDeployRollback",
            status: Status::Created,
            error: None,
            created: clock::timestamp(),
            started: None,
            completed: None,
            events: Default::default(),
            weight: 0.0,
            rolled_back_by: None,
            rolls_back: Some(self.id.clone()),
            hooks: BTreeMap::new(),
            stop: None,
            ..self.clone()
        }
    }

    /// Begins an event; those before it have succeeded.
    pub(super) fn advance(&mut self, to: usize) {
        let now = clock::timestamp();
        self.status = Status::InProgress;
        self.started.get_or_insert(now);
        for event in &mut self.events[..to] {
            event.end(EventStatus::Succeeded, now);
        }
        if let Some(event) = self.events.get_mut(to) {
            event.started.get_or_insert(now);
            event.status = EventStatus::InProgress;
        }
    }

    /// Ends it: well where there is no error.
    pub(super) fn end(&mut self, status: Status, error: Option<(&'static str, String)>) {
        let now = clock::timestamp();
        for event in &mut self.events {
            let end = match event.status {
                _ if error.is_none() => EventStatus::Succeeded,
                EventStatus::InProgress => EventStatus::Failed,
                EventStatus::Pending => EventStatus::Skipped,
                other => other,
            };
            event.end(end, now);
        }
        self.status = status;
        self.error = error;
        self.completed = Some(now);
    }

    /// Keeps why a hook failed.
    pub(super) fn explain(&mut self, hook: Hook, timed_out: bool, message: &str) {
        let (place, function) = match hook {
            Hook::BeforeTraffic => (0, &self.spec.before),
            Hook::AfterTraffic => (2, &self.spec.after),
        };
        let code = if timed_out {
            "ScriptTimedOut"
        } else {
            "ScriptFailed"
        };
        let diagnostics = json!({ "errorCode": code, "scriptName": function, "message": message });
        self.events[place].diagnostics = Some(diagnostics);
    }

    /// As `GetDeployment` tells it.
    pub(super) fn info(&self) -> Value {
        let mut info = json!({
            "applicationName": self.application,
            "deploymentGroupName": self.group,
            "deploymentConfigName": self.config,
            "deploymentId": self.id,
            "revision": self.revision,
            "status": self.status,
            "createTime": seconds(self.created),
            "creator": self.creator,
            "computePlatform": "Lambda",
            "deploymentStyle": {
                "deploymentType": "BLUE_GREEN",
                "deploymentOption": "WITH_TRAFFIC_CONTROL",
            },
            "autoRollbackConfiguration": self.rollback,
            "deploymentOverview": self.overview(),
        });
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                info[name] = value;
            }
        };
        set("startTime", self.started.map(seconds));
        set("completeTime", self.completed.map(seconds));
        set("description", self.description.clone().map(Value::from));
        let alarms = self.overrides_alarms.then(|| json!(self.alarms));
        set("overrideAlarmConfiguration", alarms);
        let error = self.error.as_ref();
        set(
            "errorInformation",
            error.map(|(code, message)| json!({ "code": code, "message": message })),
        );
        set("rollbackInfo", self.rollback_info());
        info
    }

    fn overview(&self) -> Value {
        let place = match self.status {
            Status::Created => "Pending",
            Status::InProgress => "InProgress",
            Status::Succeeded => "Succeeded",
            Status::Failed | Status::Stopped => "Failed",
        };
        let mut overview = json!({
            "Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0,
        });
        overview[place] = json!(1);
        overview
    }

    /// In CodeDeploy's words.
    fn rollback_info(&self) -> Option<Value> {
        let id = &self.id;
        if let Some(other) = &self.rolled_back_by {
            return Some(json!({
                "rollbackDeploymentId": other,
                "rollbackMessage": format!(
                    "Deployment {id} terminated. Automatic rollback is triggered with a DeploymentId {other}."
                ),
            }));
        }
        let other = self.rolls_back.as_ref()?;
        Some(json!({
            "rollbackTriggeringDeploymentId": other,
            "rollbackMessage": format!(
                "Deployment {id} is triggered to roll back deployment {other}."
            ),
        }))
    }

    /// The name of its only target.
    pub(super) fn target_id(&self) -> String {
        format!("{}:{}", self.spec.function, self.spec.alias)
    }

    /// As `GetDeploymentTarget` tells of the function.
    pub(super) fn target(&self) -> Value {
        let status = match self.status {
            Status::Created => "Pending",
            Status::InProgress => "InProgress",
            Status::Succeeded => "Succeeded",
            Status::Failed | Status::Stopped => "Failed",
        };
        let events = EVENTS.iter().zip(&self.events);
        let events: Vec<Value> = events.map(|(name, event)| event.info(name)).collect();
        json!({
            "deploymentTargetType": "LambdaTarget",
            "lambdaTarget": {
                "deploymentId": self.id,
                "targetId": self.target_id(),
                "status": status,
                "lifecycleEvents": events,
                "lambdaFunctionInfo": {
                    "functionName": self.spec.function,
                    "functionAlias": self.spec.alias,
                    "currentVersion": self.spec.current,
                    "targetVersion": self.spec.target,
                    "targetVersionWeight": self.weight,
                },
            },
        })
    }

    /// Takes what a hook reports.
    pub(super) fn report(&mut self, execution: &str, status: &str) -> Result<Value, Refusal> {
        let passed = match status {
            "Succeeded" => true,
            "Failed" => false,
            other => {
                return Err(Refusal::new(
                    "InvalidLifecycleEventHookExecutionStatusException",
                    format!("a hook reports `Succeeded` or `Failed`, not `{other}`"),
                ));
            }
        };
        let hook = self.hooks.get_mut(execution).ok_or_else(|| {
            Refusal::new(
                "InvalidLifecycleEventHookExecutionIdException",
                format!("the deployment {} has not called this hook", self.id),
            )
        })?;
        if hook.is_some() || self.status.is_over() {
            return Err(Refusal::new(
                "LifecycleEventAlreadyCompletedException",
                "the hook has reported already, or the deployment is over",
            ));
        }
        *hook = Some(passed);
        Ok(json!({ "lifecycleEventHookExecutionId": execution }))
    }
}

impl Event {
    fn end(&mut self, status: EventStatus, now: Timestamp) {
        self.status = status;
        if status != EventStatus::Skipped {
            self.started.get_or_insert(now);
            self.ended.get_or_insert(now);
        }
    }

    fn info(&self, name: &str) -> Value {
        let mut info = json!({ "lifecycleEventName": name, "status": self.status });
        let times = [("startTime", self.started), ("endTime", self.ended)];
        for (key, time) in times {
            if let Some(time) = time {
                info[key] = seconds(time);
            }
        }
        if let Some(diagnostics) = &self.diagnostics {
            info["diagnostics"] = diagnostics.clone();
        }
        info
    }
}

fn new_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    format!("d-{}", &random[..ID_CHARS])
}
