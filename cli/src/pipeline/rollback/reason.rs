//! The words in a transition that a rollback closed: they say who closed it and why, and hold the command that opens it.

/// The reason where none is given.
pub(super) const NO_REASON: &str = "no reason given";

/// Longest reason for a closed transition, in characters (`API_DisableStageTransition`, `reason`).
const MAX_REASON_CHARS: usize = 300;

/// Begins the command in a closed transition's reason.
pub(super) const RESUME: &str = "delivery resume ";

/// Why a transition is closed. The person's words come last: they may be cut, and lose the characters that the service
/// does not take (`API_DisableStageTransition`, `reason`: a pattern without colons and quotes).
pub(super) fn reason(by: &str, again: &str, why: &str) -> String {
    let reason = format!("rolled back by {by} ({RESUME}{again} opens it) {why}");
    let taken = |c: char| c.is_ascii_alphanumeric() || "!@ ().*?-".contains(c);
    let reason = reason.chars().map(|c| if taken(c) { c } else { ' ' });
    reason.take(MAX_REASON_CHARS).collect()
}

/// The command that opens a transition which a rollback closed for this reason.
pub(crate) fn resume_command(reason: &str) -> Option<String> {
    let (_, rest) = reason.split_once(&format!("({RESUME}"))?;
    let (again, _) = rest.split_once(" opens it)")?;
    let known = |c: char| c.is_ascii_alphanumeric() || "- ".contains(c);
    again.chars().all(known).then(|| format!("{RESUME}{again}"))
}

/// The command that opens a closed transition.
pub(crate) fn open_command(pipeline: &str, stage: &str, reason: &str) -> String {
    resume_command(reason).unwrap_or_else(|| {
        format!(
            "aws codepipeline enable-stage-transition --pipeline-name {pipeline} --stage-name {stage} --transition-type \
             Inbound"
        )
    })
}

/// Why a transition is closed, without the command, which is shown beside it.
pub(crate) fn readable_reason(reason: &str) -> String {
    match resume_command(reason) {
        Some(command) => {
            let readable = reason.replacen(&format!(" ({command} opens it)"), ":", 1);
            readable.trim_end_matches([':', ' ']).to_owned()
        }
        None => reason.to_owned(),
    }
}
