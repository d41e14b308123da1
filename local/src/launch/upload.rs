//! Uploads packages and templates to a bucket, under prefixes that are hashes of their contents: so CloudFormation sees a
//! change, and what is already there is not uploaded again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aws_sdk_s3::primitives::ByteStream;
use delivery_action::blocking;
use sha2::{Digest, Sha256};

use super::clients::{Clients, message};
use super::packages::{self, Packages};
use super::{Error, Request};

/// How many hexadecimal digits of a hash name a prefix: enough never to meet another by chance.
pub(super) const DIGITS: usize = 16;

/// Where everything is.
#[derive(Debug)]
pub(super) struct Uploaded {
    pub(super) bucket: String,
    pub(super) actions_prefix: String,
    pub(super) templates_prefix: String,
    /// The key of the Node.js layer; empty without one.
    pub(super) node_layer_key: String,
}

pub(super) async fn upload(
    clients: &Clients,
    request: &Request,
    templates: &BTreeMap<String, String>,
) -> Result<Uploaded, Error> {
    let bucket = format!("{}-code", request.stack_name.to_lowercase());
    make_bucket(clients, &bucket).await?;

    let mut hash = Sha256::new();
    for (name, template) in templates {
        hash.update(format!("{name}\0{template}\0"));
    }
    let templates_prefix = format!("templates/{}", &hexadecimal(&hash.finalize())[..DIGITS]);
    for (name, template) in templates {
        let key = format!("{templates_prefix}/{name}");
        put(
            clients,
            &bucket,
            &key,
            ByteStream::from(template.clone().into_bytes()),
        )
        .await?;
    }

    let digests = digests(&request.functions).await?;
    let mut hash = Sha256::new();
    for (function, digest) in &digests {
        hash.update(format!("{function}\0{digest}\0"));
    }
    let actions_prefix = format!("actions/{}", &hexadecimal(&hash.finalize())[..DIGITS]);
    for (function, binary) in &request.functions {
        let key = format!("{actions_prefix}/{function}.zip");
        if !exists(clients, &bucket, &key).await {
            let program = Program {
                function,
                binary,
                digest: &digests[function],
                kept: request.packages.as_deref(),
            };
            put_package(clients, &bucket, &key, program).await?;
        }
    }
    if let Some(folder) = &request.packages {
        Packages::new(folder).trim();
    }
    let node_layer_key = match &request.node_layer {
        Some(layer) => put_layer(clients, &bucket, layer).await?,
        None => String::new(),
    };
    Ok(Uploaded {
        bucket,
        actions_prefix,
        templates_prefix,
        node_layer_key,
    })
}

/// Brings the layer into the bucket and returns its key.
async fn put_layer(clients: &Clients, bucket: &str, layer: &Path) -> Result<String, Error> {
    let failed = |source| Error::File {
        path: layer.to_path_buf(),
        source,
    };
    let file = layer.to_path_buf();
    let digest = blocking(move || packages::digest(&file))
        .await
        .map_err(failed)?;
    let key = format!("layers/{}/node-layer.zip", &digest[..DIGITS]);
    if !exists(clients, bucket, &key).await {
        let body = ByteStream::from_path(layer).await;
        let body = body.map_err(|error| failed(std::io::Error::other(error)))?;
        put(clients, bucket, &key, body).await?;
    }
    Ok(key)
}

async fn make_bucket(clients: &Clients, bucket: &str) -> Result<(), Error> {
    if clients.s3.head_bucket().bucket(bucket).send().await.is_ok() {
        return Ok(());
    }
    let made = clients.s3.create_bucket().bucket(bucket).send().await;
    made.map_err(|error| Error::Aws {
        operation: "CreateBucket",
        message: message(&error),
    })?;
    Ok(())
}

pub(super) async fn exists(clients: &Clients, bucket: &str, key: &str) -> bool {
    clients
        .s3
        .head_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .is_ok()
}

pub(super) async fn put(
    clients: &Clients,
    bucket: &str,
    key: &str,
    body: ByteStream,
) -> Result<(), Error> {
    let put = clients
        .s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(body)
        .send()
        .await;
    put.map_err(|error| Error::Aws {
        operation: "PutObject",
        message: message(&error),
    })?;
    Ok(())
}

/// A function's binary that becomes a package, or is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program<'a> {
    pub(super) function: &'a str,
    pub(super) binary: &'a Path,
    pub(super) digest: &'a str,
    /// The folder in which packages are kept; without one, it is made for this launch.
    pub(super) kept: Option<&'a Path>,
}

pub(super) async fn put_package(
    clients: &Clients,
    bucket: &str,
    key: &str,
    program: Program<'_>,
) -> Result<(), Error> {
    let Program {
        function,
        binary,
        digest,
        kept,
    } = program;
    let failed = |source| Error::Package {
        function: function.to_owned(),
        path: binary.to_path_buf(),
        source,
    };
    let read =
        |body: Result<ByteStream, _>| body.map_err(|error| failed(std::io::Error::other(error)));
    if packages::is_package(binary) {
        let body = read(ByteStream::from_path(binary).await)?;
        return put(clients, bucket, key, body).await;
    }
    let temporary = tempfile::tempdir().map_err(failed)?;
    let packages = Packages::new(kept.unwrap_or(temporary.path()));
    let (binary, digest) = (binary.to_path_buf(), digest.to_owned());
    let file = blocking(move || packages.of(&binary, &digest))
        .await
        .map_err(failed)?;
    let body = read(ByteStream::from_path(file).await)?;
    put(clients, bucket, key, body).await
}

/// The hash of each function's binary.
pub(super) async fn digests(
    functions: &BTreeMap<String, PathBuf>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut digests = BTreeMap::new();
    for (function, path) in functions {
        let binary = path.clone();
        let digest = blocking(move || packages::digest(&binary))
            .await
            .map_err(|source| Error::Package {
                function: function.clone(),
                path: path.clone(),
                source,
            })?;
        digests.insert(function.clone(), digest);
    }
    Ok(digests)
}

/// Bytes as hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a text does not fail");
        text
    })
}
