//! Local sources.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use local::engine::ChangeState;
use local::source::{Source, SourceError, Uncommitted};
use serde_json::json;

use crate::test_engine::{TestEngine, commit, git, lambda_action, pipeline, repository};

fn files(zip: &[u8]) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        if !file.is_dir() {
            let name = file.name().unwrap().into_owned();
            let mut content = String::new();
            file.read_to_string(&mut content).unwrap();
            files.insert(name, content);
        }
    }
    files
}

#[tokio::test]
async fn a_repository_gives_what_is_committed_without_git_itself() {
    let folder = repository();
    fs::write(folder.path().join("index.html"), "not committed").unwrap();
    let source = Source::open(folder.path()).await.unwrap();
    assert_eq!(source.branch().await.unwrap(), "main");
    let archive = source.fetch("main", None).await.unwrap();
    assert_eq!(
        archive.revision.id,
        git(folder.path(), &["rev-parse", "HEAD"])
    );
    assert_eq!(archive.revision.message, "First commit\n\nwith a body");
    assert_eq!(archive.revision.author_date, "2026-11-20T08:00:00Z");
    let zip = fs::read(archive.file.path()).unwrap();
    assert_eq!(
        files(&zip),
        BTreeMap::from([("index.html".to_owned(), "one".to_owned())])
    );
}

#[tokio::test]
async fn a_folder_of_a_repository_is_the_root_of_its_archive() {
    let folder = repository();
    let application = folder.path().join("examples/app");
    fs::create_dir_all(&application).unwrap();
    fs::write(application.join("package.json"), "{}").unwrap();
    commit(folder.path(), "app");
    let source = Source::open(&application).await.unwrap();
    let archive = source.fetch("main", None).await.unwrap();
    let zip = fs::read(archive.file.path()).unwrap();
    assert_eq!(
        files(&zip),
        BTreeMap::from([("package.json".to_owned(), "{}".to_owned())])
    );
    let archive = source.whole_repository().fetch("main", None).await.unwrap();
    let zip = fs::read(archive.file.path()).unwrap();
    assert_eq!(
        files(&zip).into_keys().collect::<Vec<_>>(),
        ["examples/app/package.json", "index.html"]
    );
}

#[tokio::test]
async fn the_paths_that_differ_between_commits_are_those_of_the_folder() {
    let folder = repository();
    let application = folder.path().join("examples/app");
    fs::create_dir_all(application.join("old place")).unwrap();
    fs::write(application.join("old place/é.json"), "{}").unwrap();
    commit(folder.path(), "app");
    let before = git(folder.path(), &["rev-parse", "HEAD"]);
    fs::rename(application.join("old place"), application.join("new")).unwrap();
    fs::write(folder.path().join("index.html"), "two").unwrap();
    commit(folder.path(), "move");
    let after = git(folder.path(), &["rev-parse", "HEAD"]);

    let source = Source::open(&application).await.unwrap();
    let changed = source.changed(&before, &after).await.unwrap().unwrap();
    assert_eq!(changed, ["new/é.json", "old place/é.json"]);
    let whole = source.whole_repository();
    let changed = whole.changed(&before, &after).await.unwrap().unwrap();
    assert_eq!(changed.len(), 3);
    assert!(whole.changed(&"0".repeat(40), &after).await.is_err());
}

#[tokio::test]
async fn a_folder_without_git_gives_what_is_not_ignored() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".gitignore"), "node_modules/\n").unwrap();
    fs::create_dir(folder.path().join("node_modules")).unwrap();
    fs::write(folder.path().join("node_modules/large.js"), "large").unwrap();
    fs::write(folder.path().join("index.html"), "one").unwrap();
    std::os::unix::fs::symlink("index.html", folder.path().join("home.html")).unwrap();
    let source = Source::open(folder.path()).await.unwrap();
    assert_eq!(source, Source::Folder(folder.path().to_owned()));
    let first = source.fetch("main", None).await.unwrap();
    let zip = fs::read(first.file.path()).unwrap();
    assert_eq!(
        files(&zip).into_keys().collect::<Vec<_>>(),
        [".gitignore", "home.html", "index.html"]
    );
    assert_eq!(
        files(&zip)["home.html"],
        "index.html",
        "a link stays a link"
    );
    assert_eq!(source.revision("main").await.unwrap().id, first.revision.id);
    fs::write(folder.path().join("index.html"), "two").unwrap();
    assert_ne!(source.revision("main").await.unwrap().id, first.revision.id);
    let error = source.fetch("main", Some("abc")).await.unwrap_err();
    assert!(
        matches!(error, SourceError::NotARepository { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_is_a_repository_s_where_a_commit_has_it() {
    let repository = repository();
    let root = repository.path().canonicalize().unwrap();
    fs::create_dir(root.join("new")).unwrap();
    let new = Source::open(&root.join("new")).await.unwrap();
    assert_eq!(new, Source::Folder(root.join("new")));

    let folder = tempfile::tempdir().unwrap();
    let plain = Source::Folder(folder.path().to_owned());
    fs::create_dir(folder.path().join(".git")).unwrap();
    let opened = Source::open(folder.path()).await.unwrap();
    assert_eq!(opened, plain, "an empty folder is nothing");
    git(folder.path(), &["init", "--quiet"]);
    let opened = Source::open(folder.path()).await.unwrap();
    assert_eq!(opened, plain, "nobody has committed");
}

/// Git refuses each, in other words each time; none is delivered as a plain folder.
#[tokio::test]
async fn a_repository_that_git_refuses_is_an_error_with_its_words() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("not a git repository", |git| {
            fs::write(git.join("HEAD"), "garbage").unwrap();
        }),
        ("bad object", |git| {
            fs::remove_dir_all(git.join("objects")).unwrap();
            fs::create_dir(git.join("objects")).unwrap();
        }),
        ("appears to be broken", |git| {
            fs::write(git.join("refs/heads/main"), "no id").unwrap();
        }),
        ("bad config", |git| {
            fs::write(git.join("config"), "[core\n").unwrap();
        }),
    ];
    for (words, damage) in damages {
        let repository = repository();
        damage(&repository.path().join(".git"));
        let error = Source::open(repository.path()).await.unwrap_err();
        let SourceError::Git { message, .. } = error else {
            panic!("{error:?}")
        };
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[tokio::test]
async fn what_is_not_committed_is_counted() {
    let repository = repository();
    let root = repository.path();
    fs::create_dir(root.join("app")).unwrap();
    fs::write(root.join("app/index.js"), "1").unwrap();
    commit(root, "app");
    let count = async |folder: &Path| {
        let source = Source::open(folder).await.unwrap();
        source.uncommitted(&[]).await.unwrap()
    };
    assert_eq!(count(root).await, Uncommitted::default());
    fs::write(root.join("app/index.js"), "2").unwrap();
    fs::write(root.join("app/new.js"), "2").unwrap();
    fs::write(root.join("other.js"), "2").unwrap();
    fs::write(root.join(".gitignore"), "dist\n").unwrap();
    fs::write(root.join("dist"), "2").unwrap();
    let uncommitted = |changed, untracked| Uncommitted {
        changed,
        untracked,
        only: None,
    };
    assert_eq!(count(root).await, uncommitted(1, 3));
    assert_eq!(count(&root.join("app")).await, uncommitted(1, 1));

    let source = Source::open(root).await.unwrap();
    let except = ["app", "other.js"].map(Path::new);
    let only = source.uncommitted(&except).await.unwrap();
    assert_eq!((only.changed, only.untracked), (0, 1));
    assert_eq!(only.only.as_deref(), Some(".gitignore"));
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let folder = repository();
    let source = Source::open(folder.path()).await.unwrap();
    let error = source.fetch("release", None).await.unwrap_err().to_string();
    assert!(error.ends_with("has no branch `release`"), "{error}");
    for commit in [
        "0123456789abcdef0123456789abcdef01234567",
        "--output=/tmp/x",
        "main",
    ] {
        let error = source
            .fetch("main", Some(commit))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with(&format!("has no commit `{commit}`")),
            "{error}"
        );
    }
    let error = Source::open(&folder.path().join("nowhere"))
        .await
        .unwrap_err();
    assert!(matches!(error, SourceError::NoFolder { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_branch_fails_the_source_action_with_a_hint() {
    let mut engine = TestEngine::start().await;
    let mut declaration = pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]);
    declaration["stages"][0]["actions"][0]["configuration"]["BranchName"] = json!("release");
    engine.create(&declaration).await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    engine.until_pipeline(&id, ChangeState::Failed).await;
    let error =
        engine.actions("p", &id).await[0]["output"]["executionResult"]["errorDetails"].clone();
    assert_eq!(error["code"], "RevisionUnavailable");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("has no branch `release`\nhint: commit something"),
        "{message}"
    );
}
