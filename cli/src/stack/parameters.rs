//! The values of the template's parameters: what was given, what publishing fills in, and what the stack
//! has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use delivery_stack::parameters::Value;
use delivery_stack::template::{Declared, nearest};

use crate::error::Explained;
use crate::exit::Exit;
use crate::message::{Finding, Severity};
use crate::settings::{FILE_NAME, PARAMETER_PREFIX};

/// The parameters that `delivery publish` fills in: they say where the published things are, so an update
/// takes them from the template and never from what the stack has.
pub(crate) const FILLED_IN: [&str; 5] = [
    "CodeBucket",
    "ActionsPrefix",
    "TemplatesPrefix",
    "NodeLayerKey",
    "Architecture",
];

/// How the names of parameters end that hold the `UserParameters` of an action.
const USER_PARAMETERS: &str = "Parameters";

/// What is wrong with the parameters; all of it at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template's parameters are not valid:{}", list(.problems))]
pub(crate) struct ParameterError {
    problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Unknown {
        name: String,
        meant: Option<String>,
    },
    Missing {
        name: String,
        description: Option<String>,
    },
    Refused {
        name: String,
        value: String,
        why: String,
    },
    FilledIn {
        name: String,
    },
}

impl Problem {
    fn line(&self) -> String {
        match self {
            Self::Unknown {
                name,
                meant: Some(meant),
            } => format!("`{name}` is not a parameter; did you mean `{meant}`?"),
            Self::Unknown { name, meant: None } => format!("`{name}` is not a parameter"),
            Self::Missing {
                name,
                description: Some(description),
            } => format!("`{name}` is missing: {description}"),
            Self::Missing {
                name,
                description: None,
            } => format!("`{name}` is missing"),
            Self::Refused { name, value, why } => format!("`{name}` is `{value}`: {why}"),
            Self::FilledIn { name } => {
                format!("`{name}` is set by publishing (see `delivery publish --help`)")
            }
        }
    }

    fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// What to do about this one; `None` where its line says it.
    fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { meant: None, name } | Self::FilledIn { name } => Some(format!(
                "remove it from `[parameters]` in `{FILE_NAME}`, from the command line, or unset \
                 `{PARAMETER_PREFIX}{name}`"
            )),
            Self::Refused { name, value, .. } if name.ends_with(USER_PARAMETERS) => {
                pairs_of_json(value).map(|pairs| {
                    format!("write `{pairs}`; JSON is read only in a pipeline of your own")
                })
            }
            _ => None,
        }
    }
}

/// An object of JSON as `KEY=VALUE` pairs; a template where it is not one of plain values. `None` where it is not meant
/// as JSON at all.
fn pairs_of_json(value: &str) -> Option<String> {
    if !value.trim_start().starts_with('{') {
        return None;
    }
    let object = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(value);
    let pair = |(key, value): (String, serde_json::Value)| {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => value.to_string(),
            _ => return None,
        };
        let text = text.replace('%', "%25").replace('&', "%26");
        Some(format!("{key}={}", text.replace(' ', "+")))
    };
    let pairs = object.ok().and_then(|object| {
        let pairs: Option<Vec<String>> = object.into_iter().map(pair).collect();
        pairs
    });
    Some(pairs.map_or_else(|| "KEY=VALUE&KEY=VALUE".to_owned(), |pairs| pairs.join("&")))
}

fn list(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut text, problem| {
        let _infallible = write!(text, "\n  - {}", problem.line());
        if let Some(help) = problem.help().filter(|_| problem.is_refused()) {
            let _infallible = write!(text, "\n    help: {help}");
        }
        text
    })
}

impl Explained for ParameterError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn kind(&self) -> &'static str {
        "parameters"
    }

    fn hint(&self) -> Option<String> {
        let missing = self.problems.iter().find_map(|problem| match problem {
            Problem::Missing { name, .. } => Some(name),
            _ => None,
        });
        let name = missing.map_or("NAME", String::as_str);
        Some(format!(
            "set a parameter with `--parameter {name}=VALUE`, with the environment variable \
             `{PARAMETER_PREFIX}{name}`, or in `delivery.toml` under `[parameters]`"
        ))
    }
}

/// Merges and checks.
///
/// `previous` are the names of the parameters that the stack has; `publishes` says whether the template is
/// one that is being published, whose addresses are filled in.
pub(crate) fn merge(
    declared: &[Declared],
    given: &BTreeMap<String, String>,
    previous: &BTreeSet<String>,
    publishes: bool,
) -> Result<BTreeMap<String, Value>, ParameterError> {
    check(declared, given, previous, publishes)?;
    let mut values = BTreeMap::new();
    for one in declared {
        let filled_in = FILLED_IN.contains(&one.name.as_str());
        let value = match (given.get(&one.name), &one.default) {
            (Some(value), _) => Value::Given(value.clone()),
            (None, Some(default)) if filled_in => Value::Given(default.clone()),
            (None, _) if previous.contains(&one.name) => Value::Previous,
            (None, _) => continue, // its default counts
        };
        values.insert(one.name.clone(), value);
    }
    Ok(values)
}

/// Checks the values that were given, and that none is missing; those that publishing fills in are not.
pub(crate) fn check(
    declared: &[Declared],
    given: &BTreeMap<String, String>,
    previous: &BTreeSet<String>,
    publishes: bool,
) -> Result<(), ParameterError> {
    let mut problems = problems_of_given(declared, given, publishes);
    let is_missing = |one: &&Declared| {
        let filled_in = publishes && FILLED_IN.contains(&one.name.as_str());
        !filled_in
            && one.default.is_none()
            && !given.contains_key(&one.name)
            && !previous.contains(&one.name)
    };
    problems.extend(
        declared
            .iter()
            .filter(is_missing)
            .map(|one| Problem::Missing {
                name: one.name.clone(),
                description: one.description.clone(),
            }),
    );
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ParameterError { problems })
    }
}

/// What is wrong with parameters that are given, whether or not they are all.
pub(crate) fn wrong(
    declared: &[Declared],
    given: &BTreeMap<String, String>,
    publishes: bool,
) -> Vec<Finding> {
    let problems = problems_of_given(declared, given, publishes);
    let finding = |problem: &Problem| Finding {
        severity: Severity::Error,
        message: problem.line(),
        help: problem.help(),
    };
    problems.iter().map(finding).collect()
}

fn problems_of_given(
    declared: &[Declared],
    given: &BTreeMap<String, String>,
    publishes: bool,
) -> Vec<Problem> {
    let problem = |(name, value): (&String, &String)| {
        let Some(one) = declared.iter().find(|one| one.name == *name) else {
            let known = declared.iter().map(|one| one.name.as_str());
            return Some(Problem::Unknown {
                name: name.clone(),
                meant: nearest(name, known).map(str::to_owned),
            });
        };
        if publishes && FILLED_IN.contains(&name.as_str()) {
            return Some(Problem::FilledIn { name: name.clone() });
        }
        one.refusal(value).map(|why| Problem::Refused {
            name: name.clone(),
            value: value.clone(),
            why,
        })
    };
    given.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Vec<Declared> {
        let one = |name: &str, default: Option<&str>, pattern: Option<&str>| Declared {
            name: name.to_owned(),
            description: Some(format!("What {name} is.")),
            default: default.map(str::to_owned),
            allowed_pattern: pattern.map(str::to_owned),
            constraint: pattern.map(|_| "must be OWNER/NAME".to_owned()),
            ..Declared::default()
        };
        vec![
            one("ConnectionArn", None, None),
            one("FullRepositoryId", None, Some("^[a-z]+/[a-z]+$")),
            one("BranchName", Some("main"), None),
            one("CodeBucket", Some("delivery-1-x"), None),
        ]
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn what_is_given_wins_over_what_the_stack_has_and_that_over_the_default() {
        let previous: BTreeSet<String> = ["ConnectionArn", "FullRepositoryId", "CodeBucket"]
            .map(str::to_owned)
            .into();
        let values = merge(
            &declared(),
            &given(&[("FullRepositoryId", "a/b")]),
            &previous,
            true,
        )
        .unwrap();
        let expected = [
            ("ConnectionArn", Value::Previous),
            ("FullRepositoryId", Value::Given("a/b".to_owned())),
            ("CodeBucket", Value::Given("delivery-1-x".to_owned())),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(values, expected.into());
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once_with_how_to_put_it_right() {
        let error = merge(
            &declared(),
            &given(&[
                ("Branchname", "x"),
                ("Zone", "x"),
                ("FullRepositoryId", "x"),
                ("CodeBucket", "mine"),
            ]),
            &BTreeSet::new(),
            true,
        )
        .unwrap_err();
        insta::assert_snapshot!(crate::error::CliError::from(error).message());
    }

    #[test]
    fn json_is_shown_as_the_pairs_that_are_meant() {
        let one = Declared {
            name: "AcceptanceActionParameters".to_owned(),
            allowed_pattern: Some("[^{]*".to_owned()),
            ..Declared::default()
        };
        let help = |value: &str| {
            let given = given(&[("AcceptanceActionParameters", value)]);
            wrong(std::slice::from_ref(&one), &given, false)[0]
                .help
                .clone()
        };
        assert_eq!(
            help(r#"{"file": "index.js", "maxBytes": 10, "text": "a & b"}"#).unwrap(),
            "write `file=index.js&maxBytes=10&text=a+%26+b`; JSON is read only in a pipeline of your own"
        );
        assert_eq!(
            help(r#"{"files": ["index.js"]}"#).unwrap(),
            "write `KEY=VALUE&KEY=VALUE`; JSON is read only in a pipeline of your own"
        );
        assert_eq!(help("a{"), None);
    }

    #[test]
    fn a_template_that_was_published_before_takes_other_addresses_where_asked() {
        let values = merge(
            &declared(),
            &given(&[
                ("ConnectionArn", "c"),
                ("FullRepositoryId", "a/b"),
                ("CodeBucket", "mine"),
            ]),
            &BTreeSet::new(),
            false,
        )
        .unwrap();
        assert_eq!(values["CodeBucket"], Value::Given("mine".to_owned()));
    }
}
