//! What came with this program: the functions and their packages, in the folder that it lies in.
//!
//! ```text
//! delivery                      this program
//! functions/NAME                what `run` starts on this machine, where that is no Linux
//! packages/ARCHITECTURE/*.zip   what `publish` uploads, and what `run` starts on Linux
//! ```

use std::path::{Path, PathBuf};

use crate::args::stack::Architecture;

/// The folder of the functions.
const FUNCTIONS: &str = "functions";

/// The folder of the packages, with a folder for each architecture in it.
const PACKAGES: &str = "packages";

/// The folder of this program. One that was started through a link, as npm and Homebrew make them, is looked for behind it.
fn folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let program = program.canonicalize().unwrap_or(program);
    Some(program.parent()?.to_owned())
}

/// Whether this program lies in the checkout that it was built from: what is there may be older than its sources, and cargo
/// knows.
fn is_built_here(folder: &Path) -> bool {
    crate::checkout::find().is_some_and(|checkout| {
        let checkout = checkout.canonicalize().unwrap_or(checkout);
        folder.starts_with(checkout)
    })
}

/// Where the functions may be, the best place first; none where cargo builds them.
pub(crate) fn functions() -> Vec<PathBuf> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    if is_built_here(&folder) && crate::preflight::is_on_path("cargo") {
        return Vec::new();
    }
    places(folder, cfg!(target_os = "linux"))
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
    let packages = folder()?.join(PACKAGES);
    packages.is_dir().then_some(packages)
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
