//! What a bucket holds: the manifest, and a listing of everything below the prefix.

use futures_util::future;

use crate::bucket::{Bucket, StoredManifest};
use crate::error::DeploySiteError;
use crate::listing::{self, Listing};

/// Objects that are asked for their `ETag` at once: there are few of them.
const PARALLEL_REQUESTS: usize = 16;

/// What a bucket holds at one moment.
#[derive(Clone, Debug)]
pub(crate) struct BucketState {
    pub(crate) stored: StoredManifest,
    pub(crate) listed: Listing,
}

impl BucketState {
    /// Reads the manifest, then the listing. In this order an upload that happens in between is in the
    /// listing with an `ETag` that the manifest does not know, so it is uploaded again; the other way round
    /// a file that was replaced in between would pass for unchanged.
    pub(crate) async fn read(bucket: &Bucket) -> Result<Self, DeploySiteError> {
        let stored = bucket.manifest().await?;
        let manifest_key = bucket.manifest_key();
        let known = stored.manifest.keys(&manifest_key);
        let listed = listing::list(bucket, &known).await?;
        Ok(Self { stored, listed })
    }
}

/// Completes a listing with the `ETag`s that matter. Some stores list keys without them; then each such
/// object is asked.
pub(crate) async fn with_etags(
    bucket: &Bucket,
    mut listed: Listing,
    matters: impl Fn(&str) -> bool,
) -> Result<Listing, DeploySiteError> {
    let mut unknown: Vec<_> = listed
        .iter_mut()
        .filter(|(key, etag)| etag.is_none() && matters(key))
        .collect();
    for some in unknown.chunks_mut(PARALLEL_REQUESTS) {
        let requests = some.iter().map(|(key, _)| bucket.etag(key));
        let etags = future::try_join_all(requests).await?;
        for ((_, etag), answer) in some.iter_mut().zip(etags) {
            **etag = answer;
        }
    }
    Ok(listed)
}
