//! The classic story of a SAM template: an alias that CodeDeploy moves, watched by an alarm, checked by hooks.

use aws_sdk_lambda::Client;
use pipeline_tests::visitor::Visitor;

use crate::world::{Local, run};

const TEMPLATE: &str = include_str!("traffic/template.yaml");
const CHECK: &str = include_str!("traffic/check.py");
const HOOK: &str = include_str!("../../../docs/hooks/hook.py");

/// A release that answers with its version, and crashes when it is asked to.
fn app(version: &str) -> String {
    format!(
        "import json\n\n\ndef handler(event, context):\n    \
         if (event.get('queryStringParameters') or {{}}).get('crash') == 'true':\n        \
         raise RuntimeError('asked to crash')\n    \
         return {{'statusCode': 200, 'body': json.dumps({{'version': '{version}'}})}}\n"
    )
}

async fn release(local: &Local, app: &str) -> String {
    let files = [
        ("template.yaml", TEMPLATE),
        ("src/app.py", app),
        ("check/check.py", CHECK),
        ("check/hook.py", HOOK),
    ];
    local.artifact(&files).await
}

async fn version(lambda: &Client, function: &str) -> String {
    let get = lambda.get_alias().function_name(function).name("live");
    let alias = get.send().await.unwrap();
    let routing = alias.routing_config();
    let weights = routing.and_then(|routing| routing.additional_version_weights());
    assert!(
        weights.is_none_or(std::collections::HashMap::is_empty),
        "{alias:?}"
    );
    alias.function_version.unwrap()
}

#[test]
fn a_canary_of_a_sam_template_passes_and_one_that_crashes_is_taken_back() {
    run(async |local| {
        let stack = "traffic";
        local
            .deploy(stack, &release(local, &app("one")).await, "")
            .await
            .variables();
        let outputs = local.outputs(stack).await;
        let (url, function) = (&outputs["Url"], &outputs["Function"]);

        // Visitors who are content: both versions answer them for some time, and then the new one.
        let visitor = Visitor::default().keep_fetching(vec![url.clone()]);
        let deployed = local
            .deploy(stack, &release(local, &app("two")).await, "")
            .await;
        assert_eq!(deployed.variables()["Changed"], "true");
        let seen = visitor.end().await.unwrap();
        assert!(seen.failures.is_empty(), "{:?}", seen.failures);
        let mut versions = seen.versions.iter().map(|(_, version)| version.as_str());
        assert!(versions.clone().count() > 3, "{:?}", seen.versions);
        assert_eq!(versions.next_back(), Some("two"));
        assert_eq!(version(&local.lambda, function).await, "2");

        // Visitors for whom the new version crashes.
        let visitor = Visitor::default().keep_fetching(vec![format!("{url}?crash=true")]);
        let failed = local
            .deploy(stack, &release(local, &app("three")).await, "")
            .await;
        visitor.end().await.unwrap();
        let message = failed.failure();
        let (said, id) = message.split_once("`d-").unwrap();
        assert_eq!(
            said,
            format!(
                "JobFailed: the stack `traffic` is as it was before (UPDATE_ROLLBACK_COMPLETE)\n  first failure: traffic / \
                 GreeterAliaslive (AWS::Lambda::Alias), UPDATE_FAILED\n  the alarm `{}` rang and stopped the deployment ",
                outputs["Errors"]
            )
        );
        assert!(id[9..].starts_with("` of CodeDeploy\n"), "{message}");
        assert_eq!(version(&local.lambda, function).await, "2");
        let answer = Visitor::default().get(url).await.unwrap();
        assert_eq!(answer.version().as_deref(), Some("two"), "{answer:?}");
    });
}
