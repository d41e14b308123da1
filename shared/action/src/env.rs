//! The environment variables of a function. This is the only module that reads them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// The function's log group and stream (`AWS_LAMBDA_LOG_GROUP_NAME`, `AWS_LAMBDA_LOG_STREAM_NAME`;
/// Lambda Developer Guide, "Defined runtime environment variables").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLocation {
    /// The CloudWatch Logs group.
    pub group: Option<String>,
    /// The stream of this execution environment.
    pub stream: Option<String>,
}

/// A variable's value; `None` if it is not set, empty, or not Unicode.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place that reads variables"
)]
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable's raw value; `None` if it is not set.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place that reads variables"
)]
pub fn var_os(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The variables with a prefix, by the rest of their names, without empty and non-Unicode ones.
#[must_use]
pub fn with_prefix(prefix: &str) -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value)))
        .collect()
}

/// This function's log group and stream.
#[must_use]
pub fn log_location() -> LogLocation {
    LogLocation {
        group: var("AWS_LAMBDA_LOG_GROUP_NAME"),
        stream: var("AWS_LAMBDA_LOG_STREAM_NAME"),
    }
}

/// This function's name; `None` outside Lambda (`AWS_LAMBDA_FUNCTION_NAME`).
#[must_use]
pub fn function_name() -> Option<String> {
    var("AWS_LAMBDA_FUNCTION_NAME")
}

/// The most verbose level that is logged (`DELIVERY_LOG`: `error`, `warn`, `info`, `debug`; default
/// `info`).
#[must_use]
pub fn log_level() -> Option<String> {
    var("DELIVERY_LOG")
}

/// The variable for a directory that belongs to this function alone and may be emptied. Set it when you start a
/// function on a machine with other programs; in Lambda, `/tmp` is such a directory.
pub const OWN_DIRECTORY: &str = "DELIVERY_FUNCTION_TMPDIR";

/// The directory in [`OWN_DIRECTORY`].
#[must_use]
pub fn own_directory() -> Option<PathBuf> {
    var_os(OWN_DIRECTORY)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// The parent of job directories: the function's own directory, else `TMPDIR`, else `/tmp`, which is the only place
/// that a Lambda function can write to.
#[must_use]
pub fn temporary_directory() -> PathBuf {
    own_directory().unwrap_or_else(std::env::temp_dir)
}
