//! What the application under test logged while a test of it failed.

use std::time::Duration;

use delivery_action::aws::{CallError, SdkConfig};
use delivery_action::clock::Deadline;
use delivery_function_log::{Group, Span, groups_of_stack, of_function, telling_lines};

/// Longest time that is spent on it: CloudWatch Logs shows what it takes up to 5 s later.
const LONGEST_READ: Duration = Duration::from_secs(10);

/// The part of the job's remaining time that it may take at most, so that the failure itself is reported in any case.
const LARGEST_PART: u32 = 2;

/// Most functions of a stack whose logs are read: each is a call.
const MAX_FUNCTIONS: usize = 10;

/// What is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Application {
    /// Its function.
    pub function: Option<Function>,
    /// The stack with its functions.
    pub stack: Option<String>,
}

/// A function, and the version that is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    name: String,
    version: Option<String>,
}

impl<'de> serde::Deserialize<'de> for Function {
    /// `NAME` or `NAME:VERSION`.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (name, version) = match text.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (text.as_str(), None),
        };
        let is_version = |version: &str| version.bytes().all(|byte| byte.is_ascii_digit());
        if name.is_empty() || version.is_some_and(|one| one.is_empty() || !is_version(one)) {
            let expected = "the name of a function, or NAME:VERSION with the number of a version";
            return Err(serde::de::Error::custom(expected));
        }
        Ok(Self {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }
}

impl Application {
    /// The lines since then, in milliseconds since the epoch, that tell most. They only help to understand a failure, so one that cannot be read is a warning.
    pub(crate) async fn log_since(
        &self,
        began_ms: i64,
        config: &SdkConfig,
        deadline: Deadline,
    ) -> Vec<String> {
        let limit = LONGEST_READ.min(deadline.remaining() / LARGEST_PART);
        let read = tokio::time::timeout(limit, self.read(Span::since(began_ms), config)).await;
        let why = match read {
            Ok(Ok(lines)) => return lines,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it was not read within {} s", limit.as_secs()),
        };
        tracing::warn!("the application's own log is not shown: {why}");
        Vec::new()
    }

    async fn read(&self, span: Span, config: &SdkConfig) -> Result<Vec<String>, CallError> {
        let mut groups = Vec::new();
        if let Some(Function { name, version }) = &self.function {
            let lambda = aws_sdk_lambda::Client::new(config);
            groups.push(Group {
                name: of_function(&lambda, name).await?,
                version: version.clone(),
            });
        }
        if groups.is_empty() && self.stack.is_none() {
            return Ok(Vec::new());
        }
        let logs = aws_sdk_cloudwatchlogs::Client::new(config);
        if let Some(stack) = &self.stack {
            let of_stack = groups_of_stack(&logs, stack).await?;
            groups.extend(of_stack.into_iter().take(MAX_FUNCTIONS).map(|name| Group {
                name,
                version: None,
            }));
        }
        telling_lines(&logs, &groups, span).await
    }
}
