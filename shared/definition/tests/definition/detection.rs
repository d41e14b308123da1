//! What folders are deployed as.

use delivery_definition::{Detected, Folder, Kind, kind_of, parse};
use test_case::test_case;

/// A folder with these files; templates have resources unless they are empty.
struct Files {
    files: &'static [&'static str],
    package_task: bool,
}

impl Folder for Files {
    fn files(&self) -> Vec<String> {
        self.files
            .iter()
            .map(|file| file.trim_end_matches('!').to_owned())
            .collect()
    }

    fn has_resources(&self, file: &str) -> bool {
        self.files.contains(&file)
    }

    fn has_package_task(&self) -> bool {
        self.package_task
    }
}

fn detect(
    keys: &str,
    files: &'static [&'static str],
    package_task: bool,
) -> Result<Detected, String> {
    let text = format!("application = \"a\"\n[services.api]\ndirectory = \"backend\"\n{keys}");
    let definition = parse(&text, "delivery.toml").unwrap();
    let service = definition.services().get("api").unwrap();
    kind_of(
        service,
        &Files {
            files,
            package_task,
        },
    )
    .map_err(|error| error.to_string())
}

#[test_case("", &["template.yaml", "package.json"], Kind::Stack, Some("template.yaml"); "a template")]
#[test_case("", &["template.json"], Kind::Stack, Some("template.json"); "a template in JSON")]
#[test_case("", &["main.tf", "variables.tf"], Kind::Terraform, None; "a module")]
#[test_case("", &["serverless.yml", "package.json"], Kind::Serverless, None; "an application of Serverless")]
#[test_case("", &["package.json"], Kind::App, None; "a project with a package task")]
#[test_case("", &["template.yaml!", "package.json"], Kind::App, None; "a template without resources is none")]
#[test_case("site = \"build\"\n", &["template.yaml"], Kind::Site, None; "a site by its key")]
#[test_case("template = \"cfn/api.yaml\"\n", &["main.tf"], Kind::Stack, Some("cfn/api.yaml"); "a template by its key")]
#[test_case("kind = \"terraform\"\n", &["main.tf", "template.yaml"], Kind::Terraform, None; "two kinds, and a key")]
#[test_case("kind = \"stack\"\n", &["main.tf", "template.yml"], Kind::Stack, Some("template.yml"); "two kinds, and a key for the stack")]
#[test_case("kind = \"app\"\ntemplate = \"t.yaml\"\n", &["package.json"], Kind::App, Some("t.yaml"); "an app with a template")]
fn folders_are_deployed_as(
    keys: &str,
    files: &'static [&'static str],
    kind: Kind,
    template: Option<&str>,
) {
    let template = template.map(str::to_owned);
    assert_eq!(detect(keys, files, true), Ok(Detected { kind, template }));
}

#[test]
fn folders_that_leave_a_doubt() {
    let messages = [
        detect("", &["main.tf", "template.yaml"], true),
        detect("", &["template.yaml", "template.json"], true),
        detect("", &["package.json"], false),
        detect("kind = \"stack\"\n", &["template.yaml!"], false),
    ];
    let messages: Vec<_> = messages.into_iter().map(Result::unwrap_err).collect();
    insta::assert_snapshot!(messages.join("\n"));
}
