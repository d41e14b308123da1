//! A template and the files that it names, brought into a bucket.
//!
//! Everything is named by its content, and an archive of equal files has equal bytes, so that a template changes only where
//! something that it deploys has changed: not with a file's time, a path or a run.

mod artifact_files;
mod blobs;
mod boundary;
mod check;
mod error;
mod files;
mod locations;
mod packaged;

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use delivery_action::{blocking, env};
use delivery_archive::Creation;
use delivery_release::repository::{Blob, Publisher};
use serde_json::Value;

use crate::template::Template;

pub use artifact_files::ArtifactFiles;
pub use blobs::Blobs;
pub use check::mistakes;
pub use error::{PackageError, Place};
pub(crate) use files::folder_of;
pub use files::{DiskError, FileKind, Files, Folder, resolve};
use locations::{Content, Form, Location, find};
pub use packaged::{Package, Packaged};
use packaged::{Uploaded, named};

/// The longest template that a call can have in it, in bytes (`CloudFormation` User Guide, "Quotas").
pub const MAX_BODY_BYTES: usize = 51_200;

/// The longest template, in bytes: that of an object in S3 (`CloudFormation` User Guide, "Quotas": 1 MB).
pub const MAX_TEMPLATE_BYTES: usize = 1_000_000;

/// What of a folder is in no package: both change although no code has. `.git` is Git's own directory, or its file in a worktree; Python
/// writes what it compiled, with the time of the source, into `__pycache__`.
pub const LEFT_OUT: [&str; 2] = [".git", "__pycache__"];

/// The first bytes of every zip file with an entry (APPNOTE.TXT 4.3.7).
const ZIP_SIGNATURE: [u8; 4] = *b"PK\x03\x04";

/// Reads a template of a tree, and checks that it is one.
///
/// # Errors
///
/// It is not there, is no template, or is too large.
pub async fn read(files: &impl Files, file: &str) -> Result<Template, PackageError> {
    let named = || file.to_owned();
    if files.kind(file) != Some(FileKind::File) {
        return Err(PackageError::NoTemplate { file: named() });
    }
    let path = files.fetch(file).await.map_err(PackageError::Files)?;
    let disk = |source| {
        PackageError::Files(Box::new(DiskError {
            path: path.clone(),
            source,
        }))
    };
    let bytes = fs::metadata(&path).map_err(disk)?.len();
    if bytes > MAX_TEMPLATE_BYTES as u64 {
        return Err(PackageError::TooLarge {
            file: named(),
            bytes,
        });
    }
    parse(file, &fs::read_to_string(&path).map_err(disk)?)
}

/// Reads the text of a template; `file` is what messages call it.
///
/// # Errors
///
/// It is no template.
pub fn parse(file: &str, text: &str) -> Result<Template, PackageError> {
    let named = || file.to_owned();
    let template = Template::read(text).map_err(|source| PackageError::Syntax {
        file: named(),
        source,
    })?;
    let resources = template.value().get("Resources").and_then(Value::as_object);
    if resources.is_none_or(serde_json::Map::is_empty) {
        return Err(PackageError::NotATemplate { file: named() });
    }
    Ok(template)
}

/// Brings what a template names into the repository, and returns the template's text with the addresses in it. The text
/// itself is not uploaded.
///
/// `boundary` is the ARN of a permissions boundary, which each role gets that the template and those nested in it make, unless
/// it has one. A template that names nothing of its tree and makes no role comes back as it is.
///
/// # Errors
///
/// A path leads nowhere, out of the tree, or stands where none is uploaded; or a file cannot be read or sent.
pub async fn package(
    files: &impl Files,
    blobs: &Blobs,
    publisher: &mut Publisher,
    file: &str,
    template: &Template,
    boundary: Option<&str>,
) -> Result<Package, PackageError> {
    let mut packaging = Packaging {
        files,
        blobs,
        publisher,
        boundary,
        uploaded: HashMap::new(),
        nesting: Vec::new(),
    };
    packaging.template(file, template).await
}

struct Packaging<'a, F> {
    files: &'a F,
    blobs: &'a Blobs,
    publisher: &'a mut Publisher,
    boundary: Option<&'a str>,
    /// What was uploaded: several functions may have the same code.
    uploaded: HashMap<(String, Content), Uploaded>,
    /// The templates around the one that is packaged.
    nesting: Vec<String>,
}

impl<F: Files> Packaging<'_, F> {
    async fn template(&mut self, file: &str, template: &Template) -> Result<Package, PackageError> {
        let mut value = template.value().clone();
        let mut changed = self
            .boundary
            .is_some_and(|boundary| boundary::set(&mut value, boundary));
        self.nesting.push(file.to_owned());
        let mut found = Vec::new();
        for location in find(&value) {
            if let Some((uploaded, form)) = self.upload(file, &location).await?
                && let Some(there) = value.pointer_mut(&location.pointer)
            {
                let digest = &uploaded.blob.sha256;
                let (key, url) = (self.blobs.key(digest), self.blobs.url(digest));
                *there = form.value(self.blobs.bucket(), &key, &url);
                changed = true;
                found.push((location, uploaded));
            }
        }
        self.nesting.pop();
        let text = if changed {
            value.to_string()
        } else {
            template.text.clone()
        };
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(PackageError::TooLarge {
                file: file.to_owned(),
                bytes: text.len() as u64,
            });
        }
        Ok(Package {
            text,
            artifacts: named(&found),
        })
    }

    /// Uploads what a path leads to; `None` where the value is no path after all.
    async fn upload(
        &mut self,
        file: &str,
        location: &Location,
    ) -> Result<Option<(Uploaded, Form)>, PackageError> {
        let Some((path, content, form)) = target(self.files, file, location)? else {
            return Ok(None);
        };
        if let Some(uploaded) = self.uploaded.get(&(path.clone(), content)) {
            return Ok(Some((uploaded.clone(), form)));
        }
        let alone = |blob| Uploaded {
            blob,
            inner: Vec::new(),
        };
        let uploaded = match content {
            Content::Template => self.nested(&path).await?,
            Content::Document => {
                let whole = self.files.fetch(&path).await.map_err(PackageError::Files)?;
                alone(self.publisher.put_file(&whole).await?)
            }
            Content::Code => alone(self.code(&path, || Place::of(file, location)).await?),
        };
        let known = (path, content);
        self.uploaded.insert(known, uploaded.clone());
        Ok(Some((uploaded, form)))
    }

    async fn nested(&mut self, path: &str) -> Result<Uploaded, PackageError> {
        if self.nesting.iter().any(|around| around == path) {
            let mut chain = self.nesting.clone();
            chain.push(path.to_owned());
            return Err(PackageError::Cycle { chain });
        }
        let template = read(self.files, path).await?;
        // Boxed: a template may be nested in one that is nested.
        let Package { text, artifacts } = Box::pin(self.template(path, &template)).await?;
        Ok(Uploaded {
            blob: self.publisher.put_bytes(text.as_bytes()).await?,
            inner: artifacts,
        })
    }

    async fn code(&mut self, path: &str, place: impl Fn() -> Place) -> Result<Blob, PackageError> {
        let whole = self.files.fetch(path).await.map_err(PackageError::Files)?;
        if is_zip(&whole)? {
            return Ok(self.publisher.put_file(&whole).await?);
        }
        let zip =
            tempfile::NamedTempFile::new_in(env::temporary_directory()).map_err(|source| {
                PackageError::Files(Box::new(DiskError {
                    path: env::temporary_directory(),
                    source,
                }))
            })?;
        let to = zip.path().to_owned();
        let made = blocking(move || archive(&whole, &to)).await;
        let made = made.map_err(|source| PackageError::Archive {
            place: place(),
            source,
        })?;
        if made.entries == 0 {
            return Err(PackageError::Empty(place()));
        }
        Ok(self.publisher.put_file(zip.path()).await?)
    }
}

/// Where a path of a template leads, to what, and how it is named in S3; `None` where the value is no path after all.
fn target(
    files: &impl Files,
    file: &str,
    location: &Location,
) -> Result<Option<(String, Content, Form)>, PackageError> {
    let place = || Place::of(file, location);
    let path = resolve(folder_of(file), &location.path);
    let Some((content, form)) = location.target else {
        // A text that only begins like a path leads nowhere.
        return match path.and_then(|path| files.kind(&path)) {
            Some(_) => Err(PackageError::NotUploaded(place())),
            None => Ok(None),
        };
    };
    let path = path.ok_or_else(|| PackageError::Leaves(place()))?;
    let kind = files.kind(&path);
    let kind = kind.ok_or_else(|| PackageError::Missing(place()))?;
    if kind == FileKind::Folder && content != Content::Code {
        return Err(PackageError::NotAFile(place()));
    }
    Ok(Some((path, content, form)))
}

fn archive(
    whole: &Path,
    to: &Path,
) -> Result<delivery_archive::Created, delivery_archive::ArchiveError> {
    match (whole.is_dir(), whole.parent(), whole.file_name()) {
        (false, Some(folder), Some(name)) => {
            let only = [name.to_string_lossy().into_owned()];
            Creation::of(folder).only(&only).write_file(to)
        }
        _ => Creation::of(whole).without(&LEFT_OUT).write_file(to),
    }
}

fn is_zip(path: &Path) -> Result<bool, PackageError> {
    if path.is_dir() {
        return Ok(false);
    }
    let mut start = Vec::new();
    let length = ZIP_SIGNATURE.len() as u64;
    let read = fs::File::open(path).and_then(|file| file.take(length).read_to_end(&mut start));
    read.map_err(|source| {
        PackageError::Files(Box::new(DiskError {
            path: path.to_owned(),
            source,
        }))
    })?;
    Ok(start == ZIP_SIGNATURE)
}
