//! The OpenAPI document of an input artifact: a file of its own, or the only one in a zip.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::archive;
use shared::artifact::{ArtifactError, Store};
use shared::job::Artifact;
use shared::workspace::Workspace;
use walkdir::WalkDir;

use crate::error::{DeployApiError, SyntaxError};
use crate::substitute::{PseudoParameters, SubstituteError};

/// Largest document that `PutRestApi` takes (API Gateway Developer Guide, "Quotas": 6 MB).
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 6 * 1024 * 1024;

/// What a zip archive begins with (APPNOTE.TXT 4.3.7).
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// What an archive without entries begins with (APPNOTE.TXT 4.3.16).
const EMPTY_ZIP_SIGNATURE: &[u8] = b"PK\x05\x06";

/// What the names of documents in a zip end with.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// A document ready to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// JSON, whatever the document was written in.
    pub(crate) body: Vec<u8>,
    /// SHA-256 of the body, hexadecimal.
    pub(crate) sha256: String,
}

/// Fetches an artifact and reads the document in it, with its pseudo parameters replaced.
pub(crate) async fn fetch(
    store: &Store,
    artifact: &Artifact,
    workspace: &Workspace,
    pseudo: &PseudoParameters<'_>,
) -> Result<Document, DeployApiError> {
    let file = workspace.file("artifact");
    store.fetch(artifact, &file).await?;
    let directory = workspace.directory("document")?;
    let owner = artifact.clone();
    let read = move || read(&owner, &file, &directory);
    let (name, value) = match tokio::task::spawn_blocking(read).await {
        Ok(read) => read?,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    prepare(artifact, name, value, pseudo)
}

fn prepare(
    artifact: &Artifact,
    file: String,
    value: Value,
    pseudo: &PseudoParameters<'_>,
) -> Result<Document, DeployApiError> {
    let value = pseudo.replace(value).map_err(|error| match error {
        SubstituteError::Unknown { name } => DeployApiError::UnknownPseudoParameter {
            artifact: artifact.clone(),
            file: file.clone(),
            name,
        },
        SubstituteError::NoAccountId => DeployApiError::NoAccountId,
    })?;
    let body = serde_json::to_vec(&value).expect("a JSON value can be written");
    let size_bytes = body.len() as u64;
    if size_bytes > MAX_DOCUMENT_BYTES {
        return Err(DeployApiError::TooLarge {
            artifact: artifact.clone(),
            file,
            size_bytes,
        });
    }
    Ok(Document {
        sha256: hex::encode(Sha256::digest(&body)),
        body,
    })
}

/// The document's name and content.
fn read(
    artifact: &Artifact,
    file: &Path,
    directory: &Path,
) -> Result<(String, Value), DeployApiError> {
    let mut start = Vec::new();
    let disk = |source| DeployApiError::Disk {
        path: file.to_owned(),
        source,
    };
    let opened = File::open(file).map_err(disk)?;
    opened
        .take(ZIP_SIGNATURE.len() as u64)
        .read_to_end(&mut start)
        .map_err(disk)?;
    if start == ZIP_SIGNATURE || start == EMPTY_ZIP_SIGNATURE {
        archive::extract_file(file, directory).map_err(|source| ArtifactError::Archive {
            artifact: artifact.clone(),
            source,
        })?;
        return only_in(artifact, directory);
    }
    let name = artifact.name.clone();
    let value = parse_file(artifact, &name, file)?;
    if is_openapi(&value) {
        Ok((name, value))
    } else {
        Err(DeployApiError::NotOpenApi {
            artifact: artifact.clone(),
        })
    }
}

/// The only document below a directory. A file that cannot be read matters only where no document is
/// found beside it.
fn only_in(artifact: &Artifact, directory: &Path) -> Result<(String, Value), DeployApiError> {
    let mut documents = Vec::new();
    let mut unreadable = None;
    for (name, path) in candidates(directory)? {
        match parse_file(artifact, &name, &path) {
            Ok(value) if is_openapi(&value) => documents.push((name, value)),
            Ok(_) => {}
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    match (documents.len(), unreadable) {
        (1, _) => Ok(documents.remove(0)),
        (0, Some(error)) => Err(error),
        (0, None) => Err(DeployApiError::NoDocument {
            artifact: artifact.clone(),
        }),
        _ => Err(DeployApiError::SeveralDocuments {
            artifact: artifact.clone(),
            files: documents.into_iter().map(|(name, _)| name).collect(),
        }),
    }
}

/// The files below a directory that may be documents, by name.
fn candidates(directory: &Path) -> Result<Vec<(String, PathBuf)>, DeployApiError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(directory).sort_by_file_name() {
        let entry = entry.map_err(|error| DeployApiError::Disk {
            path: directory.to_owned(),
            source: error.into(),
        })?;
        let extension = entry
            .path()
            .extension()
            .map(std::ffi::OsStr::to_ascii_lowercase);
        let may_be = extension.is_some_and(|has| EXTENSIONS.iter().any(|wanted| has == *wanted));
        if entry.file_type().is_file() && may_be {
            let below = entry.path().strip_prefix(directory).unwrap_or(entry.path());
            found.push((below.display().to_string(), entry.path().to_owned()));
        }
    }
    Ok(found)
}

fn parse_file(artifact: &Artifact, name: &str, path: &Path) -> Result<Value, DeployApiError> {
    let disk = |source| DeployApiError::Disk {
        path: path.to_owned(),
        source,
    };
    let size_bytes = std::fs::metadata(path).map_err(disk)?.len();
    if size_bytes > MAX_DOCUMENT_BYTES {
        return Err(DeployApiError::TooLarge {
            artifact: artifact.clone(),
            file: name.to_owned(),
            size_bytes,
        });
    }
    let bytes = std::fs::read(path).map_err(disk)?;
    parse(&bytes).map_err(|source| DeployApiError::Syntax {
        artifact: artifact.clone(),
        file: name.to_owned(),
        source,
    })
}

/// Reads JSON where the text is an object of it, else YAML.
fn parse(bytes: &[u8]) -> Result<Value, SyntaxError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SyntaxError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(SyntaxError::Json);
    }
    serde_saphyr::from_str(text).map_err(|error| {
        // The parser's own text quotes lines of the document; its first line says all that matters.
        let message = error.to_string();
        SyntaxError::Yaml(message.lines().next().unwrap_or_default().to_owned())
    })
}

fn is_openapi(value: &Value) -> bool {
    value.get("openapi").is_some() || value.get("swagger").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_yaml_of_one_document_have_one_digest() {
        let json = br#"{"openapi": "3.0.1", "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}}}"#;
        let yaml = b"openapi: 3.0.1\npaths:\n  /a:\n    get:\n      responses:\n        200: {description: ok}\n";
        assert_eq!(parse(json).unwrap(), parse(yaml).unwrap());
    }

    #[test]
    fn yaml_anchors_are_resolved() {
        let value = parse(b"swagger: '2.0'\na: &x {y: 1}\nb: *x\n").unwrap();
        assert_eq!(
            value,
            json!({"swagger": "2.0", "a": {"y": 1}, "b": {"y": 1}})
        );
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let mut bomb = "swagger: '2.0'\na0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}", level - 1);
            let items = vec![below; 9].join(", ");
            bomb.extend([
                "a",
                &level.to_string(),
                ": &a",
                &level.to_string(),
                " [",
                &items,
                "]\n",
            ]);
        }
        assert!(parse(bomb.as_bytes()).is_err());
    }

    #[test]
    fn a_syntax_error_names_the_line() {
        assert_eq!(
            parse(b"{\"openapi\": \n!}").unwrap_err().to_string(),
            "JSON: expected value at line 2 column 1"
        );
        let yaml = parse(b"openapi: [3\npaths: {}\n").unwrap_err().to_string();
        assert!(yaml.contains("line 2"), "{yaml}");
    }
}
