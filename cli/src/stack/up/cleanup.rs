//! Removes what an `up` has created so far that does not execute its change set.

use delivery_stack::change_set;

use crate::cloud::Cloud;
use crate::error::CliError;
use crate::stack::publish::bucket::Bucket;
use crate::stack::publish::objects;

/// What was created.
#[derive(Clone, Debug, Default)]
pub(super) struct Cleanup {
    /// The change set, by its stack's name and its own. Noted before it is asked for.
    pub(super) change_set: Option<(String, String)>,
    /// Whether the stack was made only to hold the change set.
    pub(super) makes_stack: bool,
    /// The bucket, where a dry run sent something.
    pub(super) bucket: Option<Bucket>,
    /// Whether the bucket was made by a dry run.
    pub(super) makes_bucket: bool,
    /// The keys that a dry run sent.
    pub(super) keys: Vec<String>,
}

impl Cleanup {
    /// Removes everything.
    pub(super) async fn run(&self, cloud: &Cloud) -> Result<(), CliError> {
        if let Some((stack, name)) = &self.change_set {
            let client = cloud.cloudformation();
            change_set::delete(&client, stack, name).await?;
            if self.makes_stack {
                change_set::delete_empty_stack(&client, stack).await?;
            }
        }
        if let Some(bucket) = &self.bucket {
            let s3 = cloud.s3();
            for key in &self.keys {
                objects::take_back(&s3, bucket, key).await?;
            }
            if self.makes_bucket {
                bucket.delete(&s3).await?;
            }
        }
        Ok(())
    }
}
