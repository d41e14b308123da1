//! `[previews]`: environments of pull requests.

use std::time::Duration;

use crate::form::{Located, Number};
use crate::section::{Key, section};
use crate::value::duration::Span;

/// Previews at a time, where the file says nothing.
const DEFAULT_LIMIT: u32 = 10;

/// How long a preview stays after the last push, where the file says nothing: a week.
const DEFAULT_EXPIRE: Span = Span(Duration::from_hours(7 * 24));

section! {
    /// An environment `pr-NUMBER` for each open pull request, made and removed with it.
    pub struct PreviewSettings {
        /// The branches whose pull requests get one, as patterns.
        base: Vec<Located<String>> = Key::new("base").required().example("[\"main\"]");
        /// How long a preview stays after the last push.
        expire: Option<Span> = Key::new("expire").default("`7d`").example("\"3d\"");
        /// How many there are at a time; the others wait.
        limit: Option<Number<1, 100>> = Key::new("limit").default("`10`").example("5");
        /// Whether pull requests that are drafts get one.
        drafts: Option<bool> = Key::new("drafts").default("`false`").example("true");
        /// The label that a pull request needs to get one.
        label: Option<String> = Key::new("label").default("none is needed").example("\"preview\"");
    }
}

impl PreviewSettings {
    /// How long a preview stays after the last push.
    #[must_use]
    pub fn expires_after(&self) -> Duration {
        self.expire.unwrap_or(DEFAULT_EXPIRE).0
    }

    /// How many there are at a time.
    #[must_use]
    pub fn at_a_time(&self) -> u32 {
        self.limit.map_or(DEFAULT_LIMIT, |limit| limit.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Form, Shape, TextForm};

    #[test]
    fn the_documented_defaults_apply() {
        let Shape::Table(section) = PreviewSettings::shape() else {
            panic!("not a table");
        };
        let default = |name: &str| {
            let key = section.keys.iter().find(|key| key.name == name).unwrap();
            key.default.unwrap().trim_matches('`').to_owned()
        };
        let previews = PreviewSettings::default();
        assert_eq!(
            Span::parse(&default("expire")),
            Ok(Span(previews.expires_after()))
        );
        assert_eq!(default("limit"), previews.at_a_time().to_string());
    }
}
