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

/// How long an execution may take that waits for others: each takes half a minute on a machine that is not busy.
const EXECUTION_PATIENCE: Duration = Duration::from_mins(5);

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

impl<'a> World<'a> {
    pub(crate) fn of(workshop: &'a Application, delivery: &'a Delivery) -> Self {
        Self {
            workshop,
            delivery,
            visitor: Visitor::default(),
        }
    }

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

    /// The bytes of an object of the repository.
    pub(crate) async fn object(&self, key: &str) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        self.s3(&["cp", &self.address(key).await, path]).await;
        std::fs::read(file.path()).unwrap()
    }

    /// Puts other bytes in the place of an object of the repository, or removes it. The bucket lets nobody overwrite one.
    pub(crate) async fn replace(&self, key: &str, bytes: Option<&[u8]>) {
        self.s3(&["rm", &self.address(key).await]).await;
        let Some(bytes) = bytes else { return };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let aws = self.aws().await;
        let bucket = aws.output("workshop", "Releases").await;
        let object = ["--bucket", &bucket, "--key", key];
        let body = ["--body", file.path().to_str().unwrap()];
        let how = ["--if-none-match", "*", "--checksum-algorithm", "SHA256"];
        aws.ask(&[&["s3api", "put-object"], &object[..], &body, &how].concat())
            .await;
    }

    async fn s3(&self, arguments: &[&str]) {
        let aws = self.aws().await;
        aws.ask(&[&["s3"], arguments].concat()).await;
    }

    async fn address(&self, key: &str) -> String {
        let bucket = self.aws().await.output("workshop", "Releases").await;
        format!("s3://{bucket}/{key}")
    }

    /// The records of an environment's deployments, the oldest first.
    pub(crate) async fn records(&self, environment: &str) -> Vec<Value> {
        let aws = self.aws().await;
        let bucket = aws.output("workshop", "Releases").await;
        let prefix = format!("environments/{environment}/deployments/");
        let listing = ["--bucket", &bucket, "--prefix", &prefix];
        let asked = [&["s3api", "list-objects-v2"], &listing[..]].concat();
        let listed = aws.ask(&asked).await;
        let mut records = Vec::new();
        for object in listed["Contents"].as_array().into_iter().flatten() {
            records.push(self.document(object["Key"].as_str().unwrap()).await);
        }
        records.sort_by_key(|record| {
            let id = record["deployment"]["id"].as_str().unwrap();
            let number = id.split_once('-').unwrap().1;
            number.parse::<u64>().unwrap()
        });
        records
    }

    /// Waits until somebody deploys to an environment.
    pub(crate) async fn has_begun(&self, environment: &str) {
        let key = format!("environments/{environment}/current.json");
        let begun = async {
            while self.document(&key).await["lease"].is_null() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, begun).await.is_ok();
        assert!(in_time, "{:#}", self.document(&key).await);
    }

    /// Waits for the end of an execution, which must be success.
    pub(crate) async fn succeeds(&self, pipeline: &str, execution: &str) {
        let aws = self.aws().await;
        let asked = [
            "codepipeline",
            "get-pipeline-execution",
            "--pipeline-name",
            pipeline,
            "--pipeline-execution-id",
            execution,
        ];
        let ended = async {
            loop {
                let status = &aws.ask(&asked).await["pipelineExecution"]["status"];
                if status != "InProgress" {
                    return status.clone();
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let status = tokio::time::timeout(EXECUTION_PATIENCE, ended).await;
        let failures = aws.failures(pipeline, execution).await;
        let status = status.unwrap_or_default();
        assert_eq!(status, "Succeeded", "{pipeline}: {failures:?}");
    }

    /// When each stack whose name begins so was changed last.
    pub(crate) async fn changes(&self, begin: &str) -> Vec<(Value, Value)> {
        let aws = self.aws().await;
        let listed = aws.ask(&["cloudformation", "describe-stacks"]).await;
        let stacks = listed["Stacks"].as_array().unwrap().iter();
        let stacks = stacks.map(|stack| {
            let name = stack["StackName"].clone();
            (name, stack["LastUpdatedTime"].clone())
        });
        let begins = |name: &Value| name.as_str().is_some_and(|name| name.starts_with(begin));
        stacks.filter(|(name, _)| begins(name)).collect()
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

    /// Waits until the last deployment to an environment that has ended is of this kind.
    pub(crate) async fn ends(&self, environment: &str, kind: &str) {
        let key = format!("environments/{environment}/current.json");
        let ended = async {
            loop {
                let state = self.document(&key).await;
                if state["last"]["deployment"]["action"]["kind"] == kind {
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
