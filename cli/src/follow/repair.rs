//! What a person does about a failed action, by its failure type: only some failures can pass by themselves.

use crate::cloud;

/// How a corrected application gets into the pipeline: the local AWS reads the repository itself.
fn fix() -> &'static str {
    if cloud::is_on_this_machine() {
        "fix it and commit"
    } else {
        "fix it, commit and push"
    }
}

/// Whether the same execution can succeed when the stage is retried.
///
/// A retry uses the pipeline's declaration as it was: what was corrected in it since takes a new execution.
pub(crate) fn helps_to_retry(code: &str) -> bool {
    !matches!(
        code,
        "ConfigurationError" | "RevisionOutOfSync" | "RevisionUnavailable"
    )
}

/// What a pipeline that applies releases says where it was started without one, as its creation does.
const NO_RELEASE: &str = "no release is given";

/// What starts such a pipeline with a release.
const GIVE_RELEASE: &str = "give it a release: `delivery promote FROM TO`, or `delivery rollback ENV` for one that the \
                                       environment had before";

/// Whether an execution was started without the release that it was to apply.
pub(crate) fn lacks_release(code: &str, message: &str) -> bool {
    code == "ConfigurationError" && message.contains(NO_RELEASE)
}

/// What to do about the failure in a pipeline that stays.
pub(crate) fn of_stack(code: &str, message: &str, stage: &str) -> String {
    advice(code, message, stage, fix())
}

fn advice(code: &str, message: &str, stage: &str, fix: &str) -> String {
    match code {
        _ if lacks_release(code, message) => GIVE_RELEASE.to_owned(),
        "ConfigurationError" => format!(
            "correct the parameter (`delivery.toml`, then `delivery up`), then `delivery start`; or, if the \
             application is wrong, {fix}"
        ),
        "RevisionOutOfSync" | "RevisionUnavailable" => {
            "deliver the newest commit: `delivery start`".to_owned()
        }
        "PermissionError" => {
            format!("grant the permission, then try again with `delivery retry {stage}`")
        }
        "JobFailed" => format!(
            "{fix}; or, if it may succeed as it is, try again with `delivery retry {stage}`"
        ),
        _ => format!("try again with `delivery retry {stage}`, or {fix}"),
    }
}

/// What to do about the failure in `delivery run`.
pub(crate) fn of_run(code: &str) -> &'static str {
    match code {
        "ConfigurationError" => {
            "correct the parameter in `delivery.toml`, or fix the application and commit; then run `delivery run` again"
        }
        _ => "fix it, commit, and run `delivery run` again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_can_help() {
        let codes = [
            "ConfigurationError",
            "JobFailed",
            "PermissionError",
            "RevisionUnavailable",
            "SystemUnavailable",
        ];
        let all = codes.map(|code| {
            format!(
                "{code}: {}",
                advice(code, "", "Acceptance", "fix it and commit")
            )
        });
        insta::assert_snapshot!(all.join("\n"));
        for code in codes {
            let offered =
                advice(code, "", "Acceptance", "fix it and commit").contains("delivery retry");
            assert_eq!(offered, helps_to_retry(code), "{code}");
        }
    }
    #[test]
    fn what_was_started_without_a_release_gets_one() {
        let error = delivery_release::part::PartError::NoRelease.to_string();
        assert_eq!(
            of_stack("ConfigurationError", &error, "apply"),
            GIVE_RELEASE
        );
    }
}
