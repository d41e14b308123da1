//! What a promotion does when things have moved on: the table "When things have moved on" of docs/releases.md, and what was
//! changed by hand in the repository of releases.

use pipeline_tests::application::Application;
use pipeline_tests::home::home;
use serde_json::{Value, json};

use crate::world::{World, silently, workshop};

/// The editions of the application: a word in the code, a setting in `delivery.toml`, and a test that expects both. So a
/// deployment with a part of another release fails its own tests, which run before it ends.
const EDITIONS: [(&str, u32); 4] = [("one", 256), ("two", 320), ("three", 384), ("four", 448)];

/// The workshop in its first edition.
fn first_edition() -> Application {
    let workshop = workshop();
    let (word, memory) = EDITIONS[0];
    let api = "backend-restapi/src/api.py";
    let edition = format!(r#""edition": "{word} " + os.environ["MEMORY"], "bookings": bookings()"#);
    workshop
        .replace(api, r#""bookings": bookings()"#, &edition)
        .unwrap();
    let variable = "LOG_LEVEL: !Ref LogLevel\n          MEMORY: !Ref Memory";
    workshop
        .replace(
            "backend-restapi/template.yaml",
            "LOG_LEVEL: !Ref LogLevel",
            variable,
        )
        .unwrap();
    let parameters =
        format!(r#"directory = "backend-restapi", parameters = {{ Memory = {memory}, TableName"#);
    workshop
        .replace(
            "delivery.toml",
            r#"directory = "backend-restapi", parameters = { TableName"#,
            &parameters,
        )
        .unwrap();
    let expects = format!(
        "const {{ environment, bookings, edition }} = await answer.json();\n  assert.strictEqual(edition, \"{word} {memory}\");"
    );
    workshop
        .replace(
            "backend-restapi/bookings.test.js",
            "const { environment, bookings } = await answer.json();",
            &expects,
        )
        .unwrap();
    workshop.commit("Edition one").unwrap();
    workshop
}

/// Commits the edition of this number after the one before it.
fn next_edition(workshop: &Application, number: usize) {
    let [(old_word, old_memory), (word, memory)] = [EDITIONS[number - 1], EDITIONS[number]];
    let old = format!("{old_word} {old_memory}");
    let files = [
        (
            "backend-restapi/src/api.py",
            format!(r#""edition": "{old_word} ""#),
            format!(r#""edition": "{word} ""#),
        ),
        (
            "delivery.toml",
            format!("Memory = {old_memory}, TableName"),
            format!("Memory = {memory}, TableName"),
        ),
        (
            "backend-restapi/bookings.test.js",
            format!("\"{old}\""),
            format!("\"{word} {memory}\""),
        ),
    ];
    for (file, before, after) in files {
        workshop.replace(file, &before, &after).unwrap();
    }
    workshop.commit(&format!("Edition {word}")).unwrap();
}

fn edition(number: usize) -> String {
    let (word, memory) = EDITIONS[number];
    format!("{word} {memory}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_deployed_as_it_is_whatever_has_moved_on() {
    let workshop = first_edition();
    let home = home();
    let delivery = silently(&workshop, home.path());
    let _kept = delivery.ends_with_this();
    let world = World::of(&workshop, &delivery);
    let run = world.deliver().await;
    assert_eq!(run.exit_code, 0, "{}", run.printed);
    let first = world.runs_its_release("int").await;
    promoted(&world, &first, 0).await;

    three_at_once_come_one_after_another(&world, &first).await;
    a_release_of_another_branch_brings_its_settings(&world, &first).await;
    what_was_changed_by_hand_is_refused_by_name(&world, &first).await;
    a_record_that_is_gone_or_changed_is_refused_by_name(&world, &first).await;
    the_history_is_replaced(&world, &first).await;
}

/// Brings a release from `int` to `pp`.
async fn promoted(world: &World<'_>, release: &str, number: usize) {
    let arguments = ["promote", "int", "pp", "--release", release, "--yes"];
    world.does(&arguments).await;
    assert_eq!(world.runs_its_release("pp").await, release);
    assert_eq!(world.bookings("pp").await["edition"], edition(number));
}

async fn three_at_once_come_one_after_another(world: &World<'_>, first: &str) {
    let before = world.records("int").await.len();
    let start = async |number| {
        next_edition(world.workshop, number);
        let commit = world.workshop.head().unwrap();
        let started = world.does(&["start", "--revision", &commit]).await;
        started["execution"].as_str().unwrap().to_owned()
    };
    let second = start(1).await;
    let third = start(2).await;
    let promote = ["promote", "pp", "int", "--release", first];
    // It is in `int` already, by its record; it gets there again only if one of the others comes first.
    world.has_begun("int").await;
    let started = world
        .does(&[&promote[..], &["--yes", "--no-wait"]].concat())
        .await;
    let promotion = started["execution"].as_str().unwrap().to_owned();
    world.succeeds("workshop", &second).await;
    world.succeeds("workshop", &third).await;
    world.succeeds("workshop-apply-int", &promotion).await;

    let records = world.records("int").await.split_off(before);
    assert_eq!(records.len(), 3, "{records:#?}");
    let mut owners = Vec::new();
    let mut free_since = String::new();
    for record in &records {
        assert_eq!(record["outcome"]["result"], "succeeded", "{record:#}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let began = text(&record["deployment"]["began"]);
        assert!(began >= free_since, "{records:#?}");
        free_since = text(&record["ended"]);
        owners.push(text(&record["deployment"]["owner"]));
    }
    owners.sort();
    let mut expected = [
        format!("workshop/{second}"),
        format!("workshop/{third}"),
        format!("workshop-apply-int/{promotion}"),
    ];
    expected.sort();
    assert_eq!(owners, expected);
    let last = records.last().unwrap();
    let release = world.runs_its_release("int").await;
    assert_eq!(last["deployment"]["to"]["release"], *release);
}

/// The branch of the pipeline is another one meanwhile, and so are the settings of the environment.
async fn a_release_of_another_branch_brings_its_settings(world: &World<'_>, first: &str) {
    world
        .workshop
        .git(&["switch", "--quiet", "--create", "hotfix"])
        .unwrap();
    next_edition(world.workshop, 3);
    let run = world.deliver().await;
    assert_eq!(run.exit_code, 0, "{}", run.printed);
    let fourth = world.runs_its_release("int").await;
    let manifest = world
        .document(&format!("releases/{fourth}/manifest.json"))
        .await;
    assert_eq!(manifest["source"]["branch"], "hotfix", "{manifest:#}");
    promoted(world, &fourth, 3).await;
    // `main` has the release, and `delivery.toml` of today has other settings.
    promoted(world, first, 0).await;
    promoted(world, &fourth, 3).await;
}

/// Only the tests need the source. With those of the branch as it is now the release is deployed.
async fn the_history_is_replaced(world: &World<'_>, first: &str) {
    let there = world.document("environments/pp/current.json").await;
    let workshop = world.workshop;
    workshop
        .replace(
            "backend-restapi/bookings.test.js",
            &format!("assert.strictEqual(edition, \"{}\");", edition(3)),
            "assert.ok(edition);",
        )
        .unwrap();
    workshop
        .git(&["checkout", "--quiet", "--orphan", "anew"])
        .unwrap();
    workshop.commit("Begin anew").unwrap();
    for branch in ["main", "hotfix"] {
        workshop.git(&["branch", "-D", branch]).unwrap();
    }
    workshop
        .git(&["branch", "--move", "anew", "hotfix"])
        .unwrap();
    workshop
        .git(&["reflog", "expire", "--expire=now", "--all"])
        .unwrap();
    workshop.git(&["gc", "--quiet", "--prune=now"]).unwrap();

    let arguments = ["promote", "int", "pp", "--release", first, "--yes"];
    let refused = world.command(&arguments).await;
    let said = [refused.stdout, refused.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    let manifest = world
        .document(&format!("releases/{first}/manifest.json"))
        .await;
    let commit = manifest["source"]["revision"].as_str().unwrap();
    assert!(said.contains("Source") && said.contains(commit), "{said}");
    assert_eq!(
        world.document("environments/pp/current.json").await,
        there,
        "{said}"
    );

    // As docs/releases.md has it.
    let release = format!("name=release,value={first}");
    let asked = [
        "codepipeline",
        "start-pipeline-execution",
        "--name",
        "workshop-apply-pp",
        "--variables",
        &release,
        "name=kind,value=rollback",
    ];
    let started = world.aws().await.ask(&asked).await;
    let execution = started["pipelineExecutionId"].as_str().unwrap();
    world.succeeds("workshop-apply-pp", execution).await;
    assert_eq!(world.runs_its_release("pp").await, first);
    assert_eq!(world.bookings("pp").await["edition"], edition(0));
}

/// After a rollback, what was there before it is in the record of the deployment that had brought the release.
async fn a_record_that_is_gone_or_changed_is_refused_by_name(world: &World<'_>, release: &str) {
    let newer = world.release_of("pp").await;
    let rolls_back = async || {
        let started = world.does(&["rollback", "pp", "--yes"]).await;
        let execution = started["execution"].as_str().unwrap();
        world.succeeds("workshop-apply-pp", execution).await;
        world.runs_its_release("pp").await
    };
    assert_eq!(rolls_back().await, release);

    let key = "environments/pp/current.json";
    let there = world.document(key).await;
    let origin = there["current"]["origin"].as_str().unwrap();
    assert_ne!(there["last"]["deployment"]["id"], origin, "{there:#}");
    let record = format!("environments/pp/deployments/{origin}.json");
    let rollback = ["rollback", "pp", "--yes"];
    for (text, expected) in [
        (None, "is missing"),
        (Some(r#"{"schema": 2}"#), "has schema 2"),
    ] {
        let said = refused_by(world, &rollback, &record, text).await;
        assert!(said.contains(expected) && said.contains(&record), "{said}");
    }
    assert_eq!(world.document(key).await, there);
    assert_eq!(rolls_back().await, newer);
}

/// Each is mended again before the next one.
async fn what_was_changed_by_hand_is_refused_by_name(world: &World<'_>, release: &str) {
    let key = format!("releases/{release}/manifest.json");
    let bytes = world.object(&key).await;
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let changed = text.replacen("\"main\"", "\"mein\"", 1);
    assert_ne!(changed, text);
    let said = refused(world, release, &key, Some(&changed)).await;
    assert!(
        said.contains("was changed after it was published"),
        "{said}"
    );
    assert!(said.contains(&key), "{said}");

    let code = &manifest["services"]["tasks"]["artifacts"]["Cleanup"]["sha256"];
    let code = format!("blobs/sha256/{}", code.as_str().unwrap());
    let said = refused(world, release, &code, Some("something else")).await;
    assert!(said.contains(&code), "{said}");

    let key = "environments/pp/current.json";
    let newer = json!({ "schema": 2 }).to_string();
    let said = refused(world, release, key, Some(&newer)).await;
    assert!(
        said.contains(key) && said.contains("has schema 2"),
        "{said}"
    );

    let key = format!("releases/{release}/verified/int.json");
    let said = refused(world, release, &key, None).await;
    assert!(said.contains("`int`"), "{said}");
}

/// Replaces or removes an object and promotes; returns what was said. Then the object is as it was again.
async fn refused(world: &World<'_>, release: &str, key: &str, text: Option<&str>) -> String {
    let arguments = ["promote", "int", "pp", "--release", release, "--yes"];
    refused_by(world, &arguments, key, text).await
}

/// The same with another command.
async fn refused_by(
    world: &World<'_>,
    arguments: &[&str],
    key: &str,
    text: Option<&str>,
) -> String {
    let stacks = world.changes("workshop-pp-").await;
    let there = world.object(key).await;
    world.replace(key, text.map(str::as_bytes)).await;
    let output = world.command(arguments).await;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!output.status.success(), "{key}: {said}");
    assert_eq!(world.changes("workshop-pp-").await, stacks, "{key}: {said}");
    world.replace(key, Some(&there)).await;
    said
}
