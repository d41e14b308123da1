//! The action's `UserParameters`.

use std::collections::BTreeMap;

use delivery_action::artifact::Digest;
use delivery_action::execution::Execution;
use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_release::part::ReleaseParams;
use serde::Deserialize;

use crate::naming::Immutable;

/// The prefix of the keys of a site's own configuration.
const CONFIG: &str = "Config.";

/// The key of `config.json` with the address of the API.
pub(crate) const API_BASEURL: &str = "apiBaseurl";

/// That with the version.
pub(crate) const VERSION: &str = "version";

/// Keys of `config.json` that the action sets itself.
const OWN_CONFIG: [&str; 2] = [API_BASEURL, VERSION];

/// The parameters of `deploy-site`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploySiteParams {
    /// The bucket that the site is served from.
    pub bucket: String,
    /// The folder of the artifact that is the site: empty, or ending in `/`.
    pub directory: String,
    /// What the keys of all its objects begin with: empty, or ending in `/`.
    pub prefix: String,
    /// Where the site finds its API.
    pub api_baseurl: Option<String>,
    /// What the site calls its version.
    pub version: Option<String>,
    /// Further keys of `config.json`.
    pub config: BTreeMap<String, String>,
    /// Whether files that no release needs any more are removed.
    pub delete: Delete,
    /// The CloudFront distribution in front of the bucket.
    pub distribution: Option<String>,
    /// Which files browsers may keep for a year.
    pub immutable: Immutable,
    /// The digest of the artifact that was built and tested; any other artifact is refused.
    pub digest: Option<Digest>,
    /// The pipeline execution; if it has ended, the job changes nothing more.
    pub execution: Option<Execution>,
    /// The release that is deployed, instead of an artifact.
    pub release: Option<ReleaseParams>,
}

/// Whether files that no release needs any more are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delete {
    /// Files that neither this release nor the one before it has are removed.
    #[default]
    Unused,
    /// Nothing is removed.
    Never,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Keys {
    bucket: String,
    directory: Option<String>,
    prefix: Option<String>,
    api_baseurl: Option<String>,
    version: Option<String>,
    #[serde(default)]
    delete: Delete,
    distribution: Option<String>,
    immutable: Option<String>,
    digest: Option<Digest>,
}

impl Params for DeploySiteParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        let config = parameters.take_prefixed(CONFIG)?;
        let execution = Execution::take(&mut parameters)?;
        let release = ReleaseParams::take(&mut parameters, execution.as_ref())?;
        let keys: Keys = parameters.deserialize()?;
        let invalid = |key: &str, expected: &str| ParametersError::Invalid {
            key: key.to_owned(),
            expected: expected.to_owned(),
        };
        if let Some(own) = OWN_CONFIG.iter().find(|own| config.contains_key(**own)) {
            return Err(invalid(
                &format!("{CONFIG}{own}"),
                &format!("another name: the parameter `{own}` sets this one"),
            ));
        }
        let of_the_release = [
            ("directory", keys.directory.is_some()),
            ("digest", keys.digest.is_some()),
        ];
        for (key, is_set) in of_the_release {
            if release.is_some() && is_set {
                let expected = "no value next to `releases`: the release says it";
                return Err(invalid(key, expected));
            }
        }
        if keys.bucket.trim().is_empty() {
            return Err(invalid("bucket", "the name of a bucket"));
        }
        let plain = "a path without `.`, `..` and empty parts";
        let directory = match keys.directory.as_deref() {
            None | Some(".") => String::new(),
            Some(directory) => prefix(directory).ok_or_else(|| invalid("directory", plain))?,
        };
        let prefix = prefix(keys.prefix.as_deref().unwrap_or_default())
            .ok_or_else(|| invalid("prefix", plain))?;
        let given = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
        let immutable = match given(keys.immutable) {
            None => Immutable::default(),
            Some(patterns) => Immutable::parse(&patterns).ok_or_else(|| {
                invalid(
                    "immutable",
                    "patterns such as `assets/**`, with commas between them, or `none`",
                )
            })?,
        };
        Ok(Self {
            bucket: keys.bucket,
            directory,
            prefix,
            api_baseurl: given(keys.api_baseurl),
            version: given(keys.version),
            config,
            delete: keys.delete,
            distribution: given(keys.distribution),
            immutable,
            digest: keys.digest,
            execution,
            release,
        })
    }
}

/// A prefix with exactly one `/` at its end, or none at all.
fn prefix(text: &str) -> Option<String> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() {
        return Some(String::new());
    }
    let parts_are_plain = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    parts_are_plain.then(|| format!("{text}/"))
}

#[cfg(test)]
mod tests {
    use delivery_testing::events::invocation;
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn read(text: &str) -> Result<DeploySiteParams, ParametersError> {
        let event = json!({"CodePipeline.job": {"id": "1", "data": {}}});
        let job = Job::from_event(&event, invocation()).unwrap();
        DeploySiteParams::from_user_parameters(UserParameters::parse(Some(text))?, &job)
    }

    #[test]
    fn all_keys_are_read() {
        let text = "bucket=www&directory=frontend/build&prefix=/app&apiBaseurl=https://a.example&version=v1&Config.title=Hi\
                    &delete=never&distribution=E1&immutable=assets/**,*.woff2&pipeline=p&execution=0a-1b\
                    &digest=sha256:abababababababababababababababababababababababababababababababab";
        let expected = DeploySiteParams {
            bucket: "www".to_owned(),
            directory: "frontend/build/".to_owned(),
            prefix: "app/".to_owned(),
            api_baseurl: Some("https://a.example".to_owned()),
            version: Some("v1".to_owned()),
            config: BTreeMap::from([("title".to_owned(), "Hi".to_owned())]),
            delete: Delete::Never,
            distribution: Some("E1".to_owned()),
            digest: Some(format!("sha256:{}", "ab".repeat(32)).parse().unwrap()),
            immutable: Immutable::parse("assets/**,*.woff2").unwrap(),
            execution: Execution::take(
                &mut UserParameters::parse(Some("pipeline=p&execution=0a-1b")).unwrap(),
            )
            .unwrap(),
            release: None,
        };
        assert_eq!(read(text), Ok(expected));
    }

    #[test_case("prefix=a", "`UserParameters` lacks `bucket`")]
    #[test_case(
        "bucket=",
        "`bucket` in `UserParameters` is not valid: expected the name of a bucket"
    )]
    #[test_case(
        "bucket=b&x=1",
        "`UserParameters` has an unknown key `x`; known keys are `bucket`, `directory`, `prefix`, `apiBaseurl`, `version`, `delete`, `distribution`, `immutable`, `digest`, `Config.NAME`, `pipeline`, `execution`, `releases`"
    )]
    #[test_case(
        "bucket=b&prefix=a/../b",
        "`prefix` in `UserParameters` is not valid: expected a path without `.`, `..` and empty parts"
    )]
    #[test_case(
        "bucket=b&directory=../b",
        "`directory` in `UserParameters` is not valid: expected a path without `.`, `..` and empty parts"
    )]
    #[test_case("bucket=b&prefix=a//b", "`prefix` in `UserParameters` is not valid: expected a path without `.`, `..` and empty parts"; "empty parts")]
    #[test_case(
        "bucket=b&delete=all",
        "`delete` in `UserParameters` is not valid: expected one of `unused`, `never`"
    )]
    #[test_case(
        "bucket=b&immutable=[a",
        "`immutable` in `UserParameters` is not valid: expected patterns such as `assets/**`, with commas between them, or `none`"
    )]
    #[test_case(
        "bucket=b&Config.version=1",
        "`Config.version` in `UserParameters` is not valid: expected another name: the parameter `version` sets this one"
    )]
    fn what_is_wrong_is_named(text: &str, message: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), message);
    }

    #[test_case("", "")]
    #[test_case("/", "")]
    #[test_case("a/b/", "a/b/")]
    fn a_prefix_ends_in_one_slash(text: &str, expected: &str) {
        assert_eq!(prefix(text).as_deref(), Some(expected));
    }
}
