//! What can be wrong with an archive, each with the entry's name and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::format::name::is_deceptive;

/// Longest part of an entry's name that a message shows, in characters: names come from outside and
/// may have 65,535 bytes.
const MAX_SHOWN_CHARS: usize = 200;

/// Bytes of a MiB, in which messages count.
const MIB: u64 = 1024 * 1024;

/// An archive cannot be read, extracted or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not a zip archive, or not a whole one.
    #[error("not a complete zip archive: {reason}")]
    NotZip {
        /// What is missing or wrong.
        reason: &'static str,
    },
    /// The records at the archive's end contradict each other or the file.
    #[error("the zip archive is ambiguous or damaged: {reason}")]
    Framing {
        /// Which rule is broken.
        reason: &'static str,
    },
    /// One entry breaks a rule.
    #[error("entry `{entry}` {problem}")]
    Entry {
        /// The entry's path, made safe to show.
        entry: String,
        /// Which rule is broken.
        problem: Problem,
    },
    /// More entries, or directories that they imply, than the limits allow.
    #[error("more than {limit} entries; the first beyond the limit is `{entry}`")]
    TooManyEntries {
        /// The entry that is one too many, or how many the archive announces.
        entry: String,
        /// The most there may be.
        limit: u64,
    },
    /// The names and link targets take more memory than is given to them.
    #[error("entry names total more than {limit} bytes; `{entry}` is beyond the limit")]
    NamesTooLong {
        /// The entry at which the limit was passed.
        entry: String,
        /// The most bytes there may be.
        limit: u64,
    },
    /// One entry is larger than the limits allow.
    #[error("entry `{entry}` has {bytes} bytes; the limit is {limit}")]
    EntryTooLarge {
        /// The entry.
        entry: String,
        /// Its size.
        bytes: u64,
        /// The most there may be.
        limit: u64,
    },
    /// All entries together are larger than the limits allow.
    #[error("the entries total {bytes} bytes; the limit is {limit}; the largest is `{entry}`")]
    TooLarge {
        /// The largest entry.
        entry: String,
        /// The sum of the sizes.
        bytes: u64,
        /// The most there may be.
        limit: u64,
    },
    /// The archive expands as only archives made to fill disks do.
    #[error(
        "{compressed} bytes expand to {bytes}, more than {limit} times as many; the largest is `{entry}`"
    )]
    Ratio {
        /// The largest entry.
        entry: String,
        /// Bytes of the archive.
        compressed: u64,
        /// Bytes of its contents.
        bytes: u64,
        /// How many times as large the contents may be.
        limit: u64,
    },
    /// What was archived would be refused by every reader.
    #[error(
        "{bytes} bytes of files became an archive of {compressed}; actions refuse archives that expand more than \
         {limit} times; the largest file is `{entry}`"
    )]
    TooCompressible {
        /// The largest file.
        entry: String,
        /// Bytes of the archive.
        compressed: u64,
        /// Bytes of the files.
        bytes: u64,
        /// How many times as large the files may be.
        limit: u64,
    },
    /// The disk does not hold it.
    #[error(
        "not enough space in `{}` for `{entry}`: {} MiB needed, {} MiB free",
        path.display(), needed_bytes.div_ceil(MIB), free_bytes / MIB
    )]
    NoRoom {
        /// The largest entry, or the one at which the disk was full.
        entry: String,
        /// The path that it was to be written to.
        path: PathBuf,
        /// What is needed there.
        needed_bytes: u64,
        /// What is free there.
        free_bytes: u64,
    },
    /// The entry that was asked for is not in the archive.
    #[error("no entry `{entry}` in the archive")]
    Missing {
        /// The name that was asked for.
        entry: String,
    },
    /// The disk, or a file, cannot be read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Which rule an entry breaks. Reads on after the entry's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The name cannot be read the same by everyone.
    #[error("has a name that is not UTF-8")]
    NameNotUtf8,
    /// The name has no characters, or no bytes of its own.
    #[error("has an empty name")]
    NameEmpty,
    /// The name would not look like what it is.
    #[error("has the character U+{0:04X} in its name, which controls how text is shown")]
    NameControl(u32),
    /// The name has a character that is a separator elsewhere.
    #[error("has `{0}` in its name, which is a path separator on other systems")]
    NameSeparator(char),
    /// The name begins at the file system's root.
    #[error("has an absolute path")]
    NameAbsolute,
    /// The name goes up.
    #[error("leads out of the directory with `..`")]
    NameLeaves,
    /// A part of the path is empty or `.`.
    #[error("has an empty or `.` component in its path")]
    NameComponent,
    /// The name is too long.
    #[error("has a name of {bytes} bytes; the limit is {limit}")]
    NameTooLong {
        /// Its length.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The path has too many components.
    #[error("is {depth} directories deep; the limit is {limit}")]
    NameTooDeep {
        /// How deep it lies.
        depth: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The entry cannot be read without a password.
    #[error("is encrypted")]
    Encrypted,
    /// The entry asks for something that is not supported.
    #[error("has the unsupported flags 0x{0:04x}")]
    Flags(u16),
    /// Only stored and deflated entries are read.
    #[error("uses compression method {0}; only 0 (stored) and 8 (deflate) are supported")]
    Method(u16),
    /// Only files, directories and symbolic links are extracted.
    #[error("is a {0}")]
    Special(&'static str),
    /// Name and attributes name different kinds.
    #[error("is a {by_mode} by its mode and a {by_name} by its name")]
    KindDiffers {
        /// What the mode says.
        by_mode: &'static str,
        /// What the name says.
        by_name: &'static str,
    },
    /// A directory has bytes.
    #[error("is a directory with contents")]
    DirectoryData,
    /// The entry lies on another disk of a split archive.
    #[error("is in another part of a split archive")]
    Split,
    /// An extra field is cut off.
    #[error("has a malformed extra field")]
    Extra,
    /// An extra field that may be there once is there again.
    #[error("has the extra field 0x{0:04x} twice")]
    ExtraTwice(u16),
    /// The second name is not the first.
    #[error("has a different name in its Unicode path field")]
    UnicodeName,
    /// The 64-bit sizes do not fit the 32-bit ones.
    #[error("has a Zip64 field that does not fit its header")]
    Zip64,
    /// The comment cannot be read the same by everyone.
    #[error("has a comment that is not UTF-8")]
    Comment,
    /// There is no local header where the directory says.
    #[error("has no local header at byte {0}")]
    NoHeader(u64),
    /// Local header and central directory do not agree.
    #[error("has a different {0} in its local header than in the central directory")]
    HeaderDiffers(&'static str),
    /// Two entries share bytes.
    #[error("overlaps the entry after it or the central directory")]
    Overlap,
    /// Bytes belong to no entry.
    #[error("has {0} bytes before it that belong to no entry")]
    Gap(u64),
    /// Bytes after the data belong to no entry.
    #[error("is followed by {0} bytes that belong to no entry")]
    GapAfter(u64),
    /// The data descriptor is missing or lies.
    #[error("has a data descriptor that differs from the central directory")]
    Descriptor,
    /// A stored entry has two sizes.
    #[error("is stored but has two different sizes")]
    StoredSizes,
    /// The data is not deflate data.
    #[error("has damaged compressed data")]
    Deflate,
    /// The compressed data ends before its declared end.
    #[error("has {0} bytes after the end of its compressed data")]
    DeflateTail(u64),
    /// The contents are not as long as declared.
    #[error("declares {0} bytes but has another length")]
    Size(u64),
    /// The contents are not those that were archived.
    #[error("has a wrong checksum")]
    Crc,
    /// Two entries of one path.
    #[error("appears twice")]
    Duplicate,
    /// Two paths that are one where it is extracted.
    #[error("differs from `{0}` only in upper and lower case, which this file system ignores")]
    Case(String),
    /// A file or link is used as directory.
    #[error("is below `{0}`, which is not a directory")]
    BelowFile(String),
    /// The link's target cannot be a path.
    #[error("is a symbolic link with an unusable target")]
    LinkTarget,
    /// The link begins at the file system's root.
    #[error("is a symbolic link to the absolute path `{0}`")]
    LinkAbsolute(String),
    /// The link goes out of the directory.
    #[error("is a symbolic link to `{0}`, which is outside the directory")]
    LinkLeaves(String),
    /// The links never end.
    #[error("is a symbolic link to `{0}`, which leads through too many other links")]
    LinkLoop(String),
    /// The file changed while it was archived.
    #[error("changed while it was read")]
    Changed,
}

impl Problem {
    fn hint(&self) -> &'static str {
        match self {
            Self::NameNotUtf8
            | Self::NameEmpty
            | Self::NameControl(_)
            | Self::NameSeparator(_)
            | Self::NameTooLong { .. }
            | Self::NameTooDeep { .. } => "rename the file and archive it again",
            Self::NameAbsolute | Self::NameLeaves | Self::NameComponent => {
                "archive the directory's contents with paths relative to it"
            }
            Self::Encrypted => "archive without a password; the artifact store encrypts by itself",
            Self::Method(_) => "archive with deflate, e.g. `zip -r` or `git archive --format=zip`",
            Self::Special(_) => "leave it out: only files, directories and symbolic links are kept",
            Self::Case(_) => {
                "extract it on a case-sensitive file system, as on Lambda and Linux, or rename one of the two"
            }
            Self::Duplicate | Self::BelowFile(_) => {
                "remove or rename one of the two, then archive again"
            }
            Self::LinkTarget | Self::LinkAbsolute(_) | Self::LinkLeaves(_) | Self::LinkLoop(_) => {
                "replace the link with its target, or make it point inside the directory"
            }
            Self::Changed => "make sure that nothing writes to the directory, then retry",
            Self::Split => "create a single archive, not several parts",
            Self::Flags(_)
            | Self::KindDiffers { .. }
            | Self::DirectoryData
            | Self::Extra
            | Self::ExtraTwice(_)
            | Self::UnicodeName
            | Self::Zip64
            | Self::Comment
            | Self::NoHeader(_)
            | Self::HeaderDiffers(_)
            | Self::Overlap
            | Self::Gap(_)
            | Self::GapAfter(_)
            | Self::Descriptor
            | Self::StoredSizes
            | Self::Deflate
            | Self::DeflateTail(_)
            | Self::Size(_)
            | Self::Crc => {
                "create the archive again with another tool and upload it again; if your pipeline did not create \
                 it, find out who did"
            }
        }
    }
}

impl ArchiveError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotZip { .. } => "check that the previous action uploads a complete zip archive",
            Self::Framing { .. } => {
                "create the archive again with another tool, with no bytes before or after it"
            }
            Self::Entry { problem, .. } => problem.hint(),
            Self::TooManyEntries { .. } | Self::NamesTooLong { .. } => {
                "leave out what later actions do not need, or split the artifact"
            }
            Self::EntryTooLarge { .. } | Self::TooLarge { .. } => {
                "leave out what later actions do not need"
            }
            Self::Ratio { .. } => {
                "find out who created the archive: real files do not compress this well"
            }
            Self::TooCompressible { .. } => {
                "leave the largest file out, or compress it yourself: nearly all of it is repeated bytes, such \
                 as the holes in a disk image"
            }
            Self::NoRoom { .. } => {
                "raise the function's `EphemeralStorage` (512 to 10240 MB), or leave out what later \
                 actions do not need"
            }
            Self::Missing { .. } => "check the name, and what the previous action archives",
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "give the user that runs the action permission to read and write it"
                }
                io::ErrorKind::NotFound => "check that the path exists",
                _ => "retry; if it keeps failing, check the disk",
            },
        }
    }

    /// An entry's problem, its name made safe to show.
    pub(crate) fn entry(name: &str, problem: Problem) -> Self {
        Self::Entry {
            entry: shown(name),
            problem,
        }
    }

    /// A failed read or write.
    #[must_use]
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// A name from outside as messages may hold it: no controls, no line breaks, not endless.
pub(crate) fn shown(name: &str) -> String {
    let mut text: String = name
        .chars()
        .take(MAX_SHOWN_CHARS)
        .flat_map(|character| {
            let plain = !is_deceptive(character) && character != '`';
            plain.then_some(character).into_iter().chain(
                (!plain)
                    .then(|| character.escape_unicode())
                    .into_iter()
                    .flatten(),
            )
        })
        .collect();
    if name.chars().nth(MAX_SHOWN_CHARS).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_shown_harmless_and_short() {
        assert_eq!(shown("a\n`b`\u{202e}c"), r"a\u{a}\u{60}b\u{60}\u{202e}c");
        assert_eq!(
            shown(&"x".repeat(70_000)).chars().count(),
            MAX_SHOWN_CHARS + 1
        );
    }

    #[test]
    fn a_full_disk_says_what_is_needed_what_is_free_and_what_to_raise() {
        let error = ArchiveError::NoRoom {
            entry: "big".into(),
            path: "/tmp/job".into(),
            needed_bytes: 3 * MIB + 1,
            free_bytes: 2 * MIB,
        };
        assert_eq!(
            error.to_string(),
            "not enough space in `/tmp/job` for `big`: 4 MiB needed, 2 MiB free"
        );
        assert!(error.hint().contains("EphemeralStorage"));
    }
}
