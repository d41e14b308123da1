//! The workshop with environments that releases go through, and what a person sees of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline_tests::application::Application;
use pipeline_tests::aws::Aws;
use pipeline_tests::checkout;
use pipeline_tests::delivery::{Delivery, Run};
use pipeline_tests::visitor::Visitor;
use serde_json::Value;
use tokio::process::Command;

/// A copy for each execution, an environment that each commit reaches, and two that releases reach by a person.
const DEFINITION: &str = r#"application = "workshop"

[services]
database = "backend-database"
restapi  = { directory = "backend-restapi", parameters = { TableName = "${database.TableName}" }, test = { task = "test-functional", environment = { TARGET_URL = "${restapi.Url}" } } }
tasks    = { directory = "backend-tasks", parameters = { TableName = "${database.TableName}" } }
website  = { directory = "frontend", site = "build", config = { apiBaseurl = "${restapi.Url}" } }

[environments]
qa  = { ttl = "4h" }
int = {}
pp  = { after = "int", manual = true }
prd = { after = "pp", manual = true, parameters = { LogLevel = "warn" }, services = { restapi = { Memory = 512 } } }
"#;

const PACKAGE: &str = r#"{
  "name": "bookings-tests",
  "version": "1.0.0",
  "private": true,
  "scripts": { "test-functional": "node --test" }
}
"#;

/// It asks the API that was deployed; the environment's name shows that it is the copy's own.
const TEST: &str = r#"const { test } = require("node:test");
const assert = require("node:assert");

test("the API lists bookings", async () => {
  const answer = await fetch(`${process.env.TARGET_URL}/bookings`);
  assert.strictEqual(answer.status, 200);
  const { environment, bookings } = await answer.json();
  console.log(`tested ${environment}`);
  assert.ok(Array.isArray(bookings));
});
"#;

/// How long something may take that happens by itself.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often a test looks whether it has happened.
const PAUSE: Duration = Duration::from_millis(500);

/// The application, and a local AWS that stays.
pub(crate) struct World<'a> {
    pub(crate) workshop: &'a Application,
    pub(crate) delivery: &'a Delivery,
    pub(crate) visitor: Visitor,
}

/// The workshop with releases.
pub(crate) fn workshop() -> Application {
    let workshop = Application::example("workshop").unwrap();
    workshop.write("delivery.toml", DEFINITION).unwrap();
    workshop
        .write("backend-restapi/package.json", PACKAGE)
        .unwrap();
    workshop
        .write("backend-restapi/bookings.test.js", TEST)
        .unwrap();
    workshop.commit("Deliver releases").unwrap();
    workshop
}

impl World<'_> {
    pub(crate) async fn deliver(&self) -> Run {
        self.delivery.run(&["--keep"]).await.unwrap()
    }

    pub(crate) async fn aws(&self) -> Aws {
        Aws::new(self.variables().await)
    }

    async fn variables(&self) -> BTreeMap<String, String> {
        self.delivery.variables().await.unwrap()
    }

    /// Runs `delivery` in the application's folder, as somebody whose shell knows the local AWS.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(checkout::programs().join("delivery"));
        command
            .args(arguments)
            .current_dir(self.workshop.path())
            .envs(self.variables().await);
        command.output().await.unwrap()
    }

    /// The same where it must succeed; its last line of JSON.
    pub(crate) async fn does(&self, arguments: &[&str]) -> Value {
        let output = self.command(&[arguments, &["--json"]].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {printed}\n{said}");
        let last = printed.trim().lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|_| panic!("{arguments:?}: {printed}"))
    }

    /// A document of the repository.
    pub(crate) async fn document(&self, key: &str) -> Value {
        let aws = self.aws().await;
        let bucket = aws.output("workshop", "Releases").await;
        aws.ask(&["s3", "cp", &format!("s3://{bucket}/{key}"), "-"])
            .await
    }

    /// The release that an environment has by its record.
    pub(crate) async fn release_of(&self, environment: &str) -> String {
        let state = self
            .document(&format!("environments/{environment}/current.json"))
            .await;
        let release = state["current"]["release"].as_str();
        release.unwrap_or_else(|| panic!("{state:#}")).to_owned()
    }

    /// Checks that Lambda runs in an environment what the manifest of its release says, by digest.
    pub(crate) async fn runs_its_release(&self, environment: &str) -> String {
        let release = self.release_of(environment).await;
        let manifest = self
            .document(&format!("releases/{release}/manifest.json"))
            .await;
        let aws = self.aws().await;
        for (service, function) in [("restapi", "Api"), ("tasks", "Cleanup")] {
            let stack = format!("workshop-{environment}-{service}");
            let artifact = &manifest["services"][service]["artifacts"][function];
            let published = artifact["sha256"].as_str().unwrap_or_default();
            let published = hex::decode(published).unwrap();
            let runs = &aws.function_of(&stack, function).await["CodeSha256"];
            assert_eq!(*runs, STANDARD.encode(published), "{stack}: {artifact}");
        }
        release
    }

    /// What the API of an environment answers.
    pub(crate) async fn bookings(&self, environment: &str) -> Value {
        let aws = self.aws().await;
        let stack = format!("workshop-{environment}-restapi");
        let api = aws.output(&stack, "Url").await;
        let answer = self.visitor.get(&format!("{api}/bookings")).await.unwrap();
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{api}: {}", answer.body))
    }

    /// The names of the stacks that are there and begin so.
    pub(crate) async fn stacks(&self, begin: &str) -> Vec<String> {
        let aws = self.aws().await;
        let listed = aws.ask(&["cloudformation", "describe-stacks"]).await;
        let stacks = listed["Stacks"].as_array().unwrap().iter();
        let names = stacks.map(|stack| stack["StackName"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with(begin)).collect()
    }

    /// Waits until the rollback of an environment that was just begun has ended.
    pub(crate) async fn rollback_ends(&self, environment: &str) {
        let key = format!("environments/{environment}/current.json");
        let ended = async {
            loop {
                let state = self.document(&key).await;
                if state["last"]["deployment"]["action"]["kind"] == "rollback" {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, ended).await.is_ok();
        assert!(in_time, "{:#}", self.document(&key).await);
    }

    /// Waits until no stack begins so.
    pub(crate) async fn are_gone(&self, begin: &str) {
        let gone = async {
            loop {
                if self.stacks(begin).await.is_empty() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, gone).await.is_ok();
        assert!(in_time, "still there: {:?}", self.stacks(begin).await);
    }

    /// The environments of a family that the repository knows, with their documents.
    pub(crate) async fn members(&self, family: &str) -> Vec<(String, Value)> {
        let aws = self.aws().await;
        let bucket = aws.output("workshop", "Releases").await;
        let prefix = format!("environments/{family}-");
        let asked = [
            "s3api",
            "list-objects-v2",
            "--bucket",
            &bucket,
            "--prefix",
            &prefix,
        ];
        let listed = aws.ask(&asked).await;
        let mut members = Vec::new();
        for object in listed["Contents"].as_array().into_iter().flatten() {
            let key = object["Key"].as_str().unwrap();
            let name = key.strip_prefix("environments/").unwrap();
            if let Some(name) = name.strip_suffix("/current.json") {
                members.push((name.to_owned(), self.document(key).await));
            }
        }
        members
    }
}

/// Where a home is that no test shares.
pub(crate) fn silently(workshop: &Application, home: &Path) -> Delivery {
    Delivery::silently(workshop.path(), home)
}
