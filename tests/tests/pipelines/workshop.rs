//! Four services in one repository: a table, an API, a task and a site, in two environments.

use std::collections::BTreeMap;

use pipeline_tests::application::Application;
use pipeline_tests::aws::Aws;
use pipeline_tests::delivery::{Delivery, Run};
use pipeline_tests::home::home;
use pipeline_tests::visitor::Visitor;
use serde_json::{Value, json};

/// The address of an environment's API, as its site reads it.
async fn api_of(visitor: &Visitor, run: &Run, environment: &str) -> String {
    let site = run.result()["urls"][environment]["site"].as_str().unwrap();
    let config = visitor.get(&format!("{site}/config.json")).await.unwrap();
    let config: Value = serde_json::from_str(&config.body).unwrap();
    config["apiBaseurl"].as_str().unwrap().to_owned()
}

/// What an API answers.
async fn bookings(visitor: &Visitor, api: &str) -> Value {
    let answer = visitor.get(&format!("{api}/bookings")).await.unwrap();
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{api}: {}", answer.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workshop_of_four_services_reaches_two_environments() {
    let workshop = Application::example("workshop").unwrap();
    let home = home();
    let delivery = Delivery::silently(workshop.path(), home.path());
    let _kept = delivery.ends_with_this();

    let run = delivery.run(&["--keep"]).await.unwrap();

    assert_eq!(run.exit_code, 0, "{}", run.printed);
    let visitor = Visitor::default();
    let aws = Aws::new(delivery.variables().await.unwrap());
    for (environment, memory) in [("int", 256), ("prd", 512)] {
        let api = api_of(&visitor, &run, environment).await;
        let expected = json!({ "environment": environment, "bookings": [] });
        assert_eq!(bookings(&visitor, &api).await, expected);
        assert_eq!(memory_of_the_api(&aws, environment).await, memory);
    }

    // What is in one environment's table, its API shows, and the other one's does not.
    let booked = json!({ "id": { "S": "1" }, "name": { "S": "Ada" } }).to_string();
    let table = aws.output("workshop-int-database", "TableName").await;
    let put = [
        "dynamodb",
        "put-item",
        "--table-name",
        &table,
        "--item",
        &booked,
    ];
    aws.ask(&[&put[..], &["--return-consumed-capacity", "TOTAL"]].concat())
        .await;
    let int = bookings(&visitor, &api_of(&visitor, &run, "int").await).await;
    assert_eq!(int["bookings"], json!([{ "id": "1", "name": "Ada" }]));
    let prd = bookings(&visitor, &api_of(&visitor, &run, "prd").await).await;
    assert_eq!(prd["bookings"], json!([]));

    only_a_changed_service_is_changed(&workshop, &delivery, &aws).await;
}

async fn only_a_changed_service_is_changed(workshop: &Application, delivery: &Delivery, aws: &Aws) {
    let before = changes(aws).await;
    let cleanup = "backend-tasks/src/cleanup.py";
    workshop
        .replace(cleanup, "\"removed\"", "\"gone\"")
        .unwrap();
    workshop.commit("Call it gone").unwrap();

    let run = delivery.run(&["--keep"]).await.unwrap();

    assert_eq!(run.exit_code, 0, "{}", run.printed);
    for (service, is_unchanged) in [("database", true), ("restapi", true), ("tasks", false)] {
        let summary = run.summary(&format!("deploy-stack-{service}")).unwrap();
        assert_eq!(summary.contains("unchanged"), is_unchanged, "{summary}");
    }
    let after = changes(aws).await;
    for (place, was) in &before {
        let is_changed = place.ends_with("-tasks");
        assert_eq!(
            after[place] != *was,
            is_changed,
            "{place}: {:#}",
            after[place]
        );
    }
}

/// What every release writes into a site: its commit, and the list of its files.
const OF_EACH_RELEASE: [&str; 2] = ["config.json", ".delivery-manifest.json"];

/// All that changed anything so far: the events of each service's stack, and the objects of each site with their times.
async fn changes(aws: &Aws) -> BTreeMap<String, Value> {
    let mut changes = BTreeMap::new();
    for environment in ["int", "prd"] {
        for service in ["database", "restapi", "tasks"] {
            let stack = format!("workshop-{environment}-{service}");
            let events = ["describe-stack-events", "--stack-name", &stack];
            let events = aws.ask(&[&["cloudformation"], &events[..]].concat()).await;
            let ids = events["StackEvents"].as_array().unwrap().iter();
            let ids: Vec<Value> = ids.map(|event| event["EventId"].clone()).collect();
            assert!(ids.len() > 2, "{stack}: {events}");
            changes.insert(stack, ids.into());
        }
    }
    for site in ["WebsiteIntSite", "WebsitePrdSite"] {
        let bucket = aws.output("workshop", site).await;
        let objects = aws
            .ask(&["s3api", "list-objects-v2", "--bucket", &bucket])
            .await;
        let objects = objects["Contents"].as_array().unwrap().iter();
        let is_of_each_release =
            |object: &&Value| OF_EACH_RELEASE.iter().any(|key| object["Key"] == *key);
        let files: Vec<Value> = objects
            .filter(|object| !is_of_each_release(object))
            .cloned()
            .collect();
        assert_eq!(files.len(), 2, "{files:?}");
        changes.insert(site.to_owned(), files.into());
    }
    changes
}

async fn memory_of_the_api(aws: &Aws, environment: &str) -> u64 {
    let stack = format!("workshop-{environment}-restapi");
    let function = aws.function_of(&stack, "Api").await;
    function["MemorySize"].as_u64().unwrap()
}
