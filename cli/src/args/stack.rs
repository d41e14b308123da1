//! The commands about the stack: `publish`, `up`, `wait`, `down`, `validate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::pipeline::PipelineChoice;
use super::values::{duration, parameter};

/// How long a stack may take: its slowest resource, a CloudFront distribution, takes up to half of it.
const DEFAULT_STACK_TIMEOUT: &str = "1h";

/// `delivery publish`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Publish {
    /// The bucket; created if it does not exist [default: delivery-ACCOUNT-REGION].
    #[arg(long, value_name = "BUCKET", env = "DELIVERY_BUCKET")]
    pub(crate) bucket: Option<String>,

    /// The folder of the packages and the layer [default: those that came with `delivery`; in a checkout target/packages].
    #[arg(long, value_name = "DIR", env = "DELIVERY_PACKAGES")]
    pub(crate) packages: Option<PathBuf>,

    /// The architecture that the action functions run on [default: arm64].
    #[arg(long, value_enum, value_name = "ARCH", env = "DELIVERY_ARCHITECTURE")]
    pub(crate) architecture: Option<Architecture>,

    /// Publish no Node.js layer; `node` and `npm` then have to be on the functions' path.
    #[arg(long, env = "DELIVERY_NO_NODE_LAYER", value_parser = super::values::boolean)]
    pub(crate) no_node_layer: bool,
}

/// A processor architecture of Lambda, as it spells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
pub(crate) enum Architecture {
    /// AWS Graviton: a fifth cheaper by the millisecond.
    #[default]
    #[value(name = "arm64")]
    #[serde(rename = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[value(name = "x86_64")]
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Architecture {
    /// That of the machine that this program runs on.
    pub(crate) fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Arm64
        } else {
            Self::X86_64
        }
    }

    /// Lambda's word, which is also the packages' folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

/// `delivery up`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) publish: Publish,

    /// Launch the template at this URL, as `delivery publish` printed it, and publish nothing.
    #[arg(long, value_name = "URL", env = "DELIVERY_TEMPLATE_URL")]
    pub(crate) template_url: Option<String>,

    /// A parameter of the template; can be repeated. It overrides `DELIVERY_PARAMETER_<KEY>`, which overrides
    /// `[parameters]` of `delivery.toml`, which overrides the current value of the stack.
    #[arg(short, long = "parameter", value_name = "KEY=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,

    /// Show what would change, and leave nothing behind: templates that are not published yet are uploaded for
    /// it and removed again, packages are not uploaded.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Change the stack of this name even if it was not launched by Serverless Delivery: the template
    /// replaces everything in it.
    #[arg(long)]
    pub(crate) adopt: bool,

    /// Answer yes to every question: replace or remove resources that hold data, delete a stack whose creation
    /// failed, continue a stuck rollback.
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// How long the stack may take (for example 90s, 20m).
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_STACK_TIMEOUT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// `delivery wait`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) choice: PipelineChoice,

    /// Also wait for an execution of the pipeline: its id or the beginning of it, or `latest`.
    #[arg(long, value_name = "ID")]
    pub(crate) execution: Option<String>,

    /// How long to wait (for example 90s, 20m).
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_STACK_TIMEOUT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// `delivery down`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Down {
    /// Delete without asking for the stack's name.
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Delete the stack of this name even if it was not launched by Serverless Delivery.
    #[arg(long)]
    pub(crate) adopt: bool,

    /// Also empty and delete the buckets with production data; otherwise they stay.
    #[arg(long)]
    pub(crate) include_data: bool,

    /// Show what would be deleted, and delete nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How long it may take (for example 90s, 20m).
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_STACK_TIMEOUT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// `delivery validate`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Validate {
    /// The templates [default: those that `delivery.toml` is rendered to].
    #[arg(value_name = "FILE")]
    pub(crate) templates: Vec<PathBuf>,
}
