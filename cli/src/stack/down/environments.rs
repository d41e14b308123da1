//! The stacks of environments that work with the role of the stack which is to be deleted.
//!
//! A stack keeps its role for all later operations, its own deletion too. So the role goes last, and the boundary of the
//! roles that these stacks have made goes with it.

use delivery_definition::Definition;
use delivery_stack::description::{Description, list};
use delivery_stack::service::{APPLICATION_TAG, ENVIRONMENT_TAG, SERVICE_TAG};

use super::error::DownError;
use super::{ResourceToDelete, Work};
use crate::error::CliError;
use crate::pipeline::environments::of_pipelines;

/// The logical id of the role that CloudFormation works with in the stacks of environments.
const ROLE: &str = "CloudFormationRole";

/// Fails while the stack of an environment needs the role that would be deleted. Those that do not need it are named.
pub(super) async fn check(work: &Work<'_>, resources: &[ResourceToDelete]) -> Result<(), CliError> {
    let role = resources
        .iter()
        .map(|one| &one.resource)
        .find(|resource| resource.logical() == ROLE)
        .and_then(|resource| resource.physical.as_deref());
    let Some(role) = role else { return Ok(()) };
    let all = list(&work.client).await?.into_iter();
    // The role says it, not the tags: the stack of a repository without `delivery.toml` has none, and `--stack-name` may
    // name a stack of another application.
    let (mut needing, mut others): (Vec<_>, Vec<_>) = all.partition(|one| works_with(one, role));
    let application = work.settings.application();
    others.retain(|one| one.tags.get(APPLICATION_TAG) == Some(&application));
    if !others.is_empty() {
        let names: Vec<_> = others.into_iter().map(|one| one.name).collect();
        work.reporter.notice(format!(
            "these stacks of environments stay, since they do not work with its role: {}",
            names.join(", ")
        ));
    }
    if needing.is_empty() {
        return Ok(());
    }
    last_deployed_first(work.settings.definition(), &application, &mut needing);
    Err(DownError::InUse {
        stack: work.name.to_owned(),
        stacks: needing.into_iter().map(|one| one.name).collect(),
    }
    .into())
}

fn works_with(stack: &Description, role: &str) -> bool {
    let arn = stack.role.as_deref().unwrap_or_default();
    arn.rsplit_once('/').is_some_and(|(_, name)| name == role)
}

/// The reverse of the order of deployment. Developers' environments may use services of the pipeline's, and a service that
/// the file does not have any more may use those that it has: they come first.
fn last_deployed_first(definition: &Definition, application: &str, stacks: &mut [Description]) {
    let services: Vec<_> = definition.waves().into_iter().flatten().collect();
    let deployed = of_pipelines(definition, application);
    stacks.sort_by_cached_key(|stack| {
        let place = deployed.iter().position(|one| one.stack == stack.name);
        let tag = |key: &str| stack.tags.get(key).cloned().unwrap_or_default();
        let service = tag(SERVICE_TAG);
        let service = services.iter().position(|one| one.name == service);
        (
            place.map_or(0, |place| deployed.len() - place),
            tag(ENVIRONMENT_TAG),
            service.map_or(0, |place| services.len() - place),
            stack.name.clone(),
        )
    });
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{Stack, Tag};

    use super::*;

    const FILE: &str = r#"
application = "shop"
[services]
database = "database"
orders = { directory = "orders", parameters = { Table = "${database.Table}" } }
[environments]
test = {}
production = { after = "test" }
"#;

    fn stack(environment: &str, service: &str) -> Description {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let stack = Stack::builder()
            .stack_name(format!("shop-{environment}-{service}"))
            .role_arn("arn:aws:iam::111122223333:role/path/shop-Role-1")
            .tags(tag(ENVIRONMENT_TAG, environment))
            .tags(tag(SERVICE_TAG, service));
        Description::from(stack.build())
    }

    #[test]
    fn what_was_deployed_last_comes_first() {
        let definition = delivery_definition::parse(FILE, "delivery.toml").unwrap();
        let mut stacks = vec![
            stack("test", "database"),
            stack("production", "database"),
            stack("production", "orders"),
            stack("dev-anna", "database"),
            stack("dev-anna", "orders"),
            stack("test", "mail"),
            stack("test", "orders"),
        ];
        last_deployed_first(&definition, "shop", &mut stacks);
        let names: Vec<_> = stacks.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "shop-dev-anna-orders",
                "shop-dev-anna-database",
                "shop-test-mail",
                "shop-production-orders",
                "shop-production-database",
                "shop-test-orders",
                "shop-test-database",
            ]
        );
    }

    #[test]
    fn a_stack_works_with_a_role_whose_whole_name_is_in_its_arn() {
        assert!(works_with(&stack("test", "orders"), "shop-Role-1"));
        assert!(!works_with(&stack("test", "orders"), "Role-1"));
        assert!(!works_with(&stack("test", "orders"), "shop-Role-12"));
    }
}
