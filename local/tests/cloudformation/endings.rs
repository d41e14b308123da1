//! How stacks end: deleted, or rolled back.

use aws_sdk_cloudformation::types::StackEvent;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::world::{World, run};

const VERSIONED: &str = "\
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: { VersioningConfiguration: { Status: Enabled } }
Outputs:
  Bucket: { Value: !Ref Bucket }
";

/// Everything that a bucket holds: versions and delete markers.
async fn identifiers(world: &World, bucket: &str) -> Vec<ObjectIdentifier> {
    let listed = world.s3.list_object_versions().bucket(bucket).send();
    let listed = listed.await.unwrap();
    let versions = listed.versions().iter();
    let versions = versions.map(|version| (version.key().unwrap(), version.version_id().unwrap()));
    let markers = listed.delete_markers().iter();
    let markers = markers.map(|marker| (marker.key().unwrap(), marker.version_id().unwrap()));
    versions
        .chain(markers)
        .map(|(key, version)| {
            let identifier = ObjectIdentifier::builder().key(key).version_id(version);
            identifier.build().unwrap()
        })
        .collect()
}

#[test]
fn a_bucket_that_is_not_empty_keeps_its_stack() {
    run(async |world| {
        assert_eq!(world.create("full", VERSIONED).await, "CREATE_COMPLETE");
        let bucket = world.output("full", "Bucket").await;
        for content in ["one", "two"] {
            let put = world.s3.put_object().bucket(&bucket).key("key");
            let put = put.body(content.as_bytes().to_vec().into());
            put.send().await.unwrap();
        }
        let delete = world.s3.delete_object().bucket(&bucket).key("key");
        delete.send().await.unwrap();

        assert_eq!(world.delete("full").await, "DELETE_FAILED");
        let stack = world.stack("full").await;
        assert_eq!(
            stack.stack_status_reason.as_deref(),
            Some("The following resource(s) failed to delete: [Bucket].")
        );
        let events = world.events("full").await;
        let failed = events
            .iter()
            .rev()
            .find(|event| is(event, "Bucket", "DELETE_FAILED"));
        let reason = failed.unwrap().resource_status_reason().unwrap();
        assert!(reason.contains("not empty"), "{reason}");

        let found = identifiers(world, &bucket).await;
        assert_eq!(found.len(), 3, "two versions and a delete marker");
        let objects = Delete::builder().set_objects(Some(found)).build().unwrap();
        let emptied = world.s3.delete_objects().bucket(&bucket).delete(objects);
        assert!(emptied.send().await.unwrap().errors().is_empty());
        assert_eq!(identifiers(world, &bucket).await.len(), 0);
        assert_eq!(world.delete("full").await, "DELETE_COMPLETE");
    });
}

fn is(event: &StackEvent, logical_id: &str, status: &str) -> bool {
    event.logical_resource_id() == Some(logical_id)
        && event
            .resource_status()
            .is_some_and(|found| found.as_str() == status)
}

fn parent(key: &str) -> String {
    format!(
        "Resources:\n  Nested:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      \
         TemplateURL: !Sub 'https://code.s3.${{AWS::Region}}.amazonaws.com/{key}'\n"
    )
}

#[test]
fn a_failed_creation_rolls_back_and_leads_to_what_failed_first() {
    const FAILING: &str = "\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: of-a-failed-creation
      AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] }
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      Runtime: provided.al2023
      Handler: bootstrap
      Code: { S3Bucket: code, S3Key: no-such-package.zip }
";
    run(async |world| {
        world.put("templates/failing.yaml", FAILING).await;
        let parent = parent("templates/failing.yaml");
        let status = world.create("failing", &parent);
        assert_eq!(status.await, "ROLLBACK_COMPLETE");

        let events = world.events("failing").await;
        let failed = events
            .iter()
            .find(|event| is(event, "Nested", "CREATE_FAILED"));
        let failed = failed.unwrap();
        let nested = failed.physical_resource_id().unwrap();
        assert_eq!(
            failed.resource_status_reason(),
            Some(
                format!(
                    "Embedded stack {nested} was not successfully created: The following resource(s) failed to \
                     create: [Function]. "
                )
                .as_str()
            )
        );
        let events = world.events(nested).await;
        let first = events
            .iter()
            .find(|event| is(event, "Function", "CREATE_FAILED"));
        let reason = first.unwrap().resource_status_reason().unwrap();
        assert!(
            reason.contains("NoSuchKey") && reason.contains("no-such-package.zip"),
            "{reason}"
        );

        let ended = world.stack(nested).await;
        assert_eq!(ended.stack_status().unwrap().as_str(), "DELETE_COMPLETE");
        assert_eq!(ended.parent_id(), world.stack("failing").await.stack_id());
        let iam = aws_sdk_iam::Client::new(&world.config);
        let role = iam.get_role().role_name("of-a-failed-creation");
        assert!(
            role.send().await.is_err(),
            "what the nested stack made stayed"
        );

        // Its name is free again only when it is deleted.
        assert_eq!(world.delete("failing").await, "DELETE_COMPLETE");
        let again = world.create("failing", "Resources:\n  B:\n    Type: AWS::S3::Bucket\n");
        assert_eq!(again.await, "CREATE_COMPLETE");
    });
}

#[test]
fn what_is_to_be_retained_stays_when_its_nested_stack_goes() {
    const RETAINING: &str = "\
Resources:
  Kept:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    Properties: { BucketName: kept-by-its-policy }
  Gone:
    Type: AWS::S3::Bucket
    Properties: { BucketName: gone-with-its-stack }
";
    run(async |world| {
        world.put("templates/retaining.yaml", RETAINING).await;
        let parent = parent("templates/retaining.yaml");
        let status = world.create("retaining", &parent);
        assert_eq!(status.await, "CREATE_COMPLETE");
        let full = world
            .s3
            .put_object()
            .bucket("gone-with-its-stack")
            .key("key");
        full.send().await.unwrap();
        assert_eq!(world.delete("retaining").await, "DELETE_FAILED");

        let object = world.s3.delete_object().bucket("gone-with-its-stack");
        object.key("key").send().await.unwrap();
        assert_eq!(world.delete("retaining").await, "DELETE_COMPLETE");
        let kept = world.s3.head_bucket().bucket("kept-by-its-policy");
        assert!(kept.send().await.is_ok());
        let gone = world.s3.head_bucket().bucket("gone-with-its-stack");
        assert!(gone.send().await.is_err());
    });
}
