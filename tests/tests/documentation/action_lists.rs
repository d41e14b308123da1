//! The folders of `actions/` are the one list of functions, and those with an `Action` the one list of actions. Every
//! other place that has to name all of them is held against it here, so that a change of the list shows every place that
//! must follow, all at once.

use std::collections::BTreeSet;
use std::fs;

use delivery_stack::yaml;
use local::launch::{FUNCTIONS, logical_id};
use pipeline_tests::checkout;
use serde_json::Value;

use crate::actions::ACTIONS;
use crate::markdown::read;

type Names = BTreeSet<String>;

/// Actions that the pipeline of the default definition does not have, whose one service is an app: rendered pipelines
/// have them.
const NOT_IN_THE_DEFAULT_PIPELINE: [&str; 3] = ["deploy-stack", "release", "undeploy"];

/// A place that lists the actions, and those that it lists.
type Place = (String, Names);

#[test]
fn every_list_of_actions_names_the_folders_of_actions() {
    let of_actions = [code(), templates(), documents()].concat();
    let mut found = differences(&actions(), &of_actions);
    found.extend(differences(&folders(), &of_functions()));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn differences(expected: &Names, places: &[Place]) -> Vec<String> {
    let differences = places.iter().flat_map(|(place, listed)| {
        let missing = expected.difference(listed);
        let unknown = listed.difference(expected);
        let missing = missing.map(move |name| format!("{place} lacks `{name}`"));
        missing.chain(
            unknown.map(move |name| format!("{place} has `{name}`, which actions/ does not have")),
        )
    });
    differences.collect()
}

fn folders() -> Names {
    let entries = fs::read_dir(checkout::root().join("actions")).unwrap();
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// The places that name every function, whether it is an action or not.
fn of_functions() -> Vec<Place> {
    let [actions, pipeline] = ["actions", "pipeline"]
        .map(|name| yaml::parse(&text(&format!("cloudformation/{name}.yaml"))).unwrap());
    let mut packaged = packages(&actions);
    packaged.extend(packages(&pipeline));
    vec![
        place("FUNCTIONS of local/src/launch.rs", FUNCTIONS),
        place("the packages in cloudformation/", packaged),
        place(
            "the first table of docs/security.md",
            first_column("docs/security.md"),
        ),
    ]
}

/// The folders whose function is an action: a function of events is none, and no pipeline has it.
fn actions() -> Names {
    let is_action = |name: &String| {
        let folder = checkout::root().join("actions").join(name).join("src");
        let sources = fs::read_dir(folder).unwrap().flatten();
        sources
            .filter(|source| source.path().is_file())
            .any(|source| {
                fs::read_to_string(source.path())
                    .unwrap()
                    .contains("impl Action for ")
            })
    };
    let mut folders = folders();
    folders.retain(is_action);
    folders
}

fn place(name: &str, listed: impl IntoIterator<Item = impl Into<String>>) -> Place {
    let listed = listed.into_iter().map(Into::into).collect();
    (name.to_owned(), listed)
}

fn text(path: &str) -> String {
    fs::read_to_string(checkout::root().join(path)).unwrap()
}

fn code() -> Vec<Place> {
    let manifest: toml::Table = text("tests/Cargo.toml").parse().unwrap();
    let dependencies = manifest["dev-dependencies"].as_table().unwrap();
    let actions = dependencies
        .iter()
        .filter(|(_, dependency)| dependency.get("path").is_some())
        .map(|(name, _)| name);
    vec![
        place("tests/Cargo.toml", actions),
        place(
            "ACTIONS of tests/tests/documentation/actions.rs",
            ACTIONS.map(|(name, _)| name),
        ),
    ]
}

fn templates() -> Vec<Place> {
    let [actions, pipeline, delivery] = ["actions", "pipeline", "delivery"]
        .map(|name| yaml::parse(&text(&format!("cloudformation/{name}.yaml"))).unwrap());
    let function_name =
        |step: &Value| action_of(step["Configuration"]["FunctionName"]["Ref"].as_str()?);
    let invoked = pipeline["Resources"]["Pipeline"]["Properties"]["Stages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|stage| stage["Actions"].as_array()) // the stage of the approval is an `Fn::If`
        .flatten()
        .filter_map(function_name);
    let without = NOT_IN_THE_DEFAULT_PIPELINE.map(str::to_owned);
    let invoked = invoked.chain(without.clone());
    let with_others = |ids: &[&String]| {
        let mut names = logical_ids(ids, "");
        names.extend(without.clone());
        names
    };
    let passed = keys(&delivery["Resources"]["Delivery"]["Properties"]["Parameters"]);
    let mut places = vec![
        place("the actions in cloudformation/pipeline.yaml", invoked),
        place(
            "Delivery in cloudformation/delivery.yaml",
            with_others(&passed),
        ),
        place(
            "Parameters of cloudformation/pipeline.yaml",
            with_others(&keys(&pipeline["Parameters"])),
        ),
        place(
            "Outputs of cloudformation/actions.yaml",
            logical_ids(&keys(&actions["Outputs"]), ""),
        ),
        place(
            "the packages in cloudformation/actions.yaml",
            packages(&actions),
        ),
    ];
    let resources = keys(&actions["Resources"]);
    for suffix in ["", "Events", "LogGroup", "Role"] {
        places.push(place(
            &format!("the resources `ACTION{suffix}` of cloudformation/actions.yaml"),
            logical_ids(&resources, suffix),
        ));
    }
    places
}

fn keys(map: &Value) -> Vec<&String> {
    map.as_object().unwrap().keys().collect()
}

/// The action whose function has a logical id.
fn action_of(id: &str) -> Option<String> {
    folders()
        .into_iter()
        .find(|action| logical_id(action) == id)
}

/// The actions for which there is a logical id with a suffix. Ids of other things are passed over; what is left of an
/// action that was removed shows in its package.
fn logical_ids(ids: &[&String], suffix: &str) -> Names {
    let ids = ids.iter().filter_map(|id| id.strip_suffix(suffix));
    ids.filter_map(action_of).collect()
}

/// The packages of the functions: `NAME` of `${ActionsPrefix}/NAME.zip`.
fn packages(actions: &Value) -> Names {
    let resources = actions["Resources"].as_object().unwrap().values();
    resources
        .filter_map(|resource| resource["Properties"]["Code"]["S3Key"]["Fn::Sub"].as_str())
        .filter_map(|key| key.strip_prefix("${ActionsPrefix}/")?.strip_suffix(".zip"))
        .map(str::to_owned)
        .collect()
}

fn documents() -> Vec<Place> {
    let pages = fs::read_dir(checkout::root().join("docs/actions")).unwrap();
    let pages = pages.flatten().map(|page| page.path());
    let pages = pages.map(|page| page.file_stem().unwrap().to_str().unwrap().to_owned());
    let mut places = vec![place("docs/actions", pages)];
    for path in ["README.md", "docs/README.md", "docs/troubleshooting.md"] {
        places.push(place(&format!("the links of {path}"), linked(path)));
    }
    let concepts = read("docs/concepts.md");
    let diagram = &concepts.blocks[0].text;
    let named = folders()
        .into_iter()
        .filter(|action| diagram.contains(action));
    let named = named.chain(NOT_IN_THE_DEFAULT_PIPELINE.map(str::to_owned));
    places.push(place("the diagram of docs/concepts.md", named));
    places
}

/// The reference pages that a document links to.
fn linked(path: &str) -> Names {
    let links = read(path).links;
    let pages = links.iter().filter_map(|link| {
        let page = link.split('#').next().unwrap_or_default();
        let page = page.trim_start_matches("docs/").strip_prefix("actions/")?;
        page.strip_suffix(".md")
    });
    pages.map(str::to_owned).collect()
}

/// The first cells of a document's first table.
fn first_column(path: &str) -> Names {
    let text = text(path);
    let rows = text.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.split('|').nth(1).unwrap().trim().to_owned())
        .collect()
}
