//! The bucket that is published to.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use delivery_action::aws::{CallError, CallErrorKind};
use serde_json::json;

use super::PublishError;
use crate::error::CliError;

/// The one region whose buckets are made without naming it.
const UNNAMED_REGION: &str = "us-east-1";

/// A bucket to publish to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Its name.
    pub(crate) name: String,
    /// The account that has to own it.
    pub(crate) owner: String,
    /// The region that it has to be in.
    pub(crate) region: String,
    /// Whether the name is this program's own choice, so that its settings are, too.
    pub(crate) is_ours: bool,
}

impl Bucket {
    /// The bucket of this name, else the one of this program's own.
    pub(crate) fn of(name: Option<String>, owner: &str, region: &str) -> Self {
        Self {
            is_ours: name.is_none(),
            name: name.unwrap_or_else(|| format!("delivery-{owner}-{region}")),
            owner: owner.to_owned(),
            region: region.to_owned(),
        }
    }

    /// Whether it is there; it has to be of the right account and region.
    pub(crate) async fn exists(&self, s3: &Client) -> Result<bool, CliError> {
        let head = s3
            .head_bucket()
            .bucket(&self.name)
            .expected_bucket_owner(&self.owner)
            .send()
            .await;
        let error = match head {
            Ok(head) => {
                let elsewhere = head
                    .bucket_region
                    .filter(|region| !region.is_empty() && *region != self.region);
                return match elsewhere {
                    Some(region) => Err(self.elsewhere(region)),
                    None => Ok(true),
                };
            }
            Err(error) => error,
        };
        let region = error
            .raw_response()
            .and_then(|response| response.headers().get("x-amz-bucket-region"))
            .map(str::to_owned);
        let error = CallError::new("s3:ListBucket", format!("s3://{}", self.name), &error);
        match (error.kind, region) {
            (CallErrorKind::NotFound, _) => Ok(false),
            (_, Some(region)) if region != self.region => Err(self.elsewhere(region)),
            (CallErrorKind::Denied, _) if !error.is_about_credentials() => {
                Err(PublishError::BucketDenied {
                    bucket: self.name.clone(),
                    account: self.owner.clone(),
                }
                .into())
            }
            _ => Err(error.into()),
        }
    }

    fn elsewhere(&self, region: String) -> CliError {
        PublishError::BucketElsewhere {
            bucket: self.name.clone(),
            region,
            wanted: self.region.clone(),
        }
        .into()
    }

    /// Makes it and secures it.
    pub(crate) async fn make(&self, s3: &Client) -> Result<(), CliError> {
        let configuration = (self.region != UNNAMED_REGION).then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region.as_str()))
                .build()
        });
        let made = s3
            .create_bucket()
            .bucket(&self.name)
            .set_create_bucket_configuration(configuration)
            .object_ownership(ObjectOwnership::BucketOwnerEnforced)
            .send()
            .await;
        if let Err(error) = made {
            let error = CallError::new("s3:CreateBucket", format!("s3://{}", self.name), &error);
            // Somebody else of this account was quicker.
            if !error.is_code("BucketAlreadyOwnedByYou") {
                return Err(error.into());
            }
        }
        self.secure(s3).await
    }

    /// Whether a run that made it was interrupted before it was secured.
    pub(crate) async fn is_unfinished(&self, s3: &Client) -> Result<bool, CliError> {
        if !self.is_ours {
            return Ok(false);
        }
        let policy = s3
            .get_bucket_policy()
            .bucket(&self.name)
            .expected_bucket_owner(&self.owner)
            .send()
            .await;
        match policy {
            Ok(_) => Ok(false),
            Err(error) => {
                let resource = format!("s3://{}", self.name);
                let error = CallError::new("s3:GetBucketPolicy", resource, &error);
                if error.is_code("NoSuchBucketPolicy") {
                    return Ok(true);
                }
                Err(error.into())
            }
        }
    }

    /// Public access blocked, encrypted, TLS only. The policy comes last: where it is, all is.
    pub(crate) async fn secure(&self, s3: &Client) -> Result<(), CliError> {
        let resource = || format!("s3://{}", self.name);
        s3.put_public_access_block()
            .bucket(&self.name)
            .expected_bucket_owner(&self.owner)
            .public_access_block_configuration(
                PublicAccessBlockConfiguration::builder()
                    .block_public_acls(true)
                    .block_public_policy(true)
                    .ignore_public_acls(true)
                    .restrict_public_buckets(true)
                    .build(),
            )
            .send()
            .await
            .map_err(|error| CallError::new("s3:PutBucketPublicAccessBlock", resource(), &error))?;
        s3.put_bucket_encryption()
            .bucket(&self.name)
            .expected_bucket_owner(&self.owner)
            .server_side_encryption_configuration(encryption())
            .send()
            .await
            .map_err(|error| CallError::new("s3:PutEncryptionConfiguration", resource(), &error))?;
        s3.put_bucket_policy()
            .bucket(&self.name)
            .expected_bucket_owner(&self.owner)
            .policy(self.policy())
            .send()
            .await
            .map_err(|error| CallError::new("s3:PutBucketPolicy", resource(), &error))?;
        Ok(())
    }

    fn policy(&self) -> String {
        let partition = match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let arn = format!("arn:{partition}:s3:::{}", self.name);
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "DenyWithoutTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, format!("{arn}/*")],
                "Condition": { "Bool": { "aws:SecureTransport": "false" } },
            }],
        })
        .to_string()
    }

    /// Deletes it, empty as it has to be.
    pub(crate) async fn delete(&self, s3: &Client) -> Result<(), CliError> {
        s3.delete_bucket()
            .bucket(&self.name)
            .expected_bucket_owner(&self.owner)
            .send()
            .await
            .map_err(|error| {
                CallError::new("s3:DeleteBucket", format!("s3://{}", self.name), &error)
            })?;
        Ok(())
    }
}

/// S3's own keys: no customer key, so no monthly charge and no key policy to keep.
fn encryption() -> ServerSideEncryptionConfiguration {
    let algorithm = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::Aes256)
        .build()
        .expect("the algorithm is set");
    ServerSideEncryptionConfiguration::builder()
        .rules(
            ServerSideEncryptionRule::builder()
                .apply_server_side_encryption_by_default(algorithm)
                .build(),
        )
        .build()
        .expect("a rule is set")
}
