//! An application of twenty functions as a folder, and what its editions are as releases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use aws_sdk_s3::Client;
use delivery_action::clock;
use delivery_release::manifest::{
    Artifact, File, Manifest, ReleaseId, SCHEMA, Service, Source, Stack,
};
use delivery_release::repository::{Blob, Provenance, Publisher, Repository};
use delivery_stack::package::{self, Blobs, Folder};

use crate::bench::inputs::Chance;

/// How many functions the application has.
pub(super) const FUNCTIONS: u64 = 20;

/// The logical id of the function that changes.
pub(super) const CHANGED: &str = "F01";

/// The bytes of each function's code beside its handler: that of a function with a small library.
const LIBRARY_BYTES: usize = 50_000;

/// The template, from the root of the application.
const TEMPLATE: &str = "shop/template.yaml";

const DEFINITION: &str = "delivery.toml";

const DEFINITION_TEXT: &str = "application = \"promote\"\n\n[services]\nshop = \"shop\"\n\n[environments]\nint = {}\n\
                               prd = { after = \"int\", manual = true }\n";

const HEAD: &str = "AWSTemplateFormatVersion: \"2010-09-09\"
Transform: AWS::Serverless-2016-10-31
Description: Twenty functions, for comparing promotions
Globals:
  Function: { Handler: index.handler, Runtime: nodejs22.x, MemorySize: 256, Timeout: 10 }
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: \"2012-10-17\"
        Statement: [{ Effect: Allow, Action: sts:AssumeRole, Principal: { Service: lambda.amazonaws.com } }]
";

/// Writes the application.
pub(super) fn write_application(folder: &Path) -> io::Result<()> {
    let mut template = HEAD.to_owned();
    for number in 1..=FUNCTIONS {
        let name = format!("F{number:02}");
        let _infallible = write!(
            template,
            "  {name}:\n    Type: AWS::Serverless::Function\n    Properties: {{ CodeUri: {name}/, Role: !GetAtt Role.Arn }}\n"
        );
        let code = folder.join("shop").join(&name);
        fs::create_dir_all(&code)?;
        fs::write(
            code.join("library.txt"),
            Chance::new(number).text(LIBRARY_BYTES),
        )?;
        fs::write(code.join("index.js"), handler(0))?;
    }
    fs::write(folder.join(TEMPLATE), template)?;
    fs::write(folder.join(DEFINITION), DEFINITION_TEXT)
}

/// Makes an edition of the one function that changes.
pub(super) fn write_edition(folder: &Path, edition: usize) -> io::Result<()> {
    let handler_file = folder.join("shop").join(CHANGED).join("index.js");
    fs::write(handler_file, handler(edition))
}

/// What the changed function of an edition answers.
pub(super) fn answer(edition: usize) -> String {
    format!(r#""edition {edition}""#)
}

fn handler(edition: usize) -> String {
    format!("exports.handler = async () => {};\n", answer(edition))
}

/// Publishes what a folder has, as the action `release` does.
pub(super) async fn publish(
    client: &Client,
    bucket: &str,
    region: &str,
    folder: &Path,
) -> io::Result<ReleaseId> {
    let repository = Repository::new(client.clone(), bucket);
    let blobs = Blobs::of(&repository, region);
    let mut publisher = Publisher::new(&repository);
    let stack = stack(&blobs, &mut publisher, folder).await?;
    let definition = publisher.put_bytes(DEFINITION_TEXT.as_bytes()).await;
    let manifest = Manifest {
        schema: SCHEMA,
        application: "promote".to_owned(),
        source: Source {
            repository: None,
            revision: "9f3c0000000000000000000000000000000000aa".to_owned(),
            branch: None,
            dirty: false,
        },
        services: BTreeMap::from([("shop".to_owned(), Service::CloudFormation(stack))]),
        configuration: file(definition.map_err(io::Error::other)?, DEFINITION),
        elsewhere: BTreeSet::new(),
        combined: BTreeMap::new(),
    };
    let provenance = Provenance {
        pipeline: None,
        execution: "bench".to_owned(),
        by: None,
    };
    let release = publisher.publish(&manifest, &provenance, clock::timestamp());
    Ok(release.await.map_err(io::Error::other)?.release)
}

async fn stack(blobs: &Blobs, publisher: &mut Publisher, folder: &Path) -> io::Result<Stack> {
    let files = Folder::new(folder);
    let template = package::read(&files, TEMPLATE).await;
    let template = template.map_err(io::Error::other)?;
    let packaged = package::package(&files, blobs, publisher, TEMPLATE, &template, None).await;
    let packaged = packaged.map_err(io::Error::other)?;
    let text = publisher.put_bytes(packaged.text.as_bytes()).await;
    let artifacts = packaged.artifacts.into_iter().map(|one| {
        let artifact = Artifact {
            sha256: one.blob.sha256,
            size: one.blob.size,
            property: one.property,
        };
        (one.name, artifact)
    });
    Ok(Stack {
        template: file(text.map_err(io::Error::other)?, TEMPLATE),
        transform: template.transforms(),
        artifacts: artifacts.collect(),
        after: BTreeSet::new(),
    })
}

fn file(blob: Blob, path: &str) -> File {
    File {
        sha256: blob.sha256,
        size: blob.size,
        path: path.to_owned(),
    }
}
