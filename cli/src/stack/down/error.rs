//! Why not everything was deleted.

use delivery_stack::deletion::bucket::BucketError;

use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::stack::question::Answer;

/// Why not everything was deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownError {
    /// The question was not answered with the stack's name.
    #[error("nothing was deleted: the name of the stack `{stack}` was not typed")]
    NotConfirmed {
        /// The stack's name.
        stack: String,
        /// What was answered instead.
        answer: Answer,
    },
    /// The stack is protected.
    #[error("the stack `{stack}` has termination protection")]
    Protected {
        /// The stack's name.
        stack: String,
    },
    /// Stacks of environments work with the role of the stack.
    #[error("nothing was deleted: {} with the role of the stack `{stack}`, and cannot be changed or deleted without it", working(.stacks))]
    InUse {
        /// The stack's name.
        stack: String,
        /// Those that use it, the one that was deployed last first.
        stacks: Vec<String>,
    },
    /// CloudFormation would delete data of production.
    #[error(
        "nothing was deleted: deleting the stack would also delete `{bucket}`, which holds production data"
    )]
    TakesData {
        /// The bucket.
        bucket: String,
    },
    /// S3 did not delete an object.
    #[error(transparent)]
    NotDeleted(BucketError),
    /// Something still exists.
    #[error("the stack `{stack}` is deleted, but {} of its resources still exist: {}", .paths.len(), .paths.join(", "))]
    Left {
        /// The stack's name.
        stack: String,
        /// What exists.
        paths: Vec<String>,
    },
}

impl From<BucketError> for CliError {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Call(error) => error.into(),
            error @ BucketError::NotDeleted { .. } => DownError::NotDeleted(error).into(),
        }
    }
}

/// How many stacks of environments work.
fn working(stacks: &[String]) -> String {
    match stacks {
        [one] => format!("the environment's stack `{one}` works"),
        several => format!("{} stacks of environments work", several.len()),
    }
}

/// The commands that delete stacks, each with the wait for its end: only then is the role free.
fn commands(stacks: &[String]) -> String {
    let commands = stacks.iter().map(|stack| {
        format!(
            "\n    aws cloudformation delete-stack --stack-name {stack} && \
             aws cloudformation wait stack-delete-complete --stack-name {stack}"
        )
    });
    commands.collect()
}

impl Explained for DownError {
    fn exit(&self) -> Exit {
        match self {
            Self::Left { .. } => Exit::PipelineFailed,
            Self::NotConfirmed { answer, .. } => answer.exit(),
            Self::Protected { .. }
            | Self::InUse { .. }
            | Self::TakesData { .. }
            | Self::NotDeleted(_) => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NotConfirmed { .. } => "not-confirmed",
            Self::Protected { .. } | Self::TakesData { .. } => "protected",
            Self::InUse { .. } => "in-use",
            Self::NotDeleted(_) => "bucket",
            Self::Left { .. } => "left",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotConfirmed { answer, .. } => return answer.hint(),
            Self::Protected { stack } => format!(
                "to delete it anyway, run `aws cloudformation update-termination-protection --stack-name {stack} \
                 --no-enable-termination-protection`, then `delivery down` again"
            ),
            Self::InUse { stacks, .. } => format!(
                "to keep these environments, keep the stack; else delete theirs first, with their data, in this order, and \
                 then run `delivery down` again:{}",
                commands(stacks)
            ),
            Self::TakesData { .. } => {
                "to delete the data too, run it again with `--include-data`".to_owned()
            }
            Self::NotDeleted(_) => {
                "allow `s3:DeleteObject` and `s3:DeleteObjectVersion` on the bucket, and check that the object is \
                 not locked; then run `delivery down` again: it continues where it stopped"
                    .to_owned()
            }
            Self::Left { .. } => {
                "delete them by hand; they are listed above".to_owned()
            }
        })
    }
}
