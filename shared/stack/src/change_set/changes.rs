//! The changes of a change set, each with what happens to the data in its resource. Pure.

use aws_sdk_cloudformation::types::{
    ChangeAction, PolicyAction, Replacement, ResourceAttribute, ResourceChange,
};

use crate::NESTED_STACK;

/// What happens to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it is: the logical ids from the root to it (`Application/ProdSite`).
    pub path: String,
    /// Its type.
    pub resource_type: String,
    /// What happens.
    pub action: ResourceAction,
    /// Its physical id, where it has one.
    pub physical_id: Option<String>,
    /// The properties (or attributes) that change.
    pub properties: Vec<String>,
    /// Whether it is of a type that holds data.
    pub holds_data: bool,
    /// Whether what it holds is lost, or may be.
    pub loses_data: bool,
}

/// What a change set does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceAction {
    /// It is created.
    Add,
    /// It is changed in place.
    Change,
    /// It is created again, and the old one deleted.
    Replace,
    /// It may have to be created again.
    MayReplace,
    /// It is deleted.
    Remove,
    /// It leaves the stack and stays.
    Leave,
    /// It comes into the stack.
    Import,
}

impl ResourceAction {
    /// Whether the stack has the resource no more, or another one in its place.
    #[must_use]
    pub fn takes_away(self) -> bool {
        matches!(
            self,
            Self::Replace | Self::MayReplace | Self::Remove | Self::Leave
        )
    }
}

/// The types whose resources hold data that neither the template nor the pipeline can create again: stored
/// objects, messages in a queue, subscriptions to a topic. Not log groups: logs expire by themselves. Nested
/// stacks, because only their own change sets show what is in them.
const HOLDS_DATA: [&str; 30] = [
    NESTED_STACK,
    "AWS::Backup::BackupVault",
    "AWS::Cognito::UserPool",
    "AWS::DocDB::DBCluster",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::Elasticsearch::Domain",
    "AWS::FSx::FileSystem",
    "AWS::FSx::Volume",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::MSK::Cluster",
    "AWS::MemoryDB::Cluster",
    "AWS::Neptune::DBCluster",
    "AWS::OpenSearchServerless::Collection",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::Timestream::Table",
];

impl Change {
    /// The creation of a resource.
    pub(crate) fn creation(path: &str, resource_type: &str) -> Self {
        Self {
            path: path.to_owned(),
            resource_type: resource_type.to_owned(),
            action: ResourceAction::Add,
            physical_id: None,
            properties: Vec::new(),
            holds_data: HOLDS_DATA.contains(&resource_type),
            loses_data: false,
        }
    }
}

/// A change as CloudFormation describes it. `prefix` is the path of its stack.
pub(crate) fn read_change(prefix: &str, change: &ResourceChange) -> Change {
    let kind = change.resource_type().unwrap_or_default().to_owned();
    let action = action(change);
    let holds_data = HOLDS_DATA.contains(&kind.as_str());
    let goes = matches!(
        action,
        ResourceAction::Replace | ResourceAction::MayReplace | ResourceAction::Remove
    );
    let stays = matches!(
        change.policy_action,
        Some(
            PolicyAction::Retain
                | PolicyAction::ReplaceAndRetain
                | PolicyAction::Snapshot
                | PolicyAction::ReplaceAndSnapshot
        )
    );
    Change {
        path: format!(
            "{prefix}{}",
            change.logical_resource_id().unwrap_or_default()
        ),
        properties: properties(change),
        physical_id: change
            .physical_resource_id
            .clone()
            .filter(|id| !id.is_empty()),
        resource_type: kind,
        loses_data: holds_data && goes && !stays,
        holds_data,
        action,
    }
}

fn action(change: &ResourceChange) -> ResourceAction {
    match (&change.action, &change.replacement) {
        (Some(ChangeAction::Add), _) => ResourceAction::Add,
        (Some(ChangeAction::Import), _) => ResourceAction::Import,
        // A nested stack without a computed change set: anything may change.
        (Some(ChangeAction::Dynamic), _) => ResourceAction::MayReplace,
        (Some(ChangeAction::Remove), _) => match change.policy_action {
            Some(PolicyAction::Retain) => ResourceAction::Leave,
            _ => ResourceAction::Remove,
        },
        (_, Some(Replacement::True)) => ResourceAction::Replace,
        (_, Some(Replacement::Conditional)) => ResourceAction::MayReplace,
        _ => ResourceAction::Change,
    }
}

/// The names of what changes, each once: properties, else attributes such as `Tags`. What CloudFormation
/// adds to every nested stack (`Automatic`) is not a change.
fn properties(change: &ResourceChange) -> Vec<String> {
    let mut names: Vec<String> = change
        .details()
        .iter()
        .filter(|detail| {
            detail
                .change_source()
                .is_none_or(|source| source.as_str() != "Automatic")
        })
        .filter_map(|detail| {
            let target = detail.target()?;
            let attribute = target.attribute().map(ResourceAttribute::as_str);
            target.name().or(attribute).map(str::to_owned)
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Removes the nested stacks without any change inside, from the inside out: removing one may leave the stack
/// around it without changes. Those with changed properties stay.
pub(crate) fn drop_empty_stacks(changes: &mut Vec<Change>) {
    loop {
        let empty = changes.iter().position(|one| {
            let inside = format!("{}/", one.path);
            one.resource_type == NESTED_STACK
                && one.action == ResourceAction::Change
                && one.properties.is_empty()
                && !changes.iter().any(|other| other.path.starts_with(&inside))
        });
        match empty {
            Some(place) => {
                changes.remove(place);
            }
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{
        ChangeSource, ResourceChangeDetail, ResourceTargetDefinition,
    };

    use super::*;

    fn change(
        action: ChangeAction,
        kind: &str,
        replacement: Option<Replacement>,
        policy: Option<PolicyAction>,
        property: Option<&str>,
    ) -> Change {
        let details = property.map(|name| {
            let target = ResourceTargetDefinition::builder()
                .attribute(ResourceAttribute::Properties)
                .name(name)
                .build();
            ResourceChangeDetail::builder()
                .target(target)
                .change_source(ChangeSource::DirectModification)
                .build()
        });
        let change = ResourceChange::builder()
            .action(action)
            .logical_resource_id("Thing")
            .resource_type(kind)
            .set_replacement(replacement)
            .set_policy_action(policy)
            .set_details(details.map(|detail| vec![detail]))
            .build();
        read_change("Application/", &change)
    }

    #[expect(clippy::too_many_lines, reason = "a list of every kind of change")]
    #[test]
    fn changes_are_shown_with_what_happens_to_data() {
        let bucket = "AWS::S3::Bucket";
        let changes = [
            change(ChangeAction::Add, bucket, None, None, None),
            change(
                ChangeAction::Modify,
                "AWS::Lambda::Function",
                Some(Replacement::False),
                None,
                Some("Code"),
            ),
            change(
                ChangeAction::Modify,
                bucket,
                Some(Replacement::True),
                Some(PolicyAction::ReplaceAndRetain),
                Some("BucketName"),
            ),
            change(
                ChangeAction::Modify,
                bucket,
                Some(Replacement::True),
                Some(PolicyAction::ReplaceAndDelete),
                Some("BucketName"),
            ),
            change(
                ChangeAction::Modify,
                "AWS::DynamoDB::Table",
                Some(Replacement::Conditional),
                None,
                Some("KeySchema"),
            ),
            change(ChangeAction::Dynamic, NESTED_STACK, None, None, None),
            change(
                ChangeAction::Remove,
                "AWS::SQS::Queue",
                None,
                Some(PolicyAction::Delete),
                None,
            ),
            change(
                ChangeAction::Remove,
                bucket,
                None,
                Some(PolicyAction::Retain),
                None,
            ),
            change(
                ChangeAction::Remove,
                "AWS::RDS::DBInstance",
                None,
                Some(PolicyAction::Delete),
                None,
            ),
            change(
                ChangeAction::Remove,
                "AWS::Logs::LogGroup",
                None,
                Some(PolicyAction::Delete),
                None,
            ),
        ];
        let lines: Vec<String> = changes
            .iter()
            .map(|change| {
                let Change {
                    action,
                    path,
                    resource_type,
                    properties,
                    loses_data,
                    ..
                } = change;
                let lost = if *loses_data { ", loses data" } else { "" };
                format!("{action:?} {path} ({resource_type}) {properties:?}{lost}")
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_nested_stack_without_changes_is_none() {
        let stack = |path: &str, properties: &[&str]| Change {
            path: path.to_owned(),
            properties: properties.iter().map(|name| (*name).to_owned()).collect(),
            ..change(ChangeAction::Modify, NESTED_STACK, None, None, None)
        };
        let mut changes = vec![
            stack("A", &[]),
            stack("A/B", &[]),
            stack("C", &["TemplateURL"]),
        ];
        drop_empty_stacks(&mut changes);
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["C"]);
    }
}
