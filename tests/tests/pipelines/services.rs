//! Services and environments of `delivery.toml`: an app, a site as it lies in the source, and one that commands make.

use std::fs;
use std::path::Path;

use pipeline_tests::application::Application;
use pipeline_tests::delivery::Delivery;
use pipeline_tests::home::home;
use pipeline_tests::visitor::Visitor;
use serde_json::json;

const DEFINITION: &str = r#"
application = "mixed"

[services]
pages = { directory = "static pages", site = "public", config = { shop = "${shop.ApiUrl}", stage = "${env}", title = "a & b" } }

[services.shop]
directory = "shop"
test = { task = "test-functional" }

[services.made]
directory = "made"
site = "out"
build = { commands = ["mkdir out", "cp page.html out/index.html"], files = ["out/**"] }

[environments]
int = {}
prd = { after = "int", rollout = "canary:10@5m", bake = "5m" }
eu = { after = "prd", manual = true }
"#;

/// The greeter becomes one of three services.
fn three_services() -> Application {
    let application = Application::example("greeter").unwrap();
    let root = application.path();
    let entries: Vec<_> = fs::read_dir(root).unwrap().map(Result::unwrap).collect();
    fs::create_dir(root.join("shop")).unwrap();
    for entry in entries.iter().filter(|entry| entry.file_name() != ".git") {
        fs::rename(entry.path(), root.join("shop").join(entry.file_name())).unwrap();
    }
    write(root, "static pages/public/index.html", "<h1>pages</h1>");
    write(root, "made/page.html", "<h1>made</h1>");
    write(root, "delivery.toml", DEFINITION);
    application.commit("Have three services").unwrap();
    application
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_services_reach_two_environments() {
    let application = three_services();
    let home = home();
    let delivery = Delivery::silently(application.path(), home.path());
    let _kept = delivery.ends_with_this();

    let run = delivery.run(&["--keep"]).await.unwrap();

    assert_eq!(run.exit_code, 0, "{}", run.printed);
    let actions = run.actions();
    let of_stage = |stage: &str| -> Vec<String> {
        let mut names: Vec<String> = actions
            .iter()
            .filter(|(of, ..)| of == stage)
            .map(|(_, action, _)| action.clone())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        of_stage("Commit"),
        [
            "commands-made",
            "npm-install-shop",
            "release",
            "test-and-package-shop"
        ]
    );
    let deployed = [
        "deploy-api-shop",
        "deploy-app-shop",
        "deploy-site-made",
        "deploy-site-pages",
        "deploy-site-shop",
        "e2e-shop",
        "release",
    ];
    let visitor = Visitor::default();
    for stage in ["int", "prd"] {
        assert_eq!(of_stage(stage), deployed);
        let (api, site) = run.urls(stage).unwrap();
        let config = visitor.get(&format!("{site}config.json")).await.unwrap();
        let config: serde_json::Value = serde_json::from_str(&config.body).unwrap();
        let expected = json!({
            "version": application.head().unwrap(),
            "shop": api.trim_end_matches('/'),
            "stage": stage,
            "title": "a & b",
        });
        assert_eq!(config, expected);
        let page = visitor.get(&site).await.unwrap();
        assert_eq!(page.body, "<h1>pages</h1>");
    }
    let notices = run.events.iter().filter(|one| one["type"] == "notice");
    let said: Vec<_> = notices.filter_map(|one| one["message"].as_str()).collect();
    let promotion = "`eu` is `manual`: bring this release there with `delivery promote prd eu`";
    assert!(said.contains(&promotion), "{said:?}");
}
