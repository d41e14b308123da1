//! Every class of hostile archive that is known, each with a name.

mod bombs;
mod contents;
mod framing;
mod paths;

use super::{LINK, Part, Zip};

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
        paths::names(&mut out, deflated);
        paths::links(&mut out, deflated);
        paths::modes(&mut out, deflated);
        paths::duplicates(&mut out, deflated);
        contents::lies(&mut out, deflated);
        contents::disagreements(&mut out, deflated);
        contents::fields(&mut out, deflated);
        contents::methods(&mut out, deflated);
    }
    framing::zip64(&mut out);
    framing::framing(&mut out);
    bombs::bombs(&mut out);
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

pub(super) fn way(deflated: bool) -> &'static str {
    if deflated { "deflated" } else { "stored" }
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
