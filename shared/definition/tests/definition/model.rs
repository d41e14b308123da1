//! What files define.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use delivery_definition::names::{EnvironmentName, Family, NameOf, slug};
use delivery_definition::{
    Architecture, Capability, Definition, Scalar, Source, Text, UnknownEnvironment, parse,
};
use test_case::test_case;

const WORKSHOP: &str = include_str!("workshop.toml");

fn workshop() -> Definition {
    definition(WORKSHOP)
}

fn definition(text: &str) -> Definition {
    parse(text, "delivery.toml").unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn waves(definition: &Definition) -> Vec<Vec<&str>> {
    let waves = definition.waves().into_iter();
    waves
        .map(|wave| {
            wave.into_iter()
                .map(|service| service.name.as_str())
                .collect()
        })
        .collect()
}

fn stages(definition: &Definition) -> Vec<&str> {
    definition
        .stages()
        .iter()
        .map(|stage| stage.name.as_str())
        .collect()
}

#[test]
fn services_are_ordered_by_what_they_refer_to() {
    let definition = workshop();
    assert_eq!(
        waves(&definition),
        [vec!["database", "tasks"], vec!["restapi"], vec!["website"]]
    );
    assert_eq!(definition.used_outputs("restapi"), BTreeSet::from(["Url"]));
    assert_eq!(
        definition.used_outputs("database"),
        BTreeSet::from(["TableName"])
    );
    assert_eq!(definition.used_outputs("website"), BTreeSet::new());
}

#[test]
fn needs_and_the_values_of_environments_order_services_too() {
    let definition = definition(
        "application = \"a\"\n[services]\none = { directory = \"1\", needs = [\"two\"] }\ntwo = \"2\"\nthree = \"3\"\n\
         [environments.int]\nservices.two = { X = \"${three.Y}\" }\n",
    );
    assert_eq!(waves(&definition), [["three"], ["two"], ["one"]]);
    assert_eq!(definition.used_outputs("three"), BTreeSet::from(["Y"]));
}

#[test]
fn a_release_goes_through_the_environments_in_order() {
    assert_eq!(stages(&workshop()), ["qa", "int", "prd"]);
    let last = definition("application = \"a\"\n[environments]\nint = {}\nqa = {}\n");
    assert_eq!(stages(&last), ["qa", "int"]);
    let after =
        definition("application = \"a\"\n[environments]\nint = {}\nqa = { after = \"int\" }\n");
    assert_eq!(stages(&after), ["int", "qa"]);
    let definition = definition(
        "application = \"a\"\n[environments]\nprd = { after = \"pp\" }\npp = { after = \"int\" }\nint = {}\ndev = {}\npr = {}\n",
    );
    assert_eq!(stages(&definition), ["int", "pp", "prd"]);
}

#[test]
fn a_repository_without_a_file_is_one_service_in_test_and_prod() {
    let definition = Definition::default();
    assert_eq!(definition, definition_of_nothing());
    assert_eq!(waves(&definition), [["main"]]);
    assert_eq!(stages(&definition), ["test", "prod"]);
    let main = definition.services().get("main").unwrap();
    assert_eq!(main.directory.as_ref().unwrap().value.as_str(), ".");
}

fn definition_of_nothing() -> Definition {
    definition("")
}

#[test]
fn members_have_the_settings_of_their_family() {
    let definition = workshop();
    let anna = definition.environment("DEV-anna").unwrap();
    assert_eq!(
        (anna.name.as_str(), anna.settings.name.as_str()),
        ("dev-anna", "dev")
    );
    assert_eq!(anna.name.shown(), "DEV-anna");
    let database = definition.services().get("database").unwrap();
    assert!(!anna.deploys(database));
    assert!(definition.environment("INT").unwrap().deploys(database));
    let preview = definition.environment("pr-17").unwrap();
    assert_eq!(preview.settings.name, "pr");
}

#[test]
fn an_environment_of_a_developer_need_not_be_in_the_file() {
    for definition in [Definition::default(), definition_of_nothing()] {
        let anna = definition.environment("dev-anna").unwrap();
        assert_eq!(anna.name.as_str(), "dev-anna");
        assert!(definition.environment("qa-anna").is_err());
    }
}

#[test_case("prod", "there is no environment `prod`: did you mean `prd`?")]
#[test_case(
    "staging",
    "there is no environment `staging`: known environments: `dev`, `qa`, `int`, `prd` and `pr`"
)]
#[test_case(
    "dev",
    "`dev` cannot be the name of an environment: it is a family: add a name, such as `dev-anna`"
)]
#[test_case(
    "dev-",
    "`dev-` cannot be the name of an environment: what follows the family must be letters and digits, with single `-` between them"
)]
#[test_case(
    "dev-a_b",
    "`dev-a_b` cannot be the name of an environment: what follows the family must be letters and digits, with single `-` between them"
)]
#[test_case(
    "dev-aaaaaaaaaaaaaaaaa",
    "`dev-aaaaaaaaaaaaaaaaa` cannot be the name of an environment: what follows the family must have at most 16 characters"
)]
#[test_case(
    "eu-int",
    "`eu-int` cannot be the name of an environment: it must be one word, or begin with `dev-`, `qa-` or `pr-`"
)]
#[test_case("", "`` cannot be the name of an environment: it must be one word of lower-case letters and digits that begins with a letter"; "empty")]
fn other_environments_are_refused(name: &str, message: &str) {
    assert_eq!(
        workshop().environment(name).unwrap_err().to_string(),
        message
    );
}

#[test]
fn no_two_environments_have_one_stack() {
    let definition = definition(
        "application = \"a\"\n[services]\napi = \"1\"\nadmin-api = \"2\"\n[environments]\ndev = {}\n",
    );
    assert!(definition.environment("dev-anna").is_ok());
    let error = definition.environment("dev-anna-admin").unwrap_err();
    assert!(matches!(error, UnknownEnvironment::Clash { .. }));
    assert_eq!(
        error.to_string(),
        "`dev-anna-admin` cannot be an environment: the stack of its service `api` would be that of the service \
         `admin-api` of `dev-anna`; choose another name"
    );
}

#[test]
fn the_nearer_setting_of_a_parameter_applies() {
    let definition = definition(
        "application = \"a\"\n[services.api]\ndirectory = \"api\"\n\
         parameters = { Own = \"${env}\", Both = \"service\", All = \"service\", Secret = \"{{resolve:ssm:/${env}/x}}\" }\n\
         [environments.int]\nparameters = { Both = \"environment\", All = 1, LogLevel = \"warn\", Other = true }\n\
         services.api = { All = \"both\" }\n",
    );
    let int = definition.environment("int").unwrap();
    let api = definition.services().get("api").unwrap();
    let declares = |name: &str| !["Other", "Own"].contains(&name);
    let parameters = int.parameters(api, declares);
    let found: Vec<_> = parameters
        .iter()
        .map(|(name, parameter)| {
            (
                name.as_str(),
                parameter.value.clone(),
                parameter.source,
                parameter.line,
            )
        })
        .collect();
    let value = Text::literal;
    assert_eq!(
        found,
        [
            ("All", value("both"), Source::EnvironmentAndService, Some(7)),
            ("Both", value("environment"), Source::Environment, Some(6)),
            ("Environment", value("int"), Source::EnvironmentName, None),
            ("LogLevel", value("warn"), Source::Environment, Some(6)),
            ("Own", value("int"), Source::Service, Some(4)),
            (
                "Secret",
                value("{{resolve:ssm:/int/x}}"),
                Source::Service,
                Some(4)
            ),
        ]
    );
}

#[test]
fn what_a_template_does_not_declare_it_does_not_get_from_the_environment() {
    let definition = definition(
        "application = \"a\"\n[services]\napi = \"a\"\n[environments.int]\nparameters = { X = 1 }\n",
    );
    let int = definition.environment("int").unwrap();
    let api = definition.services().get("api").unwrap();
    assert!(int.parameters(api, |_| false).is_empty());
}

#[test]
fn references_stay_until_the_outputs_are_known() {
    let definition = workshop();
    let prd = definition.environment("prd").unwrap();
    let restapi = definition.services().get("restapi").unwrap();
    let parameters = prd.parameters(restapi, |_| true);
    let table = &parameters["TableName"].value;
    let reference = table.references().next().unwrap().clone();
    assert_eq!(
        (reference.service.as_str(), reference.output.as_str()),
        ("database", "TableName")
    );
    assert_eq!(table.resolve("prd", |_| None), Err(reference));
    assert_eq!(table.resolve("prd", |_| Some("t")), Ok("t".to_owned()));
}

#[test]
fn todays_keys_keep_their_meaning() {
    let definition = definition(
        "stack-name = \"workshop\"\nregion = \"eu-west-1\"\nprofile = \"team\"\nbucket = \"packages\"\narchitecture = \"x86_64\"\n\
         [parameters]\nManualApproval = true\nDays = 30\nRepositoryName = \"${as}/it-is\"\n\
         [functions]\nchat = \"../bin/chat\"\nnotify = { path = \"notify\", template = \"t.yaml\", parameters = { Retries = 3 } }\n",
    );
    let file = definition.file();
    assert_eq!(file.stack_name.as_deref(), Some("workshop"));
    assert_eq!(file.region.as_deref(), Some("eu-west-1"));
    assert_eq!(file.profile.as_deref(), Some("team"));
    assert_eq!(file.bucket.as_deref(), Some("packages"));
    assert_eq!(file.architecture.map(Architecture::word), Some("x86_64"));
    let parameter = |name: &str| file.parameters.get(name).map(|value| value.value.clone());
    assert_eq!(parameter("ManualApproval"), Some(Scalar("true".to_owned())));
    assert_eq!(parameter("Days"), Some(Scalar("30".to_owned())));
    assert_eq!(
        parameter("RepositoryName"),
        Some(Scalar("${as}/it-is".to_owned()))
    );
    assert_eq!(
        file.functions.get("chat").unwrap().path.as_deref(),
        Some("../bin/chat")
    );
    let notify = file.functions.get("notify").unwrap();
    assert_eq!(notify.template.as_deref(), Some("t.yaml"));
    assert_eq!(
        notify.parameters.get("Retries").unwrap().value,
        Scalar("3".to_owned())
    );
    assert_eq!(definition.not_yet_supported(), []);
}

#[test]
fn the_files_of_the_examples_are_right() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let folders = fs::read_dir(examples)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files: Vec<_> = folders
        .map(|folder| folder.join("delivery.toml"))
        .filter(|file| file.exists())
        .collect();
    assert!(!files.is_empty());
    for file in files {
        definition(&fs::read_to_string(file).unwrap());
    }
}

#[test]
fn pipelines_are_in_the_order_of_their_services() {
    let definition = definition(
        "application = \"shop\"\n[services]\napi = { directory = \"api\", parameters = { T = \"${table.Name}\" } }\n\
         site = { directory = \"site\", site = \".\" }\ntable = \"table\"\nalarms = { directory = \"alarms\", needs = [\"api\"] }\n\
         [pipelines]\nwatch = [\"alarms\"]\napp = [\"site\", \"api\"]\ninfra = [\"table\"]\n",
    );
    let pipelines = definition.pipelines();
    let shown: Vec<_> = pipelines
        .iter()
        .map(|one| {
            let services: Vec<_> = one
                .services
                .iter()
                .map(|service| service.name.as_str())
                .collect();
            format!(
                "{}: {} after {:?}",
                one.name,
                services.join(", "),
                one.needs
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "infra: table after {}",
            "app: api, site after {\"infra\"}",
            "watch: alarms after {\"app\"}"
        ]
    );
    assert_eq!(Definition::default().pipelines(), []);
}

#[test]
fn what_is_not_applied_yet_is_named_with_its_line() {
    let found: Vec<_> = workshop()
        .not_yet_supported()
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn nothing_is_made_or_removed_without_services_or_outside_of_families() {
    let found = |text: &str| -> Vec<String> {
        let definition = definition(text);
        let keys = definition.not_yet_supported().iter();
        keys.map(ToString::to_string).collect()
    };
    let environments = "[environments]\nqa = { ttl = \"4h\", keep-on-failure = \"1h\" }\ndev = { ttl = \"20:00\", timezone = \"Europe/Berlin\" }\n";
    let services = format!("application = \"a\"\n[services]\na = \"a\"\n{environments}");
    assert_eq!(found(&services), [""; 0]);
    let alone = format!("application = \"a\"\n{environments}");
    assert_eq!(
        found(&alone),
        [
            "`environments.qa` in line 3 is not applied yet",
            "`environments.qa.ttl` in line 3 is not applied yet",
            "`environments.qa.keep-on-failure` in line 3 is not applied yet",
            "`environments.dev.ttl` in line 4 is not applied yet",
            "`environments.dev.timezone` in line 4 is not applied yet",
        ]
    );
    let other = format!("{services}int = {{ ttl = \"4h\" }}\n");
    assert_eq!(
        found(&other),
        ["`environments.int.ttl` in line 7 is not applied yet"]
    );
}

#[test]
fn a_rollout_is_its_steps() {
    let definition = workshop();
    let prd = definition.environment("prd").unwrap();
    let rollout = prd.settings.rollout.as_ref().unwrap();
    assert_eq!(rollout.value.to_string(), "canary:10@5m");
    assert_eq!(
        prd.settings.rollout_in_words().as_deref(),
        Some("canary 10 % for 5 minutes")
    );
    assert!(prd.settings.is_approved_by_hand());
    assert!(prd.settings.is_protected());
}

#[test]
fn a_rollout_in_words() {
    let words = |keys: &str| {
        let text = format!("application = \"a\"\n[environments.prd]\n{keys}\n");
        let definition = definition(&text);
        let prd = definition.environment("prd").unwrap();
        prd.settings.rollout_in_words()
    };
    assert_eq!(words(""), None);
    let all = "rollout = \"Linear10PercentEvery1Minute\"\nbake = \"1h\"\nalarms = [\"errors\", \"slow\"]\n\
        pre-traffic = \"check\"\npost-traffic = \"check:live\"";
    assert_eq!(
        words(all).unwrap(),
        "linear 10 % more every minute; bake 1 hour; alarms errors, slow; check before traffic; check:live after traffic"
    );
    assert_eq!(
        words("pre-traffic = \"check\"").unwrap(),
        "all at once; check before traffic"
    );
    assert_eq!(words("rollout = \"all-at-once\"").unwrap(), "all at once");
}

#[test]
fn templates_may_make_roles_without_names() {
    let definition = definition(
        "application = \"a\"\n[services]\na = \"a\"\nb = { directory = \"b\", capabilities = [] }\n",
    );
    let capabilities = |name: &str| {
        definition
            .services()
            .get(name)
            .unwrap()
            .capabilities()
            .to_vec()
    };
    assert_eq!(capabilities("a"), [Capability::Iam, Capability::AutoExpand]);
    assert_eq!(capabilities("b"), []);
}

#[test]
fn stacks_are_named_by_application_environment_and_service() {
    let definition = workshop();
    let int = definition.environment("INT").unwrap();
    let restapi = definition.services().get("restapi").unwrap();
    assert_eq!(
        int.stack("workshop", restapi),
        Ok("workshop-int-restapi".to_owned())
    );
}

#[test]
fn the_longest_name_is_that_of_a_member() {
    let of = |definition: &Definition, service: &str| {
        let service = definition.services().get(service).unwrap();
        definition.longest_environment(service)
    };
    let member = Some("dev-xxxxxxxxxxxxxxxx".to_owned());
    assert_eq!(of(&workshop(), "restapi"), member);
    // The family `dev` uses the database of another environment, and its names are not made there.
    assert_ne!(of(&workshop(), "database"), member);
    let words = definition(
        "application = \"a\"\n[services]\na = \"a\"\n[environments]\nint = {}\nproduction = {}\n",
    );
    assert_eq!(of(&words, "a"), Some("production".to_owned()));
    assert_eq!(of(&Definition::default(), "main"), Some("prod".to_owned()));
}

#[test_case(NameOf::Stack, 128)]
#[test_case(NameOf::Bucket, 63)]
#[test_case(NameOf::Function, 64)]
#[test_case(NameOf::Role, 64)]
fn names_have_limits(of: NameOf, limit: usize) {
    assert_eq!(
        of.join(&["a", &"b".repeat(limit - 2)])
            .map(|name| name.len()),
        Ok(limit)
    );
    let error = of
        .join(&["a", &"b".repeat(limit - 1)])
        .unwrap_err()
        .to_string();
    let expected = format!(
        "would have a name of {} characters; the limit is {limit} (https://docs.aws.amazon.com/",
        limit + 1
    );
    assert!(error.contains(&expected), "{error}");
}

#[test_case("main", "main")]
#[test_case("fix-17", "fix-17")]
#[test_case("sixteen-letters1", "sixteen-letters1")]
#[test_case("abcdefghij/klmnopq", "abcdefghij-1458"; "cut between words")]
#[test_case("feature/login-by-link", "feature-log-27b5"; "cut")]
#[test_case("fix/17", "fix-17-bbda"; "a letter that a name cannot have")]
#[test_case("Main", "main-eb81"; "another case")]
#[test_case("ÄÖ", "de72"; "nothing is left")]
fn branches_become_members(branch: &str, expected: &str) {
    assert_eq!(slug(branch), expected);
    let name = EnvironmentName::of_branch(Family::Developer, branch);
    assert_eq!(EnvironmentName::parse(name.as_str()), Ok(name));
}
