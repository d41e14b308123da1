//! The headers of a file: its `Content-Type` and `Cache-Control`.

use std::path::Path;

/// For files that are named by their content and so never change.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// For all other files: browsers keep them but revalidate each time, which costs one small answer.
pub(crate) const REVALIDATED: &str = "no-cache";

/// For files without a known type.
const UNKNOWN: &str = "application/octet-stream";

/// JSON is UTF-8 by definition.
const JSON: &str = "application/json";

/// Types that the table of `mime_guess` lacks or has otherwise than browsers need it: they refuse
/// modules, WebAssembly and style sheets of another type.
const TYPES: [(&str, &str); 13] = [
    ("avif", "image/avif"),
    ("cjs", "text/javascript"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript"),
    ("jxl", "image/jxl"),
    ("map", "application/json"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("wasm", "application/wasm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
];

/// The types of text that are not `text/...`.
const TEXT_TYPES: [&str; 6] = [
    "application/json",
    "application/manifest+json",
    "application/xml",
    "application/xhtml+xml",
    "image/svg+xml",
    "application/javascript",
];

/// Files of well-known names without an extension, which the programs that ask for them take only as JSON
/// (Apple, "Supporting associated domains"; `OpenID` Connect Discovery; RFC 8414; Matrix; W3C `WebAuthn`).
const JSON_NAMES: [&str; 8] = [
    "apple-app-site-association",
    "matrix/client",
    "matrix/server",
    "nodeinfo",
    "oauth-authorization-server",
    "openid-configuration",
    "passkey-endpoints",
    "webauthn",
];

/// Where they lie; Apple's may also lie at the site's root.
const WELL_KNOWN: &str = ".well-known/";

/// The type of a file, with its character set where its content is text in UTF-8.
pub(crate) fn content_type(path: &Path, is_utf8: bool) -> String {
    if is_well_known_json(path) {
        return JSON.to_owned();
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.unwrap_or_default().to_ascii_lowercase();
    let known = TYPES
        .iter()
        .find(|(name, _)| *name == extension)
        .map(|(_, kind)| *kind);
    let kind = known
        .or_else(|| mime_guess::from_ext(&extension).first_raw())
        .unwrap_or(UNKNOWN);
    let is_text = kind.starts_with("text/") || TEXT_TYPES.contains(&kind);
    if is_text && is_utf8 {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_owned()
    }
}

/// Whether a file is a page: what visitors come to first, and what refers to everything else.
pub(crate) fn is_page(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        ["html", "htm", "xhtml"]
            .iter()
            .any(|page| extension.eq_ignore_ascii_case(page))
    })
}

fn is_well_known_json(path: &Path) -> bool {
    let Some(path) = path.to_str() else {
        return false;
    };
    let name = path.strip_prefix(WELL_KNOWN).unwrap_or(path);
    JSON_NAMES.contains(&name) && (name != path || name == JSON_NAMES[0])
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("index.html", true, "text/html; charset=utf-8")]
    #[test_case("a/app.JS", true, "text/javascript; charset=utf-8"; "upper case")]
    #[test_case("app.mjs", true, "text/javascript; charset=utf-8")]
    #[test_case("x.wasm", false, "application/wasm")]
    #[test_case("site.webmanifest", true, "application/manifest+json; charset=utf-8")]
    #[test_case("app.js.map", true, "application/json; charset=utf-8")]
    #[test_case("a.avif", false, "image/avif")]
    #[test_case("a.png", false, "image/png")]
    #[test_case("a.svg", true, "image/svg+xml; charset=utf-8")]
    #[test_case("f.woff2", false, "font/woff2")]
    #[test_case("latin1.txt", false, "text/plain")]
    #[test_case("style.css", true, "text/css; charset=utf-8")]
    #[test_case("LICENSE", true, "application/octet-stream"; "no extension")]
    #[test_case(".well-known/apple-app-site-association", true, "application/json"; "of Apple")]
    #[test_case("apple-app-site-association", true, "application/json"; "of Apple at the root")]
    #[test_case(".well-known/openid-configuration", true, "application/json")]
    #[test_case("openid-configuration", true, "application/octet-stream"; "not where it is well known")]
    #[test_case("a.unheardof", true, "application/octet-stream"; "unknown")]
    fn a_file_has_its_type(path: &str, is_utf8: bool, expected: &str) {
        assert_eq!(content_type(Path::new(path), is_utf8), expected);
    }
}
