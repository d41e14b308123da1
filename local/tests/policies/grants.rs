//! What the roles of the templates allow, with resources in a short form: `s3:ARTIFACTS/*`, `lambda:FUNCTION`,
//! `apigateway:/restapis/API/stages/*`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read::{list, statements};

/// Who uses the roles that are not an action's.
const OTHER_ROLES: [(&str, &str, &str); 3] = [
    ("actions.yaml", "CloudFormationRole", "cloudformation"),
    ("pipeline.yaml", "Role", "pipeline"),
    ("application.yaml", "Role", "application"),
];

/// How the templates spell resources, and their short form.
const SPELLINGS: [(&str, &str); 19] = [
    (
        "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:",
        "cloudformation:",
    ),
    (
        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:",
        "logs:",
    ),
    ("${Releases.Arn}", "s3:RELEASES"),
    ("${ApplicationName}", "APPLICATION"),
    ("arn:${AWS::Partition}:s3:::", "s3:"),
    (
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:",
        "lambda:",
    ),
    (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}::",
        "apigateway:",
    ),
    (
        "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/",
        "cloudfront:",
    ),
    (
        "arn:${AWS::Partition}:codepipeline:${AWS::Region}:${AWS::AccountId}:${PipelineName}",
        "codepipeline:PIPELINE",
    ),
    ("${ArtifactBucket}", "ARTIFACTS"),
    ("${TestSite}", "SITE"),
    ("${ProdSite}", "SITE"),
    ("${Function}", "FUNCTION"),
    // One and the same action of a team's own is the last of both stages in the tests.
    ("${AcceptanceAction}", "FUNCTION"),
    ("${ProductionAction}", "FUNCTION"),
    ("${ApplicationLog}", "LOG"),
    ("${Api}", "API"),
    ("${TestDistribution}", "DISTRIBUTION"),
    ("${ProdDistribution}", "DISTRIBUTION"),
];

/// One permission: one action on one resource.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// The statement's id.
    pub(crate) sid: String,
    /// `service:Action`.
    pub(crate) action: String,
    /// The resource; `*` stands for anything.
    pub(crate) resource: String,
}

/// One role, with what it states about itself.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    /// File and logical id.
    pub(crate) name: String,
    /// Whose it is: an action, or the pipeline.
    pub(crate) by: String,
    /// What it allows.
    pub(crate) grants: Vec<Grant>,
    /// Reasons for grants that no test uses, by `SID` or `SID ACTION`.
    pub(crate) not_recorded: BTreeMap<String, String>,
    /// Reasons for calls of tests that are not granted, by `ACTION RESOURCE`.
    pub(crate) not_granted: BTreeMap<String, String>,
}

impl Role {
    /// Reads a role of a template in which every `If` is decided.
    pub(crate) fn read(file: &str, id: &str, role: &Value) -> Self {
        let other = OTHER_ROLES
            .iter()
            .find(|(of, named, _)| *of == file && *named == id);
        let by = other.map_or_else(
            || kebab(id.trim_end_matches("Role")),
            |(_, _, by)| (*by).to_owned(),
        );
        let grants = statements(role).iter().flat_map(grants).collect();
        Self {
            name: format!("{file}: {id}"),
            by,
            grants,
            not_recorded: reasons(&role["Metadata"]["NotRecorded"]),
            not_granted: reasons(&role["Metadata"]["NotGranted"]),
        }
    }
}

fn reasons(stated: &Value) -> BTreeMap<String, String> {
    let stated = stated.as_object().into_iter().flatten();
    stated
        .map(|(of, reason)| (of.clone(), reason.as_str().unwrap().to_owned()))
        .collect()
}

fn grants(statement: &Value) -> Vec<Grant> {
    let sid = statement["Sid"].as_str().unwrap();
    let mut grants = Vec::new();
    for action in list(&statement["Action"]) {
        for resource in list(&statement["Resource"]) {
            grants.push(Grant {
                sid: sid.to_owned(),
                action: action.as_str().unwrap().to_owned(),
                resource: short(&resource),
            });
        }
    }
    // Both sites are one in the short form.
    grants.sort_by(|a, b| (&a.action, &a.resource).cmp(&(&b.action, &b.resource)));
    grants.dedup_by(|a, b| (&a.action, &a.resource) == (&b.action, &b.resource));
    grants
}

fn short(resource: &Value) -> String {
    let bucket = (resource["Fn::GetAtt"][0] == "Releases").then_some("${Releases.Arn}");
    let text = resource["Fn::Sub"].as_str().or_else(|| resource.as_str());
    let text = text.or(bucket);
    let Some(text) = text else {
        return resource.to_string(); // `!Ref` and `!GetAtt`: nothing that tests call
    };
    let mut text = text.to_owned();
    for (spelling, short) in SPELLINGS {
        text = text.replace(spelling, short);
    }
    text.replace("${", "").replace('}', "") // a function of an action: `lambda:NpmInstall`
}

fn kebab(id: &str) -> String {
    let mut text = String::new();
    for letter in id.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
