//! Names, links, modes and duplicates that would lead out or hide something.

use super::super::{DIRECTORY, FILE, LINK, Part};
use super::bombs::zeros;
use super::{Expected, Hostile, Out, way};

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn names(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    use Expected::{Accepted, Refused};
    let long = |count: usize| vec![b'x'; count];
    let cases: Vec<(&str, Vec<u8>, Expected)> = vec![
        ("up", b"../evil".to_vec(), Refused),
        ("up-up", b"../../evil".to_vec(), Refused),
        (
            "up-many",
            b"../".repeat(12).into_iter().chain(*b"tmp/evil").collect(),
            Refused,
        ),
        ("up-inside", b"a/../../evil".to_vec(), Refused),
        ("up-and-back", b"a/../evil".to_vec(), Refused),
        ("up-last", b"a/..".to_vec(), Refused),
        ("only-up", b"..".to_vec(), Refused),
        ("only-dot", b".".to_vec(), Refused),
        ("dot-inside", b"a/./b".to_vec(), Refused),
        ("dot-up", b"./../evil".to_vec(), Refused),
        ("absolute", b"/tmp/evil".to_vec(), Refused),
        ("absolute-root", b"/".to_vec(), Refused),
        ("double-slash", b"//evil".to_vec(), Refused),
        ("double-slash-inside", b"a//b".to_vec(), Refused),
        ("backslash-up", b"..\\evil".to_vec(), Refused),
        ("backslash", b"a\\b".to_vec(), Refused),
        ("drive", b"C:/evil".to_vec(), Refused),
        ("drive-relative", b"C:evil".to_vec(), Refused),
        ("unc", b"\\\\host\\share\\evil".to_vec(), Refused),
        ("unc-slash", b"//host/share/evil".to_vec(), Refused),
        ("stream", b"a.txt:evil".to_vec(), Refused),
        ("nul", b"a\0b".to_vec(), Refused),
        ("nul-up", b"a\0/../../evil".to_vec(), Refused),
        ("newline", b"a\nb".to_vec(), Refused),
        ("carriage-return", b"a\rb".to_vec(), Refused),
        ("escape", b"a\x1b[2Jb".to_vec(), Refused),
        ("delete", b"a\x7fb".to_vec(), Refused),
        ("c1-control", "a\u{9b}b".into(), Refused),
        ("bidi-override", "a\u{202e}txt.exe".into(), Refused),
        ("bidi-isolate", "a\u{2066}b".into(), Refused),
        ("overlong-dot", b"\xc0\xae\xc0\xae/evil".to_vec(), Refused),
        ("overlong-slash", b"..\xc0\xafevil".to_vec(), Refused),
        ("latin-1", b"caf\xe9".to_vec(), Refused),
        ("surrogate", b"a\xed\xa0\x80b".to_vec(), Refused),
        ("empty", b"".to_vec(), Refused),
        ("device-name", b"CON".to_vec(), Accepted),
        ("trailing-dot", b"a.".to_vec(), Accepted),
        ("trailing-space", b"a ".to_vec(), Accepted),
        ("option", b"-rf".to_vec(), Accepted),
        ("home", b"~".to_vec(), Accepted),
        ("home-inside", b"~root/evil".to_vec(), Accepted),
        ("fullwidth-dots", "\u{ff0e}\u{ff0e}/evil".into(), Accepted),
        ("255-bytes", long(255), Accepted),
        ("256-bytes", long(256), Refused),
        ("1025-bytes", long(1025), Refused),
        ("65535-bytes", long(65535), Refused),
        (
            "2000-deep",
            b"d/".repeat(2000).into_iter().chain(*b"f").collect(),
            Refused,
        ),
    ];
    for (name, raw, expected) in cases {
        let part = Part::with(raw, b"x", deflated);
        out.parts(
            format!("name/{name}/{}", way(deflated)),
            expected,
            vec![part],
        );
    }
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn links(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    use Expected::{Accepted, Refused};
    let link = |name: &str, target: &[u8]| Part::with(name, target, deflated).mode(LINK);
    let file = |name: &str| Part::with(name, b"x", deflated);
    let cases: Vec<(&str, Expected, Vec<Part>)> = vec![
        ("absolute", Refused, vec![link("l", b"/etc/passwd")]),
        ("relative", Refused, vec![link("l", b"../outside")]),
        (
            "relative-deep",
            Refused,
            vec![link("a/b/l", b"../../../outside")],
        ),
        (
            "dir-then-write",
            Refused,
            vec![link("l", b"/tmp"), file("l/evil")],
        ),
        (
            "inner-dir-then-write",
            Refused,
            vec![link("l", b"d"), file("d/f"), file("l/evil")],
        ),
        (
            "write-then-dir",
            Refused,
            vec![file("l/evil"), link("l", b"/tmp")],
        ),
        (
            "chain",
            Refused,
            vec![link("d/a", b".."), link("b", b"d/a/../outside")],
        ),
        (
            "chain-deep",
            Refused,
            vec![
                link("d/e/a", b"../.."),
                link("b", b"d/e/a/../outside"),
                file("d/e/f"),
            ],
        ),
        (
            "two-links",
            Refused,
            vec![link("a", b"b"), link("b", b"../outside")],
        ),
        ("self", Refused, vec![link("l", b"l")]),
        ("loop", Refused, vec![link("a", b"b"), link("b", b"a")]),
        (
            "overwritten",
            Refused,
            vec![link("l", b"/tmp/evil"), file("l")],
        ),
        (
            "overwrites",
            Refused,
            vec![file("l"), link("l", b"/tmp/evil")],
        ),
        (
            "directory-replaced",
            Refused,
            vec![
                Part::with("d/", b"", deflated).mode(DIRECTORY),
                link("d", b"/tmp"),
                file("d/evil"),
            ],
        ),
        ("case", Refused, vec![link("L", b"/tmp"), file("l/evil")]),
        ("environ", Refused, vec![link("l", b"/proc/self/environ")]),
        ("nul", Refused, vec![link("l", b"a\0/../../x")]),
        ("empty", Refused, vec![link("l", b"")]),
        ("not-utf8", Refused, vec![link("l", b"\xff")]),
        ("slash-name", Refused, vec![link("l/", b"d")]),
        (
            "dos-system",
            Refused,
            vec![link("l", b"f").change(|part| part.system = 0)],
        ),
        ("100-kb", Refused, vec![link("l", &vec![b'a'; 100_000])]),
        (
            "inside",
            Accepted,
            vec![file("a/b"), link(".bin", b"a/b"), link("d/up", b"../a/b")],
        ),
        ("dangling-inside", Accepted, vec![link("l", b"nowhere")]),
    ];
    for (name, expected, parts) in cases {
        out.parts(format!("link/{name}/{}", way(deflated)), expected, parts);
    }
    if deflated {
        out.refused("link/200-mb/deflated", vec![zeros("l", 200).mode(LINK)]);
    }
}

pub(super) fn modes(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    use Expected::{Accepted, Refused};
    let cases = [
        ("setuid", 0o104_755, Accepted),
        ("setgid", 0o102_755, Accepted),
        ("sticky", 0o101_777, Accepted),
        ("nothing-allowed", 0o100_000, Accepted),
        ("all-allowed", 0o100_777, Accepted),
        ("fifo", 0o010_644, Refused),
        ("character-device", 0o020_644, Refused),
        ("block-device", 0o060_644, Refused),
        ("socket", 0o140_644, Refused),
        ("unknown-type", 0o170_644, Refused),
        ("directory-by-mode", DIRECTORY, Refused),
    ];
    for (name, mode, expected) in cases {
        let part = Part::with("f", b"x", deflated).mode(mode);
        out.parts(
            format!("mode/{name}/{}", way(deflated)),
            expected,
            vec![part],
        );
    }
    let part = Part::with("d/", b"", deflated).mode(FILE);
    out.refused(format!("mode/file-by-mode/{}", way(deflated)), vec![part]);
    let part = Part::with("d/", b"x", deflated).mode(DIRECTORY);
    out.refused(
        format!("mode/directory-with-data/{}", way(deflated)),
        vec![part],
    );
}

pub(super) fn duplicates(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    use Expected::{Accepted, Refused};
    let file = |name: &str| Part::with(name, name.as_bytes(), deflated);
    let directory = |name: &str| Part::with(name, b"", deflated).mode(DIRECTORY);
    let cases: Vec<(&str, Expected, Vec<Part>)> = vec![
        ("exact", Refused, vec![file("a"), file("a")]),
        ("dot-prefix", Refused, vec![file("a"), file("./a")]),
        // Told apart by Linux, Lambda and S3; `Problem::Case` where the disk does not.
        ("case", Accepted, vec![file("a"), file("A")]),
        (
            "case-thrice",
            Accepted,
            vec![file("ab"), file("aB"), file("Ab")],
        ),
        (
            "case-twice-the-same",
            Refused,
            vec![file("a"), file("A"), file("A")],
        ),
        (
            "case-below-file",
            Refused,
            vec![file("a"), file("A"), file("A/b")],
        ),
        ("directory-case", Accepted, vec![file("d/a"), file("D/b")]),
        ("unicode-case", Accepted, vec![file("é"), file("É")]),
        ("composed", Accepted, vec![file("\u{e9}"), file("e\u{301}")]),
        ("double-slash", Refused, vec![file("a/b"), file("a//b")]),
        (
            "file-then-directory",
            Refused,
            vec![file("a"), directory("a/")],
        ),
        (
            "directory-then-file",
            Refused,
            vec![directory("a/"), file("a")],
        ),
        ("file-as-directory", Refused, vec![file("a"), file("a/b")]),
        ("directory-as-file", Refused, vec![file("a/b"), file("a")]),
        (
            "directory-twice",
            Refused,
            vec![directory("a/"), directory("a/")],
        ),
    ];
    for (name, expected, parts) in cases {
        out.parts(
            format!("duplicate/{name}/{}", way(deflated)),
            expected,
            parts,
        );
    }
}
