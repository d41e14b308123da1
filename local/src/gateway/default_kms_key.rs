//! The gap: encryption with `aws:kms` and no key.
//!
//! S3 takes the account's own key `aws/s3` where a request for SSE-KMS names none (S3 User Guide,
//! "Specifying server-side encryption with AWS KMS"), and CodePipeline relies on it. `MiniStack` refuses.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

const ALGORITHM: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");

/// What S3 takes where no key is named.
const DEFAULT_KEY: HeaderValue = HeaderValue::from_static("alias/aws/s3");

/// Names the key that S3 would take.
pub(super) fn name(headers: &mut HeaderMap) {
    if headers
        .get(ALGORITHM)
        .is_some_and(|algorithm| algorithm == "aws:kms")
    {
        headers.entry(KEY).or_insert(DEFAULT_KEY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fields: &[(HeaderName, &'static str)]) -> Option<HeaderValue> {
        let mut headers: HeaderMap = fields
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        name(&mut headers);
        headers.get(KEY).cloned()
    }

    #[test]
    fn only_kms_encryption_without_a_key_gets_one() {
        assert_eq!(key(&[(ALGORITHM, "aws:kms")]), Some(DEFAULT_KEY));
        let own = HeaderValue::from_static("alias/own");
        assert_eq!(
            key(&[(ALGORITHM, "aws:kms"), (KEY, "alias/own")]),
            Some(own)
        );
        assert_eq!(key(&[(ALGORITHM, "AES256")]), None);
        assert_eq!(key(&[]), None);
    }
}
