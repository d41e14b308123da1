//! `[services]`: what is deployed, each as one.

use crate::form::{Located, choice};
use crate::map::Map;
use crate::section::{Key, section};
use crate::value::duration::Span;
use crate::value::path::{Pattern, RepositoryPath};
use crate::value::text::Text;

choice! {
    /// What a service is deployed as.
    pub enum Kind {
        /// A CloudFormation or SAM template.
        Stack = "stack",
        /// Files in a bucket, behind a website.
        Site = "site",
        /// A function, an API and a site, built by npm or gulp.
        App = "app",
        /// A Terraform module.
        Terraform = "terraform",
        /// An application of the Serverless Framework.
        Serverless = "serverless",
    }
}

choice! {
    /// What a template may do that CloudFormation asks about.
    pub enum Capability {
        /// Make IAM roles, policies and users.
        Iam = "CAPABILITY_IAM",
        /// Make IAM roles, policies and users with names of their own.
        NamedIam = "CAPABILITY_NAMED_IAM",
        /// Run macros, such as SAM's, in nested templates.
        AutoExpand = "CAPABILITY_AUTO_EXPAND",
    }
}

impl Kind {
    /// Whether services of this kind are read and checked, and not deployed yet.
    #[must_use]
    pub const fn is_not_yet_supported(self) -> bool {
        matches!(self, Self::Terraform | Self::Serverless)
    }
}

/// What a template may do without being asked about: SAM makes a role for each function, and is a macro.
const DEFAULT_CAPABILITIES: [Capability; 2] = [Capability::Iam, Capability::AutoExpand];

section! {
    /// A folder of the repository that is deployed as one. A text is its `directory`.
    pub struct ServiceSettings, short = directory {
        /// The folder, from the root of the repository. No two services have the same.
        directory: Option<Located<RepositoryPath>> = Key::new("directory")
            .required()
            .example("\"backend-restapi\"");
        /// What it is deployed as. Needed only where the files of the folder fit several kinds. `terraform` and `serverless`
        /// are not applied yet.
        kind: Option<Located<Kind>> = Key::new("kind")
            .default("`site` with the key `site`, `stack` with `template`, else determined by the files: `template.yaml|yml|json` \
                with `Resources`: `stack`; `*.tf`: `terraform`; `serverless.yml`: `serverless`; else `package.json` with \
                the script or gulp task `package`: `app`")
            .example("\"app\"");
        /// The CloudFormation or SAM template, from the service's folder.
        template: Option<Located<RepositoryPath>> = Key::new("template")
            .default("`template.yaml`, `template.yml` or `template.json`")
            .example("\"infrastructure/api.yaml\"");
        /// Parameters of the template. `${service.Output}` is an output of another service, which is deployed before;
        /// `${env}` is the environment's name; `{{resolve:...}}` is left to CloudFormation.
        parameters: Map<Located<Text>> = Key::new("parameters")
            .default("those of the template")
            .example("{ TableName = \"${database.TableName}\" }");
        /// What CloudFormation lets the template do.
        capabilities: Option<Vec<Capability>> = Key::new("capabilities")
            .default("`CAPABILITY_IAM` and `CAPABILITY_AUTO_EXPAND`")
            .example("[\"CAPABILITY_NAMED_IAM\", \"CAPABILITY_AUTO_EXPAND\"]");
        /// The folder with the built site, from the service's folder: its files go into the environment's bucket.
        site: Option<Located<RepositoryPath>> = Key::new("site").default("none").example("\"build\"");
        /// Values for the site's code, written to its `config.json` at deployment; references as in
        /// `parameters`.
        config: Map<Located<Text>> = Key::new("config")
            .default("none")
            .example("{ apiBaseurl = \"${restapi.Url}\" }");
        /// How it is built.
        build: Option<Located<BuildSettings>> = Key::new("build")
            .default("an `app` by the task `package`; others are not built")
            .example("{ task = \"package\" }");
        /// Patterns of paths outside of its folder, from the root of the repository. A change there counts as a change of the
        /// service. It matters with `[pipelines]` only: the one pipeline of an application starts with every commit.
        also: Vec<Pattern> = Key::new("also").default("none").example("[\"shared/**\"]");
        /// How the deployed service is tested.
        test: Option<Located<TestSettings>> = Key::new("test")
            .default("it is not tested")
            .example("{ task = \"test-functional\", environment = { TARGET_URL = \"${restapi.Url}\" } }");
        /// Services that are deployed before it and removed after it, besides those that it refers to.
        needs: Vec<Located<String>> = Key::new("needs").default("none").example("[\"database\"]");
        /// Logical names of resources that hold data and may be replaced or removed in each environment.
        allow: Vec<String> = Key::new("allow").default("none").example("[\"OldTable\"]");
    }
}

impl ServiceSettings {
    /// Its folder, from that of the file; `.` is that folder itself.
    #[must_use]
    pub fn folder(&self) -> &str {
        let directory = self.directory.as_ref();
        directory.map_or(".", |directory| directory.value.as_str())
    }

    /// The folder of the built site, from its own.
    #[must_use]
    pub fn site_folder(&self) -> &str {
        let site = self.site.as_ref();
        site.map_or(".", |site| site.value.as_str())
    }

    /// What CloudFormation lets the template do.
    #[must_use]
    pub fn capabilities(&self) -> &[Capability] {
        self.capabilities
            .as_deref()
            .unwrap_or(&DEFAULT_CAPABILITIES)
    }
}

section! {
    /// How a service is built: by a `task` in a function, or by `commands` in CodePipeline's Commands action.
    pub struct BuildSettings {
        /// The npm script or gulp task that builds it, after its dependencies are installed.
        task: Option<String> = Key::new("task").default("none").example("\"package\"");
        /// Commands of a shell, one a line, in one shell in the service's folder: at most 50 of 1,000 characters.
        commands: Option<Located<Vec<Located<String>>>> = Key::new("commands")
            .default("none")
            .example("[\"python3 -m pip install -r requirements.txt -t build\", \"python3 -m pytest\"]");
        /// The container image that the commands run in.
        image: Option<Located<String>> = Key::new("image")
            .default("that of CodePipeline's Commands action")
            .example("\"public.ecr.aws/sam/build-python3.13\"")
            .not_yet();
        /// Environment variables of the commands: at most 10.
        environment: Option<Located<Map<Located<Text>>>> = Key::new("environment")
            .default("none")
            .example("{ PIP_NO_CACHE_DIR = \"1\" }");
        /// Files that are kept after the commands, as patterns from the service's folder: at most 10.
        files: Option<Located<Vec<Pattern>>> = Key::new("files")
            .default("all")
            .example("[\"template.yaml\", \"build/**\"]");
        /// Environment variables that later actions read after the commands: at most 15.
        variables: Option<Located<Vec<String>>> = Key::new("variables")
            .default("none")
            .example("[\"VERSION\"]");
        /// The time after which the commands are stopped: from 5 to 55 minutes.
        timeout: Option<Located<Span>> = Key::new("timeout").default("`55m`").example("\"20m\"").not_yet();
    }
}

section! {
    /// How a deployed service is tested, in each environment.
    pub struct TestSettings {
        /// The npm script or gulp task that tests it.
        task: Option<String> = Key::new("task").required().example("\"test-functional\"");
        /// Environment variables of the tests; references as in `parameters`, but only to services of the same one of
        /// the `pipelines`.
        environment: Map<Located<Text>> = Key::new("environment")
            .default("none")
            .example("{ TARGET_URL = \"${restapi.Url}\" }");
    }
}
