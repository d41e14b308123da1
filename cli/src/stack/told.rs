//! What the commands of a stack tell while they work.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;
use schemars::JsonSchema;
use serde::Serialize;

use crate::output::lines::duration;
use crate::output::style::{BAD, DIM, GOOD, WAITING};
use crate::output::teller::Told;

/// One thing that a command of a stack tells.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(crate) enum News {
    /// Something that a person should know.
    Notice {
        /// The sentence.
        message: String,
    },
    /// The bucket that is published to was made.
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
        /// Whether it was sent now; else it was there already and is the same.
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
    /// A change that an update would make, or makes.
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
        /// CloudFormation's word for its status.
        status: String,
        /// What CloudFormation says of the status.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Nothing changed for a while; it goes on.
    StackWorking {
        /// The stack's name.
        stack: String,
        /// CloudFormation's word for its status.
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
        /// CloudFormation's word for its status.
        status: String,
        /// Why.
        reason: String,
    },
    /// The stack as it is in the end.
    Stack {
        /// Its name.
        name: String,
        /// Its id (ARN).
        id: String,
        /// CloudFormation's word for its status.
        status: String,
        /// Its outputs.
        outputs: BTreeMap<String, String>,
    },
    /// The connection waits for a person.
    ConnectionPending {
        /// Its ARN.
        arn: String,
        /// Its name.
        name: String,
        /// The page of the console that completes it.
        url: String,
    },
    /// What a deletion takes away, or leaves.
    Going {
        /// Where it is: the logical ids from the root to it.
        path: String,
        /// Its type.
        resource_type: String,
        /// Its physical id.
        #[serde(skip_serializing_if = "Option::is_none")]
        physical_id: Option<String>,
        /// Whether it stays, since it holds data of production.
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
        /// Whether that was wanted.
        wanted: bool,
    },
    /// An execution of the pipeline has this status now.
    ExecutionStatus {
        /// The execution's id.
        execution: String,
        /// CodePipeline's word for it.
        status: String,
        /// The stage and action that wait for an approval.
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
    pub(crate) action: Action,
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
pub(crate) enum Action {
    /// It is made.
    Add,
    /// It is changed in its place.
    Change,
    /// It is made anew, and the old one deleted.
    Replace,
    /// It may have to be made anew.
    MayReplace,
    /// It is deleted.
    Remove,
    /// It leaves the stack and stays.
    Leave,
    /// It comes into the stack.
    Import,
}

impl Action {
    fn words(self) -> (&'static str, Style) {
        match self {
            Self::Add => ("+ add", GOOD),
            Self::Change => ("~ change", WAITING),
            Self::Replace => ("± replace", BAD),
            Self::MayReplace => ("± replace?", BAD),
            Self::Remove => ("- remove", BAD),
            Self::Leave => ("  leave", DIM),
            Self::Import => ("+ import", GOOD),
        }
    }
}

/// The mark of a resource's or a stack's status.
fn status_mark(status: &str) -> (&'static str, Style) {
    if status.ends_with("_FAILED") {
        ("✗", BAD)
    } else if status.contains("ROLLBACK") {
        ("↩", BAD)
    } else if status == "DELETE_SKIPPED" {
        ("·", WAITING)
    } else if status.ends_with("_COMPLETE") {
        ("✓", GOOD)
    } else {
        ("•", DIM)
    }
}

fn bytes(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = KIB * KIB;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{} KiB", bytes.div_ceil(KIB)),
        _ => format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB),
    }
}

fn physical(id: Option<&String>) -> String {
    id.map(|id| format!(" {DIM}{id}{DIM:#}"))
        .unwrap_or_default()
}

impl News {
    /// What is said before a stack is changed.
    fn of_publishing(&self) -> Option<String> {
        Some(match self {
            Self::Notice { message } => message.clone(),
            Self::BucketMade { bucket } => {
                format!("{GOOD}✓{GOOD:#} bucket {bucket} made: private, encrypted, TLS only")
            }
            Self::Object {
                key,
                bytes: size,
                uploaded,
            } => {
                let verb = if *uploaded { "sent" } else { "there" };
                format!(
                    "{GOOD}✓{GOOD:#} {verb:<5} {key} {DIM}{}{DIM:#}",
                    bytes(*size)
                )
            }
            Self::Change(change) => change.line(),
            _ => return None,
        })
    }

    /// What is said of the stack and its pipeline.
    fn of_the_stack(&self) -> Option<String> {
        Some(match self {
            Self::StackEvent {
                stack,
                resource,
                resource_type,
                status,
                reason,
                ..
            } => {
                let (symbol, style) = status_mark(status);
                let why = reason
                    .as_ref()
                    .map(|text| format!(" {DIM}{text}{DIM:#}"))
                    .unwrap_or_default();
                format!(
                    "{style}{symbol} {status:<20}{style:#} {stack} / {resource} {DIM}{resource_type}{DIM:#}{why}"
                )
            }
            Self::StackWorking {
                stack,
                status,
                seconds,
                running,
            } => format!(
                "{DIM}… {stack} is {status} after {}: {}{DIM:#}",
                duration(*seconds),
                if running.is_empty() {
                    "waiting".to_owned()
                } else {
                    running.join(", ")
                }
            ),
            Self::Stack { name, status, .. } => {
                let (symbol, style) = status_mark(status);
                format!("{style}{symbol} {status}{style:#} {name}")
            }
            Self::ConnectionPending { name, url, .. } => format!(
                "{WAITING}• the connection `{name}` is pending{WAITING:#}: the pipeline cannot fetch its source \
                 until the handshake is completed in the console (\"Update pending connection\"):\n    {url}"
            ),
            Self::ExecutionStatus {
                execution,
                status,
                waiting,
            } => {
                let waits = if waiting.is_empty() {
                    String::new()
                } else {
                    format!(
                        "; {} waits for approval (`delivery approve`)",
                        waiting.join(", ")
                    )
                };
                format!("execution {execution}: {status}{waits}")
            }
            _ => return None,
        })
    }

    /// What is said while a stack is deleted. What is published and what failed are for people the
    /// data and the error of the command.
    fn of_the_deletion(&self) -> Option<String> {
        Some(match self {
            Self::Going {
                path,
                resource_type,
                physical_id,
                stays,
            } => {
                let (verb, style) = if *stays {
                    ("stays", WAITING)
                } else {
                    ("goes", BAD)
                };
                format!(
                    "  {style}{verb:<5}{style:#} {path} {DIM}{resource_type}{DIM:#}{}",
                    physical(physical_id.as_ref())
                )
            }
            Self::Emptying {
                bucket,
                deleted,
                done,
            } => {
                let (symbol, style) = if *done { ("✓", GOOD) } else { ("•", DIM) };
                let verb = if *done { "empty" } else { "emptying" };
                format!("{style}{symbol}{style:#} {verb} s3://{bucket}: {deleted} deleted")
            }
            Self::BucketDeleted { bucket } => format!("{GOOD}✓{GOOD:#} deleted s3://{bucket}"),
            Self::Left {
                path,
                resource_type,
                physical_id,
                wanted,
            } => {
                let (symbol, style) = if *wanted {
                    ("·", WAITING)
                } else {
                    ("✗", BAD)
                };
                format!(
                    "{style}{symbol} left{style:#} {path} {DIM}{resource_type}{DIM:#}{}",
                    physical(physical_id.as_ref())
                )
            }
            _ => return None,
        })
    }
}

impl Told for News {
    fn line(&self) -> Option<String> {
        self.of_publishing()
            .or_else(|| self.of_the_stack())
            .or_else(|| self.of_the_deletion())
    }

    fn is_essential(&self) -> bool {
        matches!(
            self,
            Self::StackFailure { .. } | Self::ConnectionPending { .. } | Self::Left { .. }
        )
    }
}

impl Change {
    /// Whether something that holds data goes, or is replaced by something empty.
    pub(crate) fn is_critical(&self) -> bool {
        let goes = matches!(
            self.action,
            Action::Replace | Action::MayReplace | Action::Remove | Action::Leave
        );
        self.holds_data && goes
    }

    fn line(&self) -> String {
        let (words, style) = self.action.words();
        let mut text = format!(
            "  {style}{words:<10}{style:#} {} {DIM}{}{DIM:#}",
            self.path, self.resource_type
        );
        if !self.properties.is_empty() {
            let _infallible = write!(text, " ({})", self.properties.join(", "));
        }
        if self.loses_data {
            let _infallible = write!(text, " {BAD}its data is lost{BAD:#}");
        } else if self.is_critical() {
            let _infallible = write!(text, " {WAITING}its data stays behind{WAITING:#}");
        }
        text
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One of each.
    #[expect(clippy::too_many_lines, reason = "a list of every kind")]
    pub(crate) fn examples() -> Vec<News> {
        let text = |text: &str| text.to_owned();
        let (path, resource_type) = (text("Application/ProdSite"), text("AWS::S3::Bucket"));
        let physical_id = Some(text("shop-prodsite"));
        vec![
            News::Notice {
                message: text("next: `delivery status`"),
            },
            News::BucketMade {
                bucket: text("delivery-1-x"),
            },
            News::Object {
                key: text("actions/1/e2e.zip"),
                bytes: 4_400_000,
                uploaded: true,
            },
            News::Object {
                key: text("templates/1/delivery.yaml"),
                bytes: 900,
                uploaded: false,
            },
            News::Published {
                bucket: text("delivery-1-x"),
                template_url: text("https://t"),
                launch_url: Some(text("https://l")),
            },
            News::Change(Change {
                path: path.clone(),
                resource_type: resource_type.clone(),
                action: Action::Replace,
                physical_id: physical_id.clone(),
                properties: vec![text("BucketName")],
                holds_data: true,
                loses_data: false,
            }),
            News::StackEvent {
                at: text("2026-11-21T09:00:00Z"),
                stack: text("shop"),
                resource: text("ProdSite"),
                resource_type: resource_type.clone(),
                status: text("CREATE_FAILED"),
                reason: Some(text("it already exists")),
            },
            News::StackWorking {
                stack: text("shop"),
                status: text("CREATE_IN_PROGRESS"),
                seconds: 30.0,
                running: vec![text("ProdSite")],
            },
            News::StackFailure {
                stack: text("shop"),
                resource: text("ProdSite"),
                resource_type: resource_type.clone(),
                status: text("ROLLBACK_COMPLETE"),
                reason: text("it already exists"),
            },
            News::Stack {
                name: text("shop"),
                id: text("arn"),
                status: text("CREATE_COMPLETE"),
                outputs: BTreeMap::from([(text("Pipeline"), text("shop-1"))]),
            },
            News::ConnectionPending {
                arn: text("arn"),
                name: text("github"),
                url: text("https://c"),
            },
            News::Going {
                path: path.clone(),
                resource_type: resource_type.clone(),
                physical_id: physical_id.clone(),
                stays: true,
            },
            News::Emptying {
                bucket: text("shop-prodsite"),
                deleted: 1000,
                done: false,
            },
            News::BucketDeleted {
                bucket: text("shop-prodsite"),
            },
            News::Left {
                path,
                resource_type,
                physical_id,
                wanted: true,
            },
            News::ExecutionStatus {
                execution: text("8b99da15"),
                status: text("InProgress"),
                waiting: vec![text("Approval / approve")],
            },
        ]
    }

    #[test]
    fn each_is_a_line_for_people_or_none() {
        let lines: Vec<String> = examples()
            .iter()
            .map(|news| {
                let line = news.line().unwrap_or_else(|| "-".to_owned());
                anstream::adapter::strip_str(&line).to_string()
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
