//! CodeDeploy for functions, by its API.

mod stacks;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::world::{MINUTE, WITHIN, World, package, run};

const FUNCTIONS: &str = include_str!("codedeploy/functions.yaml");

/// Ended with all three events of a canary of five minutes at least: the first changes come within a second.
const CANARY: Duration = MINUTE.saturating_mul(5);

/// A hook that reports nothing is waited for an hour of these minutes.
const HOUR: Duration = MINUTE.saturating_mul(60);

async fn ask(world: &World, operation: &str, input: Value) -> Value {
    let target = format!("CodeDeploy_20141006.{operation}");
    world.ask("codedeploy", &target, &input).await
}

/// The stack with the hooks, made once.
async fn hooks(world: &World) {
    static MADE: OnceCell<()> = OnceCell::const_new();
    let make = async || {
        let hook = [("hook.py", include_str!("codedeploy/hook.py"))];
        world.put("codedeploy/hook.zip", package(&hook)).await;
        let status = world.create("codedeploy-hooks", FUNCTIONS).await;
        assert_eq!(status, "CREATE_COMPLETE");
    };
    MADE.get_or_init(make).await;
}

/// A function with the versions 1 and 2 and an alias on the first, and a group with these settings.
struct Service<'a> {
    world: &'a World,
    name: &'a str,
    lambda: aws_sdk_lambda::Client,
}

impl<'a> Service<'a> {
    async fn new(world: &'a World, name: &'a str, group: Value) -> Self {
        hooks(world).await;
        let lambda = aws_sdk_lambda::Client::new(&world.config);
        let service = Self {
            world,
            name,
            lambda,
        };
        service.make_function().await;
        let alias = service.lambda.create_alias().function_name(name);
        let alias = alias.name("live").function_version("1");
        alias.description("made by hand").send().await.unwrap();
        let application = json!({ "applicationName": name, "computePlatform": "Lambda" });
        let made = ask(world, "CreateApplication", application).await;
        assert!(made["applicationId"].is_string(), "{made}");
        let mut asked = json!({
            "applicationName": name,
            "deploymentGroupName": "group",
            "serviceRoleArn": "arn:aws:iam::000000000000:role/codedeploy",
            "deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
        });
        for (key, value) in group.as_object().unwrap() {
            asked[key] = value.clone();
        }
        let made = ask(world, "CreateDeploymentGroup", asked).await;
        assert!(made["deploymentGroupId"].is_string(), "{made}");
        service
    }

    async fn make_function(&self) {
        let code = "def handler(event, context):\n    return context.function_version\n";
        let zip = package(&[("app.py", code)]);
        let create = self.lambda.create_function().function_name(self.name);
        let create = create.handler("app.handler");
        let create = create.runtime(aws_sdk_lambda::types::Runtime::Python313);
        let create = create.role(self.world.output("codedeploy-hooks", "Role").await);
        let code = aws_sdk_lambda::types::FunctionCode::builder().zip_file(zip.into());
        let create = create.code(code.build()).publish(true);
        create.send().await.unwrap();
        let code = "def handler(event, context):\n    return 'two'\n";
        let zip = package(&[("app.py", code)]);
        let update = self.lambda.update_function_code().function_name(self.name);
        let update = update.zip_file(zip.into()).publish(true);
        assert_eq!(update.send().await.unwrap().version(), Some("2"));
    }

    /// Begins a deployment from version 1 to 2.
    async fn begin(&self, hooks: Value) -> Value {
        self.begin_with(hooks, json!({})).await
    }

    /// The same, with settings of its own.
    async fn begin_with(&self, hooks: Value, settings: Value) -> Value {
        let content = json!({
            "version": 0.0,
            "Resources": [{ "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Name": self.name, "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2",
                },
            } }],
            "Hooks": hooks,
        });
        let revision = json!({
            "revisionType": "AppSpecContent",
            "appSpecContent": { "content": content.to_string() },
        });
        let mut asked = json!({
            "applicationName": self.name, "deploymentGroupName": "group", "revision": revision,
        });
        for (key, value) in settings.as_object().unwrap() {
            asked[key] = value.clone();
        }
        ask(self.world, "CreateDeployment", asked).await
    }

    async fn deploy(&self, hooks: Value) -> String {
        let begun = self.begin(hooks).await;
        let id = begun["deploymentId"].as_str();
        id.unwrap_or_else(|| panic!("{begun}")).to_owned()
    }

    async fn hook(&self, name: &str) -> String {
        self.world.output("codedeploy-hooks", name).await
    }

    async fn info(&self, id: &str) -> Value {
        let mut answer = ask(self.world, "GetDeployment", json!({ "deploymentId": id })).await;
        answer["deploymentInfo"].take()
    }

    async fn end(&self, id: &str, within: Duration) -> Value {
        let deadline = Instant::now() + within;
        loop {
            let info = self.info(id).await;
            if ["Succeeded", "Failed", "Stopped"]
                .iter()
                .any(|end| info["status"] == *end)
            {
                return info;
            }
            assert!(Instant::now() < deadline, "{info}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The names of the events and their statuses.
    async fn events(&self, id: &str) -> Vec<String> {
        let targets = ask(
            self.world,
            "ListDeploymentTargets",
            json!({ "deploymentId": id }),
        )
        .await;
        let asked = json!({ "deploymentId": id, "targetId": targets["targetIds"][0] });
        let target = ask(self.world, "GetDeploymentTarget", asked).await;
        let events = target.pointer("/deploymentTarget/lambdaTarget/lifecycleEvents");
        let events = events
            .unwrap_or_else(|| panic!("{target}"))
            .as_array()
            .unwrap();
        let text = |event: &Value| {
            let (name, status) = (&event["lifecycleEventName"], &event["status"]);
            format!("{} {}", name.as_str().unwrap(), status.as_str().unwrap())
        };
        events.iter().map(text).collect()
    }

    /// The version and the weights of the alias.
    async fn alias(&self) -> String {
        let get = self
            .lambda
            .get_alias()
            .function_name(self.name)
            .name("live");
        let alias = get.send().await.unwrap();
        // It belongs to whoever made it.
        assert_eq!(alias.description(), Some("made by hand"));
        let weights = alias
            .routing_config()
            .and_then(|routing| routing.additional_version_weights());
        let weights = weights.into_iter().flatten();
        let weights: Vec<String> = weights
            .map(|(version, weight)| format!(" {version}={weight}"))
            .collect();
        format!("{}{}", alias.function_version().unwrap(), weights.concat())
    }

    async fn is_on(&self, expected: &str) {
        let deadline = Instant::now() + WITHIN;
        loop {
            let alias = self.alias().await;
            if alias == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the alias is on {alias}, not {expected}"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn taken_back() -> Value {
    json!({ "autoRollbackConfiguration": {
        "enabled": true,
        "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
    } })
}

fn with_alarms(group: Value, names: &[&str]) -> Value {
    let mut group = group;
    let alarms: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    group["alarmConfiguration"] = json!({ "enabled": true, "alarms": alarms });
    group
}

async fn put_alarm(world: &World, name: &str, function: &str) {
    let cloud_watch = aws_sdk_cloudwatch::Client::new(&world.config);
    let put = cloud_watch.put_metric_alarm().alarm_name(name);
    let dimension = aws_sdk_cloudwatch::types::Dimension::builder();
    let put = put.dimensions(dimension.name("FunctionName").value(function).build());
    let put = put
        .namespace("AWS/Lambda")
        .metric_name("Errors")
        .period(60)
        .evaluation_periods(1);
    let put = put
        .statistic(aws_sdk_cloudwatch::types::Statistic::Sum)
        .threshold(1.0);
    let put = put.comparison_operator(
        aws_sdk_cloudwatch::types::ComparisonOperator::GreaterThanOrEqualToThreshold,
    );
    put.send().await.unwrap();
}

async fn ring(world: &World, name: &str) {
    let cloud_watch = aws_sdk_cloudwatch::Client::new(&world.config);
    let set = cloud_watch
        .set_alarm_state()
        .alarm_name(name)
        .state_reason("a test");
    set.state_value(aws_sdk_cloudwatch::types::StateValue::Alarm)
        .send()
        .await
        .unwrap();
}

#[test]
fn a_canary_has_a_tenth_for_its_minutes_and_then_all() {
    run(async |world| {
        let service = Service::new(world, "cd-canary", taken_back()).await;
        let passes = service.hook("Passes").await;
        let begun = Instant::now();
        let id = service
            .deploy(json!([{ "BeforeAllowTraffic": passes }, { "AfterAllowTraffic": passes }]))
            .await;
        let again = service.begin(json!([])).await;
        let refused =
            format!("The Deployment Group 'group' already has an active Deployment '{id}'");
        assert_eq!(again["message"], refused.as_str(), "{again}");
        service.is_on("1 2=0.1").await;
        assert_eq!(
            service.events(&id).await,
            [
                "BeforeAllowTraffic Succeeded",
                "AllowTraffic InProgress",
                "AfterAllowTraffic Pending"
            ]
        );
        let info = service.end(&id, WITHIN).await;
        assert_eq!(info["status"], "Succeeded", "{info}");
        assert!(begun.elapsed() >= CANARY, "{:?}", begun.elapsed());
        assert_eq!(service.alias().await, "2");
        assert_eq!(
            service.events(&id).await,
            [
                "BeforeAllowTraffic Succeeded",
                "AllowTraffic Succeeded",
                "AfterAllowTraffic Succeeded"
            ]
        );
        let again = service.deploy(json!([])).await;
        let info = service.end(&again, WITHIN).await;
        let message = info["errorInformation"]["message"].as_str().unwrap();
        assert!(
            message.ends_with("does not match the current version in AppSpec file."),
            "{message}"
        );
        let listed = ask(
            world,
            "ListDeployments",
            json!({
                "applicationName": "cd-canary", "deploymentGroupName": "group", "includeOnlyStatuses": ["Succeeded"],
            }),
        );
        // That of the one which failed is a rollback without anything to do.
        let listed = listed.await;
        assert!(
            listed["deployments"]
                .as_array()
                .unwrap()
                .contains(&json!(id)),
            "{listed}"
        );
        assert_eq!(service.alias().await, "2");
    });
}

#[test]
fn an_alarm_that_rings_takes_the_version_back() {
    run(async |world| {
        let name = "cd-alarm";
        let service = Service::new(
            world,
            name,
            with_alarms(taken_back(), &["cd-rings", "cd-quiet"]),
        )
        .await;
        put_alarm(world, "cd-rings", name).await;
        put_alarm(world, "cd-quiet", name).await;
        let id = service.deploy(json!([])).await;
        service.is_on("1 2=0.1").await;
        ring(world, "cd-rings").await;
        let info = service.end(&id, WITHIN).await;
        assert_eq!(info["status"], "Stopped");
        assert_eq!(
            info["errorInformation"],
            json!({
                "code": "ALARM_ACTIVE",
                "message": "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, \
                            and the affected deployments have been stopped. Activated alarms: <cd-rings>",
            })
        );
        let rollback = info["rollbackInfo"]["rollbackDeploymentId"]
            .as_str()
            .unwrap();
        let other = service.end(rollback, WITHIN).await;
        assert_eq!(
            (other["status"].as_str(), other["creator"].as_str()),
            (Some("Succeeded"), Some("codeDeployRollback"))
        );
        assert_eq!(
            other["rollbackInfo"]["rollbackTriggeringDeploymentId"],
            id.as_str()
        );
        assert_eq!(service.alias().await, "1");
        assert_eq!(
            service.events(&id).await,
            [
                "BeforeAllowTraffic Succeeded",
                "AllowTraffic Failed",
                "AfterAllowTraffic Skipped"
            ]
        );

        // While it rings, nothing begins, unless the deployment says that it does not count.
        ring(world, "cd-rings").await;
        let id = service.deploy(json!([])).await;
        let info = service.end(&id, WITHIN).await;
        assert_eq!(info["errorInformation"]["code"], "ALARM_ACTIVE", "{info}");
        assert_eq!(service.alias().await, "1");
        let settings = json!({
            "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
            "overrideAlarmConfiguration": { "enabled": false },
        });
        let begun = service.begin_with(json!([]), settings).await;
        let info = service
            .end(begun["deploymentId"].as_str().unwrap(), WITHIN)
            .await;
        assert_eq!(info["status"], "Succeeded", "{info}");
        assert_eq!(service.alias().await, "2");
    });
}

#[test]
fn without_an_automatic_rollback_a_part_of_the_traffic_stays() {
    run(async |world| {
        let service = Service::new(world, "cd-left", json!({})).await;
        let id = service.deploy(json!([])).await;
        service.is_on("1 2=0.1").await;
        ask(world, "StopDeployment", json!({ "deploymentId": id })).await;
        let info = service.end(&id, WITHIN).await;
        assert_eq!(info["errorInformation"]["code"], "MANUAL_STOP", "{info}");
        assert_eq!(info["rollbackInfo"], Value::Null);
        assert_eq!(service.alias().await, "1 2=0.1");
        let stopped = ask(world, "StopDeployment", json!({ "deploymentId": id })).await;
        assert_eq!(
            stopped["__type"], "DeploymentAlreadyCompletedException",
            "{stopped}"
        );
    });
}

#[test]
fn a_request_stops_a_deployment_and_takes_it_back() {
    run(async |world| {
        let service = Service::new(world, "cd-stopped", json!({})).await;
        let id = service.deploy(json!([])).await;
        service.is_on("1 2=0.1").await;
        let stop = json!({ "deploymentId": id, "autoRollbackEnabled": true });
        assert_eq!(
            ask(world, "StopDeployment", stop).await["status"],
            "Pending"
        );
        let info = service.end(&id, WITHIN).await;
        assert_eq!(info["status"], "Stopped");
        let rollback = info["rollbackInfo"]["rollbackDeploymentId"]
            .as_str()
            .unwrap();
        assert_eq!(service.end(rollback, WITHIN).await["status"], "Succeeded");
        assert_eq!(service.alias().await, "1");
    });
}

#[test]
fn a_hook_that_fails_before_traffic_leaves_the_alias_alone() {
    run(async |world| {
        let service = Service::new(world, "cd-before", taken_back()).await;
        let fails = service.hook("Fails").await;
        let id = service
            .deploy(json!([{ "BeforeAllowTraffic": fails }]))
            .await;
        let info = service.end(&id, WITHIN).await;
        assert_eq!(info["status"], "Failed");
        assert_eq!(
            info["errorInformation"]["code"], "HOOK_EXECUTION_FAILURE",
            "{info}"
        );
        assert_eq!(service.alias().await, "1");
        assert_eq!(
            service.events(&id).await,
            [
                "BeforeAllowTraffic Failed",
                "AllowTraffic Skipped",
                "AfterAllowTraffic Skipped"
            ]
        );
    });
}

#[test]
fn a_hook_that_reports_nothing_has_failed_after_an_hour() {
    run(async |world| {
        let service = Service::new(world, "cd-silent", taken_back()).await;
        let silent = service.hook("Silent").await;
        let begun = Instant::now();
        let id = service
            .deploy(json!([{ "BeforeAllowTraffic": silent }]))
            .await;
        let info = service.end(&id, HOUR + WITHIN).await;
        assert!(begun.elapsed() >= HOUR, "{:?}", begun.elapsed());
        assert_eq!(info["errorInformation"]["code"], "TIMEOUT", "{info}");
        assert_eq!(service.alias().await, "1");
    });
}

#[test]
fn alarms_whose_state_is_not_known_stop_a_deployment_unless_they_are_to_be_ignored() {
    run(async |world| {
        let group = with_alarms(taken_back(), &["cd-nobody"]);
        let service = Service::new(world, "cd-unknown", group).await;
        let id = service.deploy(json!([])).await;
        let info = service.end(&id, WITHIN).await;
        assert_eq!(info["status"], "Stopped", "{info}");
        let message = info["errorInformation"]["message"].as_str().unwrap();
        assert!(
            message.ends_with("the alarm `cd-nobody` does not exist"),
            "{message}"
        );

        let asked = json!({
            "applicationName": "cd-unknown",
            "currentDeploymentGroupName": "group",
            "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
            "alarmConfiguration": {
                "enabled": true, "ignorePollAlarmFailure": true, "alarms": [{ "name": "cd-nobody" }],
            },
        });
        assert_eq!(ask(world, "UpdateDeploymentGroup", asked).await, json!({}));
        let id = service.deploy(json!([])).await;
        assert_eq!(service.end(&id, WITHIN).await["status"], "Succeeded");
        assert_eq!(service.alias().await, "2");
    });
}

/// Requests that are refused, with AWS's names of the errors.
#[test]
fn what_is_not_there_or_not_for_functions_is_refused_by_name() {
    run(async |world| {
        let group = json!({
            "applicationName": "cd-nobody", "deploymentGroupName": "g", "serviceRoleArn": "r",
            "ec2TagFilters": [],
        });
        let canary = json!({
            "type": "TimeBasedCanary", "timeBasedCanary": { "canaryPercentage": 10, "canaryInterval": 0 },
        });
        let config = json!({
            "deploymentConfigName": "c", "computePlatform": "Lambda", "trafficRoutingConfig": canary,
        });
        let cases = [
            (
                "CreateApplication",
                json!({ "applicationName": "s" }),
                "InvalidComputePlatformException",
            ),
            (
                "GetApplication",
                json!({ "applicationName": "cd-nobody" }),
                "ApplicationDoesNotExistException",
            ),
            ("CreateDeploymentGroup", group, "InvalidInputException"),
            (
                "CreateDeploymentConfig",
                config,
                "InvalidTrafficRoutingConfigurationException",
            ),
            (
                "GetDeploymentConfig",
                json!({ "deploymentConfigName": "c" }),
                "DeploymentConfigDoesNotExistException",
            ),
            (
                "DeleteDeploymentConfig",
                json!({ "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce" }),
                "InvalidOperationException",
            ),
            (
                "GetDeployment",
                json!({ "deploymentId": "d-NOBODY000" }),
                "DeploymentDoesNotExistException",
            ),
            ("ContinueDeployment", json!({}), "UnknownOperationException"),
        ];
        for (operation, input, code) in cases {
            let answer = ask(world, operation, input).await;
            assert_eq!(answer["__type"], code, "{operation}: {answer}");
        }
    });
}
