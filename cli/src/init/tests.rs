//! What is found in repositories of many kinds, and the file that is written for them. That `delivery validate` takes each is a
//! test of the command line.

use std::path::Path;

use super::*;

const TEMPLATE: &str = "Resources:\n  Table: { Type: AWS::DynamoDB::Table }\n";

fn planned(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    plan(folder.path())
}

fn plan(folder: &Path) -> String {
    let found = find::services(folder);
    let environments = ENVIRONMENTS.map(str::to_owned);
    let plan = Plan::new(folder, found, "shop", &environments, false);
    check(plan.definition()).unwrap();
    format!("{}{}", plan.found.text(), plan.text())
}

#[test]
fn services_are_the_folders_that_can_be_deployed() {
    let app = r#"{"scripts": {"package": "true"}}"#;
    insta::assert_snapshot!(planned(&[
        ("backend/API v2/template.yaml", TEMPLATE),
        ("backend/API v2/nested/template.yaml", TEMPLATE),
        ("database/template.json", r#"{"Resources": {}}"#),
        ("docs/README.md", ""),
        ("frontend/index.html", ""),
        ("infra/main.tf", ""),
        ("node_modules/x/template.yaml", TEMPLATE),
        ("old/serverless.ts", ""),
        ("other/database/template.yml", TEMPLATE),
        ("shop/package.json", app),
        ("stacks/queue.yaml", TEMPLATE),
        ("stacks/readme.yaml", "Resources: [see AWS::Region]\n"),
        ("two/template.yaml", TEMPLATE),
        ("two/main.tf", ""),
        ("three/a.yaml", TEMPLATE),
        ("three/b.yml", TEMPLATE),
    ]));
}

#[test]
fn a_repository_that_is_a_service_is_one_with_its_sites() {
    let vite = r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7.0.0"}}"#;
    insta::assert_snapshot!(planned(&[
        ("template.yaml", TEMPLATE),
        ("src/index.html", ""),
        ("public/index.html", ""),
        ("web/package.json", vite),
        ("web/package-lock.json", r#"{"lockfileVersion": 3}"#),
        ("web/index.html", ""),
    ]));
}

#[test]
fn parameters_are_outputs_of_others_without_a_circle() {
    let with = |parameters: &str, output: &str| {
        format!("Parameters:\n{parameters}{TEMPLATE}Outputs:\n  {output}: {{ Value: x }}\n")
    };
    insta::assert_snapshot!(planned(&[
        (
            "a/template.yaml",
            &with(
                "  Stage: { Type: String }\n  FromB: { Type: String }\n",
                "FromA"
            )
        ),
        (
            "b/template.yaml",
            &with(
                "  FromA: { Type: String }\n  Environment: { Type: String }\n",
                "FromB"
            )
        ),
        (
            "c/template.yaml",
            &with(
                "  Zone: { Type: String }\n  Size: { Type: Number, Default: 1 }\n",
                "Twice"
            )
        ),
        (
            "d/template.yaml",
            &with("  Twice: { Type: String }\n", "Twice")
        ),
        (
            "e/template.yaml",
            &with("  Twice: { Type: String }\n", "FromE")
        ),
    ]));
}

#[test]
fn a_function_with_packages_of_its_own_is_tested_too() {
    let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Links:\n    Type: AWS::Serverless::Function\n    Properties: { \
                    CodeUri: src/, Handler: app.handler, Runtime: nodejs22.x }\nOutputs:\n  ApiUrl: { Value: x }\n";
    let package = "{\n  \"scripts\": {\n    \"test\": \"vitest run\",\n    \"test:e2e\": \"vitest run --dir e2e\"\n  }\n}\n";
    let files = [
        ("template.yaml", template),
        ("package.json", package),
        ("package-lock.json", "{}"),
        (
            "src/package.json",
            "{ \"dependencies\": { \"nanoid\": \"5.0.0\" } }\n",
        ),
        ("src/package-lock.json", "{}"),
    ];
    let planned = planned(&files);
    assert!(planned.contains("(cd 'src' && npm ci"), "{planned}");
    let test = "test = { task = \"test:e2e\", environment = { TARGET_URL = \"${main.ApiUrl}\" } }";
    assert!(planned.contains(test), "{planned}");
}

#[test]
fn tests_are_a_part_of_the_build() {
    let package = "{\n  \"scripts\": {\n    \"build\": \"tsc\",\n    \"test\": \"node --test\",\n    \"test:e2e\": \"node e2e\"\n  }\n}\n";
    let template = format!("{TEMPLATE}Outputs:\n  ApiUrl: {{ Value: x }}\n");
    insta::assert_snapshot!(planned(&[
        ("template.yaml", &template),
        ("package.json", package),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        ("tsconfig.json", "{}"),
    ]));
}
