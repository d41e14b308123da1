//! The keys of `delivery.toml`: each is declared here once, for reading, schema and reference.

pub(crate) mod environment;
pub(crate) mod functions;
pub(crate) mod previews;
pub(crate) mod service;

use crate::file::environment::EnvironmentSettings;
use crate::file::functions::FunctionSettings;
use crate::file::previews::PreviewSettings;
use crate::file::service::ServiceSettings;
use crate::form::{Located, Scalar, choice};
use crate::map::Map;
use crate::section::{Key, section};

choice! {
    /// The processor that the action functions run on.
    pub enum Architecture {
        /// AWS Graviton.
        Arm64 = "arm64",
        /// Intel and AMD.
        X86_64 = "x86_64",
    }
}

section! {
    /// `delivery.toml`, at the root of the repository. Every key is optional; without `[services]` the
    /// repository is one service.
    pub struct File {
        /// The application's name. Names of stacks begin with it: `APPLICATION-ENVIRONMENT-SERVICE`. Required
        /// with `[services]`, `[environments]`, `[previews]` and `[pipelines]`: a pipeline does not know the
        /// name of the repository's folder.
        application: Option<Located<String>> = Key::new("application")
            .example("\"workshop\"");
        /// The services: what is deployed, each as one.
        services: Option<Located<Map<ServiceSettings>>> = Key::new("services")
            .default("the repository is one service, `main`; its kind is determined by its files")
            .example("{ database = \"backend-database\" }");
        /// The environments that the services are deployed to, in the order of `after`, else of the file.
        environments: Option<Located<Map<EnvironmentSettings>>> = Key::new("environments")
            .default("`test`, then `prod`")
            .example("{ int = {}, prd = { after = \"int\" } }");
        /// An environment for each open pull request. Limits and rights are read from the base branch, never
        /// from the pull request.
        previews: Option<Located<PreviewSettings>> = Key::new("previews")
            .default("none")
            .example("{ base = [\"main\"] }")
            .not_yet();
        /// Several pipelines, each with its services. Each service is in exactly one. A commit starts those pipelines
        /// whose services it concerns: by their folders and `also`; a change of `delivery.toml` concerns all.
        /// Tests refer only to services of their own pipeline.
        pipelines: Option<Located<Map<Located<Vec<Located<String>>>>>> = Key::new("pipelines")
            .default("one pipeline with all services")
            .example("{ infra = [\"database\"], app = [\"restapi\", \"website\"] }");
        /// The name of the stack that holds the pipeline.
        stack_name: Option<String> = Key::new("stack-name")
            .default("the name of the file's folder")
            .example("\"workshop-delivery\"");
        /// The AWS region of the pipeline.
        region: Option<String> = Key::new("region")
            .default("that of the profile")
            .example("\"eu-central-1\"");
        /// The profile of the AWS configuration.
        profile: Option<String> = Key::new("profile").default("`AWS_PROFILE`").example("\"team\"");
        /// The bucket that packages and templates are published to.
        bucket: Option<String> = Key::new("bucket")
            .default("one that `delivery` makes")
            .example("\"team-packages\"");
        /// The processor that the action functions run on.
        architecture: Option<Architecture> = Key::new("architecture")
            .default("`arm64`")
            .example("\"x86_64\"");
        /// Parameters of the stack that holds the pipeline, not of the services.
        parameters: Map<Scalar> = Key::new("parameters")
            .default("none")
            .example("{ RepositoryName = \"team/workshop\" }");
        /// Lambda functions of your own that are actions of the pipeline.
        functions: Map<FunctionSettings> = Key::new("functions")
            .default("none")
            .example("{ notify-chat = \"../notify-chat\" }");
    }
}

#[cfg(test)]
mod tests {
    use toml::de::{DeTable, DeValue};

    use super::*;
    use crate::file::service::{BuildSettings, TestSettings};
    use crate::form::{Form, Shape};
    use crate::mistake::Mistake;
    use crate::reader::Reader;

    /// What is wrong with a section that has one key after the other, as its example shows it.
    fn mistakes_in_examples<S: Form>() -> Vec<Mistake> {
        let Shape::Table(section) = S::shape() else {
            panic!("not a section");
        };
        let mut mistakes = Vec::new();
        for shown in &section.keys {
            let keys = section
                .keys
                .iter()
                .filter(|key| key.required || key.name == shown.name);
            let lines: Vec<_> = keys
                .map(|key| {
                    format!(
                        "{} = {}",
                        key.name,
                        key.example.expect("each key has an example")
                    )
                })
                .collect();
            let text = lines.join("\n");
            let table = DeTable::parse(&text).expect("the examples are TOML");
            let span = table.span();
            let value = toml::Spanned::new(span, DeValue::Table(table.into_inner()));
            let mut reader = Reader::new(text.as_bytes());
            assert!(S::read(&value, &mut reader).is_some(), "{text}");
            mistakes.extend(reader.mistakes);
        }
        mistakes
    }

    #[test]
    fn the_examples_of_all_keys_are_right() {
        assert_eq!(mistakes_in_examples::<File>(), []);
        assert_eq!(mistakes_in_examples::<ServiceSettings>(), []);
        assert_eq!(mistakes_in_examples::<BuildSettings>(), []);
        assert_eq!(mistakes_in_examples::<TestSettings>(), []);
        assert_eq!(mistakes_in_examples::<EnvironmentSettings>(), []);
        assert_eq!(mistakes_in_examples::<PreviewSettings>(), []);
        assert_eq!(mistakes_in_examples::<FunctionSettings>(), []);
    }
}
