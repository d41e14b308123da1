//! Names of applications, environments, services and of what is made for them.
//!
//! All are lower case: names of buckets have to be, and `CloudFormation` has no function for it.

use std::fmt;

use sha2::{Digest, Sha256};

/// The families: environments of one kind with a name each.
pub const FAMILIES: [&str; 3] = ["dev", "qa", "pr"];

/// The service of a repository without `[services]`.
pub const ONLY_SERVICE: &str = "main";

/// The longest member of a family (`anna` of `dev-anna`), and the longest word that names an environment:
/// an environment's name is so at most as long as the longest member's, `dev-` and this.
pub const MEMBER_CHARACTERS: usize = 16;

/// How many digits of an execution's id are in the name of its environment: few enough for the names that are made of it, and
/// of four billion.
pub const EXECUTION_DIGITS: usize = 8;

/// The longest name of an application: the bucket `APPLICATION-releases-ACCOUNT-REGION` has at most 63
/// characters, an account 12, a region 14 (`ap-southeast-1`).
pub const APPLICATION_CHARACTERS: usize = 63 - "-releases-".len() - 12 - "-".len() - 14;

/// Hex digits that tell apart what was cut to the same: 65,536 values, of which a team uses few.
const CUT_DIGITS: usize = 4;

/// What has a name of limited length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOf {
    /// A stack of CloudFormation.
    Stack,
    /// A bucket of S3.
    Bucket,
    /// A function of Lambda.
    Function,
    /// A role of IAM.
    Role,
}

impl NameOf {
    /// The most characters that its name may have.
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            Self::Stack => 128,
            Self::Bucket => 63,
            Self::Function | Self::Role => 64,
        }
    }

    /// Where AWS says so.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Stack => {
                "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"
            }
            Self::Bucket => {
                "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"
            }
            Self::Function => {
                "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"
            }
            Self::Role => "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html",
        }
    }

    /// The parts joined by `-`.
    ///
    /// # Errors
    ///
    /// The name is too long.
    pub fn join(self, parts: &[&str]) -> Result<String, NameTooLong> {
        let name = parts.join("-");
        if name.len() > self.limit() {
            return Err(NameTooLong { of: self, name });
        }
        Ok(name)
    }
}

impl fmt::Display for NameOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stack => "stack",
            Self::Bucket => "bucket",
            Self::Function => "function",
            Self::Role => "role",
        })
    }
}

/// A name has more characters than AWS takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {of} `{name}` would have a name of {} characters; the limit is {} ({})", .name.len(), .of.limit(), .of.source())]
pub struct NameTooLong {
    /// What it would name.
    pub of: NameOf,
    /// The name.
    pub name: String,
}

/// The stack of a service in an environment: `APPLICATION-ENVIRONMENT-SERVICE`.
///
/// # Errors
///
/// The name is too long.
pub fn stack(
    application: &str,
    environment: &EnvironmentName,
    service: &str,
) -> Result<String, NameTooLong> {
    NameOf::Stack.join(&[application, environment.as_str(), service])
}

/// The name of an environment: a word (`int`), or a family and a member (`dev-anna`); lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentName {
    name: String,
    /// How long the family's name is.
    family: Option<usize>,
}

impl EnvironmentName {
    /// Reads a name, in whatever case.
    ///
    /// # Errors
    ///
    /// It does not have the form of a name.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let name = text.to_ascii_lowercase();
        let wrong = |why| BadName {
            name: text.to_owned(),
            why,
        };
        let Some((family, member)) = name.split_once('-') else {
            if FAMILIES.contains(&name.as_str()) {
                return Err(wrong("it is a family: add a name, such as `dev-anna`"));
            }
            word(&name).map_err(wrong)?;
            return Ok(Self { name, family: None });
        };
        if !FAMILIES.contains(&family) {
            return Err(wrong(
                "it must be one word, or begin with `dev-`, `qa-` or `pr-`",
            ));
        }
        if member.len() > MEMBER_CHARACTERS {
            return Err(wrong(
                "what follows the family must have at most 16 characters",
            ));
        }
        is_plain(member).then_some(()).ok_or_else(|| {
            wrong(
                "what follows the family must be letters and digits, with single `-` between them",
            )
        })?;
        let family = Some(family.len());
        Ok(Self { name, family })
    }

    /// The environment of a branch: a member of the family whose name is the branch's, as far as it can be.
    #[must_use]
    pub fn of_branch(family: Family, branch: &str) -> Self {
        let name = format!("{}-{}", family.word(), slug(branch));
        Self {
            name,
            family: Some(family.word().len()),
        }
    }

    /// The environment of an execution of the pipeline: the member of a family whose name is the first digits of the execution's
    /// id. `None` where the id has another form.
    #[must_use]
    pub fn of_execution(family: &str, execution: &str) -> Option<Self> {
        let digits = execution.get(..EXECUTION_DIGITS)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = format!("{family}-{digits}");
        Self::parse(&name).ok().filter(|_| is_hex)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The family, if it is a member of one.
    #[must_use]
    pub fn family(&self) -> Option<&str> {
        self.family.map(|length| &self.name[..length])
    }

    /// The name within the family: `anna` of `dev-anna`.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        self.family.map(|length| &self.name[length + 1..])
    }

    /// As people read it: `INT`, `DEV-anna`.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.family(), self.member()) {
            (Some(family), Some(member)) => format!("{}-{member}", family.to_ascii_uppercase()),
            _ => self.name.to_ascii_uppercase(),
        }
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A family of environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Of developers, deployed by hand: `dev-anna`.
    Developer,
    /// Of executions of the pipeline: `qa-1f09ab3c`.
    Execution,
    /// Of pull requests: `pr-17`.
    PullRequest,
}

impl Family {
    /// What its members' names begin with.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Developer => FAMILIES[0],
            Self::Execution => FAMILIES[1],
            Self::PullRequest => FAMILIES[2],
        }
    }
}

/// The longest name that one of these environments can have, or a member of one of these families; without any, that
/// of the environments of a file that names none.
pub(crate) fn longest_environment<'a>(environments: impl Iterator<Item = &'a str>) -> String {
    let longest = |name: &str| {
        if FAMILIES.contains(&name) {
            format!("{name}-{}", "x".repeat(MEMBER_CHARACTERS))
        } else {
            name.to_owned()
        }
    };
    environments
        .map(longest)
        .max_by_key(String::len)
        .unwrap_or_else(|| "test".to_owned())
}

/// A text is not the name of an environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be the name of an environment: {why}")]
pub struct BadName {
    /// The text.
    pub name: String,
    /// What its form has to be.
    pub why: &'static str,
}

/// Checks the name of an environment that is not a member of a family.
pub(crate) fn word(name: &str) -> Result<(), &'static str> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !fits {
        return Err(
            "it must be one word of lower-case letters and digits that begins with a letter",
        );
    }
    if name.len() > MEMBER_CHARACTERS {
        return Err("it must have at most 16 characters");
    }
    Ok(())
}

/// Checks the name of an application, a service or a pipeline.
pub(crate) fn dashed(name: &str) -> Result<(), &'static str> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase()) && is_plain(name);
    fits.then_some(()).ok_or(
        "it must be lower-case letters and digits that begin with a letter, with single `-` between them",
    )
}

fn is_plain(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.split('-').all(part)
}

/// A branch as a member's name. What is cut, or has nothing that a name may have, ends in hex digits of the
/// branch's hash, so that two branches do not become one environment.
#[must_use]
pub fn slug(branch: &str) -> String {
    let lower = branch.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let whole: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let whole = whole.join("-");
    // Another branch may differ in what was replaced: `fix/a` and `fix-a`.
    if whole == branch && whole.len() <= MEMBER_CHARACTERS {
        return whole;
    }
    let kept = &whole[..whole.len().min(MEMBER_CHARACTERS - CUT_DIGITS - 1)];
    let hash = Sha256::digest(branch.as_bytes());
    let hash = format!("{:02x}{:02x}", hash[0], hash[1]);
    [kept.trim_end_matches('-'), &hash]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// Why a member of a family cannot be: its stack would be another member's.
///
/// `dev-anna-admin` with the service `api` and `dev-anna` with the service `admin-api` have one stack's name.
pub(crate) fn clash(member: &str, services: &[&str]) -> Option<String> {
    for longer in services {
        for shorter in services {
            let Some(between) = longer
                .strip_suffix(shorter)
                .and_then(|rest| rest.strip_suffix('-'))
            else {
                continue;
            };
            let others = member
                .strip_suffix(between)
                .and_then(|rest| rest.strip_suffix('-'));
            if let Some(other) = others {
                return Some(format!(
                    "the stack of its service `{shorter}` would be that of the service `{longer}` of `{other}`"
                ));
            }
        }
    }
    None
}
