//! What is installed, and how.

use crate::projects::{LOCK, MANIFEST, plain, run};

#[tokio::test]
async fn the_source_comes_out_with_what_the_lock_file_says() {
    let files = [
        ("package.json", MANIFEST),
        ("package-lock.json", LOCK),
        ("src/a.js", "a"),
    ];
    let (store, ended) = run(&files, "").await;
    insta::assert_snapshot!(plain(&ended.unwrap().summary), @"npm ci: added 1 package in X (npm X, Node.js X), 1 MiB");
    let output = store.output_files("SourceInstalledOutput").await;
    assert_eq!(output["src/a.js"], b"a");
    assert_eq!(output["package-lock.json"], LOCK.as_bytes());
    assert!(output.contains_key("node_modules/is-number/package.json"));
}

#[tokio::test]
async fn the_same_lock_file_gives_the_same_bytes() {
    let files = [("package.json", MANIFEST), ("package-lock.json", LOCK)];
    let (one, first) = run(&files, "").await;
    let (two, second) = run(&files, "subcommand=ci").await;
    first.unwrap();
    second.unwrap();
    let name = "SourceInstalledOutput";
    assert_eq!(
        one.output(name).await.unwrap().body,
        two.output(name).await.unwrap().body
    );
}

#[tokio::test]
async fn without_a_lock_file_npm_chooses_and_the_summary_says_so() {
    let (store, ended) = run(&[("package.json", MANIFEST)], "").await;
    insta::assert_snapshot!(plain(&ended.unwrap().summary), @"npm install: added 1 package in X (npm X, Node.js X), 1 MiB; no lock file, so each run may install different versions");
    let output = store.output_files("SourceInstalledOutput").await;
    assert!(output.contains_key("node_modules/is-number/index.js"));
}

#[tokio::test]
async fn a_package_of_a_monorepo_is_installed_where_it_lies() {
    let files = [
        ("web/package.json", MANIFEST),
        ("web/package-lock.json", LOCK),
        ("api/package.json", "{}"),
    ];
    let (store, ended) = run(&files, "directory=web").await;
    ended.unwrap();
    let output = store.output_files("SourceInstalledOutput").await;
    assert!(output.contains_key("web/node_modules/is-number/package.json"));
    assert!(output.contains_key("api/package.json"));
}

#[tokio::test]
async fn development_dependencies_are_left_out_where_asked() {
    let manifest = MANIFEST.replace("dependencies", "devDependencies");
    let lock = LOCK
        .replace("\"dependencies\": {", "\"devDependencies\": {")
        .replace(
            "\"version\": \"7.0.0\",",
            "\"version\": \"7.0.0\", \"dev\": true,",
        );
    let files = [
        ("package.json", manifest.as_str()),
        ("package-lock.json", lock.as_str()),
    ];
    let (store, ended) = run(&files, "omit=dev").await;
    ended.unwrap();
    let output = store.output_files("SourceInstalledOutput").await;
    assert!(
        !output
            .keys()
            .any(|name| name.starts_with("node_modules/is-number")),
        "{output:?}"
    );
}

/// A project whose own install script shows its environment.
const SCRIPTED: &str =
    r#"{"name": "app", "version": "1.0.0", "scripts": {"postinstall": "env > shown; echo $MINE"}}"#;

#[tokio::test]
async fn install_scripts_do_not_run_unless_they_are_asked_for() {
    let (store, ended) = run(&[("package.json", SCRIPTED)], "").await;
    assert!(
        !store
            .output_files("SourceInstalledOutput")
            .await
            .contains_key("shown")
    );
    let summary = ended.unwrap().summary;
    assert!(
        summary.ends_with(
            "; install scripts not run: the project's own `postinstall` (`ignore-scripts=false` runs them)"
        ),
        "{summary}"
    );
}

#[tokio::test]
async fn an_install_script_sees_the_users_variables_and_none_of_the_functions() {
    let parameters = "ignore-scripts=false&Env.MINE=mine";
    let (store, ended) = run(&[("package.json", SCRIPTED)], parameters).await;
    ended.unwrap();
    let output = store.output_files("SourceInstalledOutput").await;
    let shown = String::from_utf8_lossy(&output["shown"]).into_owned();
    assert!(shown.lines().any(|line| line == "MINE=mine"), "{shown}");
    // What npm adds itself begins with `npm_`; the rest is counted out.
    let mut names: Vec<_> = shown
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("npm_"))
        // Who runs the tests may have them, and the function hands them on.
        .filter(|name| *name != delivery_node::project::CERTIFICATES)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "CI", "COLOR", "EDITOR", "HOME", "INIT_CWD", "LANG", "MINE", "NODE", "PATH", "PWD",
            "TMPDIR"
        ]
    );
}

#[tokio::test]
async fn packages_whose_scripts_were_not_run_are_named() {
    let lock = LOCK.replace("\"license\": \"MIT\",", "\"hasInstallScript\": true,");
    let files = [
        ("package.json", MANIFEST),
        ("package-lock.json", lock.as_str()),
    ];
    let (_store, ended) = run(&files, "").await;
    let summary = ended.unwrap().summary;
    assert!(
        summary
            .ends_with("; install scripts not run: is-number (`ignore-scripts=false` runs them)"),
        "{summary}"
    );
}

#[tokio::test]
async fn workspaces_are_linked_and_come_out_as_links() {
    let root = r#"{"name": "root", "private": true, "workspaces": ["packages/*"]}"#;
    let lock = r#"{"name": "root", "lockfileVersion": 3, "requires": true, "packages": {
        "": {"name": "root", "workspaces": ["packages/*"]},
        "node_modules/a": {"resolved": "packages/a", "link": true},
        "packages/a": {"version": "1.0.0"}}}"#;
    let files = [
        ("package.json", root),
        ("package-lock.json", lock),
        (
            "packages/a/package.json",
            r#"{"name": "a", "version": "1.0.0"}"#,
        ),
    ];
    let (store, ended) = run(&files, "").await;
    ended.unwrap();
    assert_eq!(
        store.output_files("SourceInstalledOutput").await["node_modules/a"],
        b"../packages/a"
    );
}

#[tokio::test]
async fn what_should_be_known_of_the_source_is_in_the_summary() {
    let files = [
        ("package.json", r#"{"name": "app"}"#),
        (".gitmodules", "[submodule \"styles\"]\n\tpath = styles\n"),
        (
            ".gitattributes",
            "*.png filter=lfs diff=lfs merge=lfs -text\n",
        ),
    ];
    let (_store, ended) = run(&files, "").await;
    let summary = ended.unwrap().summary;
    assert!(
        summary.ends_with(
            "; the files of the submodule `styles` are not delivered: CodePipeline's source artifact does not include them; \
             `*.png` is kept in Git LFS: CodePipeline's source artifact contains pointers instead of these files"
        ),
        "{summary}"
    );
}
