//! Entries that lie: about their contents, between their two headers, in their extra fields.

use super::super::{Part, Zip, descriptor, extra, put32, put64};
use super::{Expected, Hostile, Out, way};

pub(super) fn lies(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
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
            (part.size, part.compressed_size) = (u32::MAX - 1, u32::MAX - 1);
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

pub(super) fn disagreements(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    type Change = (&'static str, fn(&mut Part));
    let cases: [Change; 10] = [
        ("local-name", |part| {
            part.local_name = Some(b"../evil".to_vec());
        }),
        ("local-name-case", |part| {
            part.local_name = Some(b"F".to_vec());
        }),
        ("local-method", |part| {
            part.local_method = Some(8 - part.method);
        }),
        ("local-flags", |part| part.local_flags = Some(1 << 11)),
        ("local-sizes", |part| {
            part.local_sizes = Some((part.crc, 1, 1));
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
    let cases: [Change; 7] = [
        ("missing", |part| part.descriptor.clear()),
        ("crc", |part| {
            part.descriptor = descriptor(1, part.compressed_size, part.size);
        }),
        ("size", |part| {
            part.descriptor = descriptor(part.crc, part.compressed_size, 1);
        }),
        ("compressed", |part| {
            part.descriptor = descriptor(part.crc, 1, part.size);
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
    relaxed_descriptors(out, deflated);
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

/// What some writers leave at 0, leave out or make wide, and what is one step beyond.
#[expect(clippy::too_many_lines, reason = "a table")]
fn relaxed_descriptors(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    use Expected::{Accepted, Refused};
    type Change = fn(&mut Part);
    let only_deflated = if deflated { Accepted } else { Refused };
    let cases: [(&str, Expected, Change); 20] = [
        ("size-told", Accepted, |part| {
            part.local_sizes = Some((0, 0, part.size));
        }),
        ("all-told", Accepted, |part| part.local_sizes = None),
        ("crc-told", Accepted, |part| {
            part.local_sizes = Some((part.crc, 0, 0));
        }),
        ("compressed-told", Accepted, |part| {
            part.local_sizes = Some((0, part.compressed_size, 0));
        }),
        ("size-other", Refused, |part| {
            part.local_sizes = Some((0, 0, part.size + 1));
        }),
        ("crc-other", Refused, |part| {
            part.local_sizes = Some((part.crc ^ 1, 0, part.size));
        }),
        ("compressed-other", Refused, |part| {
            part.local_sizes = Some((0, part.compressed_size + 1, part.size));
        }),
        ("size-told-unannounced", Refused, |part| {
            (part.flags, part.local_flags) = (0, Some(0));
            part.local_sizes = Some((0, 0, part.size));
            part.descriptor.clear();
        }),
        ("unsigned", only_deflated, |part| {
            part.descriptor.drain(..4);
        }),
        ("unsigned-crc-other", Refused, |part| {
            part.descriptor = descriptor(part.crc ^ 1, part.compressed_size, part.size);
            part.descriptor.drain(..4);
        }),
        ("unsigned-size-other", Refused, |part| {
            part.descriptor = descriptor(part.crc, part.compressed_size, part.size + 1);
            part.descriptor.drain(..4);
        }),
        // A checksum that is the signature: whether one precedes it cannot be told.
        ("unsigned-crc-is-signature", Refused, |part| {
            part.crc = 0x0807_4b50;
            part.descriptor = descriptor(part.crc, part.compressed_size, part.size);
            part.descriptor.drain(..4);
        }),
        ("wide-zip64-in-directory", Accepted, |part| {
            (part.descriptor, part.extra) = (wide(part, 0), zip64_sizes(part));
            part.size_says_zip64();
        }),
        ("narrow-zip64-in-directory", Accepted, |part| {
            part.extra = zip64_sizes(part);
            part.size_says_zip64();
        }),
        ("wide-other-zip64-in-directory", Refused, |part| {
            (part.descriptor, part.extra) = (wide(part, 1), zip64_sizes(part));
            part.size_says_zip64();
        }),
        ("wide-high-half-zip64-in-directory", Refused, |part| {
            (part.descriptor, part.extra) = (wide(part, 1 << 32), zip64_sizes(part));
            part.size_says_zip64();
        }),
        ("wide-unsigned-zip64-in-directory", only_deflated, |part| {
            (part.descriptor, part.extra) = (wide(part, 0), zip64_sizes(part));
            part.descriptor.drain(..4);
            part.size_says_zip64();
        }),
        ("wide-without-zip64", Refused, |part| {
            part.descriptor = wide(part, 0);
        }),
        ("wide-unsigned-without-zip64", Refused, |part| {
            part.descriptor = wide(part, 0);
            part.descriptor.drain(..4);
        }),
        ("twice", Refused, |part| {
            part.descriptor = part.descriptor.repeat(2);
        }),
    ];
    for (name, expected, change) in cases {
        let part = Part::with("f", b"contents", deflated).change(|part| {
            part.flags = 8;
            part.local_flags = Some(8);
            part.local_sizes = Some((0, 0, 0));
            part.descriptor = descriptor(part.crc, part.compressed_size, part.size);
            change(part);
        });
        let parts = vec![part, Part::new("g", b"y")];
        out.parts(
            format!("descriptor/{name}/{}", way(deflated)),
            expected,
            parts,
        );
    }
}

/// A data descriptor with 64-bit sizes, the second one off by something.
fn wide(part: &Part, off: u64) -> Vec<u8> {
    let mut bytes = b"PK\x07\x08".to_vec();
    put32(&mut bytes, part.crc);
    put64(&mut bytes, part.compressed_size.into());
    put64(&mut bytes, u64::from(part.size) + off);
    bytes
}

/// A Zip64 field with both sizes.
fn zip64_sizes(part: &Part) -> Vec<u8> {
    let mut data = Vec::new();
    put64(&mut data, part.size.into());
    put64(&mut data, part.compressed_size.into());
    extra(1, &data)
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn fields(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
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
        ("zeros-1", Expected::Accepted, vec![0]),
        ("zeros-3", Expected::Accepted, vec![0; 3]),
        (
            "zeros-3-after-field",
            Expected::Accepted,
            [extra(0xcafe, &[]), vec![0; 3]].concat(),
        ),
        ("zeros-and-one", Expected::Refused, vec![0, 0, 1]),
        ("one-and-zeros", Expected::Refused, vec![1, 0, 0]),
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
        let central = Part::with("f", b"x", deflated).change(|part| part.extra.clone_from(&bytes));
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

pub(super) fn methods(out: &mut Out<impl FnMut(Hostile)>, deflated: bool) {
    for method in [1, 2, 6, 7, 9, 10, 12, 14, 93, 95, 98, 99, 255, 65535] {
        let part = Part::with("f", b"contents", deflated).change(|part| part.method = method);
        out.refused(format!("method/{method}/{}", way(deflated)), vec![part]);
    }
    let part = Part::with("f", b"contents", deflated).change(|part| part.method = 8 - part.method);
    out.refused(format!("method/swapped/{}", way(deflated)), vec![part]);
}
