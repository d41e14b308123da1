//! What came with this program: functions, their packages, and the crates for actions of a user's own.
//!
//! ```text
//! delivery                      this program
//! functions/NAME                what `run` starts on this machine, where that is no Linux
//! packages/ARCHITECTURE/*.zip   what `publish` uploads, and what `run` starts on Linux
//! sdk/CRATE-VERSION             what `new-action` copies
//! ```
//!
//! They lie in the folder of the program. Who installed the program alone, as `cargo binstall` does, has them in a folder of
//! this version in the user's cache.

use std::path::PathBuf;

use crate::args::stack::Architecture;
use crate::checkout;
use crate::state_folder;

/// The version of this program, for which everything in its folder is made.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The page of this version's archives.
pub(crate) const RELEASE: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/releases/tag/v",
    env!("CARGO_PKG_VERSION")
);

/// The folder of the functions.
const FUNCTIONS: &str = "functions";

/// The folder of the packages, with a folder for each architecture in it.
const PACKAGES: &str = "packages";

/// The folder of the crates.
const SDK: &str = "sdk";

/// The folder of this program. One that was started through a link, as npm and Homebrew make them, is looked for behind it.
fn folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let program = program.canonicalize().unwrap_or(program);
    Some(program.parent()?.to_owned())
}

/// The folder of this version in the user's cache. A relative one would be a folder of whatever is delivered, which must not
/// choose the functions.
pub(crate) fn cache() -> Option<PathBuf> {
    let cache = state_folder::cache().join("delivery").join(VERSION);
    cache.is_absolute().then_some(cache)
}

/// Where things may be that came along, the best place first.
fn folders() -> impl Iterator<Item = PathBuf> {
    folder().into_iter().chain(cache())
}

/// Where the functions may be, the best place first; none where cargo builds them: what lies in a checkout may be older than
/// its sources, and cargo knows.
pub(crate) fn functions() -> Vec<PathBuf> {
    if checkout::find().is_some() && crate::preflight::is_on_path("cargo") {
        return Vec::new();
    }
    let is_linux = cfg!(target_os = "linux");
    folders()
        .flat_map(|folder| places(folder, is_linux))
        .collect()
}

fn places(folder: PathBuf, is_linux: bool) -> Vec<PathBuf> {
    let architecture = Architecture::of_this_machine().name();
    let packages = folder.join(PACKAGES).join(architecture);
    let mut places = vec![folder.join(FUNCTIONS)];
    places.extend(is_linux.then_some(packages));
    places.push(folder);
    places
}

/// The packages, if any came with this program.
pub(crate) fn packages() -> Option<PathBuf> {
    came_along(PACKAGES)
}

/// The crates, if they came with this program.
pub(crate) fn sdk() -> Option<PathBuf> {
    came_along(SDK)
}

fn came_along(part: &str) -> Option<PathBuf> {
    let mut parts = folders().map(|folder| folder.join(part));
    parts.find(|part| part.is_dir())
}

/// Where what should have come along is found once it is there: the user's cache, or else the folder of this program.
pub(crate) fn to_fill() -> PathBuf {
    cache().or_else(folder).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_programs_on_linux_only() {
        let names = |is_linux| -> Vec<String> {
            let places = places(PathBuf::from("/opt/delivery"), is_linux);
            let architecture = Architecture::of_this_machine().name();
            places
                .iter()
                .map(|path| path.display().to_string().replace(architecture, "ARCH"))
                .collect()
        };
        assert_eq!(
            names(true),
            [
                "/opt/delivery/functions",
                "/opt/delivery/packages/ARCH",
                "/opt/delivery"
            ]
        );
        assert_eq!(names(false), ["/opt/delivery/functions", "/opt/delivery"]);
    }
}
