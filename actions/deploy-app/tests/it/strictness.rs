//! The guards that deployments lean on, as the in-memory AWS has them: what emulators let pass.

use std::collections::HashMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use delivery_testing::world::World;

use crate::harness::{FUNCTION, KEY, STORE, alias, world};

async fn client() -> (World, Client) {
    let world = world().await;
    let client = Client::new(&world.test_config());
    (world, client)
}

fn code<E: ProvideErrorMetadata, R>(result: Result<impl Sized, SdkError<E, R>>) -> String {
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}

fn weight(version: &str, weight: f64) -> AliasRoutingConfiguration {
    let weights = HashMap::from([(version.to_owned(), weight)]);
    AliasRoutingConfiguration::builder()
        .set_additional_version_weights(Some(weights))
        .build()
}

#[tokio::test]
async fn a_stale_revision_id_is_refused() {
    let (_world, client) = client().await;
    let update = client
        .update_function_code()
        .function_name(FUNCTION)
        .revision_id("stale");
    assert_eq!(
        code(update.s3_bucket(STORE).s3_key(KEY).send().await),
        "PreconditionFailedException"
    );
    let publish = client
        .publish_version()
        .function_name(FUNCTION)
        .revision_id("stale");
    assert_eq!(code(publish.send().await), "PreconditionFailedException");
    let update = client
        .update_alias()
        .function_name(FUNCTION)
        .name("prod")
        .revision_id("stale");
    assert_eq!(
        code(update.function_version("1").send().await),
        "PreconditionFailedException"
    );
}

#[tokio::test]
async fn nothing_is_changed_while_an_update_is_in_progress() {
    let (world, client) = client().await;
    world.lambda().take_polls(1);
    let update = || {
        let update = client.update_function_code().function_name(FUNCTION);
        update.s3_bucket(STORE).s3_key(KEY).send()
    };
    assert_eq!(code(update().await), "accepted");
    assert_eq!(code(update().await), "ResourceConflictException");
    let publish = || client.publish_version().function_name(FUNCTION).send();
    assert_eq!(code(publish().await), "ResourceConflictException");
    client
        .get_function_configuration()
        .function_name(FUNCTION)
        .send()
        .await
        .unwrap();
    assert_eq!(code(publish().await), "accepted");
}

#[tokio::test]
async fn another_code_hash_is_refused() {
    let (_world, client) = client().await;
    let publish = client
        .publish_version()
        .function_name(FUNCTION)
        .code_sha256("other");
    assert_eq!(code(publish.send().await), "InvalidParameterValueException");
}

#[tokio::test]
async fn what_has_not_changed_gives_the_same_version() {
    let (_world, client) = client().await;
    let published = client
        .publish_version()
        .function_name(FUNCTION)
        .send()
        .await
        .unwrap();
    assert_eq!(published.version(), Some("1"));
}

#[tokio::test]
async fn an_alias_takes_only_weights_within_0_and_1_and_versions_that_exist() {
    let (world, client) = client().await;
    let update = || client.update_alias().function_name(FUNCTION).name("prod");
    assert_eq!(
        code(update().routing_config(weight("1", 1.5)).send().await),
        "InvalidParameterValueException"
    );
    assert_eq!(
        code(update().routing_config(weight("1", 0.5)).send().await),
        "InvalidParameterValueException"
    );
    assert_eq!(
        code(update().routing_config(weight("9", 0.5)).send().await),
        "ResourceNotFoundException"
    );
    assert_eq!(
        code(update().function_version("9").send().await),
        "ResourceNotFoundException"
    );
    assert_eq!(alias(&world, "prod"), "1");
}

#[tokio::test]
async fn an_alias_keeps_the_weights_that_it_is_not_given() {
    let (world, client) = client().await;
    world.lambda().change_code(FUNCTION, b"PK\x03\x04 v2");
    client
        .publish_version()
        .function_name(FUNCTION)
        .send()
        .await
        .unwrap();
    world
        .lambda()
        .change_alias(FUNCTION, "prod", "2", &[("1", 0.5)]);
    let update = client.update_alias().function_name(FUNCTION).name("prod");
    let updated = update.description("no routing").send().await.unwrap();
    let routing = updated.routing_config().unwrap();
    assert_eq!(
        routing.additional_version_weights().unwrap()["1"].to_string(),
        "0.5"
    );
}

#[tokio::test]
async fn an_alias_that_is_deleted_is_seen_as_not_served() {
    let (world, client) = client().await;
    client
        .delete_alias()
        .function_name(FUNCTION)
        .name("prod")
        .send()
        .await
        .unwrap();
    assert!(
        world
            .lambda()
            .alias_events()
            .iter()
            .any(|event| !event.served)
    );
}
