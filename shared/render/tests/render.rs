//! What definitions render to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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
        takes_environment: true,
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

fn example(name: &str) -> Definition {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let text = std::fs::read_to_string(format!("{folder}/{name}/{FILE}")).unwrap();
    parse(&text, FILE).unwrap()
}

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
    let definition = example("workshop");
    insta::assert_snapshot!(shown(&rendered(&definition, &kinds).unwrap()));
}

#[test]
fn one_stack_without_a_file() {
    let rendering = rendered(&Definition::default(), &[("main", Kind::Stack)]).unwrap();
    insta::assert_snapshot!(shown(&rendering));
}

#[test]
fn a_python_service_and_its_approval() {
    let rendering = rendered(&example("python-service"), &[("api", Kind::Stack)]).unwrap();
    insta::assert_snapshot!(rendering.templates["pipeline.yaml"]);
}

#[test]
fn a_service_built_by_commands_and_one_by_a_task() {
    let text = r#"
application = "reports"

[services.api]
directory = "api"
build = { commands = ["pip install -r requirements.txt -t build", "echo \"${HOME}\""], environment = { PIP = "1" }, files = ["template.yaml", "build/**"], variables = ["VERSION"] }
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

#[test]
fn an_app_in_environments_of_its_own() {
    let text = "application = \"shop\"\n[environments]\nno = {}\nprd = { after = \"no\", approval = true }\n";
    let rendering = rendered(&parse(text, FILE).unwrap(), &[("main", Kind::App)]).unwrap();
    insta::assert_snapshot!(shown(&rendering));
}

#[test]
fn a_rollout_is_said_to_deploy_app_and_lets_it_call_its_hooks() {
    let text = "application = \"shop\"\n\
        [environments.int]\npre-traffic = \"check\"\n\
        [environments.prd]\nafter = \"int\"\nrollout = \"Canary10Percent5Minutes\"\nbake = \"10m\"\n\
        alarms = [\"errors & more\", \"slow\"]\npre-traffic = \"check\"\npost-traffic = \"look:live\"\n";
    let rendering = rendered(&parse(text, FILE).unwrap(), &[("main", Kind::App)]).unwrap();
    let pipeline = &rendering.templates["pipeline.yaml"];
    let of_deploy_app = pipeline
        .lines()
        .filter(|line| line.contains("UserParameters") && line.contains("&alias="))
        .map(str::trim);
    let launch = rendering.templates["delivery.yaml"].lines();
    let delay = launch.filter(|line| line.contains("MetricsDelay"));
    let delay: Vec<_> = delay.map(str::trim).collect();
    let policy = &rendering.templates["application.yaml"];
    let policy: Vec<_> = policy
        .lines()
        .skip_while(|line| !line.contains("Sid: CallHooks"))
        .take_while(|line| !line.is_empty())
        .collect();
    let of_deploy_app: Vec<_> = of_deploy_app.collect();
    let environments = rendering.environments.iter();
    let words: Vec<_> = environments
        .map(|one| format!("{}: {:?}", one.name, one.rollout))
        .collect();
    insta::assert_snapshot!(format!(
        "{}\n\n{}\n\n{}\n\n{}",
        of_deploy_app.join("\n"),
        delay.join("\n"),
        policy.join("\n"),
        words.join("\n")
    ));
}

#[test]
fn how_late_metrics_are_is_a_parameter_only_of_pipelines_that_watch() {
    let text = "application = \"shop\"\n\
        [environments.int]\n[environments.prd]\nafter = \"int\"\npre-traffic = \"check\"\nSET";
    let kinds = [("main", Kind::App)];
    for (keys, is_there) in [
        ("", false),
        ("rollout = \"all-at-once\"\n", false),
        ("rollout = \"canary:10@5m\"\n", true),
        ("bake = \"5m\"\nalarms = [\"slow\"]\n", true),
    ] {
        let text = text.replace("SET", keys);
        let rendering = rendered(&parse(&text, FILE).unwrap(), &kinds).unwrap();
        for file in ["delivery.yaml", "pipeline.yaml"] {
            let has = rendering.templates[file].contains("MetricsDelay");
            assert_eq!(has, is_there, "{file} with `{keys}`");
        }
    }
}

#[test]
fn the_functions_of_an_environment_without_the_app_may_not_be_called() {
    let text = "application = \"shop\"\n[services]\nshop = \"shop\"\ncart = \"cart\"\n\
        [environments.int]\n[environments.prd]\nshare = { cart = \"int\" }\npre-traffic = \"check\"\n";
    let kinds = [("shop", Kind::App), ("cart", Kind::App)];
    let rendering = rendered(&parse(text, FILE).unwrap(), &kinds).unwrap();
    assert!(rendering.templates["application-shop.yaml"].contains("function:check\""));
    assert!(!rendering.templates["application-cart.yaml"].contains("Sid: CallHooks"));
}

#[test]
fn a_rollout_needs_an_app() {
    let text = "application = \"shop\"\n[services]\nshop = \"shop\"\napi = \"api\"\n\
        [environments.int]\nrollout = \"canary:10@5m\"\n\
        [environments.prd]\nshare = { shop = \"int\" }\nrollout = \"canary:10@5m\"\npost-traffic = \"check\"\n\
        [environments.old]\nshare = { shop = \"int\" }\nbake = \"5m\"\nalarms = [\"x\"]\n";
    let kinds = [("shop", Kind::App), ("api", Kind::Stack)];
    let refused = rendered(&parse(text, FILE).unwrap(), &kinds).unwrap_err();
    insta::assert_snapshot!(refused);
}

#[test]
fn alarms_that_are_too_long_together() {
    let alarms: Vec<_> = (0..10)
        .map(|number| format!("\"{number}{}\"", "x".repeat(99)))
        .collect();
    let text = format!(
        "application = \"shop\"\n[environments.int]\nbake = \"5m\"\nalarms = [{}]\n",
        alarms.join(", ")
    );
    let refused = rendered(&parse(&text, FILE).unwrap(), &[("main", Kind::App)]).unwrap_err();
    insta::assert_snapshot!(refused);
}

/// The workshop with a pipeline for its table and one for the rest, which may change what the services say.
fn split(change: impl Fn(String) -> String) -> Result<Rendering, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let text = std::fs::read_to_string(format!("{folder}/workshop/{FILE}")).unwrap();
    let pipelines =
        "\n[pipelines]\napp = [\"restapi\", \"tasks\", \"website\"]\ninfra = [\"database\"]\n";
    let definition = parse(&change(text + pipelines), FILE).unwrap();
    let kinds = [
        ("database", Kind::Stack),
        ("restapi", Kind::Stack),
        ("tasks", Kind::Stack),
        ("website", Kind::Site),
    ];
    rendered(&definition, &kinds)
}

#[test]
fn several_pipelines_have_a_template_each() {
    let rendering = split(|text| {
        text.replace(
            "tasks    = { directory",
            "tasks    = { also = [\"shared/**\"], directory",
        )
    });
    let rendering = rendering.unwrap();
    insta::assert_snapshot!(format!("{:#?}\n{}", rendering.pipelines, shown(&rendering)));
}

#[test]
fn outputs_of_stacks_in_another_pipeline() {
    let test = "test = { task = \"t\", environment = { TABLE = \"${database.TableName}\" } }";
    let refused = split(|text| {
        text.replace(
            "config = {",
            "config = { table = \"${database.TableName}\",",
        )
        .replace("restapi  = {", &format!("restapi  = {{ {test},"))
    });
    insta::assert_snapshot!(refused.unwrap_err());
}

#[test]
fn an_environment_that_deploys_nothing_of_a_pipeline_is_no_stage_of_it() {
    let rendering = split(|text| {
        text.replace(
            "prd = {",
            "stg = { share = { database = \"int\" } }\nprd = {",
        )
    });
    let templates = rendering.unwrap().templates;
    let has_stage = |file: &str| templates[file].contains("\n        - Name: stg\n");
    assert!(has_stage("pipeline-app.yaml") && !has_stage("pipeline-infra.yaml"));
    assert!(!templates["pipeline-infra.yaml"].contains("StgAction"));
    assert!(!templates["delivery.yaml"].contains("InfraStgAction"));
}

#[test]
fn an_environment_has_nothing_of_the_services_that_it_shares() {
    let text = "application = \"shop\"\n[services]\n\
        api = { directory = \"api\", build = { task = \"b\" }, test = { task = \"t\" } }\n\
        web = { directory = \"web\", site = \".\", build = { task = \"b\" }, test = { task = \"t\" } }\n\
        [environments]\nint = {}\nstg = { after = \"int\", share = { web = \"int\" } }\n\
        prd = { after = \"stg\", approval = true }\n";
    let kinds = [("api", Kind::Stack), ("web", Kind::Site)];
    let rendering = rendered(&parse(text, FILE).unwrap(), &kinds).unwrap();
    let environments = rendering.environments.iter();
    let sites: Vec<_> = environments
        .map(|one| (one.name.as_str(), one.site_urls.len()))
        .collect();
    assert_eq!(sites, [("int", 1), ("stg", 0), ("prd", 1)]);
    for (name, text) in &rendering.templates {
        assert!(!text.contains("StgSite"), "{name}");
    }
    let pipeline = &rendering.templates["pipeline.yaml"];
    let count = |action: &str| pipeline.matches(&format!("- Name: {action}\n")).count();
    assert_eq!([count("deploy-stack-api"), count("e2e-api")], [3, 3]);
    assert_eq!([count("deploy-site-web"), count("e2e-web")], [2, 2]);
}

#[test]
fn the_address_of_a_site_in_another_pipeline_is_a_parameter() {
    let text = "application = \"shop\"\n[environments]\nint = {}\n[services]\n\
        web = { directory = \"web\", site = \".\" }\n\
        api = { directory = \"api\", parameters = { Origin = \"${web.Url}\" } }\n\
        [pipelines]\napp = [\"api\"]\nweb = [\"web\"]\n";
    let kinds = [("web", Kind::Site), ("api", Kind::Stack)];
    let rendering = rendered(&parse(text, FILE).unwrap(), &kinds).unwrap();
    let app = &rendering.templates["pipeline-app.yaml"];
    assert!(app.contains("\n  WebIntSiteUrl:\n"));
    assert!(app.contains("\"Parameter.Origin=${WebIntSiteUrl}&"));
    assert!(
        !app.contains("\n  WebIntSite:\n"),
        "its bucket is the other pipeline's"
    );
    let launched = &rendering.templates["delivery.yaml"];
    let passed = "WebIntSiteUrl: !GetAtt WebApplication.Outputs.IntSiteUrl\n";
    assert_eq!(
        launched.matches(passed).count(),
        2,
        "to the pipeline of the app, and to that which applies releases"
    );
    assert!(launched.contains("    DependsOn: [WebPipeline]\n"));
}

#[test]
fn an_app_in_a_pipeline_with_a_name() {
    let text = "application = \"shop\"\n[pipelines]\nall = [\"main\"]\n";
    let rendering = rendered(&parse(text, FILE).unwrap(), &[("main", Kind::App)]).unwrap();
    assert!(
        rendering.pipelines[0].paths.is_empty(),
        "the root is every path"
    );
    let launched = &rendering.templates["delivery.yaml"];
    assert!(launched.contains("        ApplicationDirectory: !Ref ApplicationDirectory\n"));
    assert!(launched.contains("        AcceptanceAction: !Ref AllAcceptanceAction\n"));
    assert!(!rendering.templates["pipeline-all.yaml"].contains("Triggers:"));
}

/// What is wrong with a definition in the one environment `int`.
fn refused(services: &str, kinds: &[(&str, Kind)]) -> String {
    let text =
        format!("application = \"shop\"\n[environments]\nint = {{}}\n[services]\n{services}");
    let definition = parse(&text, FILE).unwrap();
    rendered(&definition, kinds).unwrap_err()
}

#[test]
fn outputs_that_sites_and_apps_do_not_have() {
    let services = "web = { directory = \"web\", site = \".\" }\nshop = \"shop\"\n\
        api = { directory = \"api\", parameters = { A = \"${web.Adress}\", B = \"${shop.Url}\" } }\n";
    let kinds = [
        ("web", Kind::Site),
        ("shop", Kind::App),
        ("api", Kind::Stack),
    ];
    insta::assert_snapshot!(refused(services, &kinds));
}

#[test]
fn kinds_and_builds_that_cannot_be_deployed() {
    let services =
        "infra = \"infra\"\nshop = { directory = \"shop\", build = { commands = [\"make\"] } }\n";
    let kinds = [("infra", Kind::Terraform), ("shop", Kind::App)];
    insta::assert_snapshot!(refused(services, &kinds));
}

#[test]
fn names_that_are_the_same_in_templates() {
    let services = "a-1b = \"one\"\na1b = \"two\"\n";
    let kinds = [("a-1b", Kind::Stack), ("a1b", Kind::Stack)];
    let pipelines = "a = \"one\"\nb = \"two\"\n[pipelines]\na-1b = [\"a\"]\na1b = [\"b\"]\n";
    insta::assert_snapshot!(refused(
        pipelines,
        &[("a", Kind::Stack), ("b", Kind::Stack)]
    ));
    let app = refused("deploy = \"shop\"\n", &[("deploy", Kind::App)]);
    insta::assert_snapshot!(app);
    insta::assert_snapshot!(refused(services, &kinds));
}

#[test]
fn limits_of_codepipeline_are_known_before() {
    let long = "x".repeat(400);
    let web = format!(
        "web = {{ directory = \"web\", site = \".\", test = {{ task = \"t\", environment = {{ A = \"{long}\", B = \"{long}\" }} }} }}\n"
    );
    insta::assert_snapshot!(refused(&web, &[("web", Kind::Site)]));

    let commands: Vec<_> = (0..50).map(|number| format!("\"echo {number}\"")).collect();
    let api = format!(
        "api = {{ directory = \"api\", build = {{ commands = [{}] }} }}\n",
        commands.join(", ")
    );
    insta::assert_snapshot!(refused(&api, &[("api", Kind::Stack)]));

    let names: Vec<_> = (0..50).map(|number| format!("s{number}")).collect();
    let services: Vec<_> = names
        .iter()
        .map(|name| format!("{name} = \"{name}\""))
        .collect();
    let services = services.join("\n") + "\n";
    let kinds: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Kind::Stack))
        .collect();
    insta::assert_snapshot!(refused(&services, &kinds));

    let name = format!("a{}", "b".repeat(90));
    let shop = format!("{name} = {{ directory = \"shop\", test = {{ task = \"t\" }} }}\n");
    insta::assert_snapshot!(refused(&shop, &[(&name, Kind::App)]));
}

#[test]
fn e2e_is_told_what_it_tests_where_there_is_room() {
    for (length, is_told) in [(1, true), (250, false)] {
        let value = "x".repeat(length);
        let text = format!(
            "application = \"hello\"\n[services]\nshop = {{ directory = \"shop\", test = {{ task = \"t\", environment = {{ A = \"{value}\" }} }} }}\n"
        );
        let rendering = rendered(&parse(&text, FILE).unwrap(), &[("shop", Kind::App)]).unwrap();
        let pipeline = &rendering.templates["pipeline.yaml"];
        let told =
            "&function=${ShopFunction}:#{ShopTestAppVariables.FunctionVersion}&${E2eParameters}\"";
        assert_eq!(pipeline.contains(told), is_told, "{pipeline}");
    }
}

/// With names as long as these, 30 aliases are more than the variables of one function can hold.
#[test]
fn more_aliases_than_a_guard_can_watch() {
    let names: Vec<_> = (0..10)
        .map(|number| format!("{}{number}", "s".repeat(50)))
        .collect();
    let mut text = "application = \"shop\"\n[environments]\n".to_owned();
    text.extend((0..3).map(|number| format!("e{number} = {{}}\n")));
    text.push_str("[services]\n");
    text.extend(names.iter().map(|name| format!("{name} = \"{name}\"\n")));
    let kinds: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Kind::App))
        .collect();
    let definition = parse(&text, FILE).unwrap();
    insta::assert_snapshot!(rendered(&definition, &kinds).unwrap_err());
}

/// What the actions of a pipeline are told, one a line.
fn told(rendering: &Rendering, file: &str) -> String {
    let lines = rendering.templates[file].lines().map(str::trim);
    let is_told = |line: &&str| {
        [
            "- Name:",
            "RunOrder:",
            "Namespace:",
            "UserParameters:",
            "- !Sub \"",
        ]
        .iter()
        .any(|start| line.starts_with(start))
            && !line.contains("arn:")
    };
    lines.filter(is_told).collect::<Vec<_>>().join("\n")
}

/// An application with each kind of service, and each way to build one.
const MIXED: &str = r#"
application = "mixed"

[services]
database = "database"
shop = { directory = "shop", test = { task = "test-functional" } }
website = { directory = "web", site = "out", build = { task = "build" }, config = { api = "${database.Url}", shop = "${shop.ApiUrl}", both = "${shop.ApiUrl}-${env}" } }

[services.restapi]
directory = "api"
build = { commands = ["make"] }
parameters = { Origin = "${website.Url}/${env}", Table = "${database.Table}" }
test = { task = "t", environment = { WHERE = "${env}", ORIGIN = "${website.Url}", URL = "${restapi.Url}" } }

[services.jobs]
directory = "jobs"
build = { task = "package" }

[environments]
qa = { ttl = "4h", share = { shop = "int" } }
dev = { ttl = "20:00", share = { shop = "int" } }
int = {}
prd = { after = "int", approval = true }
"#;

const KINDS_OF_MIXED: [(&str, Kind); 5] = [
    ("database", Kind::Stack),
    ("shop", Kind::App),
    ("website", Kind::Site),
    ("restapi", Kind::Stack),
    ("jobs", Kind::Stack),
];

fn mixed(change: impl Fn(&str) -> String) -> Result<Rendering, String> {
    rendered(&parse(&change(MIXED), FILE).unwrap(), &KINDS_OF_MIXED)
}

/// A site there must not name the shop, which has no address of its own in those environments.
fn without_the_shop_s_address(text: &str) -> String {
    text.replace(
        ", shop = \"${shop.ApiUrl}\", both = \"${shop.ApiUrl}-${env}\"",
        "",
    )
}

#[test]
fn a_release_goes_through_the_environments() {
    let rendering = mixed(without_the_shop_s_address).unwrap();
    insta::assert_snapshot!(format!(
        "{:#?}\n\n{}",
        rendering.applying,
        told(&rendering, "pipeline.yaml")
    ));
    insta::assert_snapshot!(told(&rendering, "pipeline-apply-prd.yaml"));
    insta::assert_snapshot!(told(&rendering, "pipeline-apply-dev.yaml"));
}

#[test]
fn a_manual_environment_has_no_stage_and_a_pipeline_of_its_own() {
    let rendering = mixed(|text| {
        without_the_shop_s_address(text).replace(
            "prd = { after = \"int\", approval = true }",
            "prd = { after = \"int\", manual = true }",
        )
    });
    let rendering = rendering.unwrap();
    let stages = |template: &str| -> Vec<String> {
        let lines = rendering.templates[template].lines();
        let names = lines.filter_map(|line| line.strip_prefix("        - Name: "));
        names.map(ToOwned::to_owned).collect()
    };
    assert_eq!(stages("pipeline.yaml"), ["Source", "Commit", "qa", "int"]);
    let applies = stages("pipeline-apply-prd.yaml");
    assert_eq!(applies.last().map(String::as_str), Some("prd"));

    // The user's own action runs there, whatever its input, and in no other pipeline.
    let delivery = &rendering.templates["delivery.yaml"];
    assert!(!rendering.templates["pipeline.yaml"].contains("PrdAction"));
    assert!(delivery.contains("        PrdAction: !Ref PrdAction\n"));
    assert!(delivery.contains(
        "        PrdActionInput: !Ref PrdActionInput\n        PipelineName: !Sub \"${AWS::StackName}-apply-prd\"\n"
    ));
    let of_prd = &rendering.templates["pipeline-apply-prd.yaml"];
    assert!(!of_prd.contains("Verifies"));
    assert!(own_actions_before_the_end(
        of_prd,
        &["- Name: !Ref PrdAction"]
    ));
}

/// Whether these actions are there once each, and the deployment ends after them.
fn own_actions_before_the_end(template: &str, names: &[&str]) -> bool {
    let order = |name: &str| -> Option<usize> {
        assert_eq!(template.matches(&format!("{name}\n")).count(), 1, "{name}");
        let (_, action) = template.split_once(name)?;
        let (_, order) = action.split_once("RunOrder: ")?;
        order.lines().next()?.parse().ok()
    };
    let end = order("            - Name: release").unwrap();
    names.iter().all(|name| order(name).unwrap() + 1 == end)
}

#[test]
fn an_action_of_the_user_s_own_runs_with_each_release_that_is_applied() {
    let rendering = mixed(without_the_shop_s_address).unwrap();
    let delivery = &rendering.templates["delivery.yaml"];
    let condition = delivery
        .lines()
        .find(|line| line.starts_with("  IntActionIsApplied: "));
    let condition = condition.unwrap();
    // Its input has to be made there: the sources are, what services are built to is not.
    let input =
        |artifact: &str| condition.contains(&format!("!Equals [!Ref IntActionInput, {artifact}]"));
    assert!(input("\"\"") && input("SourceOutput"), "{condition}");
    assert!(
        !condition.contains("Dist") && !condition.contains("Build"),
        "{condition}"
    );
    for passed in [
        "IntAction: !If [IntActionIsApplied, !Ref IntAction, \"\"]",
        "IntActionInput: !If [IntActionIsApplied, !Ref IntActionInput, \"\"]",
        "Verifies: !If [IntActionIsApplied, \"on\", \"off\"]",
    ] {
        assert_eq!(delivery.matches(passed).count(), 1, "{passed}");
    }
    let of_int = &rendering.templates["pipeline-apply-int.yaml"];
    assert!(of_int.contains("&verify=${Verifies}"), "{of_int}");
    assert!(own_actions_before_the_end(
        of_int,
        &["- Name: !Ref IntAction"]
    ));
    let pipeline = &rendering.templates["pipeline.yaml"];
    assert!(!pipeline.contains("Verifies"));
}

#[test]
fn actions_of_the_user_s_own_in_several_pipelines_run_with_each_release_that_is_applied() {
    let rendering = split(|text| text).unwrap();
    let delivery = &rendering.templates["delivery.yaml"];
    // Their only input is the sources, which are here, too.
    assert!(!delivery.contains("IsApplied"), "{delivery}");
    for name in ["AppIntAction", "InfraIntAction"] {
        let passed = format!("        {name}: !Ref {name}\n");
        assert_eq!(delivery.matches(&passed).count(), 1, "{name}");
    }
    // One function may be the action of both.
    let of_int = &rendering.templates["pipeline-apply-int.yaml"];
    let names = [
        "- Name: !Sub \"app-${AppIntAction}\"",
        "- Name: !Sub \"infra-${InfraIntAction}\"",
    ];
    assert!(own_actions_before_the_end(of_int, &names));
}

#[test]
fn what_an_execution_made_is_removed_however_its_stage_ends() {
    let rendering = mixed(without_the_shop_s_address).unwrap();
    let pipeline = &rendering.templates["pipeline.yaml"];
    let told = |rule: &str| {
        let rule = pipeline
            .lines()
            .skip_while(|line| *line != format!("  {rule}:"));
        let mut rule = rule.skip(1).take_while(|line| !line.is_empty());
        let mut found = |key: &str| {
            let line = rule.find(|line| line.trim().starts_with(key)).unwrap();
            line.trim().to_owned()
        };
        (found("stage:"), found("state:"))
    };
    let failed = ("stage: [int, prd]", "state: [FAILED, STOPPED, CANCELED]");
    assert_eq!(
        told("FailedStageRule"),
        (failed.0.to_owned(), failed.1.to_owned())
    );
    let ended = (
        "stage: [qa]",
        "state: [SUCCEEDED, FAILED, STOPPED, CANCELED]",
    );
    assert_eq!(
        told("EndedStageRule"),
        (ended.0.to_owned(), ended.1.to_owned())
    );
}

#[test]
fn a_site_is_told_of_the_addresses_that_no_stack_has() {
    let rendering = mixed(|text| {
        let families = text.find("qa = ").unwrap()..text.find("int = ").unwrap();
        text.replace(&text[families], "")
    });
    let told = told(&rendering.unwrap(), "pipeline.yaml");
    let of_site = told
        .lines()
        .find(|line| line.contains("bucket=${WebsiteIntSite}&releases"));
    assert!(of_site.is_none(), "the address comes before");
    let address = "bucket=${WebsiteIntSite}&Address.shop.ApiUrl=${ShopIntApiUrl}&releases=";
    assert_eq!(
        told.matches(address).count(),
        1,
        "once, though two values have it"
    );
}

/// Of an app that is another environment's, a family has no address for its site.
#[test]
fn apps_and_their_addresses_in_families() {
    insta::assert_snapshot!(mixed(ToOwned::to_owned).unwrap_err());
    let alone = mixed(|text| {
        without_the_shop_s_address(text)
            .replace(
                "qa = { ttl = \"4h\", share = { shop = \"int\" } }",
                "qa = {}",
            )
            .replace(
                "dev = { ttl = \"20:00\", share = { shop = \"int\" } }",
                "dev = { ttl = \"2h\" }",
            )
    });
    insta::assert_snapshot!(alone.unwrap_err());
}

/// The branch is a value of `UserParameters`, and CodePipeline encodes nothing.
#[test]
fn the_name_of_the_branch_has_nothing_that_separates_parameters() {
    let rendering = mixed(without_the_shop_s_address).unwrap();
    for file in ["delivery.yaml", "pipeline.yaml"] {
        let text = &rendering.templates[file];
        assert!(text.contains("x7f%&+]{1,255}$\""), "{file}");
    }
}

#[test]
fn nobody_is_told_of_the_execution_that_only_its_creation_started() {
    let rendering = mixed(without_the_shop_s_address).unwrap();
    let unless = "external-execution-summary: [{ exists: false }, { anything-but: { wildcard: \"*no release is given*\" } }]";
    for (file, text) in &rendering.templates {
        let is_applying = file.starts_with("pipeline-apply-");
        assert_eq!(text.contains(unless), is_applying, "{file}");
    }
}

#[test]
fn developers_have_a_pipeline_only_where_their_environments_end() {
    let rendering = mixed(|text| {
        without_the_shop_s_address(text).replace("dev = { ttl = \"20:00\", ", "dev = { ")
    });
    let applying = rendering.unwrap().applying;
    let names: Vec<_> = applying.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["apply-int", "apply-prd"]);
}

#[test]
fn an_execution_s_environment_has_the_services_of_one_pipeline() {
    let pipelines = "\n[pipelines]\ndata = [\"database\"]\nrest = [\"shop\", \"website\", \"restapi\", \"jobs\"]\n";
    let split = |text: &str| without_the_shop_s_address(text) + pipelines;
    insta::assert_snapshot!(mixed(split).unwrap_err());
    let shared = mixed(|text| {
        split(text).replace(
            "qa = { ttl = \"4h\", share = { ",
            "qa = { share = { database = \"int\", ",
        )
    });
    let templates = shared.unwrap().templates;
    assert!(!templates["pipeline-data.yaml"].contains("- Name: qa\n"));
    assert!(templates["pipeline-rest.yaml"].contains("- Name: qa\n"));
    assert!(templates["pipeline-data.yaml"].contains("&services=database&"));
}

#[test]
fn names_of_pipelines_that_apply_releases_are_taken() {
    let text = "application = \"shop\"\n[environments]\nint = {}\n[services]\na = \"a\"\n[pipelines]\napply-int = [\"a\"]\n";
    let refused = rendered(&parse(text, FILE).unwrap(), &[("a", Kind::Stack)]);
    insta::assert_snapshot!(refused.unwrap_err());
}

/// However many services there are, an action has five artifacts and 1,000 characters at most.
#[test]
fn many_services_are_packaged_by_several_actions() {
    let names: Vec<_> = (0..40)
        .map(|number| format!("{}{number}", "s".repeat(20)))
        .collect();
    let services: Vec<_> = names
        .iter()
        .map(|name| {
            format!("{name} = {{ directory = \"{name}\", build = {{ commands = [\"make\"] }} }}\n")
        })
        .collect();
    let text = format!(
        "application = \"many\"\n[environments]\nint = {{}}\n[services]\n{}",
        services.concat()
    );
    let kinds: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Kind::Stack))
        .collect();
    let rendering = rendered(&parse(&text, FILE).unwrap(), &kinds).unwrap();
    let told = told(&rendering, "pipeline.yaml");
    let releases: Vec<_> = told
        .lines()
        .filter(|line| line.contains("&config="))
        .collect();
    assert_eq!(releases.len(), 10, "four artifacts each, and the source");
    for line in &releases[..9] {
        assert!(line.contains("&last=off&"), "{line}");
    }
    let last = releases[9];
    assert!(last.contains("&entries=#{Release9Variables.Entries}&") && !last.contains("last="));
}
