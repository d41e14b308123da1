//! Deploying the artifacts of the execution, where there are no releases.

use delivery_definition::Capability;

use super::Deployment;
use crate::commit::{Built, app_artifact, build_namespace, built};
use crate::pipeline::{COMMIT, SOURCE};
use crate::plan::PlannedService;
use crate::query::Query;
use crate::values::pieces;

/// Keys of a site's `config.json` that deploy-site has parameters of their own for.
const OWN_CONFIG: [&str; 2] = ["apiBaseurl", "version"];

/// What is said, and the artifacts that are read.
type Read = (Query, Vec<String>);

/// One of the artifacts of an app.
pub(super) fn of_app(query: Query, service: &PlannedService<'_>, what: &str) -> Read {
    let artifact = app_artifact(service, what);
    let digest = format!("{}.{artifact}Digest", build_namespace(service));
    let query = query.variable("revision", COMMIT);
    (query.variable("digest", &digest), vec![artifact])
}

/// The built site.
pub(super) fn of_site(query: Query, service: &PlannedService<'_>) -> Read {
    let built = built(service);
    let query = match &built.digest {
        Some(digest) => query.variable("digest", digest),
        None => query,
    };
    (query, vec![built.artifact])
}

impl Deployment<'_, '_> {
    pub(super) fn stack_of_artifacts(&mut self, service: &PlannedService<'_>) -> Read {
        let Built {
            artifact, digest, ..
        } = built(service);
        let query = self.named(service);
        let mut query = self
            .addresses(query, service)
            .parameter("bucket", "Packages")
            .parameter("role", "CloudFormationRole")
            .parameter("boundary", "Boundary")
            .variable("revision", COMMIT);
        if let Some(digest) = digest {
            query = query.variable("digest", &digest);
        }
        let inputs = match artifact.as_str() {
            SOURCE => vec![artifact],
            // `delivery.toml` is in the source.
            _ => vec![artifact, SOURCE.to_owned()],
        };
        (query, inputs)
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

    pub(super) fn site_of_artifacts(&mut self, query: Query, service: &PlannedService<'_>) -> Read {
        let mut query = query;
        if !built(service).is_site {
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
        of_site(query, service)
    }
}
