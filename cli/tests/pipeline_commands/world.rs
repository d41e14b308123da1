//! The engine, and functions that the test plays.

mod program;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::{BehaviorVersion, Credentials as SdkCredentials, Region};
use aws_sdk_codepipeline::types as sdk;
use aws_sdk_codepipeline::types::{FailureDetails, FailureType, StageState};
use delivery_testing::events::TEST_KEYS;
use jsonschema::Validator;
use local::engine::{
    Clock, Credentials, Durations, Engine, EngineConfig, EngineHandle, FunctionInvoker, PortError,
    PortFuture, Ports,
};
use local::source::Source;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

pub(crate) use program::Ended;

use crate::services::{self, Invocation};

pub(crate) const PIPELINE: &str = "shop-Delivery-1";
const REPOSITORY: &str = "octo/shop";

/// How long a test waits for what has to happen; only a test that fails waits that long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Hands jobs to the test.
struct Functions(Mutex<mpsc::UnboundedSender<Job>>);

/// A job of a function.
#[derive(Debug)]
pub(crate) struct Job {
    function: String,
    id: String,
    user_parameters: Option<String>,
}

impl Job {
    pub(crate) fn user_parameters(&self) -> &str {
        self.user_parameters.as_deref().unwrap_or_default()
    }
}

impl FunctionInvoker for Functions {
    fn invoke<'a>(
        &'a self,
        function: &'a str,
        event: Vec<u8>,
    ) -> PortFuture<'a, Result<(), PortError>> {
        let event: Value = serde_json::from_slice(&event).unwrap();
        let data = &event["CodePipeline.job"]["data"];
        let configuration = &data["actionConfiguration"]["configuration"];
        let job = Job {
            function: function.to_owned(),
            id: event["CodePipeline.job"]["id"].as_str().unwrap().to_owned(),
            user_parameters: configuration["UserParameters"].as_str().map(str::to_owned),
        };
        let _the_test_may_be_over = self.0.lock().unwrap().send(job);
        Box::pin(async { Ok(()) })
    }
}

/// A pipeline of a stack `shop`, with one commit.
pub(crate) struct World {
    pub(crate) commit: String,
    client: Client,
    jobs: mpsc::UnboundedReceiver<Job>,
    invocations: mpsc::UnboundedReceiver<Invocation>,
    engine: EngineHandle,
    services: String,
    /// The endpoints of further services.
    pub(crate) endpoints: Vec<(&'static str, String)>,
    pub(crate) folder: TempDir,
    schema: Validator,
}

impl World {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let commit = repository(folder.path());
        let (sender, jobs) = mpsc::unbounded_channel();
        let (invoked, invocations) = mpsc::unbounded_channel();
        let source = Source::open(folder.path()).await.unwrap();
        let config = EngineConfig {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            aws_endpoint: String::new(),
            credentials: Credentials {
                access_key_id: TEST_KEYS.access_key_id.to_owned(),
                secret_access_key: TEST_KEYS.secret_access_key.to_owned(),
                session_token: "test".to_owned(),
            },
            durations: Durations::aws(),
            clock: Clock::System,
            sources: BTreeMap::from([(REPOSITORY.to_owned(), source)]),
        };
        let ports = Ports::discarding(Functions(Mutex::new(sender)));
        let engine = Engine::start_with(config, ports).await.unwrap();
        let client = aws_sdk_codepipeline::Config::builder()
            .http_client(delivery_action::aws::http_client())
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(engine.endpoint())
            .credentials_provider(SdkCredentials::new(
                TEST_KEYS.access_key_id,
                TEST_KEYS.secret_access_key,
                None,
                None,
                "test",
            ))
            .build();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/output.schema.json");
        let schema: Value =
            serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
        let world = Self {
            commit,
            client: Client::from_conf(client),
            jobs,
            services: services::serve(PIPELINE, invoked).await,
            invocations,
            endpoints: Vec::new(),
            engine,
            folder,
            schema: jsonschema::validator_for(&schema).unwrap(),
        };
        world.create(PIPELINE).await;
        world
    }

    /// Creates a pipeline, which runs at once.
    pub(crate) async fn create(&self, name: &str) {
        let store = sdk::ArtifactStore::builder()
            .r#type(sdk::ArtifactStoreType::S3)
            .location("artifact-store")
            .build()
            .unwrap();
        let source = action(
            "Checkout",
            sdk::ActionCategory::Source,
            "CodeStarSourceConnection",
        )
        .configuration("ConnectionArn", services::CONNECTION)
        .configuration("FullRepositoryId", REPOSITORY)
        .configuration("BranchName", "main")
        .output_artifacts(sdk::OutputArtifact::builder().name("Code").build().unwrap());
        let approve = action("approve", sdk::ActionCategory::Approval, "Manual");
        let declaration = sdk::PipelineDeclaration::builder()
            .name(name)
            .role_arn("arn:aws:iam::000000000000:role/pipeline")
            .pipeline_type(sdk::PipelineType::V2)
            .artifact_store(store)
            .stages(stage("Source", source))
            .stages(stage("Commit", function("package")))
            .stages(stage("Approval", approve))
            .stages(stage("Production", function("deploy")))
            .build()
            .unwrap();
        let create = self.client.create_pipeline().pipeline(declaration);
        create.send().await.unwrap();
    }

    /// Creates a pipeline that applies releases, with the variables that the commands give; it runs at once.
    pub(crate) async fn create_applying(&self, name: &str, stage_name: &str) {
        let variables = [
            ("release", "none"),
            ("kind", "deploy"),
            ("from", "-"),
            ("by", "-"),
            ("reason", "-"),
            ("unverified", "no"),
            ("name", "-"),
        ];
        let passed = variables.map(|(name, _)| format!("{name}=#{{variables.{name}}}"));
        let variables = variables.map(|(name, default)| {
            let variable = sdk::PipelineVariableDeclaration::builder().name(name);
            variable.default_value(default).build().unwrap()
        });
        let found = self.client.get_pipeline().name(PIPELINE).send().await;
        let mut declaration = found.unwrap().pipeline.unwrap();
        name.clone_into(&mut declaration.name);
        declaration.stages.truncate(1);
        let apply = function("apply").configuration(
            "UserParameters",
            format!("{}&commit=#{{SourceVariables.CommitId}}", passed.join("&")),
        );
        declaration.stages[0].actions[0].namespace = Some("SourceVariables".to_owned());
        declaration.stages.push(stage(stage_name, apply));
        declaration.variables = Some(variables.to_vec());
        declaration.execution_mode = Some(sdk::ExecutionMode::Queued);
        let create = self.client.create_pipeline().pipeline(declaration);
        create.send().await.unwrap();
    }

    /// Puts commands into the stage `Commit`, and starts an execution in which they fail: the engine of these tests runs
    /// none.
    pub(crate) async fn build_by_commands(&self) {
        let found = self.client.get_pipeline().name(PIPELINE).send().await;
        let mut declaration = found.unwrap().pipeline.unwrap();
        let commands = action("build", sdk::ActionCategory::Compute, "Commands")
            .commands("make")
            .input_artifacts(sdk::InputArtifact::builder().name("Code").build().unwrap());
        declaration.stages[1] = stage("Commit", commands);
        let update = self.client.update_pipeline().pipeline(declaration);
        update.send().await.unwrap();
        let start = self.client.start_pipeline_execution().name(PIPELINE);
        start.send().await.unwrap();
        self.until("Commit", |found| {
            let mut actions = found.action_states().iter();
            actions.any(|action| {
                let latest = action.latest_execution();
                action.action_name() == Some("build")
                    && latest.and_then(|latest| latest.status())
                        == Some(&sdk::ActionExecutionStatus::Failed)
            })
        })
        .await;
    }

    /// Lets `deploy-app` deploy the function `greeter` to `prod` after `Commit`, with nobody who approves.
    pub(crate) async fn deploy_a_function(&self, pipeline: &str) {
        self.deploy_functions(pipeline, &[("deploy-app", "greeter")])
            .await;
    }

    /// Lets these actions deploy these functions.
    pub(crate) async fn deploy_functions(&self, pipeline: &str, functions: &[(&str, &str)]) {
        let found = self.client.get_pipeline().name(pipeline).send().await;
        let mut declaration = found.unwrap().pipeline.unwrap();
        let mut actions = functions.iter().map(|(action, name)| {
            let parameters = format!(
                "function={name}&alias=prod&revision=#{{SourceVariables.CommitId}}&strategy=canary:10@5m&alarms=errors"
            );
            function(action).configuration("UserParameters", parameters)
        });
        let mut production = stage("Production", actions.next().expect("a function"));
        production
            .actions
            .extend(actions.map(|action| action.build().unwrap()));
        declaration.stages.truncate(2);
        declaration.stages[0].actions[0].namespace = Some("SourceVariables".to_owned());
        declaration.stages.push(production);
        let update = self.client.update_pipeline().pipeline(declaration);
        update.send().await.unwrap();
    }

    /// Starts an execution of a new commit that brings a version of the function, and returns its id.
    pub(crate) async fn deliver(&mut self, version: &str) -> String {
        let execution = self.start_to_deploy(version).await;
        let job = self.job_of("deploy-app").await;
        self.bring(&job, version).await;
        execution
    }

    /// Starts an execution of a new commit; its functions are about to be deployed.
    pub(crate) async fn start_to_deploy(&mut self, message: &str) -> String {
        git(
            self.folder.path(),
            &["commit", "--quiet", "--allow-empty", "--message", message],
        );
        self.commit = git(self.folder.path(), &["rev-parse", "HEAD"]);
        let start = self.client.start_pipeline_execution().name(PIPELINE);
        let started = start.send().await.unwrap();
        let job = self.job_of("package").await;
        self.succeed(&job).await;
        started.pipeline_execution_id.unwrap()
    }

    /// Gives the pipeline the stages and actions of a usual one, each action after the one before it.
    pub(crate) async fn deliver_an_application(&self) {
        const DEPLOYMENT: [&str; 4] = ["deploy-app", "deploy-api", "deploy-site", "e2e"];
        let stages: [(&str, &[&str]); 3] = [
            ("Commit", &["npm-install", "test-and-package"]),
            ("Acceptance", &DEPLOYMENT),
            ("Production", &DEPLOYMENT),
        ];
        let found = self.client.get_pipeline().name(PIPELINE).send().await;
        let mut declaration = found.unwrap().pipeline.unwrap();
        declaration.stages.truncate(1);
        declaration.stages.extend(stages.map(|(name, actions)| {
            let stage = sdk::StageDeclaration::builder().name(name);
            let actions = actions.iter().zip(1..).map(|(name, order)| {
                let action = function(name).run_order(order);
                action.build().unwrap()
            });
            stage.set_actions(Some(actions.collect())).build().unwrap()
        }));
        let update = self.client.update_pipeline().pipeline(declaration);
        update.send().await.unwrap();
    }

    /// Lets each of so many functions be deployed with this version.
    pub(crate) async fn bring_each(&mut self, functions: usize, version: &str) {
        for _ in 0..functions {
            let job = tokio::time::timeout(PATIENCE, self.jobs.recv()).await;
            let job = job.expect("a function is invoked").unwrap();
            self.bring_one(&job, version).await;
        }
        self.until_stage("Production", "Succeeded").await;
    }

    /// Reports a job as deploy-app does.
    pub(crate) async fn bring(&self, job: &Job, version: &str) {
        self.bring_one(job, version).await;
        self.until_stage("Production", "Succeeded").await;
    }

    async fn bring_one(&self, job: &Job, version: &str) {
        let report = self.client.put_job_success_result().job_id(&job.id);
        let report = report.output_variables("FunctionVersion", version);
        report.send().await.unwrap();
    }

    /// Whether the pipeline still takes a job's result.
    pub(crate) async fn still_takes(&self, job: &Job) -> bool {
        let report = self.client.put_job_success_result().job_id(&job.id);
        report.send().await.is_ok()
    }

    /// The next job, which has to be that of this function.
    pub(crate) async fn job_of(&mut self, function: &str) -> Job {
        let job = tokio::time::timeout(PATIENCE, self.jobs.recv()).await;
        let job = job.expect("a function is invoked").unwrap();
        assert_eq!(job.function, function);
        job
    }

    /// The next function that a command invokes.
    pub(crate) async fn invocation(&mut self) -> Invocation {
        let invocation = tokio::time::timeout(PATIENCE, self.invocations.recv()).await;
        invocation.expect("a function is invoked").unwrap()
    }

    pub(crate) async fn succeed(&self, job: &Job) {
        let report = self.client.put_job_success_result().job_id(&job.id);
        report.send().await.unwrap();
    }

    pub(crate) async fn succeed_with(&self, job: &Job, summary: &str) {
        let details = sdk::ExecutionDetails::builder().summary(summary).build();
        let report = self.client.put_job_success_result().job_id(&job.id);
        report.execution_details(details).send().await.unwrap();
    }

    pub(crate) async fn fail(&self, job: &Job, message: &str) {
        let details = FailureDetails::builder()
            .r#type(FailureType::JobFailed)
            .message(message)
            .external_execution_id("r-1")
            .build()
            .unwrap();
        let report = self.client.put_job_failure_result().job_id(&job.id);
        report.failure_details(details).send().await.unwrap();
    }

    /// Waits until a stage's latest execution has this status.
    pub(crate) async fn until_stage(&self, stage: &str, status: &str) {
        self.until(stage, |found| {
            let latest = found.latest_execution();
            latest.is_some_and(|latest| latest.status().as_str() == status)
        })
        .await;
    }

    /// Waits until an approval of a stage waits.
    pub(crate) async fn until_waiting(&self, stage: &str) {
        self.until(stage, |found| {
            let mut actions = found.action_states().iter();
            actions.any(|action| {
                let latest = action.latest_execution();
                latest.is_some_and(|latest| latest.token().is_some())
            })
        })
        .await;
    }

    async fn until(&self, stage: &str, wanted: impl Fn(&StageState) -> bool) {
        let asked = async {
            loop {
                let answer = self.client.get_pipeline_state().name(PIPELINE).send().await;
                let answer = answer.unwrap();
                let mut stages = answer.stage_states().iter();
                let found = stages.find(|found| found.stage_name() == Some(stage));
                if found.is_some_and(&wanted) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked)
            .await
            .expect("it happens");
    }

    /// What `delivery status --json` says of the stages is what the service says.
    pub(crate) async fn agrees_with_the_service(&self, document: &Value) {
        let state = self.client.get_pipeline_state().name(PIPELINE).send().await;
        let state = state.unwrap();
        let of_the_service: Vec<Value> = state
            .stage_states()
            .iter()
            .map(|stage| {
                let latest = stage.latest_execution();
                let actions = stage.action_states().iter().map(|action| {
                    let latest = action.latest_execution();
                    let status = latest.and_then(|latest| latest.status());
                    json!([
                        action.action_name(),
                        status.map(sdk::ActionExecutionStatus::as_str)
                    ])
                });
                json!({
                    "name": stage.stage_name(),
                    "status": latest.map(|latest| latest.status().as_str()),
                    "execution": latest.map(sdk::StageExecution::pipeline_execution_id),
                    "actions": actions.collect::<Vec<_>>(),
                })
            })
            .collect();
        let stages = document["pipeline"]["stages"].as_array().unwrap();
        let shown: Vec<Value> = stages
            .iter()
            .map(|stage| {
                let actions = stage["actions"].as_array().unwrap().iter();
                let actions = actions.map(|action| json!([action["name"], action["status"]]));
                json!({
                    "name": stage["name"],
                    "status": stage["status"],
                    "execution": stage["execution"],
                    "actions": actions.collect::<Vec<_>>(),
                })
            })
            .collect();
        assert_eq!(shown, of_the_service);
    }
}

fn action(
    name: &str,
    category: sdk::ActionCategory,
    provider: &str,
) -> sdk::builders::ActionDeclarationBuilder {
    let kind = sdk::ActionTypeId::builder()
        .category(category)
        .owner(sdk::ActionOwner::Aws)
        .provider(provider)
        .version("1")
        .build()
        .unwrap();
    sdk::ActionDeclaration::builder()
        .name(name)
        .action_type_id(kind)
}

fn function(name: &str) -> sdk::builders::ActionDeclarationBuilder {
    action(name, sdk::ActionCategory::Invoke, "Lambda")
        .configuration("FunctionName", name)
        .input_artifacts(sdk::InputArtifact::builder().name("Code").build().unwrap())
}

fn stage(name: &str, action: sdk::builders::ActionDeclarationBuilder) -> sdk::StageDeclaration {
    sdk::StageDeclaration::builder()
        .name(name)
        .actions(action.build().unwrap())
        .build()
        .unwrap()
}

/// Makes a repository with one commit, and returns its id.
fn repository(folder: &Path) -> String {
    git(folder, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(folder.join("index.html"), "one").unwrap();
    git(folder, &["add", "--all"]);
    let message = "First commit\n\nwith a body";
    git(folder, &["commit", "--quiet", "--message", message]);
    git(folder, &["rev-parse", "HEAD"])
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
        .args(["-c", "commit.gpgsign=false"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
