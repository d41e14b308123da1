//! The bytes of a manifest: its canonical form by RFC 8785 (sorted keys, no white space).

use super::{Manifest, ReleaseId};

impl Manifest {
    /// Its bytes, as they are stored and hashed. Equal manifests have equal bytes.
    ///
    /// # Panics
    ///
    /// Never: maps have texts as keys, and nothing in a manifest is a fraction.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(self).expect("a manifest is JSON")
    }

    /// Its id, which is the hash of its bytes.
    #[must_use]
    pub fn id(&self) -> ReleaseId {
        ReleaseId::of(&self.to_bytes())
    }
}
