//! A stack that the templates of the first generation launched, updated to today's: nothing that users meet is
//! replaced, and the updated stack delivers.

use std::collections::BTreeMap;

use pipeline_tests::checkout;
use pipeline_tests::visitor::Visitor;
use serde_json::Value;

use crate::world::World;

/// Where the first generation's templates are put in the bucket.
const FIRST_PREFIX: &str = "first-templates";

/// The templates as they were before services, environments and actions of one's own.
const FIRST_TEMPLATES: &str = "tests/tests/lifecycle/first-templates";

/// The parameters that `delivery publish` gives a default, beside the prefix of the templates.
const PUBLISHED: [&str; 4] = [
    "CodeBucket",
    "ActionsPrefix",
    "NodeLayerKey",
    "Architecture",
];

/// What visitors meet, or what holds what they see. The pipeline is replaced: since it has the stack's name
/// (`docs/decisions/0150-late-jobs-change-nothing.md`).
const KEPT: [&str; 5] = [
    "AWS::S3::Bucket",
    "AWS::Lambda::Function",
    "AWS::Lambda::Alias",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_of_the_first_generation_is_updated_without_losing_anything() {
    let world = World::start("upgraded").await;
    launch_the_first_generation(&world).await;
    let delivered = ["wait", "--execution", "latest", "--timeout", "10m"];
    world.delivery.call(&delivered).await.expect(0);
    let before = resources(&world).await;
    for kind in KEPT {
        assert!(
            before.keys().any(|(_, of)| of == kind),
            "{kind}: {before:#?}"
        );
    }
    let outputs = outputs(&world).await;
    let answers = visit(&outputs).await;

    let (up, lines) = world.delivery.json(&["up"]).await;
    up.expect(0);
    let changes = || lines.iter().filter(|line| line["type"] == "change");
    assert!(
        changes().any(|change| change["action"] == "change"),
        "{}",
        up.stdout
    );
    assert!(
        changes().all(|change| change["losesData"] == false),
        "{}",
        up.stdout
    );
    let after = resources(&world).await;
    for (resource, id) in &before {
        assert_eq!(after.get(resource), Some(id), "{resource:?}");
    }
    let updated = self::outputs(&world).await;
    for (name, value) in outputs.iter().filter(|(name, _)| *name != "Pipeline") {
        assert_eq!(updated.get(name), Some(value), "{name}");
    }
    assert_eq!(
        visit(&outputs).await,
        answers,
        "what was delivered answers as before"
    );

    std::fs::write(world.greeter.path().join("NOTES.md"), "Updated.\n").unwrap();
    let commit = world.greeter.commit("Note the update").unwrap();
    world.delivery.call(&["start", "--wait"]).await.expect(0);
    for (name, answer) in visit(&outputs).await {
        assert!(answer.contains(&commit), "{name}: {answer}");
    }
    world.stop().await;
}

async fn launch_the_first_generation(world: &World) {
    let (published, lines) = world.delivery.json(&["publish"]).await;
    published.expect(0);
    let published = lines.iter().find(|line| line["type"] == "published");
    let url = published.unwrap()["templateUrl"].as_str().unwrap();
    let address = url.strip_prefix("https://").unwrap();
    let (host, key) = address.split_once('/').unwrap();
    let bucket = host.split('.').next().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("delivery.yaml");
    let from = format!("s3://{bucket}/{key}");
    let fetch = ["s3", "cp", "--quiet", &from, copy.to_str().unwrap()];
    world.aws.ask(&fetch).await;
    let today = std::fs::read_to_string(&copy).unwrap();
    let folder = checkout::root().join(FIRST_TEMPLATES);
    let to = format!("s3://{bucket}/{FIRST_PREFIX}/");
    let upload = [
        "s3",
        "cp",
        "--quiet",
        "--recursive",
        folder.to_str().unwrap(),
        &to,
    ];
    world.aws.ask(&upload).await;

    let first = format!("https://{host}/{FIRST_PREFIX}/delivery.yaml");
    let mut up = vec!["up".to_owned(), "--template-url".to_owned(), first];
    let mut parameter = |name: &str, value: &str| {
        up.extend(["--parameter".to_owned(), format!("{name}={value}")]);
    };
    parameter("TemplatesPrefix", FIRST_PREFIX);
    for name in PUBLISHED {
        if let Some(value) = default_of(&today, name) {
            parameter(name, value);
        }
    }
    let up: Vec<&str> = up.iter().map(String::as_str).collect();
    world.delivery.call(&up).await.expect(0);
}

/// The default of a parameter of a published template.
fn default_of<'a>(template: &'a str, parameter: &str) -> Option<&'a str> {
    let (_, after) = template.split_once(&format!("\n  {parameter}:\n    Default: "))?;
    let (value, _) = after.split_once('\n')?;
    Some(value.split(" #").next().unwrap_or(value).trim_matches('"'))
}

/// The physical ids of what must stay, by logical id and type.
async fn resources(world: &World) -> BTreeMap<(String, String), String> {
    let stacks = world.aws.ask(&["cloudformation", "describe-stacks"]).await;
    let mut found = BTreeMap::new();
    for stack in stacks["Stacks"].as_array().unwrap() {
        let name = stack["StackName"].as_str().unwrap();
        let described = [
            "cloudformation",
            "describe-stack-resources",
            "--stack-name",
            name,
        ];
        let described = world.aws.ask(&described).await;
        for resource in described["StackResources"].as_array().unwrap() {
            let text = |key: &str| resource[key].as_str().unwrap_or_default().to_owned();
            if KEPT.contains(&text("ResourceType").as_str()) {
                let path = format!("{name}/{}", text("LogicalResourceId"));
                found.insert((path, text("ResourceType")), text("PhysicalResourceId"));
            }
        }
    }
    found
}

async fn outputs(world: &World) -> BTreeMap<String, String> {
    let described = world
        .aws
        .ask(&[
            "cloudformation",
            "describe-stacks",
            "--stack-name",
            "upgraded",
        ])
        .await;
    let outputs = described["Stacks"][0]["Outputs"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    outputs
        .map(|output| (text(&output["OutputKey"]), text(&output["OutputValue"])))
        .collect()
}

/// What the APIs and sites of the stack answer.
async fn visit(outputs: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    for (name, path) in [
        ("TestApiUrl", "/greeting?name=Ada"),
        ("ProdApiUrl", "/greeting?name=Ada"),
        ("TestSiteUrl", "/config.json"),
        ("ProdSiteUrl", "/config.json"),
    ] {
        let url = format!("{}{path}", outputs[name]);
        let answer = Visitor::default().get(&url).await.unwrap();
        assert!(answer.status.is_success(), "{url}: {answer:?}");
        answers.insert(name.to_owned(), answer.body);
    }
    answers
}
