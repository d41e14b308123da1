//! Functions of custom runtimes: their layers and their logs; and the addresses of sites.

use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use tokio::time::sleep;

use crate::world::{CODE, WITHIN, World, package, run};

/// Writes one line, waits for the object that the event names, and answers with what the layer's program
/// says and with its environment.
const BOOTSTRAP: &str = r#"#!/usr/bin/env python3
import json, os, subprocess, time
from urllib.error import HTTPError
from urllib.request import Request, urlopen
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urlopen(base + "next") as event:
        request = event.headers["Lambda-Runtime-Aws-Request-Id"]
        awaited = json.load(event)["awaits"]
    print("a line of the function", flush=True)
    # The gateway looks at the key alone.
    signed = "AWS4-HMAC-SHA256 Credential=" + os.environ["AWS_ACCESS_KEY_ID"] + "/20260101/us-east-1/s3/aws4_request, "
    signed += "SignedHeaders=host, Signature=0"
    while True:
        try:
            urlopen(Request(os.environ["AWS_ENDPOINT_URL"] + awaited, headers={"Authorization": signed})).close()
            break
        except HTTPError:
            time.sleep(0.02)
    said = subprocess.run(["program-of-the-layer"], capture_output=True, text=True).stdout.strip()
    answer = {"said": said, "environment": dict(os.environ)}
    urlopen(Request(base + request + "/response", data=json.dumps(answer).encode()))
"#;

const TEMPLATE: &str = "\
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
  Layer:
    Type: AWS::Lambda::LayerVersion
    Properties: { Content: { S3Bucket: code, S3Key: layer.zip } }
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Role: arn:aws:iam::000000000000:role/any
      Runtime: provided.al2023
      Handler: bootstrap
      Layers: [!Ref Layer]
      LoggingConfig: { LogGroup: !Ref Logs }
      Code: { S3Bucket: code, S3Key: function.zip }
Outputs:
  Function: { Value: !Ref Function }
  Logs: { Value: !Ref Logs }
";

#[test]
fn a_function_finds_its_layers_programs_and_its_own_log_stream() {
    run(async |world| {
        let program = "#!/bin/sh\necho from the layer\n";
        let layer = package(&[("bin/program-of-the-layer", program)]);
        world.put("layer.zip", layer).await;
        world
            .put("function.zip", package(&[("bootstrap", BOOTSTRAP)]))
            .await;
        assert_eq!(world.create("function", TEMPLATE).await, "CREATE_COMPLETE");

        let lambda = aws_sdk_lambda::Client::new(&world.config);
        let function = world.output("function", "Function").await;
        let group = world.output("function", "Logs").await;
        let mut streams = Vec::new();
        for object in ["first", "second"] {
            let event = format!("{{\"awaits\": \"/{CODE}/{object}\"}}");
            let invoke = lambda.invoke().function_name(&function);
            let invoking = tokio::spawn(invoke.payload(Blob::new(event)).send());
            lines(world, &group, streams.len() + 1).await; // before the invocation can end
            world.put(object, "").await;
            let answer = invoking.await.unwrap().unwrap().payload.unwrap();
            let answer: serde_json::Value = serde_json::from_slice(answer.as_ref()).unwrap();
            assert_eq!(answer["said"], "from the layer");
            let environment = &answer["environment"];
            assert_eq!(environment["AWS_LAMBDA_LOG_GROUP_NAME"], group);
            let stream = environment["AWS_LAMBDA_LOG_STREAM_NAME"].as_str().unwrap();
            streams.push(stream.to_owned());
        }
        assert_eq!(streams[0], streams[1], "one stream an environment");

        let logs = aws_sdk_cloudwatchlogs::Client::new(&world.config);
        let filter = logs.filter_log_events().log_group_name(group);
        let found = filter.log_stream_names(&streams[0]).send().await.unwrap();
        let events = found.events().iter();
        let words: Vec<&str> = events
            .map(|event| event.message().unwrap().split(' ').next().unwrap())
            .collect();
        let once = ["START", "a", "END", "REPORT"];
        assert_eq!(words, [once, once].concat());
    });
}

/// Waits until the group holds as many lines of the function.
async fn lines(world: &World, group: &str, count: usize) {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&world.config);
    let deadline = Instant::now() + WITHIN;
    loop {
        assert!(Instant::now() < deadline, "no line came");
        let filter = logs.filter_log_events().log_group_name(group);
        let found = filter.filter_pattern("\"a line\"").send().await.unwrap();
        if found.events().len() >= count {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_bucket_behind_cloudfront_is_served_by_its_distribution_s_name() {
    const SITE: &str = "\
Resources:
  Site: { Type: 'AWS::S3::Bucket' }
  Access:
    Type: AWS::CloudFront::OriginAccessControl
    Properties:
      OriginAccessControlConfig:
        { Name: site, OriginAccessControlOriginType: s3, SigningBehavior: always, SigningProtocol: sigv4 }
  Distribution:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        DefaultRootObject: index.html
        Origins:
          - Id: site
            DomainName: !GetAtt Site.RegionalDomainName
            OriginAccessControlId: !GetAtt Access.Id
            S3OriginConfig: {}
        DefaultCacheBehavior: { TargetOriginId: site, ViewerProtocolPolicy: redirect-to-https }
Outputs:
  Bucket: { Value: !Ref Site }
  Url: { Value: !Sub 'https://${Distribution.DomainName}/index.html' }
  Name: { Value: !GetAtt Distribution.DomainName }
";
    run(async |world| {
        assert_eq!(world.create("distribution", SITE).await, "CREATE_COMPLETE");
        let bucket = world.output("distribution", "Bucket").await;
        let put = world.s3.put_object().bucket(bucket).key("index.html");
        put.body(b"home".to_vec().into()).send().await.unwrap();
        let url = world.output("distribution", "Url").await;
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        assert_eq!(world.get(&url).await, "home");
        let name = world.output("distribution", "Name").await;
        assert!(name.ends_with(".cloudfront.net"), "{name}");
    });
}
