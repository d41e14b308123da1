//! `env ls`, `keep`, `unlock`, `down` and `repair`; and what `status` says of environments.

use delivery_release::environment::{Action, Outcome, ServiceChange, ServiceResult};
use serde_json::json;

use super::message;
use super::shop::{COMMITS, SETTINGS, Shop, at};
use crate::services::Invocation;
use crate::text;
use crate::world::Ended;

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_are_listed_with_what_they_have() {
    let (mut shop, [first, second]) = Shop::with_releases().await;
    for (pipeline, stage) in [("shop-apply-prod", "Prod"), ("shop-apply-dev", "Dev")] {
        shop.create_applying(pipeline, stage).await;
    }
    let release = second.clone();
    shop.begin("prod", "shop-apply-prod/e7", Action::Deploy { release })
        .await;
    shop.deploy("dev-anna", &first).await;
    shop.environment("dev-anna")
        .keep(Some(at(90_000)))
        .await
        .unwrap();
    shop.deploy("dev-otto", &first).await;
    let lease = shop.begin("dev-otto", "undeploy", Action::Remove).await;
    shop.end("dev-otto", &lease.deployment.id, Outcome::Succeeded)
        .await;

    let listed = shop.run(&["env", "ls"]).await;
    assert_eq!(listed.code, 0, "{}", listed.printed);
    insta::assert_snapshot!(listed.data, @r"
    int       4d4209f40b0726d4 (commit 12ab34cd) since 2026-11-27T11:31:00Z by Anna
    prod      91b37542528d99a2 (commit 9f3c1d2e) since 2026-11-27T11:31:00Z by Anna
      • deploy of 4d4209f40b0726d4 by Anna (shop-apply-prod/e7) since 2026-11-27T11:30:00Z; its lease lasts until 2026-11-27T11:50:00Z
    dev-anna  91b37542528d99a2 (commit 9f3c1d2e) since 2026-11-27T11:31:00Z by Anna, until 2026-11-28T10:30:00Z
    dev-eva   no release; deployed without one: api
    1 that were removed: `--all`
    ");
    let all = shop.json(&["env", "ls", "--all"]).await;
    let names = all.documents[0]["environments"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|one| text(&one["environment"])).collect();
    assert_eq!(names, ["int", "prod", "dev-anna", "dev-otto", "dev-eva"]);

    let status = shop.run(&["status"]).await;
    assert_eq!(status.code, 0, "{}", status.printed);
    let of_environments = status
        .data
        .lines()
        .skip_while(|line| !line.starts_with("environment"));
    let of_environments: Vec<_> = of_environments
        .take_while(|line| !line.is_empty())
        .collect();
    insta::assert_snapshot!(of_environments.join("\n"), @r"
    environment dev-anna  91b37542528d99a2 (commit 9f3c1d2e) since 2026-11-27T11:31:00Z by Anna, until 2026-11-28T10:30:00Z
    environment dev-eva
      ✗ api  UPDATE_ROLLBACK_FAILED  2026-11-21T09:00:00Z  shop-dev-eva-api
    environment int  4d4209f40b0726d4 (commit 12ab34cd) since 2026-11-27T11:31:00Z by Anna
    environment prod  91b37542528d99a2 (commit 9f3c1d2e) since 2026-11-27T11:31:00Z by Anna
      • deploy of 4d4209f40b0726d4 by Anna (shop-apply-prod/e7) since 2026-11-27T11:30:00Z; its lease lasts until 2026-11-27T11:50:00Z
    ");
    let status = shop.json(&["status"]).await;
    // The executions that the creation of the pipelines started are no deployments.
    assert_eq!(status.documents[0]["applying"], json!(null));
    let environments = &status.documents[0]["environments"];
    assert_eq!(environments[2]["name"], "int");
    assert_eq!(environments[2]["release"]["release"], second.as_str());
    assert_eq!(environments[3]["release"]["deploying"]["by"], "Anna");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_from_a_deployment_that_failed_is_named() {
    let (shop, [first, second]) = Shop::with_releases().await;
    let release = second.clone();
    let lease = shop
        .begin("prod", "shop/e7", Action::Deploy { release })
        .await;
    let id = &lease.deployment.id;
    let environment = shop.environment("prod");
    for (part, result) in [
        ("api", ServiceResult::Deployed),
        ("website", ServiceResult::Unchanged),
    ] {
        let change = ServiceChange {
            result,
            summary: None,
        };
        environment
            .record_part(id, part, &change, at(7210))
            .await
            .unwrap();
    }
    let message = "1 test failed: greets".to_owned();
    shop.end("prod", id, Outcome::Failed { message }).await;

    let listed = shop.run(&["env", "ls"]).await;
    insta::assert_snapshot!(listed.data, @r"
    int      4d4209f40b0726d4 (commit 12ab34cd) since 2026-11-27T11:31:00Z by Anna
    prod     91b37542528d99a2 (commit 9f3c1d2e) since 2026-11-27T11:31:00Z by Anna
      ✗ deploy of 4d4209f40b0726d4 failed at 2026-11-27T11:31:00Z: 1 test failed: greets
      ✗ api is from that deployment: it has not been put back
    dev-eva  no release; deployed without one: api
    ");
    let listed = shop.json(&["env", "ls"]).await;
    let prod = &listed.documents[0]["environments"][1];
    assert_eq!(prod["release"], first.as_str());
    assert_eq!(prod["failed"]["leftBehind"], json!(["api"]));

    // Once it is put back, it is as it was.
    let back = Action::Rollback {
        release: Some(first),
    };
    let lease = shop.begin("prod", "shop/e8", back).await;
    shop.end("prod", &lease.deployment.id, Outcome::Succeeded)
        .await;
    let listed = shop.json(&["env", "ls"]).await;
    let prod = &listed.documents[0]["environments"][1];
    assert_eq!(prod["failed"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_family_is_kept_for_as_long_as_a_person_says() {
    let (shop, [first, _]) = Shop::with_releases().await;
    let absent = shop.json(&["env", "keep", "dev-anna", "4h"]).await;
    assert_eq!(absent.code, 5, "{}", absent.printed);
    shop.deploy("dev-anna", &first).await;
    let keep = ["env", "keep", "DEV-anna", "until", "2999-01-01T08:00:00Z"];
    let kept = shop.json(&keep).await;
    assert_eq!(kept.code, 0, "{}", kept.printed);
    let until = "2999-01-01T08:00:00Z";
    assert_eq!(kept.documents[0]["environment"], "dev-anna");
    assert_eq!(kept.documents[0]["until"], until);
    let state = shop.environment("dev-anna").state().await.unwrap();
    assert_eq!(state.until.unwrap().to_string(), until);
    let stays = shop.json(&["env", "keep", "dev-anna"]).await;
    assert_eq!(stays.documents[0]["until"], json!(null));
    let unclear = shop.json(&["env", "keep", "dev-anna", "tomorrow"]).await;
    assert_eq!(unclear.code, 2, "{}", unclear.printed);
    let never = shop.json(&["env", "keep", "prod", "4h"]).await;
    assert_eq!(never.code, 9, "{}", never.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_released_by_a_person() {
    let (shop, [_, second]) = Shop::with_releases().await;
    let free = shop.json(&["env", "unlock", "prod", "--yes"]).await;
    assert_eq!(free.code, 5, "{}", free.printed);
    let release = second.clone();
    shop.begin("prod", "shop-apply-prod/e7", Action::Deploy { release })
        .await;
    let unasked = shop.run(&["env", "unlock", "prod"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    assert!(
        unasked
            .printed
            .contains("prod is being changed by Anna (shop-apply-prod/e7)"),
        "{}",
        unasked.printed
    );
    let unlocked = shop.json(&["env", "unlock", "prod", "--yes"]).await;
    assert_eq!(unlocked.code, 0, "{}", unlocked.printed);
    assert_eq!(unlocked.documents[0]["owner"], "shop-apply-prod/e7");
    let state = shop.environment("prod").state().await.unwrap();
    assert_eq!(state.lease, None);
    let outcome = state.last.unwrap().outcome;
    assert!(
        matches!(&outcome, Outcome::Abandoned { message } if message == "ann released its lease"),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_is_removed_and_followed_until_it_is_gone() {
    let (shop, [first, _]) = Shop::with_releases().await;
    let stays = shop.json(&["env", "down", "prod", "--yes"]).await;
    assert_eq!(stays.code, 9, "{}", stays.printed);
    let absent = shop.json(&["env", "down", "dev-anna", "--yes"]).await;
    assert_eq!(absent.code, 5, "{}", absent.printed);
    shop.deploy("dev-anna", &first).await;
    let unasked = shop.run(&["env", "down", "dev-anna"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);

    let down = [
        "env",
        "down",
        "dev-anna",
        "--yes",
        "--json",
        "--stack-name",
        "released",
    ];
    let child = shop.world.spawn(&down);
    let lease = shop.begin("dev-anna", "undeploy", Action::Remove).await;
    shop.end("dev-anna", &lease.deployment.id, Outcome::Succeeded)
        .await;
    let removed = Ended::of(child).await;
    assert_eq!(removed.code, 0, "{}", removed.printed);
    assert_eq!(removed.documents[0]["gone"], true, "{}", removed.data);
    // Once more is nothing to do.
    let again = shop.json(&["env", "down", "dev-anna", "--yes"]).await;
    assert_eq!(again.code, 0, "{}", again.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_fails_is_said_and_can_be_begun_again() {
    let (mut shop, [first, _]) = Shop::with_releases().await;
    shop.deploy("dev-anna", &first).await;
    let down = [
        "env",
        "down",
        "dev-anna",
        "--yes",
        "--json",
        "--stack-name",
        "released",
    ];
    let child = shop.world.spawn(&down);
    let event = json!({"environment": "dev-anna", "deployments": 1});
    let undeploy = Invocation {
        function: "undeploy".to_owned(),
        event,
    };
    assert_eq!(shop.world.invocation().await, undeploy);
    let lease = shop.begin("dev-anna", "undeploy", Action::Remove).await;
    let message_of = "the bucket `b` cannot be emptied".to_owned();
    let failed = Outcome::Failed {
        message: message_of,
    };
    shop.end("dev-anna", &lease.deployment.id, failed).await;
    let failed = Ended::of(child).await;
    assert_eq!(failed.code, 3, "{}", failed.printed);
    let result = failed.documents.last().unwrap();
    insta::assert_snapshot!(message(result), @r"
    `dev-anna` was not removed: the bucket `b` cannot be emptied
      help: fix what the message says, then try again: `delivery env repair dev-anna`
    ");

    let repaired = shop.json(&["env", "repair", "dev-anna", "--yes"]).await;
    assert_eq!(repaired.code, 0, "{}", repaired.printed);
    assert_eq!(repaired.documents[0]["removal"], true);
    // The removal that failed counts, too.
    let again = Invocation {
        event: json!({"environment": "dev-anna", "deployments": 2}),
        ..undeploy
    };
    assert_eq!(shop.world.invocation().await, again);
    let whole = shop.json(&["env", "repair", "int"]).await;
    assert_eq!(whole.code, 0, "{}", whole.printed);
    assert_eq!(whole.documents[0]["stacks"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_whose_rollback_failed_is_repaired() {
    let (shop, _) = Shop::with_releases().await;
    let unasked = shop.run(&["env", "repair", "dev-eva"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    let says = "the stack `shop-dev-eva-api` is UPDATE_ROLLBACK_FAILED";
    assert!(unasked.printed.contains(says), "{}", unasked.printed);
    let repaired = shop.json(&["env", "repair", "DEV-eva", "--yes"]).await;
    assert_eq!(repaired.code, 0, "{}", repaired.printed);
    let document = &repaired.documents[0];
    assert_eq!(document["stacks"], json!(["shop-dev-eva-api"]));
    assert_eq!(document["removal"], false);
    let again = shop.json(&["env", "repair", "dev-eva"]).await;
    assert_eq!(again.documents[0]["stacks"], json!([]), "{}", again.data);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_called_at_night_need_not_be_in_the_application_s_folder() {
    let (mut shop, _) = Shop::with_releases().await;
    shop.create_applying("shop-apply-prod", "Prod").await;
    shop.create_applying("shop-apply-dev", "Dev").await;
    let night = SETTINGS.replace(
        "dev = {}",
        "dev = { ttl = \"4h\", timezone = \"Asia/Kathmandu\" }",
    );
    let release = shop.publish("night", COMMITS[1], &night, at(7200)).await;
    shop.deploy("dev-anna", &release).await;
    std::fs::remove_file(shop.world.folder.path().join("delivery.toml")).unwrap();
    let kept = shop
        .json(&["env", "keep", "dev-anna", "until", "20:00"])
        .await;
    assert_eq!(kept.code, 0, "{}", kept.printed);
    // Five hours and three quarters before UTC.
    let until = kept.documents[0]["until"].as_str().unwrap();
    assert!(until.ends_with("T14:15:00Z"), "{until}");
    let repaired = shop.json(&["env", "repair", "dev-eva", "--yes"]).await;
    assert_eq!(repaired.code, 0, "{}", repaired.printed);
    assert_eq!(repaired.documents[0]["stacks"], json!(["shop-dev-eva-api"]));
    let status = shop.json(&["status"]).await;
    let environments = status.documents[0]["environments"].as_array();
    let environments = environments.unwrap_or_else(|| panic!("{}", status.printed));
    let eva = environments.iter().find(|one| one["name"] == "dev-eva");
    assert!(eva.is_some(), "{}", status.data);
}
