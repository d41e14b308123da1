//! What an archive's error means for the job.

use delivery_archive::ArchiveError;

use crate::failure::{ActionError, FailureType};

impl ActionError for ArchiveError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::NotZip { .. }
            | Self::Framing { .. }
            | Self::Entry { .. }
            | Self::Ratio { .. }
            | Self::TooCompressible { .. }
            | Self::Missing { .. }
            | Self::Io { .. } => FailureType::JobFailed,
            Self::TooManyEntries { .. }
            | Self::NamesTooLong { .. }
            | Self::EntryTooLarge { .. }
            | Self::TooLarge { .. }
            | Self::NoRoom { .. } => FailureType::ConfigurationError,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(Self::hint(self).to_owned())
    }
}
