//! The commands about an environment: `deploy`, `plan`.

use std::time::Duration;

use clap::Args;

use super::values::{boolean, duration};

/// How long a deployment may take: databases and distributions take tens of minutes.
const DEFAULT_TIMEOUT: &str = "1h";

/// `delivery deploy`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Deploy {
    /// An environment of your own: `dev-` and a name, such as `dev-anna`. The family `dev` in `delivery.toml` has its
    /// settings; it need not be there.
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,

    #[command(flatten)]
    pub(crate) options: ServiceOptions,

    /// How long it may take (for example 90s, 20m). CloudFormation goes on afterwards.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_TIMEOUT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// `delivery plan`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    /// The environment [default: the first one of the pipeline].
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,

    #[command(flatten)]
    pub(crate) options: ServiceOptions,
}

/// Which services, and whether they are built.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServiceOptions {
    /// Only this service; can be repeated.
    #[arg(long = "service", value_name = "NAME")]
    pub(crate) services: Vec<String>,

    /// Build nothing: take what was built before.
    #[arg(long, env = "DELIVERY_NO_BUILD", value_parser = boolean)]
    pub(crate) no_build: bool,
}
