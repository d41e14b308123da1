//! Outputs that are the project's folder, from which a template is deployed.

use crate::projects::{manifest, run};

const TEMPLATE: &str =
    "Resources: {Hello: {Type: AWS::Serverless::Function, Properties: {CodeUri: .}}}";

fn with_dependencies(script: &str) -> String {
    let fields = r#""dependencies": {"a": "1"}, "devDependencies": {"d": "1"}, "scripts""#;
    manifest(script).replace("\"scripts\"", fields)
}

#[tokio::test]
async fn the_folder_of_a_service_keeps_its_place_and_what_production_needs() {
    let package = with_dependencies("mkdir dist; echo built > dist/index.js");
    let files = [
        ("restapi/package.json", package.as_str()),
        ("restapi/template.yaml", TEMPLATE),
        (
            "restapi/node_modules/a/package.json",
            r#"{"dependencies": {"b": "1"}}"#,
        ),
        ("restapi/node_modules/b/package.json", "{}"),
        ("restapi/node_modules/d/package.json", "{}"),
        ("restapi/node_modules/.bin/d", "x"),
        ("website/index.html", "another service"),
    ];
    let parameters = "task=package&directory=restapi&Service=.&Modules=node_modules";
    let (store, ended) = run(&files, parameters, &["Service", "Modules"]).await;
    let summary = ended.unwrap().summary;
    assert!(summary.contains("; Service from `.` ("), "{summary}");
    let service = store.output_files("Service").await;
    assert_eq!(
        service.keys().collect::<Vec<_>>(),
        [
            "restapi/dist/index.js",
            "restapi/node_modules/a/package.json",
            "restapi/node_modules/b/package.json",
            "restapi/package.json",
            "restapi/template.yaml",
        ]
    );
    assert_eq!(service["restapi/dist/index.js"], b"built\n");
    // Another output has what the task left.
    assert!(
        store
            .output_files("Modules")
            .await
            .contains_key("d/package.json")
    );
}

#[tokio::test]
async fn a_folder_above_has_the_other_services_too_and_both_can_be_stored() {
    let package = with_dependencies("true");
    let files = [
        ("restapi/package.json", package.as_str()),
        ("node_modules/a/package.json", "{}"),
        ("node_modules/d/package.json", "{}"),
        ("shared/index.js", "x"),
    ];
    let parameters = "task=package&directory=restapi&All=..&Own=.";
    let (store, ended) = run(&files, parameters, &["All", "Own"]).await;
    let summary = ended.unwrap().summary;
    assert!(
        summary.ends_with(", without packages that lie above it: a"),
        "{summary}"
    );
    let all = store.output_files("All").await;
    assert_eq!(
        all.keys().collect::<Vec<_>>(),
        [
            "node_modules/a/package.json",
            "restapi/package.json",
            "shared/index.js"
        ]
    );
    let own = store.output_files("Own").await;
    assert_eq!(own.keys().collect::<Vec<_>>(), ["restapi/package.json"]);
}

#[tokio::test]
async fn a_site_begins_at_its_own_root() {
    let package = with_dependencies("true");
    let files = [
        ("web/package.json", package.as_str()),
        ("web/index.html", "page"),
    ];
    let (store, ended) = run(&files, "task=package&directory=web&Site=.", &["Site"]).await;
    ended.unwrap();
    assert_eq!(store.output_files("Site").await["index.html"], b"page");
}
