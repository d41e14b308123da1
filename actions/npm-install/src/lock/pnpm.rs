//! pnpm's lock file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Locked, Origin, origin_of};
use crate::yaml;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::zero_sized_map_values,
    reason = "objects, whose values are read and dropped"
)]
struct Content {
    #[serde(default)]
    packages: BTreeMap<String, Package>,
    #[serde(default)]
    importers: BTreeMap<String, serde::de::IgnoredAny>,
    /// Before version 9 by the package, then a list of names: the files are the project's own.
    #[serde(default)]
    patched_dependencies: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    resolution: Resolution,
}

#[derive(Default, Deserialize)]
struct Resolution {
    integrity: Option<String>,
    tarball: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The packages of a lock file. A workspace and a patched package count as what comes from the source.
pub(super) fn parse(text: &str) -> Result<Vec<Locked>, String> {
    let content: Content = yaml::parse(text)?;
    let local = |name: &String| Locked {
        name: name.clone(),
        origin: Origin::Local,
        hash: None,
        is_conditional: false,
    };
    let workspaces = content.importers.keys().filter(|name| *name != ".");
    let patched = content.patched_dependencies.keys();
    let mut packages: Vec<Locked> = workspaces.chain(patched).map(local).collect();
    packages.extend(content.packages.into_iter().map(|(name, package)| {
        let resolution = package.resolution;
        Locked {
            name: name.trim_start_matches('/').to_owned(),
            origin: match (resolution.kind.as_deref(), &resolution.tarball) {
                (Some("git"), _) => Origin::Git,
                (Some("directory"), _) => Origin::Local,
                (_, Some(tarball)) => origin_of(tarball),
                (_, None) => Origin::Registry,
            },
            hash: resolution.integrity,
            is_conditional: false,
        }
    }));
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;
    use crate::error::Untrusted;

    #[test_case("{integrity: sha512-x}", None; "registry")]
    #[test_case("{integrity: sha512-x, tarball: https://r/a.tgz}", None; "address with a hash")]
    #[test_case("{directory: ../a, type: directory}", None; "folder")]
    #[test_case("{tarball: file:a.tgz}", None; "file")]
    #[test_case("{}", Some(Untrusted::NoIntegrity); "nothing")]
    #[test_case("{integrity: md5-x}", Some(Untrusted::NoIntegrity); "hash of no use")]
    #[test_case("{tarball: https://codeload.github.com/a/b/tar.gz/1}", Some(Untrusted::NoIntegrity); "address without a hash")]
    #[test_case("{integrity: sha512-x, tarball: http://r/a.tgz}", Some(Untrusted::PlainHttp); "http")]
    #[test_case("{type: git, repo: 'https://h/a.git', commit: 1}", Some(Untrusted::Git); "git")]
    fn a_package_is_judged(resolution: &str, expected: Option<Untrusted>) {
        let text = format!(
            "lockfileVersion: '9.0'\n\npackages:\n\n  a@1.0.0:\n    resolution: {resolution}\n"
        );
        let packages = parse(&text).unwrap();
        assert_eq!(packages[0].untrusted(false), expected);
    }

    #[test]
    fn workspaces_and_patches_are_local() {
        let text = "importers:\n  .: {}\n  web:\n    dependencies: {}\npatchedDependencies:\n  a@1.0.0:\n    hash: x\n    path: patches/a.patch\n";
        let names: Vec<_> = parse(text)
            .unwrap()
            .into_iter()
            .map(|one| (one.name, one.origin))
            .collect();
        assert_eq!(
            names,
            [
                ("web".to_owned(), Origin::Local),
                ("a@1.0.0".to_owned(), Origin::Local)
            ]
        );
    }
}
