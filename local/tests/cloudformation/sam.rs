//! Features of SAM: each deployed by the local `CloudFormation`, and called.

use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::ChangeSetType;
use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::world::{CODE, WITHIN, World, package, run};

const FUNCTIONS: &str = include_str!("sam/functions.yaml");
const EVENTS: &str = include_str!("sam/events.yaml");
const APPLICATION: &str = include_str!("sam/application.yaml");
const NESTED: &str = include_str!("sam/nested.yaml");

/// The site whose pages may call the HTTP API.
const ORIGIN: &str = "http://localhost:8080";

/// The schedule is that of each minute, which is looked at every ten seconds, the first time to learn when it began.
const SCHEDULED_WITHIN: Duration = Duration::from_mins(2);

/// Uploads what the templates name, once.
async fn uploaded(world: &World) {
    static UPLOADED: OnceCell<()> = OnceCell::const_new();
    let upload = async || {
        let app = package(&[("app.py", include_str!("sam/app.py"))]);
        world.put("sam/app.zip", app.clone()).await;
        world.put("sam/changed.zip", app).await;
        let layer = [("python/of_the_layer.py", "SAID = 'from the layer'\n")];
        world.put("sam/layer.zip", package(&layer)).await;
        world.put("sam/nested.yaml", NESTED).await;
        world
            .put("sam/rest.yaml", include_str!("sam/rest.yaml"))
            .await;
        world
            .put("sam/http.yaml", include_str!("sam/http.yaml"))
            .await;
    };
    UPLOADED.get_or_init(upload).await;
}

async fn invoke(world: &World, function: &str, event: &Value) -> Value {
    let lambda = aws_sdk_lambda::Client::new(&world.config);
    let invoke = lambda.invoke().function_name(function);
    let invoke = invoke.payload(Blob::new(event.to_string()));
    let payload = invoke.send().await.unwrap().payload.unwrap();
    serde_json::from_slice(payload.as_ref()).unwrap()
}

/// Has the stack's own function call a service.
async fn call(world: &World, stack: &str, service: &str, operation: &str, input: Value) -> Value {
    let function = world.output(stack, "Call").await;
    let asked = json!({ "service": service, "operation": operation, "input": input });
    let answer = invoke(world, &function, &asked).await;
    assert!(answer.get("errorMessage").is_none(), "{answer}");
    answer
}

/// Waits until the function of `events.yaml` was called by a service, and gives back the event.
async fn seen(world: &World, caller: &str, within: Duration) -> Value {
    let deadline = Instant::now() + within;
    loop {
        let get = world.s3.get_object().bucket(CODE);
        if let Ok(got) = get.key(format!("seen/events/{caller}")).send().await {
            let content = got.body.collect().await.unwrap().into_bytes();
            return serde_json::from_slice(&content).unwrap();
        }
        assert!(Instant::now() < deadline, "`{caller}` called nothing");
        sleep(Duration::from_millis(100)).await;
    }
}

/// What `app.keep` answered at an address.
async fn answer_at(world: &World, stack: &str, output: &str) -> Value {
    let url = world.output(stack, output).await;
    let text = world.get(&url).await;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output}, {url}: {text}"))
}

#[test]
fn apis_aliases_layers_and_tables_are_called() {
    run(async |world| {
        uploaded(world).await;
        let alias = ("Alias", "live");
        let parameters = [alias];
        let made = world.change_set(
            ChangeSetType::Create,
            "functions",
            "one",
            FUNCTIONS,
            &parameters,
        );
        made.await.unwrap();
        assert_eq!(world.execute("functions", "one").await, "CREATE_COMPLETE");

        let first = json!({ "who": "first", "version": "1", "called": null });
        for output in ["Rest", "Http", "Endpoint", "Url"] {
            assert_eq!(
                answer_at(world, "functions", output).await,
                first,
                "{output}"
            );
        }
        let url = world.output("functions", "Http").await;
        let (fields, _) = world.get_from(&url, ORIGIN).await;
        assert_eq!(fields["access-control-allow-origin"], ORIGIN);
        let function = world.output("functions", "WithLayer").await;
        let answer = invoke(world, &function, &json!({})).await;
        assert_eq!(answer["body"], "from the layer", "{answer}");
        let function = world.output("functions", "Count").await;
        for calls in [1, 2] {
            assert_eq!(invoke(world, &function, &json!({})).await, json!(calls));
        }

        // What an update changes: the alias goes on to the next version, the addresses stay.
        let parameters = [alias, ("Who", "second"), ("Package", "sam/changed.zip")];
        let urls = addresses(world).await;
        let changed = FUNCTIONS.replace("/rest/{id}", "/changed/{id}");
        let made = world.change_set(
            ChangeSetType::Update,
            "functions",
            "two",
            &changed,
            &parameters,
        );
        made.await.unwrap();
        assert_eq!(world.execute("functions", "two").await, "UPDATE_COMPLETE");
        assert_eq!(addresses(world).await, urls);
        let second = json!({ "who": "second", "version": "2", "called": null });
        for output in ["Changed", "Http", "Url"] {
            assert_eq!(
                answer_at(world, "functions", output).await,
                second,
                "{output}"
            );
        }
        let gone = answer_at(world, "functions", "Rest").await;
        assert_eq!(gone["message"], "Missing Authentication Token", "{gone}");
    });
}

async fn addresses(world: &World) -> Vec<String> {
    let mut urls = Vec::new();
    for output in ["Rest", "Http", "Endpoint", "Url"] {
        urls.push(world.output("functions", output).await);
    }
    urls
}

#[test]
fn events_of_six_services_reach_a_function() {
    run(async |world| {
        uploaded(world).await;
        assert_eq!(world.create("events", EVENTS).await, "CREATE_COMPLETE");
        let output = async |name: &str| world.output("events", name).await;

        let input = json!({ "QueueUrl": output("Queue").await, "MessageBody": "queued" });
        call(world, "events", "sqs", "send_message", input).await;
        let input = json!({ "TopicArn": output("Topic").await, "Message": "published" });
        call(world, "events", "sns", "publish", input).await;
        let input = json!({ "Bucket": output("Bucket").await, "Key": "put", "Body": "" });
        call(world, "events", "s3", "put_object", input).await;
        let item = json!({ "id": { "S": "written" } });
        let input = json!({ "TableName": output("Table").await, "Item": item });
        call(world, "events", "dynamodb", "put_item", input).await;
        let entry =
            json!({ "Source": "probe", "DetailType": "d", "Detail": "{\"said\": \"put\"}" });
        let input = json!({ "Entries": [entry] });
        call(world, "events", "events", "put_events", input).await;

        let event = seen(world, "aws:sqs", WITHIN).await;
        assert_eq!(event["Records"][0]["body"], "queued");
        let event = seen(world, "aws:sns", WITHIN).await;
        assert_eq!(event["Records"][0]["Sns"]["Message"], "published");
        let event = seen(world, "aws:s3", WITHIN).await;
        assert_eq!(event["Records"][0]["s3"]["object"]["key"], "put");
        let event = seen(world, "aws:dynamodb", WITHIN).await;
        assert_eq!(
            event["Records"][0]["dynamodb"]["NewImage"]["id"]["S"],
            "written"
        );
        let event = seen(world, "probe", WITHIN).await;
        assert_eq!(event["detail"]["said"], "put");
        let event = seen(world, "aws.events", SCHEDULED_WITHIN).await;
        assert_eq!(event["detail-type"], "Scheduled Event");
    });
}

#[test]
fn a_nested_application_a_state_machine_and_documents_of_apis_are_called() {
    run(async |world| {
        uploaded(world).await;
        let status = world.create("application", APPLICATION).await;
        let events = world.events("application").await;
        assert_eq!(status, "CREATE_COMPLETE", "{events:?}");

        assert_eq!(computed(world).await, json!({ "doubled": 42 }));
        for output in ["Rest", "Http"] {
            let answer = answer_at(world, "application", output).await;
            assert_eq!(answer["who"], "described", "{output}");
        }

        // The nested application is transformed again when it is updated.
        let changed = APPLICATION.replace("app.double", "app.triple");
        let made = world.change_set(ChangeSetType::Update, "application", "two", &changed, &[]);
        made.await.unwrap();
        assert_eq!(world.execute("application", "two").await, "UPDATE_COMPLETE");
        assert_eq!(computed(world).await, json!({ "tripled": 63 }));
    });
}

/// What the state machine answers to the number 21.
async fn computed(world: &World) -> Value {
    let machine = world.output("application", "Machine").await;
    let input = json!({ "stateMachineArn": machine, "input": "{\"number\": 21}" });
    let (service, operation) = ("stepfunctions", "start_sync_execution");
    let ended = call(world, "application", service, operation, input).await;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    serde_json::from_str(ended["output"].as_str().unwrap()).unwrap()
}
