//! Several actions that package one release, because an action has few input artifacts.

use delivery_release::repository::layout;
use delivery_testing::events::JobEvent;

use crate::harness::{self, APP, RELEASES, STORE, common, manifest, publish, put, run, world};

fn first() -> JobEvent {
    let parameters = format!("{}&services=shop&last=off{APP}", common("r1"));
    harness::job("r1", &parameters)
}

fn second(entries: &str) -> JobEvent {
    let parameters = format!(
        "{}&boundary=arn:aws:iam::111122223333:policy/b&services=api,website&entries={entries}",
        common("r1")
    );
    JobEvent::new()
        .input("SourceOutput", STORE, "r1")
        .user_parameters(&parameters)
}

#[tokio::test]
async fn two_actions_publish_what_one_would() {
    let world = world().await;
    let one = publish(&world, "r1").await;
    let handed = run(&world, first()).await.variables();
    assert_eq!(handed["Services"], "shop");
    assert!(
        !handed.contains_key("Release"),
        "only the last one publishes"
    );
    let two = run(&world, second(&handed["Entries"])).await.variables();
    assert_eq!(two, one);
}

#[tokio::test]
async fn entries_that_are_something_else_are_refused() {
    let world = world().await;
    let handed = run(&world, first()).await.variables();
    let key = layout::blob(&handed["Entries"].parse().unwrap());
    world.bucket(RELEASES).delete(&key).await;
    let refused = run(&world, second(&handed["Entries"])).await;
    insta::assert_snapshot!(refused.failure());

    let variables = publish(&world, "r1").await;
    let definition = manifest(&world, &variables).await.configuration.sha256;
    let refused = run(&world, second(&definition.to_string())).await;
    insta::assert_snapshot!(refused.failure());
}

#[tokio::test]
async fn services_of_other_pipelines_are_elsewhere() {
    let world = world().await;
    let pipelines =
        "[pipelines]\nbackend = [\"api\"]\nfrontend = [\"website\"]\nshops = [\"shop\"]\n";
    let mut source = harness::source("r1");
    let definition = harness::DEFINITION.replace(", config = { apiBaseurl = \"${api.Url}\" }", "");
    source[0].1 = format!("{definition}\n{pipelines}");
    put(&world, "r1", &source).await;
    let publish = |services: &str| {
        let parameters = format!("{}&services={services}", common("r1"));
        JobEvent::new()
            .input("SourceOutput", STORE, "r1")
            .user_parameters(&parameters)
    };
    let variables = run(&world, publish("api")).await.variables();
    assert_eq!(variables["Services"], "api");
    let manifest = manifest(&world, &variables).await;
    assert_eq!(
        manifest.elsewhere,
        ["shop".to_owned(), "website".to_owned()].into()
    );
    run(&world, publish("website")).await.variables();
    // The release in between has another pipeline's services.
    source.push(("README.md".to_owned(), "more".to_owned()));
    put(&world, "r1", &source).await;
    let parameters = format!("{}&services=api", common("r1")).replace("revision=r1", "revision=r9");
    let event = JobEvent::new()
        .input("SourceOutput", STORE, "r1")
        .user_parameters(&parameters);
    let again = run(&world, event).await.variables();
    assert_eq!(again["Unchanged"], "api");
}
