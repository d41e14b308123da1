//! Packaging a folder into the bucket of an S3 in memory.

use std::fs;
use std::path::Path;

use delivery_stack::package::{Blobs, Folder, Package, PackageError, package, read};
use delivery_testing::s3::{LocalS3, Objects};
use serde_json::Value;
use tempfile::TempDir;
use test_case::test_case;

const BUCKET: &str = "packages";

const FUNCTION: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Submit:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: src, Handler: index.handler, Runtime: nodejs22.x }
  Again:
    Type: AWS::Lambda::Function
    Properties: { Code: ./src, Handler: index.handler, Runtime: nodejs22.x }
";

fn tree(files: &[(&str, &str)]) -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    tree
}

async fn s3() -> LocalS3 {
    let s3 = LocalS3::start_with(Objects::in_memory()).await;
    s3.bucket(BUCKET).create().await;
    s3
}

async fn packaged(s3: &LocalS3, tree: &Path, file: &str) -> Result<String, PackageError> {
    Ok(whole(s3, tree, file).await?.text)
}

async fn whole(s3: &LocalS3, tree: &Path, file: &str) -> Result<Package, PackageError> {
    let files = Folder::new(tree);
    let client = aws_sdk_s3::Client::new(&s3.config());
    let blobs = Blobs::new(client, BUCKET, "eu-west-1");
    let template = read(&files, file).await?;
    let mut publisher = blobs.publisher();
    package(&files, &blobs, &mut publisher, file, &template, None).await
}

async fn keys(s3: &LocalS3) -> Vec<String> {
    s3.bucket(BUCKET).snapshot().await.into_keys().collect()
}

#[tokio::test]
async fn equal_code_is_uploaded_once_and_never_again() {
    let s3 = s3().await;
    let first = tree(&[("api/template.yaml", FUNCTION), ("api/src/index.js", "1")]);
    let text = packaged(&s3, first.path(), "api/template.yaml")
        .await
        .unwrap();
    let keys_before = keys(&s3).await;
    assert_eq!(keys_before.len(), 1);
    let template: Value = serde_json::from_str(&text).unwrap();
    let resources = &template["Resources"];
    assert_eq!(
        resources["Submit"]["Properties"]["CodeUri"],
        format!("s3://{BUCKET}/{}", keys_before[0])
    );
    assert_eq!(
        resources["Again"]["Properties"]["Code"],
        serde_json::json!({ "S3Bucket": BUCKET, "S3Key": keys_before[0] })
    );

    // Another tree, other times, the same content: the same template, and nothing is sent. What Python compiled is no content.
    let second = tree(&[
        ("api/src/index.js", "1"),
        ("api/src/__pycache__/index.cpython-313.pyc", "2"),
        ("api/template.yaml", FUNCTION),
    ]);
    let sent = s3.objects().bytes();
    let again = packaged(&s3, second.path(), "api/template.yaml")
        .await
        .unwrap();
    assert_eq!(s3.objects().bytes(), sent);
    assert_eq!(again, text);
    assert_eq!(keys(&s3).await, keys_before);

    fs::write(second.path().join("api/src/index.js"), "2").unwrap();
    let changed = packaged(&s3, second.path(), "api/template.yaml")
        .await
        .unwrap();
    assert_ne!(changed, text);
    assert_eq!(keys(&s3).await.len(), 2);
}

#[tokio::test]
async fn a_template_without_paths_stays_as_it_is() {
    let s3 = s3().await;
    let text = "# A comment.\nResources:\n  Table: { Type: AWS::S3::Bucket }\n";
    let tree = tree(&[("template.yaml", text)]);
    assert_eq!(
        packaged(&s3, tree.path(), "template.yaml").await.unwrap(),
        text
    );
    assert!(keys(&s3).await.is_empty());
}

#[tokio::test]
async fn nested_templates_are_packaged_from_the_inside_out() {
    let s3 = s3().await;
    let outer = "Resources:\n  Inner:\n    Type: AWS::CloudFormation::Stack\n    Properties: { TemplateURL: inner/template.yaml }\n";
    let inner = "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: { Code: ../shared.js, Handler: shared.handler }\n";
    let tree = tree(&[
        ("template.yaml", outer),
        ("inner/template.yaml", inner),
        ("shared.js", "x"),
    ]);
    let text = packaged(&s3, tree.path(), "template.yaml").await.unwrap();
    let outer: Value = serde_json::from_str(&text).unwrap();
    let url = outer["Resources"]["Inner"]["Properties"]["TemplateURL"]
        .as_str()
        .unwrap();
    let key = url
        .strip_prefix("https://packages.s3.eu-west-1.amazonaws.com/")
        .unwrap();
    let inner = s3.read(BUCKET, key).unwrap();
    let inner: Value = serde_json::from_slice(&inner).unwrap();
    let code = inner["Resources"]["F"]["Properties"]["Code"]["S3Key"]
        .as_str()
        .unwrap();
    let zip = s3.read(BUCKET, code).unwrap();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    assert_eq!(zip.by_index(0).unwrap().name().unwrap(), "shared.js");
}

#[tokio::test]
async fn a_zip_and_an_include_are_uploaded_as_they_are() {
    let s3 = s3().await;
    let text = "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: { Code: code.zip }\n  A:\n    Type: AWS::Serverless::Api\n    Properties:\n      DefinitionBody: { 'Fn::Transform': { Name: 'AWS::Include', Parameters: { Location: api.yaml } } }\n";
    let zip = delivery_testing::archives::zip_of(&[("index.js", b"1")]);
    let tree = tree(&[("template.yaml", text), ("api.yaml", "openapi: 3.0.1\n")]);
    fs::write(tree.path().join("code.zip"), &zip).unwrap();
    let text = packaged(&s3, tree.path(), "template.yaml").await.unwrap();
    let template: Value = serde_json::from_str(&text).unwrap();
    let code = &template["Resources"]["F"]["Properties"]["Code"]["S3Key"];
    assert_eq!(s3.read(BUCKET, code.as_str().unwrap()), Some(zip));
    let include = &template["Resources"]["A"]["Properties"]["DefinitionBody"]["Fn::Transform"];
    let location = include["Parameters"]["Location"].as_str().unwrap();
    let key = location.strip_prefix("s3://packages/").unwrap();
    assert_eq!(s3.read(BUCKET, key), Some(b"openapi: 3.0.1\n".to_vec()));
}

#[test_case("CodeUri: nowhere", "`nowhere`, which `CodeUri` of `F` names in `a/template.yaml`, is not there"; "missing")]
#[test_case("CodeUri: ../../src", "`../../src`, which `CodeUri` of `F` names in `a/template.yaml`, is outside of the files that are deployed"; "leaving")]
#[test_case("CodeUri: /etc", "`/etc`, which `CodeUri` of `F` names in `a/template.yaml`, is outside of the files that are deployed"; "absolute")]
#[test_case("CodeUri: empty", "`empty`, which `CodeUri` of `F` names in `a/template.yaml`, has no files"; "empty")]
#[test_case("Description: ./template.yaml", "`./template.yaml`, which `Description` of `F` names in `a/template.yaml`, is a local file, and files of this property are not uploaded"; "elsewhere")]
#[tokio::test]
async fn a_path_that_cannot_be_uploaded_is_named(property: &str, message: &str) {
    let s3 = s3().await;
    let text = format!(
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {{ {property} }}\n"
    );
    let tree = tree(&[("a/template.yaml", &text)]);
    fs::create_dir(tree.path().join("a/empty")).unwrap();
    let error = packaged(&s3, tree.path(), "a/template.yaml")
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), message);
    assert!(keys(&s3).await.is_empty());
}

#[test_case("", "cannot read the template `t.yaml`"; "nothing")]
#[test_case("a: [", "cannot read the template `t.yaml`"; "no yaml")]
#[test_case("openapi: 3.0.1", "`t.yaml` is not a template: it has no `Resources`"; "another document")]
#[test_case("Resources: {}", "`t.yaml` is not a template: it has no `Resources`"; "no resources")]
#[tokio::test]
async fn what_is_no_template_is_refused(text: &str, message: &str) {
    let tree = tree(&[("t.yaml", text)]);
    let error = read(&Folder::new(tree.path()), "t.yaml").await.unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[tokio::test]
async fn a_template_over_a_megabyte_is_refused() {
    let text = format!(
        "Resources:\n  A: {{ Type: AWS::S3::Bucket }}\n# {}",
        "x".repeat(1_000_000)
    );
    let tree = tree(&[("t.yaml", &text)]);
    let error = read(&Folder::new(tree.path()), "t.yaml").await.unwrap_err();
    let expected = format!(
        "the template `t.yaml` has {} bytes; the limit is 1000000",
        text.len()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn templates_that_nest_each_other_are_refused() {
    let s3 = s3().await;
    let nesting = |other: &str| {
        format!(
            "Resources:\n  S:\n    Type: AWS::CloudFormation::Stack\n    Properties: {{ TemplateURL: {other} }}\n"
        )
    };
    let tree = tree(&[
        ("a.yaml", &nesting("b.yaml")),
        ("b.yaml", &nesting("./a.yaml")),
    ]);
    let error = packaged(&s3, tree.path(), "a.yaml").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template `a.yaml` is nested in itself: a.yaml -> b.yaml -> a.yaml"
    );
}

#[tokio::test]
async fn two_who_upload_the_same_at_once_are_both_done() {
    let s3 = s3().await;
    let tree = tree(&[("t.yaml", &FUNCTION.replace("src", ".")), ("index.js", "1")]);
    let runs = (0..8).map(|_| packaged(&s3, tree.path(), "t.yaml"));
    let ended = futures_util::future::join_all(runs).await;
    let texts: std::collections::BTreeSet<String> = ended.into_iter().map(Result::unwrap).collect();
    assert_eq!((texts.len(), keys(&s3).await.len()), (1, 1));
}

/// What was uploaded, by its names in a manifest.
async fn artifacts(files: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let s3 = s3().await;
    let tree = tree(files);
    let package = whole(&s3, tree.path(), "t.yaml").await.unwrap();
    for artifact in &package.artifacts {
        let key = format!("blobs/sha256/{}", artifact.blob.sha256);
        let bytes = s3.read(BUCKET, &key).unwrap();
        assert_eq!(bytes.len() as u64, artifact.blob.size);
    }
    let artifacts = package.artifacts.into_iter();
    artifacts.map(|one| (one.name, one.property)).collect()
}

#[tokio::test]
async fn what_is_uploaded_is_named_by_its_resource() {
    let template = "Globals:\n  Function: { CodeUri: a }\nResources:\n  Submit: { Type: AWS::Serverless::Function, Properties: { CodeUri: a } }\n  Resolver:\n    Type: AWS::AppSync::Resolver\n    Properties: { CodeS3Location: b.js, RequestMappingTemplateS3Location: c.vtl }\n";
    let found = artifacts(&[
        ("t.yaml", template),
        ("a/i.js", "1"),
        ("b.js", "2"),
        ("c.vtl", "3"),
    ])
    .await;
    let row = |name: &str, property: &str| (name.to_owned(), Some(property.to_owned()));
    assert_eq!(
        found,
        [
            row("Submit", "/Resources/Submit/Properties/CodeUri"),
            row(
                "Resolver.RequestMappingTemplateS3Location",
                "/Resources/Resolver/Properties/RequestMappingTemplateS3Location"
            ),
            row(
                "Resolver.CodeS3Location",
                "/Resources/Resolver/Properties/CodeS3Location"
            ),
            row("Globals.Function", "/Globals/Function/CodeUri"),
        ]
    );
}

#[tokio::test]
async fn what_nested_templates_name_is_there_for_each_that_nests_them() {
    let nested = |name: &str| {
        format!(
            "  {name}: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: inner.yaml }} }}\n"
        )
    };
    let outer = format!("Resources:\n{}{}", nested("A"), nested("B"));
    let inner = "Resources:\n  F: { Type: AWS::Lambda::Function, Properties: { Code: f.js } }\n";
    let found = artifacts(&[("t.yaml", &outer), ("inner.yaml", inner), ("f.js", "1")]).await;
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["A", "A/F", "B", "B/F"]);
    assert_eq!(found[1].1, None);
}
