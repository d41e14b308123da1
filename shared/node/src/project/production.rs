//! The packages that a project needs in production, as they lie in `node_modules`.
//!
//! Node.js's own way to find a package is followed from `package.json`, so the layout does not matter: npm's and
//! Yarn's, where packages lie side by side, and pnpm's, where each lies next to links to what it needs.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Project;
use super::files::Folder;
use super::manifest::Manifest;

/// The folder of packages.
const MODULES: &str = "node_modules";

/// The packages of a project that production needs.
#[derive(Debug, Default)]
pub struct Production {
    /// Where they lie: links to them, too.
    paths: BTreeSet<PathBuf>,
    names: BTreeSet<(String, PathBuf)>,
}

impl Production {
    /// Finds those of the project's directory; what is not installed is left out.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        let mut found = Self::default();
        let mut seen = BTreeSet::new();
        let mut from = vec![project.directory().to_owned()];
        while let Some(package) = from.pop() {
            let Ok(manifest) = Manifest::read(&Folder(&package), "") else {
                continue;
            };
            for (name, _) in manifest.production_dependencies() {
                let Some(path) = resolve(&package, name, project.source()) else {
                    continue;
                };
                found.names.insert((name.to_owned(), path.clone()));
                let Ok(target) = path.canonicalize() else {
                    continue;
                };
                found.paths.insert(path);
                if target.starts_with(project.source()) && seen.insert(target.clone()) {
                    found.paths.insert(target.clone());
                    from.push(target);
                }
            }
        }
        found
    }

    /// The names of packages that do not lie below a folder.
    #[must_use]
    pub fn outside_of(&self, folder: &Path) -> BTreeSet<&str> {
        self.names
            .iter()
            .filter(|(_, path)| !path.starts_with(folder))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Removes all others from the `node_modules` of the project's directory, and of the folders above it up to `top`.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if something cannot be removed.
    pub fn prune(&self, project: &Project, top: &Path) -> io::Result<()> {
        let folders = project
            .ancestors()
            .take_while(|folder| folder.starts_with(top));
        for modules in folders.map(|folder| folder.join(MODULES)) {
            let is_directory = modules.symlink_metadata().is_ok_and(|meta| meta.is_dir());
            if is_directory {
                self.prune_folder(&modules)?;
            }
        }
        Ok(())
    }

    fn prune_folder(&self, folder: &Path) -> io::Result<()> {
        for entry in folder.read_dir()? {
            let entry = entry?;
            let (path, is_directory) = (entry.path(), entry.file_type()?.is_dir());
            if self.paths.contains(&path) {
                let own = path.join(MODULES);
                if is_directory && own.is_dir() {
                    self.prune_folder(&own)?;
                }
            } else if self.has_below(&path) {
                self.prune_folder(&path)?;
            } else if is_directory {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Paths are in order, so what lies below one comes right after it.
    fn has_below(&self, path: &Path) -> bool {
        let next = self.paths.range(path.to_owned()..).next();
        next.is_some_and(|next| next.starts_with(path))
    }
}

/// Where Node.js finds a package: in the nearest `node_modules`, up to the source.
fn resolve(from: &Path, name: &str, source: &Path) -> Option<PathBuf> {
    from.ancestors()
        .take_while(|folder| folder.starts_with(source))
        .filter(|folder| !folder.ends_with(MODULES))
        .map(|folder| folder.join(MODULES).join(name))
        .find(|path| path.symlink_metadata().is_ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A package with these dependencies.
    fn package(at: &Path, manifest: &str) {
        fs::create_dir_all(at).unwrap();
        fs::write(at.join("package.json"), manifest).unwrap();
    }

    fn left(root: &Path) -> Vec<String> {
        let mut left: Vec<String> = walkdir::WalkDir::new(root)
            .into_iter()
            .map(|entry| entry.unwrap())
            .filter(|entry| !entry.file_type().is_dir())
            .map(|entry| {
                entry
                    .path()
                    .strip_prefix(root)
                    .unwrap()
                    .display()
                    .to_string()
            })
            .collect();
        left.sort_unstable();
        left
    }

    const ROOT: &str = r#"{"dependencies": {"a": "1", "gone": "1"}, "optionalDependencies": {"@s/o": "1"}, "devDependencies": {"d": "1"}}"#;

    #[test]
    fn packages_side_by_side_are_followed() {
        let root = tempfile::tempdir().unwrap();
        let modules = root.path().join("node_modules");
        package(root.path(), ROOT);
        package(
            &modules.join("a"),
            r#"{"dependencies": {"b": "1"}, "devDependencies": {"d": "1"}}"#,
        );
        package(
            &modules.join("a/node_modules/b"),
            r#"{"peerDependencies": {"c": "1"}}"#,
        );
        package(&modules.join("a/node_modules/unused"), "{}");
        package(&modules.join("b"), "{}");
        package(&modules.join("c"), r#"{"dependencies": {"a": "1"}}"#);
        package(&modules.join("d"), "{}");
        package(&modules.join("@s/o"), "{}");
        package(&modules.join("@s/d"), "{}");
        package(&modules.join(".bin"), "{}");
        let project = Project::open(root.path(), ".").unwrap();
        Production::of(&project)
            .prune(&project, project.source())
            .unwrap();
        assert_eq!(
            left(root.path()),
            [
                "node_modules/@s/o/package.json",
                "node_modules/a/node_modules/b/package.json",
                "node_modules/a/package.json",
                "node_modules/c/package.json",
                "package.json",
            ]
        );
    }

    #[test]
    fn links_of_pnpm_are_followed() {
        let root = tempfile::tempdir().unwrap();
        let modules = root.path().join("node_modules");
        package(root.path(), ROOT);
        let store = modules.join(".pnpm");
        package(
            &store.join("a@1/node_modules/a"),
            r#"{"dependencies": {"b": "1"}}"#,
        );
        package(&store.join("b@1/node_modules/b"), "{}");
        package(&store.join("d@1/node_modules/d"), "{}");
        symlink(".pnpm/a@1/node_modules/a", modules.join("a")).unwrap();
        symlink(".pnpm/d@1/node_modules/d", modules.join("d")).unwrap();
        symlink("../../b@1/node_modules/b", store.join("a@1/node_modules/b")).unwrap();
        let project = Project::open(root.path(), ".").unwrap();
        Production::of(&project)
            .prune(&project, project.source())
            .unwrap();
        assert_eq!(
            left(root.path()),
            [
                "node_modules/.pnpm/a@1/node_modules/a/package.json",
                "node_modules/.pnpm/a@1/node_modules/b",
                "node_modules/.pnpm/b@1/node_modules/b/package.json",
                "node_modules/a",
                "package.json",
            ]
        );
    }

    #[test]
    fn packages_of_a_folder_above_are_named() {
        let root = tempfile::tempdir().unwrap();
        package(&root.path().join("web"), ROOT);
        package(&root.path().join("node_modules/a"), "{}");
        package(&root.path().join("web/node_modules/@s/o"), "{}");
        let project = Project::open(root.path(), "web").unwrap();
        let found = Production::of(&project);
        let names: Vec<_> = found.outside_of(project.directory()).into_iter().collect();
        assert_eq!(names, ["a"]);
    }
}
