//! `delivery doctor`: what a pipeline needs, each thing looked at on its own, so that it also works where
//! half of it is missing.

mod account;
mod here;
mod permissions;

use delivery_action::aws::{CallError, CallErrorKind};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::settings::Settings;

/// What `delivery doctor` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Diagnosis {
    /// Every check.
    checks: Vec<Check>,
    /// The settings that count, and where they come from.
    settings: Vec<Setting>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Check {
    /// What was looked at.
    name: String,
    /// How it is.
    state: CheckState,
    /// What was found.
    found: String,
    /// What to do about it.
    help: Option<String>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckState {
    /// As it has to be.
    Ok,
    /// It needs no repair, or could not be looked at.
    Note,
    /// The pipeline or a command will not work.
    Failed,
}

/// A setting that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Setting {
    /// Its name.
    name: String,
    /// Its value, without secrets.
    value: String,
    /// `flag`, `environment`, `delivery.toml` or `default`.
    source: String,
}

impl Check {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, CheckState::Ok, found, None)
    }

    fn note(name: &str, found: impl Into<String>, help: Option<String>) -> Self {
        Self::new(name, CheckState::Note, found, help)
    }

    fn failed(name: &str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(name, CheckState::Failed, found, Some(help.into()))
    }

    fn has_failed(&self) -> bool {
        self.state == CheckState::Failed
    }

    fn new(name: &str, state: CheckState, found: impl Into<String>, help: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            state,
            found: found.into(),
            help,
        }
    }

    /// A call that did not succeed: a refusal tells that the service is there.
    fn unanswered(name: &str, error: &CallError) -> Self {
        let help = match error.kind {
            CallErrorKind::Denied => {
                format!(
                    "allow `{}` for the identity that you are signed in as",
                    error.action
                )
            }
            _ => "check the network, the region and `AWS_ENDPOINT_URL`".to_owned(),
        };
        Self::note(name, format!("could not be checked: {error}"), Some(help))
    }
}

pub(crate) async fn doctor(global: &Global) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let (cloud, mut checks) = account::credentials(&settings).await;
    let is_denied = checks.iter().any(Check::has_failed);
    if let Some((cloud, caller)) = &cloud {
        checks.extend(account::services(cloud).await);
        let stack = account::stack(cloud, &settings, &mut checks).await;
        checks
            .extend(permissions::check(cloud, caller, &settings.stack_name, stack.as_ref()).await);
        checks.extend(account::connection(cloud, &settings, stack.as_ref()).await);
        checks.push(account::concurrency(cloud).await);
        checks.extend(account::memory(&settings, stack.as_ref()));
    }
    checks.extend(here::versions().await);
    checks.extend(here::application(global, &settings).await);
    let settings = here::settings(global, &settings, cloud.as_ref().map(|(cloud, _)| cloud));
    let diagnosis = Diagnosis { checks, settings };
    answer::print(global.json, &diagnosis);
    Ok(diagnosis.exit(is_denied))
}

impl Diagnosis {
    /// What AWS does not accept has a code of its own; who is not signed in at all only runs it on this machine.
    fn exit(&self, is_denied: bool) -> Exit {
        if is_denied {
            Exit::Denied
        } else if self.checks.iter().any(Check::has_failed) {
            Exit::Failed
        } else {
            Exit::Success
        }
    }
}

impl CommandAnswer for Diagnosis {
    const TYPE: &'static str = "doctor";

    fn text(&self) -> String {
        use std::fmt::Write as _;
        let wide = |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or_default();
        let name_width = wide(&mut self.checks.iter().map(|check| check.name.chars().count()));
        let mut text = String::new();
        for check in &self.checks {
            let sign = match check.state {
                CheckState::Ok => "✓ ok    ",
                CheckState::Note => "• note  ",
                CheckState::Failed => "✗ failed",
            };
            let _infallible = writeln!(text, "{sign}  {:name_width$}  {}", check.name, check.found);
            if let Some(help) = &check.help {
                let _infallible = writeln!(text, "{:10}{:name_width$}  help: {help}", "", "");
            }
        }
        let setting_width = wide(
            &mut self
                .settings
                .iter()
                .map(|setting| setting.name.chars().count()),
        );
        let _infallible = writeln!(text, "\nsettings");
        for Setting {
            name,
            value,
            source,
        } in &self.settings
        {
            let _infallible = writeln!(text, "  {name:setting_width$}  {value}  ({source})");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(last: Check) -> Diagnosis {
        Diagnosis {
            checks: vec![
                Check::ok("credentials", "arn:aws:iam::111122223333:user/ann"),
                Check::note("cargo-lambda", "not installed", None),
                last,
            ],
            settings: vec![Setting {
                name: "stack-name".to_owned(),
                value: "greeter".to_owned(),
                source: "default".to_owned(),
            }],
        }
    }

    #[test]
    fn each_check_says_what_to_do() {
        let failed = Check::failed("connection", "PENDING", "complete it: https://example.com");
        insta::assert_snapshot!(diagnosis(failed).text(), @r"
        ✓ ok      credentials   arn:aws:iam::111122223333:user/ann
        • note    cargo-lambda  not installed
        ✗ failed  connection    PENDING
                                help: complete it: https://example.com

        settings
          stack-name  greeter  (default)
        ");
    }

    #[test]
    fn only_what_failed_counts_and_credentials_have_a_code_of_their_own() {
        let failed = diagnosis(Check::failed("quota", "1", "ask for more"));
        assert_eq!(failed.exit(false), Exit::Failed);
        assert_eq!(failed.exit(true), Exit::Denied);
        let fine = diagnosis(Check::ok("quota", "1000"));
        assert_eq!(fine.exit(false), Exit::Success);
    }
}
