//! The actions of an environment's stage: services by waves, then tests.

use delivery_definition::{Capability, Kind, Mistake, Source};

use crate::commit::{self, Built, app_artifact, build_namespace, built, installed};
use crate::pipeline::{Action, COMMIT, SOURCE, Work, with_execution};
use crate::plan::{Plan, PlannedEnvironment, PlannedService};
use crate::query::{Piece, Query};
use crate::rollout;
use crate::values::{needs_pipeline, pieces, stack_namespace};

/// Keys of a site's `config.json` that deploy-site has parameters of their own for.
const OWN_CONFIG: [&str; 2] = ["apiBaseurl", "version"];

/// A stage that is rendered.
struct Deployment<'a, 'b> {
    plan: &'b Plan<'a>,
    environment: &'b PlannedEnvironment<'a>,
    mistakes: &'b mut Vec<Mistake>,
}

pub(crate) fn actions(
    plan: &Plan<'_>,
    environment: &PlannedEnvironment<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Action> {
    let mut deployment = Deployment {
        plan,
        environment,
        mistakes,
    };
    let mut actions: Vec<Action> = Vec::new();
    let mut run_order = 1;
    for wave in plan.request.definition.waves() {
        let services: Vec<_> = wave
            .iter()
            .filter(|one| environment.target.deploys(one))
            .filter_map(|one| plan.service(&one.name))
            .collect();
        for service in services {
            actions.extend(deployment.service(service, run_order));
        }
        run_order = next(&actions);
    }
    let deployed = plan.services.iter();
    let tests = deployed
        .filter(|one| environment.target.deploys(one.service))
        .filter_map(|service| deployment.test(service, run_order));
    actions.extend(tests.collect::<Vec<_>>());
    actions
}

fn next(actions: &[Action]) -> usize {
    actions
        .iter()
        .map(|action| action.run_order)
        .max()
        .unwrap_or_default()
        + 1
}

impl Deployment<'_, '_> {
    fn service(&mut self, service: &PlannedService<'_>, run_order: usize) -> Vec<Action> {
        match service.kind {
            Kind::Stack => vec![self.stack(service, run_order)],
            Kind::Site => vec![self.site(service, run_order)],
            Kind::App => vec![
                self.app(service, run_order),
                self.api(service, run_order + 1),
                self.app_site(service, run_order + 2),
            ],
            // Reported where the services are planned.
            Kind::Terraform | Kind::Serverless => Vec::new(),
        }
    }

    /// What a parameter, an output or a namespace of a service is called here: `WebsiteIntSite`.
    fn id(&self, service: &PlannedService<'_>, what: &str) -> String {
        format!("{}{what}", service.in_environment(self.environment))
    }

    fn stack(&mut self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let Built {
            artifact, digest, ..
        } = built(service);
        let mut parameters = self.named(service);
        let target = &self.environment.target;
        for (name, parameter) in target.parameters(service.service, |_| false) {
            // The environment's own value goes before the service's; deploy-stack knows whether the template declares it.
            let is_overridden = parameter.source == Source::Service
                && target.settings.parameters.get(&name).is_some();
            if needs_pipeline(self.plan, &parameter.value) && !is_overridden {
                let line = parameter.line.unwrap_or(service.service.line);
                let text = delivery_definition::Located {
                    value: parameter.value,
                    line,
                };
                let value = pieces(self.plan, self.environment, &text, self.mistakes);
                parameters = parameters.add(&format!("Parameter.{name}"), &value);
            }
        }
        let mut parameters = parameters
            .parameter("bucket", "Packages")
            .parameter("role", "CloudFormationRole")
            .parameter("boundary", "Boundary")
            .variable("revision", COMMIT);
        if let Some(digest) = digest {
            parameters = parameters.variable("digest", &digest);
        }
        let parameters = with_execution(parameters);
        let inputs = match artifact.as_str() {
            SOURCE => vec![artifact],
            // `delivery.toml` is in the source.
            _ => vec![artifact, SOURCE.to_owned()],
        };
        let name = service.action("deploy-stack");
        Action::of_function(
            "DeployStack",
            name,
            run_order,
            parameters,
            service.service.line,
        )
        .namespace(stack_namespace(service, self.environment))
        .reads(inputs)
    }

    /// Which stack: by the file, or without one by its name.
    fn named(&self, service: &PlannedService<'_>) -> Query {
        let environment = self.environment.name();
        if self.plan.request.definition.application().is_some() {
            return Query::default()
                .text("environment", environment)
                .text("service", &service.service.name);
        }
        let stack = self
            .environment
            .target
            .stack(self.plan.application(), service.service);
        let capabilities = service
            .service
            .capabilities()
            .iter()
            .map(|one| Capability::word(*one));
        let query = Query::default()
            .text("stack", &stack.unwrap_or_default())
            .text("template", service.template.unwrap_or_default())
            .text("capabilities", &capabilities.collect::<Vec<_>>().join(","));
        if self.plan.request.takes_environment {
            return query.text("Parameter.Environment", environment);
        }
        query
    }

    fn app(&self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let artifact = app_artifact(service, "DistLambdaOutput");
        let parameters = Query::default()
            .parameter("function", &format!("{}Function", service.id))
            .text("alias", self.environment.name())
            .variable("revision", COMMIT)
            .variable(
                "digest",
                &format!("{}.{artifact}Digest", build_namespace(service)),
            );
        let parameters = rollout::add(parameters, self.environment.target.settings);
        let name = service.action("deploy-app");
        Action::of_function(
            "DeployApp",
            name,
            run_order,
            with_execution(parameters),
            service.service.line,
        )
        .namespace(self.id(service, "AppVariables"))
        .moves(format!("{}Function", service.id), self.environment.name())
        .reads(vec![artifact])
    }

    fn api(&self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let artifact = app_artifact(service, "DistSwaggerOutput");
        let parameters = Query::default()
            .parameter("api", &format!("{}Api", service.id))
            .text("stage", self.environment.name())
            .parameter("Variable.function", &format!("{}Function", service.id))
            .text("Variable.alias", self.environment.name())
            .variable("revision", COMMIT)
            .variable(
                "digest",
                &format!("{}.{artifact}Digest", build_namespace(service)),
            );
        let name = service.action("deploy-api");
        Action::of_function(
            "DeployApi",
            name,
            run_order,
            with_execution(parameters),
            service.service.line,
        )
        .namespace(self.id(service, "ApiVariables"))
        .reads(vec![artifact])
    }

    fn app_site(&self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let query = Query::default()
            .parameter("bucket", &self.id(service, "Site"))
            .parameter("apiBaseurl", &self.id(service, "ApiUrl"))
            .variable("version", COMMIT);
        self.deploy_site(service, run_order, &query, &built(service))
    }

    fn site(&mut self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let mut query = Query::default().parameter("bucket", &self.id(service, "Site"));
        let built = built(service);
        if !built.is_site {
            query = query.text("directory", &service.path(service.site()));
        }
        let mut has_version = false;
        for one in &service.service.config {
            let value = pieces(self.plan, self.environment, &one.value, self.mistakes);
            let key = match one.name.as_str() {
                name if OWN_CONFIG.contains(&name) => name.to_owned(),
                name => format!("Config.{name}"),
            };
            has_version |= key == "version";
            query = query.add(&key, &value);
        }
        if !has_version {
            query = query.variable("version", COMMIT);
        }
        self.deploy_site(service, run_order, &query, &built)
    }

    fn deploy_site(
        &self,
        service: &PlannedService<'_>,
        run_order: usize,
        query: &Query,
        built: &Built,
    ) -> Action {
        let query = match &built.digest {
            Some(digest) => query.clone().variable("digest", digest),
            None => query.clone(),
        };
        let distribution = self.id(service, "Distribution");
        let behind = with_execution(query.clone().parameter("distribution", &distribution));
        let name = service.action("deploy-site");
        let mut action = Action::of_function(
            "DeploySite",
            name,
            run_order,
            with_execution(query),
            service.service.line,
        )
        .namespace(self.id(service, "SiteVariables"))
        .reads(vec![built.artifact.clone()]);
        if let Work::Function {
            with_distribution, ..
        } = &mut action.work
        {
            *with_distribution = Some(behind);
        }
        action
    }

    fn test(&mut self, service: &PlannedService<'_>, run_order: usize) -> Option<Action> {
        let task = commit::test_task(self.plan, service)?;
        let mut query = Query::default()
            .text("task", task)
            .add("directory", &[commit::directory(self.plan, service)]);
        let given = service
            .service
            .test
            .iter()
            .flat_map(|test| &test.value.environment);
        let given: Vec<_> = given
            .map(|one| {
                (
                    one.name.as_str(),
                    pieces(self.plan, self.environment, &one.value, self.mistakes),
                )
            })
            .collect();
        let addresses: Vec<(&str, Piece)> = match service.kind {
            Kind::App => vec![
                ("TARGET_URL", Piece::Parameter(self.id(service, "ApiUrl"))),
                ("SITE_URL", Piece::Parameter(self.id(service, "SiteUrl"))),
            ],
            Kind::Site => vec![("SITE_URL", Piece::Parameter(self.id(service, "SiteUrl")))],
            _ => Vec::new(),
        };
        for (name, address) in addresses {
            if given.iter().all(|(other, _)| *other != name) {
                query = query.add(&format!("Env.{name}"), &[address]);
            }
        }
        let has_commit = given.iter().any(|(name, _)| *name == "GIT_COMMIT");
        for (name, value) in &given {
            query = query.add(&format!("Env.{name}"), value);
        }
        if !has_commit {
            query = query.variable("Env.GIT_COMMIT", COMMIT);
        }
        let query = query
            .text("report", "reports/*.xml")
            .pairs_of("E2eParameters");
        let action = Action::of_function(
            "E2e",
            service.action("e2e"),
            run_order,
            query,
            service.service.line,
        );
        Some(action.reads(vec![installed(service)]))
    }
}
