//! CodeDeploy's types, and the update policy of aliases.

use std::time::Instant;

use aws_sdk_cloudformation::types::ChangeSetType;

use super::{Service, hooks};
use crate::world::{MINUTE, World, run};

const TEMPLATE: &str = include_str!("stack.yaml");
const STACK: &str = "cd-stack";

async fn changed(
    world: &World,
    kind: ChangeSetType,
    name: &str,
    parameters: &[(&str, &str)],
) -> String {
    let made = world.change_set(kind, STACK, name, TEMPLATE, parameters);
    made.await.unwrap();
    world.execute(STACK, name).await
}

/// The version that has all traffic.
async fn version(service: &Service<'_>) -> String {
    let get = service.lambda.get_alias().function_name(service.name);
    let alias = get.name("live").send().await.unwrap();
    assert!(alias.routing_config().is_none(), "{alias:?}");
    alias.function_version.unwrap()
}

/// The events of the alias tell of the deployment that failed, and of the one that took it back.
async fn a_deployment_failed(world: &World) {
    let events = world.events(STACK).await;
    let of_alias = events
        .iter()
        .filter(|event| event.logical_resource_id() == Some("Alias"));
    let reasons = of_alias.filter_map(|event| event.resource_status_reason());
    let reasons: Vec<&str> = reasons.filter(|reason| !reason.is_empty()).collect();
    let [started, back, failed] = reasons[..] else {
        panic!("{reasons:?}");
    };
    let id = started.strip_prefix("CodeDeploy deployment started: ");
    let back = back.strip_prefix("CodeDeploy rollback deployment started: d-");
    assert!(back.is_some(), "{reasons:?}");
    let expected = format!(
        "Resource handler returned message: \"{} failed. The deployment failed because one or more of the \
         lifecycle event validation functions failed.\" (RequestToken: ",
        id.unwrap()
    );
    assert!(failed.starts_with(&expected), "{failed}");
    let end = ", HandlerErrorCode: InternalFailure)";
    assert!(failed.ends_with(end), "{failed}");
}

#[test]
fn a_stack_moves_its_alias_by_a_deployment_and_goes_back_when_that_fails() {
    run(async |world| {
        hooks(world).await;
        let service = Service {
            world,
            name: "cd-stack-function",
            lambda: aws_sdk_lambda::Client::new(&world.config),
        };
        service.make_function().await;
        let (role, fails) = (service.hook("Role").await, service.hook("Fails").await);
        let of_one = [("Function", service.name), ("Role", role.as_str())];
        let of_two = [&of_one[..], &[("Target", "2")]].concat();
        let created = changed(world, ChangeSetType::Create, "create", &of_one).await;
        assert_eq!(created, "CREATE_COMPLETE");

        // A hook that fails.
        let parameters = [&of_two[..], &[("Hook", fails.as_str())]].concat();
        let status = changed(world, ChangeSetType::Update, "fails", &parameters).await;
        assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
        a_deployment_failed(world).await;
        assert_eq!(version(&service).await, "1");

        // What fails after the alias has moved takes it back at once.
        let parameters = [&of_two[..], &[("Missing", "nobody")]].concat();
        let begun = Instant::now();
        let status = changed(world, ChangeSetType::Update, "later", &parameters).await;
        assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
        assert!(begun.elapsed() >= MINUTE * 2, "{:?}", begun.elapsed());
        assert_eq!(version(&service).await, "1");

        let status = changed(world, ChangeSetType::Update, "passes", &of_two).await;
        assert_eq!(status, "UPDATE_COMPLETE");
        assert_eq!(version(&service).await, "2");
        assert_eq!(world.delete(STACK).await, "DELETE_COMPLETE");
    });
}
