//! The actions of an environment's stage: services by waves, then tests.

mod artifacts;

use std::collections::BTreeSet;

use delivery_definition::{Kind, Located, Mistake, Source};

use crate::commit::{self, installed};
use crate::pipeline::{Action, COMMIT, Work, next_run_order, with_execution};
use crate::plan::{Plan, PlannedEnvironment, PlannedService};
use crate::query::{self, Piece, Query};
use crate::release::{self, Given};
use crate::rollout;
use crate::values::{address, needs_pipeline, output_of_stack, pieces, stack_namespace};
use crate::{SITE_BUCKET, SITE_URL};

/// A stage that is rendered.
struct Deployment<'a, 'b> {
    plan: &'b Plan<'a>,
    environment: &'b PlannedEnvironment<'a>,
    /// Which release; without any, the artifacts of the execution are deployed.
    given: Option<Given<'b>>,
    mistakes: &'b mut Vec<Mistake>,
}

pub(crate) fn actions(
    plan: &Plan<'_>,
    environment: &PlannedEnvironment<'_>,
    given: Option<Given<'_>>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Action> {
    let mut deployment = Deployment {
        plan,
        environment,
        given,
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
        run_order = next_run_order(&actions);
    }
    let deployed = plan.services.iter();
    let tests = deployed
        .filter(|one| environment.target.deploys(one.service))
        .filter_map(|service| deployment.test(service, run_order));
    actions.extend(tests.collect::<Vec<_>>());
    actions
}

impl Deployment<'_, '_> {
    fn service(&mut self, service: &PlannedService<'_>, run_order: usize) -> Vec<Action> {
        match service.kind {
            Kind::Stack => vec![self.stack(service, run_order)],
            // In a family of environments its bucket is made with the environment.
            Kind::Site if self.environment.member.is_some() => {
                vec![
                    self.stack(service, run_order),
                    self.site(service, run_order + 1),
                ]
            }
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
        let (query, inputs) = match self.given {
            Some(_) => {
                let query = self.addresses(Query::default(), service);
                (query.parameter("role", "CloudFormationRole"), Vec::new())
            }
            None => self.stack_of_artifacts(service),
        };
        let query = self.finished(query, service);
        let line = service.service.line;
        let name = service.action("deploy-stack");
        Action::of_function("DeployStack", name, run_order, query, line)
            .namespace(stack_namespace(service, self.environment))
            .reads(inputs)
    }

    /// The template's parameters that deploy-stack cannot look up.
    fn addresses(&mut self, query: Query, service: &PlannedService<'_>) -> Query {
        let mut query = query;
        let target = &self.environment.target;
        for (name, parameter) in target.parameters_as_written(service.service, |_| false) {
            // The environment's own value goes before the service's; deploy-stack knows whether the template declares it.
            let is_overridden = parameter.source == Source::Service
                && target.settings.parameters.get(&name).is_some();
            if needs_pipeline(self.plan, &parameter.value) && !is_overridden {
                let line = parameter.line.unwrap_or(service.service.line);
                let text = Located {
                    value: parameter.value,
                    line,
                };
                let value = pieces(self.plan, self.environment, &text, self.mistakes);
                query = query.add(&format!("Parameter.{name}"), &value);
            }
        }
        query
    }

    /// The addresses in a site's `config` that only the pipeline knows; deploy-site looks the others up.
    fn known_addresses(&mut self, query: Query, service: &PlannedService<'_>) -> Query {
        let mut query = query;
        let mut known = BTreeSet::new();
        for one in &service.service.config {
            for reference in one.value.value.references() {
                let name = format!("{}.{}", reference.service, reference.output);
                match address(self.plan, self.environment, reference) {
                    Some(Ok(piece)) if known.insert(name.clone()) => {
                        query = query.add(&format!("Address.{name}"), &[piece]);
                    }
                    Some(Err((what, next))) => {
                        let mistake = Mistake::new(one.value.line, &what, &next);
                        self.mistakes.push(mistake);
                    }
                    _ => {}
                }
            }
        }
        query
    }

    /// What all deploy actions say last.
    fn finished(&self, query: Query, service: &PlannedService<'_>) -> Query {
        match self.given {
            Some(given) => release::add(query, given, self.environment, service),
            None => with_execution(query),
        }
    }

    fn app(&self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let query = Query::default()
            .parameter("function", &format!("{}Function", service.id))
            .text("alias", self.environment.name());
        let (query, inputs) = if self.given.is_some() {
            // How traffic moves is in the release; how late metrics are is not.
            let query = query.parameter("metrics-delay", rollout::METRICS_DELAY);
            (query, Vec::new())
        } else {
            let (query, inputs) = artifacts::of_app(query, service, "DistLambdaOutput");
            let settings = self.environment.target.settings;
            (rollout::add(query, settings), inputs)
        };
        let query = self.finished(query, service);
        let line = service.service.line;
        let name = service.action("deploy-app");
        Action::of_function("DeployApp", name, run_order, query, line)
            .namespace(self.id(service, "AppVariables"))
            .moves(format!("{}Function", service.id), self.environment.name())
            .reads(inputs)
    }

    fn api(&self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let query = Query::default()
            .parameter("api", &format!("{}Api", service.id))
            .text("stage", self.environment.name())
            .parameter("Variable.function", &format!("{}Function", service.id))
            .text("Variable.alias", self.environment.name());
        let (query, inputs) = match self.given {
            Some(_) => (query, Vec::new()),
            None => artifacts::of_app(query, service, "DistSwaggerOutput"),
        };
        let query = self.finished(query, service);
        let line = service.service.line;
        let name = service.action("deploy-api");
        Action::of_function("DeployApi", name, run_order, query, line)
            .namespace(self.id(service, "ApiVariables"))
            .reads(inputs)
    }

    fn app_site(&self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let query = Query::default()
            .parameter("bucket", &self.id(service, "Site"))
            .parameter("apiBaseurl", &self.id(service, "ApiUrl"));
        let (query, inputs) = match self.given {
            Some(_) => (query, Vec::new()),
            None => artifacts::of_site(query.variable("version", COMMIT), service),
        };
        self.deploy_site(service, run_order, query, inputs)
    }

    fn site(&mut self, service: &PlannedService<'_>, run_order: usize) -> Action {
        let bucket = match self.environment.member {
            None => Piece::Parameter(self.id(service, "Site")),
            Some(_) => output_of_stack(service, self.environment, SITE_BUCKET),
        };
        let query = Query::default().add("bucket", &[bucket]);
        let (query, inputs) = match self.given {
            Some(_) => (self.known_addresses(query, service), Vec::new()),
            None => self.site_of_artifacts(query, service),
        };
        self.deploy_site(service, run_order, query, inputs)
    }

    fn deploy_site(
        &self,
        service: &PlannedService<'_>,
        run_order: usize,
        query: Query,
        inputs: Vec<String>,
    ) -> Action {
        let distribution = self.id(service, "Distribution");
        let behind = query.clone().parameter("distribution", &distribution);
        let line = service.service.line;
        let name = service.action("deploy-site");
        let query = self.finished(query, service);
        let mut action = Action::of_function("DeploySite", name, run_order, query, line)
            .namespace(self.id(service, "SiteVariables"))
            .reads(inputs);
        // A site of a family of environments is not behind CloudFront: a distribution takes minutes to be made.
        if let Work::Function {
            with_distribution, ..
        } = &mut action.work
            && self.environment.member.is_none()
        {
            *with_distribution = Some(self.finished(behind, service));
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
        let is_member = self.environment.member.is_some();
        let addresses: Vec<(&str, Piece)> = match service.kind {
            Kind::Site if is_member => {
                let url = output_of_stack(service, self.environment, SITE_URL);
                vec![("SITE_URL", url)]
            }
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
        let query = query.text("report", "reports/*.xml");
        let told = self.with_what_is_tested(&query, service);
        let told = told.pairs_of("E2eParameters");
        // It only helps to understand a failure: without room for it, it is left out.
        let query = if told.longest() <= query::LONGEST {
            told
        } else {
            query.pairs_of("E2eParameters")
        };
        let action = Action::of_function(
            "E2e",
            service.action("e2e"),
            run_order,
            query,
            service.service.line,
        );
        Some(action.reads(vec![installed(service)]))
    }

    /// The query with what e2e shows the log of beside a failed test.
    fn with_what_is_tested(&self, query: &Query, service: &PlannedService<'_>) -> Query {
        let query = query.clone();
        match service.kind {
            Kind::App => {
                let version = format!("{}.FunctionVersion", self.id(service, "AppVariables"));
                let function = [
                    Piece::Parameter(format!("{}Function", service.id)),
                    Piece::text(":"),
                    Piece::Variable(version),
                ];
                query.add("function", &function)
            }
            Kind::Stack => {
                let namespace = stack_namespace(service, self.environment);
                query.variable("stack", &format!("{namespace}.Stack"))
            }
            _ => query,
        }
    }
}
