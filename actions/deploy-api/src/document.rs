//! The OpenAPI document of an input artifact: the artifact itself, or the only document in a zip.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use delivery_action::artifact::{ArtifactError, Digest, Store};
use delivery_action::blocking;
use delivery_action::job::Artifact;
use delivery_action::workspace::Workspace;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::document_check;
use crate::error::{DeployApiError, DocumentLocation, SyntaxError};
use crate::substitute::{PseudoParameters, SubstituteError};

/// Largest document that `PutRestApi` accepts (API Gateway Developer Guide, "Quotas": 6 MB).
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 6 * 1024 * 1024;

/// The first bytes of a zip archive (APPNOTE.TXT 4.3.7).
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// The first bytes of a zip archive without entries (APPNOTE.TXT 4.3.16).
const EMPTY_ZIP_SIGNATURE: &[u8] = b"PK\x05\x06";

/// The extensions of documents in a zip.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// A document ready to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) value: Value,
    /// SHA-256 of the document as JSON, hexadecimal.
    pub(crate) sha256: String,
}

impl Document {
    /// The document as JSON, with a line added to its description.
    ///
    /// API Gateway takes over the description of each import, and nothing else in an API says which document was
    /// imported last. So this line shows whether somebody else has imported another one since.
    pub(crate) fn marked(&self, line: &str) -> Vec<u8> {
        let mut value = self.value.clone();
        let info = value.as_object_mut().map(|root| root.entry("info"));
        if let Some(info) = info.and_then(|info| info.or_insert_with(|| json!({})).as_object_mut())
        {
            let description = match info.get("description").and_then(Value::as_str) {
                Some(text) if !text.is_empty() => format!("{text}\n\n{line}"),
                _ => line.to_owned(),
            };
            info.insert("description".to_owned(), description.into());
        }
        serde_json::to_vec(&value).expect("a JSON value can be written")
    }
}

/// Fetches an artifact and reads the document in it, with its pseudo parameters replaced.
pub(crate) async fn fetch(
    store: &Store,
    artifact: &Artifact,
    digest: Option<Digest>,
    workspace: &Workspace,
    pseudo: &PseudoParameters<'_>,
) -> Result<Document, DeployApiError> {
    let file = workspace.file("artifact");
    store.fetch(artifact, &file).await?;
    if let Some(digest) = digest {
        let found = File::open(&file).and_then(Digest::of);
        let found = found.map_err(|source| DeployApiError::Disk {
            path: file.clone(),
            source,
        })?;
        digest.check(artifact, found)?;
    }
    let directory = workspace.directory("document")?;
    let owner = artifact.clone();
    let read = move || read(&owner, &file, &directory);
    let (location, value) = blocking(read).await?;
    prepare(location, value, pseudo)
}

fn prepare(
    location: DocumentLocation,
    value: Value,
    pseudo: &PseudoParameters<'_>,
) -> Result<Document, DeployApiError> {
    let value = match pseudo.replace(value) {
        Ok(value) => value,
        Err(SubstituteError::Unknown { name }) => {
            return Err(DeployApiError::UnknownPseudoParameter {
                document: location,
                name,
            });
        }
        Err(SubstituteError::NoAccountId) => return Err(DeployApiError::NoAccountId),
    };
    let problems = document_check::problems(&value);
    if !problems.is_empty() {
        return Err(DeployApiError::Refused {
            document: location,
            problems,
        });
    }
    let body = serde_json::to_vec(&value).expect("a JSON value can be written");
    let size_bytes = body.len() as u64;
    if size_bytes > MAX_DOCUMENT_BYTES {
        return Err(DeployApiError::TooLarge {
            document: location,
            size_bytes,
        });
    }
    Ok(Document {
        sha256: hex::encode(Sha256::digest(&body)),
        value,
    })
}

/// Where the document is, and its content.
fn read(
    artifact: &Artifact,
    file: &Path,
    directory: &Path,
) -> Result<(DocumentLocation, Value), DeployApiError> {
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
        delivery_archive::extract_file(file, directory).map_err(|source| {
            ArtifactError::Archive {
                artifact: artifact.clone(),
                source,
            }
        })?;
        return only_in(artifact, directory);
    }
    let location = DocumentLocation::of(artifact);
    let value = parse_file(&location, file)?;
    if is_openapi(&value) {
        Ok((location, value))
    } else {
        Err(DeployApiError::NotOpenApi {
            artifact: artifact.clone(),
        })
    }
}

/// The only document below a directory. A file that cannot be parsed is an error only if there is no
/// document at all: a zip may hold other JSON and YAML files.
fn only_in(
    artifact: &Artifact,
    directory: &Path,
) -> Result<(DocumentLocation, Value), DeployApiError> {
    let mut documents = Vec::new();
    let mut unreadable = None;
    for (name, path) in candidates(directory)? {
        let location = DocumentLocation::of(artifact).file(name);
        match parse_file(&location, &path) {
            Ok(value) if is_openapi(&value) => documents.push((location, value)),
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
            files: documents
                .into_iter()
                .filter_map(|(location, _)| location.file)
                .collect(),
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

fn parse_file(location: &DocumentLocation, path: &Path) -> Result<Value, DeployApiError> {
    let disk = |source| DeployApiError::Disk {
        path: path.to_owned(),
        source,
    };
    let size_bytes = std::fs::metadata(path).map_err(disk)?.len();
    if size_bytes > MAX_DOCUMENT_BYTES {
        return Err(DeployApiError::TooLarge {
            document: location.clone(),
            size_bytes,
        });
    }
    let bytes = std::fs::read(path).map_err(disk)?;
    parse(&bytes).map_err(|source| DeployApiError::Syntax {
        document: location.clone(),
        source,
    })
}

/// Parses a text that begins with `{` as JSON, any other as YAML.
fn parse(bytes: &[u8]) -> Result<Value, SyntaxError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SyntaxError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let start = text.trim_start();
    if start.starts_with("//") || start.starts_with("/*") {
        return Err(SyntaxError::Comment);
    }
    if start.starts_with('{') {
        return serde_json::from_str(text).map_err(SyntaxError::Json);
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(0, |at| at.line());
        // The parser's own text quotes lines of the document; its first line says all that matters.
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        // Its advice is for the parser's caller.
        if message.contains("from_str_multiple") {
            return SyntaxError::SeveralDocuments;
        }
        match message.split_once(", set DuplicateKeyPolicy") {
            Some((said, _)) => {
                let key = said.rsplit_once("key: ").map_or("a key", |(_, key)| key);
                SyntaxError::DuplicateKey {
                    key: key.to_owned(),
                    line: line.try_into().unwrap_or_default(),
                }
            }
            None => SyntaxError::Yaml(message.to_owned()),
        }
    })
}

fn is_openapi(value: &Value) -> bool {
    value.get("openapi").is_some() || value.get("swagger").is_some()
}

#[cfg(test)]
mod tests {
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
    fn what_is_wrong_is_said_in_the_writer_s_words() {
        let message = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            message("// comment\n{\"openapi\":\"3.0.1\"}\n"),
            "it begins with a comment, which JSON does not allow"
        );
        assert_eq!(
            message("openapi: 3.0.1\npaths: {}\npaths: {}\n"),
            "YAML: the key `paths` appears twice, the second time in line 3"
        );
        assert_eq!(
            message("openapi: 3.0.1\npaths: {}\n---\na: 1\n"),
            "YAML: there is a second document (`---`), but only one is allowed"
        );
    }

    #[test]
    fn a_marked_document_differs_in_its_description_alone() {
        let document = |value: Value| Document {
            value,
            sha256: String::new(),
        };
        let marked = |value| -> Value {
            serde_json::from_slice(&document(value).marked("the line")).unwrap()
        };
        assert_eq!(
            marked(json!({"openapi": "3.0.1", "info": {"title": "a", "description": "b"}})),
            json!({"openapi": "3.0.1", "info": {"title": "a", "description": "b\n\nthe line"}})
        );
        assert_eq!(
            marked(json!({"paths": {}})),
            json!({"paths": {}, "info": {"description": "the line"}})
        );
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
