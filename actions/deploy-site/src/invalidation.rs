//! A CloudFront invalidation of the files that a release changed.
//!
//! Its caller reference is computed from the manifest, so asking again, after a lost reply or in a repeated
//! job, does not create a second invalidation.

use std::collections::BTreeSet;

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use delivery_action::aws::CallError;
use delivery_action::aws::SdkConfig;
use sha2::{Digest, Sha256};

use crate::error::DeploySiteError;
use crate::manifest::Manifest;

/// Most paths that are named one by one; 3,000 may be under way for a distribution (CloudFront
/// Developer Guide, "Quotas on invalidations"), and a release may follow closely.
const MAX_PATHS: usize = 1_000;

/// The page that stands for its directory.
const INDEX: &str = "index.html";

/// Everything.
const ALL: &str = "/*";

/// Invalidates the files that a release changed.
pub(crate) async fn invalidate(
    config: &SdkConfig,
    distribution: &str,
    location: &Location<'_>,
    manifest: &Manifest,
) -> Result<(), DeploySiteError> {
    let paths = paths(&manifest.changed, location.prefix);
    let Ok(quantity) = i32::try_from(paths.len()) else {
        return Ok(());
    };
    if quantity == 0 {
        return Ok(());
    }
    let reference = reference(location, manifest, &paths);
    let complete = "both fields of the builder are set";
    let items = Some(paths.into_iter().collect());
    let paths = Paths::builder()
        .quantity(quantity)
        .set_items(items)
        .build()
        .expect(complete);
    let batch = InvalidationBatch::builder()
        .caller_reference(&reference)
        .paths(paths);
    let made = Client::new(config)
        .create_invalidation()
        .distribution_id(distribution)
        .invalidation_batch(batch.build().expect(complete))
        .send()
        .await;
    match made {
        Ok(made) => {
            let id = made
                .invalidation
                .map(|invalidation| invalidation.id)
                .unwrap_or_default();
            tracing::info!(distribution, id, reference, "invalidated the changed paths");
            Ok(())
        }
        Err(error) => Err(DeploySiteError::StaleCache {
            distribution: distribution.to_owned(),
            version: manifest.version.clone(),
            reference,
            source: CallError::new(
                "cloudfront:CreateInvalidation",
                format!("distribution/{distribution}"),
                &error,
            ),
        }),
    }
}

/// Where a site is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
}

/// The paths under which viewers may have got what changed. A distribution may serve a prefix as its
/// root (`OriginPath`) or under its own name, so both are dropped.
fn paths(changed: &BTreeSet<String>, prefix: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for key in changed {
        let below = key.strip_prefix(prefix).unwrap_or(key);
        for viewed in [key.as_str(), below] {
            paths.insert(format!("/{}", encoded(viewed)));
            if let Some(directory) = viewed.strip_suffix(INDEX)
                && (directory.is_empty() || directory.ends_with('/'))
            {
                paths.insert(format!("/{}", encoded(directory)));
            }
        }
    }
    if paths.len() > MAX_PATHS {
        BTreeSet::from([ALL.to_owned()])
    } else {
        paths
    }
}

/// A key as a path: a `*` at the end would stand for everything.
fn encoded(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            _ => path.extend(format!("%{byte:02X}").chars()),
        }
    }
    path
}

fn reference(location: &Location<'_>, manifest: &Manifest, paths: &BTreeSet<String>) -> String {
    let mut hash = Sha256::new();
    let sequence = manifest.sequence.to_string();
    let parts = [
        location.bucket,
        location.prefix,
        &sequence,
        &manifest.release,
    ];
    for part in parts.into_iter().chain(paths.iter().map(String::as_str)) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!(
        "serverless-delivery-{}",
        &hex::encode(hash.finalize())[..32]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(|&key| key.to_owned()).collect()
    }

    #[test]
    fn a_directory_is_dropped_with_its_index() {
        let changed = set(&["index.html", "a/index.html", "not-index.html", "ü *.js"]);
        let expected = [
            "/",
            "/%C3%BC%20%2A.js",
            "/a/",
            "/a/index.html",
            "/index.html",
            "/not-index.html",
        ];
        assert_eq!(paths(&changed, ""), set(&expected));
    }

    #[test]
    fn a_prefix_is_dropped_with_and_without_its_name() {
        assert_eq!(
            paths(&set(&["app/x.js"]), "app/"),
            set(&["/app/x.js", "/x.js"])
        );
    }

    #[test]
    fn very_many_changes_are_one_path() {
        let changed = (0..=MAX_PATHS).map(|n| format!("{n}.js")).collect();
        assert_eq!(paths(&changed, ""), set(&["/*"]));
    }

    #[test]
    fn a_reference_follows_the_transition() {
        let location = Location {
            bucket: "www",
            prefix: "",
        };
        let first = Manifest {
            sequence: 1,
            release: "r".to_owned(),
            ..Manifest::default()
        };
        let back = Manifest {
            sequence: 3,
            ..first.clone()
        };
        let paths = set(&["/a"]);
        assert_eq!(
            reference(&location, &first, &paths),
            reference(&location, &first.clone(), &paths)
        );
        assert_ne!(
            reference(&location, &first, &paths),
            reference(&location, &back, &paths)
        );
    }
}
