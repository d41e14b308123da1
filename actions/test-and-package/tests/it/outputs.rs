//! What becomes an output artifact.

use delivery_action::failure::FailureType;
use delivery_archive::{Archive, Entry, Fingerprint, Limits};
use delivery_testing::archives::{FILE, LINK};
use delivery_testing::source::SourceStore;
use test_and_package::TestAndPackage;
use test_case::test_case;

use crate::projects::{manifest, run};

#[tokio::test]
async fn a_file_is_stored_as_it_is_and_a_folder_as_a_zip() {
    let script =
        "mkdir -p dist/site/a; echo page > dist/site/a/index.html; printf {} > dist/api.json";
    let parameters = "task=package&Site=dist/site&Api=dist/api.json";
    let (store, ended) = run(
        &[("package.json", &manifest(script))],
        parameters,
        &["Site", "Api"],
    )
    .await;
    let summary = ended.unwrap().summary;
    assert!(
        summary.ends_with("; Api from `dist/api.json` (2 bytes)"),
        "{summary}"
    );
    assert_eq!(store.output("Api").await.unwrap().body, b"{}");
    let site = store.output_files("Site").await;
    assert_eq!(
        site.into_iter().collect::<Vec<_>>(),
        [("a/index.html".to_owned(), b"page\n".to_vec())]
    );
}

#[tokio::test]
async fn the_artifact_of_a_site_says_what_its_files_are_and_others_do_not() {
    let script = "mkdir -p dist/site/a dist/app; for f in site/index.html site/a/b app/index.js; do echo x > dist/$f; done";
    let (store, ended) = run(
        &[("package.json", &manifest(script))],
        "task=package&Site=dist/site&App=dist/app",
        &["Site", "App"],
    )
    .await;
    ended.unwrap();
    for (output, entries) in [("Site", 2), ("App", 1)] {
        let zip = tempfile::tempdir().unwrap();
        let path = zip.path().join("zip");
        std::fs::write(&path, store.output(output).await.unwrap().body).unwrap();
        let archive = Archive::open(&path, Limits::default()).unwrap();
        let said: Vec<_> = archive.entries().map(Entry::fingerprint).collect();
        let expected = (output == "Site").then(|| Fingerprint::of(b"x\n"));
        assert_eq!(said, vec![expected.as_ref(); entries], "{output}");
    }
}

#[tokio::test]
async fn two_runs_give_the_same_bytes() {
    let script = "mkdir -p dist/b dist/a; echo one > dist/b/x; echo two > dist/a/y";
    let run_once = || async {
        let files = [("package.json", &*manifest(script))];
        let (store, ended) = run(&files, "task=package&Site=dist", &["Site"]).await;
        ended.unwrap();
        store.output("Site").await.unwrap().body
    };
    assert_eq!(run_once().await, run_once().await);
}

#[test_case("task=package", &["Site"], "output artifact `Site` has no path: `UserParameters` has no key `Site`"; "an output without a key")]
#[test_case("task=package&Site=a&Api=b", &["Site"], "`UserParameters` has an unknown key `Api`; known keys are `task`, `runner`, `directory`, `report`, `Env.NAME`, `Site`"; "a key without an output")]
#[test_case("task=package", &["task"], "output artifact `task` has the same name as a parameter of this action"; "an output called as a key")]
#[test_case("task=package&Site=dist", &["Site"], "cannot create output artifact `Site`: `dist` is not in the source"; "a path that is not there")]
#[test_case("task=package&Site=../other", &["Site"], "cannot create output artifact `Site`: `../other` leaves the source"; "a path upwards")]
#[test_case("task=package&Site=%2Fetc%2Fpasswd", &["Site"], "cannot create output artifact `Site`: `/etc/passwd` leaves the source"; "an absolute path")]
#[tokio::test]
async fn an_output_that_cannot_be_made_is_named(parameters: &str, outputs: &[&str], message: &str) {
    let (store, ended) = run(&[("package.json", &manifest("true"))], parameters, outputs).await;
    let failure = ended.unwrap_err();
    assert_eq!(
        (failure.failure_type, failure.cause.as_str()),
        (FailureType::ConfigurationError, message)
    );
    for output in outputs {
        assert_eq!(store.output(output).await, None);
    }
}

#[tokio::test]
async fn a_link_that_a_task_makes_leads_nowhere_else() {
    let manifest = manifest("ln -s /etc out");
    let (_store, ended) = run(
        &[("package.json", &manifest)],
        "task=package&Site=out",
        &["Site"],
    )
    .await;
    assert_eq!(
        ended.unwrap_err().cause,
        "cannot create output artifact `Site`: `out` leaves the source"
    );
}

#[tokio::test]
async fn one_output_that_is_missing_leaves_the_others_unstored() {
    let manifest = manifest("mkdir dist");
    let parameters = "task=package&Site=dist&Api=api.json";
    let (store, ended) = run(&[("package.json", &manifest)], parameters, &["Site", "Api"]).await;
    assert!(
        ended
            .unwrap_err()
            .cause
            .contains("`api.json` is not in the source")
    );
    assert_eq!(store.output("Site").await, None);
}

#[tokio::test]
async fn an_input_that_is_no_zip_is_named() {
    let store = SourceStore::of_bytes(b"no zip".to_vec()).await;
    let action = TestAndPackage::new(&store.s3().config());
    let failure = store
        .run(&action, store.event("task=package"))
        .await
        .unwrap_err();
    assert!(failure.cause.contains("`SourceOutput`"), "{failure:?}");
}

#[tokio::test]
async fn a_link_in_the_source_cannot_lead_the_task_elsewhere() {
    let entries = [
        ("package.json", b"{}".as_slice(), FILE),
        ("web", b"../../..".as_slice(), LINK),
    ];
    let store = SourceStore::of_entries(&entries).await;
    let action = TestAndPackage::new(&store.s3().config());
    let failure = store
        .run(&action, store.event("task=x&directory=web"))
        .await
        .unwrap_err();
    assert!(failure.cause.contains("`web`"), "{failure:?}");
}
