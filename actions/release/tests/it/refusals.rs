//! What cannot be published, and what is said about it.

use test_case::test_case;

use crate::harness::{self, APP, common, job, put, puts, run, world};

#[test_case("&services=api,shop", "an app without artifacts")]
#[test_case("&services=api,cart", "a service that there is not")]
#[test_case("&services=api,website", "a service that is forgotten")]
#[test_case(
    "&services=api&Artifact.shop.function=ShopDistLambdaOutput",
    "an artifact of a service that another action packages"
)]
#[test_case(
    "&Artifact.shop.function=DistLambdaOutput",
    "an artifact that is not an input"
)]
#[test_case(
    "&Artifact.shop.lambda=ShopDistLambdaOutput",
    "a part that no service has"
)]
#[test_case("&config=other.toml", "a definition that is not there")]
#[tokio::test]
async fn a_wrong_parameter(more: &str, what: &str) {
    let world = world().await;
    let default = "&Artifact.api=SourceOutput&Artifact.website=SourceOutput";
    let default = if more.contains("services=") {
        ""
    } else {
        default
    };
    let parameters = format!("{}{default}{more}", common("r1"));
    let source_first = delivery_testing::events::JobEvent::new()
        .input("SourceOutput", harness::STORE, "r1")
        .input("ShopDistLambdaOutput", harness::STORE, "lambda")
        .user_parameters(&parameters);
    let refused = run(&world, source_first).await.failure();
    insta::assert_snapshot!(what.replace(' ', "_"), refused);
    assert!(!puts(&world).contains_key("manifest"));
}

#[tokio::test]
async fn names_that_are_too_long_for_an_environment() {
    let world = world().await;
    let mut source = harness::source("r1");
    source[1].1 = source[1].1.replace(
        "Outputs:",
        "  Uploads:\n    Type: AWS::S3::Bucket\n    Properties: { BucketName: !Sub 'the-uploads-of-the-workshop-and-of-all-its-customers-${AWS::StackName}' }\nOutputs:",
    );
    put(&world, "r1", &source).await;
    let parameters = format!("{}&services=api&last=off", common("r1"));
    let event = delivery_testing::events::JobEvent::new()
        .input("SourceOutput", harness::STORE, "r1")
        .user_parameters(&parameters);
    insta::assert_snapshot!(run(&world, event).await.failure());
}

fn without(prefix: &str) -> Vec<(String, String)> {
    let files = harness::source("r1").into_iter();
    files
        .filter(|(path, _)| !path.starts_with(prefix))
        .collect()
}

#[test_case("frontend/build", "a site that was not built")]
#[test_case("api/src/f3/", "code that is not there")]
#[test_case("api/template.yaml", "a stack without a template")]
#[tokio::test]
async fn a_source_that_lacks(prefix: &str, what: &str) {
    let world = world().await;
    put(&world, "r1", &without(prefix)).await;
    let parameters = format!(
        "{}&Artifact.api=SourceOutput&Artifact.website=SourceOutput{APP}",
        common("r1")
    );
    let refused = run(&world, job("r1", &parameters)).await.failure();
    insta::assert_snapshot!(what.replace(' ', "_"), refused);
    assert!(!puts(&world).contains_key("manifest"));
}
