//! The repository of releases, as templates name what is in it.

use std::path::Path;

use aws_sdk_s3::Client;
use delivery_release::digest::Digest;
use delivery_release::repository::{Blob, Publisher, Repository, layout};

use super::PackageError;

/// A repository in a bucket of a region.
#[derive(Clone, Debug)]
pub struct Blobs {
    repository: Repository,
    region: String,
}

impl Blobs {
    /// That of a bucket, which is in this region.
    #[must_use]
    pub fn new(client: Client, bucket: &str, region: &str) -> Self {
        Self::of(&Repository::new(client, bucket), region)
    }

    /// A repository, whose bucket is in this region.
    #[must_use]
    pub fn of(repository: &Repository, region: &str) -> Self {
        Self {
            repository: repository.clone(),
            region: region.to_owned(),
        }
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        self.repository.bucket()
    }

    /// The key of a blob.
    #[must_use]
    pub fn key(&self, digest: &Digest) -> String {
        layout::blob(digest)
    }

    /// The address of a blob, as CloudFormation takes it for a template.
    #[must_use]
    pub fn url(&self, digest: &Digest) -> String {
        let (bucket, key) = (self.bucket(), self.key(digest));
        let suffix = if self.region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("https://{bucket}.s3.{}.{suffix}/{key}", self.region)
    }

    /// Uploads, for those who publish no release of it.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher::new(&self.repository)
    }

    /// Uploads a file, if it is not there.
    ///
    /// # Errors
    ///
    /// The disk or a call failed.
    pub async fn put_file(&self, file: &Path) -> Result<Blob, PackageError> {
        Ok(self.publisher().put_file(file).await?)
    }
}
