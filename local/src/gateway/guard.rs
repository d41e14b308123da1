//! Keeps web pages away: a browser reaches loopback ports, too.
//!
//! A page that a name of its own resolves to 127.0.0.1 (DNS rebinding) shows in `Host`, a page of
//! another site in `Origin`. The application's own site is on a loopback port and may call its API.

use axum::http::{HeaderMap, Uri, header};

/// Whether a request comes from this machine's programs, or from a page that this machine serves.
pub(crate) fn is_local(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let host = text(header::HOST).and_then(|host| host.parse::<Uri>().ok());
    let host = host.is_some_and(|host| is_loopback(host.host()));
    let origin = text(header::ORIGIN).map(|origin| origin.parse::<Uri>().ok());
    let origin =
        origin.is_none_or(|origin| origin.is_some_and(|origin| is_loopback(origin.host())));
    host && origin
}

fn is_loopback(host: Option<&str>) -> bool {
    host.is_some_and(|host| {
        matches!(host, "127.0.0.1" | "[::1]" | "localhost") || host.ends_with(".localhost")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_local(&headers)
    }

    #[test]
    fn programs_of_this_machine_and_its_own_pages_may_ask() {
        assert!(from("127.0.0.1:4566", None));
        assert!(from("bucket.localhost:4566", None));
        assert!(from("127.0.0.1:4566", Some("http://127.0.0.1:8080")));
    }

    #[test]
    fn pages_of_other_sites_may_not() {
        assert!(
            !from("evil.example:4566", None),
            "a name that resolves to the loopback address"
        );
        assert!(!from("127.0.0.1.evil.example", None));
        assert!(!from("127.0.0.1:4566", Some("https://evil.example")));
        assert!(!from("127.0.0.1:4566", Some("null")), "a sandboxed frame");
        assert!(!is_local(&HeaderMap::new()));
    }
}
