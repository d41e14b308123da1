//! Small archives that ask for much.

use flate2::{Compress, Compression, FlushCompress};

use super::super::{Part, Zip};
use super::{Expected, Hostile, Out};

const MIB: usize = 1024 * 1024;

pub(super) fn bombs(out: &mut Out<impl FnMut(Hostile)>) {
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
    long_names(out);
    let mut announced = Zip::new(vec![Part::new("f", b"x")]);
    announced = announced.end(|end| (end.entries, end.entries_here) = (65_534, 65_534));
    out.put("bomb/announced-entries", Refused, announced.bytes());
    let deep = |number: usize| format!("{}{number}", format!("d{number}/").repeat(60));
    let many = (0..4_000)
        .map(|number| Part::with(deep(number), b"", false))
        .collect();
    out.parts("bomb/240000-directories", Refused, many);
}

/// About as many bytes of names as there may be, names of five directories each, and more than there may be.
fn long_names(out: &mut Out<impl FnMut(Hostile)>) {
    use Expected::{Accepted, Refused};
    let files = |count: usize, name: &dyn Fn(usize) -> String| {
        (0..count)
            .map(|number| Part::with(name(number), b"", false))
            .collect::<Vec<_>>()
    };
    let flat = |number: usize| format!("d{}/{number:0>102}", number / 10_000);
    let many = Zip::new(files(99_000, &flat));
    let many = many.end64(|end| (end.entries, end.entries_here) = (99_000, 99_000));
    out.put("bomb/long-names/99000", Accepted, many.bytes());
    let deep = |number: usize| {
        let level = format!("{number:0>200}/");
        format!("{}{number}", level.repeat(5))
    };
    out.parts("bomb/long-names/2000-deep", Accepted, files(2_000, &deep));
    out.parts("bomb/long-names/20000-deep", Refused, files(20_000, &deep));
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
pub(super) fn zeros(name: &str, mebibytes: usize) -> Part {
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
