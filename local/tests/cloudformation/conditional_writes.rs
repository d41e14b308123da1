//! A bucket whose policy says that objects are written once.

use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use crate::world::{World, run};

const TEMPLATE: &str = r#"
Resources:
  Once:
    Type: AWS::S3::Bucket
    Properties: { BucketName: written-once }
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Once
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Deny
            Principal: "*"
            Action: "s3:*"
            Resource: [!GetAtt Once.Arn, !Sub "${Once.Arn}/*"]
            Condition: { Bool: { "aws:SecureTransport": "false" } }
          - Effect: Deny
            Principal: "*"
            Action: s3:PutObject
            Resource: !Sub "${Once.Arn}/blobs/*"
            Condition:
              "Null": { "s3:if-none-match": "true" }
              Bool: { "s3:ObjectCreationOperation": "true" }
"#;

const BUCKET: &str = "written-once";

fn code<T, E: aws_sdk_s3::error::ProvideErrorMetadata>(
    answer: Result<T, SdkError<E>>,
) -> Option<String> {
    let error = answer.err()?;
    Some(error.code().unwrap_or_default().to_owned())
}

/// Writes an object; the code of the refusal.
async fn put(world: &World, key: &str, if_none_match: Option<&str>) -> Option<String> {
    let put = world.s3.put_object().bucket(BUCKET).key(key);
    let put = put.set_if_none_match(if_none_match.map(str::to_owned));
    code(put.body(b"x".to_vec().into()).send().await)
}

/// Writes an object as an upload of one part; the code of the refusal of its end.
async fn upload(world: &World, key: &str, if_none_match: Option<&str>) -> Option<String> {
    let create = world.s3.create_multipart_upload().bucket(BUCKET).key(key);
    let upload = create.send().await.unwrap().upload_id.unwrap();
    let part = world.s3.upload_part().bucket(BUCKET).key(key);
    let part = part.upload_id(&upload).part_number(1);
    let part = part.body(b"x".to_vec().into()).send().await.unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag);
    let parts = CompletedMultipartUpload::builder().parts(part.build());
    let complete = world.s3.complete_multipart_upload().bucket(BUCKET).key(key);
    let complete = complete.upload_id(&upload).multipart_upload(parts.build());
    let complete = complete.set_if_none_match(if_none_match.map(str::to_owned));
    code(complete.send().await)
}

#[test]
fn what_a_policy_says_about_conditional_writes_is_enforced() {
    run(async |world| {
        assert_eq!(world.create("once", TEMPLATE).await, "CREATE_COMPLETE");
        let denied = Some("AccessDenied".to_owned());
        let there = Some("PreconditionFailed".to_owned());
        assert_eq!(put(world, "blobs/a", None).await, denied);
        assert_eq!(put(world, "blobs/a", Some("*")).await, None);
        assert_eq!(put(world, "blobs/a", Some("*")).await, there);
        assert_eq!(put(world, "blobs/a", None).await, denied);
        assert_eq!(upload(world, "blobs/b", None).await, denied);
        assert_eq!(upload(world, "blobs/b", Some("*")).await, None);
        let copy = world.s3.copy_object().bucket(BUCKET).key("blobs/c");
        let copy = copy.copy_source(format!("{BUCKET}/blobs/a"));
        assert_eq!(code(copy.send().await), denied);
        // Elsewhere, and what does not write, as before; a statement with other conditions does not count here.
        assert_eq!(put(world, "other", None).await, None);
        assert_eq!(put(world, "other", None).await, None);
        let delete = world.s3.delete_object().bucket(BUCKET).key("blobs/a");
        assert_eq!(code(delete.send().await), None);
    });
}
