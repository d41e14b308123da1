//! What Lambda refuses of weights.

use aws_sdk_lambda::types::AliasRoutingConfiguration;

use super::{two_versions, weighted};
use crate::world::{World, run, said};

/// An alias with weights of one and the same version.
const TEMPLATE: &str = "
Resources:
  Alias:
    Type: AWS::Lambda::Alias
    Properties:
      FunctionName: FUNCTION
      Name: made
      FunctionVersion: '1'
      RoutingConfig: { AdditionalVersionWeights: [{ FunctionVersion: '1', FunctionWeight: 0.1 }] }
";

/// What Lambda says to an alias of this version with these weights.
async fn refusal(world: &World, function: &str, primary: &str, weights: &[(&str, f64)]) -> String {
    let routing = weights.iter().fold(
        AliasRoutingConfiguration::builder(),
        |routing, (version, weight)| routing.additional_version_weights(*version, *weight),
    );
    let lambda = aws_sdk_lambda::Client::new(&world.config);
    let create = lambda
        .create_alias()
        .function_name(function)
        .name("refused");
    let create = create
        .function_version(primary)
        .routing_config(routing.build());
    let said_at_first = said(&create.send().await.unwrap_err());

    let update = lambda.update_alias().function_name(function).name("whole");
    let routing = weights.iter().fold(
        AliasRoutingConfiguration::builder(),
        |routing, (version, weight)| routing.additional_version_weights(*version, *weight),
    );
    let update = update
        .function_version(primary)
        .routing_config(routing.build());
    assert_eq!(said(&update.send().await.unwrap_err()), said_at_first);
    said_at_first
}

#[test]
fn weights_that_lambda_refuses_are_refused() {
    run(async |world| {
        let function = "refusing";
        two_versions(world, function, "").await;
        let lambda = aws_sdk_lambda::Client::new(&world.config);
        let whole = lambda.create_alias().function_name(function).name("whole");
        whole.function_version("1").send().await.unwrap();
        let other_role = lambda
            .update_function_configuration()
            .function_name(function);
        let other_role = other_role.role("arn:aws:iam::000000000000:role/other");
        other_role.send().await.unwrap();
        lambda
            .publish_version()
            .function_name(function)
            .send()
            .await
            .unwrap();

        for (primary, weights, words) in [
            ("1", &[("2", 1.5)][..], "between 0.0 and 1.0"),
            ("1", &[("2", -0.1)], "between 0.0 and 1.0"),
            ("1", &[("2", 0.1), ("3", 0.1)], "one additional version"),
            ("$LATEST", &[("2", 0.1)], "$LATEST is not supported"),
            ("1", &[("$LATEST", 0.1)], "$LATEST is not supported"),
            ("1", &[("1", 0.1)], "must be different"),
            (
                "1",
                &[("9", 0.1)],
                "ResourceNotFoundException: Function not found",
            ),
            (
                "9",
                &[("2", 0.1)],
                "ResourceNotFoundException: Function not found",
            ),
            ("1", &[("3", 0.1)], "same execution role"),
        ] {
            let said = refusal(world, function, primary, weights).await;
            assert!(said.contains(words), "{primary} and {weights:?}: {said}");
        }
    });
}

#[test]
fn an_alias_with_weights_gets_no_provisioned_concurrency() {
    run(async |world| {
        let function = "provisioned";
        two_versions(world, function, "").await;
        weighted(world, function, "both", 0.5).await;
        let put = aws_sdk_lambda::Client::new(&world.config).put_provisioned_concurrency_config();
        let put = put.function_name(function).qualifier("both");
        let put = put.provisioned_concurrent_executions(1);
        let refused = said(&put.send().await.unwrap_err());
        assert!(
            refused.contains("can not be used with Provisioned Concurrency"),
            "{refused}"
        );
    });
}

#[test]
fn a_template_is_told_what_lambda_refuses() {
    run(async |world| {
        let function = "templated";
        two_versions(world, function, "").await;
        let template = TEMPLATE.replace("FUNCTION", function);
        assert_eq!(
            world.create("refusing", &template).await,
            "ROLLBACK_COMPLETE"
        );
        let events = world.events("refusing").await;
        let mut reasons = events
            .iter()
            .filter_map(|event| event.resource_status_reason());
        assert!(reasons.any(|reason| reason.contains("must be different")));
    });
}
