//! Rollouts: what a person does while a release gets its traffic.

mod rollback;
mod shop;

use std::time::Duration;

use delivery_rollout::{End, Phase};
use serde_json::{Value, json};

use crate::text;
use shop::Shop;
pub(crate) use shop::roll_out;

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
