//! Zip archives: strict extraction and deterministic creation.
//!
//! Readers of zip archives disagree, and attackers use that: so an archive is checked as a whole
//! before anything of it is used, every byte belongs to one record, and both descriptions of each
//! entry agree (see `docs/decisions/0010-own-zip-reader.md`). What is written here always passes the
//! check. All functions block: call them where blocking is allowed.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod bytes;
mod compose;
mod contents;
mod create;
mod deflate;
mod destination;
mod directory;
mod entry;
mod error;
mod extra;
mod extract;
mod fingerprint;
mod layout;
mod limits;
mod list;
mod name;
mod open;
mod outline;
mod pack;
mod parallel;
mod read;
mod runs;
mod source;
mod tree;
mod write;

use std::fs::File;
use std::num::NonZero;
use std::path::Path;

use source::Source;

pub use compose::{MAX_END_BYTES, Tail, check_confined, compose, data_bytes};
pub use create::{Created, Creation, create, create_file};
pub use entry::{Entry, Kind};
pub use error::{ArchiveError, Problem};
pub use extract::Extracted;
pub use extract::{Extraction, threads};
pub use fingerprint::{Fingerprint, Fingerprinting};
pub use limits::Limits;
pub use name::is_deceptive;
pub use open::Archive;
pub use outline::Outline;
pub use read::Reader;
pub use runs::{Pieces, Plan, SPARE_BYTES};
pub use source::ReadAt;

/// Checks an archive and extracts it into an empty directory, within limits.
///
/// Files get mode 0644 or, where they can be run, 0755; directories 0755; links stay links.
///
/// # Errors
///
/// [`ArchiveError`] names the entry; nothing of the archive stays in the directory.
pub fn extract(zip: &File, into: &Path, limits: &Limits) -> Result<Extracted, ArchiveError> {
    open::extract(&Source::of(zip)?, limits.clone(), into, extract::threads())
}

/// Checks an archive and extracts it into an empty directory, as far as the disk has room, by as many
/// threads as this process has processors.
///
/// # Errors
///
/// [`ArchiveError`] names the entry; nothing of the archive stays in the directory.
pub fn extract_file(zip: &Path, into: &Path) -> Result<Extracted, ArchiveError> {
    extract_file_with(zip, into, extract::threads())
}

/// The same, by this many threads.
///
/// # Errors
///
/// [`ArchiveError`] names the entry; nothing of the archive stays in the directory.
pub fn extract_file_with(
    zip: &Path,
    into: &Path,
    threads: NonZero<usize>,
) -> Result<Extracted, ArchiveError> {
    let limits = Limits::for_free_space(into)?;
    open::extract(&Source::open(zip)?, limits, into, threads)
}
