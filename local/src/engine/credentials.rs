//! The credentials that jobs are handed for the artifact store.

use std::fmt;

/// An access key, its secret and a session token; `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// The session's token; the service's jobs always have one.
    pub session_token: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_credentials() {
        let credentials = Credentials {
            access_key_id: "planted".to_owned(),
            secret_access_key: "planted".to_owned(),
            session_token: "planted".to_owned(),
        };
        assert_eq!(format!("{credentials:?}"), "Credentials(hidden)");
    }
}
