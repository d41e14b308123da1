//! Identifiers, and where they come from: a seed that comes in with each event, so that the state
//! machine itself stays free of randomness.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as the API writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier! {
    /// One run of a pipeline.
    ExecutionId
}
identifier! {
    /// One run of an action.
    ActionExecutionId
}
identifier! {
    /// One hand-over of an action's work to a function.
    JobId
}

/// When an event happened, and what its ids are made from.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The event's time.
    pub now: Timestamp,
    /// Unique to the event.
    pub seed: u128,
}

/// Makes ids from a [`Stamp`]'s seed; the same seed gives the same ids.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u128,
    next: u32,
}

/// Characters of the random part of an artifact's key (seen: `D0YHsJn`, `ugScfFR`).
const KEY_ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Length of the random part of an artifact's key.
const KEY_LENGTH: usize = 7;

/// Characters of the pipeline's name that an artifact's key begins with.
const KEY_PIPELINE_CHARS: usize = 20;

/// Characters of the artifact's name that its key holds.
const KEY_ARTIFACT_CHARS: usize = 10;

impl Ids {
    pub(crate) fn new(seed: u128) -> Self {
        Self { seed, next: 0 }
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(self.next.to_le_bytes());
        self.next += 1;
        hash.finalize().into()
    }

    /// A random (version 4) UUID in lower case.
    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.bytes()[..16]);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    /// A fresh artifact key: `<pipeline, 20>/<artifact, 10>/<7 random>`, as AWS lays them out.
    pub(crate) fn artifact_key(&mut self, pipeline: &str, artifact: &str) -> String {
        let random: String = self.bytes()[..KEY_LENGTH]
            .iter()
            .map(|byte| char::from(KEY_ALPHABET[usize::from(*byte) % KEY_ALPHABET.len()]))
            .collect();
        let pipeline: String = pipeline.chars().take(KEY_PIPELINE_CHARS).collect();
        let artifact: String = artifact.chars().take(KEY_ARTIFACT_CHARS).collect();
        format!("{pipeline}/{artifact}/{random}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_key_has_the_layout_of_the_service() {
        let key = Ids::new(1).artifact_key("greeter-delivery-pipeline-of-mine", "SourceOutput");
        let (path, random) = key.rsplit_once('/').unwrap();
        assert_eq!(path, "greeter-delivery-pip/SourceOutp");
        assert_eq!(random.len(), KEY_LENGTH);
        assert!(random.chars().all(|letter| letter.is_ascii_alphanumeric()));
    }

    #[test]
    fn ids_of_one_seed_differ_and_repeat_with_the_seed() {
        let (mut a, mut b) = (Ids::new(7), Ids::new(7));
        let first = a.uuid();
        assert_eq!(first, b.uuid());
        assert_ne!(first, a.uuid());
    }
}
