//! What a CloudFormation or SAM template says about the code of its functions and about its parameters.

use std::path::Path;

use delivery_stack::template::Template;
use serde_json::Value;

/// Types of resources with code of the repository, and the property that says where.
const CODE: [(&str, &str); 3] = [
    ("AWS::Serverless::Function", "CodeUri"),
    ("AWS::Serverless::LayerVersion", "ContentUri"),
    ("AWS::Lambda::Function", "Code"),
];

/// Files that say that a folder's code has to be compiled or assembled: `sam build` knows how.
const BUILD_FILES: [&str; 6] = [
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "Gemfile",
    "go.mod",
    "Cargo.toml",
];

/// What a template declares.
#[derive(Clone, Debug, Default)]
pub(super) struct TemplateFacts {
    /// Whether SAM transforms it.
    pub(super) is_sam: bool,
    /// The functions and layers with code of the repository.
    pub(super) code: Vec<Code>,
    /// The parameters that have no default.
    pub(super) required: Vec<String>,
    /// The names of its outputs.
    pub(super) outputs: Vec<String>,
}

/// The code of a function or a layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    /// The resource's name.
    pub(super) logical: String,
    /// The path from the template's folder; none for code in the template or in S3.
    pub(super) path: Option<String>,
    /// Such as `python3.13`.
    pub(super) runtime: Option<String>,
    /// Whether it runs on arm64.
    pub(super) is_arm: bool,
    /// How `sam build` makes it, where the template says it.
    pub(super) build_method: Option<String>,
    /// Whether it is a container image.
    pub(super) is_image: bool,
}

impl Code {
    /// Whether only `sam build` makes what is deployed.
    pub(super) fn needs_sam_build(&self, service: &Path) -> bool {
        let folder = self.path.as_ref().map(|path| service.join(path));
        let has = |folder: &Path| BUILD_FILES.iter().any(|file| folder.join(file).is_file());
        self.build_method.is_some() || folder.is_some_and(|folder| has(&folder))
    }
}

impl TemplateFacts {
    /// Reads a template; nothing is known of one that cannot be read.
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Template::read(&text).map_or_else(|_| Self::default(), |template| Self::of(&template))
    }

    fn of(template: &Template) -> Self {
        let parameters = template.parameters().into_iter();
        let required = parameters.filter(|one| one.default.is_none());
        let resources = template.section("Resources");
        Self {
            is_sam: template
                .transforms()
                .iter()
                .any(|one| one.starts_with("AWS::Serverless")),
            code: resources
                .filter_map(|(name, resource)| code(template, name, resource))
                .collect(),
            required: required.map(|one| one.name).collect(),
            outputs: template
                .section("Outputs")
                .map(|(name, _)| name.clone())
                .collect(),
        }
    }
}

fn code(template: &Template, name: &str, resource: &Value) -> Option<Code> {
    let kind = resource.get("Type")?.as_str()?;
    let (_, property) = CODE.iter().find(|(known, _)| *known == kind)?;
    let globals = template
        .value()
        .get("Globals")
        .and_then(|all| all.get("Function"));
    let value = |key: &str| {
        let own = resource.get("Properties").and_then(|all| all.get(key));
        own.or_else(|| globals.and_then(|all| all.get(key)))
    };
    let text = |key: &str| value(key).and_then(Value::as_str).map(str::to_owned);
    let metadata = |key: &str| resource.get("Metadata").and_then(|all| all.get(key));
    let architectures = value("Architectures").and_then(Value::as_array);
    let is_arm = |value: &Value| value.as_str() == Some("arm64");
    Some(Code {
        logical: name.to_owned(),
        path: text(property).filter(|path| !path.starts_with("s3://")),
        runtime: text("Runtime"),
        is_arm: architectures.is_some_and(|all| all.iter().any(is_arm)),
        build_method: metadata("BuildMethod")
            .and_then(Value::as_str)
            .map(str::to_owned),
        is_image: text("PackageType").as_deref() == Some("Image")
            || metadata("Dockerfile").is_some(),
    })
}
