//! AWS partitions: the name in ARNs and the suffix of host names, by region.

/// The partition of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// What `${AWS::Partition}` stands for.
    pub(crate) name: &'static str,
    /// What host names of the region's services end with.
    pub(crate) dns_suffix: &'static str,
}

/// Partitions by what their regions begin with (`partitions.json` of the AWS SDKs); a prefix that
/// another one begins with comes later.
const PARTITIONS: [(&str, Partition); 8] = [
    (
        "cn-",
        Partition {
            name: "aws-cn",
            dns_suffix: "amazonaws.com.cn",
        },
    ),
    (
        "us-gov-",
        Partition {
            name: "aws-us-gov",
            dns_suffix: "amazonaws.com",
        },
    ),
    (
        "us-isob-",
        Partition {
            name: "aws-iso-b",
            dns_suffix: "sc2s.sgov.gov",
        },
    ),
    (
        "us-isof-",
        Partition {
            name: "aws-iso-f",
            dns_suffix: "csp.hci.ic.gov",
        },
    ),
    (
        "eu-isoe-",
        Partition {
            name: "aws-iso-e",
            dns_suffix: "cloud.adc-e.uk",
        },
    ),
    (
        "us-iso-",
        Partition {
            name: "aws-iso",
            dns_suffix: "c2s.ic.gov",
        },
    ),
    (
        "eusc-",
        Partition {
            name: "aws-eusc",
            dns_suffix: "amazonaws.eu",
        },
    ),
    (
        "",
        Partition {
            name: "aws",
            dns_suffix: "amazonaws.com",
        },
    ),
];

impl Partition {
    /// The partition that a region is in.
    pub(crate) fn of(region: &str) -> Self {
        PARTITIONS
            .iter()
            .find(|(prefix, _)| region.starts_with(prefix))
            .map(|(_, partition)| *partition)
            .expect("the last prefix is that of every region")
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("eu-west-1", "aws", "amazonaws.com")]
    #[test_case("cn-north-1", "aws-cn", "amazonaws.com.cn")]
    #[test_case("us-gov-west-1", "aws-us-gov", "amazonaws.com")]
    #[test_case("us-iso-east-1", "aws-iso", "c2s.ic.gov")]
    #[test_case("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov")]
    fn a_region_is_in_its_partition(region: &str, name: &'static str, dns_suffix: &'static str) {
        assert_eq!(Partition::of(region), Partition { name, dns_suffix });
    }
}
