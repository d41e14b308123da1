//! What definitions render to.

use std::collections::BTreeMap;

use delivery_definition::{Definition, Detected, Kind, parse};
use delivery_render::{Rendering, Request, render};

const FILE: &str = "delivery.toml";

/// `kinds`: the services and what their files make them.
fn rendered(definition: &Definition, kinds: &[(&str, Kind)]) -> Result<Rendering, String> {
    let kinds: BTreeMap<_, _> = kinds
        .iter()
        .map(|(name, kind)| {
            let template = (*kind == Kind::Stack).then(|| "template.yaml".to_owned());
            (
                (*name).to_owned(),
                Detected {
                    kind: *kind,
                    template,
                },
            )
        })
        .collect();
    let request = Request {
        definition,
        application: "hello",
        kinds: &kinds,
        file: FILE,
    };
    render(&request).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn without_a_file_an_app_renders_to_the_committed_templates() {
    let rendering = rendered(&Definition::default(), &[("main", Kind::App)]).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cloudformation");
    for (name, text) in &rendering.templates {
        let committed = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        assert!(
            *text == committed,
            "cloudformation/{name} is not what `just render` writes"
        );
    }
    assert_eq!(rendering.templates.len(), 3);
}

const WORKSHOP: &str = r#"
application = "workshop"

[services]
database = "backend-database"
restapi  = { directory = "backend-restapi", parameters = { TableName = "${database.TableName}" } }
tasks    = "backend-tasks"
website  = { directory = "frontend", site = "build", config = { apiBaseurl = "${restapi.Url}" } }

[environments]
int = {}
prd = { after = "int", approval = true, parameters = { LogLevel = "warn" } }
"#;

fn shown(rendering: &Rendering) -> String {
    let files = rendering.templates.iter();
    let files: Vec<_> = files
        .map(|(name, text)| format!("==> {name}\n{text}"))
        .collect();
    format!("{:#?}\n{}", rendering.environments, files.join("\n"))
}

#[test]
fn a_workshop_of_four_services() {
    let kinds = [
        ("database", Kind::Stack),
        ("restapi", Kind::Stack),
        ("tasks", Kind::Stack),
        ("website", Kind::Site),
    ];
    let definition = parse(WORKSHOP, FILE).unwrap();
    insta::assert_snapshot!(shown(&rendered(&definition, &kinds).unwrap()));
}

#[test]
fn one_stack_without_a_file() {
    let rendering = rendered(&Definition::default(), &[("main", Kind::Stack)]).unwrap();
    insta::assert_snapshot!(shown(&rendering));
}

#[test]
fn a_service_built_by_commands_and_one_by_a_task() {
    let text = r#"
application = "reports"

[services.api]
directory = "api"
build = { commands = ["pip install -r requirements.txt -t build", "echo \"${HOME}\""], environment = { PIP = "1" }, files = ["template.yaml", "build/**"], variables = ["VERSION"], timeout = "20m" }
test = { task = "test-functional", environment = { TARGET_URL = "${api.Url}", LANDING = "${pages.Url}" } }

[services.jobs]
directory = "jobs"
build = { task = "package" }
parameters = { Origin = "${pages.Url}/x", Api = "${api.Url}" }

[services.pages]
directory = "pages"
site = "out"
build = { task = "build" }

[services.raw]
directory = "raw pages"
site = "out"
build = { commands = ["make"] }
config = { title = "a & b ${env}", api = "${api.Url}" }

[services.shop]
directory = "shop"
test = { task = "test-functional" }

[environments]
int = {}
"#;
    let kinds = [
        ("api", Kind::Stack),
        ("jobs", Kind::Stack),
        ("pages", Kind::Site),
        ("raw", Kind::Site),
        ("shop", Kind::App),
    ];
    let definition = parse(text, FILE).unwrap();
    insta::assert_snapshot!(shown(&rendered(&definition, &kinds).unwrap()));
}
