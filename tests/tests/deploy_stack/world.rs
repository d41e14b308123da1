//! One local AWS for all tests, and the action in it.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::types::{Capability, Parameter};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use delivery_action::action::Host;
use delivery_testing::archives::zip_of;
use delivery_testing::events::{JobEvent, invocation_of};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_stack::DeployStack;
use local::aws::{LocalAws, Settings};
use local::launch::SECRET_ACCESS_KEY;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

const REGION: &str = "us-east-1";
const STORE: &str = "artifact-store";
pub(crate) const PACKAGES: &str = "packages";
const ROLE: &str = "arn:aws:iam::000000000000:role/cloudformation";

/// What the draws of weighted aliases begin with.
const SEED: &str = "1";

/// A minute of CodeDeploy.
const MINUTE: Duration = Duration::from_secs(2);

/// The function that one test breaks.
const FRAGILE: &str = "fragile";

/// How long a stack of a test may take; each takes some seconds on a machine that is not busy.
const WITHIN: Duration = Duration::from_mins(2);

/// The stacks with the functions of the custom resources: one for all tests, one for the test that breaks it.
///
/// It waits for `Wait` milliseconds and for the answer of `Gate`, and fails at the requests that `Fail` lists (`Create`, `Update`, `Delete`), or at each
/// while its variable `BROKEN` is set.
const PROBE: &str = r#"
Parameters:
  Name: { Type: String }
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] } }
  Probe:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Ref Name
      Role: !GetAtt Role.Arn
      Runtime: nodejs22.x
      Handler: index.handler
      Timeout: 60
      Code:
        ZipFile: |
          exports.handler = async (event) => {
            const { Wait = "0", Gate, Fail = "" } = event.ResourceProperties;
            await new Promise((done) => setTimeout(done, Number(Wait)));
            if (Gate) await fetch(Gate);
            const fails = Fail.split(",").includes(event.RequestType) || process.env.BROKEN === "1";
            const { StackId, RequestId, LogicalResourceId } = event;
            const PhysicalResourceId = event.PhysicalResourceId || LogicalResourceId;
            const Status = fails ? "FAILED" : "SUCCESS";
            const Reason = fails ? `the probe fails at ${event.RequestType}` : "";
            const body = JSON.stringify({ Status, Reason, StackId, RequestId, LogicalResourceId, PhysicalResourceId });
            await fetch(event.ResponseURL, { method: "PUT", body, headers: { "content-type": "" } });
          };
Outputs:
  Arn: { Value: !GetAtt Probe.Arn }
"#;

/// The role that the stacks work as.
const EXECUTION_ROLE: &str = "
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: cloudformation
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Action: 'sts:AssumeRole', Principal: { Service: cloudformation.amazonaws.com } }]
";

/// Never dropped: the supervisor ends everything when this process ends.
static SHARED: LazyLock<(Runtime, Local)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let local = runtime.block_on(Local::start());
    (runtime, local)
});

/// Runs a test in the one local AWS.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(&'static Local) -> F) {
    let (runtime, local) = &*SHARED;
    runtime.block_on(test(local));
}

pub(crate) struct Local {
    /// Dropped, it ends.
    _aws: LocalAws,
    /// The jobs.
    pub(crate) world: World,
    key: String,
    endpoint: String,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    probe: String,
    jobs: AtomicU32,
}

/// CodePipeline is the world's, all else the local AWS's.
#[derive(Debug)]
struct Endpoints {
    world: String,
    local: String,
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let is_endpoint = key.env() == "AWS_ENDPOINT_URL";
        let url = if key.service_id() == "CodePipeline" {
            &self.world
        } else {
            &self.local
        };
        is_endpoint.then(|| url.clone())
    }
}

/// A configuration with connections of its own: those of an invocation end with it.
fn config(key: &str, endpoint: &str, world: &World) -> SdkConfig {
    let credentials = Credentials::new(key, SECRET_ACCESS_KEY, None, None, "local");
    SdkConfig::builder()
        .http_client(delivery_action::aws::http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .retry_config(RetryConfig::standard())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .service_config(Endpoints {
            world: world.url(),
            local: endpoint.to_owned(),
        })
        .build()
}

impl Local {
    async fn start() -> Self {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.delivery");
        let settings = Settings {
            routing_seed: Some(SEED.into()),
            codedeploy_minute: MINUTE,
        };
        let aws = LocalAws::start_with(home, REGION, settings).await.unwrap();
        let world = World::start().await;
        let (key, endpoint) = (aws.access_key_id(), aws.endpoint().to_owned());
        let config = config(&key, &endpoint, &world);
        let s3 = aws_sdk_s3::Client::new(&config);
        for bucket in [STORE, PACKAGES] {
            s3.create_bucket().bucket(bucket).send().await.unwrap();
        }
        let mut local = Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            probe: String::new(),
            jobs: AtomicU32::new(0),
            _aws: aws,
            world,
            key,
            endpoint,
            s3,
        };
        let create = local.cloudformation.create_stack().stack_name("role");
        let create = create.template_body(EXECUTION_ROLE);
        let create = create.capabilities(Capability::CapabilityNamedIam);
        create.send().await.unwrap();
        assert_eq!(local.at_rest("role").await, "CREATE_COMPLETE");
        for name in ["probe", FRAGILE] {
            let name_of = Parameter::builder()
                .parameter_key("Name")
                .parameter_value(name);
            let create = local.cloudformation.create_stack().stack_name(name);
            let create = create.template_body(PROBE).parameters(name_of.build());
            let create = create.capabilities(Capability::CapabilityIam);
            create.send().await.unwrap();
            assert_eq!(local.at_rest(name).await, "CREATE_COMPLETE");
        }
        local.probe = local.outputs("probe").await.remove("Arn").unwrap();
        local
    }

    /// Has the fragile function fail at everything, or not any more.
    pub(crate) async fn break_probe(&self, broken: bool) {
        let value = if broken { "1" } else { "0" };
        let variables = aws_sdk_lambda::types::Environment::builder().variables("BROKEN", value);
        let update = self.lambda.update_function_configuration();
        let update = update.function_name(FRAGILE);
        update.environment(variables.build()).send().await.unwrap();
    }

    /// An artifact like that of [`Self::custom`], whose resource is the fragile function's.
    pub(crate) async fn fragile(&self, properties: &[(&str, &str)]) -> String {
        let template = self.template(properties);
        let template = template.replace(":function:probe", ":function:fragile");
        self.artifact(&[("template.yaml", &template)]).await
    }

    /// Stores an artifact of files and returns its key.
    pub(crate) async fn artifact(&self, files: &[(&str, &str)]) -> String {
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let key = format!("artifacts/{number}");
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(path, text)| (*path, text.as_bytes()))
            .collect();
        let put = self.s3.put_object().bucket(STORE).key(&key);
        put.body(zip_of(&files).into()).send().await.unwrap();
        key
    }

    /// An artifact with a template of one custom resource, whose properties are these, and returns its key.
    pub(crate) async fn custom(&self, properties: &[(&str, &str)]) -> String {
        self.artifact(&[("template.yaml", &self.template(properties))])
            .await
    }

    /// A template of one custom resource and what it has to wait for nothing.
    pub(crate) fn template(&self, properties: &[(&str, &str)]) -> String {
        let properties = properties
            .iter()
            .fold(String::new(), |text, (name, value)| {
                format!("{text}      {name}: '{value}'\n")
            });
        format!(
            "Resources:\n  Custom:\n    Type: Custom::Probe\n    Properties:\n      ServiceToken: '{}'\n{properties}\
             Outputs:\n  Id: {{ Value: !Ref Custom }}\n",
            self.probe
        )
    }

    /// The next job that deploys an artifact to a stack.
    pub(crate) fn job(&self, stack: &str, key: &str, more: &str) -> JobEvent {
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let parameters =
            format!("stack={stack}&template=template.yaml&bucket={PACKAGES}&role={ROLE}{more}");
        JobEvent::new()
            .id(&format!("{number}-abcd-1111"))
            .input("BuildOutput", STORE, key)
            .user_parameters(&parameters)
            .credentials(None)
    }

    /// One invocation.
    pub(crate) async fn invoke(&self, event: &JobEvent, time: Duration) -> Reported {
        let event = event.clone().build();
        let id = event["CodePipeline.job"]["id"].as_str().unwrap().to_owned();
        self.world.code_pipeline().add_job(&event);
        let config = config(&self.key, &self.endpoint, &self.world);
        Host::new(DeployStack::new, config)
            .invoke(event, invocation_of(time))
            .await
            .unwrap();
        let pipeline = self.world.code_pipeline();
        let reports = pipeline.reports();
        let mine = reports.iter().rfind(|report| report.job == id);
        mine.unwrap().result.clone()
    }

    /// All jobs of an action, to its result.
    pub(crate) async fn act(&self, event: JobEvent) -> Reported {
        let mut next = event.clone();
        loop {
            match self.invoke(&next, WITHIN).await {
                Reported::Continuation { token, .. } => {
                    let number = self.jobs.fetch_add(1, Ordering::Relaxed);
                    next = event.clone().id(&format!("{number}-abcd-1111"));
                    next = next.continuation_token(&token);
                }
                result => return result,
            }
        }
    }

    /// Deploys an artifact to a stack.
    pub(crate) async fn deploy(&self, stack: &str, key: &str, more: &str) -> Reported {
        self.act(self.job(stack, key, more)).await
    }

    /// The stack's status; `None` where there is none.
    pub(crate) async fn status(&self, stack: &str) -> Option<String> {
        let describe = self.cloudformation.describe_stacks().stack_name(stack);
        let stacks = describe.send().await.ok()?.stacks?;
        Some(stacks.first()?.stack_status()?.as_str().to_owned())
    }

    /// Waits until a stack is at rest.
    pub(crate) async fn at_rest(&self, stack: &str) -> String {
        let deadline = Instant::now() + WITHIN;
        loop {
            let status = self.status(stack).await.unwrap();
            if !status.ends_with("_IN_PROGRESS") {
                return status;
            }
            assert!(Instant::now() < deadline, "`{stack}` is still {status}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn outputs(&self, stack: &str) -> BTreeMap<String, String> {
        let describe = self.cloudformation.describe_stacks().stack_name(stack);
        let stacks = describe.send().await.unwrap().stacks.unwrap();
        let outputs = stacks[0].outputs().iter();
        outputs
            .map(|output| {
                let (key, value) = (output.output_key(), output.output_value());
                (key.unwrap().to_owned(), value.unwrap().to_owned())
            })
            .collect()
    }

    /// How many operations that deploy something a stack has had, by its own events.
    pub(crate) async fn operations(&self, stack: &str) -> usize {
        let describe = self
            .cloudformation
            .describe_stack_events()
            .stack_name(stack);
        let events = describe.send().await.unwrap().stack_events.unwrap();
        let begun = events.iter().filter(|event| {
            let status = event.resource_status().map_or("", |status| status.as_str());
            event.physical_resource_id() == event.stack_id()
                && matches!(status, "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS")
        });
        begun.count()
    }
}
