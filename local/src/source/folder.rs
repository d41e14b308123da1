//! A folder without Git: what is in it now, except what its `.gitignore` files leave out.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use delivery_archive::Creation;
use ignore::WalkBuilder;
use sha2::{Digest, Sha256};

use super::{Revision, SourceError};

/// Length of a folder's revision: that of a commit's id.
const REVISION_BYTES: usize = 20;

/// A file of the folder.
struct Entry {
    /// Relative to the folder, with `/` between parts.
    name: String,
    path: PathBuf,
    kind: Kind,
}

/// What an entry is. A link is delivered as a link, as Git does it.
enum Kind {
    File { executable: bool },
    Link { target: String },
}

/// What the folder holds now.
pub(super) async fn revision(folder: &Path) -> Result<Revision, SourceError> {
    let folder = folder.to_owned();
    let worked = tokio::task::spawn_blocking(move || describe(&folder, &entries(&folder)?)).await;
    worked.map_err(joined)?
}

/// Writes the folder's zip.
pub(super) async fn archive(
    folder: &Path,
    commit: Option<&str>,
    to: &Path,
) -> Result<Revision, SourceError> {
    if let Some(commit) = commit {
        return Err(SourceError::NotARepository {
            path: folder.to_owned(),
            commit: commit.to_owned(),
        });
    }
    let (folder, to) = (folder.to_owned(), to.to_owned());
    let worked = tokio::task::spawn_blocking(move || {
        let entries = entries(&folder)?;
        write(&folder, &entries, &to)?;
        describe(&folder, &entries)
    });
    worked.await.map_err(joined)?
}

fn joined(error: tokio::task::JoinError) -> SourceError {
    SourceError::Write(std::io::Error::other(error))
}

/// The folder's files by name, so that equal folders give equal archives and revisions.
fn entries(folder: &Path) -> Result<Vec<Entry>, SourceError> {
    let mut found = Vec::new();
    let walk = WalkBuilder::new(folder)
        .hidden(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    for entry in walk {
        let entry = entry.map_err(SourceError::Walk)?;
        let kind = entry.file_type();
        let path = entry.into_path();
        let kind = match kind {
            Some(kind) if kind.is_file() => {
                let metadata = path.metadata();
                let metadata = metadata.map_err(|source| read_error(&path, source))?;
                let executable = metadata.permissions().mode() & 0o100 != 0;
                Kind::File { executable }
            }
            Some(kind) if kind.is_symlink() => {
                let target = path.read_link();
                let target = target.map_err(|source| read_error(&path, source))?;
                let target = target.to_string_lossy().into_owned();
                Kind::Link { target }
            }
            // A folder comes with its files; sockets and the like are nothing that Git would have, either.
            _ => continue,
        };
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        found.push(Entry {
            name: parts.join("/"),
            path,
            kind,
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn read_error(path: &Path, source: std::io::Error) -> SourceError {
    SourceError::Read {
        path: path.to_owned(),
        source,
    }
}

fn describe(folder: &Path, entries: &[Entry]) -> Result<Revision, SourceError> {
    let mut hash = Sha256::new();
    for entry in entries {
        hash.update(entry.name.as_bytes());
        match &entry.kind {
            Kind::File { executable } => {
                hash.update([0, u8::from(*executable)]);
                hash.update(content(&entry.path)?);
            }
            Kind::Link { target } => {
                hash.update([0, 2]);
                hash.update(Sha256::digest(target));
            }
        }
    }
    let mut id = String::new();
    for byte in hash.finalize().iter().take(REVISION_BYTES) {
        let _infallible = write!(id, "{byte:02x}");
    }
    Ok(Revision {
        id,
        message: format!("the files of {}", folder.display()),
        author_date: delivery_action::clock::timestamp()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
    })
}

/// The hash of a file's content.
fn content(path: &Path) -> Result<impl AsRef<[u8]>, SourceError> {
    let mut content = Sha256::new();
    let mut file = File::open(path).map_err(|error| read_error(path, error))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|error| read_error(path, error))?;
        if count == 0 {
            return Ok(content.finalize());
        }
        content.update(&buffer[..count]);
    }
}

fn write(folder: &Path, entries: &[Entry], to: &Path) -> Result<(), SourceError> {
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    let creation = Creation::of(folder).only(&names);
    creation.write_file(to).map_err(SourceError::Archive)?;
    Ok(())
}
