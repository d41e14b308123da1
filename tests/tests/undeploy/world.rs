//! One local AWS for all tests, and for each an application with a repository of its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::types::{Capability, Tag};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use delivery_action::clock::{self, Deadline};
use delivery_action::event::EventFunction as _;
use delivery_definition::names::EnvironmentName;
use delivery_release::environment::{Action, Begun, Environment, Lease, Request};
use delivery_release::manifest::{Manifest, ReleaseId};
use delivery_release::repository::{Provenance, Publisher, Repository};
use jiff::Timestamp;
use local::aws::LocalAws;
use local::launch::SECRET_ACCESS_KEY;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};
use undeploy::{Undeploy, UndeployError};

const REGION: &str = "us-east-1";

/// How long a stack of a test may take; each takes some seconds on a machine that is not busy.
const WITHIN: Duration = Duration::from_mins(2);

/// An execution, and the environment that is its own.
pub(crate) const EXECUTION: &str = "1f09ab3c-1111-2222-3333-444455556666";
pub(crate) const QA: &str = "qa-1f09ab3c";

/// What the releases of tests say: orders need the database.
pub(crate) const DEFINITION: &str = r#"
application = "shop"
[services]
database = "database"
orders = { directory = "orders", needs = ["database"] }
[environments]
qa = {}
int = {}
"#;

/// Never dropped: the supervisor ends everything when this process ends.
static SHARED: LazyLock<(Runtime, LocalAws)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.delivery");
    let aws = runtime.block_on(LocalAws::start(home, REGION)).unwrap();
    (runtime, aws)
});

/// Runs a test with an application of this name.
pub(crate) fn run<F: Future<Output = ()>>(application: &str, test: impl FnOnce(World) -> F) {
    let (runtime, aws) = &*SHARED;
    runtime.block_on(async { test(World::of(aws, application).await).await });
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) application: String,
    pub(crate) endpoint: String,
    pub(crate) key: String,
    pub(crate) bucket: String,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) repository: Repository,
}

impl World {
    async fn of(aws: &LocalAws, application: &str) -> Self {
        let (key, endpoint) = (aws.access_key_id(), aws.endpoint().to_owned());
        let config = config(&key, &endpoint);
        let s3 = aws_sdk_s3::Client::new(&config);
        let bucket = format!("{application}-releases");
        s3.create_bucket().bucket(&bucket).send().await.unwrap();
        Self {
            application: application.to_owned(),
            endpoint,
            key,
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            repository: Repository::new(s3.clone(), &bucket),
            bucket,
            s3,
        }
    }

    /// The function, which calls AWS at this address.
    pub(crate) fn undeploy(&self, endpoint: &str) -> Undeploy {
        Undeploy::new(
            &config(&self.key, endpoint),
            &self.bucket,
            &self.application,
        )
    }

    /// One invocation with an event.
    pub(crate) async fn handle(&self, event: &Value) -> Result<(), UndeployError> {
        let deadline = Deadline::after(WITHIN);
        self.undeploy(&self.endpoint).handle(event, deadline).await
    }

    /// The event of the schedule.
    pub(crate) async fn sweep(&self) -> Result<(), UndeployError> {
        self.handle(
            &json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
        )
        .await
    }

    /// The stack of a service in an environment, which can be removed.
    pub(crate) async fn stack(&self, environment: &str, service: &str, template: &str) -> String {
        self.tagged_stack(
            environment,
            service,
            template,
            &[("delivery:removable", "true")],
        )
        .await
    }

    /// The stack of a service in an environment, with further tags.
    pub(crate) async fn tagged_stack(
        &self,
        environment: &str,
        service: &str,
        template: &str,
        tags: &[(&str, &str)],
    ) -> String {
        let application = &self.application;
        let name = format!("{application}-{environment}-{service}");
        let own = [
            ("delivery:application", application.as_str()),
            ("delivery:environment", environment),
            ("delivery:service", service),
        ];
        let tags = own.iter().chain(tags);
        let tags = tags.map(|(key, value)| Tag::builder().key(*key).value(*value).build());
        let create = self.cloudformation.create_stack().stack_name(&name);
        let create = create.capabilities(Capability::CapabilityIam);
        let create = create.capabilities(Capability::CapabilityAutoExpand);
        let create = create
            .template_body(template)
            .set_tags(Some(tags.collect()));
        create.send().await.unwrap();
        assert_eq!(
            self.at_rest(&name).await.as_deref(),
            Some("CREATE_COMPLETE")
        );
        name
    }

    /// Waits until a stack is at rest; `None` if it is gone.
    pub(crate) async fn at_rest(&self, stack: &str) -> Option<String> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let status = self.status(stack).await?;
            if !status.ends_with("_IN_PROGRESS") {
                return Some(status);
            }
            assert!(Instant::now() < deadline, "`{stack}` is still {status}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The stack's status; `None` where there is none.
    pub(crate) async fn status(&self, stack: &str) -> Option<String> {
        let describe = self.cloudformation.describe_stacks().stack_name(stack);
        let stacks = describe.send().await.ok()?.stacks?;
        Some(stacks.first()?.stack_status()?.as_str().to_owned())
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str) {
        let put = self.s3.put_object().bucket(bucket).key(key);
        put.body(b"x".to_vec().into()).send().await.unwrap();
    }

    pub(crate) fn environment(&self, name: &str) -> Environment {
        Environment::new(&self.repository, EnvironmentName::parse(name).unwrap())
    }

    /// Publishes a release of this definition.
    pub(crate) async fn publish(&self, definition: &str) -> ReleaseId {
        let mut publisher = Publisher::new(&self.repository);
        let file = publisher.put_bytes(definition.as_bytes()).await.unwrap();
        let manifest: Manifest = serde_json::from_value(json!({
            "schema": 1,
            "application": self.application,
            "source": {"revision": "9f3c"},
            "services": {},
            "configuration": {"sha256": file.sha256, "size": file.size, "path": "delivery.toml"},
        }))
        .unwrap();
        let provenance = Provenance {
            pipeline: None,
            execution: "publish".to_owned(),
            by: None,
        };
        let now = clock::timestamp();
        let publication = publisher.publish(&manifest, &provenance, now).await;
        publication.unwrap().release
    }

    /// Begins to deploy a release with this definition for an execution.
    pub(crate) async fn begin(
        &self,
        environment: &str,
        owner: &str,
        definition: &str,
        until: Option<Timestamp>,
    ) -> Lease {
        let release = self.publish(definition).await;
        let request = Request {
            owner: owner.to_owned(),
            by: "anna".to_owned(),
            reason: None,
            action: Action::Deploy { release },
            until,
        };
        let environment = self.environment(environment);
        let begun = environment.begin_again(&request, clock::timestamp()).await;
        match begun.unwrap() {
            Begun::UnderWay(lease) => lease,
            Begun::Ended(record) => panic!("it has ended: {record:?}"),
        }
    }

    /// Deploys a release of the usual definition with success.
    pub(crate) async fn deploy(&self, environment: &str, until: Option<Timestamp>) {
        let before = self.environment(environment).state().await.unwrap();
        // An execution that has succeeded does not deploy again after others.
        let owner = match before.deployments {
            0 => format!("shop/{EXECUTION}"),
            later => format!("shop/later-{later}"),
        };
        let lease = self.begin(environment, &owner, DEFINITION, until).await;
        let environment = self.environment(environment);
        let (id, now) = (&lease.deployment.id, clock::timestamp());
        environment.finish(id, &[].into(), now).await.unwrap();
    }

    /// The parts of the environment's last deployment.
    pub(crate) async fn parts(&self, environment: &str) -> BTreeMap<String, String> {
        let state = self.environment(environment).state().await.unwrap();
        let services = state.last.unwrap().services.into_iter();
        services
            .map(|(part, change)| {
                let said = change
                    .summary
                    .map_or_else(String::new, |it| format!(": {it}"));
                (part, format!("{:?}{said}", change.result))
            })
            .collect()
    }
}

/// A configuration with connections of its own: those of an invocation end with it.
fn config(key: &str, endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new(key, SECRET_ACCESS_KEY, None, None, "local");
    SdkConfig::builder()
        .http_client(delivery_action::aws::http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .retry_config(RetryConfig::standard())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build()
}

/// The event of a stage of the pipeline `shop`.
pub(crate) fn stage_event(stage: &str, ended: &str, at: Timestamp) -> Value {
    json!({
        "detail-type": "CodePipeline Stage Execution State Change",
        "source": "aws.codepipeline",
        "time": at.to_string(),
        "detail": {"pipeline": "shop", "execution-id": EXECUTION, "stage": stage, "state": ended, "version": 1.0},
    })
}

/// A template of one topic: gone in no time.
pub(crate) const TOPIC: &str = "Resources: { Topic: { Type: 'AWS::SNS::Topic' } }";

/// A template with a versioned bucket of this name.
pub(crate) fn bucket_template(bucket: &str) -> String {
    format!(
        "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: {bucket}\n      \
         VersioningConfiguration: {{ Status: Enabled }}\n"
    )
}
