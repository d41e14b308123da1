//! What a run leaves to a person: environments that releases come to by `delivery promote` alone.

use delivery_definition::{EnvironmentSettings, Map};

/// A sentence for each of them that may get what this run delivered, in the order of the file.
pub(super) fn left(environments: &Map<EnvironmentSettings>, stays: bool) -> Vec<String> {
    let manual = environments.iter().filter(|one| one.is_manual());
    manual
        .filter_map(|one| Some((&one.name, &one.after.as_ref()?.value)))
        .filter(|(_, before)| environments.get(before).is_some_and(|one| !one.is_manual()))
        .map(|(name, before)| sentence(name, before, stays))
        .collect()
}

fn sentence(name: &str, before: &str, stays: bool) -> String {
    if stays {
        format!(
            "`{name}` is `manual`: bring this release there with `delivery promote {before} {name}`"
        )
    } else {
        format!(
            "`{name}` is `manual`: to bring a release there with `delivery promote {before} {name}`, deliver it with \
             `delivery run --keep`"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
application = "shop"

[services]
orders = "orders"

[environments]
int = {}
pp = { after = "int", manual = true }
prd = { after = "pp", manual = true }
"#;

    #[test]
    fn what_is_next_in_line_is_named_with_its_command() {
        let definition = delivery_definition::parse(FILE, "delivery.toml").unwrap();
        assert_eq!(
            left(definition.environments(), true),
            ["`pp` is `manual`: bring this release there with `delivery promote int pp`"]
        );
        assert_eq!(
            left(definition.environments(), false),
            [
                "`pp` is `manual`: to bring a release there with `delivery promote int pp`, deliver it with `delivery run --keep`"
            ]
        );
    }
}
