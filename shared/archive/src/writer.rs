//! Writing archives: deterministic, in one pass, and always readable by [`crate::reader`].
//!
//! In the order of writing: [`listing`] lists and checks what goes in, [`compress`] cuts it into jobs for
//! several threads, [`parallel`] returns their results in order, and [`records`] writes the zip records.
//! [`compose`] joins two finished archives without reading their contents.

pub(crate) mod compose;
pub(crate) mod compress;
pub(crate) mod create;
pub(crate) mod deflate;
pub(crate) mod listing;
pub(crate) mod parallel;
pub(crate) mod records;
