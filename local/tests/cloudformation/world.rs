//! One local AWS for all tests, and what they do there.

use std::future::Future;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter, StackEvent};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local::aws::{LocalAws, Settings};
use local::launch::SECRET_ACCESS_KEY;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

pub(crate) const REGION: &str = "us-east-1";

/// The bucket with templates and packages.
pub(crate) const CODE: &str = "code";

/// What the draws of weighted aliases begin with: a test knows what they come to.
const SEED: &str = "1";

/// A minute of CodeDeploy.
pub(crate) const MINUTE: Duration = Duration::from_secs(1);

/// How long a stack or a function of a test may take; each takes less than a second on a machine that is not busy.
pub(crate) const WITHIN: Duration = Duration::from_mins(1);

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
    aws: &'static LocalAws,
    key: String,
    pub(crate) config: SdkConfig,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) s3: aws_sdk_s3::Client,
}

impl World {
    async fn start() -> Self {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.delivery");
        let settings = Settings {
            routing_seed: Some(SEED.into()),
            codedeploy_minute: MINUTE,
        };
        let aws = LocalAws::start_with(home, REGION, settings).await.unwrap();
        let aws: &'static LocalAws = Box::leak(Box::new(aws));
        let world = Self::signed_in(aws, aws.access_key_id());
        world.s3.create_bucket().bucket(CODE).send().await.unwrap();
        world
    }

    /// The same local AWS for whom a key belongs to.
    pub(crate) fn as_key(&self, access_key_id: impl Into<String>) -> Self {
        Self::signed_in(self.aws, access_key_id.into())
    }

    fn signed_in(aws: &'static LocalAws, access_key_id: String) -> Self {
        let credentials = Credentials::new(&access_key_id, SECRET_ACCESS_KEY, None, None, "local");
        let config = SdkConfig::builder()
            .http_client(delivery_action::aws::http_client())
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(aws.endpoint())
            .build();
        Self {
            aws,
            key: access_key_id,
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            s3: aws_sdk_s3::Client::new(&config),
            config,
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.aws.endpoint()
    }

    pub(crate) async fn put(&self, key: &str, content: impl Into<Vec<u8>>) {
        let put = self.s3.put_object().bucket(CODE).key(key);
        put.body(content.into().into()).send().await.unwrap();
    }

    /// Makes a change set; the error is the code and the message.
    pub(crate) async fn change_set(
        &self,
        kind: ChangeSetType,
        stack: &str,
        name: &str,
        template: &str,
        parameters: &[(&str, &str)],
    ) -> Result<(), String> {
        let parameters = parameters.iter().map(|(key, value)| {
            Parameter::builder()
                .parameter_key(*key)
                .parameter_value(*value)
                .build()
        });
        let made = self
            .cloudformation
            .create_change_set()
            .change_set_type(kind)
            .stack_name(stack)
            .change_set_name(name)
            .template_body(template)
            .set_parameters(Some(parameters.collect()))
            .capabilities(Capability::CapabilityNamedIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .send()
            .await;
        made.map(drop).map_err(|error| said(&error))
    }

    /// Executes a change set and waits for the stack's end.
    pub(crate) async fn execute(&self, stack: &str, name: &str) -> String {
        let execute = self.cloudformation.execute_change_set();
        let execute = execute.stack_name(stack).change_set_name(name);
        execute.send().await.unwrap();
        self.at_rest(stack).await
    }

    /// Makes a stack by a change set; gives back the status that it ends in.
    pub(crate) async fn create(&self, stack: &str, template: &str) -> String {
        let made = self.change_set(ChangeSetType::Create, stack, "create", template, &[]);
        made.await.unwrap();
        self.execute(stack, "create").await
    }

    pub(crate) async fn delete(&self, stack: &str) -> String {
        let id = self.stack(stack).await.stack_id.unwrap();
        let delete = self.cloudformation.delete_stack().stack_name(stack);
        delete.send().await.unwrap();
        self.at_rest(&id).await
    }

    pub(crate) async fn stack(&self, stack: &str) -> aws_sdk_cloudformation::types::Stack {
        let describe = self.cloudformation.describe_stacks().stack_name(stack);
        describe.send().await.unwrap().stacks.unwrap().remove(0)
    }

    pub(crate) async fn status(&self, stack: &str) -> String {
        let status = self.stack(stack).await.stack_status.unwrap();
        status.as_str().to_owned()
    }

    /// Waits until a stack is at rest.
    pub(crate) async fn at_rest(&self, stack: &str) -> String {
        let deadline = Instant::now() + WITHIN;
        loop {
            let status = self.status(stack).await;
            if !status.ends_with("_IN_PROGRESS") {
                return status;
            }
            assert!(Instant::now() < deadline, "`{stack}` is still {status}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The events of a stack, the first first.
    pub(crate) async fn events(&self, stack: &str) -> Vec<StackEvent> {
        let describe = self.cloudformation.describe_stack_events();
        let described = describe.stack_name(stack).send().await.unwrap();
        let mut events = described.stack_events.unwrap();
        events.reverse();
        events
    }

    /// The body at an address.
    pub(crate) async fn get(&self, url: &str) -> String {
        text(Request::get(url)).await.1
    }

    /// What an operation of a service that speaks JSON answers.
    pub(crate) async fn ask(&self, service: &str, target: &str, input: &Value) -> Value {
        let scope = format!("{}/20260101/{REGION}/{service}/aws4_request", self.key);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let request = Request::post(self.endpoint())
            .header("authorization", authorization)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target);
        let (_, body) = answer(request, Body::from(input.to_string())).await;
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    }

    /// The header fields and the body at an address, for a page of a local site.
    pub(crate) async fn get_from(&self, url: &str, origin: &str) -> (HeaderMap, String) {
        text(Request::get(url).header("origin", origin)).await
    }

    /// The body at an address, signed with a key, of which alone the local AWS takes notice.
    pub(crate) async fn get_signed(&self, url: &str, key: &str) -> String {
        let scope = format!("{key}/20260101/{REGION}/execute-api/aws4_request");
        let signed =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        text(Request::get(url).header("authorization", signed))
            .await
            .1
    }

    pub(crate) fn access_key_id(&self) -> String {
        self.aws.access_key_id()
    }

    /// The physical id of a resource.
    pub(crate) async fn stack_resource(&self, stack: &str, logical_id: &str) -> String {
        let describe = self.cloudformation.describe_stack_resource();
        let describe = describe.stack_name(stack).logical_resource_id(logical_id);
        let described = describe.send().await.unwrap().stack_resource_detail;
        described.unwrap().physical_resource_id.unwrap()
    }

    pub(crate) async fn output(&self, stack: &str, key: &str) -> String {
        let outputs = self.stack(stack).await.outputs.unwrap_or_default();
        let found = outputs
            .into_iter()
            .find(|output| output.output_key() == Some(key));
        found.unwrap().output_value.unwrap()
    }
}

/// The answer's header fields and body.
async fn text(request: axum::http::request::Builder) -> (HeaderMap, String) {
    answer(request, Body::empty()).await
}

async fn answer(request: axum::http::request::Builder, body: Body) -> (HeaderMap, String) {
    let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
    let request = request.body(body).unwrap();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// An error's code and message.
pub(crate) fn said<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    let error = error.as_service_error().unwrap();
    format!(
        "{}: {}",
        error.code().unwrap_or_default(),
        error.message().unwrap_or_default()
    )
}

/// A package of executable files.
pub(crate) fn package(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    for (name, content) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
