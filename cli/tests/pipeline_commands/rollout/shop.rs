//! A pipeline that deploys functions, and what Lambda has of them.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::Client;
use delivery_alias::FunctionAlias;
use delivery_rollout::{Change, Description, Marker, Phase, Share};
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::world::World as Aws;

use crate::world::{PIPELINE, World};

/// A pipeline that delivers the function `greeter`, and others where there are more, with three versions each.
pub(super) struct Shop {
    pub(super) world: World,
    pub(super) aws: Aws,
}

impl Shop {
    pub(super) async fn start() -> Self {
        let shop = Self::with(&["greeter"]).await;
        shop.world.deploy_a_function(PIPELINE).await;
        shop
    }

    /// A shop of several functions, each with an action of its own.
    pub(super) async fn of_several(functions: &[&str]) -> Self {
        let shop = Self::with(functions).await;
        let actions: Vec<String> = functions
            .iter()
            .map(|name| format!("deploy-app-{name}"))
            .collect();
        let actions = actions.iter().map(String::as_str);
        let actions: Vec<_> = actions.zip(functions.iter().copied()).collect();
        shop.world.deploy_functions(PIPELINE, &actions).await;
        shop
    }

    async fn with(functions: &[&str]) -> Self {
        let aws = Aws::start().await;
        let lambda = Client::new(&aws.test_config());
        for name in functions {
            aws.lambda().add_function(name, b"one", &["prod"]);
            for code in [b"two", b"tri"] {
                aws.lambda().change_code(name, code);
                let publish = lambda.publish_version().function_name(*name);
                publish.send().await.unwrap();
            }
        }
        let mut world = World::start().await;
        for name in ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_CLOUDWATCH"] {
            world.endpoints.push((name, aws.url()));
        }
        let _of_the_creation = world.job_of("package").await;
        world.run(&["stop", "--abandon"]).await;
        Self { world, aws }
    }

    /// Delivers a version of each function, and returns the commit.
    pub(super) async fn deliver_each(&mut self, functions: &[&str], version: &str) -> String {
        for function in functions {
            self.set_alias_of(function, version);
        }
        self.world.start_to_deploy(version).await;
        self.world.bring_each(functions.len(), version).await;
        self.world.commit.clone()
    }

    /// From now on somebody else gives a function's alias this version, once, just before the program changes it.
    pub(super) async fn be_overtaken(
        &mut self,
        function: &'static str,
        version: &'static str,
    ) -> Proxy {
        let aws = self.aws.clone();
        let overtake: Hook = Arc::new(move || {
            aws.lambda().change_alias(function, "prod", version, &[]);
            Box::pin(std::future::ready(()))
        });
        let rule = Rule {
            resource: Some(format!("{function}/prod")),
            ..Rule::once("lambda:UpdateAlias", Fault::Before(overtake))
        };
        self.through(rule).await
    }

    /// From now on Lambda refuses to change a function's alias.
    pub(super) async fn refuse(&mut self, function: &str) -> Proxy {
        let rule = Rule {
            resource: Some(format!("{function}/prod")),
            ..Rule::always("lambda:UpdateAlias", Fault::Status(403))
        };
        self.through(rule).await
    }

    async fn through(&mut self, rule: Rule) -> Proxy {
        let proxy = Proxy::start(&self.aws.url(), [rule]).await;
        self.world.endpoints[0].1 = proxy.url();
        proxy
    }

    pub(super) fn alias(&self) -> FunctionAlias {
        self.alias_of("greeter")
    }

    pub(super) fn alias_of(&self, function: &str) -> FunctionAlias {
        FunctionAlias::new(&Client::new(&self.aws.test_config()), function, "prod")
    }

    /// Puts the alias into a rollout of version 3 over 2, of this execution.
    pub(super) async fn roll_out(&self, execution: &str) {
        self.roll_out_of("greeter", execution).await;
    }

    pub(super) async fn roll_out_of(&self, function: &str, execution: &str) {
        roll_out(&self.alias_of(function), execution).await;
    }

    /// The version with all traffic, and what the alias says.
    pub(super) async fn served(&self) -> (String, Description) {
        let found = self.alias().read().await.unwrap().unwrap();
        assert!(found.alias.weights.is_empty(), "{found:?}");
        (found.alias.version, found.alias.description)
    }

    pub(super) fn set_alias(&self, version: &str) {
        self.set_alias_of("greeter", version);
    }

    pub(super) fn set_alias_of(&self, function: &str, version: &str) {
        let mut lambda = self.aws.lambda();
        lambda.change_alias(function, "prod", version, &[]);
    }

    /// The versions with all traffic.
    pub(super) fn versions_of(&self, functions: &[&str]) -> Vec<String> {
        let mut lambda = self.aws.lambda();
        let aliases = functions.iter().map(|name| {
            let alias = &lambda.function(name).aliases["prod"];
            assert!(alias.weights().is_empty(), "{alias:?}");
            alias.version().to_owned()
        });
        aliases.collect()
    }
}

/// Puts an alias into a rollout of version 3 over 2, of this execution.
pub(crate) async fn roll_out(alias: &FunctionAlias, execution: &str) {
    let found = alias.read().await.unwrap().unwrap();
    let now = delivery_action::clock::timestamp();
    let change = Change {
        version: "2".to_owned(),
        share: Share::from_permille(100).map(|share| ("3".to_owned(), share)),
        description: Description {
            marker: Some(Marker {
                id: "7f3a91c2e0".to_owned(),
                execution: Some(execution[..8].to_owned()),
                new: "3".to_owned(),
                stable: "2".to_owned(),
                phase: Phase::Step {
                    index: 0,
                    count: 1,
                    since: now,
                    watched_until: now + Duration::from_mins(30),
                },
            }),
            revision: None,
            before: Some("1".to_owned()),
        },
    };
    alias.change(&found, &change).await.unwrap();
}
