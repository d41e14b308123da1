//! Who may ask: the browser that was given the address, and no other page in it.
//!
//! Any program and any web page on this machine can send requests to the port. A page of another origin cannot read the cookie,
//! a name that is made to point to 127.0.0.1 is not a host that is answered, and a command needs, besides the cookie, a text
//! that is only in the console's own pages.

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What browsers say of the page that a request comes from; `same-origin`, or `none` for a person.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The field of a form that says that the console wrote it.
pub(super) const FORM_FIELD: &str = "form";

/// Lets the requests of one browser through.
pub(super) struct Guard {
    port: u16,
    token: String,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is for another host.
    Host,
    /// It comes from another page.
    Origin,
    /// It has no token, or the token of another console.
    Token,
    /// The form was not written by this console.
    Form,
}

impl Refused {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin | Self::Token | Self::Form => StatusCode::FORBIDDEN,
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Host => {
                "This is the console of `delivery`. It answers only to 127.0.0.1 and localhost."
            }
            Self::Origin => "Another page has sent this request. Nothing was done.",
            Self::Token => {
                "This browser does not know the console's token, or has one of an earlier console. Open the address that \
                 `delivery console` has printed."
            }
            Self::Form => {
                "This form is of another console. Nothing was done. Go back to the overview, and try again."
            }
        }
    }
}

impl Guard {
    /// The guard of this port, with a token of its own: 244 random bits of the operating system.
    pub(super) fn new(port: u16) -> Self {
        let random = || Uuid::new_v4().simple();
        Self {
            port,
            token: format!("{}{}", random(), random()),
        }
    }

    /// The address that lets a browser in.
    pub(super) fn entrance(&self) -> String {
        format!("http://127.0.0.1:{}/enter?token={}", self.port, self.token)
    }

    /// The name of the cookie. Cookies are of a host, whatever the port: each console has its own name.
    fn cookie_name(&self) -> String {
        format!("delivery-console-{}", self.port)
    }

    /// The header that makes the browser keep the token. Pages of other sites cannot send it along.
    pub(super) fn set_cookie(&self) -> String {
        let name = self.cookie_name();
        format!("{name}={}; Path=/; HttpOnly; SameSite=Strict", self.token)
    }

    /// What is in each form: it follows from the token, and does not tell it.
    pub(super) fn form_value(&self) -> String {
        hex::encode(Sha256::digest(format!("form of {}", self.token)))
    }

    /// Checks what every request must have, with or without a token.
    pub(super) fn check_host(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let host = text(headers, &header::HOST).ok_or(Refused::Host)?;
        let known = self.hosts().iter().any(|known| known == host);
        known.then_some(()).ok_or(Refused::Host)
    }

    /// Checks a request for anything but the entrance.
    pub(super) fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
        self.check_host(headers)?;
        self.check_origin(method, headers)?;
        let token = self.cookie(headers).ok_or(Refused::Token)?;
        if self.knows(token) {
            Ok(())
        } else {
            Err(Refused::Token)
        }
    }

    /// Whether this is the token.
    pub(super) fn knows(&self, token: &str) -> bool {
        is_same(token, &self.token)
    }

    /// Checks what a form was sent with.
    pub(super) fn check_form(&self, given: Option<&str>) -> Result<(), Refused> {
        match given {
            Some(given) if is_same(given, &self.form_value()) => Ok(()),
            _ => Err(Refused::Form),
        }
    }

    /// A command needs an origin; what only reads may come without one, as from a person who typed the address.
    fn check_origin(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let origin_fits = match text(headers, &header::ORIGIN) {
            Some(origin) => {
                let hosts = self.hosts();
                hosts.iter().any(|host| origin == format!("http://{host}"))
            }
            None => reads && !headers.contains_key(header::ORIGIN),
        };
        let site_fits = match text(headers, &SEC_FETCH_SITE) {
            Some(site) => site == "same-origin" || reads && site == "none",
            // Older browsers do not send it.
            None => !headers.contains_key(SEC_FETCH_SITE),
        };
        (origin_fits && site_fits)
            .then_some(())
            .ok_or(Refused::Origin)
    }

    fn hosts(&self) -> [String; 2] {
        ["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", self.port))
    }

    fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.cookie_name();
        let all = headers.get_all(header::COOKIE).iter();
        let all = all.filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|value| value.split("; "));
        pairs.find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Compares digests: how long that takes says nothing about the texts.
fn is_same(given: &str, expected: &str) -> bool {
    Sha256::digest(given) == Sha256::digest(expected)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const PORT: u16 = 8417;

    fn headers(guard: &Guard, changes: &[(&'static str, &str)]) -> HeaderMap {
        let cookie = guard.set_cookie();
        let (cookie, _) = cookie.split_once(';').unwrap();
        let mut headers = HeaderMap::new();
        let usual = [
            ("host", "127.0.0.1:8417"),
            ("origin", "http://127.0.0.1:8417"),
            ("sec-fetch-site", "same-origin"),
            ("cookie", cookie),
        ];
        for (name, value) in usual.iter().chain(changes) {
            if value.is_empty() {
                headers.remove(*name);
            } else {
                headers.insert(*name, HeaderValue::from_str(value).unwrap());
            }
        }
        headers
    }

    fn checked(method: &Method, changes: &[(&'static str, &str)]) -> Result<(), Refused> {
        let guard = Guard::new(PORT);
        guard.check(method, &headers(&guard, changes))
    }

    #[test]
    fn the_console_s_own_page_may_run_a_command() {
        assert_eq!(checked(&Method::POST, &[]), Ok(()));
        let by_name = [
            ("host", "localhost:8417"),
            ("origin", "http://localhost:8417"),
            ("sec-fetch-site", ""),
        ];
        assert_eq!(checked(&Method::POST, &by_name), Ok(()));
    }

    #[test]
    fn another_host_is_not_answered_whatever_it_points_to() {
        for host in [
            "evil.example:8417",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost:8418",
            "[::1]:8417",
            "",
        ] {
            let refused = checked(&Method::GET, &[("host", host)]);
            assert_eq!(refused, Err(Refused::Host), "{host}");
        }
    }

    #[test]
    fn another_page_cannot_send_a_command() {
        let origins = [
            "http://evil.example",
            "http://127.0.0.1:8418",
            "https://127.0.0.1:8417",
            "null",
            "",
        ];
        for origin in origins {
            let refused = checked(&Method::POST, &[("origin", origin)]);
            assert_eq!(refused, Err(Refused::Origin), "{origin}");
        }
        for site in ["cross-site", "same-site", "none"] {
            let refused = checked(&Method::POST, &[("sec-fetch-site", site)]);
            assert_eq!(refused, Err(Refused::Origin), "{site}");
        }
        let refused = checked(
            &Method::GET,
            &[("origin", ""), ("sec-fetch-site", "cross-site")],
        );
        assert_eq!(refused, Err(Refused::Origin));
    }

    #[test]
    fn a_person_may_type_the_address_of_a_page() {
        let typed = [("origin", ""), ("sec-fetch-site", "none")];
        assert_eq!(checked(&Method::GET, &typed), Ok(()));
        assert_eq!(checked(&Method::POST, &typed), Err(Refused::Origin));
    }

    #[test]
    fn nothing_is_answered_without_the_token_of_this_console() {
        let other = Guard::new(PORT).set_cookie();
        let (other, _) = other.split_once(';').unwrap();
        for cookie in ["", "delivery-console-8417=", "a=b", other] {
            let refused = checked(&Method::GET, &[("cookie", cookie)]);
            assert_eq!(refused, Err(Refused::Token), "{cookie}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let guard = Guard::new(PORT);
        let cookie = format!("a=b; delivery-console-8417={}; c=d", guard.token);
        let headers = headers(&guard, &[("cookie", &cookie)]);
        assert_eq!(guard.check(&Method::GET, &headers), Ok(()));
    }

    #[test]
    fn a_form_must_be_the_console_s_own() {
        let guard = Guard::new(PORT);
        assert_eq!(guard.check_form(Some(&guard.form_value())), Ok(()));
        let other = Guard::new(PORT).form_value();
        for given in [None, Some(""), Some(&*guard.token), Some(&*other)] {
            assert_eq!(guard.check_form(given), Err(Refused::Form));
        }
        assert!(!guard.form_value().contains(&guard.token));
    }
}
