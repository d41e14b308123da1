//! Where functions log.

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use delivery_action::aws::CallError;

/// Where a function logs that names no group (Lambda Developer Guide, "Configuring CloudWatch log groups").
const DEFAULT_GROUPS: &str = "/aws/lambda/";

/// A log group, or what one version of a function writes to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The version whose events count; `None` for all.
    pub version: Option<String>,
}

impl Group {
    /// Whether the event counts. Lambda names the version in the stream (`2026/11/28/[7]8f00b204`), the local AWS does not: there
    /// each counts.
    pub(crate) fn has(&self, event: &FilteredLogEvent) -> bool {
        let stream = event.log_stream_name().unwrap_or_default();
        let of_stream = stream
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'));
        match (of_stream, &self.version) {
            (Some((of_stream, _)), Some(version)) => of_stream == version,
            _ => true,
        }
    }
}

/// The name of a function's log group: the one in its configuration, else Lambda's default.
///
/// # Errors
///
/// [`CallError`] where Lambda refuses or does not answer.
pub async fn of_function(
    client: &aws_sdk_lambda::Client,
    function: &str,
) -> Result<String, CallError> {
    let answer = client
        .get_function_configuration()
        .function_name(function)
        .send()
        .await
        .map_err(|error| CallError::new("lambda:GetFunctionConfiguration", function, &error))?;
    let group = answer
        .logging_config()
        .and_then(|logging| logging.log_group());
    Ok(group.map_or_else(|| default(function), str::to_owned))
}

/// The default log group of a function.
#[must_use]
pub fn default(function: &str) -> String {
    format!("{DEFAULT_GROUPS}{function}")
}

/// The names of the log groups of a stack's functions, as far as both have the names that CloudFormation and Lambda give
/// (`/aws/lambda/STACK-...`); the first 50.
///
/// # Errors
///
/// [`CallError`] where CloudWatch Logs refuses or does not answer.
pub async fn of_stack(
    client: &aws_sdk_cloudwatchlogs::Client,
    stack: &str,
) -> Result<Vec<String>, CallError> {
    let prefix = default(&format!("{stack}-"));
    let answer = client
        .describe_log_groups()
        .log_group_name_prefix(&prefix)
        .send()
        .await
        .map_err(|error| CallError::new("logs:DescribeLogGroups", &prefix, &error))?;
    let names = answer
        .log_groups()
        .iter()
        .filter_map(|group| group.log_group_name());
    Ok(names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_an_event_is_that_of_its_stream() {
        let event = |stream: &str| FilteredLogEvent::builder().log_stream_name(stream).build();
        let group = |version: Option<&str>| Group {
            name: "/aws/lambda/greeter".to_owned(),
            version: version.map(str::to_owned),
        };
        let of_seven = event("2026/11/28/[7]8f00b204");
        assert!(group(Some("7")).has(&of_seven) && group(None).has(&of_seven));
        assert!(!group(Some("8")).has(&of_seven));
        assert!(group(Some("8")).has(&event("stream")));
    }
}
