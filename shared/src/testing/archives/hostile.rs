//! Every class of hostile archive that is known, each with a name.

use flate2::{Compress, Compression, FlushCompress};

use super::{
    DIRECTORY, FILE, LINK, Part, Zip, descriptor, end64_record, extra, locator, put32, put64,
};

const MIB: usize = 1024 * 1024;

/// What a strict reader does with an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It refuses it.
    Refused,
    /// It extracts it: unusual, but harmless and read the same by everyone.
    Accepted,
    /// Either, but nothing may happen outside: damage that may hit what does not matter.
    Either,
}

/// A hostile archive.
#[derive(Clone, Debug)]
pub struct Hostile {
    /// Its class and case.
    pub name: String,
    /// The archive.
    pub bytes: Vec<u8>,
    /// What has to become of it.
    pub expected: Expected,
}

/// Makes one hostile archive after the other; only one is in memory at a time.
pub fn for_each_hostile(each: impl FnMut(Hostile)) {
    let mut out = Out { each };
    for deflated in [false, true] {
        names(&mut out, deflated);
        links(&mut out, deflated);
        modes(&mut out, deflated);
        duplicates(&mut out, deflated);
        lies(&mut out, deflated);
        disagreements(&mut out, deflated);
        fields(&mut out, deflated);
        methods(&mut out, deflated);
    }
    zip64(&mut out);
    framing(&mut out);
    bombs(&mut out);
    nested(&mut out);
    damage(&mut out);
}

struct Out<F> {
    each: F,
}

impl<F: FnMut(Hostile)> Out<F> {
    fn put(&mut self, name: impl Into<String>, expected: Expected, bytes: Vec<u8>) {
        (self.each)(Hostile {
            name: name.into(),
            bytes,
            expected,
        });
    }

    fn refused(&mut self, name: impl Into<String>, parts: Vec<Part>) {
        self.put(name, Expected::Refused, Zip::new(parts).bytes());
    }

    fn parts(&mut self, name: impl Into<String>, expected: Expected, parts: Vec<Part>) {
        self.put(name, expected, Zip::new(parts).bytes());
    }
}

fn way(deflated: bool) -> &'static str {
    if deflated { "deflated" } else { "stored" }
}

fn names(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
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

fn links(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
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

fn modes(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
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

fn duplicates(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    use Expected::{Accepted, Refused};
    let file = |name: &str| Part::with(name, name.as_bytes(), deflated);
    let directory = |name: &str| Part::with(name, b"", deflated).mode(DIRECTORY);
    let cases: Vec<(&str, Expected, Vec<Part>)> = vec![
        ("exact", Refused, vec![file("a"), file("a")]),
        ("dot-prefix", Refused, vec![file("a"), file("./a")]),
        ("case", Refused, vec![file("a"), file("A")]),
        ("directory-case", Refused, vec![file("d/a"), file("D/b")]),
        ("unicode-case", Refused, vec![file("é"), file("É")]),
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

fn lies(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    type Lie = (&'static str, fn(&mut Part));
    let cases: [Lie; 14] = [
        ("crc", |part| part.crc ^= 1),
        ("crc-zero", |part| part.crc = 0),
        ("size-less", |part| part.size -= 1),
        ("size-more", |part| part.size += 1),
        ("size-zero", |part| part.size = 0),
        ("size-2g", |part| part.size = 1 << 31),
        ("size-4g", |part| part.size = u32::MAX - 1),
        ("compressed-less", |part| part.compressed_size -= 1),
        ("compressed-more", |part| part.compressed_size += 1),
        ("compressed-zero", |part| part.compressed_size = 0),
        ("compressed-2g", |part| part.compressed_size = 1 << 31),
        ("compressed-4g", |part| part.compressed_size = u32::MAX - 1),
        ("both-4g", |part| {
            (part.size, part.compressed_size) = (u32::MAX - 1, u32::MAX - 1)
        }),
        ("data-changed", |part| {
            if let Some(byte) = part.data.last_mut() {
                *byte ^= 0x55;
            }
        }),
    ];
    for (name, lie) in cases {
        let contents = b"some contents, some contents, some contents";
        let part = Part::with("f", contents, deflated).change(lie);
        out.refused(
            format!("lie/{name}/{}", way(deflated)),
            vec![part, Part::new("g", b"y")],
        );
    }
    if deflated {
        let truncated = Part::new("f", b"contents").change(|part| {
            part.data.pop();
            part.compressed_size -= 1;
        });
        out.refused("lie/deflate-cut-off", vec![truncated]);
        let tail = Part::new("f", b"contents").change(|part| {
            part.data.extend_from_slice(b"tail");
            part.compressed_size += 4;
        });
        out.refused("lie/deflate-tail", vec![tail]);
        let garbage = Part::new("f", b"contents").change(|part| part.data.fill(0xff));
        out.refused("lie/not-deflate", vec![garbage]);
    }
}

fn disagreements(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    type Change = (&'static str, fn(&mut Part));
    let cases: [Change; 10] = [
        ("local-name", |part| {
            part.local_name = Some(b"../evil".to_vec())
        }),
        ("local-name-case", |part| {
            part.local_name = Some(b"F".to_vec())
        }),
        ("local-method", |part| {
            part.local_method = Some(8 - part.method)
        }),
        ("local-flags", |part| part.local_flags = Some(1 << 11)),
        ("local-sizes", |part| {
            part.local_sizes = Some((part.crc, 1, 1))
        }),
        ("local-crc", |part| {
            part.local_sizes = Some((1, part.compressed_size, part.size));
        }),
        ("local-zero", |part| part.local_sizes = Some((0, 0, 0))),
        ("no-local-header", |part| part.in_body = false),
        ("offset", |part| part.offset = Some(1)),
        ("offset-4g", |part| part.offset = Some(u32::MAX - 1)),
    ];
    for (name, change) in cases {
        let part = Part::with("f", b"contents", deflated).change(change);
        out.refused(format!("differs/{name}/{}", way(deflated)), vec![part]);
    }
    let hidden = Part::with("hidden", b"x", deflated).change(|part| part.in_directory = false);
    let seen = Part::with("seen", b"x", deflated);
    for (name, parts) in [
        ("hidden-first", vec![hidden.clone(), seen.clone()]),
        ("hidden-last", vec![seen.clone(), hidden.clone()]),
        (
            "hidden-between",
            vec![seen.clone(), hidden, Part::with("g", b"y", deflated)],
        ),
        (
            "same-header",
            vec![
                seen.clone(),
                seen.clone()
                    .change(|part| (part.in_body, part.offset) = (false, Some(0))),
            ],
        ),
    ] {
        out.refused(format!("differs/{name}/{}", way(deflated)), parts);
    }
    descriptors(out, deflated);
}

fn descriptors(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    type Change = (&'static str, fn(&mut Part));
    let cases: [Change; 8] = [
        ("missing", |part| part.descriptor.clear()),
        ("crc", |part| {
            part.descriptor = descriptor(1, part.compressed_size, part.size)
        }),
        ("size", |part| {
            part.descriptor = descriptor(part.crc, part.compressed_size, 1)
        }),
        ("compressed", |part| {
            part.descriptor = descriptor(part.crc, 1, part.size)
        }),
        ("unsigned", |part| {
            part.descriptor.drain(..4);
        }),
        ("wide", |part| {
            part.descriptor = b"PK\x07\x08".to_vec();
            put32(&mut part.descriptor, part.crc);
            put64(&mut part.descriptor, part.compressed_size.into());
            put64(&mut part.descriptor, part.size.into());
        }),
        ("unannounced", |part| part.flags = 0),
        ("announced-in-one", |part| part.flags = 0),
    ];
    for (name, change) in cases {
        let part = Part::with("f", b"contents", deflated).change(|part| {
            part.flags = 8;
            part.local_flags = Some(8);
            part.local_sizes = Some((0, 0, 0));
            part.descriptor = descriptor(part.crc, part.compressed_size, part.size);
            change(part);
            if name == "unannounced" {
                part.local_flags = Some(0);
            }
        });
        out.refused(format!("descriptor/{name}/{}", way(deflated)), vec![part]);
    }
    // A stored entry whose data holds a descriptor and another entry: a reader from the front
    // would stop early and find `evil`.
    let inner = Zip::new(vec![Part::new("evil", b"x")]).body;
    let mut data = b"harmless".to_vec();
    data.extend(descriptor(crc32fast::hash(b"harmless"), 8, 8));
    data.extend(inner);
    let part = Part::with("f", &data, false).change(|part| {
        part.flags = 8;
        part.local_sizes = Some((crc32fast::hash(b"harmless"), 8, 8));
        part.descriptor = descriptor(part.crc, part.compressed_size, part.size);
    });
    out.refused(
        format!("descriptor/hidden-entry/{}", way(deflated)),
        vec![part],
    );
}

fn fields(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    let unicode = |name: &[u8], path: &[u8]| {
        let mut data = vec![1];
        put32(&mut data, crc32fast::hash(name));
        data.extend_from_slice(path);
        extra(0x7075, &data)
    };
    let same = unicode(b"f", b"f");
    let twice: Vec<u8> = same.iter().chain(&same).copied().collect();
    let cases: Vec<(&str, Expected, Vec<u8>)> = vec![
        ("cut-off", Expected::Refused, vec![1, 2, 3]),
        (
            "too-long",
            Expected::Refused,
            vec![0x55, 0x54, 0xff, 0xff, 0],
        ),
        ("unicode-path", Expected::Refused, unicode(b"f", b"../evil")),
        ("unicode-path-crc", Expected::Refused, unicode(b"g", b"f")),
        (
            "unicode-path-short",
            Expected::Refused,
            extra(0x7075, &[1, 2]),
        ),
        ("unicode-path-twice", Expected::Refused, twice),
        ("unicode-path-same", Expected::Accepted, same),
        ("zip64-unneeded", Expected::Refused, extra(1, &[8; 16])),
        (
            "zip64-twice",
            Expected::Refused,
            [extra(1, &[]), extra(1, &[])].concat(),
        ),
        ("unknown", Expected::Accepted, extra(0xcafe, &[])),
    ];
    for (name, expected, bytes) in cases {
        let central = Part::with("f", b"x", deflated).change(|part| part.extra = bytes.clone());
        out.parts(
            format!("extra/{name}/directory/{}", way(deflated)),
            expected,
            vec![central],
        );
        let local = Part::with("f", b"x", deflated).change(|part| part.local_extra = bytes);
        out.parts(
            format!("extra/{name}/header/{}", way(deflated)),
            expected,
            vec![local],
        );
    }
    for (name, flag) in [
        ("encrypted", 1_u16),
        ("patched", 1 << 5),
        ("strong", 1 << 6),
        ("masked", 1 << 13),
    ] {
        let part = Part::with("f", b"x", deflated).change(|part| part.flags = flag);
        out.refused(format!("flag/{name}/{}", way(deflated)), vec![part]);
    }
    let part = Part::with("f", b"x", deflated).change(|part| part.comment = vec![0xff]);
    out.refused(format!("comment/not-utf8/{}", way(deflated)), vec![part]);
    let part = Part::with("f", b"x", deflated).change(|part| part.disk = 1);
    out.refused(format!("disk/other/{}", way(deflated)), vec![part]);
}

fn methods(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    for method in [1, 2, 6, 7, 9, 10, 12, 14, 93, 95, 98, 99, 255, 65535] {
        let part = Part::with("f", b"contents", deflated).change(|part| part.method = method);
        out.refused(format!("method/{method}/{}", way(deflated)), vec![part]);
    }
    let part = Part::with("f", b"contents", deflated).change(|part| part.method = 8 - part.method);
    out.refused(format!("method/swapped/{}", way(deflated)), vec![part]);
}

fn zip64(out: &mut Out<impl FnMut(Hostile)>) {
    use Expected::{Accepted, Refused};
    let zip = || Zip::new(vec![Part::new("f", b"contents")]);
    out.put("zip64/right", Accepted, zip().end64(|_| ()).bytes());
    type Change = (&'static str, fn(&mut super::End64));
    let cases: [Change; 12] = [
        ("count-billion", |end| {
            (end.entries, end.entries_here) = (1_000_000_000, 1_000_000_000)
        }),
        ("count-2-63", |end| {
            (end.entries, end.entries_here) = (1 << 63, 1 << 63)
        }),
        ("count-here", |end| end.entries_here = 2),
        ("bytes-2-63", |end| end.bytes = 1 << 63),
        ("bytes-all-ones", |end| end.bytes = u64::MAX),
        ("offset-2-63", |end| end.offset = 1 << 63),
        ("offset-zero", |end| end.offset = 0),
        ("own-size", |end| end.own_size = 60),
        ("own-size-2-63", |end| end.own_size = 1 << 63),
        ("located-elsewhere", |end| end.located = 0),
        ("located-2-63", |end| end.located = 1 << 63),
        ("disks", |end| end.disks = 2),
    ];
    for (name, change) in cases {
        let open = |end: &mut super::End| {
            (end.entries, end.entries_here) = (u16::MAX, u16::MAX);
            (end.bytes, end.offset) = (u32::MAX, u32::MAX);
        };
        out.put(
            format!("zip64/{name}"),
            Refused,
            zip().end64(change).bytes(),
        );
        out.put(
            format!("zip64/{name}/asked"),
            Refused,
            zip().end(open).end64(change).bytes(),
        );
    }
    out.put(
        "zip64/missing",
        Refused,
        zip().end(|end| end.offset = u32::MAX).bytes(),
    );
    let mut twice = zip();
    let record = end64_record(&super::End64 {
        own_size: 44,
        entries_here: 1,
        entries: 1,
        bytes: twice.directory.len() as u64,
        offset: twice.body.len() as u64,
        located: 0,
        disks: 1,
    });
    twice.directory.extend_from_slice(&record);
    out.put("zip64/record-twice", Refused, twice.end64(|_| ()).bytes());
    let mut looped = zip();
    looped
        .directory
        .extend(locator(u64::try_from(looped.body.len()).unwrap_or(0), 1));
    out.put("zip64/locator-loop", Refused, looped.bytes());
    for (name, size, data) in [
        (
            "entry-size-2-63",
            u32::MAX,
            (1_u64 << 63).to_le_bytes().to_vec(),
        ),
        ("entry-size-short", u32::MAX, vec![0; 4]),
        (
            "entry-size-long",
            u32::MAX,
            vec![8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        ("entry-size-missing", u32::MAX, vec![]),
    ] {
        let part = Part::new("f", b"contents").change(|part| {
            part.size = size;
            part.extra = extra(1, &data);
            part.local_extra = extra(1, &data);
        });
        out.refused(format!("zip64/{name}"), vec![part]);
    }
}

fn framing(out: &mut Out<impl FnMut(Hostile)>) {
    use Expected::{Accepted, Refused};
    let zip = || Zip::new(vec![Part::new("a.txt", b"a"), Part::new("b.txt", b"b")]);
    let good = zip().bytes();
    type Change = (&'static str, fn(&mut super::End));
    let cases: [Change; 14] = [
        ("count-less", |end| (end.entries, end.entries_here) = (1, 1)),
        ("count-more", |end| (end.entries, end.entries_here) = (3, 3)),
        ("count-zero", |end| (end.entries, end.entries_here) = (0, 0)),
        ("count-65534", |end| {
            (end.entries, end.entries_here) = (65534, 65534)
        }),
        ("count-here", |end| end.entries_here = 1),
        ("disk", |end| end.disk = 1),
        ("directory-disk", |end| end.directory_disk = 1),
        ("offset-less", |end| end.offset -= 1),
        ("offset-more", |end| end.offset += 1),
        ("offset-beyond", |end| end.offset = 1 << 30),
        ("bytes-less", |end| end.bytes -= 1),
        ("bytes-more", |end| end.bytes += 1),
        ("bytes-beyond", |end| end.bytes = 1 << 30),
        ("comment-longer", |end| end.comment_len = 4),
    ];
    for (name, change) in cases {
        out.put(format!("end/{name}"), Refused, zip().end(change).bytes());
    }
    out.put(
        "end/comment",
        Accepted,
        zip().comment(b"0123456789abcdef").bytes(),
    );
    out.put(
        "end/archive-in-comment",
        Refused,
        zip().comment(&good).bytes(),
    );
    let hidden = [&b"x"[..], &good, b"x"].concat();
    out.put(
        "end/archive-inside-comment",
        Refused,
        zip().comment(&hidden).bytes(),
    );
    out.put("end/two-archives", Refused, [&good[..], &good].concat());
    out.put("end/prefix", Refused, [&b"#!/bin/sh\n"[..], &good].concat());
    out.put("end/suffix", Refused, [&good[..], b"suffix"].concat());
    out.put(
        "end/suffix-70-kb",
        Refused,
        [&good[..], &vec![0; 70_000]].concat(),
    );
    out.put("end/empty-archive", Accepted, Zip::new(vec![]).bytes());
    out.put("end/empty-file", Refused, Vec::new());
    out.put("end/only-signature", Refused, b"PK\x05\x06".to_vec());
    out.put("end/not-a-zip", Refused, b"Hello, world!\n".repeat(100));
    out.put(
        "end/gzip",
        Refused,
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(),
    );
    let mut gap = zip();
    gap.directory.extend_from_slice(b"gap");
    out.put("end/gap-before-end", Refused, gap.bytes());
    let mut before = zip();
    before.body.extend_from_slice(b"gap");
    out.put(
        "end/gap-before-directory",
        Refused,
        before.end(|end| end.offset += 3).bytes(),
    );
}

fn bombs(out: &mut Out<impl FnMut(Hostile)>) {
    use Expected::{Either, Refused};
    out.refused("bomb/flat-4-gib", vec![zeros("zeros", 4095)]);
    let lying = zeros("zeros", 2048).change(|part| part.size = 1000);
    out.refused("bomb/lying-size", vec![lying]);
    let shared = zeros("0", 64);
    let mut overlapping = vec![shared.clone()];
    overlapping.extend((1..2000).map(|number| {
        shared.clone().change(|part| {
            part.name = number.to_string().into();
            (part.in_body, part.offset) = (false, Some(0));
        })
    }));
    out.refused("bomb/same-header-2000", overlapping);
    out.put(
        "bomb/quoted-overlap",
        Refused,
        quoted(&zeros("kernel", 64), 250),
    );
    let many = (0..65_000)
        .map(|number| Part::with(format!("f{number}"), b"", false))
        .collect();
    out.parts("bomb/65000-entries", Either, many);
    let mut announced = Zip::new(vec![Part::new("f", b"x")]);
    announced = announced.end(|end| (end.entries, end.entries_here) = (65_534, 65_534));
    out.put("bomb/announced-entries", Refused, announced.bytes());
    let deep = |number: usize| format!("{}{number}", format!("d{number}/").repeat(60));
    let many = (0..4_000)
        .map(|number| Part::with(deep(number), b"", false))
        .collect();
    out.parts("bomb/240000-directories", Refused, many);
}

/// Entries each of which quotes the next one's header in a stored block, so that all share one
/// kernel (David Fifield's construction).
fn quoted(kernel: &Part, count: usize) -> Vec<u8> {
    let mut bodies: Vec<u8> = Zip::new(vec![kernel.clone()]).body;
    let mut parts = Vec::new();
    let mut sizes = Vec::new();
    let mut data_len = kernel.data.len();
    let mut size = kernel.size;
    for number in 0..count {
        let header_len = bodies.len() - data_len;
        let (header, _) = bodies.split_at(header_len.min(bodies.len()));
        let len = u16::try_from(header.len()).unwrap_or(u16::MAX);
        let mut block = vec![0];
        block.extend_from_slice(&len.to_le_bytes());
        block.extend_from_slice(&(!len).to_le_bytes());
        block.extend_from_slice(&bodies);
        size = size.saturating_add(len.into());
        let part = Part::new(number.to_string(), b"").change(|part| {
            part.data = block;
            part.size = size;
            part.compressed_size = u32::try_from(part.data.len()).unwrap_or(u32::MAX);
        });
        bodies = Zip::new(vec![part.clone()]).body;
        sizes.push(bodies.len());
        parts.push(Part {
            data: Vec::new(),
            in_body: false,
            ..part
        });
        // Only the outermost header precedes the block that quotes the next one.
        data_len = bodies.len() - (30 + number.to_string().len());
    }
    let total = bodies.len();
    for (part, len) in parts.iter_mut().zip(&sizes) {
        part.offset = u32::try_from(total - len).ok();
    }
    let mut zip = Zip::new(parts);
    zip.body = bodies;
    zip.end.offset = u32::try_from(total).unwrap_or(u32::MAX);
    zip.bytes()
}

/// A file of this many MiB of zeros, made without holding them.
fn zeros(name: &str, mebibytes: usize) -> Part {
    let zeros = vec![0; MIB];
    let mut compress = Compress::new(Compression::new(6), false);
    let mut block = Vec::with_capacity(64 * 1024);
    compress
        .compress_vec(&zeros, &mut block, FlushCompress::Full)
        .expect("a MiB of zeros deflates into 64 KiB");
    let one = {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&zeros);
        hasher
    };
    let mut crc = crc32fast::Hasher::new();
    for _ in 0..mebibytes {
        crc.combine(&one);
    }
    let mut data = block.repeat(mebibytes);
    data.extend_from_slice(&[0x03, 0x00]);
    Part::new(name, b"").change(|part| {
        part.crc = crc.finalize();
        part.size = u32::try_from(mebibytes * MIB).unwrap_or(u32::MAX);
        part.compressed_size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        part.data = data;
    })
}

fn nested(out: &mut Out<impl FnMut(Hostile)>) {
    let mut bytes = Zip::new(vec![Part::new("core", b"x")]).bytes();
    for level in 1..=20 {
        let inner = Part::with("inner.zip", &bytes, level % 2 == 0);
        bytes = Zip::new(vec![inner]).bytes();
        out.put(format!("nested/{level}"), Expected::Accepted, bytes.clone());
    }
}

fn damage(out: &mut Out<impl FnMut(Hostile)>) {
    let file = Part::new("dir/file.txt", b"contents, contents, contents");
    let link = Part::with("dir/link", b"file.txt", false).mode(LINK);
    let good = Zip::new(vec![file, link]).bytes();
    for len in 0..good.len() {
        let cut = good.iter().take(len).copied().collect();
        out.put(format!("truncated/{len}"), Expected::Refused, cut);
    }
    for position in 0..good.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut flipped = good.clone();
            if let Some(byte) = flipped.get_mut(position) {
                *byte ^= mask;
            }
            out.put(
                format!("flipped/{position}/{mask:02x}"),
                Expected::Either,
                flipped,
            );
        }
    }
}
