//! The commands about `delivery.toml`: `init` and `render`.

use std::path::PathBuf;

use clap::Args;

/// `delivery init`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Init {
    /// The root of the repository.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) repository: PathBuf,

    /// The application's name; otherwise that of the folder.
    #[arg(long, value_name = "NAME")]
    pub(crate) application: Option<String>,

    /// The environments in the order of delivery, joined by commas; otherwise `test,prod`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) environments: Vec<String>,

    /// Write the files without asking, with the defaults of what no option says.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// `delivery render`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Render {
    /// Where the templates are written; files of their names are replaced.
    #[arg(long, value_name = "DIR", default_value = "cloudformation")]
    pub(crate) out: PathBuf,
}
