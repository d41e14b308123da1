//! End records that contradict each other or the file.

use super::super::{End, End64, Part, Zip, end64_record, extra, locator};
use super::{Expected, Hostile, Out};

/// A case, and what it changes in a record.
type Change<Record> = (&'static str, fn(&mut Record));

/// What is changed in an end record.
type ChangeEnd = fn(&mut End);

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn zip64(out: &mut Out<impl FnMut(Hostile)>) {
    use Expected::{Accepted, Refused};
    let zip = || Zip::new(vec![Part::new("f", b"contents")]);
    out.put("zip64/right", Accepted, zip().end64(|_| ()).bytes());
    let cases: [Change<End64>; 12] = [
        ("count-billion", |end| {
            (end.entries, end.entries_here) = (1_000_000_000, 1_000_000_000);
        }),
        ("count-2-63", |end| {
            (end.entries, end.entries_here) = (1 << 63, 1 << 63);
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
        let open = |end: &mut End| {
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
    // Where all ones say "see there", and one step beyond.
    let all_ones = |end: &mut End| (end.disk, end.directory_disk) = (u16::MAX, u16::MAX);
    let ends: [(&str, Expected, ChangeEnd); 6] = [
        ("disks-all-ones", Accepted, |end| {
            (end.disk, end.directory_disk) = (u16::MAX, u16::MAX);
        }),
        ("everything-all-ones", Accepted, |end| {
            (end.disk, end.directory_disk) = (u16::MAX, u16::MAX);
            (end.entries_here, end.entries) = (u16::MAX, u16::MAX);
            (end.bytes, end.offset) = (u32::MAX, u32::MAX);
        }),
        ("here-all-ones", Accepted, |end| end.entries_here = u16::MAX),
        ("disk-1", Refused, |end| end.disk = 1),
        ("directory-disk-1", Refused, |end| {
            (end.disk, end.directory_disk) = (u16::MAX, 1);
        }),
        ("here-2", Refused, |end| end.entries_here = 2),
    ];
    for (name, expected, change) in ends {
        out.put(
            format!("zip64/end/{name}"),
            expected,
            zip().end64(|_| ()).end(change).bytes(),
        );
    }
    out.put(
        "zip64/end/disks-all-ones-without",
        Refused,
        zip().end(all_ones).bytes(),
    );
    let split = zip().end64(|end| end.disks = 2).end(all_ones);
    out.put("zip64/end/disks-all-ones-split", Refused, split.bytes());
    out.put(
        "zip64/missing",
        Refused,
        zip().end(|end| end.offset = u32::MAX).bytes(),
    );
    let mut twice = zip();
    let record = end64_record(&End64 {
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

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn framing(out: &mut Out<impl FnMut(Hostile)>) {
    use Expected::{Accepted, Refused};
    let zip = || Zip::new(vec![Part::new("a.txt", b"a"), Part::new("b.txt", b"b")]);
    let good = zip().bytes();
    let cases: [Change<End>; 14] = [
        ("count-less", |end| (end.entries, end.entries_here) = (1, 1)),
        ("count-more", |end| (end.entries, end.entries_here) = (3, 3)),
        ("count-zero", |end| (end.entries, end.entries_here) = (0, 0)),
        ("count-65534", |end| {
            (end.entries, end.entries_here) = (65534, 65534);
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
    padding(out, &good);
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

/// What bsdtar puts behind an archive in a pipe, and one step beyond.
fn padding(out: &mut Out<impl FnMut(Hostile)>, good: &[u8]) {
    use Expected::{Accepted, Refused};
    const BLOCK: usize = 10_240;
    let padded = |len: usize| {
        let mut bytes = good.to_vec();
        bytes.resize(len, 0);
        bytes
    };
    let changed = |at: usize, with: &[u8]| {
        let mut bytes = padded(BLOCK);
        bytes.splice(at..at + with.len(), with.iter().copied());
        bytes
    };
    let cases = [
        ("a-block", Accepted, padded(BLOCK)),
        ("a-record", Accepted, padded(512)),
        ("less", Refused, padded(BLOCK - 1)),
        ("more", Refused, padded(BLOCK + 1)),
        ("two-blocks", Refused, padded(2 * BLOCK)),
        ("a-byte-at-the-end", Refused, changed(BLOCK - 1, b"x")),
        ("a-byte-inside", Refused, changed(BLOCK / 2, b"x")),
        (
            "another-end-inside",
            Refused,
            changed(BLOCK - 22, b"PK\x05\x06"),
        ),
        (
            "an-archive-inside",
            Refused,
            changed(BLOCK - good.len(), good),
        ),
    ];
    for (name, expected, bytes) in cases {
        out.put(format!("end/padding/{name}"), expected, bytes);
    }
}
