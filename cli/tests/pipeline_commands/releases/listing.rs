//! `releases`, `releases ENV`, `releases prune` and `diff`.

use delivery_release::environment::{Action, Outcome};
use delivery_release::repository::layout;
use serde_json::json;

use super::message;
use super::shop::{COMMITS, SETTINGS, Shop, at};
use crate::text;

#[tokio::test(flavor = "multi_thread")]
async fn the_releases_are_listed_with_where_they_are() {
    let (shop, [first, second]) = Shop::with_releases().await;
    let listed = shop.run(&["releases"]).await;
    assert_eq!(listed.code, 0, "{}", listed.printed);
    insta::assert_snapshot!(listed.data, @r"
    RELEASE           COMMIT    PUBLISHED             IN    VERIFIED IN
    4d4209f40b0726d4  12ab34cd  2026-11-27T10:30:00Z  int   int
    91b37542528d99a2  9f3c1d2e  2026-11-27T09:30:00Z  prod  int
    ");

    let listed = shop.json(&["releases", "--limit", "1"]).await;
    let document = &listed.documents[0];
    assert_eq!(document["older"], 1);
    let newest = &document["releases"][0];
    assert_eq!(newest["id"], second.as_str());
    assert_eq!(newest["commit"], COMMITS[1]);
    assert_eq!(newest["environments"], json!(["int"]));
    assert_eq!(newest["verified"], json!(["int"]));
    assert_eq!(newest["rolledBack"], json!([]));

    // A manifest that somebody has changed is named, and hides nothing.
    shop.bucket.put(&layout::manifest(&first), "{}").await;
    let listed = shop.json(&["releases"]).await;
    assert_eq!(listed.code, 0, "{}", listed.printed);
    let damaged = &listed.documents[0]["releases"][1];
    assert_eq!(damaged["commit"], json!(null));
    assert!(text(&damaged["problem"]).contains("was changed after it was published"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_was_rolled_back_is_listed_so() {
    let (shop, [first, second]) = Shop::with_releases().await;
    let back = Action::Rollback {
        release: Some(first),
    };
    let lease = shop.begin("int", "shop/e9", back).await;
    shop.end("int", &lease.deployment.id, Outcome::Succeeded)
        .await;
    let listed = shop.run(&["releases"]).await;
    insta::assert_snapshot!(listed.data, @r"
    RELEASE           COMMIT    PUBLISHED             IN         VERIFIED IN
    4d4209f40b0726d4  12ab34cd  2026-11-27T10:30:00Z             int (rolled back)
    91b37542528d99a2  9f3c1d2e  2026-11-27T09:30:00Z  int, prod  int
    ");
    let listed = shop.json(&["releases"]).await;
    let newest = &listed.documents[0]["releases"][0];
    assert_eq!(newest["rolledBack"], json!(["int"]));
    assert_eq!(newest["verified"], json!(["int"]));

    // Delivered again, it is there as it was before.
    let third = shop.publish("three", COMMITS[1], SETTINGS, at(7000)).await;
    for release in [&second, &third] {
        shop.deploy_by("shop/again", "int", release).await;
    }
    let listed = shop.json(&["releases"]).await;
    let releases = listed.documents[0]["releases"].as_array().unwrap();
    let second = releases.iter().find(|one| one["id"] == second.as_str());
    assert_eq!(second.unwrap()["rolledBack"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_repository_or_a_release_that_is_said() {
    let shop = Shop::start().await;
    let empty = shop.run(&["releases"]).await;
    assert_eq!(empty.code, 0, "{}", empty.printed);
    assert!(empty.data.contains("no releases yet"), "{}", empty.data);
    let nothing = shop.run(&["diff", "prod"]).await;
    assert_eq!(nothing.code, 5, "{}", nothing.printed);
    // The stack `shop` has no bucket for releases.
    let without = shop.world.json(&["releases"]).await;
    assert_eq!(without.code, 5, "{}", without.printed);
    assert_eq!(without.documents[0]["error"]["type"], "no-releases");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deployed_to_an_environment_is_listed() {
    let (shop, [first, _second]) = Shop::with_releases().await;
    let release = first.clone();
    let lease = shop
        .begin(
            "int",
            "shop/e9",
            Action::Rollback {
                release: Some(release),
            },
        )
        .await;
    let message_of = "the tests failed".to_owned();
    let failed = Outcome::Failed {
        message: message_of,
    };
    shop.end("int", &lease.deployment.id, failed).await;
    let listed = shop.run(&["releases", "INT"]).await;
    assert_eq!(listed.code, 0, "{}", listed.printed);
    insta::assert_snapshot!(listed.data, @r"
    NUMBER  BEGAN                 ACTION    RELEASE           COMMIT    RESULT       BY
    3       2026-11-27T11:30:00Z  rollback  91b37542528d99a2  9f3c1d2e  ✗ Failed     Anna
    2       2026-11-27T11:30:00Z  deploy    4d4209f40b0726d4  12ab34cd  ✓ Succeeded  Anna
    1       2026-11-27T11:30:00Z  deploy    91b37542528d99a2  9f3c1d2e  ✓ Succeeded  Anna
    3 ended: the tests failed
    ");

    let listed = shop.json(&["releases", "int"]).await;
    let newest = &listed.documents[0]["deployments"][0];
    assert_eq!(newest["action"], "rollback");
    assert_eq!(newest["result"], "failed");
    assert_eq!(newest["commit"], COMMITS[0]);
    let typo = shop.json(&["releases", "prd"]).await;
    assert_eq!(typo.code, 5, "{}", typo.printed);
    let error = message(&typo.documents[0]);
    assert!(error.contains("did you mean `prod`?"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_shown() {
    let (shop, [first, second]) = Shop::with_releases().await;
    // What the environment before has.
    let shown = shop.run(&["diff", "PROD"]).await;
    assert_eq!(shown.code, 0, "{}", shown.printed);
    insta::assert_snapshot!(shown.data, @r"
    prod: 91b37542528d99a2 (commit 9f3c1d2e) → 4d4209f40b0726d4 (commit 12ab34cd)
    ~ api  changed
        Greet: 7692c3ad → 3fc4ccfe
        LogLevel = info → warn
        Memory = 512 → 1024
    = unchanged: website
    ");

    let shown = shop.json(&["diff", "prod"]).await;
    let document = &shown.documents[0];
    assert_eq!(document["from"]["id"], first.as_str());
    assert_eq!(document["services"][0]["change"], "changed");
    assert_eq!(document["services"][1]["change"], "unchanged");
    for meant in [&second.as_str()[..6], &COMMITS[1][..8], "int"] {
        let same = shop.json(&["diff", "prod", meant]).await;
        assert_eq!(same.documents[0], *document, "{meant}");
    }
    let unknown = shop.json(&["diff", "prod", "0000000"]).await;
    assert_eq!(unknown.code, 5, "{}", unknown.printed);
    let word = shop.json(&["diff", "prod", "newest"]).await;
    assert_eq!(word.code, 2, "{}", word.printed);
    let empty = shop.json(&["diff", "dev-anna", "dev-otto"]).await;
    assert_eq!(empty.code, 5, "{}", empty.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_needs_is_shown_and_then_deleted() {
    let (shop, [first, second]) = Shop::with_releases().await;
    let kept = shop.json(&["releases", "prune"]).await;
    assert_eq!(kept.documents[0]["releases"], json!([]), "{}", kept.data);

    let old = shop.with_an_old_release().await;
    let manifest = layout::manifest(&old);
    let dry = shop.json(&["releases", "prune"]).await;
    let document = &dry.documents[0];
    assert_eq!(document["releases"], json!([old.as_str()]), "{}", dry.data);
    assert_eq!(document["blobs"], 1);
    assert_eq!(document["deleted"], false);
    assert!(shop.bucket.get(&manifest).await.is_some());

    let deleted = shop.json(&["releases", "prune", "--delete"]).await;
    assert_eq!(deleted.code, 0, "{}", deleted.printed);
    assert_eq!(deleted.documents[0]["deleted"], true);
    let left = shop.bucket.snapshot().await;
    let of_old = left.keys().filter(|key| key.contains(old.as_str()));
    assert_eq!(of_old.count(), 0, "its companions are gone, too");
    for release in [&first, &second] {
        let release = shop.repository.manifest(release).await.unwrap();
        shop.repository.check_blobs(&release).await.unwrap();
    }
    let again = shop.run(&["releases", "prune", "--delete"]).await;
    assert!(again.data.contains("deleted 0 releases"), "{}", again.data);
}
