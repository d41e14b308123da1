//! What goes wrong with releases, as a command says it.

use delivery_release::ReleaseError;

use crate::error::{Explained, call_exit, call_hint, call_kind};
use crate::exit::Exit;

impl Explained for ReleaseError {
    fn exit(&self) -> Exit {
        match self {
            Self::Call(error) => call_exit(error),
            Self::NoRelease { .. } | Self::NothingBefore { .. } => Exit::NotFound,
            _ => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Call(error) => call_kind(error),
            Self::NoRelease { .. } | Self::NothingBefore { .. } => "not-found",
            Self::Busy { .. } | Self::Lost { .. } | Self::Contended { .. } => "busy",
            _ => "release",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => Some(call_hint(error)),
            error => delivery_action::failure::ActionError::hint(error),
        }
    }
}
