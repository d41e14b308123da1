//! `delivery deploy` and `delivery plan`: a folder as it is, to an environment of a developer's own.

use std::fs;

use pipeline_tests::application::Application;
use pipeline_tests::visitor::Visitor;
use serde_json::{Value, json};

use crate::program::Called;
use crate::world::World;

const TASK: &str = "backend-tasks/src/cleanup.py";
const API: &str = "backend-restapi/template.yaml";

/// A resource that cannot be made: the function of its service token does not exist.
const BROKEN: &str = "  Wrong:\n    Type: Custom::Wrong\n    Properties: { ServiceToken: \"arn:aws:lambda:us-east-1:000000000000:function:none\" }\n";

/// The services that a deployment reports, by name, and whether it changed them. Those of a wave end in any order.
fn services(lines: &[Value]) -> Vec<(&str, bool)> {
    let services = lines.iter().filter(|line| line["type"] == "service");
    let service = |line| -> (&str, bool) {
        let line: &Value = line;
        let name = line["service"].as_str().unwrap();
        (name, line["changed"].as_bool().unwrap())
    };
    let mut services: Vec<_> = services.map(service).collect();
    services.sort_unstable();
    services
}

fn output<'a>(lines: &'a [Value], service: &str, output: &str) -> &'a str {
    let found = lines.iter().find(|line| line["service"] == service);
    found.unwrap()["outputs"][output].as_str().unwrap()
}

impl World {
    fn edit(&self, file: &str, change: impl Fn(String) -> String) {
        let path = self.greeter.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, change(text)).unwrap();
    }

    async fn deploy(&self, environment: &str) -> (Called, Vec<Value>) {
        self.delivery.json(&["deploy", environment]).await
    }

    /// The events of all stacks of an environment: what was ever done there.
    async fn events(&self, environment: &str) -> usize {
        let mut count = 0;
        for service in ["database", "restapi", "tasks", "website"] {
            let stack = format!("workshop-{environment}-{service}");
            let ask = [
                "cloudformation",
                "describe-stack-events",
                "--stack-name",
                &stack,
            ];
            let events = self.aws.ask(&ask).await;
            count += events["StackEvents"].as_array().unwrap().len();
        }
        count
    }

    /// A service that is taken out of the file stays deployed, and each command says so.
    async fn remove_from_file(&self, service: &str) {
        self.edit("delivery.toml", |text| {
            let lines = text.split_inclusive('\n');
            lines
                .filter(|line| !line.starts_with(&format!("{service} ")))
                .collect()
        });
        let (status, lines) = self.delivery.json(&["status"]).await;
        status.expect(0);
        let found = lines[0]["environments"][0]["services"].as_array().unwrap();
        let left = found.iter().filter(|one| one["isLeft"] == true);
        let left: Vec<_> = left.map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(left, [service]);
        let (planned, plan) = self.delivery.json(&["plan", "dev-anna"]).await;
        planned.expect(0);
        let last = plan[0]["services"].as_array().unwrap().last().unwrap();
        assert_eq!(last["service"], service);
        let note = last["note"].as_str().unwrap();
        assert!(note.contains("not in delivery.toml any more"), "{note}");
        let (deployed, lines) = self.deploy("dev-anna").await;
        deployed.expect(0);
        let said = format!(
            "{service} (workshop-dev-anna-{service}): not in delivery.toml any more; it stays until its stack is deleted"
        );
        assert_eq!(
            lines.iter().filter(|line| line["message"] == said).count(),
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_deployed_as_it_is_and_again_only_where_it_changed() {
    let world = World::of(Application::example("workshop").unwrap()).await;

    let (first, lines) = world.deploy("DEV-anna").await;

    first.expect(0);
    let all = ["database", "restapi", "tasks", "website"];
    assert_eq!(services(&lines), all.map(|name| (name, true)));
    let visitor = Visitor::default();
    let site = output(&lines, "website", "Url");
    let config = visitor.get(&format!("{site}/config.json")).await.unwrap();
    let config: Value = serde_json::from_str(&config.body).unwrap();
    let api = output(&lines, "restapi", "Url");
    assert_eq!(config, json!({ "apiBaseurl": api, "version": "dev-anna" }));
    let answer = visitor.get(&format!("{api}/bookings")).await.unwrap();
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer, json!({ "environment": "dev-anna", "bookings": [] }));

    let events = world.events("dev-anna").await;
    let (again, lines) = world.deploy("dev-anna").await;
    again.expect(0);
    assert_eq!(services(&lines), all.map(|name| (name, false)));
    assert_eq!(world.events("dev-anna").await, events, "nothing was done");

    world.edit(TASK, |text| text + "\n# Changed, and not committed.\n");
    let (planned, plan) = world.delivery.json(&["plan", "dev-anna"]).await;
    planned.expect(0);
    let changes = |service: &str| {
        let services = plan[0]["services"].as_array().unwrap();
        let found = services.iter().find(|one| one["service"] == service);
        found.unwrap()["changes"].as_array().unwrap().len()
    };
    assert_eq!(changes("restapi"), 0, "{plan:?}");
    assert!(changes("tasks") > 0, "{plan:?}");
    assert_eq!(
        world.events("dev-anna").await,
        events,
        "a plan changes nothing"
    );
    let (third, lines) = world.deploy("dev-anna").await;
    third.expect(0);
    let expected = all.map(|name| (name, name == "tasks"));
    assert_eq!(services(&lines), expected);

    // Without a pipeline, the environments are what there is to see.
    let (status, lines) = world.delivery.json(&["status"]).await;
    status.expect(0);
    let found = &lines[0]["environments"][0];
    assert_eq!(found["name"], "dev-anna");
    let names = found["services"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, all);

    world.remove_from_file("tasks").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_a_folder_is_refused_and_a_plan_leaves_nothing() {
    let world = World::of(Application::example("workshop").unwrap()).await;
    let refused = world.delivery.call(&["deploy", "int"]).await;
    assert!(refused.expect(2).stderr.contains("by the pipeline"));
    let mistyped = ["deploy", "dev-anna", "--service", "restapy"];
    let mistyped = world.delivery.call(&mistyped).await;
    assert!(
        mistyped
            .expect(5)
            .stderr
            .contains("did you mean `restapi`?")
    );

    let (planned, plan) = world.delivery.json(&["plan"]).await;
    // The bucket for packages was not there.
    assert!(planned.expect(0).stderr.contains("bucket delivery-"));
    assert_eq!(plan[0]["environment"], "int");
    assert_eq!(plan[0]["services"][0]["creates"], true);
    let note = plan[0]["services"][1]["note"].as_str().unwrap();
    assert!(note.contains("after `database`"), "{note}");
    let changes = plan[0]["services"][0]["changes"].as_array().unwrap();
    assert_eq!(changes[0]["resourceType"], "AWS::DynamoDB::Table");
    let stacks = world.aws.ask(&["cloudformation", "list-stacks"]).await;
    let stacks = stacks["StackSummaries"].as_array().unwrap();
    let mut left = stacks.iter();
    assert!(
        left.all(|stack| stack["StackStatus"] == "DELETE_COMPLETE"),
        "{stacks:?}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_failed_says_why_and_the_next_one_succeeds() {
    let world = World::of(Application::example("workshop").unwrap()).await;
    world.edit(API, |text| {
        text.replacen("Resources:\n", &format!("Resources:\n{BROKEN}"), 1)
    });

    let (failed, _) = world.deploy("dev-anna").await;

    let text = &failed.expect(3).stderr;
    assert!(
        text.contains("was not created (ROLLBACK_COMPLETE)"),
        "{text}"
    );
    assert!(text.contains("/ Wrong (Custom::Wrong)"), "{text}");
    assert!(text.contains("not tried after it: `website`"), "{text}");
    world.edit(API, |text| text.replace(BROKEN, ""));
    let (mended, lines) = world.deploy("dev-anna").await;
    mended.expect(0);
    assert!(services(&lines).contains(&("restapi", true)), "{lines:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_shared_is_used_and_not_deployed() {
    let world = World::of(Application::example("workshop").unwrap()).await;
    let shared = "[environments]\ndev = { share = { database = \"int\" } }\n";
    world.edit("delivery.toml", |text| {
        text.replace("[environments]\n", shared)
    });

    let (alone, _) = world.deploy("dev-anna").await;

    let missing = "help: deploy `database` to `int` first";
    assert!(alone.expect(2).stderr.contains(missing), "{}", alone.stderr);
    let planned = world.delivery.call(&["plan", "dev-anna"]).await;
    assert!(planned.expect(2).stderr.contains(missing));
    let template = world.greeter.path().join("backend-database/template.yaml");
    let template = template.to_str().unwrap();
    let int = ["--stack-name", "workshop-int-database"];
    let int = [
        &["cloudformation", "deploy", "--template-file", template],
        &int[..],
    ];
    world.aws.ask(&int.concat()).await;
    let (deployed, lines) = world.deploy("dev-anna").await;
    deployed.expect(0);
    let names: Vec<_> = services(&lines).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["restapi", "tasks", "website"]);
    let visitor = Visitor::default();
    let api = output(&lines, "restapi", "Url");
    let answer = visitor.get(&format!("{api}/bookings")).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_here_is_what_is_deployed() {
    let world = World::of(Application::example("workshop").unwrap()).await;
    let tasks =
        r#"tasks    = { directory = "backend-tasks", build = { commands = ["COMMANDS"] }, "#;
    let built_by = |commands: &str| {
        world.edit("delivery.toml", |text| {
            let lines = text.lines().map(|line| {
                let rest = line.split_once("parameters = ");
                match rest.filter(|_| line.starts_with("tasks ")) {
                    Some((_, rest)) => {
                        format!("{}parameters = {rest}", tasks.replace("COMMANDS", commands))
                    }
                    None => line.to_owned(),
                }
            });
            lines.map(|line| line + "\n").collect()
        });
    };
    built_by("echo '# built' >> src/cleanup.py");
    let (first, _) = world.deploy("dev-anna").await;
    first.expect(0);
    let source = fs::read_to_string(world.greeter.path().join(TASK)).unwrap();
    assert!(source.ends_with("# built\n"), "{source}");
    let unbuilt = ["deploy", "dev-anna", "--no-build"];
    let (unbuilt, lines) = world.delivery.json(&unbuilt).await;
    unbuilt.expect(0);
    assert!(services(&lines).iter().all(|(_, changed)| !changed));
    // A plan builds, too, and prints nothing but its answer.
    let (planned, lines) = world.delivery.json(&["plan", "dev-anna"]).await;
    assert!(planned.expect(0).stderr.contains("building tasks in `"));
    assert_eq!(lines.len(), 1, "{lines:?}");

    // All builds come before the first deployment.
    built_by("exit 7");
    let (failed, lines) = world.deploy("dev-bob").await;
    let text = &failed.expect(1).stderr;
    assert!(text.contains("the build of `tasks` in `"), "{text}");
    assert!(text.contains("exit status: 7"), "{text}");
    assert!(services(&lines).is_empty(), "{lines:?}");
    built_by("sleep 600");
    let hangs = ["deploy", "dev-bob", "--timeout", "1s"];
    let ended = world.delivery.call(&hangs).await;
    let text = &ended.expect(6).stderr;
    assert!(text.contains("took longer than 1 s"), "{text}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_of_someone_else_is_not_touched() {
    let world = World::of(Application::example("workshop").unwrap()).await;
    let template = world.greeter.path().join("backend-database/template.yaml");
    let by_hand = [
        "cloudformation",
        "deploy",
        "--template-file",
        template.to_str().unwrap(),
        "--stack-name",
        "workshop-dev-anna-database",
    ];
    world.aws.ask(&by_hand).await;

    for command in ["deploy", "plan"] {
        let refused = world.delivery.call(&[command, "dev-anna"]).await;

        let text = &refused.expect(2).stderr;
        assert!(text.contains("nothing was changed in `database`"), "{text}");
        assert!(text.contains("`delivery` did not make it"), "{text}");
    }

    // What is known to be wrong is said before anything is changed.
    world.edit("delivery.toml", |text| {
        text.replace("${restapi.Url}", "${restapi.Address}")
    });
    let mistaken = world.delivery.call(&["deploy", "dev-bob"]).await;
    let text = &mistaken.expect(2).stderr;
    assert!(text.contains("`Address`"), "{text}");
    assert!(!text.contains('✓'), "{text}");
    world.stop().await;
}
