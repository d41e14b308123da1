//! What the commands of a stack report: `publish`, `up`, `wait` and `down`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// A message of the commands that create, update, follow and delete a stack.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(crate) enum StackMessage {
    /// The bucket for packages and templates was created.
    BucketMade {
        /// Its name.
        bucket: String,
    },
    /// An object is in the bucket.
    Object {
        /// Its key.
        key: String,
        /// Its size.
        bytes: u64,
        /// Whether it was uploaded now; otherwise it already existed with the same content.
        uploaded: bool,
    },
    /// Everything is published.
    Published {
        /// The bucket.
        bucket: String,
        /// The root template.
        template_url: String,
        /// The page of the console that launches it; left out where the endpoint is not AWS's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        launch_url: Option<String>,
    },
    /// A change of the change set.
    Change(Change),
    /// A resource's status changed.
    StackEvent {
        /// When, in RFC 3339.
        at: String,
        /// The stack, which may be a nested one.
        stack: String,
        /// The resource's logical id.
        resource: String,
        /// Its type.
        resource_type: String,
        /// CloudFormation's status.
        status: String,
        /// What CloudFormation says of the status.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Nothing changed for a while; the operation is still in progress.
    StackWorking {
        /// The stack's name.
        stack: String,
        /// CloudFormation's status.
        status: String,
        /// How long it was followed.
        seconds: f64,
        /// The resources in progress.
        running: Vec<String>,
    },
    /// The resource that failed first.
    StackFailure {
        /// The stack, which may be a nested one.
        stack: String,
        /// The resource's logical id.
        resource: String,
        /// Its type.
        resource_type: String,
        /// CloudFormation's status.
        status: String,
        /// Why.
        reason: String,
    },
    /// The final state of the stack.
    Stack {
        /// Its name.
        name: String,
        /// Its id (ARN).
        id: String,
        /// CloudFormation's status.
        status: String,
        /// Its outputs.
        outputs: BTreeMap<String, String>,
    },
    /// The connection has to be completed by a person.
    ConnectionPending {
        /// Its ARN.
        arn: String,
        /// Its name.
        name: String,
        /// The page of the console that completes it.
        url: String,
    },
    /// A resource that a deletion deletes or leaves.
    Going {
        /// Where it is: the logical ids from the root to it.
        path: String,
        /// Its type.
        resource_type: String,
        /// Its physical id.
        #[serde(skip_serializing_if = "Option::is_none")]
        physical_id: Option<String>,
        /// Whether it stays because it holds production data.
        stays: bool,
    },
    /// A bucket is being emptied.
    Emptying {
        /// Its name.
        bucket: String,
        /// The versions, delete markers and uploads that are gone so far.
        deleted: u64,
        /// Whether nothing is left in it.
        done: bool,
    },
    /// A bucket is deleted.
    BucketDeleted {
        /// Its name.
        bucket: String,
    },
    /// A resource still exists after the deletion.
    Left {
        /// Where it was: the logical ids from the root to it.
        path: String,
        /// Its type.
        resource_type: String,
        /// Its physical id.
        #[serde(skip_serializing_if = "Option::is_none")]
        physical_id: Option<String>,
        /// Whether it stays on purpose.
        wanted: bool,
    },
    /// A service is deployed to an environment.
    Service {
        /// The environment.
        environment: String,
        /// The service.
        service: String,
        /// Its stack.
        stack: String,
        /// Whether anything changed.
        changed: bool,
        /// Its outputs, as other services refer to them.
        outputs: BTreeMap<String, String>,
    },
    /// An execution of the pipeline has this status now.
    ExecutionStatus {
        /// The execution's id.
        execution: String,
        /// CodePipeline's status.
        status: String,
        /// The actions that wait for an approval.
        waiting: Vec<String>,
    },
}

/// What happens to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    /// Where it is: the logical ids from the root to it (`Application/ProdSite`).
    pub(crate) path: String,
    /// Its type.
    pub(crate) resource_type: String,
    /// What happens.
    pub(crate) action: ResourceAction,
    /// Its physical id, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) physical_id: Option<String>,
    /// The properties (or attributes) that change.
    pub(crate) properties: Vec<String>,
    /// Whether it is of a type that holds data.
    pub(crate) holds_data: bool,
    /// Whether what it holds is lost, or may be.
    pub(crate) loses_data: bool,
}

/// What a change set does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResourceAction {
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

impl From<&delivery_stack::change_set::Change> for Change {
    fn from(change: &delivery_stack::change_set::Change) -> Self {
        Self {
            path: change.path.clone(),
            resource_type: change.resource_type.clone(),
            action: change.action.into(),
            physical_id: change.physical_id.clone(),
            properties: change.properties.clone(),
            holds_data: change.holds_data,
            loses_data: change.loses_data,
        }
    }
}

impl From<delivery_stack::change_set::ResourceAction> for ResourceAction {
    fn from(action: delivery_stack::change_set::ResourceAction) -> Self {
        use delivery_stack::change_set::ResourceAction as Computed;
        match action {
            Computed::Add => Self::Add,
            Computed::Change => Self::Change,
            Computed::Replace => Self::Replace,
            Computed::MayReplace => Self::MayReplace,
            Computed::Remove => Self::Remove,
            Computed::Leave => Self::Leave,
            Computed::Import => Self::Import,
        }
    }
}

impl Change {
    /// Whether something that holds data is removed, or replaced by something empty.
    pub(crate) fn is_critical(&self) -> bool {
        let is_removed = matches!(
            self.action,
            ResourceAction::Replace
                | ResourceAction::MayReplace
                | ResourceAction::Remove
                | ResourceAction::Leave
        );
        self.holds_data && is_removed
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One of each.
    #[expect(clippy::too_many_lines, reason = "a list of every kind")]
    pub(crate) fn examples() -> Vec<StackMessage> {
        let text = |text: &str| text.to_owned();
        let (path, resource_type) = (text("Application/ProdSite"), text("AWS::S3::Bucket"));
        let physical_id = Some(text("shop-prodsite"));
        vec![
            StackMessage::BucketMade {
                bucket: text("delivery-1-x"),
            },
            StackMessage::Object {
                key: text("actions/1/e2e.zip"),
                bytes: 4_400_000,
                uploaded: true,
            },
            StackMessage::Object {
                key: text("templates/1/delivery.yaml"),
                bytes: 900,
                uploaded: false,
            },
            StackMessage::Published {
                bucket: text("delivery-1-x"),
                template_url: text("https://t"),
                launch_url: Some(text("https://l")),
            },
            StackMessage::Change(Change {
                path: path.clone(),
                resource_type: resource_type.clone(),
                action: ResourceAction::Replace,
                physical_id: physical_id.clone(),
                properties: vec![text("BucketName")],
                holds_data: true,
                loses_data: false,
            }),
            StackMessage::Change(Change {
                path: text("Application/ProdApi"),
                resource_type: text("AWS::ApiGateway::RestApi"),
                action: ResourceAction::MayReplace,
                physical_id: None,
                properties: vec![text("Name")],
                holds_data: false,
                loses_data: false,
            }),
            StackMessage::StackEvent {
                at: text("2026-11-21T09:00:00Z"),
                stack: text("shop"),
                resource: text("ProdSite"),
                resource_type: resource_type.clone(),
                status: text("CREATE_FAILED"),
                reason: Some(text("it already exists")),
            },
            StackMessage::StackWorking {
                stack: text("shop"),
                status: text("CREATE_IN_PROGRESS"),
                seconds: 30.0,
                running: vec![text("ProdSite")],
            },
            StackMessage::StackFailure {
                stack: text("shop"),
                resource: text("ProdSite"),
                resource_type: resource_type.clone(),
                status: text("ROLLBACK_COMPLETE"),
                reason: text("it already exists"),
            },
            StackMessage::Stack {
                name: text("shop"),
                id: text("arn"),
                status: text("CREATE_COMPLETE"),
                outputs: BTreeMap::from([(text("Pipeline"), text("shop-1"))]),
            },
            StackMessage::ConnectionPending {
                arn: text("arn"),
                name: text("github"),
                url: text("https://c"),
            },
            StackMessage::Going {
                path: path.clone(),
                resource_type: resource_type.clone(),
                physical_id: physical_id.clone(),
                stays: true,
            },
            StackMessage::Emptying {
                bucket: text("shop-prodsite"),
                deleted: 1000,
                done: false,
            },
            StackMessage::BucketDeleted {
                bucket: text("shop-prodsite"),
            },
            StackMessage::Left {
                path,
                resource_type,
                physical_id,
                wanted: true,
            },
            StackMessage::Service {
                environment: text("dev-anna"),
                service: text("website"),
                stack: text("workshop-dev-anna-website"),
                changed: true,
                outputs: BTreeMap::from([(text("Url"), text("http://s"))]),
            },
            StackMessage::ExecutionStatus {
                execution: text("8b99da15"),
                status: text("InProgress"),
                waiting: vec![text("Approval / approve")],
            },
        ]
    }
}
