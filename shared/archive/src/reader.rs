//! Reading archives that may be hostile.
//!
//! In the order of reading: the [`end_record`] says where the central directory is, [`directory_record`] parses
//! it, [`central_directory`] checks it as a whole, [`coalesce`] plans which bytes to read together,
//! [`local_header`] compares each entry's own header with the directory, [`inflate`] checks the contents, and
//! [`extract`] writes them below a [`destination`].

pub(crate) mod archive;
pub(crate) mod central_directory;
pub(crate) mod coalesce;
pub(crate) mod destination;
pub(crate) mod directory_record;
pub(crate) mod end_record;
pub(crate) mod entry_reader;
pub(crate) mod extract;
pub(crate) mod inflate;
pub(crate) mod local_header;
pub(crate) mod source;
