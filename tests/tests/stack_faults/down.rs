//! `delivery down`.

use super::fake::{Fake, UP, changed, ended, no_stack, result, stack, stack_of};

#[tokio::test]
async fn down_without_a_terminal_and_without_yes_deletes_nothing() {
    let fake = Fake::start(|call, _| match call {
        "DescribeStacks" => stack("CREATE_COMPLETE"),
        "GetCallerIdentity" => result(call, "<Account>111122223333</Account>"),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&["down"])).await;
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("nothing was deleted"), "{printed}");
    assert!(printed.contains("`--yes`"), "{printed}");
    assert_eq!(changed(&fake), [""; 0]);
}

#[tokio::test]
async fn a_stack_of_something_else_is_neither_replaced_nor_deleted() {
    for state in ["CREATE_COMPLETE", "ROLLBACK_COMPLETE"] {
        let fake = Fake::start(move |call, _| match call {
            "DescribeStacks" => stack_of("Alerts", state),
            "GetCallerIdentity" => result(call, "<Account>111122223333</Account>"),
            _ => result(call, ""),
        })
        .await;
        let up: Vec<&str> = UP.iter().chain(&["--yes"]).copied().collect();
        for arguments in [&up[..], &["down", "--yes", "--include-data"]] {
            let (code, printed) = ended(fake.delivery(arguments)).await;
            assert_eq!(code, 1, "{printed}");
            assert!(
                printed.contains("was not launched by Serverless Delivery"),
                "{printed}"
            );
            assert!(printed.contains("`--adopt`"), "{printed}");
        }
        assert_eq!(changed(&fake), [""; 0]);
    }
}

#[tokio::test]
async fn the_buckets_of_a_deleted_stack_of_something_else_stay() {
    let deleted = "<StackSummaries><member><StackName>shop</StackName><StackId>s-1</StackId>\
                   <TemplateDescription>Billing</TemplateDescription><StackStatus>DELETE_COMPLETE</StackStatus>\
                   <CreationTime>2026-01-01T00:00:00Z</CreationTime></member></StackSummaries>";
    let fake = Fake::start(move |call, _| match call {
        "DescribeStacks" => no_stack(),
        "ListStacks" => result(call, deleted),
        "GetCallerIdentity" => result(call, "<Account>111122223333</Account>"),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&["down", "--yes"])).await;
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("nothing to delete"), "{printed}");
    assert!(!fake.was_asked("DescribeStackEvents"), "{:?}", fake.calls());
}

#[tokio::test]
async fn a_deletion_that_someone_else_began_empties_no_bucket_unasked() {
    let bucket = "<StackResourceSummaries><member><LogicalResourceId>Site</LogicalResourceId>\
                  <PhysicalResourceId>shop-site</PhysicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType>\
                  <ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResourceSummaries>";
    let fake = Fake::start(move |call, _| match call {
        "DescribeStacks" => stack("DELETE_IN_PROGRESS"),
        "ListStackResources" => result(call, bucket),
        "GetTemplate" => result(
            call,
            "<TemplateBody>Resources: {Site: {Type: AWS::S3::Bucket}}</TemplateBody>",
        ),
        "GetCallerIdentity" => result(call, "<Account>111122223333</Account>"),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&["down"])).await;
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("`--yes`"), "{printed}");
    for call in ["ListObjectVersions", "DeleteObjects", "DeleteStack"] {
        assert!(!fake.was_asked(call), "{:?}", fake.calls());
    }
}
