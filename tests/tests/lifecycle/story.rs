//! One stack from nothing to nothing: published, launched, started, looked at, approved, taken down.

use std::time::Duration;

use serde_json::Value;

use crate::program::Called;
use crate::world::World;

/// The stack's name.
const STACK: &str = "lifecycle";

/// How often the pipeline is looked at while it comes to its approval.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How many looks it gets: a delivery takes half a minute, and five times that on a busy machine.
const LOOKS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_lives_from_publish_to_down() {
    let world = World::start(STACK).await;
    a_template_is_published_once(&world).await;
    a_dry_run_leaves_nothing_behind(&world).await;
    the_stack_is_launched_once(&world).await;
    the_execution_that_the_launch_began_is_rejected(&world).await;
    a_failed_execution_is_explained(&world).await;
    only_the_commit_that_waits_is_approved(&world).await;
    status_says_what_aws_says(&world).await;
    nothing_is_left(&world).await;
    world.stop().await;
}

async fn a_template_is_published_once(world: &World) {
    let (first, lines) = world.delivery.json(&["publish"]).await;
    first.expect(0);
    assert!(sent(&lines) >= 10, "{}", first.stdout);
    let published = of_type(&lines, "published");
    let url = published["templateUrl"].as_str().unwrap();
    assert!(url.ends_with("/delivery.yaml"), "{url}");
    // A link into AWS's own console would launch another template than this local AWS has.
    assert!(published.get("launchUrl").is_none(), "{published}");

    let (second, lines) = world.delivery.json(&["publish"]).await;
    second.expect(0);
    assert_eq!(sent(&lines), 0, "{}", second.stdout);
    assert_eq!(of_type(&lines, "published"), published);
}

async fn a_dry_run_leaves_nothing_behind(world: &World) {
    let (shown, lines) = world.delivery.json(&["up", "--dry-run"]).await;
    shown.expect(0);
    assert!(
        changes(&lines).any(|change| change["path"] == "Delivery"),
        "{}",
        shown.stdout
    );
    let stacks = world.aws.ask(&["cloudformation", "list-stacks"]).await;
    let there = stacks["StackSummaries"].as_array().unwrap().iter();
    let there: Vec<&Value> = there
        .filter(|stack| stack["StackStatus"] != "DELETE_COMPLETE")
        .collect();
    assert_eq!(there, Vec::<&Value>::new());
}

async fn the_stack_is_launched_once(world: &World) {
    let up = ["up", "--parameter", "ManualApproval=true"];
    let (launched, lines) = world.delivery.json(&up).await;
    launched.expect(0);
    let stack = of_type(&lines, "stack");
    assert_eq!(stack["status"], "CREATE_COMPLETE");
    assert!(stack["outputs"]["Pipeline"].is_string(), "{stack}");
    assert!(
        changes(&lines).all(|change| change["action"] == "add"),
        "{}",
        launched.stdout
    );

    // The parameter keeps its value although it is not given again.
    let (again, lines) = world.delivery.json(&["up"]).await;
    again.expect(0);
    assert_eq!(changes(&lines).count(), 0, "{}", again.stdout);
    assert!(again.stderr.contains("no changes"), "{}", again.stderr);
}

/// A pipeline that is made runs at once.
async fn the_execution_that_the_launch_began_is_rejected(world: &World) {
    let commit = world.greeter.head().unwrap();
    an_approval_waits(world, &commit).await;
    let (rejected, lines) = world
        .delivery
        .json(&["reject", &commit, "--message", "not on a Friday"])
        .await;
    rejected.expect(0);
    assert_eq!(lines[0]["answer"], "Rejected");
    let waited = world
        .delivery
        .call(&["wait", "--execution", "latest", "--timeout", "5m"])
        .await;
    waited.expect(3);
    assert!(
        waited.stderr.contains("not on a Friday"),
        "{}",
        waited.stderr
    );
}

async fn a_failed_execution_is_explained(world: &World) {
    world
        .greeter
        .replace("lambda/greetings.js", "\"Hello\"", "\"Hullo\"")
        .unwrap();
    world.greeter.commit("Greet like a Victorian").unwrap();

    let waited = world.delivery.call(&["start", "--wait"]).await;
    waited.expect(3);

    let log = world.delivery.call(&["log", "--failed"]).await;
    log.expect(0);
    for part in ["test-and-package", "greets the world when nobody is named"] {
        assert!(log.stdout.contains(part), "{part}: {}", log.stdout);
    }
    let status = world.delivery.call(&["status", "--exit-status"]).await;
    status.expect(3);
    assert!(status.stdout.contains("✗ Failed"), "{}", status.stdout);
    assert!(!status.stdout.contains('\u{1b}'), "no colour in a pipe");
}

async fn only_the_commit_that_waits_is_approved(world: &World) {
    world
        .greeter
        .replace("lambda/greetings.js", "\"Hullo\"", "\"Hello\"")
        .unwrap();
    let commit = world.greeter.commit("Say hello again").unwrap();
    let (started, lines) = world.delivery.json(&["start"]).await;
    started.expect(0);
    assert!(lines[0]["execution"].is_string(), "{}", started.stdout);
    an_approval_waits(world, &commit).await;

    let nobody = world.delivery.call(&["approve"]).await;
    nobody.expect(2);
    let stale = world.delivery.call(&["approve", "0123456"]).await;
    assert_ne!(stale.exit_code, 0);
    assert!(stale.stderr.contains(&commit[..8]), "{}", stale.stderr);

    let (approved, lines) = world.delivery.json(&["approve", &commit[..8]]).await;
    approved.expect(0);
    assert_eq!(lines[0]["revision"]["id"], commit.as_str());
    let again = world.delivery.call(&["approve", &commit[..8]]).await;
    assert_ne!(again.exit_code, 0, "it was answered already");
    let waited = world
        .delivery
        .call(&["wait", "--execution", "latest", "--timeout", "10m"])
        .await;
    waited.expect(0);
}

/// Looks until the commit waits for its approval, or something fails.
async fn an_approval_waits(world: &World, commit: &str) {
    for _ in 0..LOOKS {
        let status = world.delivery.call(&["status", "--exit-status"]).await;
        let waits = status.exit_code == 8 && status.stdout.contains(&commit[..8]);
        if waits && status.stdout.contains("delivery approve") {
            return;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    let status = world.delivery.call(&["status"]).await;
    panic!("nothing waits for an approval:\n{}", status.stdout);
}

/// `aws` shows the same facts as `delivery status`.
async fn status_says_what_aws_says(world: &World) {
    let (status, lines) = world.delivery.json(&["status"]).await;
    status.expect(0);
    let [document] = lines.as_slice() else {
        panic!("one document: {}", status.stdout)
    };
    let described = world
        .aws
        .ask(&["cloudformation", "describe-stacks", "--stack-name", STACK])
        .await;
    let stack = &described["Stacks"][0];
    assert_eq!(document["stack"]["status"], stack["StackStatus"]);
    for output in stack["Outputs"].as_array().unwrap() {
        let key = output["OutputKey"].as_str().unwrap();
        assert_eq!(document["stack"]["outputs"][key], output["OutputValue"]);
    }

    let pipeline = document["pipeline"]["name"].as_str().unwrap();
    let state = world
        .aws
        .ask(&["codepipeline", "get-pipeline-state", "--name", pipeline])
        .await;
    let facts: Vec<Value> = state["stageStates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| {
            let actions = stage["actionStates"].as_array().unwrap().iter();
            let actions: Vec<[&Value; 2]> = actions
                .map(|action| [&action["actionName"], &action["latestExecution"]["status"]])
                .collect();
            let latest = &stage["latestExecution"];
            serde_json::json!([
                stage["stageName"],
                latest["status"],
                latest["pipelineExecutionId"],
                actions
            ])
        })
        .collect();
    let shown: Vec<Value> = document["pipeline"]["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| {
            let actions = stage["actions"].as_array().unwrap().iter();
            let actions: Vec<[&Value; 2]> = actions
                .map(|action| [&action["name"], &action["status"]])
                .collect();
            serde_json::json!([stage["name"], stage["status"], stage["execution"], actions])
        })
        .collect();
    assert_eq!(shown, facts);
    assert_eq!(
        facts.len(),
        5,
        "Source, Commit, Acceptance, Approval, Production"
    );
}

async fn nothing_is_left(world: &World) {
    let nobody = world.delivery.call(&["down"]).await;
    nobody.expect(1);
    let (down, lines) = world
        .delivery
        .json(&["down", "--yes", "--include-data"])
        .await;
    down.expect(0);
    assert!(
        lines.iter().any(|line| line["type"] == "bucket-deleted"),
        "{}",
        down.stdout
    );

    let stacks = world.aws.ask(&["cloudformation", "describe-stacks"]).await;
    let there: Vec<&Value> = stacks["Stacks"].as_array().unwrap().iter().collect();
    assert_eq!(there, Vec::<&Value>::new());
    let functions = world.aws.ask(&["lambda", "list-functions"]).await;
    assert_eq!(functions["Functions"], serde_json::json!([]));
    // What was published is not the stack's.
    let buckets = world.aws.ask(&["s3api", "list-buckets"]).await;
    let names: Vec<&str> = buckets["Buckets"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|bucket| bucket["Name"].as_str())
        .filter(|name| !name.starts_with("delivery-"))
        .collect();
    assert_eq!(names, [""; 0]);
    let pipelines = world.aws.ask(&["codepipeline", "list-pipelines"]).await;
    assert_eq!(pipelines["pipelines"], serde_json::json!([]));

    gone(&world.delivery.call(&["status"]).await);
}

/// A stack that is not there is named, with what makes it.
fn gone(called: &Called) {
    called.expect(5);
    assert!(called.stderr.contains(STACK), "{}", called.stderr);
    assert!(called.stderr.contains("delivery up"), "{}", called.stderr);
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> &'a Value {
    lines
        .iter()
        .rfind(|line| line["type"] == kind)
        .unwrap_or_else(|| panic!("no line of type `{kind}` in {lines:?}"))
}

fn changes(lines: &[Value]) -> impl Iterator<Item = &Value> {
    lines.iter().filter(|line| line["type"] == "change")
}

fn sent(lines: &[Value]) -> usize {
    lines
        .iter()
        .filter(|line| line["type"] == "object" && line["uploaded"] == true)
        .count()
}
