//! Aliases with weights: each way in draws by them, and what Lambda refuses is refused.

mod refusals;

use std::collections::BTreeMap;
use std::time::Instant;

use aws_sdk_cloudformation::types::ChangeSetType;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Environment, FunctionCode, InvocationType, Runtime,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::metrics::Metric;
use crate::world::{WITHIN, World, package, run};

/// How many requests come by each way.
const REQUESTS: u32 = 20;

/// What version 2 gets of them.
const SHARE: f64 = 0.3;

/// How many of the requests the seed of these tests gives to version 2, by alias: each alias draws a sequence of its own.
const DRAWN: [(&str, u32); 9] = [
    ("asked", 1),
    ("async", 10),
    ("event", 4),
    ("http", 4),
    ("queue", 7),
    ("rest", 5),
    ("stream", 2),
    ("topic", 7),
    ("url", 7),
];

/// Says in its log by which alias it was called and which version it is, and fails where that is asked of the version.
const HANDLER: &str = "\
import os
def handler(event, context):
    alias, version = context.invoked_function_arn.rpartition(':')[2], context.function_version
    print('called by', alias, 'as', version, flush=True)
    if version in os.environ.get('FAILING', '').split(',') or version == event.get('failing'):
        raise RuntimeError('this version fails')
    return {'statusCode': 200, 'body': version}
";

/// A function with two versions, of which those in the list fail.
pub(crate) async fn two_versions(world: &World, function: &str, failing: &str) {
    let lambda = aws_sdk_lambda::Client::new(&world.config);
    for version in ["1", "2"] {
        let code = Blob::new(package(&[("index.py", &format!("# {version}\n{HANDLER}"))]));
        if version == "1" {
            let environment = Environment::builder().variables("FAILING", failing).build();
            let create = lambda.create_function().function_name(function);
            create
                .runtime(Runtime::Python312)
                .handler("index.handler")
                .role("arn:aws:iam::000000000000:role/any")
                .timeout(20)
                .environment(environment)
                .code(FunctionCode::builder().zip_file(code).build())
                .send()
                .await
                .unwrap();
        } else {
            let update = lambda.update_function_code().function_name(function);
            update.zip_file(code).send().await.unwrap();
        }
        let publish = lambda.publish_version().function_name(function);
        let published = publish.send().await.unwrap();
        assert_eq!(published.version.unwrap(), version);
    }
}

/// An alias of version 1 that gives version 2 this share.
pub(crate) async fn weighted(world: &World, function: &str, alias: &str, share: f64) {
    let weights = AliasRoutingConfiguration::builder().additional_version_weights("2", share);
    let create = aws_sdk_lambda::Client::new(&world.config).create_alias();
    let create = create.function_name(function).name(alias);
    let create = create.function_version("1").routing_config(weights.build());
    create.send().await.unwrap();
}

/// Invokes an alias and waits for the answer; gives back the version that ran, by what Lambda says.
pub(crate) async fn invoked(world: &World, function: &str, alias: &str) -> String {
    invoked_with(world, function, alias, &json!({})).await
}

/// As [`invoked`]; an event with `failing` names a version that is to fail.
pub(crate) async fn invoked_with(
    world: &World,
    function: &str,
    alias: &str,
    event: &Value,
) -> String {
    let invoke = aws_sdk_lambda::Client::new(&world.config).invoke();
    let invoke = invoke.function_name(function).qualifier(alias);
    let answer = invoke
        .payload(Blob::new(event.to_string()))
        .send()
        .await
        .unwrap();
    let version = answer.executed_version.unwrap();
    let payload: Value = serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap();
    if answer.function_error.is_none() {
        let ran = payload["body"].as_str().unwrap();
        assert_eq!(
            ran, version,
            "the version that is named is the one that ran"
        );
    }
    version
}

/// How often the function's log says that a version ran, by alias and version.
async fn runs(world: &World, function: &str) -> BTreeMap<(String, String), u32> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&world.config);
    let pages = logs
        .filter_log_events()
        .log_group_name(format!("/aws/lambda/{function}"));
    let pages = pages.filter_pattern("\"called by\"").limit(10_000);
    let mut runs = BTreeMap::new();
    for event in pages.send().await.unwrap().events() {
        let words: Vec<&str> = event.message().unwrap().split_whitespace().collect();
        let [.., alias, "as", version] = words[..] else {
            panic!("{words:?}")
        };
        *runs
            .entry((alias.to_owned(), version.to_owned()))
            .or_default() += 1;
    }
    runs
}

#[test]
fn each_way_in_draws_the_version_by_the_weights_of_its_alias() {
    run(async |world| {
        let function = "doors";
        two_versions(world, function, "").await;
        for (alias, _) in DRAWN {
            weighted(world, function, alias, SHARE).await;
        }
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
        let template = include_str!("weights/doors.yaml");
        let parameters = [("Function", arn.as_str())];
        let made = world.change_set(
            ChangeSetType::Create,
            "doors",
            "create",
            template,
            &parameters,
        );
        made.await.unwrap();
        assert_eq!(world.execute("doors", "create").await, "CREATE_COMPLETE");
        knock(world, function).await;

        let deadline = Instant::now() + WITHIN;
        let all: u32 = DRAWN.map(|_| REQUESTS).iter().sum();
        let runs = loop {
            let runs = runs(world, function).await;
            let count: u32 = runs.values().sum();
            if count >= all {
                break runs;
            }
            assert!(
                Instant::now() < deadline,
                "only {count} of {all} requests: {runs:?}"
            );
            sleep(std::time::Duration::from_millis(50)).await;
        };
        let drawn = DRAWN.map(|(alias, second)| {
            [("1", REQUESTS - second), ("2", second)]
                .map(|(version, count)| ((alias.to_owned(), version.to_owned()), count))
        });
        assert_eq!(runs, drawn.into_iter().flatten().collect());
        for (alias, second) in DRAWN {
            let requests = Metric::of(function).called(alias);
            assert_eq!(
                requests.sum(world, "Invocations").await,
                Some(20.0),
                "{alias}"
            );
            for (version, count) in [("1", REQUESTS - second), ("2", second)] {
                let requests = requests.clone().ran(version);
                let counted = requests.sum(world, "Invocations").await.unwrap_or(0.0);
                assert!(
                    (counted - f64::from(count)).abs() < f64::EPSILON,
                    "{alias}: {counted} of version {version}"
                );
            }
        }
    });
}

/// Comes by each way.
async fn knock(world: &World, function: &str) {
    let lambda = aws_sdk_lambda::Client::new(&world.config);
    let events = aws_sdk_eventbridge::Client::new(&world.config);
    let topics = aws_sdk_sns::Client::new(&world.config);
    let stack = "doors";
    let topic = world.output(stack, "Topic").await;
    let queue = world.output(stack, "Queue").await;
    let table = world.output(stack, "Table").await;
    let urls = [
        world.output(stack, "Rest").await,
        world.output(stack, "Http").await,
        world.output(stack, "Url").await,
    ];
    for number in 0..REQUESTS {
        invoked(world, function, "asked").await;
        let invoke = lambda.invoke().function_name(format!("{function}:async"));
        let invoke = invoke.invocation_type(InvocationType::Event);
        invoke.send().await.unwrap();
        for url in &urls {
            let version = world.get(url).await;
            assert!(["1", "2"].contains(&version.as_str()), "{url}: {version}");
        }
        let entry = PutEventsRequestEntry::builder()
            .source("doors")
            .detail_type("knock");
        let put = events.put_events().entries(entry.detail("{}").build());
        put.send().await.unwrap();
        let publish = topics.publish().topic_arn(&topic).message("knock");
        publish.send().await.unwrap();
        let message = json!({ "QueueUrl": queue, "MessageBody": "knock" });
        let sent = world.ask("sqs", "AmazonSQS.SendMessage", &message).await;
        assert!(sent["MessageId"].is_string(), "{sent}");
        let item = json!({ "TableName": table, "Item": { "id": { "S": number.to_string() } } });
        let put = world
            .ask("dynamodb", "DynamoDB_20120810.PutItem", &item)
            .await;
        assert_eq!(put, json!({}));
    }
}
