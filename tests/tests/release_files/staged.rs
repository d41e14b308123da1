//! What scripts/release stages, from the programs of this build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::packages::FUNCTIONS;
use pipeline_tests::{checkout, sdk};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The platform that these tests call their own: the programs are those of the C library of this machine.
pub(crate) const HERE: &str = if cfg!(target_os = "macos") {
    if cfg!(target_arch = "aarch64") {
        "aarch64-apple-darwin"
    } else {
        "x86_64-apple-darwin"
    }
} else if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-musl"
} else {
    "x86_64-unknown-linux-musl"
};

/// A platform that is not this one.
pub(crate) const ELSEWHERE: &str = if cfg!(target_os = "macos") {
    "x86_64-unknown-linux-musl"
} else {
    "aarch64-apple-darwin"
};

/// Lambda's word for this machine's architecture.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x86_64"
};

/// Zips each folder of `sys.argv[2:]` into a package beside it. Quickly: they are fetched once.
const ZIP: &str = r#"
import os, sys, zipfile
for name in sys.argv[2:]:
    with zipfile.ZipFile(os.path.join(sys.argv[1], name + ".zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(os.path.join(sys.argv[1], name), "bootstrap")
    os.remove(os.path.join(sys.argv[1], name))
"#;

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{printed}\n{said}");
    printed
}

/// A folder with `delivery`, the functions' packages and the crates: without what is for debuggers, which is most of them.
pub(crate) fn of_this_build(folder: &Path) -> PathBuf {
    let staged = folder.join(format!("delivery-{VERSION}-{HERE}"));
    let packages = staged.join("packages").join(ARCHITECTURE);
    fs::create_dir_all(&packages).unwrap();
    let strip = |name: &str, target: &Path| {
        let mut command = Command::new("strip");
        command.arg("-o").arg(target);
        run(command.arg(checkout::programs().join(name)));
    };
    strip("delivery", &staged.join("delivery"));
    for name in FUNCTIONS {
        strip(name, &packages.join(name));
    }
    let mut command = Command::new("python3");
    command.args(["-c", ZIP]).arg(&packages).args(FUNCTIONS);
    run(&mut command);
    let crates = staged.join("sdk");
    fs::create_dir(&crates).unwrap();
    sdk::package(&crates).unwrap();
    staged
}

/// A folder of another platform, whose program is none.
pub(crate) fn stub(folder: &Path, target: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let staged = folder.join(format!("delivery-{VERSION}-{target}"));
    fs::create_dir_all(staged.join("packages/arm64")).unwrap();
    fs::write(staged.join("packages/arm64/e2e.zip"), "a package").unwrap();
    let program = staged.join("delivery");
    fs::write(&program, "a program").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    staged
}

/// Runs scripts/pack-release.
pub(crate) fn pack(out: &Path, staged: &[PathBuf], sbom: Option<&Path>) {
    let mut command = packing(out, staged);
    if let Some(sbom) = sbom {
        command.arg("--sbom").arg(sbom);
    }
    run(&mut command);
}

/// The command that packs staged folders.
pub(crate) fn packing(out: &Path, staged: &[PathBuf]) -> Command {
    let mut command = Command::new(checkout::root().join("scripts/pack-release"));
    command.env("SOURCE_DATE_EPOCH", "1795837882");
    command.args(["--version", VERSION, "--commit", "0123456789abcdef"]);
    command.arg("--out").arg(out).args(staged);
    command
}
