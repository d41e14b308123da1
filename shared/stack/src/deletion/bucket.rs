//! Empties a bucket of all versions, delete markers and unfinished uploads, and deletes it.
//!
//! Every call names the account that has to own the bucket: after a deletion anybody may create a bucket of the
//! same name.

use std::ops::ControlFlow;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, MultipartUpload, ObjectIdentifier};
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::failure::{ActionError, FailureType};

/// The type of a bucket.
pub const BUCKET: &str = "AWS::S3::Bucket";

/// How many keys one call deletes at most (`API_DeleteObjects`).
const BATCH: usize = 1000;

/// A bucket of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// Its name.
    pub name: &'a str,
    /// The account that has to own it.
    pub owner: &'a str,
}

/// How far a bucket was emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emptied {
    /// How many versions, delete markers and uploads were deleted.
    pub deleted: u64,
    /// Whether nothing was left.
    pub is_done: bool,
}

/// Why a bucket is not empty.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// S3 did not delete an object.
    #[error("s3://{bucket}/{key} was not deleted ({code}: {message}){}", if *.others > 0 { format!(", nor were {others} others") } else { String::new() })]
    NotDeleted {
        /// The bucket.
        bucket: String,
        /// The first object's key.
        key: String,
        /// How many more were not.
        others: usize,
        /// S3's error code.
        code: String,
        /// S3's words.
        message: String,
    },
}

impl ActionError for BucketError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Call(error) => error.failure_type(),
            Self::NotDeleted { .. } => FailureType::PermissionError,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.hint(),
            Self::NotDeleted { .. } => Some(
                "allow `s3:DeleteObject` and `s3:DeleteObjectVersion` on the bucket, and check that the object is not locked"
                    .to_owned(),
            ),
        }
    }
}

impl Bucket<'_> {
    fn resource(&self) -> String {
        format!("s3://{}", self.name)
    }

    /// Whether it is there.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn exists(&self, s3: &Client) -> Result<bool, CallError> {
        let head = s3
            .head_bucket()
            .bucket(self.name)
            .expected_bucket_owner(self.owner)
            .send()
            .await;
        match head {
            Ok(_) => Ok(true),
            Err(error) => {
                let error = CallError::new("s3:ListBucket", self.resource(), &error);
                if error.kind == CallErrorKind::NotFound {
                    return Ok(false);
                }
                Err(error)
            }
        }
    }

    /// Deletes everything in it, including what is written in the meantime. After each batch it is told how much is
    /// deleted, and may be stopped.
    ///
    /// # Errors
    ///
    /// A call failed, or S3 does not delete something.
    pub async fn empty(
        &self,
        s3: &Client,
        mut progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Emptied, BucketError> {
        let mut deleted = 0;
        loop {
            let page = self.page(s3).await?;
            if page.is_empty() {
                break;
            }
            deleted += self.delete_all(s3, page).await?;
            if progress(deleted).is_break() {
                let is_done = false;
                return Ok(Emptied { deleted, is_done });
            }
        }
        deleted += self.abort_uploads(s3).await?;
        let is_done = true;
        Ok(Emptied { deleted, is_done })
    }

    /// The first versions and delete markers that are there. Each page is deleted before the next is asked
    /// for, so the first page is always the next one.
    async fn page(&self, s3: &Client) -> Result<Vec<ObjectIdentifier>, CallError> {
        let page = s3
            .list_object_versions()
            .bucket(self.name)
            .expected_bucket_owner(self.owner)
            .send()
            .await
            .map_err(|error| CallError::new("s3:ListBucketVersions", self.resource(), &error))?;
        let versions = page
            .versions()
            .iter()
            .map(|version| (version.key(), version.version_id()));
        let markers = page
            .delete_markers()
            .iter()
            .map(|marker| (marker.key(), marker.version_id()));
        let identifier = |(key, version): (Option<&str>, Option<&str>)| {
            ObjectIdentifier::builder()
                .key(key?)
                .set_version_id(version.map(str::to_owned))
                .build()
                .ok()
        };
        Ok(versions.chain(markers).filter_map(identifier).collect())
    }

    async fn delete_all(
        &self,
        s3: &Client,
        objects: Vec<ObjectIdentifier>,
    ) -> Result<u64, BucketError> {
        let mut deleted = 0;
        for batch in objects.chunks(BATCH) {
            let request = Delete::builder()
                .set_objects(Some(batch.to_vec()))
                .quiet(true)
                .build()
                .expect("the objects are set");
            let answer = s3
                .delete_objects()
                .bucket(self.name)
                .expected_bucket_owner(self.owner)
                .delete(request)
                .send()
                .await
                .map_err(|error| {
                    CallError::new("s3:DeleteObjectVersion", self.resource(), &error)
                })?;
            if let Some(first) = answer.errors().first() {
                return Err(BucketError::NotDeleted {
                    bucket: self.name.to_owned(),
                    key: first.key().unwrap_or_default().to_owned(),
                    others: answer.errors().len() - 1,
                    code: first.code().unwrap_or_default().to_owned(),
                    message: first.message().unwrap_or_default().to_owned(),
                });
            }
            deleted += batch.len() as u64;
        }
        Ok(deleted)
    }

    async fn abort_uploads(&self, s3: &Client) -> Result<u64, CallError> {
        let mut aborted = 0;
        loop {
            let page = s3
                .list_multipart_uploads()
                .bucket(self.name)
                .expected_bucket_owner(self.owner)
                .send()
                .await
                .map_err(|error| {
                    CallError::new("s3:ListBucketMultipartUploads", self.resource(), &error)
                })?;
            if page.uploads().is_empty() {
                return Ok(aborted);
            }
            for upload in page.uploads() {
                self.abort(s3, upload).await?;
                aborted += 1;
            }
        }
    }

    async fn abort(&self, s3: &Client, upload: &MultipartUpload) -> Result<(), CallError> {
        let ended = s3
            .abort_multipart_upload()
            .bucket(self.name)
            .expected_bucket_owner(self.owner)
            .set_key(upload.key().map(str::to_owned))
            .set_upload_id(upload.upload_id().map(str::to_owned))
            .send()
            .await;
        let error = match ended {
            Ok(_) => return Ok(()),
            Err(error) => CallError::new("s3:AbortMultipartUpload", self.resource(), &error),
        };
        // It was finished or aborted in the meantime.
        if error.kind == CallErrorKind::NotFound {
            return Ok(());
        }
        Err(error)
    }

    /// Deletes it, empty as it is.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn delete(&self, s3: &Client) -> Result<(), CallError> {
        let deleted = s3
            .delete_bucket()
            .bucket(self.name)
            .expected_bucket_owner(self.owner)
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = CallError::new("s3:DeleteBucket", self.resource(), &error);
                if error.kind == CallErrorKind::NotFound {
                    return Ok(());
                }
                Err(error)
            }
        }
    }
}
