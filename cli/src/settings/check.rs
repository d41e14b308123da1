//! Checks settings against the templates whose parameters they set: one list of findings for `run`, `validate`, `up`,
//! `publish` and `doctor`.
//!
//! CloudFormation does not notice a mistyped name where the parameter has a default: the stack launches, and the action
//! that was meant never runs. So every name is looked up here, before anything is started or sent.

use std::collections::{BTreeMap, BTreeSet};

use delivery_stack::template::{Declared, Template, nearest};

use super::{CustomFunction, FILE_NAME, Settings};
use crate::error::CliError;
use crate::exit::Exit;
use crate::message::{Finding, RunMessage, Severity};
use crate::output::Reporter;
use crate::stack::parameters;

/// What the name of a parameter ends with that names a function of the user's own; what is before it is the stage.
const ACTION: &str = "Action";

/// What is appended to such a name for the parameters that say how its action is configured.
const CONFIGURATION: [&str; 2] = ["Parameters", "Input"];

/// The parameter that names a function of the user's own, if this parameter is about one.
pub(super) fn action_of(parameter: &str) -> Option<&str> {
    let configured = CONFIGURATION
        .iter()
        .find_map(|end| parameter.strip_suffix(end));
    let name = configured.unwrap_or(parameter);
    name.ends_with(ACTION).then_some(name)
}

/// The parameters of a function's template that `delivery` fills in.
const FILLED_IN: [&str; 4] = ["Architecture", "CodeBucket", "CodeKey", "FunctionName"];

/// What the settings are checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The functions in `[functions]` are launched with the pipeline, and no others exist.
    Run,
    /// Nothing is launched; what would keep `run` from starting is worth knowing.
    Validate,
    /// The pipeline is on AWS, where functions have stacks of their own that somebody launches.
    Aws,
}

/// The settings that are checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SettingsCheck<'a> {
    /// The parameters of the pipeline's template; none where it could not be read, which is said elsewhere.
    pub(crate) declared: &'a [Declared],
    /// The values that are set.
    pub(crate) parameters: &'a BTreeMap<String, String>,
    /// The functions of the user's own.
    pub(crate) functions: &'a [CustomFunction],
    /// What for.
    pub(crate) purpose: Purpose,
}

impl SettingsCheck<'_> {
    /// Everything that is found.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.declared.is_empty() {
            let publishes = self.purpose != Purpose::Run;
            findings.extend(parameters::wrong(self.declared, self.parameters, publishes));
        }
        findings.extend(self.findings_of_functions());
        findings
    }

    /// What is found in `[functions]`, and in the parameters that name functions.
    fn findings_of_functions(&self) -> Vec<Finding> {
        let templates = self.functions.iter().flat_map(|one| self.template(one));
        let mut findings: Vec<Finding> = templates.collect();
        for action in self.actions() {
            findings.extend(self.action(action));
            let names = CONFIGURATION.map(|end| format!("{action}{end}"));
            let without_action = |name: &String| self.without_action(action, name);
            findings.extend(names.iter().filter_map(without_action));
        }
        findings.extend(self.functions.iter().filter_map(|one| self.unused(one)));
        findings
    }

    /// The parameters that name functions of the user's own.
    fn actions(&self) -> BTreeSet<&str> {
        let declared = self.declared.iter().map(|one| one.name.as_str());
        let given = self.parameters.keys().map(String::as_str);
        declared.chain(given).filter_map(action_of).collect()
    }

    fn value(&self, name: &str) -> Option<&str> {
        let value = self.parameters.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The values in `[functions.NAME.parameters]`.
    fn template(&self, function: &CustomFunction) -> Vec<Finding> {
        let Ok(text) = std::fs::read_to_string(&function.template) else {
            return Vec::new(); // a missing template is said where the function is taken in
        };
        let name = &function.name;
        let declared = match Template::read(&text) {
            Ok(template) => template.parameters(),
            Err(why) => {
                let message = format!(
                    "the template `{}` of the function `{name}` cannot be read: {why}",
                    function.template.display()
                );
                let help = "correct the template".to_owned();
                return vec![error(message, Some(help))];
            }
        };
        let wrong = function.parameters.iter();
        let mut findings: Vec<Finding> = wrong
            .filter_map(|(key, value)| wrong_in_function(&declared, name, key, value))
            .collect();
        if self.purpose != Purpose::Aws {
            findings.extend(self.missing(&declared, function));
        }
        findings
    }

    /// The template's parameters that need a value and have none.
    fn missing(&self, declared: &[Declared], function: &CustomFunction) -> Vec<Finding> {
        let missing = declared.iter().filter(|one| {
            one.default.is_none()
                && !FILLED_IN.contains(&one.name.as_str())
                && !function.parameters.contains_key(&one.name)
        });
        let finding = |one: &Declared| {
            let what = one.description.as_ref();
            Finding {
                severity: self.unless_run(Severity::Note),
                message: format!(
                    "the template of the function `{}` needs a value for `{}`{}",
                    function.name,
                    one.name,
                    what.map(|text| format!(": {text}")).unwrap_or_default()
                ),
                help: Some(format!("set it in {}", section(&function.name))),
            }
        };
        missing.map(finding).collect()
    }

    fn unless_run(&self, severity: Severity) -> Severity {
        if self.purpose == Purpose::Run {
            Severity::Error
        } else {
            severity
        }
    }

    /// A parameter that names a function which `[functions]` does not have.
    fn action(&self, parameter: &str) -> Option<Finding> {
        let function = self.value(parameter)?;
        let names = || self.functions.iter().map(|one| one.name.as_str());
        if names().any(|name| name == function) {
            return None;
        }
        let meant = nearest(function, names());
        let severity = match (self.purpose, meant) {
            (Purpose::Run, _) | (Purpose::Validate, Some(_)) => Severity::Error,
            (Purpose::Validate, None) | (Purpose::Aws, Some(_)) => Severity::Note,
            (Purpose::Aws, None) => return None,
        };
        let message = format!(
            "`{parameter}` is `{function}`, but `[functions]` in `{FILE_NAME}` has no such function"
        );
        Some(Finding {
            severity,
            message: meant.map_or_else(
                || message.clone(),
                |meant| format!("{message}; did you mean `{meant}`?"),
            ),
            help: Some(match meant {
                Some(_) => format!("correct it in `[parameters]` in `{FILE_NAME}`"),
                None => format!("add it to `[functions]`: `{function} = \"PATH\"`"),
            }),
        })
    }

    /// Configuration of an action that the pipeline does not have.
    fn without_action(&self, action: &str, name: &str) -> Option<Finding> {
        self.value(name)?;
        if self.value(action).is_some() {
            return None;
        }
        Some(Finding {
            severity: Severity::Note,
            message: format!("`{name}` is set, but `{action}` is not: nothing uses it"),
            help: Some(format!("set `{action}`, or remove `{name}`")),
        })
    }

    /// A function that the pipeline never invokes.
    fn unused(&self, function: &CustomFunction) -> Option<Finding> {
        let name = &function.name;
        let names = || self.functions.iter().map(|one| one.name.as_str());
        // A mistyped name has its own finding.
        let mut actions = self.actions();
        let is_used = actions
            .iter()
            .filter_map(|action| nearest(self.value(action)?, names()))
            .any(|meant| meant == name);
        if actions.is_empty() {
            actions = ["AcceptanceAction", "ProductionAction"].into();
        }
        let actions: Vec<_> = actions.iter().map(|action| format!("`{action}`")).collect();
        (!is_used).then(|| Finding {
            severity: Severity::Note,
            message: format!("no stage uses the function `{name}`"),
            help: Some(format!(
                "set {} to `{name}` in `[parameters]`",
                actions.join(" or ")
            )),
        })
    }
}

fn wrong_in_function(
    declared: &[Declared],
    function: &str,
    key: &str,
    value: &str,
) -> Option<Finding> {
    let section = section(function);
    if FILLED_IN.contains(&key) {
        let message =
            format!("`delivery` itself sets the parameter `{key}` of the function `{function}`");
        return Some(error(message, Some(format!("remove it from {section}"))));
    }
    let Some(one) = declared.iter().find(|one| one.name == key) else {
        let message = format!("the template of the function `{function}` has no parameter `{key}`");
        let names = declared.iter().map(|one| one.name.as_str());
        let names = names.filter(|name| !FILLED_IN.contains(name));
        return Some(match nearest(key, names) {
            Some(meant) => error(
                format!("{message}; did you mean `{meant}`?"),
                Some(format!("correct it in {section}")),
            ),
            None => error(message, Some(format!("remove it from {section}"))),
        });
    };
    let why = one.refusal(value)?;
    let message = format!("`{key}` of the function `{function}` is `{value}`: {why}");
    Some(error(message, Some(format!("correct it in {section}"))))
}

fn section(function: &str) -> String {
    format!("`[functions.{function}.parameters]` in `{FILE_NAME}`")
}

fn error(message: String, help: Option<String>) -> Finding {
    Finding {
        severity: Severity::Error,
        message,
        help,
    }
}

/// Checks `[functions]`, and the parameters that name functions, for a pipeline on AWS.
pub(crate) fn functions_on_aws(
    settings: &Settings,
    arguments: &[(String, String)],
    reporter: &Reporter,
) -> Result<(), CliError> {
    let check = SettingsCheck {
        declared: &[],
        parameters: &settings.parameters(arguments),
        functions: &settings.custom_functions(),
        purpose: Purpose::Aws,
    };
    conclude(&check.findings_of_functions(), reporter)
}

/// Ends the command where there are errors, and says the rest.
pub(crate) fn conclude(findings: &[Finding], reporter: &Reporter) -> Result<(), CliError> {
    verdict(findings, Exit::Usage)?;
    for finding in findings {
        reporter.report(RunMessage::Finding(finding.clone()));
    }
    Ok(())
}

/// Nothing may be started where there are errors: then they are one error, all of them.
pub(crate) fn verdict(findings: &[Finding], exit: Exit) -> Result<(), CliError> {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let problems: Vec<String> = errors.map(text).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(CliError::NotReady { problems, exit })
    }
}

/// What was found and what to do, as lines.
fn text(finding: &Finding) -> String {
    match &finding.help {
        Some(help) => format!("{}\nhelp: {help}", finding.message),
        None => finding.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const TEMPLATE: &str = "Parameters:\n  CodeBucket: { Type: String }\n  FunctionName: { Type: String }\n  \
        MaxBytes: { Type: Number, MaxValue: 10 }\n  WebhookUrl: { Type: String, Description: Where to post. }\n";

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn function(template: PathBuf, parameters: &[(&str, &str)]) -> CustomFunction {
        CustomFunction {
            name: "size-budget".to_owned(),
            path: "size-budget".into(),
            template,
            parameters: given(parameters),
        }
    }

    fn found(
        purpose: Purpose,
        parameters: &[(&str, &str)],
        functions: &[CustomFunction],
    ) -> Vec<String> {
        let declared = [
            "AcceptanceAction",
            "AcceptanceActionParameters",
            "ProductionAction",
            "ProductionActionInput",
        ];
        let declared = declared.map(|name| Declared {
            name: name.to_owned(),
            default: Some(String::new()),
            ..Declared::default()
        });
        let check = SettingsCheck {
            declared: &declared,
            parameters: &given(parameters),
            functions,
            purpose,
        };
        let findings = check.findings().into_iter();
        findings
            .map(|one| format!("{:?}: {}", one.severity, text(&one)))
            .collect()
    }

    #[test]
    fn a_mistyped_parameter_is_an_error_whatever_the_settings_are_read_for() {
        let expected = "`AcceptanceActoin` is not a parameter; did you mean `AcceptanceAction`?";
        for purpose in [Purpose::Run, Purpose::Validate, Purpose::Aws] {
            let found = found(purpose, &[("AcceptanceActoin", "size-budget")], &[]);
            assert!(
                found[0].starts_with(&format!("Error: {expected}")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn an_action_that_functions_do_not_have_is_named_with_the_one_that_is_meant() {
        let functions = [function("no/template.yaml".into(), &[])];
        let mistyped = [("AcceptanceAction", "size-buget")];
        let run = found(Purpose::Run, &mistyped, &functions);
        insta::assert_snapshot!(run.join("\n"));
        assert_eq!(found(Purpose::Validate, &mistyped, &functions)[0], run[0]);
        let aws = found(Purpose::Aws, &mistyped, &functions);
        assert!(aws[0].starts_with("Note: "), "{aws:?}");

        let other = [("ProductionAction", "post-to-chat")];
        insta::assert_snapshot!(found(Purpose::Run, &other, &[]).join("\n"));
        assert_eq!(found(Purpose::Aws, &other, &[]), Vec::<String>::new());
        assert_eq!(
            found(Purpose::Run, &[("ProductionAction", "")], &[]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_nothing_uses_is_noted() {
        let functions = [function("no/template.yaml".into(), &[])];
        let set = [
            ("AcceptanceActionParameters", "file=a"),
            ("ProductionActionInput", "DistSiteOutput"),
        ];
        insta::assert_snapshot!(found(Purpose::Aws, &set, &functions).join("\n"));
    }

    #[test]
    fn the_parameters_of_a_function_are_those_of_its_template() {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("template.yaml");
        std::fs::write(&template, TEMPLATE).unwrap();
        let used = [("AcceptanceAction", "size-budget")];
        let wrong = [
            ("FunctionName", "other"),
            ("MaxBites", "1"),
            ("MaxBytes", "11"),
            ("Zone", "x"),
        ];
        let functions = [function(template.clone(), &wrong)];
        insta::assert_snapshot!(found(Purpose::Run, &used, &functions).join("\n"));
        let on_aws = found(Purpose::Aws, &used, &functions);
        assert_eq!(on_aws.len(), wrong.len(), "{on_aws:?}");

        let right = [("MaxBytes", "9"), ("WebhookUrl", "http://127.0.0.1")];
        let functions = [function(template.clone(), &right)];
        assert_eq!(found(Purpose::Run, &used, &functions), Vec::<String>::new());

        std::fs::write(&template, "Parameters: [").unwrap();
        let unreadable = found(Purpose::Run, &used, &[function(template, &[])]);
        assert!(unreadable[0].contains("cannot be read"), "{unreadable:?}");
    }
}
