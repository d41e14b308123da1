//! Listing everything below the prefix, with several requests at once.
//!
//! A page has 1,000 keys, and a page can be requested only once the one before it has arrived: ten requests
//! in a row for 10,000 keys. But the manifest says which keys to expect, so the listing is cut into ranges
//! of 1,000 known keys, which are requested at once. A range with keys that the manifest does not know takes
//! more than one page; no key is missed.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::bucket::Bucket;
use crate::error::DeploySiteError;

/// Known keys of a range: what one page holds (S3 API Reference, `ListObjectsV2`).
const RANGE_KEYS: usize = 1000;

/// Pages under way at once: 16,000 keys in the time of one.
const PARALLEL_PAGES: usize = 16;

/// Every key, with its `ETag` where the listing tells.
pub(crate) type Listing = BTreeMap<String, Option<String>>;

/// The keys after one (or the first) up to and with another (or the last).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// `StartAfter`
    pub(crate) after: Option<String>,
    to: Option<String>,
}

impl Range {
    /// Whether a key comes after the range.
    pub(crate) fn ends_before(&self, key: &str) -> bool {
        self.to.as_deref().is_some_and(|to| to < key)
    }

    /// Whether no key after this one is in the range.
    pub(crate) fn ends_with(&self, key: &str) -> bool {
        self.to.as_deref().is_some_and(|to| to <= key)
    }
}

/// Lists everything below the bucket's prefix; `known` are the keys that are expected, in order.
pub(crate) async fn list(bucket: &Bucket, known: &[&str]) -> Result<Listing, DeploySiteError> {
    list_in(bucket, ranges(known, RANGE_KEYS)).await
}

async fn list_in(bucket: &Bucket, ranges: Vec<Range>) -> Result<Listing, DeploySiteError> {
    let objects: Vec<_> = stream::iter(ranges)
        .map(|range| async move { bucket.list(&range).await })
        .buffer_unordered(PARALLEL_PAGES)
        .try_concat()
        .await?;
    Ok(objects.into_iter().collect())
}

/// Ranges that hold all keys there can be, and of the known ones a page each.
fn ranges(known: &[&str], keys: usize) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut after = None;
    let mut rest = known;
    while rest.len() > keys {
        let to = rest.get(keys - 1).map(|&key| key.to_owned());
        ranges.push(Range {
            after: std::mem::replace(&mut after, to.clone()),
            to,
        });
        rest = &rest[keys..];
    }
    ranges.push(Range { after, to: None });
    ranges
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use delivery_testing::s3::{LocalS3, Objects};
    use proptest::prelude::*;

    use super::*;

    /// Lists the bucket sequentially, and in ranges of known keys, with the number of requests that
    /// the latter took.
    async fn both(
        there: &BTreeSet<String>,
        known: &BTreeSet<String>,
        keys: usize,
    ) -> (Listing, Listing, usize) {
        let s3 = LocalS3::start_with(Objects::in_memory_with_pages_of(keys)).await;
        let store = s3.bucket("www");
        store.create().await.put("another/site", "x").await;
        for key in there {
            store.put(&format!("site/{key}"), "x").await;
        }
        let known: Vec<String> = known.iter().map(|key| format!("site/{key}")).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let bucket = Bucket::new(&s3.config(), "www", "site/");
        let sequential = list_in(&bucket, ranges(&[], keys)).await.unwrap();
        let before = s3.requests();
        let parallel = list_in(&bucket, ranges(&known, keys)).await.unwrap();
        (sequential, parallel, s3.requests() - before)
    }

    fn keys() -> impl Strategy<Value = BTreeSet<String>> {
        proptest::collection::btree_set("[a-cA\u{e4}~!/]{1,4}[a-c]", 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn ranges_list_what_one_page_after_the_other_lists(
            there in keys(),
            others in keys(),
            forgotten in keys(),
            keys in 1..12_usize,
        ) {
            let known: BTreeSet<String> = there.union(&others).filter(|key| !forgotten.contains(*key)).cloned().collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (sequential, parallel, _) = runtime.block_on(both(&there, &known, keys));
            prop_assert_eq!(sequential.len(), there.len());
            prop_assert_eq!(sequential, parallel);
        }
    }

    #[tokio::test]
    async fn known_keys_take_no_more_pages_than_there_are() {
        let there: BTreeSet<String> = (100..150).map(|number| number.to_string()).collect();
        let (sequential, parallel, requests) = both(&there, &there, 10).await;
        assert_eq!(sequential, parallel);
        assert_eq!(requests, 5);
    }
}
