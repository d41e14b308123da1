#![doc = include_str!("../README.md")]
//!
//! Why not one of the other crates: `docs/decisions/0010-own-zip-reader.md` in the repository.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod error;
mod format;
mod limits;
mod reader;
mod writer;

use std::fs::File;
use std::num::NonZero;
use std::path::Path;

use reader::source::Source;
use reader::{archive, extract};

pub use error::{ArchiveError, Problem};
pub use format::entry::{Entry, Kind};
pub use format::fingerprint::{Fingerprint, Fingerprinting};
pub use format::name::is_deceptive;
pub use limits::Limits;
pub use reader::archive::Archive;
pub use reader::central_directory::CentralDirectory;
pub use reader::coalesce::{PieceSource, ReadPlan, SPARE_BYTES};
pub use reader::entry_reader::Reader;
pub use reader::extract::{Extracted, Extraction, threads};
pub use reader::source::ReadAt;
pub use writer::compose::{ArchiveEnd, MAX_END_BYTES, check_confined, compose, data_bytes};
pub use writer::create::{Created, Creation, create, create_file};

/// Checks an archive and extracts it into an empty directory, within limits.
///
/// Files get mode 0644, or 0755 if they are executable; directories get 0755; links stay links.
///
/// # Errors
///
/// [`ArchiveError`] names the entry; nothing of the archive stays in the directory.
pub fn extract(zip: &File, into: &Path, limits: &Limits) -> Result<Extracted, ArchiveError> {
    archive::extract(&Source::of(zip)?, limits.clone(), into, extract::threads())
}

/// Checks an archive and extracts it into an empty directory, if the disk has room, with as many threads as this
/// process has processors.
///
/// # Errors
///
/// [`ArchiveError`] names the entry; nothing of the archive stays in the directory.
pub fn extract_file(zip: &Path, into: &Path) -> Result<Extracted, ArchiveError> {
    extract_file_with(zip, into, extract::threads())
}

/// [`extract_file`] with a given number of threads.
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
    archive::extract(&Source::open(zip)?, limits, into, threads)
}
