//! Why a request of the CodeDeploy API is refused.

use serde_json::{Value, json};

/// A refusal: AWS's name of the error, and a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// What CodeDeploy has for other platforms, or this one has not.
    pub(super) fn unsupported(what: &str) -> Self {
        Self::new(
            "InvalidInputException",
            format!("the local AWS has CodeDeploy for functions only: {what}"),
        )
    }

    /// The body of the answer in the protocol JSON 1.1.
    pub(crate) fn body(&self) -> Value {
        json!({ "__type": self.code, "message": self.message })
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }
}

/// Only functions are deployed here. AWS takes a platform that is not named for that of servers.
pub(super) fn check_platform(named: Option<&str>) -> Result<(), Refusal> {
    let platform = named.unwrap_or("Server");
    if platform == "Lambda" {
        return Ok(());
    }
    Err(Refusal::new(
        "InvalidComputePlatformException",
        format!(
            "the local AWS has CodeDeploy for functions only: the platform is `{platform}`, not `Lambda`"
        ),
    ))
}
