//! Rollbacks: what a person does when a release is bad.

use serde_json::{Value, json};

use super::shop::Shop;
use crate::text;
use crate::world::Ended;

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
