//! URLs of console pages and of S3 objects, by partition and region.

/// What differs in the URLs of an AWS partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Partition {
    /// Where its consoles are.
    console: &'static str,
    /// What its services' names end with.
    suffix: &'static str,
}

/// The partition of a region.
fn partition(region: &str) -> Partition {
    if region.starts_with("cn-") {
        Partition {
            console: "console.amazonaws.cn",
            suffix: "amazonaws.com.cn",
        }
    } else if region.starts_with("us-gov-") {
        Partition {
            console: "console.amazonaws-us-gov.com",
            suffix: "amazonaws.com",
        }
    } else {
        Partition {
            console: "console.aws.amazon.com",
            suffix: "amazonaws.com",
        }
    }
}

/// Where an object is, as CloudFormation takes it.
pub(crate) fn object_url(bucket: &str, region: &str, key: &str) -> String {
    let suffix = partition(region).suffix;
    format!("https://{bucket}.s3.{region}.{suffix}/{key}")
}

/// Bucket and key of an object's address; `None` where it is none.
pub(crate) fn object_of(url: &str) -> Option<(String, String)> {
    let (host, key) = url.strip_prefix("https://")?.split_once('/')?;
    if let Some((bucket, rest)) = host.split_once(".s3.").or_else(|| host.split_once(".s3-")) {
        let is_aws = rest.ends_with("amazonaws.com") || rest.ends_with("amazonaws.com.cn");
        return (is_aws && !key.is_empty()).then(|| (bucket.to_owned(), key.to_owned()));
    }
    let is_aws = host.starts_with("s3.") || host.starts_with("s3-");
    let (bucket, key) = key.split_once('/')?;
    (is_aws && !key.is_empty()).then(|| (bucket.to_owned(), key.to_owned()))
}

/// The page that launches a template, its form filled in.
pub(crate) fn launch_url(region: &str, template_url: &str, stack: &str) -> String {
    let console = partition(region).console;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("templateURL", template_url)
        .append_pair("stackName", stack)
        .finish();
    format!(
        "https://{region}.{console}/cloudformation/home?region={region}#/stacks/create/review?{query}"
    )
}

/// The page of the connections, where one that is pending is completed.
pub(crate) fn connections_url(region: &str) -> String {
    let console = partition(region).console;
    format!("https://{region}.{console}/codesuite/settings/connections?region={region}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_partition_and_region() {
        let all: Vec<String> = ["eu-west-1", "cn-north-1", "us-gov-west-1"]
            .iter()
            .flat_map(|region| {
                let url = object_url("code", region, "templates/1/delivery.yaml");
                [
                    launch_url(region, &url, "shop"),
                    connections_url(region),
                    url,
                ]
            })
            .collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn an_address_of_an_object_is_read_in_each_of_its_forms() {
        let found = Some(("code".to_owned(), "a/b.yaml".to_owned()));
        for url in [
            "https://code.s3.eu-west-1.amazonaws.com/a/b.yaml",
            "https://code.s3.amazonaws.com/a/b.yaml",
            "https://code.s3.cn-north-1.amazonaws.com.cn/a/b.yaml",
            "https://s3.eu-west-1.amazonaws.com/code/a/b.yaml",
        ] {
            assert_eq!(object_of(url), found, "{url}");
        }
        for url in [
            "https://example.com/a/b.yaml",
            "s3://code/a/b.yaml",
            "https://code.s3.eu-west-1.amazonaws.com/",
        ] {
            assert_eq!(object_of(url), None, "{url}");
        }
    }
}
