//! Which aliases are watched, from the function's configuration.

use std::collections::BTreeSet;

/// The variable with the watched aliases: `FUNCTION:ALIAS=STAGE/ACTION`, joined by commas.
pub const WATCHED_ALIASES: &str = "WATCHED_ALIASES";

/// The longest name of a function, and of an alias (`API_GetAlias`).
const MAX_FUNCTION_CHARS: usize = 64;
const MAX_ALIAS_CHARS: usize = 128;

/// The longest name of a stage, and of an action (`API_StageDeclaration`, `API_ActionDeclaration`).
const MAX_STAGE_CHARS: usize = 100;

/// A watched alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The function's name.
    pub function: String,
    /// The alias's name.
    pub alias: String,
    /// The stage of the action that moves the alias.
    pub stage: String,
    /// That action.
    pub action: String,
}

/// Why a list of watched aliases cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchedError {
    /// There is none.
    #[error("the variable `{WATCHED_ALIASES}` is not set")]
    Missing,
    /// An entry has another form.
    #[error("`{entry}` in the variable `{WATCHED_ALIASES}` is not `FUNCTION:ALIAS=STAGE/ACTION`")]
    Form {
        /// The entry.
        entry: String,
    },
    /// An alias is there twice.
    #[error("`{function}:{alias}` is in the variable `{WATCHED_ALIASES}` twice")]
    Twice {
        /// The function.
        function: String,
        /// The alias.
        alias: String,
    },
}

impl Watched {
    /// Reads a list; there is at least one alias in it.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be used.
    pub fn parse_list(text: Option<&str>) -> Result<Vec<Self>, WatchedError> {
        let mut seen = BTreeSet::new();
        let mut list = Vec::new();
        for entry in text.ok_or(WatchedError::Missing)?.split(',') {
            let watched = Self::parse(entry).ok_or_else(|| WatchedError::Form {
                entry: entry.to_owned(),
            })?;
            if !seen.insert((watched.function.clone(), watched.alias.clone())) {
                return Err(WatchedError::Twice {
                    function: watched.function,
                    alias: watched.alias,
                });
            }
            list.push(watched);
        }
        Ok(list)
    }

    fn parse(entry: &str) -> Option<Self> {
        let (resource, place) = entry.split_once('=')?;
        let (function, alias) = resource.split_once(':')?;
        let (stage, action) = place.split_once('/')?;
        let is_valid = is_name(function, MAX_FUNCTION_CHARS, "-_")
            && is_name(alias, MAX_ALIAS_CHARS, "-_")
            && !alias.bytes().all(|byte| byte.is_ascii_digit()) // that would be a version
            && is_name(stage, MAX_STAGE_CHARS, ".@-_")
            && is_name(action, MAX_STAGE_CHARS, ".@-_");
        is_valid.then(|| Self {
            function: function.to_owned(),
            alias: alias.to_owned(),
            stage: stage.to_owned(),
            action: action.to_owned(),
        })
    }
}

fn is_name(text: &str, longest: usize, others: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    !text.is_empty() && text.len() <= longest && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn a_list_is_read() {
        let list = "greeter:test=Acceptance/deploy-app,shop_api:prod=deploy-prod/shop.api";
        let read = Watched::parse_list(Some(list)).unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|one| [&one.function, &one.alias, &one.stage, &one.action])
            .collect();
        assert_eq!(
            read,
            [
                ["greeter", "test", "Acceptance", "deploy-app"],
                ["shop_api", "prod", "deploy-prod", "shop.api"]
            ]
        );
    }

    #[test_case(""; "empty")]
    #[test_case("greeter:prod"; "no action")]
    #[test_case("greeter=Production/deploy-app"; "no alias")]
    #[test_case("greeter:prod=Production"; "no action in the stage")]
    #[test_case("greeter:prod=Production/deploy-app,"; "a comma at the end")]
    #[test_case("greeter:prod=Production/deploy-app, greeter:test=A/b"; "a space")]
    #[test_case("greeter:7=Production/deploy-app"; "a version")]
    #[test_case("arn:aws:lambda:greeter:prod=Production/deploy-app"; "an ARN")]
    #[test_case("greeter:prod=Production/deploy-app/x"; "a further part")]
    fn another_form_is_refused_with_its_entry(list: &str) {
        let error = Watched::parse_list(Some(list)).unwrap_err();
        let WatchedError::Form { entry } = &error else {
            panic!("{error}");
        };
        assert!(list.split(',').any(|one| one == entry), "{error}");
    }

    #[test]
    fn none_and_the_same_twice_are_refused() {
        assert_eq!(Watched::parse_list(None), Err(WatchedError::Missing));
        let error = Watched::parse_list(Some("a:prod=P/x,a:prod=P/y")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a:prod` is in the variable `WATCHED_ALIASES` twice"
        );
    }
}
