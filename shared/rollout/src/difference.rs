//! What two versions of a function must share before an alias can split its traffic between them.
//!
//! Lambda refuses the weights otherwise (Lambda Developer Guide, "Implement Lambda canary deployments using a weighted
//! alias"). Its refusal comes with the first share and names no role, so the versions are compared before that.

use std::fmt;

/// A setting that must be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The execution role.
    Role,
    /// The dead letter queue, or topic.
    DeadLetterQueue,
}

/// A setting that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub setting: Setting,
    /// The stable version's ARN; `None` if it has none.
    pub stable: Option<String>,
    /// The new version's.
    pub new: Option<String>,
}

/// Those settings of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The ARN of its execution role.
    pub role: Option<String>,
    /// The ARN of its dead letter queue, or topic.
    pub dead_letter_queue: Option<String>,
}

impl Settings {
    /// What is not the same as in the stable version.
    #[must_use]
    pub fn differences_from(&self, stable: &Self) -> Vec<Difference> {
        let pairs = [
            (Setting::Role, &stable.role, &self.role),
            (
                Setting::DeadLetterQueue,
                &stable.dead_letter_queue,
                &self.dead_letter_queue,
            ),
        ];
        let differences = pairs.into_iter().filter(|(_, stable, new)| stable != new);
        differences
            .map(|(setting, stable, new)| Difference {
                setting,
                stable: stable.clone(),
                new: new.clone(),
            })
            .collect()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Role => "execution role",
            Self::DeadLetterQueue => "dead letter queue",
        })
    }
}

/// ``the execution role of version 8 is `A` and that of version 6 is `B` ``, each difference after the other.
pub(crate) fn listed(differences: &[Difference], new: &str, stable: &str) -> String {
    let arn = |arn: &Option<String>| match arn {
        Some(arn) => format!("`{arn}`"),
        None => "none".to_owned(),
    };
    let each = differences.iter().map(|difference| {
        format!(
            "the {} of version {new} is {} and that of version {stable} is {}",
            difference.setting,
            arn(&difference.new),
            arn(&difference.stable)
        )
    });
    each.collect::<Vec<_>>().join(", ")
}
