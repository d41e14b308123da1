//! `promote` and `env up`: a pipeline is started with the release.

use delivery_release::environment::{Action, Outcome};
use serde_json::json;

use super::message;
use super::shop::{COMMITS, SETTINGS, Shop, at};
use crate::text;

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a story")]
async fn a_release_is_promoted_by_the_pipeline_of_the_environment() {
    let (mut shop, [first, _]) = Shop::with_releases().await;
    // The tests of an applied release are those of its commit.
    let commit = shop.world.commit.clone();
    let release = shop.publish("three", &commit, SETTINGS, at(7000)).await;
    let record = shop.deploy("int", &release).await;
    shop.verify(&release, "int", record.deployment.id).await;
    shop.create_applying("shop-apply-prod", "Prod").await;
    shop.create_applying("shop-apply-dev", "Dev").await;

    // Nobody can be asked in a pipe.
    let unasked = shop.json(&["promote", "int", "prod"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    let unasked = shop.run(&["promote", "int", "prod"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    assert!(
        unasked.printed.contains("~ api  changed"),
        "{}",
        unasked.printed
    );

    let promote = ["promote", "INT", "Prod", "--yes", "--no-wait"];
    let started = shop
        .json(&[&promote[..], &["-m", "sale & more"]].concat())
        .await;
    assert_eq!(started.code, 0, "{}", started.printed);
    let document = &started.documents[0];
    assert_eq!(document["release"]["id"], release.as_str());
    assert_eq!(document["pipeline"], "shop-apply-prod");
    let job = shop.applies().await;
    assert_eq!(
        job.user_parameters(),
        format!(
            "release={release}&kind=promote&from=int&by=ann&reason=sale%20%26%20more&unverified=no&name=-&commit={commit}"
        )
    );

    // It is shown while it goes on, and found by its name.
    let status = shop.json(&["status"]).await;
    assert_eq!(
        status.documents[0]["applying"][0]["name"],
        "shop-apply-prod"
    );
    let next = status.documents[0]["next"].to_string();
    let follow = "delivery log --follow --pipeline apply-prod";
    assert!(next.contains(follow), "{next}");
    shop.world.fail(&job, "the template is wrong").await;
    let execution = text(&document["execution"]);
    let wait = ["wait", "--execution", execution, "--pipeline", "apply-prod"];
    let waited = shop.json(&wait).await;
    assert_eq!(waited.code, 3, "{}", waited.printed);
    let retried = shop.json(&["retry", "--pipeline", "apply-prod"]).await;
    assert_eq!(retried.code, 0, "{}", retried.printed);
    let _tries_again = shop.applies().await;
    let abandon = ["stop", "--abandon", "--pipeline", "apply-prod"];
    let stopped = shop.json(&abandon).await;
    assert_eq!(stopped.documents[0]["execution"], execution);
    let log = shop.json(&["log", "--pipeline", "apply-prod"]).await;
    assert_eq!(log.code, 0, "{}", log.printed);

    // The command waits for the end unless it is told not to.
    let promotes = shop.world.spawn(&[
        "promote",
        "int",
        "prod",
        "--yes",
        "--json",
        "--stack-name",
        "released",
    ]);
    let job = shop.applies().await;
    shop.deploy("prod", &release).await;
    shop.world.succeed(&job).await;
    let ended = crate::world::Ended::of(promotes).await;
    assert_eq!(ended.code, 0, "{}", ended.printed);
    assert_eq!(ended.documents.last().unwrap()["type"], "result");

    // What is there already is not deployed again.
    let again = shop.json(&promote).await;
    assert_eq!(again.code, 0, "{}", again.printed);
    assert_eq!(again.documents[0]["execution"], json!(null));
    assert_ne!(first, release);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_promotes_what_was_rolled_back_is_told_so() {
    const NOTE: &str = "prod was rolled back from this release";
    let (mut shop, [first, second]) = Shop::with_releases().await;
    shop.create_applying("shop-apply-prod", "Prod").await;
    let promoted = shop.run(&["promote", "int", "prod"]).await;
    assert!(!promoted.printed.contains(NOTE), "{}", promoted.printed);

    shop.deploy("prod", &second).await;
    let back = Action::Rollback {
        release: Some(first),
    };
    let lease = shop.begin("prod", "shop/e9", back).await;
    let outcome = Outcome::Succeeded;
    shop.end("prod", &lease.deployment.id, outcome).await;
    let promoted = shop.run(&["promote", "int", "prod"]).await;
    assert_eq!(promoted.code, 2, "{}", promoted.printed);
    assert!(promoted.printed.contains(NOTE), "{}", promoted.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_pass_the_tests_before_is_refused() {
    let (mut shop, _) = Shop::with_releases().await;
    let commit = shop.world.commit.clone();
    let release = shop.publish("three", &commit, SETTINGS, at(7000)).await;
    shop.create_applying("shop-apply-prod", "Prod").await;
    let id = release.as_str();
    let promote = [
        "promote",
        "int",
        "prod",
        "--release",
        id,
        "--yes",
        "--no-wait",
    ];
    let refused = shop.json(&promote).await;
    assert_eq!(refused.code, 9, "{}", refused.printed);
    let result = &refused.documents[0];
    assert_eq!(result["status"], "refused");
    insta::assert_snapshot!(message(result).replace(&commit[..8], "COMMIT").replace(id, "RELEASE"), @r"
    the release RELEASE (commit COMMIT) has not passed the tests of `int`, which comes before `prod`
      help: deliver it to `int` first; to promote it all the same, say why: `--unverified --message REASON`
    ");

    let without_reason = [&promote[..], &["--unverified"]].concat();
    assert_eq!(shop.run(&without_reason).await.code, 2);
    let with_reason = [&without_reason[..], &["-m", "int is down"]].concat();
    let started = shop.json(&with_reason).await;
    assert_eq!(started.code, 0, "{}", started.printed);
    let job = shop.applies().await;
    let parameters = job.user_parameters();
    assert!(
        parameters.contains("&reason=int%20is%20down&unverified=yes&"),
        "{parameters}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_comes_from_where_it_was() {
    let (mut shop, [first, second]) = Shop::with_releases().await;
    shop.create_applying("shop-apply-prod", "Prod").await;
    shop.deploy("dev-anna", &first).await;
    let id = second.as_str();
    let promote = [
        "promote",
        "dev-anna",
        "prod",
        "--release",
        id,
        "--yes",
        "--no-wait",
    ];
    // It passed the tests of `int`, and never was in `dev-anna`.
    let refused = shop.json(&promote).await;
    assert_eq!(refused.code, 9, "{}", refused.printed);
    let text = message(&refused.documents[0]).replace(id, "RELEASE");
    insta::assert_snapshot!(text, @r"
    the release RELEASE (commit 12ab34cd) is not what `dev-anna` has, and has not passed its tests
      help: `delivery releases` shows where each release passed the tests; to promote it all the same, say why: `--unverified --message REASON`
    ");
    shop.deploy("dev-anna", &second).await;
    let there = shop.json(&promote).await;
    assert_eq!(there.code, 0, "{}", there.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_promoted_that_is_said() {
    let (shop, [_, second]) = Shop::with_releases().await;
    for (arguments, code) in [
        (["int", "int"], 2),
        (["int", "dev-anna"], 2),
        (["int", "dev"], 2),
        (["int", "prd"], 5),
        (["dev-anna", "prod"], 5),
    ] {
        let [from, to] = arguments;
        let refused = shop.json(&["promote", from, to, "--yes"]).await;
        assert_eq!(refused.code, code, "{arguments:?}: {}", refused.printed);
    }
    // Somebody else is deploying: it is said, and the pipeline waits for it.
    let release = second.clone();
    let promote = Action::Promote {
        release,
        from: "int".to_owned(),
    };
    shop.begin("prod", "shop-apply-prod/e7", promote).await;
    let unasked = shop.run(&["promote", "int", "prod"]).await;
    assert!(
        unasked
            .printed
            .contains("prod is being changed by Anna (shop-apply-prod/e7)"),
        "{}",
        unasked.printed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_of_ones_own_gets_the_newest_release_that_is_verified() {
    let (mut shop, [_, second]) = Shop::with_releases().await;
    shop.create_applying("shop-apply-dev", "Dev").await;
    let commit = shop.world.commit.clone();
    let newest = shop.publish("three", &commit, SETTINGS, at(7000)).await;
    let not_own = shop.json(&["env", "up", "int", "--no-wait"]).await;
    assert_eq!(not_own.code, 2, "{}", not_own.printed);

    let unknown = ["env", "up", "DEV-Anna", "--release", "0000000"];
    let unknown = shop.json(&unknown).await;
    assert_eq!(unknown.code, 5, "{}", unknown.printed);
    let up = ["env", "up", "DEV-Anna", "--no-wait", "--release", &commit];
    let started = shop.json(&up).await;
    assert_eq!(started.code, 0, "{}", started.printed);
    assert_eq!(started.documents[0]["environment"], "dev-anna");
    let job = shop.applies().await;
    let parameters = job.user_parameters();
    assert!(
        parameters.starts_with(&format!("release={newest}&kind=deploy&from=-&by=ann&")),
        "{parameters}"
    );
    assert!(parameters.contains("&name=anna&"), "{parameters}");
    shop.world.succeed(&job).await;

    // Without a name it is the one that passed tests; its commit is not in this repository, so Source fails.
    let started = shop.json(&["env", "up", "dev-anna", "--no-wait"]).await;
    assert_eq!(started.code, 0, "{}", started.printed);
    let release = &started.documents[0]["release"];
    assert_eq!(release["id"], second.as_str());
    assert_eq!(release["commit"], COMMITS[1]);
}
