//! What the deletion of our own stacks leaves is decided in their templates.

mod tests {
    use delivery_stack::deletion::policies::Policy;
    use delivery_stack::template::Template;

    #[test]
    fn the_production_site_and_the_packages_hold_data_of_production() {
        let folder = crate::checkout::of_tests().join("cloudformation");
        let mut found = Vec::new();
        for name in ["actions", "application", "delivery", "pipeline"] {
            let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
            let template = Template::read(&text).unwrap();
            for (logical, resource) in template.section("Resources") {
                let policy = Policy::of(resource);
                if policy != Policy::default() {
                    found.push(format!("{name}/{logical}: {policy:?}"));
                }
            }
        }
        insta::assert_snapshot!(found.join("\n"));
    }
}
