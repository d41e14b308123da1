//! The reference pages of the actions: parameters, output variables, failures, policy and example are
//! those of the code and the templates.

use std::collections::BTreeSet;
use std::fs;

use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_stack::yaml;
use delivery_testing::events::invocation;
use local::launch::logical_id;
use pipeline_tests::checkout;
use serde_json::{Value, json};
use syn::visit::{self, Visit};

use crate::generated::{self, code, table};
use crate::markdown::{Document, read};
use crate::source::{Answer, ErrorEnum, errors};

/// What every reference page is made of.
const SECTIONS: [&str; 7] = [
    "What it does",
    "Parameters",
    "Artifacts",
    "Output variables",
    "Failures",
    "Policy",
    "Example",
];

/// An artifact that the job of a test makes, and what pages call any such.
const OUTPUT: (&str, &str) = ("DistSiteOutput", "OUTPUT");

pub(crate) type Read = fn(UserParameters, &Job) -> Result<(), ParametersError>;

fn read_as<P: Params>(parameters: UserParameters, job: &Job) -> Result<(), ParametersError> {
    P::from_user_parameters(parameters, job).map(drop)
}

/// Every action, and how it reads its parameters.
pub(crate) const ACTIONS: [(&str, Read); 9] = [
    ("deploy-api", read_as::<deploy_api::DeployApiParams>),
    ("deploy-app", read_as::<deploy_app::DeployAppParams>),
    ("deploy-site", read_as::<deploy_site::DeploySiteParams>),
    ("deploy-stack", read_as::<deploy_stack::DeployStackParams>),
    ("e2e", read_as::<e2e::EndToEndParams>),
    ("npm-install", read_as::<npm_install::NpmInstallParams>),
    ("release", read_as::<release::ReleaseParams>),
    (
        "test-and-package",
        read_as::<test_and_package::TestAndPackageParams>,
    ),
    ("undeploy", read_as::<undeploy::UndeployParams>),
];

fn page(action: &str) -> Document {
    read(&format!("docs/actions/{action}.md"))
}

#[test]
fn every_action_has_a_page_of_the_same_sections_and_a_readme_that_leads_to_it() {
    for (action, _) in ACTIONS {
        let headings = page(action).headings;
        assert_eq!(headings[0].text, action);
        let sections: Vec<_> = headings
            .iter()
            .filter(|heading| heading.level == 2)
            .map(|heading| heading.text.as_str())
            .collect();
        assert_eq!(sections, SECTIONS, "docs/actions/{action}.md");
        let readme = read(&format!("actions/{action}/README.md"));
        let link = format!("../../docs/actions/{action}.md");
        assert!(
            readme.links.contains(&link),
            "{} has no link to {link}",
            readme.path
        );
    }
}

#[tokio::test]
async fn the_parameters_of_a_page_are_those_that_the_action_takes() {
    for (action, read) in ACTIONS {
        let rows = rows(&page(action), "Parameters");
        let documented: BTreeSet<_> = rows.iter().map(|row| row[0].clone()).collect();
        let unknown = parse("no-such-key=1", read).unwrap_err();
        let taken: BTreeSet<_> = match &unknown {
            ParametersError::Unknown { known, .. } => known.iter().map(|key| public(key)).collect(),
            other => panic!("{action}: {other}"),
        };
        assert_eq!(documented, taken, "docs/actions/{action}.md");

        let example = example(action);
        parse(&example, read).unwrap_or_else(|error| panic!("{action}: {error}"));
        for row in rows.iter().filter(|row| row[1] != "required for each") {
            let key = &row[0];
            let rest: Vec<_> = example
                .split('&')
                .filter(|pair| pair.split('=').next() != Some(key))
                .collect();
            let missing = ParametersError::Missing { key: key.clone() };
            // `required with` another key, which the example has.
            let expected = if row[1].starts_with("required") {
                Err(missing)
            } else {
                Ok(())
            };
            assert_eq!(
                parse(&rest.join("&"), read),
                expected,
                "{action}: `{key}` in `{example}`"
            );
        }
    }
}

#[test]
fn the_output_variables_of_a_page_are_those_that_the_action_sets() {
    for (action, _) in ACTIONS {
        let documented: BTreeSet<_> = rows(&page(action), "Output variables")
            .into_iter()
            .map(|row| row[0].clone())
            .collect();
        assert_eq!(documented, variables(action), "docs/actions/{action}.md");
    }
}

#[test]
fn the_failures_of_a_page_are_those_of_the_action_s_errors() {
    for (action, _) in ACTIONS {
        let path = format!("docs/actions/{action}.md");
        let file = format!("actions/{action}/src/error.rs");
        let own = errors(&[&file], &["failure_type", "hint"]);
        generated::check(&path, "failures", &failures(&own));
    }
}

#[test]
fn the_policy_of_a_page_is_the_role_s() {
    let template =
        fs::read_to_string(checkout::root().join("cloudformation/actions.yaml")).unwrap();
    for (action, _) in ACTIONS {
        let path = format!("docs/actions/{action}.md");
        let policy = format!(
            "```yaml\n{}```",
            policy(&template, &format!("{}Role", logical_id(action)))
        );
        generated::check(&path, "policy", &policy);
    }
}

fn public(key: &str) -> String {
    let (artifact, name) = OUTPUT;
    if key == artifact { name } else { key }.to_owned()
}

fn parse(text: &str, read: Read) -> Result<(), ParametersError> {
    let event = json!({"CodePipeline.job": {"id": "1", "data": {"outputArtifacts": [
        {"name": OUTPUT.0, "location": {"type": "S3", "s3Location": {"bucketName": "b", "objectKey": "k"}}}
    ]}}});
    let job = Job::from_event(&event, invocation()).unwrap();
    read(UserParameters::parse(Some(text))?, &job)
}

/// The rows of the first table in a section; cells without the marks of code.
fn rows(page: &Document, section: &str) -> Vec<Vec<String>> {
    let start = format!("\n## {section}\n");
    let (_, text) = page.text.split_once(&start).unwrap();
    let text = text.split("\n## ").next().unwrap();
    text.lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect()
        })
        .collect()
}

/// The `UserParameters` of the page's example, as CodePipeline would resolve them.
fn example(action: &str) -> String {
    let page = page(action);
    let block = page
        .blocks
        .iter()
        .rfind(|block| block.language == "yaml")
        .unwrap();
    let parsed = yaml::parse(&block.text).unwrap();
    let parameters = &parsed[0]["Configuration"]["UserParameters"];
    let text = match parameters {
        Value::String(text) => text.clone(),
        substituted => substituted["Fn::Sub"].as_str().unwrap().to_owned(),
    };
    resolved(&resolved(&text, "${"), "#{")
}

fn resolved(text: &str, open: &str) -> String {
    let mut parts = text.split(open);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        let value = if name.ends_with("Digest") {
            format!("sha256:{}", "0".repeat(64))
        } else if name.ends_with("ExecutionId") {
            "0a1b2c3d-1111-2222-3333-444455556666".to_owned()
        } else {
            "x".to_owned()
        };
        whole.push_str(&value);
        whole.push_str(rest);
    }
    whole
}

/// The names in `("Name".to_owned(), value)`, which is how actions make their output variables.
fn variables(action: &str) -> BTreeSet<String> {
    #[derive(Default)]
    struct Pairs(BTreeSet<String>);
    impl Visit<'_> for Pairs {
        fn visit_expr_tuple(&mut self, tuple: &syn::ExprTuple) {
            if let Some(syn::Expr::MethodCall(call)) = tuple.elems.first()
                && let syn::Expr::Lit(literal) = &*call.receiver
                && let syn::Lit::Str(name) = &literal.lit
                && name.value().starts_with(|c: char| c.is_ascii_uppercase())
            {
                self.0.insert(name.value());
            }
            visit::visit_expr_tuple(self, tuple);
        }

        fn visit_macro(&mut self, call: &syn::Macro) {
            use syn::parse::Parser as _;
            type List = syn::punctuated::Punctuated<syn::Expr, syn::Token![,]>;
            if let Ok(list) = List::parse_terminated.parse2(call.tokens.clone()) {
                list.iter()
                    .for_each(|expression| self.visit_expr(expression));
            }
        }

        fn visit_item_mod(&mut self, module: &syn::ItemMod) {
            if module.ident != "tests" {
                visit::visit_item_mod(self, module);
            }
        }
    }
    let mut pairs = Pairs::default();
    let mut folders = vec![checkout::root().join("actions").join(action).join("src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder)
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
        {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(path).unwrap();
                pairs.visit_file(&syn::parse_file(&text).unwrap());
            }
        }
    }
    pairs.0
}

/// The failures of an action's own, by failure type; those of what it stands on are one row.
fn failures(own: &[ErrorEnum]) -> String {
    let mut rows = Vec::new();
    for variant in own.iter().flat_map(|error| &error.variants) {
        let Some(message) = &variant.message else {
            continue;
        };
        let Some(class) = variant.methods.get("failure_type") else {
            continue;
        };
        let class = match class {
            Answer::Text(class) => code(class),
            Answer::Cause => "as the cause says".to_owned(),
            Answer::Nothing => continue,
        };
        let hint = match &variant.methods["hint"] {
            Answer::Text(hint) => hint.clone(),
            Answer::Cause => "as the cause says".to_owned(),
            Answer::Nothing => String::new(),
        };
        rows.push(vec![class, code(message), hint]);
    }
    rows.sort_by(|one, other| one[0].cmp(&other[0]));
    table(&["type", "message", "hint"], &rows)
}

/// The statements of a role's policies, as they stand in the template.
fn policy(template: &str, role: &str) -> String {
    let start = format!("\n  {role}:\n");
    let (_, text) = template
        .split_once(&start)
        .unwrap_or_else(|| panic!("there is no {role}"));
    let (_, text) = text.split_once("      Policies:\n").unwrap();
    let lines: Vec<_> = text
        .lines()
        .take_while(|line| line.starts_with("        "))
        .collect();
    let statements = lines
        .iter()
        .skip_while(|line| line.trim() != "Statement:")
        .skip(1)
        .take_while(|line| line.starts_with("              "));
    let text: Vec<_> = statements
        .map(|line| format!("{}\n", &line[14..]))
        .collect();
    assert!(!text.is_empty(), "{role} has no statements");
    text.concat()
}
