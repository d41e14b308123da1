//! What of a service an action deploys.

use crate::manifest::Service;

/// What of a service an action deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Its stack: of a site in an environment of a family, the one with its bucket.
    Stack,
    /// Its files in a bucket.
    Site,
    /// Its function.
    Function,
    /// Its API.
    Api,
}

/// What a release has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Has {
    /// It has it; this is what the deployment calls it. The stack around a site is no part of a release.
    Part(Option<String>),
    /// An app without it.
    Nothing,
    /// The service is of another kind.
    Other(&'static str),
}

impl Piece {
    /// What a service of a release has of it.
    pub(super) fn of(self, name: &str, service: &Service, is_in_family: bool) -> Has {
        match (self, service) {
            (Self::Stack, Service::CloudFormation(_)) | (Self::Site, Service::Site(_)) => {
                Has::Part(Some(name.to_owned()))
            }
            (Self::Stack, Service::Site(_)) if is_in_family => Has::Part(None),
            (Self::Site | Self::Function | Self::Api, Service::App(app)) => {
                let artifacts = &app.artifacts;
                let (what, artifact) = match self {
                    Self::Function => ("function", &artifacts.function),
                    Self::Api => ("api", &artifacts.api),
                    Self::Site | Self::Stack => ("site", &artifacts.site),
                };
                match artifact {
                    Some(_) => Has::Part(Some(format!("{name}/{what}"))),
                    None => Has::Nothing,
                }
            }
            (_, service) => Has::Other(kind(service)),
        }
    }

    /// As messages call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Site => "site",
            Self::Function => "function",
            Self::Api => "API",
        }
    }
}

/// The kind of a service, as `delivery.toml` calls it.
fn kind(service: &Service) -> &'static str {
    match service {
        Service::CloudFormation(_) => "stack",
        Service::Site(_) => "site",
        Service::App(_) => "app",
    }
}
