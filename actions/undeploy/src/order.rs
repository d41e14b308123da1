//! In which order the stacks of an environment are deleted: the reverse of the order in which they were deployed.

use delivery_definition::Definition;
use delivery_stack::description::Description;
use delivery_stack::service::SERVICE_TAG;

/// The services in the order of their deployment.
#[derive(Debug, Default)]
pub(crate) struct Order {
    waves: Vec<Vec<String>>,
}

impl Order {
    /// The order that a definition says.
    pub(crate) fn of(definition: &Definition) -> Self {
        let waves = definition.waves().into_iter();
        let names = waves.map(|wave| wave.into_iter().map(|one| one.name.clone()).collect());
        Self {
            waves: names.collect(),
        }
    }

    /// The stacks that were deployed last, which nothing else can need. Those of services that the definition does not have
    /// come first, the newest of them alone: they may use the services that it has, and each other.
    pub(crate) fn deployed_last(&self, mut stacks: Vec<Description>) -> Vec<Description> {
        let wave = |stack: &Description| {
            let service = stack.tags.get(SERVICE_TAG)?;
            self.waves.iter().position(|wave| wave.contains(service))
        };
        let newest_unknown = stacks
            .iter()
            .filter(|stack| wave(stack).is_none())
            .max_by_key(|stack| (stack.created, stack.name.clone()));
        if let Some(unknown) = newest_unknown {
            return vec![unknown.clone()];
        }
        let last = stacks.iter().filter_map(wave).max();
        stacks.retain(|stack| wave(stack) == last);
        stacks
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::primitives::DateTime;
    use aws_sdk_cloudformation::types::{Stack, Tag};

    use super::*;

    const FILE: &str = r#"
application = "shop"
[services]
database = "database"
orders = { directory = "orders", parameters = { Table = "${database.Table}" } }
mail = { directory = "mail", parameters = { Table = "${database.Table}" } }
[environments]
qa = {}
"#;

    fn stack(service: &str, created: i64) -> Description {
        let tag = Tag::builder().key(SERVICE_TAG).value(service).build();
        let stack = Stack::builder().stack_name(format!("shop-qa-1-{service}"));
        let stack = stack.creation_time(DateTime::from_secs(created)).tags(tag);
        Description::from(stack.build())
    }

    #[test]
    fn what_was_deployed_last_goes_first() {
        let definition = delivery_definition::parse(FILE, "delivery.toml").unwrap();
        let order = Order::of(&definition);
        let mut left = vec![
            stack("database", 1),
            stack("orders", 2),
            stack("mail", 3),
            stack("old", 4),
            stack("older", 3),
        ];
        let mut waves = Vec::new();
        while !left.is_empty() {
            let wave = order.deployed_last(left.clone());
            left.retain(|stack| !wave.contains(stack));
            let names = wave.iter().map(|stack| stack.tags[SERVICE_TAG].clone());
            waves.push(names.collect::<Vec<_>>().join(" "));
        }
        assert_eq!(waves, ["old", "older", "orders mail", "database"]);
    }
}
