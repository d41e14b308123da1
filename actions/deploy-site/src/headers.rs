//! What a browser is told of a file: its type, and how long it may keep it.

use std::path::Path;

/// For what is named by its content and so never changes.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// For all else: kept, but asked about each time, which costs one small answer.
pub(crate) const REVALIDATED: &str = "no-cache";

/// For what has no known type.
const UNKNOWN: &str = "application/octet-stream";

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

/// Shortest part of a name that is taken for a digest; bundlers write 8 and more.
const SHORTEST_DIGEST: usize = 8;

/// The type of a file, with its character set where its content is text in UTF-8.
pub(crate) fn content_type(path: &Path, is_utf8: bool) -> String {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.unwrap_or_default().to_ascii_lowercase();
    let ours = TYPES
        .iter()
        .find(|(known, _)| *known == extension)
        .map(|(_, kind)| *kind);
    let kind = ours
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

/// How long a file may be kept.
pub(crate) fn cache_control(path: &Path) -> &'static str {
    if !is_page(path) && is_fingerprinted(path) {
        IMMUTABLE
    } else {
        REVALIDATED
    }
}

/// Whether a name holds a digest of the content, as bundlers write them: `app.3f2a9c81.js`,
/// `index-BkX9d2Qa.js`. A digest missed costs a request, a word taken for one would be kept for a year:
/// so what could be a word, a date or a number is none.
fn is_fingerprinted(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let mut parts = name.split('.');
    let (Some(stem), Some(_)) = (parts.next(), parts.next_back()) else {
        return false;
    };
    let after_dash = stem.rsplit_once('-').map(|(_, last)| last);
    parts.chain(after_dash).any(is_digest)
}

fn is_digest(part: &str) -> bool {
    let has = |class: fn(&char) -> bool| part.chars().any(|c| class(&c));
    let hexadecimal = part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
        && has(char::is_ascii_digit)
        && has(char::is_ascii_lowercase);
    let base64 = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && has(char::is_ascii_digit)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_uppercase);
    part.len() >= SHORTEST_DIGEST && (hexadecimal || base64)
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
    #[test_case("a.unheardof", true, "application/octet-stream"; "unknown")]
    fn a_file_has_its_type(path: &str, is_utf8: bool, expected: &str) {
        assert_eq!(content_type(Path::new(path), is_utf8), expected);
    }

    #[test_case("app.3f2a9c81.js", IMMUTABLE; "webpack")]
    #[test_case("index-BkX9d2Qa.js", IMMUTABLE; "vite")]
    #[test_case("main.073c9b0a.chunk.css", IMMUTABLE; "chunk")]
    #[test_case("assets/logo-0a1b2c3d4e5f.svg", IMMUTABLE; "longer digest")]
    #[test_case("style.css", REVALIDATED; "plain")]
    #[test_case("bootstrap-datepicker.js", REVALIDATED; "a word")]
    #[test_case("report-20241231.pdf", REVALIDATED; "a date")]
    #[test_case("jquery-3.7.1.min.js", REVALIDATED; "a version")]
    #[test_case("defaced-facade.js", REVALIDATED; "hexadecimal letters only")]
    #[test_case("index-BkX9d2Qa.html", REVALIDATED; "a page")]
    #[test_case("3f2a9c81aa", REVALIDATED; "no extension")]
    fn only_what_is_named_by_its_content_is_kept(path: &str, expected: &str) {
        assert_eq!(cache_control(Path::new(path)), expected);
    }
}
