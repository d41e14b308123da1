//! `releases prune --delete` while somebody begins to deploy what it deletes, and after a run that was interrupted.

use std::sync::Arc;

use delivery_release::environment::{Action, Outcome, Request};
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::layout;
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use serde_json::json;

use super::message;
use super::shop::{Shop, at};
use crate::services::RELEASES;

const PRUNE: [&str; 3] = ["releases", "prune", "--delete"];

/// Somebody begins to deploy a release to `prod` before the first object is deleted: he has read its manifest by then.
fn deployed_meanwhile(shop: &Shop, release: &ReleaseId) -> Rule {
    let environment = shop.environment("prod");
    let request = Request {
        owner: "shop/meanwhile".to_owned(),
        by: "Anna".to_owned(),
        reason: None,
        action: Action::Deploy {
            release: release.clone(),
        },
        until: None,
    };
    let begins: Hook = Arc::new(move || {
        let (environment, request) = (environment.clone(), request.clone());
        Box::pin(async move {
            environment.begin(&request, at(7200)).await.unwrap();
        })
    });
    Rule::once("s3:DeleteObjects", Fault::Before(begins))
}

async fn through(shop: &mut Shop, rules: impl IntoIterator<Item = Rule>) -> Proxy {
    let proxy = Proxy::start(&shop.s3.url(), rules).await;
    let name = "AWS_ENDPOINT_URL_S3";
    shop.world.endpoints.retain(|(known, _)| *known != name);
    shop.world.endpoints.push((name, proxy.url()));
    proxy
}

/// What was begun is whole, and ends.
async fn assert_deployed(shop: &Shop, release: &ReleaseId) {
    let manifest = shop.repository.manifest(release).await.unwrap();
    shop.repository.check_blobs(&manifest).await.unwrap();
    let lease = shop.environment("prod").state().await.unwrap().lease;
    let id = lease.unwrap().deployment.id;
    shop.end("prod", &id, Outcome::Succeeded).await;
    let current = shop.environment("prod").state().await.unwrap().current;
    assert_eq!(current.unwrap().release, *release);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deployed_meanwhile_comes_back() {
    let (mut shop, _) = Shop::with_releases().await;
    let old = shop.with_an_old_release().await;
    shop.s3.objects().keep_versions(RELEASES);
    let rule = deployed_meanwhile(&shop, &old);
    let _proxy = through(&mut shop, [rule]).await;

    let pruned = shop.json(&PRUNE).await;
    assert_eq!(pruned.code, 0, "{}", pruned.printed);
    let document = &pruned.documents[0];
    assert_eq!(document["broughtBack"], json!([old.as_str()]));
    assert_eq!(document["releases"], json!([]));
    assert_eq!(document["blobs"], 0);
    assert_deployed(&shop, &old).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_run_deleted_and_is_deployed_comes_back_with_the_next() {
    let (mut shop, _) = Shop::with_releases().await;
    let old = shop.with_an_old_release().await;
    shop.s3.objects().keep_versions(RELEASES);
    let deploys = deployed_meanwhile(&shop, &old);
    let interrupts = Rule::once("s3:ListObjectVersions", Fault::Status(403));
    let _proxy = through(&mut shop, [deploys, interrupts]).await;
    let interrupted = shop.json(&PRUNE).await;
    assert_ne!(interrupted.code, 0, "{}", interrupted.printed);
    let manifest = layout::manifest(&old);
    assert!(shop.bucket.get(&manifest).await.is_none());

    // What nobody can read is not known to be of no use.
    let dry = shop.json(&["releases", "prune"]).await;
    assert_eq!(dry.code, 1, "{}", dry.printed);
    let said = message(&dry.documents[0]);
    assert!(said.contains(&manifest), "{said}");

    let pruned = shop.json(&PRUNE).await;
    assert_eq!(pruned.code, 0, "{}", pruned.printed);
    let document = &pruned.documents[0];
    assert_eq!(document["broughtBack"], json!([old.as_str()]));
    assert_eq!(document["releases"], json!([]));
    assert_eq!(document["blobs"], 0);
    assert_deployed(&shop, &old).await;

    // What nobody has begun to deploy goes with the next run.
    let nothing = shop.json(&PRUNE).await;
    assert_eq!(nothing.documents[0]["broughtBack"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_come_back_keeps_everything() {
    let (shop, [first, _]) = Shop::with_releases().await;
    let old = shop.with_an_old_release().await;
    let manifest = layout::manifest(&first);
    shop.bucket.delete(&manifest).await;
    let before = shop.bucket.snapshot().await;
    let refused = shop.json(&PRUNE).await;
    assert_eq!(refused.code, 1, "{}", refused.printed);
    let said = message(&refused.documents[0]);
    assert!(said.contains(&manifest), "{said}");
    assert_eq!(shop.bucket.snapshot().await, before);
    assert!(shop.repository.manifest(&old).await.is_ok());
}
