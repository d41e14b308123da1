//! A local AWS with a recording engine, and what the tests do there.

mod api_gateway;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use axum::body::Body;
use axum::http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local::aws::LocalAws;
use local::launch::{self, CustomFunction, FUNCTIONS, Launch, Request, logical_id};
use serde_json::{Value, json};

use crate::recorder::Recorder;

const REGION: &str = "us-east-1";
const STACK: &str = "delivery";

/// Answers each event with its own environment.
const BOOTSTRAP: &str = r#"#!/usr/bin/env python3
import json, os
from urllib.request import Request, urlopen
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urlopen(base + "next") as event:
        request = event.headers["Lambda-Runtime-Aws-Request-Id"]
    urlopen(Request(base + request + "/response", data=json.dumps(dict(os.environ)).encode()))
"#;

/// A handler that says which version of it answered.
const HANDLER: &str = "exports.handler = async (event, context) => ({ statusCode: 200, body: \
    `version ${process.env.AWS_LAMBDA_FUNCTION_VERSION}, stage ${event.requestContext.stage}, \
path ${event.path}, x ${(event.queryStringParameters || {}).x}` });";

pub(crate) struct World {
    pub(crate) aws: LocalAws,
    pub(crate) recorder: Recorder,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) custom: Vec<CustomFunction>,
    functions: BTreeMap<String, PathBuf>,
    _folder: tempfile::TempDir,
    config: SdkConfig,
    http: Client<HttpConnector, Body>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let recorder = Recorder::start().await;
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.delivery");
        let aws = LocalAws::start(home, REGION).await.unwrap();
        aws.route_codepipeline(recorder.address());
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("bootstrap");
        std::fs::write(&binary, BOOTSTRAP).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        let functions = FUNCTIONS
            .map(|name| (name.to_owned(), binary.clone()))
            .into();
        let credentials = Credentials::new(
            aws.access_key_id(),
            launch::SECRET_ACCESS_KEY,
            None,
            None,
            "local",
        );
        let config = SdkConfig::builder()
            .http_client(delivery_action::aws::http_client())
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(aws.endpoint())
            .build();
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self {
            aws,
            recorder,
            parameters: BTreeMap::new(),
            custom: Vec::new(),
            functions,
            _folder: folder,
            config,
            http,
        }
    }

    pub(crate) async fn stop(self) {
        self.aws.stop().await.unwrap();
    }

    pub(crate) async fn try_launch(&self) -> Result<Launch, launch::Error> {
        let request = Request {
            endpoint: self.aws.endpoint().to_owned(),
            access_key_id: self.aws.access_key_id(),
            region: REGION.to_owned(),
            stack_name: STACK.to_owned(),
            templates: Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloudformation"),
            functions: self.functions.clone(),
            custom: self.custom.clone(),
            packages: None,
            node_layer: None,
            parameters: self.parameters.clone(),
        };
        launch::launch(&request).await
    }

    pub(crate) async fn launch(&self) -> Launch {
        self.try_launch().await.unwrap()
    }

    pub(crate) async fn get(&self, url: &str) -> (u16, String) {
        let (status, _, body) = self.ask("GET", url, &[]).await;
        (status, body)
    }

    /// A request with these header fields; the one that is called `body` is its body.
    pub(crate) async fn ask(
        &self,
        method: &str,
        url: &str,
        fields: &[(&str, &str)],
    ) -> (u16, HeaderMap, String) {
        let mut request = axum::http::Request::builder().method(method).uri(url);
        let mut body = String::new();
        for (name, value) in fields {
            if *name == "body" {
                (*value).clone_into(&mut body);
            } else {
                request = request.header(*name, *value);
            }
        }
        let response = self.http.request(request.body(Body::from(body)).unwrap());
        let (parts, body) = response.await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        (parts.status.as_u16(), parts.headers, body)
    }

    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    pub(crate) async fn invoke(&self, function: &str) -> String {
        let payload = aws_sdk_lambda::primitives::Blob::new("{}");
        let invoked = self
            .lambda()
            .invoke()
            .function_name(function)
            .payload(payload)
            .send()
            .await
            .unwrap();
        String::from_utf8(invoked.payload.unwrap().into_inner()).unwrap()
    }

    /// The name of an action's function.
    pub(crate) async fn action_function(&self, action: &str) -> String {
        let name = logical_id(action);
        let listed = self.lambda().list_functions().send().await.unwrap();
        let mut names = listed
            .functions
            .unwrap_or_default()
            .into_iter()
            .filter_map(|found| found.function_name);
        names.find(|found| found.contains(&name)).unwrap()
    }

    /// Every line of a group.
    pub(crate) async fn log_of(&self, group: &str) -> String {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.config);
        let found = logs
            .filter_log_events()
            .log_group_name(group)
            .send()
            .await
            .unwrap();
        let lines = found.events().iter().filter_map(|event| event.message());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Another function, of that one file.
    pub(crate) async fn function(&self, name: &str, runtime: &str, file: &str, code: &[u8]) {
        let code = aws_sdk_lambda::types::FunctionCode::builder().zip_file(package(file, code));
        let create = self.lambda().create_function().function_name(name);
        create
            .runtime(runtime.into())
            .handler("index.handler")
            .role("arn:aws:iam::000000000000:role/any")
            .timeout(20)
            .code(code.build())
            .send()
            .await
            .unwrap();
    }

    /// New code, a version of it, and the alias on that version.
    pub(crate) async fn publish_and_move(&self, function: &str, alias: &str) -> String {
        self.publish(function, alias, HANDLER).await
    }

    /// Code of the test's own, a version of it, and the alias on that version.
    pub(crate) async fn publish(&self, function: &str, alias: &str, code: &str) -> String {
        let unique = uuid::Uuid::new_v4();
        let zip = package("index.js", format!("// {unique}\n{code}").as_bytes());
        let lambda = self.lambda();
        lambda
            .update_function_code()
            .function_name(function)
            .zip_file(zip)
            .send()
            .await
            .unwrap();
        let version = lambda
            .publish_version()
            .function_name(function)
            .send()
            .await
            .unwrap()
            .version
            .unwrap();
        lambda
            .update_alias()
            .function_name(function)
            .name(alias)
            .function_version(&version)
            .send()
            .await
            .unwrap();
        version
    }

    pub(crate) async fn alias(&self, function: &str, alias: &str) -> String {
        let found = self
            .lambda()
            .get_alias()
            .function_name(function)
            .name(alias)
            .send()
            .await
            .unwrap();
        found.function_version.unwrap()
    }

    pub(crate) async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        kind: &str,
        content: impl AsRef<[u8]>,
    ) {
        let body = content.as_ref().to_vec().into();
        let s3 = aws_sdk_s3::Client::new(&self.config);
        s3.put_object()
            .bucket(bucket)
            .key(key)
            .content_type(kind)
            .body(body)
            .send()
            .await
            .unwrap();
    }

    /// A signature; the local AWS checks only the key in it.
    pub(crate) fn scope(&self, service: &str) -> String {
        let key = self.aws.access_key_id();
        format!("AWS4-HMAC-SHA256 Credential={key}/20260101/{REGION}/{service}/aws4_request")
    }

    /// A call of a service that takes forms and answers XML.
    pub(crate) async fn form(&self, service: &str, pairs: &[(&str, &str)]) -> String {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let scope = self.scope(service);
        let request = axum::http::Request::post(self.aws.endpoint())
            .header("authorization", scope)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        let response = self.http.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(status.is_success(), "{pairs:?}: {status} {body}");
        body
    }

    /// A new hosted zone; its id.
    pub(crate) async fn hosted_zone(&self, name: &str) -> String {
        let scope = self.scope("route53");
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>{name}</Name>\
             <CallerReference>{name}</CallerReference></CreateHostedZoneRequest>"
        );
        let request =
            axum::http::Request::post(format!("{}/2013-04-01/hostedzone", self.aws.endpoint()))
                .header("authorization", scope)
                .body(Body::from(body))
                .unwrap();
        let response = self.http.request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        let (_, id) = body
            .split_once("/hostedzone/")
            .unwrap_or_else(|| panic!("{body}"));
        id.split('<').next().unwrap().to_owned()
    }

    /// What CloudFormation says to the root template with these parameters in another region.
    pub(crate) async fn refusal_in(&self, region: &str, parameters: &[(&str, &str)]) -> String {
        let config = self
            .config
            .clone()
            .into_builder()
            .region(Region::new(region.to_owned()))
            .build();
        let template =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloudformation/delivery.yaml");
        let connection = "arn:aws:codeconnections:us-east-1:000000000000:connection/00000000-0000-0000-0000-000000000000";
        let needed = [
            ("ConnectionArn", connection),
            ("FullRepositoryId", "owner/name"),
            ("CodeBucket", "code"),
            ("ActionsPrefix", "actions"),
            ("TemplatesPrefix", "templates"),
        ];
        let parameters = needed.iter().chain(parameters).map(|(key, value)| {
            let parameter = aws_sdk_cloudformation::types::Parameter::builder();
            parameter
                .parameter_key(*key)
                .parameter_value(*value)
                .build()
        });
        let create = aws_sdk_cloudformation::Client::new(&config)
            .create_change_set()
            .stack_name("elsewhere")
            .change_set_name("elsewhere")
            .change_set_type(aws_sdk_cloudformation::types::ChangeSetType::Create)
            .capabilities(aws_sdk_cloudformation::types::Capability::CapabilityIam)
            .template_body(std::fs::read_to_string(template).unwrap())
            .set_parameters(Some(parameters.collect()));
        match create.send().await {
            Ok(made) => format!("made: {made:?}"),
            Err(error) => format!("{:?}", error.into_service_error()),
        }
    }

    /// The access key of the local AWS's user.
    pub(crate) fn access_key_id(&self) -> String {
        self.aws.access_key_id()
    }

    pub(crate) async fn make_bucket(&self, name: &str) {
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(true);
        let s3 = aws_sdk_s3::Client::from_conf(config.build());
        s3.create_bucket().bucket(name).send().await.unwrap();
    }

    /// Makes a queue that gets the events of pipelines.
    pub(crate) async fn queue_of_events(&self, name: &str) {
        let make = [
            ("Action", "CreateQueue"),
            ("QueueName", name),
            ("Version", "2012-11-05"),
        ];
        self.form("sqs", &make).await;
        let events = aws_sdk_eventbridge::Client::new(&self.config);
        let pattern = json!({ "source": ["aws.codepipeline"] }).to_string();
        let rule = events.put_rule().name(name).event_pattern(pattern);
        rule.send().await.unwrap();
        let queue = format!("arn:aws:sqs:{REGION}:{}:{name}", local::ministack::ACCOUNT);
        let target = aws_sdk_eventbridge::types::Target::builder()
            .id(name)
            .arn(queue)
            .build()
            .unwrap();
        let targets = events.put_targets().rule(name).targets(target);
        targets.send().await.unwrap();
    }

    /// Calls the API of an engine: its answer, an error too.
    pub(crate) async fn codepipeline(
        &self,
        endpoint: &str,
        operation: &str,
        input: &Value,
    ) -> Value {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{REGION}/codepipeline/aws4_request",
            self.access_key_id()
        );
        let request = axum::http::Request::post(endpoint)
            .header("authorization", scope)
            .header("x-amz-target", format!("CodePipeline_20150709.{operation}"))
            .body(Body::from(input.to_string()))
            .unwrap();
        let response = self.http.request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }

    /// An event of the pipeline as the engine sends it.
    pub(crate) async fn put_event(&self, kind: &str, detail: &Value) {
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
            .source("local.codepipeline")
            .detail_type(kind)
            .detail(detail.to_string())
            .build();
        let events = aws_sdk_eventbridge::Client::new(&self.config);
        let put = events.put_events().entries(entry).send().await.unwrap();
        assert_eq!(put.failed_entry_count, 0, "{put:?}");
    }

    /// What the stack and the stacks nested in it are made of: types by logical id.
    pub(crate) async fn resources(&self) -> BTreeMap<String, String> {
        let cloudformation = aws_sdk_cloudformation::Client::new(&self.config);
        let (mut found, mut waiting) = (BTreeMap::new(), vec![STACK.to_owned()]);
        while let Some(stack) = waiting.pop() {
            let listed = cloudformation.list_stack_resources().stack_name(stack);
            let listed = listed.send().await.unwrap();
            for resource in listed.stack_resource_summaries() {
                let kind = resource.resource_type().unwrap().to_owned();
                if kind == "AWS::CloudFormation::Stack" {
                    waiting.push(resource.physical_resource_id().unwrap().to_owned());
                }
                found.insert(resource.logical_resource_id().unwrap().to_owned(), kind);
            }
        }
        found
    }
}

/// A package of one executable file.
fn package(file: &str, code: &[u8]) -> aws_sdk_lambda::primitives::Blob {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file(file, options).unwrap();
    zip.write_all(code).unwrap();
    aws_sdk_lambda::primitives::Blob::new(zip.finish().unwrap().into_inner())
}

/// An OpenAPI document with one path, for whatever function and alias the stage names.
pub(crate) fn document(path: &str) -> Value {
    let functions = format!("arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions");
    let function = format!(
        "arn:aws:lambda:{REGION}:{}:function",
        local::ministack::ACCOUNT
    );
    let name = "${stageVariables.function}:${stageVariables.alias}";
    json!({
        "openapi": "3.0.1",
        "info": { "title": "test", "version": "1" },
        "paths": { path: { "get": { "responses": {}, "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": format!("{functions}/{function}:{name}/invocations"),
        } } } },
    })
}
