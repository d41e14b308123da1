//! The commands about `delivery.toml`: `init` and `render`.

use std::path::PathBuf;

use clap::Args;

/// `delivery init`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Init {
    /// The root of the repository.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) repository: PathBuf,
}

/// `delivery render`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Render {
    /// Where the templates are written; files of their names are replaced.
    #[arg(long, value_name = "DIR", default_value = "cloudformation")]
    pub(crate) out: PathBuf,
}
