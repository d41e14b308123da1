//! The action's `UserParameters`.

use std::collections::BTreeMap;
use std::fmt;

use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, Switch, UserParameters};
use serde::Deserialize;

/// The parameters of `npm-install`.
#[derive(Clone, Debug)]
pub struct NpmInstallParams {
    /// npm's command; `None` chooses by whether there is a lock file.
    pub subcommand: Option<Subcommand>,
    /// The project's directory in the source.
    pub directory: String,
    /// Kinds of dependencies that are not installed.
    pub omit: Vec<Omit>,
    /// Whether packages' install scripts are skipped.
    pub ignore_scripts: bool,
    /// Whether the lock file must give a hash for each package.
    pub integrity: Switch,
    /// Whether `node_modules` of an unchanged lock file is taken from the dependency cache.
    pub cache: Switch,
    /// Tasks that later actions will run: a missing one is reported before anything is installed.
    pub tasks: Vec<String>,
    /// Variables that npm gets.
    pub environment: BTreeMap<String, String>,
}

/// npm's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subcommand {
    /// Exactly what the lock file lists.
    Ci,
    /// What `package.json` asks for.
    Install,
}

impl fmt::Display for Subcommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ci => "ci",
            Self::Install => "install",
        })
    }
}

/// A kind of dependencies, as npm's `--omit` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Omit {
    /// `devDependencies`
    Dev,
    /// `optionalDependencies`
    Optional,
    /// `peerDependencies`
    Peer,
}

impl fmt::Display for Omit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dev => "dev",
            Self::Optional => "optional",
            Self::Peer => "peer",
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keys {
    subcommand: Option<Subcommand>,
    #[serde(default = "repository_root")]
    directory: String,
    #[serde(default)]
    omit: OmitList,
    #[serde(default = "yes")]
    ignore_scripts: bool,
    #[serde(default = "on")]
    integrity: Switch,
    #[serde(default = "on")]
    cache: Switch,
    #[serde(default)]
    tasks: String,
}

/// `dev` or `dev,optional`.
#[derive(Default)]
struct OmitList(Vec<Omit>);

impl<'de> Deserialize<'de> for OmitList {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.split(',')
            .map(|kind| match kind.trim() {
                "dev" => Ok(Omit::Dev),
                "optional" => Ok(Omit::Optional),
                "peer" => Ok(Omit::Peer),
                _ => Err(serde::de::Error::custom(
                    "`dev`, `optional`, `peer`, or some of them joined by commas",
                )),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// `package,test-functional`
fn names(list: &str) -> Vec<String> {
    let names = list.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn repository_root() -> String {
    ".".to_owned()
}

fn yes() -> bool {
    true
}

fn on() -> Switch {
    Switch::On
}

impl Params for NpmInstallParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        let environment = parameters.take_prefixed("Env.")?;
        let keys: Keys = parameters.deserialize()?;
        Ok(Self {
            subcommand: keys.subcommand,
            directory: keys.directory,
            omit: keys.omit.0,
            ignore_scripts: keys.ignore_scripts,
            integrity: keys.integrity,
            cache: keys.cache,
            tasks: names(&keys.tasks),
            environment,
        })
    }
}
