//! Recorded requests as IAM sees them: an action on a resource.
//!
//! Sources of the table: Service Authorization Reference ("Actions, resources, and condition keys for Amazon S3", "for
//! AWS Lambda", "for Amazon API Gateway Management", "for Amazon CloudFront", "for AWS CodePipeline", "for AWS CloudFormation"); S3 User Guide,
//! "Required permissions for Amazon S3 API operations" and "Multipart upload API and permissions".

use delivery_testing::record::Recorded;
use local::launch::{FUNCTIONS, logical_id};

/// What stands behind the job's credentials, and calls the functions.
const PIPELINE: &str = "pipeline";

/// Packages that are not an action: their tests use the function's keys for what no action does.
const OTHERS: [&str; 10] = [
    "delivery",
    "delivery-stack",
    "delivery-action",
    "delivery-release",
    "delivery-testing",
    "pipeline-tests",
    "post-to-chat",
    "local",
    "cli",
    "tests",
];

/// One call, with the resource's name in the tests replaced by what it is in the templates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// Who calls: an action, or the pipeline.
    pub(crate) by: String,
    /// `service:Action`, as policies write it.
    pub(crate) action: String,
    /// What it is on, in the form of [`super::grants`].
    pub(crate) resource: String,
}

impl Call {
    /// The call behind a recorded request; `None` where it is not one of an action or of the pipeline.
    pub(crate) fn of(recorded: &Recorded) -> Option<Self> {
        let by = caller(&recorded.by)?;
        let (action, resource) = match recorded.service.as_str() {
            // How a test of the tests' own S3 looks whether it answers; no action lists buckets.
            "s3" if recorded.operation().name == "ListBuckets" => return None,
            "s3" => s3(recorded),
            "lambda" => lambda(recorded),
            "apigateway" => api_gateway(recorded),
            "cloudfront" => (
                recorded.operation().action(),
                "cloudfront:DISTRIBUTION".to_owned(),
            ),
            // Only the results of jobs know no resource; the pipeline's name stands in the body.
            "codepipeline" if recorded.operation().name.starts_with("Get") => (
                recorded.operation().action(),
                "codepipeline:PIPELINE".to_owned(),
            ),
            // The gateway does not read bodies, where the query protocol has the operation; the world does.
            "cloudformation" if recorded.operation().name.is_empty() => return None,
            "cloudformation" => (
                recorded.operation().action(),
                "cloudformation:stack/APPLICATION-ENVIRONMENT-SERVICE".to_owned(),
            ),
            // Written for a `Commands` action, which only rendered pipelines have.
            "logs" if by == PIPELINE => return None,
            // The groups stand in the bodies: that of the application's function, and those of its stacks.
            "logs" if recorded.operation().name == "FilterLogEvents" => {
                (recorded.operation().action(), "logs:LOG:*".to_owned())
            }
            "logs" => (recorded.operation().action(), "logs:*".to_owned()),
            "events" => return None, // the engine stands for the service there, which needs no permission
            _ => (recorded.operation().action(), "*".to_owned()),
        };
        // The pipelines that deploy stacks are rendered: theirs is another role than that of the committed template.
        if by == PIPELINE && ["lambda:DeployStack", "lambda:Release"].contains(&resource.as_str()) {
            return None;
        }
        Some(Self {
            by,
            action,
            resource,
        })
    }
}

fn caller(by: &str) -> Option<String> {
    if OTHERS.contains(&by) {
        return None;
    }
    // The tests of an action name it; a launched stack names its functions `STACK-Actions-ID-SUFFIX`.
    let known = FUNCTIONS
        .into_iter()
        .find(|name| by == *name || is_function_of(by, name));
    match known {
        Some(name) => Some(name.to_owned()),
        None if by == PIPELINE => Some(PIPELINE.to_owned()),
        None => panic!(
            "`{by}` is neither an action nor the pipeline; tell `calls.rs` whose policy it is"
        ),
    }
}

fn is_function_of(name: &str, action: &str) -> bool {
    name.contains(&format!("-{}-", logical_id(action)))
}

fn s3(recorded: &Recorded) -> (String, String) {
    let operation = recorded.operation();
    let action = match operation.name.as_str() {
        "GetObject" | "HeadObject" => "s3:GetObject",
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            "s3:PutObject"
        }
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "DeleteObject" => "s3:DeleteObject",
        "ListObjectsV2" | "HeadBucket" => "s3:ListBucket",
        "ListObjectVersions" => "s3:ListBucketVersions",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        // Undeploy alone does it, by versions.
        "DeleteObjects" => "s3:DeleteObjectVersion",
        other => panic!("which permission does S3 ask for at `{other}`? Tell `calls.rs`"),
    };
    let (bucket, key) = match operation.resource.split_once('/') {
        Some((bucket, key)) => (bucket, Some(key)),
        // Their keys are in the body.
        None if operation.name == "DeleteObjects" => (operation.resource.as_str(), Some("KEY")),
        None => (operation.resource.as_str(), None),
    };
    let bucket = self::bucket(bucket);
    (
        action.to_owned(),
        key.map_or_else(
            || format!("s3:{bucket}"),
            |key| format!("s3:{bucket}/{key}"),
        ),
    )
}

/// What a bucket of a test is in the templates; a stack names its buckets by their logical ids.
fn bucket(name: &str) -> &'static str {
    let name = name.to_lowercase();
    // `ENVIRONMENTSite` of the template of an app or a site.
    let is_of_site = || name.split('-').any(|part| part.ends_with("site"));
    if name.starts_with("application-dev-") {
        "APPLICATION-dev-BUCKET"
    } else if name.starts_with("application-") {
        "APPLICATION-BUCKET"
    } else if ["www", "nowhere", "gone"].contains(&name.as_str()) || is_of_site() {
        "SITE"
    } else if name.contains("packages") || name.contains("releases") {
        "RELEASES"
    } else if name.contains("store") || name.contains("artifacts") {
        "ARTIFACTS"
    } else {
        panic!(
            "is the bucket `{name}` the artifact store, a site or that of releases? Tell `calls.rs`"
        )
    }
}

/// Operations on an alias are authorized on the function; a qualifier is part of the resource.
fn lambda(recorded: &Recorded) -> (String, String) {
    let operation = recorded.operation();
    let action = match operation.name.as_str() {
        "Invoke" => "lambda:InvokeFunction".to_owned(),
        _ => operation.action(),
    };
    let path = operation.resource.as_str();
    let arn = path
        .rsplit_once(":function:")
        .map_or(path, |(_, name)| name);
    let function = arn.split('/').next().unwrap_or_default();
    let (function, qualifier) = match function.split_once(':') {
        Some((function, qualifier)) => (function, Some(qualifier)),
        None => (function, recorded.query("Qualifier")),
    };
    let action_function = FUNCTIONS
        .into_iter()
        .find(|action| is_function_of(function, action));
    let function = action_function.map_or_else(|| "FUNCTION".to_owned(), logical_id);
    let qualifier = qualifier
        .map(|qualifier| format!(":{qualifier}"))
        .unwrap_or_default();
    (action, format!("lambda:{function}{qualifier}"))
}

/// API Gateway's actions are the HTTP methods, its resources the paths.
fn api_gateway(recorded: &Recorded) -> (String, String) {
    let path = recorded.path();
    let mut parts = path.trim_start_matches('/').splitn(3, '/');
    let (collection, api, rest) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let api = api.map(|_| "/API").unwrap_or_default();
    let rest = rest.map(|rest| format!("/{rest}")).unwrap_or_default();
    (
        format!("apigateway:{}", recorded.method),
        format!("apigateway:/{collection}{api}{rest}"),
    )
}
