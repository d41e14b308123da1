//! A service of a definition.

use delivery_testing::events::JobEvent;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use test_case::test_case;

use crate::harness::{PACKAGES, ROLE, STORE, changes, put, run, world};

const DEFINITION: &str = r#"
application = "workshop"

[services]
database = "backend-database"
restapi = { directory = "backend-restapi", parameters = { TableLength = "${database.TemplateLength}", Stage = "at-${env}" }, allow = ["Table"] }
website = { directory = "frontend", site = "build" }

[environments]
dev = {}
int = { parameters = { Level = "debug", Other = "x" } }
prd = { after = "int", protected = true, services.restapi = { Level = "warn" } }
"#;

const DATABASE: &str = "Resources:\n  Table: { Type: AWS::DynamoDB::Table }\n";

const RESTAPI: &str = "\
Parameters:
  Environment: { Type: String }
  Level: { Type: String, Default: info }
  Stage: { Type: String }
  TableLength: { Type: Number }
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: src, Handler: index.handler, Runtime: nodejs22.x }
";

async fn workshop() -> World {
    let world = world().await;
    put(&world, "source", &[("delivery.toml", DEFINITION)]).await;
    let files = [
        ("backend-database/template.yaml", DATABASE),
        ("backend-restapi/template.yaml", RESTAPI),
        ("backend-restapi/src/index.js", "1"),
        ("frontend/package.json", "{}"),
    ];
    put(&world, "built", &files).await;
    world
}

fn job(id: u32, environment: &str, service: &str, more: &str) -> JobEvent {
    let parameters =
        format!("environment={environment}&service={service}&bucket={PACKAGES}&role={ROLE}{more}");
    JobEvent::new()
        .id(&format!("{id}1111111-1111"))
        .input("BuildOutput", STORE, "built")
        .input("SourceOutput", STORE, "source")
        .user_parameters(&parameters)
}

async fn deploy(world: &World, id: u32, environment: &str, service: &str) -> Reported {
    run(world, job(id, environment, service, "")).await
}

#[tokio::test]
async fn a_service_gets_its_parameters_by_precedence_and_the_outputs_of_others() {
    let world = workshop().await;
    for (id, environment) in ["int", "prd"].into_iter().enumerate() {
        let id = u32::try_from(id).unwrap() * 2;
        deploy(&world, id, environment, "database")
            .await
            .variables();
        let found = deploy(&world, id + 1, environment, "restapi")
            .await
            .variables();
        assert_eq!(found["Stack"], format!("workshop-{environment}-restapi"));
    }
    let stacks = world.cloud_formation().snapshot();
    let of = |stack: &str| stacks[stack].parameters.clone();
    let length = DATABASE.len().to_string();
    let expected = |environment: &str, level: &str| {
        [
            ("Environment", environment),
            ("Level", level),
            ("Stage", &format!("at-{environment}")),
            ("TableLength", &length),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    };
    assert_eq!(of("workshop-int-restapi"), expected("int", "debug"));
    assert_eq!(of("workshop-prd-restapi"), expected("prd", "warn"));
    assert!(of("workshop-int-database").is_empty());
    let tags = &stacks["workshop-prd-restapi"].tags;
    let tags: Vec<String> = tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        tags,
        [
            "delivery:application=workshop",
            "delivery:environment=prd",
            "delivery:service=restapi"
        ]
    );
    assert!(stacks["workshop-prd-restapi"].protected);
    assert!(!stacks["workshop-int-restapi"].protected);
}

#[tokio::test]
async fn a_parameter_of_the_action_overrides_all_others() {
    let world = workshop().await;
    let more = "&Parameter.Level=trace&Parameter.TableLength=1";
    run(&world, job(1, "int", "restapi", more))
        .await
        .variables();
    let stacks = world.cloud_formation().snapshot();
    let parameters = &stacks["workshop-int-restapi"].parameters;
    assert_eq!(
        (&*parameters["Level"], &*parameters["TableLength"]),
        ("trace", "1")
    );
}

#[test_case("CREATE_COMPLETE")]
#[test_case("UPDATE_ROLLBACK_COMPLETE")]
#[test_case("UPDATE_ROLLBACK_FAILED")]
#[test_case("ROLLBACK_COMPLETE")]
#[test_case("DELETE_FAILED")]
#[tokio::test]
async fn a_stack_of_someone_else_is_not_touched(status: &str) {
    let world = workshop().await;
    let stack = "workshop-int-database";
    world
        .cloud_formation()
        .add_stack(stack, "an older template");
    world.cloud_formation().set_status(stack, status);
    let job = job(1, "int", "database", "&continue-rollback=on");
    let message = run(&world, job).await.failure();
    assert!(
        message.contains("the stack belongs to no application"),
        "{message}"
    );
    assert_eq!(changes(&world), [""; 0]);
}

#[tokio::test]
async fn an_applications_own_stack_is_updated() {
    let world = workshop().await;
    deploy(&world, 1, "int", "database").await.variables();
    let other = DATABASE.replace("Table:", "Bookings:");
    put(
        &world,
        "built",
        &[("backend-database/template.yaml", other.as_str())],
    )
    .await;
    let found = deploy(&world, 2, "int", "database").await.variables();
    assert_eq!(found["Changed"], "true");
}

#[tokio::test]
async fn what_is_wrong_with_the_definition_or_its_use_is_named() {
    let world = workshop().await;
    let mut messages = Vec::new();
    let jobs = [
        ("int", "restapi", ""),
        ("int", "databse", ""),
        ("itn", "database", ""),
        ("int", "website", ""),
        ("int", "database", "&Parameter.Levle=x"),
        (
            "int",
            "restapi",
            "&Parameter.TableLength=1&Parameter.Levle=x",
        ),
        ("int", "restapi", "&Parameter.TableLength=long"),
        ("int", "database", "&definition=workshop.toml"),
    ];
    for (id, (environment, service, more)) in jobs.into_iter().enumerate() {
        let id = u32::try_from(id).unwrap();
        let result = run(&world, job(id, environment, service, more)).await;
        messages.push(result.failure());
    }
    deploy(&world, 20, "int", "database").await.variables();
    let other = DEFINITION.replace("database.TemplateLength", "database.Length");
    put(&world, "source", &[("delivery.toml", &other)]).await;
    messages.push(deploy(&world, 21, "int", "restapi").await.failure());
    put(
        &world,
        "source",
        &[("delivery.toml", "[services]\na = 1\n")],
    )
    .await;
    messages.push(deploy(&world, 22, "int", "restapi").await.failure());
    insta::assert_snapshot!(messages.join("\n\n"));
    assert_eq!(crate::harness::effects(&world), 1);
}
