//! `size-budget`: fails a release in which a file of the input artifact has become too large.

use delivery_action::action::{Action, Completion, Outcome, RuntimeError, serve};
use delivery_action::artifact::{Kind, Store};
use delivery_action::aws::SdkConfig;
use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_action::job::Job;
use delivery_action::parameters::Parameters;

struct SizeBudget {
    config: SdkConfig,
}

/// `UserParameters`, such as `file=index.js&max-bytes=100000`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Budget {
    file: String,
    max_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
enum SizeBudgetError {
    #[error("`{file}` has {bytes} bytes, more than its budget of {max_bytes}")]
    TooLarge {
        file: String,
        bytes: u64,
        max_bytes: u64,
    },
    #[error("input artifact `{artifact}` has no file `{file}`")]
    Missing { artifact: String, file: String },
    #[error(transparent)]
    Job(JobError),
}

// Lets `?` turn the errors of this crate, such as those of `Store`, into `SizeBudgetError::Job`.
delivery_action::wraps_job_error!(SizeBudgetError);

impl ActionError for SizeBudgetError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::TooLarge { .. } => FailureType::JobFailed,
            Self::Missing { .. } => FailureType::ConfigurationError,
            Self::Job(error) => error.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge { .. } => "make it smaller, or raise `max-bytes`".to_owned(),
            Self::Missing { .. } => "correct `file` in `UserParameters`".to_owned(),
            Self::Job(error) => return error.hint(),
        })
    }
}

impl Action for SizeBudget {
    const NAME: &'static str = "size-budget";
    type Params = Parameters<Budget>;
    type Error = SizeBudgetError;

    async fn run(
        &self,
        job: &Job,
        Parameters(Budget { file, max_bytes }): Parameters<Budget>,
    ) -> Result<Outcome, SizeBudgetError> {
        let artifact = job.only_input()?;
        // Reads the archive's list of files, not the files.
        let archive = Store::for_job(&self.config, job).open(artifact).await?;
        let mut entries = archive.entries();
        let entry =
            entries.find(|entry| entry.path() == file && matches!(entry.kind(), Kind::File { .. }));
        let Some(entry) = entry else {
            let artifact = artifact.name.clone();
            return Err(SizeBudgetError::Missing { artifact, file });
        };
        let bytes = entry.size();
        if bytes > max_bytes {
            return Err(SizeBudgetError::TooLarge {
                file,
                bytes,
                max_bytes,
            });
        }
        Ok(Outcome::Complete(Completion {
            summary: format!("`{file}` has {bytes} of at most {max_bytes} bytes"),
            variables: [("Bytes".to_owned(), bytes.to_string())].into(),
        }))
    }
}

fn main() -> Result<(), RuntimeError> {
    serve(|config: &SdkConfig| SizeBudget {
        config: config.clone(),
    })
}

#[cfg(test)]
mod tests {
    use delivery_testing::archives::zip_of;
    use delivery_testing::events::JobEvent;
    use delivery_testing::world::{World, codepipeline::Reported};

    use super::*;

    async fn result(parameters: &str) -> Reported {
        let world = World::start().await;
        let bucket = world.bucket("store").create().await.clone();
        let zip = zip_of(&[("index.js", b"0123456789")]);
        bucket.put("app/Dist/1", zip).await;
        let event = JobEvent::new()
            .input("Dist", "store", "app/Dist/1")
            .user_parameters(parameters);
        let construct = |config: &SdkConfig| SizeBudget {
            config: config.clone(),
        };
        world.run(construct, event).await
    }

    #[tokio::test]
    async fn a_file_within_its_budget_passes() {
        match result("file=index.js&max-bytes=10").await {
            Reported::Success { variables, .. } => assert_eq!(variables["Bytes"], "10"),
            other => panic!("the job failed: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_file_over_its_budget_fails_the_job() {
        let Reported::Failure { message, .. } = result("file=index.js&max-bytes=9").await else {
            panic!("the job passed")
        };
        let expected = "`index.js` has 10 bytes, more than its budget of 9\nhint: make it smaller";
        assert!(message.starts_with(expected), "{message}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_fails_the_job() {
        let Reported::Failure { failure_type, .. } = result("file=main.js&max-bytes=9").await
        else {
            panic!("the job passed")
        };
        assert_eq!(failure_type, "ConfigurationError");
    }
}
