//! The exit codes: what a script learns without reading the output.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Success,
    /// It could not be done, and the pipeline was not the reason.
    Failed,
    /// The command line was not understood.
    Usage,
    /// The pipeline's execution or the stack's launch failed.
    PipelineFailed,
    /// AWS rejected the credentials, or they lack a permission.
    Denied,
    /// What was named is not there.
    NotFound,
    /// The time ran out.
    TimedOut,
    /// A newer execution took the place of this one.
    Superseded,
    /// A person has to act first: an approval or a connection waits.
    Pending,
    /// A rule of the application does not allow it.
    Refused,
    /// Interrupted by a signal.
    Interrupted,
}

impl Exit {
    const ALL: [Self; 11] = [
        Self::Success,
        Self::Failed,
        Self::Usage,
        Self::PipelineFailed,
        Self::Denied,
        Self::NotFound,
        Self::TimedOut,
        Self::Superseded,
        Self::Pending,
        Self::Refused,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::PipelineFailed => 3,
            Self::Denied => 4,
            Self::NotFound => 5,
            Self::TimedOut => 6,
            Self::Superseded => 7,
            Self::Pending => 8,
            Self::Refused => 9,
            Self::Interrupted => 130,
        }
    }

    /// The word that the result object holds.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed | Self::Usage | Self::PipelineFailed | Self::Denied | Self::NotFound => {
                "failure"
            }
            Self::TimedOut => "timeout",
            Self::Superseded => "superseded",
            Self::Pending => "pending",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Success => "everything succeeded",
            Self::Failed => {
                "AWS refused a call or did not answer, a tool is missing, the functions do not build, the \
                 local AWS does not start, or the check before `run` found errors"
            }
            Self::Usage => "the command line was not understood",
            Self::PipelineFailed => {
                "the pipeline execution failed or was stopped, or the stack failed to launch"
            }
            Self::Denied => "AWS rejected the credentials, or they lack a permission",
            Self::NotFound => "not found",
            Self::TimedOut => "timed out (`--timeout`)",
            Self::Superseded => "a newer execution took the place of this one",
            Self::Pending => "waiting for a person: an approval or a connection is pending",
            Self::Refused => {
                "a rule refused it: a release that is not verified, or an environment that is not removed"
            }
            Self::Interrupted => {
                "interrupted (Ctrl-C or SIGTERM): `run` stopped what it had started; an execution on AWS continues"
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What `delivery help exit-codes` prints.
pub(crate) fn help() -> String {
    Exit::ALL.iter().fold(String::new(), |text, exit| {
        format!("{text}{:>4}  {}\n", exit.code(), exit.meaning())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page as it has to be: one row for each code.
    fn page() -> String {
        let rows = Exit::ALL.iter().fold(String::new(), |text, exit| {
            format!(
                "{text}| {} | {} | {} |\n",
                exit.code(),
                exit.status(),
                exit.meaning()
            )
        });
        format!(
            "# Exit codes\n\nWhat `delivery` ends with, and the `status` of the result object that \
             `--json` ends with.\n`delivery help exit-codes` prints the same.\n\n| code | status | \
             meaning |\n|---|---|---|\n{rows}"
        )
    }

    #[test]
    fn the_documentation_lists_every_exit_code() {
        let documented = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/exit-codes.md");
        let text = std::fs::read_to_string(documented).unwrap();
        assert_eq!(text, page());
    }

    #[test]
    fn the_codes_are_those_of_the_conventions() {
        assert_eq!(
            Exit::ALL.map(Exit::code),
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]
        );
    }
}
