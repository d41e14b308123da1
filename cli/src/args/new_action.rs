//! `delivery new-action`.

use std::path::PathBuf;

use clap::Args;

/// `delivery new-action`.
#[derive(Args, Clone, Debug)]
pub(crate) struct NewAction {
    /// The action's name: lower-case words joined by `-`, such as `notify-chat`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The folder in which the new folder NAME is made.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) into: PathBuf,
}
