//! `UserParameters`: a query string (`task=package&Env.URL=https%3A%2F%2Fexample.com`) or, if the
//! text begins with `{`, one JSON object of the same keys.
//!
//! A duplicate, unknown or missing key is an error that names it and lists the known keys. Values never appear in
//! errors, because a parameter may be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};

use crate::job::Job;

mod entries;
mod error;
mod syntax;

pub use error::ParametersError;

use entries::Entries;
use syntax::{json_pairs, query_pairs};

/// Longest value of an action's configuration, in characters (`API_ActionDeclaration`:
/// `ActionConfigurationValue`, maximum 1000). It is counted before variables are resolved, so a
/// resolved text may be longer; see [`MAX_RESOLVED_CHARS`].
pub const MAX_CONFIGURED_CHARS: usize = 1_000;

/// Longest accepted text: a resolved configuration may have 100 KB in total (CodePipeline User Guide, "Quotas").
pub const MAX_RESOLVED_CHARS: usize = 100_000;

/// Prefix of keys that set environment variables of children.
pub const ENVIRONMENT_PREFIX: &str = "Env.";

/// Parts of variable names that suggest a secret value, which is then hidden in logs.
const SECRET_WORDS: [&str; 5] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "_KEY"];

fn suggests_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// The typed parameters of one action.
///
/// A struct that derives `Deserialize` needs no implementation of its own: [`Parameters`] is one for all of them.
pub trait Params: Sized + Send {
    /// Reads the parameters. Keys with user-defined names are taken with [`UserParameters::take_prefixed`] and
    /// [`UserParameters::take`]; all others with [`UserParameters::deserialize`].
    ///
    /// # Errors
    ///
    /// [`ParametersError`] names the key that is wrong.
    fn from_user_parameters(parameters: UserParameters, job: &Job)
    -> Result<Self, ParametersError>;
}

/// The parameters of an action whose keys are all fields of one struct.
///
/// An unknown key fails the job, whether or not the struct has `#[serde(deny_unknown_fields)]`.
///
/// ```
/// use delivery_action::parameters::{HumanDuration, Parameters};
///
/// #[derive(serde::Deserialize)]
/// #[serde(rename_all = "kebab-case")]
/// struct Notify {
///     message: String,
///     give_up_after: Option<HumanDuration>,
/// }
///
/// # struct Action;
/// # impl Action {
/// // type Params = Parameters<Notify>;
/// async fn run(&self, Parameters(params): Parameters<Notify>) {
///     println!("{}", params.message);
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned + Send> Params for Parameters<T> {
    fn from_user_parameters(
        parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        parameters.deserialize().map(Self)
    }
}

/// The keys and values of one action's `UserParameters`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserParameters {
    entries: BTreeMap<String, String>,
    also_known: Vec<String>,
}

impl fmt::Debug for UserParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserParameters")
            .field(&self.entries.keys())
            .finish()
    }
}

/// Of two values for one key the last one counts.
impl FromIterator<(String, String)> for UserParameters {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self {
            entries: pairs.into_iter().collect(),
            also_known: Vec::new(),
        }
    }
}

impl UserParameters {
    /// Reads the text of the action's configuration; `None` is an empty set.
    ///
    /// # Errors
    ///
    /// [`ParametersError`] if the text is too long or malformed, or contains a key twice.
    pub fn parse(text: Option<&str>) -> Result<Self, ParametersError> {
        let text = text.unwrap_or_default().trim();
        let length = text.chars().count();
        if length > MAX_RESOLVED_CHARS {
            return Err(ParametersError::TooLong { length });
        }
        let pairs = if text.starts_with('{') {
            json_pairs(text)?
        } else {
            query_pairs(text)?
        };
        let mut entries = BTreeMap::new();
        for (key, value) in pairs {
            if entries.contains_key(&key) {
                return Err(ParametersError::Twice { key });
            }
            entries.insert(key, value);
        }
        Ok(Self {
            entries,
            also_known: Vec::new(),
        })
    }

    /// The values of variables (`Env.NAME`) whose names suggest a secret.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(|(key, _)| {
                key.strip_prefix(ENVIRONMENT_PREFIX)
                    .is_some_and(suggests_a_secret)
            })
            .map(|(_, value)| value.as_str())
    }

    /// Removes all keys with a prefix (such as `Env.`), and returns their values by the rest of the key.
    ///
    /// # Errors
    ///
    /// [`ParametersError::Invalid`] if a key consists of the prefix alone.
    pub fn take_prefixed(
        &mut self,
        prefix: &str,
    ) -> Result<BTreeMap<String, String>, ParametersError> {
        self.also_known.push(format!("{prefix}NAME"));
        let keys: Vec<_> = self
            .entries
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect();
        let mut taken = BTreeMap::new();
        for key in keys {
            let Some(value) = self.entries.remove(&key) else {
                continue;
            };
            let name = key[prefix.len()..].to_owned();
            if name.is_empty() {
                return Err(ParametersError::Invalid {
                    key,
                    expected: "a name after the dot".to_owned(),
                });
            }
            taken.insert(name, value);
        }
        Ok(taken)
    }

    /// Removes one key with a user-defined name, such as that of an output artifact.
    pub fn take(&mut self, key: &str) -> Option<String> {
        self.also_known.push(key.to_owned());
        self.entries.remove(key)
    }

    /// Reads all keys that were not taken into a struct.
    ///
    /// # Errors
    ///
    /// [`ParametersError`] for an unknown or missing key and for a value that does not fit.
    pub fn deserialize<T: DeserializeOwned>(self) -> Result<T, ParametersError> {
        T::deserialize(Entries::new(self.entries))
            .map_err(|error| error.into_public(&self.also_known))
    }
}

/// A duration such as `30s`, `5m` or `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

/// Nothing that an action waits for is done in less: `0` is a mistake, not "no limit".
const SHORTEST: Duration = Duration::from_secs(1);

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match humantime::parse_duration(&text) {
            Ok(duration) if duration >= SHORTEST => Ok(Self(duration)),
            _ => Err(de::Error::custom(
                "a duration of a second or more, such as `30s` or `5m`",
            )),
        }
    }
}

/// A parameter that is `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// `on`
    On,
    /// `off`
    Off,
}

impl Switch {
    /// Whether it is `on`.
    #[must_use]
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Sample {
        task: String,
        runner: Option<Runner>,
        #[serde(default)]
        retries: u32,
        timeout: Option<HumanDuration>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Runner {
        Gulp,
        Npm,
    }

    fn read(text: &str) -> Result<Sample, ParametersError> {
        let mut parameters = UserParameters::parse(Some(text))?;
        parameters.take_prefixed("Env.")?;
        parameters.deserialize()
    }

    #[test_case("task=package&runner=gulp&retries=2&timeout=5m&Env.URL=https%3A%2F%2Fa%2Bb"; "query string")]
    #[test_case(r#"{"task":"package","runner":"gulp","retries":2,"timeout":"5m","Env.URL":"x"}"#; "json")]
    fn both_forms_give_the_same_parameters(text: &str) {
        assert_eq!(
            read(text),
            Ok(Sample {
                task: "package".to_owned(),
                runner: Some(Runner::Gulp),
                retries: 2,
                timeout: Some(HumanDuration(Duration::from_mins(5))),
            })
        );
    }

    #[test]
    fn percent_escapes_and_plus_signs_are_decoded() {
        let mut parameters = UserParameters::parse(Some("Env.A=a%26b+c%3D&task=t")).unwrap();
        let env = parameters.take_prefixed("Env.").unwrap();
        assert_eq!(env["A"], "a&b c=");
    }

    #[test_case("task=a&task=b", "`UserParameters` has `task` twice"; "twice")]
    #[test_case(r#"{"task":"a","task":"b"}"#, "`UserParameters` has `task` twice"; "twice in json")]
    #[test_case("tsak=a", "`UserParameters` has an unknown key `tsak`; known keys are `task`, `runner`, `retries`, `timeout`, `Env.NAME`"; "unknown")]
    #[test_case("", "`UserParameters` lacks `task`"; "missing")]
    #[test_case("task", "`UserParameters` has `task` without a value"; "no value")]
    #[test_case("=x", "`UserParameters` has a value without a key"; "no key")]
    #[test_case("task=%zz", "`UserParameters` has a broken percent escape at `task`"; "escape")]
    #[test_case("task=%ff", "`UserParameters` has a broken percent escape at `task`"; "escape that is not text")]
    #[test_case("task=a&retries=two", "`retries` in `UserParameters` is not valid: expected a whole number, 0 or more"; "number")]
    #[test_case("task=a&runner=make", "`runner` in `UserParameters` is not valid: expected one of `gulp`, `npm`"; "choice")]
    #[test_case("task=a&timeout=5", "`timeout` in `UserParameters` is not valid: expected a duration of a second or more, such as `30s` or `5m`"; "duration")]
    #[test_case("task=a&Env.=x", "`Env.` in `UserParameters` is not valid: expected a name after the dot"; "nameless")]
    #[test_case("{\"task\":[1]}", "`UserParameters` is not one JSON object of strings, numbers and booleans (line 1, column 12)"; "nested json")]
    #[test_case("{", "`UserParameters` is not one JSON object of strings, numbers and booleans (line 1, column 1)"; "broken json")]
    fn what_is_wrong_is_named(text: &str, message: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn a_struct_that_would_pass_over_an_unknown_key_refuses_it_too() {
        #[derive(Debug, Deserialize)]
        struct Lenient {
            #[expect(dead_code, reason = "only its name is of interest")]
            task: Option<String>,
        }
        let parameters = UserParameters::parse(Some("task=a&tsak=b")).unwrap();
        assert_eq!(
            parameters.deserialize::<Lenient>().unwrap_err(),
            ParametersError::Unknown {
                key: "tsak".to_owned(),
                known: vec!["task".to_owned()],
            }
        );
    }

    #[test]
    fn an_over_long_text_is_refused() {
        let text = format!("task={}", "x".repeat(MAX_RESOLVED_CHARS));
        assert_eq!(
            read(&text),
            Err(ParametersError::TooLong { length: 100_005 })
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,200}") {
            let _outcome = read(&text);
        }

        #[test]
        fn every_pair_survives_the_query_string(pairs in proptest::collection::btree_map("[a-zA-Z.-]{1,8}", ".{0,16}", 0..6)) {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(UserParameters::parse(Some(&text)).unwrap().entries, pairs);
        }
    }
}
