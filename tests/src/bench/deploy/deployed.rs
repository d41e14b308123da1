//! What a deployment left in the local AWS.

use std::io;

use local::aws::LocalAws;

use crate::bench::local_aws::{self, failed};

/// The bucket that the peers upload packages to.
pub(super) const BUCKET: &str = "code";

/// Clients of the local AWS.
pub(super) struct Deployed {
    cloudformation: aws_sdk_cloudformation::Client,
    lambda: aws_sdk_lambda::Client,
}

/// Where the function that changes is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) stack: &'a str,
    /// The logical id.
    pub(super) function: &'a str,
}

/// A stack at rest, and the function that changes.
#[derive(Debug, PartialEq)]
pub(super) struct State {
    /// When the stack was updated last, in nanoseconds since 1970.
    pub(super) updated: Option<i128>,
    /// The digest of the function's code.
    pub(super) code: String,
}

impl Deployed {
    /// Makes the peers' bucket, too.
    pub(super) async fn new(aws: &LocalAws) -> io::Result<Self> {
        let config = local_aws::config(aws);
        let s3 = aws_sdk_s3::Client::new(&config);
        let made = s3.create_bucket().bucket(BUCKET).send().await;
        made.map_err(failed)?;
        Ok(Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
        })
    }

    pub(super) async fn state(&self, place: Place<'_>) -> io::Result<State> {
        let describe = self.cloudformation.describe_stacks();
        let described = describe.stack_name(place.stack).send().await;
        let described = described.map_err(failed)?;
        let stack = described.stacks().first();
        let updated = stack.and_then(|stack| stack.last_updated_time());
        let get = self.lambda.get_function_configuration();
        let function = get.function_name(self.function(place).await?).send();
        let code = function.await.map_err(failed)?.code_sha256;
        Ok(State {
            updated: updated.map(aws_sdk_cloudformation::primitives::DateTime::as_nanos),
            code: code.unwrap_or_default(),
        })
    }

    /// What the function answers.
    pub(super) async fn call(&self, place: Place<'_>) -> io::Result<String> {
        let invoke = self.lambda.invoke();
        let invoke = invoke.function_name(self.function(place).await?);
        let answer = invoke.send().await.map_err(failed)?.payload;
        let answer = answer.map(aws_sdk_lambda::primitives::Blob::into_inner);
        Ok(String::from_utf8_lossy(&answer.unwrap_or_default()).into_owned())
    }

    async fn function(&self, place: Place<'_>) -> io::Result<String> {
        let describe = self.cloudformation.describe_stack_resource();
        let describe = describe.stack_name(place.stack);
        let described = describe.logical_resource_id(place.function).send().await;
        let resource = described.map_err(failed)?.stack_resource_detail;
        let name = resource.and_then(|resource| resource.physical_resource_id);
        name.ok_or_else(|| io::Error::other(format!("{place:?} has no function")))
    }
}
