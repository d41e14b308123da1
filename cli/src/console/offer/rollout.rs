//! What is offered for a rollout that is under way.

use super::{Draft, Place, line};
use crate::pipeline::rollout::{RolloutState, ServedEnvironment, ServedFunction};

pub(super) fn rollout(environment: &ServedEnvironment, function: &ServedFunction) -> Vec<Draft> {
    let Some(rollout) = &function.rollout else {
        return Vec::new();
    };
    let service = function.service.iter();
    let service: Vec<_> = service.map(|name| format!("--service={name}")).collect();
    let RolloutState { id, new, old, .. } = rollout;
    let draft = |word, verb: &str, question, note| {
        let options: Vec<_> = service
            .iter()
            .cloned()
            .chain(["--yes".to_owned()])
            .collect();
        Draft {
            place: Place::Rollout(function.alias.clone()),
            word,
            question,
            note,
            arguments: line(&["rollout", verb], &options, &[&environment.name]),
            preview: Some(line(&["rollout", "show"], &service, &[&environment.name])),
            takes_reason: verb == "abort",
            seen: format!("{id} {} {}", new.version, old.version),
        }
    };
    vec![
        draft(
            "Abort",
            "abort",
            format!(
                "Give version {} of {} all traffic back?",
                old.version, environment.name
            ),
            "It takes one call of Lambda. The action fails, and nothing else of the release is deployed.",
        ),
        draft(
            "Finish",
            "finish",
            format!(
                "Give version {} of {} all traffic now?",
                new.version, environment.name
            ),
            "The new version is not watched any more.",
        ),
    ]
}
