//! Who may use the ports of a local AWS: this machine's user, and pages that the local AWS itself serves.
//!
//! Browsers and other users of the machine can reach loopback ports, too. A page whose own name resolves to 127.0.0.1 (DNS
//! rebinding) is recognized by `Host`, a page of another site by `Origin` or `Sec-Fetch-Site`; everything else is refused
//! unless it is signed with an access key of this environment.

use axum::http::{HeaderMap, Uri, header};

/// Why a request is refused, in the two ways that AWS does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccessDenied {
    /// Nothing is signed.
    #[error(
        "Missing Authentication Token: the local AWS accepts only signed requests; `delivery local env` prints \
         the variables of this environment"
    )]
    Unsigned,
    /// Signed with a key of another environment or account.
    #[error(
        "The security token included in the request is invalid: its access key does not belong to this local \
         AWS; `delivery local env` prints the variables of this environment"
    )]
    OtherKey,
}

impl AccessDenied {
    /// The error's name in AWS's JSON protocols.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unsigned => "MissingAuthenticationTokenException",
            Self::OtherKey => "UnrecognizedClientException",
        }
    }
}

/// The ending that all access keys of one environment share, and no other: those for its user, functions and jobs, and those
/// that its IAM and STS issue.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySuffix(String);

impl KeySuffix {
    /// How many characters it has: those of a random UUID, which cannot be guessed.
    pub(crate) const LENGTH: usize = 32;

    /// A new environment's suffix.
    #[must_use]
    pub fn new() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string().to_uppercase())
    }

    /// The suffix of the environment that an access key belongs to.
    #[must_use]
    pub fn of_key(access_key_id: &str) -> Self {
        let start = access_key_id.len().saturating_sub(Self::LENGTH);
        Self(access_key_id.get(start..).unwrap_or_default().to_owned())
    }

    /// An access key; AWS's own begin with `AKIA` where they last and with `ASIA` where they expire.
    #[must_use]
    pub fn access_key_id(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.0)
    }

    /// Whether a request is signed with a key of this environment: in its header, or in its query where it was
    /// signed beforehand. The signature itself is not looked at.
    pub(crate) fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), AccessDenied> {
        let key = access_key_id(headers, uri).ok_or(AccessDenied::Unsigned)?;
        if !self.0.is_empty() && key.ends_with(&self.0) {
            Ok(())
        } else {
            Err(AccessDenied::OtherKey)
        }
    }
}

impl Default for KeySuffix {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for KeySuffix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeySuffix(hidden)")
    }
}

/// The access key that a request is signed with: `SigV4`, `SigV4A` or, as old S3 clients do, version 2.
pub(crate) fn access_key_id<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let authorization = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let in_header = authorization
        .split_once("Credential=")
        .or_else(|| authorization.split_once("AWS "))
        .map(|(_, key)| key);
    let in_query = || {
        let mut pairs = uri.query()?.split('&');
        pairs.find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let is_key = name.eq_ignore_ascii_case("X-Amz-Credential") || name == "AWSAccessKeyId";
            is_key.then_some(value)
        })
    };
    let text = in_header.or_else(in_query)?;
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    Some(&text[..end.unwrap_or(text.len())]).filter(|key| !key.is_empty())
}

/// Whether a request comes from this machine's programs, or from a page that this machine serves.
pub(crate) fn is_local(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or_default())
    };
    let host = text(header::HOST).and_then(|host| host.parse::<Uri>().ok());
    let host = host.is_some_and(|host| is_loopback(host.host()));
    let origin = text(header::ORIGIN).map(|origin| origin.parse::<Uri>().ok());
    let origin =
        origin.is_none_or(|origin| origin.is_some_and(|origin| is_loopback(origin.host())));
    // An image or a script of another site has no `Origin`. A link that is followed from one gives it nothing.
    let embedded = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site")
        && headers
            .get("sec-fetch-mode")
            .is_none_or(|mode| mode != "navigate");
    host && origin && !embedded
}

fn is_loopback(host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let address = literal.parse::<std::net::IpAddr>();
    let host = host.to_ascii_lowercase();
    address.is_ok_and(|address| address.is_loopback())
        || host == "localhost"
        || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(fields: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, value.parse().unwrap());
        }
        is_local(&headers)
    }

    #[test]
    fn programs_of_this_machine_and_its_own_pages_may_ask() {
        for host in [
            "127.0.0.1:4566",
            "bucket.localhost:4566",
            "LOCALHOST:1",
            "[::1]:80",
            "127.8.8.8",
        ] {
            assert!(from(&[("host", host)]), "{host}");
        }
        let own = [
            ("host", "127.0.0.1:4566"),
            ("origin", "http://127.0.0.1:8080"),
            ("sec-fetch-site", "same-site"),
        ];
        assert!(from(&own));
    }

    #[test]
    fn pages_of_other_sites_may_not() {
        for host in [
            "evil.example:4566",
            "127.0.0.1.evil.example",
            "localhost.example",
            "[::2]",
        ] {
            assert!(
                !from(&[("host", host)]),
                "`{host}` may resolve to the loopback address"
            );
        }
        for origin in ["https://evil.example", "null"] {
            assert!(
                !from(&[("host", "127.0.0.1:4566"), ("origin", origin)]),
                "{origin}"
            );
        }
        assert!(!is_local(&HeaderMap::new()));
        let embedded = [
            ("host", "127.0.0.1:1"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors"),
        ];
        assert!(!from(&embedded), "an image in a page of another site");
        let followed = [
            ("host", "127.0.0.1:1"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ];
        assert!(from(&followed), "a link in a page of another site");
    }

    #[test]
    fn only_keys_of_the_environment_open_it() {
        let mark = KeySuffix::new();
        let (key, other) = (
            mark.access_key_id("AKIA"),
            KeySuffix::new().access_key_id("AKIA"),
        );
        let check = |authorization: Option<String>, path: &str| {
            let mut headers = HeaderMap::new();
            if let Some(value) = authorization {
                headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            mark.check(&headers, &path.parse().unwrap())
        };
        for scheme in [
            "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
            "AWS4-ECDSA-P256-SHA256 Credential=KEY/20260101/s3/aws4_request, SignedHeaders=host, Signature=0",
            "AWS KEY:signature",
        ] {
            assert_eq!(check(Some(scheme.replace("KEY", &key)), "/"), Ok(()));
            assert_eq!(
                check(Some(scheme.replace("KEY", &other)), "/"),
                Err(AccessDenied::OtherKey)
            );
        }
        for query in [
            "/b/k?x=1&X-Amz-Credential=KEY%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
            "/b/k?AWSAccessKeyId=KEY&Signature=0",
        ] {
            assert_eq!(check(None, &query.replace("KEY", &key)), Ok(()));
            assert_eq!(
                check(None, &query.replace("KEY", &other)),
                Err(AccessDenied::OtherKey)
            );
        }
        let session = format!("AWS4-HMAC-SHA256 Credential=ASIA0123456789ABCDEF{key}/x");
        assert_eq!(check(Some(session), "/"), Ok(()));
        assert_eq!(check(None, "/"), Err(AccessDenied::Unsigned));
        let bearer = Some(format!("Bearer {key}"));
        assert_eq!(check(bearer, "/"), Err(AccessDenied::Unsigned));
        let empty = Some("AWS4-HMAC-SHA256 Credential=/x".to_owned());
        assert_eq!(check(empty, "/"), Err(AccessDenied::Unsigned));
        assert_eq!(KeySuffix::of_key(&key), mark);
    }
}
