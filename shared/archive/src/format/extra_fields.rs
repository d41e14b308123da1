//! Extra fields of an entry. Those that change its meaning are checked; the others only have to be well-formed.

use crate::error::Problem;
use crate::format::fields::Fields;
use crate::format::fingerprint::{self, Fingerprint};

const ZIP64: u16 = 0x0001;
const UNICODE_PATH: u16 = 0x7075;

/// The 32-bit fields of a header; all ones mean that the value is in the Zip64 field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) size: u32,
    pub(crate) compressed_size: u32,
    /// Offset of the local header; not in the local header itself.
    pub(crate) header: Option<u32>,
    /// Number of the disk; not in the local header.
    pub(crate) disk: Option<u16>,
}

/// The fields of a header after its Zip64 field was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WideSizes {
    pub(crate) size: u64,
    pub(crate) compressed_size: u64,
    pub(crate) header: u64,
}

/// Well-formed extra fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extra<'a> {
    zip64: Option<&'a [u8]>,
    fingerprint: Option<&'a [u8]>,
}

/// Bytes of a field's id and length.
const FIELD_HEADER_BYTES: usize = 4;

/// Checks the form of all fields, and that the Unicode path equals the name. Zeros after the last field, too few for
/// another field, are padding (Android's zipalign writes it), which no reader can interpret as anything else.
pub(crate) fn check<'a>(extra: &'a [u8], name: &[u8]) -> Result<Extra<'a>, Problem> {
    let mut fields = Fields(extra);
    let mut zip64 = None;
    let mut unicode_path = None;
    let mut fingerprint = None;
    while !fields.0.is_empty() && !is_padding(fields.0) {
        let (id, len) = fields.u16().zip(fields.u16()).ok_or(Problem::Extra)?;
        let data = fields.take(len.into()).ok_or(Problem::Extra)?;
        let kept = match id {
            ZIP64 => &mut zip64,
            UNICODE_PATH => &mut unicode_path,
            fingerprint::FIELD => &mut fingerprint,
            _ => continue,
        };
        if kept.replace(data).is_some() {
            return Err(Problem::ExtraTwice(id));
        }
    }
    if let Some(data) = unicode_path {
        let mut path = Fields(data);
        let version = path.take(1).ok_or(Problem::UnicodeName)?;
        let crc = path.u32().ok_or(Problem::UnicodeName)?;
        if version != [1] || path.0 != name || crc != crc32fast::hash(name) {
            return Err(Problem::UnicodeName);
        }
    }
    Ok(Extra { zip64, fingerprint })
}

fn is_padding(rest: &[u8]) -> bool {
    rest.len() < FIELD_HEADER_BYTES && rest.iter().all(|byte| *byte == 0)
}

impl Extra<'_> {
    /// Whether there is a Zip64 field: it may make the data descriptor's sizes 64 bits wide.
    pub(crate) fn has_zip64(&self) -> bool {
        self.zip64.is_some()
    }

    /// What the archive's creator states about the contents.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint.and_then(Fingerprint::read)
    }

    /// A header's sizes. The Zip64 field must contain exactly the values that the header leaves to it, in this order:
    /// some readers would take a surplus value for one that the header already has.
    pub(crate) fn sizes(&self, narrow: &Sizes) -> Result<WideSizes, Problem> {
        let present = self.zip64.is_some();
        let mut fields = Fields(self.zip64.unwrap_or_default());
        let mut wide = |value: u32| match value {
            u32::MAX if present => fields.u64().ok_or(Problem::Zip64),
            value => Ok(u64::from(value)),
        };
        let size = wide(narrow.size)?;
        let compressed_size = wide(narrow.compressed_size)?;
        let header = wide(narrow.header.unwrap_or(0))?;
        let disk = match narrow.disk {
            Some(u16::MAX) if present => fields.u32().ok_or(Problem::Zip64)?,
            disk => disk.unwrap_or(0).into(),
        };
        if disk != 0 {
            return Err(Problem::Split);
        }
        if present && !fields.0.is_empty() {
            return Err(Problem::Zip64);
        }
        Ok(WideSizes {
            size,
            compressed_size,
            header,
        })
    }
}
