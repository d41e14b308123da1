//! Functions that cannot be started, that listen on ports, and that find what Lambda's runtimes bring.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use local::launch::{CustomFunction, Error};
use serde_json::{Value, json};

use crate::world::{World, document};

/// How soon a job whose function cannot be started is reported; an attempt of Lambda's own comes after a minute.
const REPORTED_WITHIN: Duration = Duration::from_secs(30);

/// Hands a job to a function as the engine does, and waits for its report.
async fn failure_of(world: &World, function: &str) -> String {
    let event = json!({ "CodePipeline.job": { "id": function, "data": {} } });
    let invoke = world.lambda().invoke().function_name(function);
    let invoke = invoke.invocation_type(InvocationType::Event);
    invoke
        .payload(Blob::new(event.to_string()))
        .send()
        .await
        .unwrap();
    let began = Instant::now();
    loop {
        let reported = world.recorder.all("PutJobFailureResult");
        let report = reported.iter().find(|input| input["jobId"] == function);
        if let Some(report) = report {
            let details = &report["failureDetails"];
            assert_eq!(details["type"], "ConfigurationError");
            return details["message"].as_str().unwrap().to_owned();
        }
        assert!(
            began.elapsed() < REPORTED_WITHIN,
            "`{function}` is not reported"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_job_whose_function_does_not_start_fails_at_once_with_the_reason() {
    let world = World::start().await;
    let custom = "provided.al2023";
    for (name, runtime, file, code, reason) in [
        (
            "no-bootstrap",
            custom,
            "other",
            b"x".as_slice(),
            "No bootstrap binary found",
        ),
        (
            "no-interpreter",
            custom,
            "bootstrap",
            b"#!/none/interpreter\n",
            "No such file or directory",
        ),
        (
            "other-machine",
            custom,
            "bootstrap",
            b"\x7fELF\x02\x01\x01\x00",
            "Exec format error",
        ),
        (
            "exits",
            custom,
            "bootstrap",
            b"#!/bin/sh\necho going down\nexit 3\n",
            "exited during init with code 3: going down",
        ),
        (
            "no-module",
            "python3.12",
            "index.py",
            b"import not_there\n",
            "No module named 'not_there'",
        ),
        (
            "no-handler",
            "nodejs22.x",
            "index.js",
            b"exports.other = 1;\n",
            "Handler handler is not a function",
        ),
        (
            "throws",
            "nodejs22.x",
            "index.js",
            b"throw new Error('broken while loading');\n",
            "broken while loading",
        ),
    ] {
        world.function(name, runtime, file, code).await;
        let message = failure_of(&world, name).await;
        let expected = format!("the function `{name}` could not be started: ");
        assert!(
            message.starts_with(&expected) && message.contains(reason),
            "{name}: {message}"
        );
        assert!(message.contains("start it by hand"), "{message}");
        let log = world.log_of(&format!("/aws/lambda/{name}")).await;
        assert!(log.contains(reason), "{name}: {log}");
        assert_eq!(
            log.matches("START RequestId").count(),
            1,
            "tried once: {log}"
        );
    }
    // One that starts and fails is Lambda's to try again.
    world
        .function(
            "fails",
            "python3.12",
            "index.py",
            b"def handler(event, context):\n    raise ValueError('no')\n",
        )
        .await;
    let event = json!({ "CodePipeline.job": { "id": "fails", "data": {} } });
    let invoke = world.lambda().invoke().function_name("fails");
    invoke
        .payload(Blob::new(event.to_string()))
        .send()
        .await
        .unwrap();
    let reported = world.recorder.all("PutJobFailureResult");
    assert!(!reported.iter().any(|input| input["jobId"] == "fails"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_listens_on_a_port_answers_all_requests() {
    let world = World::start().await;
    let launch = world.launch().await;
    let (api, function) = (&launch.outputs["Api"], &launch.outputs["Function"]);
    // None of those that a connection of this machine may get until the function listens.
    let port = (20_000..32_768)
        .find(|&port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
        .unwrap();
    let code = format!(
        "require('node:http').createServer((_, answer) => answer.end()).listen({port});
         exports.handler = async () => {{
           await new Promise((done) => setTimeout(done, 300));
           return {{ statusCode: 200, body: 'ok' }};
         }};"
    );
    // Two versions of it, which would share the port, too.
    world.put_rest_api(api, &document("/hello")).await;
    for stage in ["test", "prod"] {
        world.publish(function, stage, &code).await;
        world.create_deployment(api, stage, function).await;
    }
    for output in ["TestApiUrl", "ProdApiUrl", "TestApiUrl"] {
        let url = format!("{}/hello", launch.outputs[output]);
        let four = tokio::join!(
            world.get(&url),
            world.get(&url),
            world.get(&url),
            world.get(&url)
        );
        let ok = (200, "ok".to_owned());
        assert_eq!(four, (ok.clone(), ok.clone(), ok.clone(), ok), "{output}");
    }
    world.stop().await;
}

/// The pipeline's action would fail for the name only when it is its turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_names_its_function_otherwise_fails_the_launch() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/custom-action");
    let right = fs::read_to_string(example.join("template.yaml")).unwrap();
    let wrong = right.replace(
        "FunctionName: !Ref FunctionName",
        "FunctionName: another-name",
    );
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("notify-chat");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    let template = folder.path().join("template.yaml");
    let mut world = World::start().await;
    world.custom = vec![CustomFunction {
        name: "notify-chat".to_owned(),
        program,
        template: template.clone(),
        parameters: [("WebhookUrl".to_owned(), "http://127.0.0.1:9/".to_owned())].into(),
    }];

    fs::write(&template, wrong).unwrap();
    let error = world.try_launch().await.unwrap_err();
    let Error::Function { stack, source } = error else {
        panic!("{error:?}")
    };
    assert!(stack.ends_with("-notify-chat"), "{stack}");
    let message = source.to_string();
    let expected = "makes `another-name`, but no Lambda function `notify-chat`";
    assert!(message.contains(expected), "{message}");

    fs::write(&template, right).unwrap();
    world.launch().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_the_function_in_place() {
    let mut world = World::start().await;
    let first = world.launch().await;
    let (api, function) = (&first.outputs["Api"], &first.outputs["Function"]);
    let version = world.publish_and_move(function, "prod").await;
    world.put_rest_api(api, &document("/hello")).await;
    world.create_deployment(api, "prod", function).await;
    let url = format!("{}/hello?x=1", first.outputs["ProdApiUrl"]);
    let expected = format!("version {version}, stage prod, path /hello, x 1");
    assert_eq!(world.get(&url).await, (200, expected.clone()));
    for (parameter, value) in [
        ("ApplicationMemory", "512"),
        ("ApplicationTimeout", "7"),
        ("ApplicationHandler", "other.handler"),
    ] {
        world
            .parameters
            .insert(parameter.to_owned(), value.to_owned());
        let second = world.launch().await;
        assert_eq!(second.outputs, first.outputs, "{parameter}");
        assert_eq!(
            world.get(&url).await,
            (200, expected.clone()),
            "{parameter}"
        );
    }
    let described = world
        .lambda()
        .get_function_configuration()
        .function_name(function);
    let described = described.send().await.unwrap();
    assert_eq!(described.memory_size, Some(512));
    assert_eq!(described.timeout, Some(7));
    assert_eq!(described.handler.as_deref(), Some("other.handler"));
    world.stop().await;
}

/// The port of a function's Runtime API answers other callers with nothing: neither its next event nor that there is none. The
/// client of the Rust runtime, which all actions have, takes an address with a path.
#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_an_action_are_its_own() {
    const BOOTSTRAP: &str = r#"#!/usr/bin/env python3
# aws-lambda-rust/ is in programs that have the client
import json, os
from urllib.request import Request, urlopen
base = os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urlopen(base + "next") as event:
        request = event.headers["Lambda-Runtime-Aws-Request-Id"]
    urlopen(Request(base + request + "/response", data=json.dumps(dict(os.environ)).encode()))
"#;
    let world = World::start().await;
    let custom = "provided.al2023";
    world
        .function("action", custom, "bootstrap", BOOTSTRAP.as_bytes())
        .await;
    let environment: Value = serde_json::from_str(&world.invoke("action").await).unwrap();
    let api = environment["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap();
    let (address, path) = api.rsplit_once('/').unwrap();
    assert_eq!(path.len(), 32, "{api}");
    for stranger in [String::new(), format!("/{}", "0".repeat(32))] {
        let next = format!("{address}{stranger}/2018-06-01/runtime/invocation/next");
        for _ in 0..20 {
            let (stolen, answer) = tokio::join!(world.get(&next), world.invoke("action"));
            assert_eq!(stolen.0, 403, "{}", stolen.1);
            assert!(answer.contains("AWS_LAMBDA_RUNTIME_API"), "{answer}");
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managed_runtimes_bring_the_sdks() {
    let world = World::start().await;
    let python = "import boto3\ndef handler(event, context):\n    return len(boto3.client('s3').list_buckets()['Buckets'])\n";
    world
        .function("python", "python3.12", "index.py", python.as_bytes())
        .await;
    assert_eq!(world.invoke("python").await, "0");

    let node = "import { S3Client, ListBucketsCommand } from '@aws-sdk/client-s3';\n\
                import { RekognitionClient } from '@aws-sdk/client-rekognition';\n\
                export const handler = async () => {\n\
                  const s3 = new S3Client({ forcePathStyle: true });\n\
                  const buckets = ((await s3.send(new ListBucketsCommand({}))).Buckets ?? []).length;\n\
                  return [buckets, typeof new RekognitionClient({}).send];\n\
                };\n";
    world
        .function("node", "nodejs22.x", "index.mjs", node.as_bytes())
        .await;
    let answer = world.invoke("node").await;
    let log = world.log_of("/aws/lambda/node").await;
    if log.contains("which Lambda brings, is not there") {
        println!("skipped: the SDK for JavaScript: {log}");
    } else {
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer, serde_json::json!([0, "function"]), "{log}");
        for installed in [
            "installed the AWS SDK for JavaScript",
            "installed @aws-sdk/client-rekognition",
        ] {
            assert!(log.contains(installed), "{log}");
        }
    }
    world.stop().await;
}
