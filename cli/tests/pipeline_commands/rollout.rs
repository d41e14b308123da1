//! Rollouts and rollbacks: what a person does when a release is bad.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::Client;
use delivery_alias::FunctionAlias;
use delivery_rollout::{Change, Description, End, Marker, Phase, Share};
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::world::World as Aws;
use serde_json::{Value, json};

use crate::text;
use crate::world::{Ended, PIPELINE, World};

/// A pipeline that delivers the function `greeter`, and others where there are more, with three versions each.
struct Shop {
    world: World,
    aws: Aws,
}

impl Shop {
    async fn start() -> Self {
        let shop = Self::with(&["greeter"]).await;
        shop.world.deploy_a_function(PIPELINE).await;
        shop
    }

    /// A shop of several functions, each with an action of its own.
    async fn of_several(functions: &[&str]) -> Self {
        let shop = Self::with(functions).await;
        let actions: Vec<String> = functions
            .iter()
            .map(|name| format!("deploy-app-{name}"))
            .collect();
        let actions = actions.iter().map(String::as_str);
        let actions: Vec<_> = actions.zip(functions.iter().copied()).collect();
        shop.world.deploy_functions(PIPELINE, &actions).await;
        shop
    }

    async fn with(functions: &[&str]) -> Self {
        let aws = Aws::start().await;
        let lambda = Client::new(&aws.test_config());
        for name in functions {
            aws.lambda().add_function(name, b"one", &["prod"]);
            for code in [b"two", b"tri"] {
                aws.lambda().change_code(name, code);
                let publish = lambda.publish_version().function_name(*name);
                publish.send().await.unwrap();
            }
        }
        let mut world = World::start().await;
        for name in ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_CLOUDWATCH"] {
            world.endpoints.push((name, aws.url()));
        }
        let _of_the_creation = world.job_of("package").await;
        world.run(&["stop", "--abandon"]).await;
        Self { world, aws }
    }

    /// Delivers a version of each function, and returns the commit.
    async fn deliver_each(&mut self, functions: &[&str], version: &str) -> String {
        for function in functions {
            self.set_alias_of(function, version);
        }
        self.world.start_to_deploy(version).await;
        self.world.bring_each(functions.len(), version).await;
        self.world.commit.clone()
    }

    /// From now on somebody else gives a function's alias this version, once, just before the program changes it.
    async fn be_overtaken(&mut self, function: &'static str, version: &'static str) -> Proxy {
        let aws = self.aws.clone();
        let overtake: Hook = Arc::new(move || {
            aws.lambda().change_alias(function, "prod", version, &[]);
            Box::pin(std::future::ready(()))
        });
        let rule = Rule {
            resource: Some(format!("{function}/prod")),
            ..Rule::once("lambda:UpdateAlias", Fault::Before(overtake))
        };
        self.through(rule).await
    }

    /// From now on Lambda refuses to change a function's alias.
    async fn refuse(&mut self, function: &str) -> Proxy {
        let rule = Rule {
            resource: Some(format!("{function}/prod")),
            ..Rule::always("lambda:UpdateAlias", Fault::Status(403))
        };
        self.through(rule).await
    }

    async fn through(&mut self, rule: Rule) -> Proxy {
        let proxy = Proxy::start(&self.aws.url(), [rule]).await;
        self.world.endpoints[0].1 = proxy.url();
        proxy
    }

    fn alias(&self) -> FunctionAlias {
        self.alias_of("greeter")
    }

    fn alias_of(&self, function: &str) -> FunctionAlias {
        FunctionAlias::new(&Client::new(&self.aws.test_config()), function, "prod")
    }

    /// Puts the alias into a rollout of version 3 over 2, of this execution.
    async fn roll_out(&self, execution: &str) {
        self.roll_out_of("greeter", execution).await;
    }

    async fn roll_out_of(&self, function: &str, execution: &str) {
        roll_out(&self.alias_of(function), execution).await;
    }

    /// The version with all traffic, and what the alias says.
    async fn served(&self) -> (String, Description) {
        let found = self.alias().read().await.unwrap().unwrap();
        assert!(found.alias.weights.is_empty(), "{found:?}");
        (found.alias.version, found.alias.description)
    }

    fn set_alias(&self, version: &str) {
        self.set_alias_of("greeter", version);
    }

    fn set_alias_of(&self, function: &str, version: &str) {
        let mut lambda = self.aws.lambda();
        lambda.change_alias(function, "prod", version, &[]);
    }

    /// The versions with all traffic.
    fn versions_of(&self, functions: &[&str]) -> Vec<String> {
        let mut lambda = self.aws.lambda();
        let aliases = functions.iter().map(|name| {
            let alias = &lambda.function(name).aliases["prod"];
            assert!(alias.weights().is_empty(), "{alias:?}");
            alias.version().to_owned()
        });
        aliases.collect()
    }
}

/// Puts an alias into a rollout of version 3 over 2, of this execution.
pub(crate) async fn roll_out(alias: &FunctionAlias, execution: &str) {
    let found = alias.read().await.unwrap().unwrap();
    let now = delivery_action::clock::timestamp();
    let change = Change {
        version: "2".to_owned(),
        share: Share::from_permille(100).map(|share| ("3".to_owned(), share)),
        description: Description {
            marker: Some(Marker {
                id: "7f3a91c2e0".to_owned(),
                execution: Some(execution[..8].to_owned()),
                new: "3".to_owned(),
                stable: "2".to_owned(),
                phase: Phase::Step {
                    index: 0,
                    count: 1,
                    since: now,
                    watched_until: now + Duration::from_mins(30),
                },
            }),
            revision: None,
            before: Some("1".to_owned()),
        },
    };
    alias.change(&found, &change).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a story")]
async fn a_rollout_is_shown_and_ended_by_a_person() {
    let mut shop = Shop::start().await;
    shop.set_alias("2");
    let _execution = shop.world.deliver("2").await;
    let nothing = shop
        .world
        .json(&["rollout", "abort", "prod", "--yes"])
        .await;
    assert_eq!(nothing.code, 5, "{}", nothing.printed);
    assert_eq!(nothing.documents[0]["error"]["type"], "no-rollout");

    let started = shop.world.json(&["start"]).await;
    let execution = text(&started.documents[0]["execution"]).to_owned();
    let job = shop.world.job_of("package").await;
    shop.world.succeed(&job).await;
    let _rolls_out = shop.world.job_of("deploy-app").await;
    shop.roll_out(&execution).await;
    {
        let mut watch = shop.aws.cloud_watch();
        watch.count_requests("greeter:prod", "3", 9, 3);
        watch.count_requests("greeter:prod", "2", 80, 0);
        let day = Duration::from_hours(24);
        watch.set_alarm("errors", "OK", day, Duration::from_mins(1));
    }

    let shown = shop.world.json(&["rollout", "show", "prod"]).await;
    assert_eq!(shown.code, 0, "{}", shown.printed);
    let rollout = &shown.documents[0]["rollout"];
    assert_eq!(
        (&rollout["step"], &rollout["steps"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(rollout["plannedSeconds"], 300);
    assert_eq!(
        rollout["new"],
        json!({"version": "3", "percent": 10.0, "requests": 9, "errors": 3})
    );
    assert_eq!(
        rollout["old"],
        json!({"version": "2", "percent": 90.0, "requests": 80, "errors": 0})
    );
    assert_eq!(
        rollout["alarms"],
        json!([{"name": "errors", "state": "OK", "reason": null}])
    );
    assert_eq!(rollout["unread"], json!([]));
    let people = shop.world.run(&["rollout", "show", "prod"]).await;
    assert!(
        people.data.contains("9 requests  3 failed (33.3 %)"),
        "{}",
        people.data
    );

    // Nobody is asked in a pipe, and nothing is changed then.
    let unasked = shop.world.run(&["rollout", "abort", "prod"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    // The job is alive, or dead, or its pipeline cannot be asked: it is one call of Lambda.
    let aborted = [
        "rollout",
        "abort",
        "prod",
        "--function",
        "greeter",
        "--yes",
        "-m",
        "slow",
    ];
    let aborted = shop
        .world
        .json(&[&aborted[..], &["--stack-name", "absent"]].concat())
        .await;
    assert_eq!(aborted.code, 0, "{}", aborted.printed);
    assert_eq!(aborted.documents[0]["version"], "2");
    let (version, description) = shop.served().await;
    assert_eq!(version, "2");
    let ended = description.marker.unwrap().phase;
    let (by, why) = ("ann".to_owned(), "slow".to_owned());
    assert_eq!(ended, Phase::Ended(End::Aborted { by, why }));
    let shown = shop.world.json(&["rollout", "show", "prod"]).await;
    assert_eq!(shown.documents[0]["rollout"], Value::Null);
    assert_eq!(
        shown.documents[0]["ended"],
        "version 3: aborted by ann: slow"
    );
    let followed = shop
        .world
        .run(&["rollout", "show", "prod", "--follow"])
        .await;
    assert_eq!(followed.code, 3, "{}", followed.printed);

    shop.roll_out(&execution).await;
    let finished = shop
        .world
        .json(&["rollout", "finish", "prod", "--yes"])
        .await;
    assert_eq!(finished.code, 0, "{}", finished.printed);
    assert_eq!(shop.served().await.0, "3");
    let good = shop.alias().good().read().await.unwrap().unwrap();
    assert_eq!(good.alias.version, "3");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a story")]
async fn an_environment_goes_back_and_is_held_until_it_is_resumed() {
    let mut shop = Shop::start().await;
    shop.set_alias("1");
    shop.world.deliver("1").await;
    let first = shop.world.commit.clone();
    shop.set_alias("2");
    shop.world.deliver("2").await;

    let nowhere = shop.world.json(&["rollback", "prd", "--yes"]).await;
    assert_eq!(nowhere.code, 5, "{}", nowhere.printed);
    let error = &nowhere.documents[0]["error"];
    assert!(
        text(&error["message"]).contains("delivers to prod"),
        "{error}"
    );
    assert!(
        text(&error["message"]).contains("did you mean `prod`?"),
        "{error}"
    );
    let never = shop.world.json(&["rollback", "prod", "3", "--yes"]).await;
    assert_eq!(never.code, 5, "{}", never.printed);
    assert_eq!(shop.served().await.0, "2");

    let rollback = ["rollback", "prod", "--yes", "-m", "no/orders"];
    let following = shop
        .world
        .spawn(&[&rollback[..], &["--wait", "--json"]].concat());
    // The stage runs again with what the first execution had, and the function went back before.
    let job = shop.world.job_of("deploy-app").await;
    assert_eq!(shop.served().await.0, "1");
    let parameters = job.user_parameters();
    assert!(parameters.contains(&first), "{parameters}");
    shop.world.bring(&job, "1").await;
    let back = Ended::of(following).await;
    assert_eq!(back.code, 0, "{}", back.printed);
    let document = &back.documents[0];
    assert_eq!(
        document["functions"],
        json!([{"alias": "greeter:prod", "version": "1", "from": "2"}])
    );
    assert_eq!(document["held"], "Production");
    let result = back.documents.last().unwrap();
    assert_eq!(
        (&result["type"], &result["exitCode"]),
        (&json!("result"), &json!(0))
    );

    // What comes after it waits, and everybody sees why.
    shop.world.run(&["start"]).await;
    let job = shop.world.job_of("package").await;
    shop.world.succeed(&job).await;
    shop.world.until_stage("Commit", "Succeeded").await;
    let status = shop.world.json(&["status"]).await;
    let production = &status.documents[0]["pipeline"]["stages"][2];
    let reason = text(&production["closed"]["reason"]).to_owned();
    assert_eq!(
        reason,
        "rolled back by ann (delivery resume prod opens it) no orders"
    );
    let next = status.documents[0]["next"].as_array().unwrap();
    assert!(next.contains(&json!("delivery resume prod")), "{next:?}");

    // Nothing was there before version 1, and a rollback of it says so.
    let further = shop.world.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(further.code, 5, "{}", further.printed);
    // By force a version goes back that was never delivered here.
    let forced = shop
        .world
        .json(&["rollback", "prod", "3", "--force", "--yes"])
        .await;
    assert_eq!(forced.code, 0, "{}", forced.printed);
    assert_eq!(shop.served().await.0, "3");
    // It came without a reason: the one that is known stays.
    let status = shop.world.json(&["status"]).await;
    let production = &status.documents[0]["pipeline"]["stages"][2];
    assert_eq!(text(&production["closed"]["reason"]), reason);

    // What waits may be what was rolled back.
    let unasked = shop.world.json(&["resume", "prod"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    let resumed = shop.world.json(&["resume", "prod", "--yes"]).await;
    assert_eq!(resumed.code, 0, "{}", resumed.printed);
    assert_eq!(resumed.documents[0]["wasOpen"], false);
    let _goes_on = shop.world.job_of("deploy-app").await;
    let again = shop.world.json(&["resume", "prod"]).await;
    assert_eq!(again.documents[0]["wasOpen"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_during_a_rollout_aborts_it() {
    let mut shop = Shop::start().await;
    shop.set_alias("2");
    let execution = shop.world.deliver("2").await;
    shop.roll_out(&execution).await;
    let back = shop.world.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(back.code, 0, "{}", back.printed);
    assert_eq!(
        back.documents[0]["functions"],
        json!([{"alias": "greeter:prod", "version": "2", "from": "3"}])
    );
    assert_eq!(back.documents[0]["execution"], Value::Null);
    assert_eq!(shop.served().await.0, "2");
}

/// The arguments of the command that an error's help begins with.
fn named_command(message: &str) -> Vec<String> {
    let (_, help) = message.split_once("help: ").unwrap();
    let command = help.split('`').nth(1).unwrap();
    let arguments = command.strip_prefix("delivery ").unwrap().split(' ');
    arguments.chain(["--yes"]).map(str::to_owned).collect()
}

/// Three functions of one environment: somebody changes the second before it goes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_says_which_functions_are_back_and_how_to_finish_it() {
    let functions = ["greeter", "orders", "stock"];
    let mut shop = Shop::of_several(&functions).await;
    let first = shop.deliver_each(&functions, "1").await;
    shop.deliver_each(&functions, "2").await;
    let _proxy = shop.be_overtaken("orders", "2").await;
    let partly = shop.world.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(partly.code, 1, "{}", partly.printed);
    let error = &partly.documents[0]["error"];
    assert_eq!(error["type"], "partly-rolled-back");
    insta::assert_snapshot!(
        text(&error["message"]).replace(&first[..8], "COMMIT"),
        @"
    2 of 3 functions of `prod` went back:
      `greeter:prod` is back: version 1 has all traffic, version 2 none
      `stock:prod` is back: version 1 has all traffic, version 2 none
      `orders:prod` is not back: somebody else has changed `orders:prod` since it was read, so it was left as it is
      help: to bring back the rest: `delivery rollback prod COMMIT`; API stages, sites and stacks have not gone back yet, and the command brings them back, too; the pipeline is held until `delivery resume prod`
    ",
    );
    assert_eq!(shop.versions_of(&functions), ["1", "2", "1"]);

    // What it says next finishes it: the rest goes back, what is back stays, and the stage runs again.
    let command = named_command(text(&error["message"]));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let finished = shop.world.json(&command).await;
    assert_eq!(finished.code, 0, "{}", finished.printed);
    assert_eq!(
        finished.documents[0]["functions"],
        json!([{"alias": "orders:prod", "version": "1", "from": "2"}])
    );
    assert_eq!(shop.versions_of(&functions), ["1", "1", "1"]);
    assert_ne!(finished.documents[0]["execution"], Value::Null);
    shop.world.bring_each(functions.len(), "1").await;
}

/// The same while rollouts are under way: the rest is aborted by name, since another rollback would go back further.
#[tokio::test(flavor = "multi_thread")]
async fn an_abort_of_several_rollouts_names_the_ones_that_are_left() {
    let functions = ["greeter", "orders"];
    let mut shop = Shop::of_several(&functions).await;
    shop.deliver_each(&functions, "1").await;
    shop.deliver_each(&functions, "2").await;
    let execution = shop.world.start_to_deploy("3").await;
    for function in functions {
        shop.roll_out_of(function, &execution).await;
    }
    let proxy = shop.refuse("orders").await;
    let partly = shop.world.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(partly.code, 1, "{}", partly.printed);
    let error = &partly.documents[0]["error"];
    insta::assert_snapshot!(
        text(&error["message"]),
        @"
    1 of 2 functions of `prod` went back:
      `greeter:prod` is back: version 2 has all traffic, version 3 none
      `orders:prod` is not back: `lambda:UpdateAlias` on `orders:prod` failed: AccessDeniedException: injected by a test (request id proxy-request)
      help: to bring back the rest: `delivery rollout abort prod --service orders`; the pipeline is held until `delivery resume prod`
    ",
    );
    drop(proxy);
    let command = named_command(text(&error["message"]));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    shop.world.endpoints[0].1 = shop.aws.url();
    let aborted = shop.world.json(&command).await;
    assert_eq!(aborted.code, 0, "{}", aborted.printed);
    assert_eq!(shop.versions_of(&functions), ["2", "2"]);
}

/// Nobody reports for an execution that was stopped and abandoned, and its rollout is still there.
#[tokio::test(flavor = "multi_thread")]
async fn the_rollout_of_an_abandoned_execution_is_aborted() {
    let mut shop = Shop::start().await;
    shop.set_alias("2");
    shop.world.deliver("2").await;
    let execution = shop.world.start_to_deploy("3").await;
    let job = shop.world.job_of("deploy-app").await;
    shop.roll_out(&execution).await;
    let stopped = shop.world.json(&["stop", "--abandon"]).await;
    assert_eq!(stopped.code, 0, "{}", stopped.printed);
    shop.world.until_stage("Production", "Stopped").await;

    let shown = shop.world.json(&["rollout", "show", "prod"]).await;
    let rollout = &shown.documents[0]["rollout"];
    assert_eq!(rollout["execution"], execution[..8]);
    assert_eq!(rollout["action"], Value::Null, "no action is at work");
    let arguments = ["rollout", "abort", "prod", "--yes", "-m", "stuck"];
    let aborted = shop.world.json(&arguments).await;
    assert_eq!(aborted.code, 0, "{}", aborted.printed);
    let (version, description) = shop.served().await;
    assert_eq!(version, "2");
    let (by, why) = ("ann".to_owned(), "stuck".to_owned());
    let ended = description.marker.unwrap().phase;
    assert_eq!(ended, Phase::Ended(End::Aborted { by, why }));
    assert!(!shop.world.still_takes(&job).await, "the job is over");
    let again = shop.world.json(&arguments).await;
    assert_eq!(again.code, 5, "{}", again.printed);
    assert_eq!(again.documents[0]["error"]["type"], "no-rollout");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_goes_back_from_an_abandoned_execution() {
    let mut shop = Shop::start().await;
    for version in ["1", "2"] {
        shop.set_alias(version);
        shop.world.deliver(version).await;
    }
    let second = shop.world.commit.clone();
    let execution = shop.world.start_to_deploy("3").await;
    let job = shop.world.job_of("deploy-app").await;
    shop.roll_out(&execution).await;
    shop.world.json(&["stop", "--abandon"]).await;
    shop.world.until_stage("Production", "Stopped").await;

    // In the middle of the rollout: it is aborted, and nothing else of the release was there.
    let back = shop.world.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(back.code, 0, "{}", back.printed);
    let functions = json!([{"alias": "greeter:prod", "version": "2", "from": "3"}]);
    assert_eq!(back.documents[0]["functions"], functions);
    assert_eq!(back.documents[0]["execution"], Value::Null);
    assert_eq!(shop.served().await.0, "2");
    assert!(!shop.world.still_takes(&job).await, "the job is over");
    let resumed = shop.world.json(&["resume", "prod"]).await;
    assert_eq!(resumed.documents[0]["wasOpen"], false);

    // After the rollout: the version has all traffic, and no execution ever succeeded with it.
    shop.set_alias("3");
    let back = shop.world.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(back.code, 0, "{}", back.printed);
    assert_eq!(back.documents[0]["functions"], functions);
    assert_eq!(back.documents[0]["revision"]["id"], second);
    assert_eq!(shop.served().await.0, "2");
    let job = shop.world.job_of("deploy-app").await;
    assert!(job.user_parameters().contains(&second));
    shop.world.bring(&job, "2").await;
}

/// The stack `several` has two pipelines, which both deliver to `prod`.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_pipelines_the_one_that_is_held_is_resumed() {
    let mut shop = Shop::start().await;
    shop.world.create("shop-app").await;
    let _of_the_creation = shop.world.job_of("package").await;
    shop.world.deploy_a_function("shop-app").await;
    shop.set_alias("1");
    shop.world.deliver("1").await;
    shop.set_alias("2");
    shop.world.deliver("2").await;
    let stack = ["--stack-name", "several"];

    // Nothing is held: it has to be said which is meant.
    let resume = [&["resume", "prod"], &stack[..]].concat();
    let open = shop.world.json(&resume).await;
    assert_eq!(open.code, 2, "{}", open.printed);
    let rollback = ["rollback", "prod", "--yes", "--pipeline", "Delivery-1"];
    let back = shop.world.json(&[&rollback, &stack[..]].concat()).await;
    assert_eq!(back.code, 0, "{}", back.printed);
    assert_eq!(
        back.documents[0]["next"],
        json!([
            "delivery log --follow --pipeline Delivery-1",
            "delivery resume prod --pipeline Delivery-1"
        ])
    );
    let job = shop.world.job_of("deploy-app").await;
    shop.world.bring(&job, "1").await;

    let status = shop.world.run(&[&["status"], &stack[..]].concat()).await;
    let opens = "\n  open it: delivery resume prod --pipeline Delivery-1\n";
    assert!(status.data.contains(opens), "{}", status.data);
    let resumed = shop.world.json(&resume).await;
    assert_eq!(resumed.code, 0, "{}", resumed.printed);
    assert_eq!(resumed.documents[0]["wasOpen"], false);
    assert_eq!(
        resumed.documents[0]["next"],
        "delivery start --pipeline Delivery-1"
    );
}
