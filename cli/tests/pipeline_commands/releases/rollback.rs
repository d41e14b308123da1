//! `rollback` of an environment with releases: its function goes back at once, and a pipeline brings back the rest.

use aws_sdk_lambda::Client;
use delivery_alias::FunctionAlias;
use delivery_release::environment::Action;
use delivery_release::manifest::ReleaseId;
use delivery_testing::world::World as Aws;
use serde_json::json;

use super::message;
use super::shop::{SETTINGS, Shop, at};
use crate::rollout::roll_out;
use crate::text;
use crate::world::PIPELINE;

/// A shop whose function `greeter` is deployed to `prod` with each release.
struct Delivered {
    shop: Shop,
    aws: Aws,
    releases: Vec<ReleaseId>,
    commits: Vec<String>,
}

/// A function with three versions.
async fn greeter(shop: &mut Shop) -> Aws {
    let aws = Aws::start().await;
    let lambda = Client::new(&aws.test_config());
    aws.lambda().add_function("greeter", b"one", &["prod"]);
    for code in [b"two", b"tri"] {
        aws.lambda().change_code("greeter", code);
        let publish = lambda.publish_version().function_name("greeter");
        publish.send().await.unwrap();
    }
    for name in ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_CLOUDWATCH"] {
        shop.world.endpoints.push((name, aws.url()));
    }
    aws
}

impl Delivered {
    /// Two releases, each with a version of the function.
    async fn start() -> Self {
        let mut shop = Shop::start().await;
        let aws = greeter(&mut shop).await;
        shop.world.deploy_a_function(PIPELINE).await;
        let mut delivered = Self {
            shop,
            aws,
            releases: Vec::new(),
            commits: Vec::new(),
        };
        for version in ["1", "2"] {
            delivered.deliver(version).await;
        }
        let shop = &mut delivered.shop;
        shop.create_applying("shop-apply-prod", "Production").await;
        delivered
    }

    async fn deliver(&mut self, version: &str) {
        self.aws
            .lambda()
            .change_alias("greeter", "prod", version, &[]);
        let execution = self.shop.world.deliver(version).await;
        let commit = self.shop.world.commit.clone();
        let published = i64::try_from(self.releases.len()).unwrap();
        let publish = self.shop.publish(version, &commit, SETTINGS, at(published));
        let release = publish.await;
        let owner = format!("{PIPELINE}/{execution}");
        self.shop.deploy_by(&owner, "prod", &release).await;
        self.releases.push(release);
        self.commits.push(commit);
    }

    fn version(&self) -> String {
        let mut lambda = self.aws.lambda();
        let alias = &lambda.function("greeter").aliases["prod"];
        assert!(alias.weights().is_empty(), "{alias:?}");
        alias.version().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_goes_back_to_the_release_before() {
    let mut delivered = Delivered::start().await;
    let [first, second] = [0, 1].map(|index| delivered.releases[index].clone());
    let unasked = delivered.shop.run(&["rollback", "PROD"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    let says = format!("prod: {second} → {first}");
    assert!(unasked.printed.contains(&says), "{}", unasked.printed);
    let says = "greeter:prod: version 2 → 1";
    assert!(unasked.printed.contains(says), "{}", unasked.printed);
    assert_eq!(delivered.version(), "2");

    let back = ["rollback", "PROD", "--yes", "-m", "no orders"];
    let back = delivered.shop.json(&back).await;
    assert_eq!(back.code, 0, "{}", back.printed);
    let document = &back.documents[0];
    assert_eq!(document["release"], first.as_str());
    assert_eq!(document["pipeline"], "shop-apply-prod");
    assert_eq!(document["held"], "Production");
    assert_eq!(
        document["functions"],
        json!([{"alias": "greeter:prod", "version": "1", "from": "2"}])
    );
    assert_eq!(
        document["next"],
        json!([
            "delivery log --follow --pipeline apply-prod",
            "delivery resume prod"
        ])
    );
    assert_eq!(delivered.version(), "1");
    let job = delivered.shop.applies().await;
    let commit = &delivered.commits[0];
    assert_eq!(
        job.user_parameters(),
        format!(
            "release={first}&kind=rollback&from=-&by=ann&reason=no%20orders&unverified=no&name=-&commit={commit}"
        )
    );
    // Whoever promotes is told.
    let promote = ["promote", "int", "prod", "--release", first.as_str()];
    let unasked = [&promote[..], &["--unverified", "-m", "sale"]].concat();
    let unasked = delivered.shop.run(&unasked).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    let says = "the pipeline does not deliver to prod now: rolled back by ann: no orders";
    assert!(unasked.printed.contains(says), "{}", unasked.printed);
    let forced = [
        &promote[..],
        &["--unverified", "-m", "sale", "--yes", "--no-wait"],
    ]
    .concat();
    let forced = delivered.shop.json(&forced).await;
    assert_eq!(forced.code, 0, "{}", forced.printed);
    assert_eq!(forced.documents[0]["held"], "rolled back by ann: no orders");
    let resumed = delivered.shop.json(&["resume", "prod"]).await;
    assert_eq!(resumed.documents[0]["wasOpen"], false, "{}", resumed.data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_a_commit_or_a_version_that_was_there_can_be_named() {
    let mut delivered = Delivered::start().await;
    delivered
        .aws
        .lambda()
        .change_alias("greeter", "prod", "3", &[]);
    delivered.deliver("3").await;
    let first = delivered.releases[0].clone();
    let id = first.as_str()[..8].to_owned();
    let commit = delivered.commits[0][..8].to_owned();
    for given in [id.as_str(), &commit, "1"] {
        let back = ["rollback", "prod", given, "--yes"];
        let back = delivered.shop.json(&back).await;
        assert_eq!(back.code, 0, "{given}: {}", back.printed);
        assert_eq!(back.documents[0]["release"], first.as_str(), "{given}");
        let job = delivered.shop.applies().await;
        assert!(job.user_parameters().contains("kind=rollback"));
        delivered.shop.world.succeed(&job).await;
    }
    for never in ["0000000", "9"] {
        let never = ["rollback", "prod", never, "--yes"];
        let never = delivered.shop.json(&never).await;
        assert_eq!(never.code, 5, "{}", never.printed);
        let error = message(&never.documents[0]);
        let second = &delivered.releases[1];
        let says = format!("was never delivered to `prod`; it can go back to {second}; {first}");
        // Not to the third, which it has.
        assert!(error.contains(&says), "{error}");
        assert!(!error.contains(delivered.releases[2].as_str()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_under_way_is_taken_back() {
    let mut delivered = Delivered::start().await;
    let second = delivered.releases[1].clone();
    let commit = delivered.shop.world.commit.clone();
    let third = delivered.shop.publish("3", &commit, SETTINGS, at(9)).await;
    let deploy = Action::Deploy { release: third };
    delivered.shop.begin("prod", "shop/e3", deploy).await;
    let lambda = Client::new(&delivered.aws.test_config());
    let alias = FunctionAlias::new(&lambda, "greeter", "prod");
    roll_out(&alias, "e3-00000").await;

    let back = delivered.shop.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(back.code, 0, "{}", back.printed);
    let document = &back.documents[0];
    // It has not brought its release yet: what the environment has stays, and is brought back wholly.
    assert_eq!(document["release"], second.as_str());
    assert_eq!(text(&document["functions"][0]["version"]), "2");
    assert_eq!(delivered.version(), "2");
    let job = delivered.shop.applies().await;
    let expected = format!("release={second}&kind=rollback&");
    assert!(job.user_parameters().starts_with(&expected));
}

/// No pipeline delivers there by itself: releases come by promotion, and so does their function.
#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_is_only_promoted_to_goes_back_and_nothing_is_held() {
    let (mut shop, [first, second]) = Shop::with_releases().await;
    let aws = greeter(&mut shop).await;
    shop.create_applying("shop-apply-prod", "Apply").await;
    shop.world.deploy_a_function("shop-apply-prod").await;
    shop.deploy("prod", &second).await;
    let deploy = Action::Deploy { release: first };
    shop.begin("prod", "shop-apply-prod/e3", deploy).await;
    let alias = FunctionAlias::new(&Client::new(&aws.test_config()), "greeter", "prod");
    roll_out(&alias, "e3-00000").await;

    let unasked = shop.run(&["rollback", "prod"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.printed);
    let says = "greeter:prod: rollout of version 3 is aborted";
    assert!(unasked.printed.contains(says), "{}", unasked.printed);
    let back = shop.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(back.code, 0, "{}", back.printed);
    let document = &back.documents[0];
    assert_eq!(document["release"], second.as_str());
    assert_eq!(document["held"], json!(null));
    assert_eq!(text(&document["functions"][0]["version"]), "2");
    let follow = "delivery log --follow --pipeline apply-prod";
    assert_eq!(document["next"], json!([follow]));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_was_there_before_that_is_said() {
    let (mut shop, _) = Shop::with_releases().await;
    shop.create_applying("shop-apply-prod", "Prod").await;
    let nothing = shop.json(&["rollback", "prod", "--yes"]).await;
    assert_eq!(nothing.code, 5, "{}", nothing.printed);
}
