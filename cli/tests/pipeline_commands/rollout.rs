//! Rollouts and rollbacks: what a person does when a release is bad.

use std::time::Duration;

use aws_sdk_lambda::Client;
use delivery_alias::FunctionAlias;
use delivery_rollout::{Change, Description, End, Marker, Phase, Share};
use delivery_testing::world::World as Aws;
use serde_json::{Value, json};

use crate::text;
use crate::world::World;

/// A pipeline that delivers the function `greeter`, which has three versions.
struct Shop {
    world: World,
    aws: Aws,
}

impl Shop {
    async fn start() -> Self {
        let aws = Aws::start().await;
        aws.lambda().add_function("greeter", b"one", &["prod"]);
        let lambda = Client::new(&aws.test_config());
        for code in [b"two", b"tri"] {
            aws.lambda().change_code("greeter", code);
            let publish = lambda.publish_version().function_name("greeter");
            publish.send().await.unwrap();
        }
        let mut world = World::start().await;
        for name in ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_CLOUDWATCH"] {
            world.endpoints.push((name, aws.url()));
        }
        let _of_the_creation = world.job_of("package").await;
        world.run(&["stop", "--abandon"]).await;
        world.deploy_a_function().await;
        Self { world, aws }
    }

    fn alias(&self) -> FunctionAlias {
        FunctionAlias::new(&Client::new(&self.aws.test_config()), "greeter", "prod")
    }

    /// Puts the alias into a rollout of version 3 over 2, of this execution.
    async fn roll_out(&self, execution: &str) {
        let alias = self.alias();
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

    /// The version with all traffic, and what the alias says.
    async fn served(&self) -> (String, Description) {
        let found = self.alias().read().await.unwrap().unwrap();
        assert!(found.alias.weights.is_empty(), "{found:?}");
        (found.alias.version, found.alias.description)
    }

    fn set_alias(&self, version: &str) {
        let mut lambda = self.aws.lambda();
        lambda.change_alias("greeter", "prod", version, &[]);
    }
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

    let back = shop
        .world
        .json(&["rollback", "prod", "--yes", "-m", "no/orders"])
        .await;
    assert_eq!(back.code, 0, "{}", back.printed);
    let document = &back.documents[0];
    assert_eq!(
        document["functions"],
        json!([{"alias": "greeter:prod", "version": "1", "from": "2"}])
    );
    assert_eq!(document["held"], "Production");
    assert_eq!(shop.served().await.0, "1");
    // The stage runs again with what the first execution had.
    let job = shop.world.job_of("deploy-app").await;
    let parameters = job.user_parameters();
    assert!(parameters.contains(&first), "{parameters}");
    shop.world.bring(&job, "1").await;

    // What comes after it waits, and everybody sees why.
    shop.world.run(&["start"]).await;
    let job = shop.world.job_of("package").await;
    shop.world.succeed(&job).await;
    shop.world.until_stage("Commit", "Succeeded").await;
    let status = shop.world.json(&["status"]).await;
    let production = &status.documents[0]["pipeline"]["stages"][2];
    let reason = text(&production["closed"]["reason"]);
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

    let resumed = shop.world.json(&["resume", "prod"]).await;
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
