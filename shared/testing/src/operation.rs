//! What a request to AWS is: service, operation, resource, and whether it changes anything.
//!
//! The service is read from the signature, so one port can stand for all of AWS.

use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Uri};

/// One operation on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The service as signatures name it: `lambda`, `s3`, `codepipeline`, `apigateway`, `cloudfront`, `cloudformation`, `cloudwatch`, `logs`.
    pub service: String,
    /// The operation, such as `UpdateAlias`; the method and path where it is not known.
    pub name: String,
    /// What it is on: names joined by `/`, such as `greeter/prod` or `bucket/key`.
    pub resource: String,
    /// Whether it changes anything.
    pub mutating: bool,
}

impl Operation {
    /// `service:Operation`, as rules and IAM write it.
    #[must_use]
    pub fn action(&self) -> String {
        format!("{}:{}", self.service, self.name)
    }

    /// Reads what a request is.
    #[must_use]
    pub fn of(parts: &Parts) -> Self {
        let service = match credential(parts, 3) {
            Some(service) if service == "monitoring" => "cloudwatch".to_owned(),
            Some(service) => service,
            None => "s3".to_owned(),
        };
        let path = segments(&parts.uri);
        let (name, resource) = match service.as_str() {
            "lambda" => lambda(&parts.method, &path),
            "codepipeline" | "logs" => (target(parts), String::new()),
            "cloudformation" => (target(parts), stack(parts)),
            // `/service/NAME/operation/DescribeAlarms`.
            "cloudwatch" => (path.last().cloned().unwrap_or_default(), String::new()),
            "apigateway" => api_gateway(&parts.method, &path),
            "cloudfront" => cloud_front(&parts.method, &path),
            _ => s3(parts, &path),
        };
        let reads = ["Get", "List", "Head", "Describe", "Filter"];
        let mutating = !reads.iter().any(|verb| name.starts_with(verb));
        Self {
            service,
            name,
            resource,
            mutating,
        }
    }
}

/// The access key id that a request is signed with.
#[must_use]
pub fn access_key(parts: &Parts) -> Option<String> {
    credential(parts, 0)
}

/// One part of the signature's `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn credential(parts: &Parts, index: usize) -> Option<String> {
    let header = parts.headers.get("authorization")?.to_str().ok()?;
    let (_, scope) = header.split_once("Credential=")?;
    let scope = scope.split([',', ' ']).next()?;
    scope.split('/').nth(index).map(str::to_owned)
}

/// Whether a request is one of S3, whose bodies are large.
pub(crate) fn is_of_s3(parts: &Parts) -> bool {
    credential(parts, 3).is_none_or(|service| service == "s3")
}

/// The path's segments, decoded.
#[must_use]
pub fn segments(uri: &Uri) -> Vec<String> {
    let path = uri.path().trim_start_matches('/');
    path.split('/').map(decoded).collect()
}

fn decoded(text: &str) -> String {
    let plus_kept = text.replace('+', "%2B");
    let pair = format!("k={plus_kept}");
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn target(parts: &Parts) -> String {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    target
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or_default()
        .to_owned()
}

/// Makes a request of the query protocol, which has its operation in the body, look like one of the JSON protocols:
/// `X-Amz-Target: STACK.CreateChangeSet`.
pub(crate) fn name_by_body(parts: &mut Parts, body: &[u8]) {
    if credential(parts, 3).as_deref() != Some("cloudformation") {
        return;
    }
    let field = |key: &str| {
        let mut fields = form_urlencoded::parse(body);
        fields.find_map(|(name, value)| (name == key).then(|| value.into_owned()))
    };
    let stack = field("StackName").unwrap_or_default();
    let stack = stack.split('/').nth(1).unwrap_or(&stack);
    let target = format!("{stack}.{}", field("Action").unwrap_or_default());
    if let Ok(target) = HeaderValue::from_str(&target) {
        parts.headers.insert("x-amz-target", target);
    }
}

/// The stack, as [`name_by_body`] put it.
fn stack(parts: &Parts) -> String {
    let target = parts.headers.get("x-amz-target");
    let target = target.and_then(|value| value.to_str().ok());
    let stack = target.and_then(|target| target.split_once('.'));
    stack.map(|(stack, _)| stack.to_owned()).unwrap_or_default()
}

fn unknown(method: &Method, path: &[String]) -> (String, String) {
    (format!("{method} /{}", path.join("/")), String::new())
}

fn lambda(method: &Method, path: &[String]) -> (String, String) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let (name, resource) = match (method.as_str(), path.as_slice()) {
        ("GET", [_, "functions", function]) => ("GetFunction", vec![function]),
        ("GET", [_, "functions", function, "configuration"]) => {
            ("GetFunctionConfiguration", vec![function])
        }
        ("PUT", [_, "functions", function, "configuration"]) => {
            ("UpdateFunctionConfiguration", vec![function])
        }
        ("PUT", [_, "functions", function, "code"]) => ("UpdateFunctionCode", vec![function]),
        ("POST", [_, "functions", function, "versions"]) => ("PublishVersion", vec![function]),
        ("GET", [_, "functions", function, "versions"]) => {
            ("ListVersionsByFunction", vec![function])
        }
        ("GET", [_, "functions", function, "provisioned-concurrency"]) => {
            ("GetProvisionedConcurrencyConfig", vec![function])
        }
        ("POST", [_, "functions", function, "invocations"]) => ("Invoke", vec![function]),
        ("POST", [_, "functions", function, "aliases"]) => ("CreateAlias", vec![function]),
        ("GET", [_, "functions", function, "aliases", name]) => ("GetAlias", vec![function, name]),
        ("PUT", [_, "functions", function, "aliases", name]) => {
            ("UpdateAlias", vec![function, name])
        }
        ("DELETE", [_, "functions", function, "aliases", name]) => {
            ("DeleteAlias", vec![function, name])
        }
        ("DELETE", [_, "functions", function]) => ("DeleteFunction", vec![function]),
        _ => {
            return unknown(
                method,
                &path.iter().map(|&s| s.to_owned()).collect::<Vec<_>>(),
            );
        }
    };
    (
        name.to_owned(),
        resource.into_iter().copied().collect::<Vec<_>>().join("/"),
    )
}

fn api_gateway(method: &Method, path: &[String]) -> (String, String) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let name = match (method.as_str(), path.as_slice()) {
        ("GET", ["restapis"]) => "GetRestApis",
        ("GET", ["restapis", _]) => "GetRestApi",
        ("PUT", ["restapis", _]) => "PutRestApi",
        ("GET", ["restapis", _, "deployments"]) => "GetDeployments",
        ("POST", ["restapis", _, "deployments"]) => "CreateDeployment",
        ("GET", ["restapis", _, "deployments", _]) => "GetDeployment",
        ("PATCH", ["restapis", _, "deployments", _]) => "UpdateDeployment",
        ("DELETE", ["restapis", _, "deployments", _]) => "DeleteDeployment",
        ("GET", ["restapis", _, "stages"]) => "GetStages",
        ("POST", ["restapis", _, "stages"]) => "CreateStage",
        ("GET", ["restapis", _, "stages", _]) => "GetStage",
        ("PATCH", ["restapis", _, "stages", _]) => "UpdateStage",
        ("GET", ["restapis", _, "stages", _, "exports", _]) => "GetExport",
        _ => {
            return unknown(
                method,
                &path.iter().map(|&s| s.to_owned()).collect::<Vec<_>>(),
            );
        }
    };
    let names = path
        .iter()
        .skip(1)
        .copied()
        .filter(|part| !matches!(*part, "stages" | "exports"));
    (name.to_owned(), names.collect::<Vec<_>>().join("/"))
}

fn cloud_front(method: &Method, path: &[String]) -> (String, String) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let (name, resource) = match (method.as_str(), path.as_slice()) {
        ("POST", [_, "distribution", id, "invalidation"]) => ("CreateInvalidation", *id),
        ("GET", [_, "distribution", id, "invalidation"]) => ("ListInvalidations", *id),
        ("GET", [_, "distribution", id, "invalidation", _]) => ("GetInvalidation", *id),
        ("GET", [_, "distribution", id]) => ("GetDistribution", *id),
        _ => {
            return unknown(
                method,
                &path.iter().map(|&s| s.to_owned()).collect::<Vec<_>>(),
            );
        }
    };
    (name.to_owned(), resource.to_owned())
}

fn s3(parts: &Parts, path: &[String]) -> (String, String) {
    let query = parts.uri.query().unwrap_or_default();
    let has = |key: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next().is_some_and(|name| name == key))
    };
    let copies = parts.headers.contains_key("x-amz-copy-source");
    let on_object = path.len() > 1 && path.iter().skip(1).any(|part| !part.is_empty());
    let name = match (parts.method.as_str(), on_object) {
        ("GET", true) if has("uploadId") => "ListParts",
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("PUT", true) if has("partNumber") && copies => "UploadPartCopy",
        ("PUT", true) if has("partNumber") => "UploadPart",
        ("PUT", true) if copies => "CopyObject",
        ("PUT", true) => "PutObject",
        ("POST", true) if has("uploads") => "CreateMultipartUpload",
        ("POST", true) => "CompleteMultipartUpload",
        ("DELETE", true) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", true) => "DeleteObject",
        ("POST", false) if has("delete") => "DeleteObjects",
        ("GET", false) if path.first().is_none_or(String::is_empty) => "ListBuckets",
        ("GET", false) if has("location") => "GetBucketLocation",
        ("GET", false) if has("versions") => "ListObjectVersions",
        ("GET", false) if has("uploads") => "ListMultipartUploads",
        ("GET", false) => "ListObjectsV2",
        ("HEAD", false) => "HeadBucket",
        ("PUT", false) => "CreateBucket",
        ("DELETE", false) => "DeleteBucket",
        _ => return unknown(&parts.method, path),
    };
    (
        name.to_owned(),
        path.join("/").trim_end_matches('/').to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use test_case::test_case;

    use super::*;

    #[test_case(
        "lambda",
        "PUT",
        "/2015-03-31/functions/f/aliases/prod",
        "UpdateAlias",
        "f/prod",
        true
    )]
    #[test_case(
        "lambda",
        "GET",
        "/2015-03-31/functions/f/configuration?Qualifier=3",
        "GetFunctionConfiguration",
        "f",
        false
    )]
    #[test_case(
        "s3",
        "PUT",
        "/b/a%20b/c?partNumber=1&uploadId=u",
        "UploadPart",
        "b/a b/c",
        true
    )]
    #[test_case("s3", "GET", "/b/?list-type=2", "ListObjectsV2", "b", false)]
    #[test_case(
        "apigateway",
        "POST",
        "/restapis/a1/deployments",
        "CreateDeployment",
        "a1/deployments",
        true
    )]
    #[test_case(
        "cloudfront",
        "POST",
        "/2020-05-31/distribution/E1/invalidation",
        "CreateInvalidation",
        "E1",
        true
    )]
    fn a_request_is_named(
        service: &str,
        method: &str,
        uri: &str,
        name: &str,
        resource: &str,
        mutating: bool,
    ) {
        let scope =
            format!("AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/{service}/aws4_request, x");
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", scope);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let expected = Operation {
            service: service.to_owned(),
            name: name.to_owned(),
            resource: resource.to_owned(),
            mutating,
        };
        assert_eq!(Operation::of(&parts), expected);
        assert_eq!(access_key(&parts).as_deref(), Some("AK"));
    }
}
