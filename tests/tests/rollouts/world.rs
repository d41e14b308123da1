//! One local AWS with its engine, and services that are delivered in it.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::types::{Capability, Parameter};
use aws_sdk_codepipeline::types::PipelineExecutionStatus;
use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use local::aws::LocalAws;
use local::engine::{self, Clock, Durations, Engine, EngineConfig, EngineHandle};
use local::launch::SECRET_ACCESS_KEY;
use local::ministack::ACCOUNT;
use local::source::Source;
use pipeline_tests::checkout;
use pipeline_tests::visitor::{Fetching, Visitor};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

const REGION: &str = "us-east-1";

/// What the draws of the aliases begin with.
const SEED: &str = "1";

/// The functions of the template.
const FUNCTIONS: [&str; 2] = ["deploy-app", "guard"];

/// The bucket with their packages.
const CODE: &str = "code";

/// The services of the tests: the engine has to know their sources when it starts.
const SERVICES: [&str; 5] = ["good", "worse", "ringing", "abandoned", "asked"];

/// How long a rollout of a test may take; each takes about ten seconds on a machine that is not busy.
const WITHIN: Duration = Duration::from_mins(2);

/// How often a test looks.
const LOOK: Duration = Duration::from_millis(100);

/// Never dropped: the supervisor ends everything when this process ends.
static SHARED: LazyLock<(Runtime, World)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::start());
    (runtime, world)
});

/// Runs a test in the one local AWS.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(&'static World) -> F) {
    let (runtime, world) = &*SHARED;
    runtime.block_on(test(world));
}

pub(crate) struct World {
    _aws: LocalAws,
    _engine: EngineHandle,
    sources: TempDir,
    cloudformation: aws_sdk_cloudformation::Client,
    codepipeline: aws_sdk_codepipeline::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
}

impl World {
    async fn start() -> Self {
        let home = checkout::root().join(".delivery");
        let aws = LocalAws::start_seeded(home, REGION, SEED).await.unwrap();
        let sources = tempfile::tempdir().unwrap();
        let mut known = BTreeMap::new();
        for service in SERVICES {
            let folder = sources.path().join(service);
            std::fs::create_dir(&folder).unwrap();
            let source = Source::open(&folder).await.unwrap();
            known.insert(format!("local/{service}"), source);
        }
        let engine = Engine::start(EngineConfig {
            region: REGION.to_owned(),
            account_id: ACCOUNT.to_owned(),
            aws_endpoint: aws.endpoint().to_owned(),
            credentials: engine::Credentials {
                access_key_id: aws.keys().access_key_id("ASIA"),
                secret_access_key: "secret".to_owned(),
                session_token: "session".to_owned(),
            },
            durations: Durations::local(),
            clock: Clock::System,
            sources: known,
        })
        .await
        .unwrap();
        let address = engine.endpoint();
        aws.route_codepipeline(address.trim_start_matches("http://").parse().unwrap());
        let config = config(&aws);
        put_functions(&aws_sdk_s3::Client::new(&config)).await;
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            codepipeline: aws_sdk_codepipeline::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            _aws: aws,
            _engine: engine,
            sources,
        }
    }

    /// Launches a service with a first release, which serves when this is over.
    pub(crate) async fn service(&'static self, name: &'static str, strategy: &str) -> Service {
        let mut service = Service {
            world: self,
            name,
            url: String::new(),
        };
        service.write("first", "");
        let parameter = |key: &str, value: &str| {
            let parameter = Parameter::builder().parameter_key(key);
            parameter.parameter_value(value).build()
        };
        let create = self.cloudformation.create_stack().stack_name(name);
        let create = create.template_body(include_str!("template.yaml"));
        create
            .parameters(parameter("Name", name))
            .parameters(parameter("Strategy", strategy))
            .capabilities(Capability::CapabilityIam)
            .send()
            .await
            .unwrap();
        service.url = self.url_of(name).await;
        service.wait_for("first").await;
        service
    }

    async fn url_of(&self, stack: &str) -> String {
        let began = Instant::now();
        loop {
            let describe = self.cloudformation.describe_stacks().stack_name(stack);
            let stack = describe.send().await.unwrap().stacks.unwrap().remove(0);
            let status = stack.stack_status().unwrap().as_str();
            if status == "CREATE_COMPLETE" {
                return stack.outputs()[0].output_value().unwrap().to_owned();
            }
            assert_eq!(
                status,
                "CREATE_IN_PROGRESS",
                "{:?}",
                stack.stack_status_reason()
            );
            assert!(began.elapsed() < WITHIN, "the stack is not made");
            sleep(LOOK).await;
        }
    }
}

fn config(aws: &LocalAws) -> SdkConfig {
    let key = aws.access_key_id();
    let credentials = Credentials::new(key, SECRET_ACCESS_KEY, None, None, "local");
    SdkConfig::builder()
        .http_client(delivery_action::aws::http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(aws.endpoint())
        .build()
}

/// Uploads the programs as they were built, as packages of a custom runtime.
async fn put_functions(s3: &aws_sdk_s3::Client) {
    let folder = tempfile::tempdir().unwrap();
    s3.create_bucket().bucket(CODE).send().await.unwrap();
    for function in FUNCTIONS {
        let content = folder.path().join(function);
        std::fs::create_dir(&content).unwrap();
        let program = checkout::programs().join(function);
        std::fs::copy(program, content.join("bootstrap")).unwrap();
        let key = format!("{function}.zip");
        let package = folder.path().join(&key);
        delivery_archive::create_file(&content, &package).unwrap();
        let body = std::fs::read(package).unwrap();
        let put = s3.put_object().bucket(CODE).key(key);
        put.body(body.into()).send().await.unwrap();
    }
}

/// An application with its pipeline.
pub(crate) struct Service {
    world: &'static World,
    name: &'static str,
    url: String,
}

impl Service {
    fn folder(&self) -> PathBuf {
        self.world.sources.path().join(self.name)
    }

    /// Writes a release that says its name, after this statement.
    fn write(&self, release: &str, statement: &str) {
        write(&self.folder(), release, statement);
    }

    /// Someone who asks it all the time.
    pub(crate) fn visited(&self) -> Fetching {
        Visitor::default().keep_fetching(vec![self.url.clone()])
    }

    /// Asks some times, and expects this release each time.
    pub(crate) async fn answers(&self, times: usize, release: &str) {
        for _ in 0..times {
            let answer = Visitor::default().get(&self.url).await.unwrap();
            assert_eq!(answer.version().as_deref(), Some(release), "{answer:?}");
        }
    }

    /// Begins to deliver a release; gives back the execution's id.
    pub(crate) async fn start(&self, release: &str, statement: &str) -> String {
        self.write(release, statement);
        let start = self.world.codepipeline.start_pipeline_execution();
        let started = start.name(self.name).send().await.unwrap();
        started.pipeline_execution_id.unwrap()
    }

    /// Ends an execution as `delivery stop --abandon` does: its actions are not waited for.
    pub(crate) async fn abandon(&self, execution: &str) {
        let stop = self.world.codepipeline.stop_pipeline_execution();
        let stop = stop.pipeline_name(self.name).abandon(true);
        let stop = stop.pipeline_execution_id(execution);
        stop.send().await.unwrap();
    }

    /// Looks at the alias `prod` until it is as expected.
    pub(crate) async fn wait_for_alias(&self, expected: impl Fn(&GetAliasOutput) -> bool) {
        let began = Instant::now();
        loop {
            let alias = self.alias("prod").await;
            if expected(&alias) {
                return;
            }
            assert!(began.elapsed() < WITHIN, "{alias:?}");
            sleep(LOOK).await;
        }
    }

    /// Delivers a release; gives back how the execution ended, and what the action said.
    pub(crate) async fn release(
        &self,
        release: &str,
        statement: &str,
    ) -> (PipelineExecutionStatus, String) {
        let id = self.start(release, statement).await;
        let status = self.end_of(&id).await;
        let list = self.world.codepipeline.list_action_executions();
        let listed = list.pipeline_name(self.name).send().await.unwrap();
        let details = listed.action_execution_details.unwrap_or_default();
        let mut mine = details.into_iter().filter(|details| {
            details.pipeline_execution_id() == Some(&id)
                && details.action_name() == Some("deploy-app")
        });
        let result = mine
            .next()
            .unwrap()
            .output
            .unwrap()
            .execution_result
            .unwrap();
        let failed = result.error_details.and_then(|error| error.message);
        let said = failed.or(result.external_execution_summary);
        (status, said.unwrap_or_default())
    }

    async fn end_of(&self, execution: &str) -> PipelineExecutionStatus {
        let began = Instant::now();
        loop {
            let get = self.world.codepipeline.get_pipeline_execution();
            let get = get
                .pipeline_name(self.name)
                .pipeline_execution_id(execution);
            let got = get.send().await.unwrap().pipeline_execution.unwrap();
            let status = got.status.unwrap();
            if status != PipelineExecutionStatus::InProgress {
                return status;
            }
            assert!(began.elapsed() < WITHIN, "the rollout does not end");
            sleep(LOOK).await;
        }
    }

    async fn wait_for(&self, release: &str) {
        let began = Instant::now();
        loop {
            let answer = Visitor::default().get(&self.url).await.unwrap();
            if answer.version().as_deref() == Some(release) {
                return;
            }
            assert!(
                began.elapsed() < WITHIN,
                "{} does not serve: {answer:?}",
                self.name
            );
            sleep(LOOK).await;
        }
    }

    /// The function's alias.
    pub(crate) async fn alias(&self, alias: &str) -> GetAliasOutput {
        let get = self.world.lambda.get_alias().function_name(self.name);
        get.name(alias).send().await.unwrap()
    }
}

fn write(folder: &Path, release: &str, statement: &str) {
    let code = format!(
        "import json\ndef handler(event, context):\n    {statement}\n    \
         return {{'statusCode': 200, 'body': json.dumps({{'version': '{release}'}})}}\n"
    );
    std::fs::write(folder.join("index.py"), code).unwrap();
}
