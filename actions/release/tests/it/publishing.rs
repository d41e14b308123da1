//! What a release has, and what is written for it.

use std::collections::BTreeMap;

use delivery_release::manifest::Service;
use delivery_release::repository::layout;

use crate::harness::{
    self, RELEASES, common, kind_of, manifest, publish, put, puts, run, source, world,
};

#[tokio::test]
async fn a_release_has_a_service_of_each_kind() {
    let world = world().await;
    let variables = publish(&world, "r1").await;
    assert_eq!(variables["Services"], "api,shop,website");
    assert_eq!(variables["Unchanged"], "-");
    assert!(!variables.contains_key("Entries"));
    let manifest = manifest(&world, &variables).await;
    assert_eq!(manifest.application, "workshop");
    assert_eq!(manifest.source.repository.as_deref(), Some("team/workshop"));
    assert_eq!(manifest.source.branch.as_deref(), Some("main"));
    assert_eq!(manifest.source.revision, "r1");
    let repository = harness::repository(&world);
    let configuration = repository.blob(&manifest.configuration.sha256).await;
    assert_eq!(configuration.unwrap(), harness::DEFINITION.as_bytes());

    let Service::CloudFormation(stack) = &manifest.services["api"] else {
        panic!("{manifest:?}")
    };
    assert_eq!(stack.template.path, "api/template.yaml");
    assert_eq!(stack.transform, ["AWS::Serverless-2016-10-31"]);
    assert_eq!(stack.artifacts.len(), harness::FUNCTIONS);
    let property = stack.artifacts["F7"].property.as_deref();
    assert_eq!(property, Some("/Resources/F7/Properties/CodeUri"));
    let template = repository.blob(&stack.template.sha256).await.unwrap();
    let template: serde_json::Value = serde_json::from_slice(&template).unwrap();
    let properties = &template["Resources"]["F7"]["Properties"];
    let address = format!(
        "s3://{RELEASES}/{}",
        layout::blob(&stack.artifacts["F7"].sha256)
    );
    assert_eq!(properties["CodeUri"], address);
    let boundary = "arn:aws:iam::111122223333:policy/b";
    assert_eq!(properties["PermissionsBoundary"], boundary);

    let Service::App(app) = &manifest.services["shop"] else {
        panic!("{manifest:?}")
    };
    let function = app.artifacts.function.as_ref().unwrap();
    let stored = world
        .objects()
        .read(RELEASES, &layout::blob(&function.sha256));
    assert_eq!(
        stored,
        world.objects().read(harness::STORE, "lambda"),
        "as it was built"
    );
    assert!(app.artifacts.api.is_some() && app.artifacts.site.is_some());

    let Service::Site(site) = &manifest.services["website"] else {
        panic!("{manifest:?}")
    };
    assert_eq!(site.after, ["api".to_owned()].into());
    let zip = layout::blob(&site.artifacts.site.sha256);
    let zip = world.objects().read(RELEASES, &zip).unwrap();
    let text = String::from_utf8_lossy(&zip);
    assert!(
        text.contains("index.html") && !text.contains("index.jsx"),
        "only the site's folder"
    );
}

#[tokio::test]
async fn the_same_commit_again_writes_nothing() {
    let world = world().await;
    let first = publish(&world, "r1").await;
    world.forget_calls();
    let again = publish(&world, "r1").await;
    assert_eq!(again, first);
    assert_eq!(puts(&world), BTreeMap::new());
}

/// Another commit is another manifest, of which everything but the revision may be the same.
#[tokio::test]
async fn another_commit_without_a_change_is_a_manifest_with_its_companions() {
    let world = world().await;
    let first = publish(&world, "r1").await;
    put(&world, "r3", &source("r1")).await;
    world.forget_calls();
    let again = publish(&world, "r3").await;
    assert_ne!(again["Release"], first["Release"]);
    assert_eq!(again["Unchanged"], "api,shop,website");
    let expected = [("by-time", 1), ("manifest", 1), ("provenance", 1)];
    assert_eq!(
        puts(&world),
        expected
            .map(|(kind, count)| (kind.to_owned(), count))
            .into()
    );
}

/// Its code, and the template that has the address of the code.
#[tokio::test]
async fn one_changed_function_of_twenty_is_two_blobs_and_a_manifest() {
    let world = world().await;
    publish(&world, "r1").await;
    world.forget_calls();
    let changed = publish(&world, "r2").await;
    assert_eq!(changed["Unchanged"], "shop,website");
    let expected = [
        ("blobs", 2),
        ("by-time", 1),
        ("manifest", 1),
        ("provenance", 1),
    ];
    assert_eq!(
        puts(&world),
        expected
            .map(|(kind, count)| (kind.to_owned(), count))
            .into()
    );
}

#[tokio::test]
async fn the_manifest_comes_last() {
    let world = world().await;
    publish(&world, "r1").await;
    let calls = world.calls();
    let last = calls
        .iter()
        .rfind(|call| call.operation.action() == "s3:PutObject")
        .unwrap();
    assert_eq!(kind_of(&last.operation.resource), "manifest");
}

#[tokio::test]
async fn a_release_that_comes_back_is_compared_with_what_was_before_it() {
    let world = world().await;
    publish(&world, "r1").await;
    harness::make_older(&world).await;
    let first = publish(&world, "r2").await;
    put(&world, "r3", &source("r1")).await;
    publish(&world, "r3").await;
    let again = publish(&world, "r2").await;
    assert_eq!(again, first);
    assert_eq!(again["Unchanged"], "shop,website");
}

#[tokio::test]
async fn a_site_that_was_built_is_taken_as_it_is() {
    let world = world().await;
    let parameters = format!(
        "{}&services=website&last=off&Artifact.website.site=ShopDistSiteOutput",
        common("r1")
    );
    let variables = run(&world, harness::job("r1", &parameters))
        .await
        .variables();
    let entries = variables["Entries"].parse().unwrap();
    let services = harness::repository(&world).entries(&entries).await.unwrap();
    let Service::Site(site) = &services["website"] else {
        panic!("{services:?}")
    };
    let stored = world
        .objects()
        .read(RELEASES, &layout::blob(&site.artifacts.site.sha256));
    assert_eq!(stored, world.objects().read(harness::STORE, "site"));
}

#[tokio::test]
async fn the_provenance_names_the_execution() {
    let world = world().await;
    let variables = publish(&world, "r1").await;
    let release = variables["Release"].parse().unwrap();
    let key = layout::provenance(&release, "r1-0001");
    let document = world.objects().read(RELEASES, &key).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["pipeline"], "workshop");
    assert_eq!(document["execution"], "r1-0001");
}
