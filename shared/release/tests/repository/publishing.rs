//! What is written when, and what is not.

use delivery_release::environment::Action;
use delivery_release::repository::{Counts, Publisher, Put, Verification, layout};

use crate::world::{BUCKET, World, at, provenance, request};

#[tokio::test]
async fn a_release_is_its_blobs_its_index_and_its_manifest_last() {
    let world = World::start().await;
    let published = world.publish("a").await;
    assert_eq!(published.manifest, Put::Written);
    // Twenty functions, the template and the configuration.
    assert_eq!(
        published.blobs,
        Counts {
            written: 22,
            unchanged: 0
        }
    );
    let keys: Vec<_> = world.bucket.snapshot().await.into_keys().collect();
    let of_blobs = keys.iter().filter(|key| key.starts_with("blobs/sha256/"));
    assert_eq!(of_blobs.count(), 22);
    let id = &published.release;
    let others: Vec<_> = keys
        .iter()
        .filter(|key| !key.starts_with("blobs/"))
        .collect();
    let mut expected = [
        &layout::manifest(id),
        &layout::provenance(id, "a"),
        &layout::by_time(at(0), id),
    ];
    expected.sort();
    assert_eq!(others, expected);
}

#[tokio::test]
async fn the_same_content_again_writes_nothing() {
    let world = World::start().await;
    let first = world.publish("a").await;
    let before = world.bucket.snapshot().await;
    let again = world.publish("a").await;
    assert_eq!(again.release, first.release);
    assert_eq!(again.manifest, Put::Unchanged);
    assert_eq!(
        again.blobs,
        Counts {
            written: 0,
            unchanged: 22
        }
    );
    assert_eq!(world.bucket.snapshot().await, before);
}

#[tokio::test]
async fn one_changed_function_of_twenty_is_one_blob_and_one_manifest() {
    let world = World::start().await;
    world.publish("a").await;
    let changed = world.publish("b").await;
    assert_eq!(changed.manifest, Put::Written);
    assert_eq!(
        changed.blobs,
        Counts {
            written: 1,
            unchanged: 21
        }
    );
}

#[tokio::test]
async fn two_who_publish_the_same_at_once_are_both_done() {
    let world = World::start().await;
    let (one, other) = tokio::join!(world.publish("a"), world.publish("a"));
    assert_eq!(one.release, other.release);
    assert_eq!(one.blobs.written + other.blobs.written, 22);
    let listed = world.repository.releases().await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn what_was_published_halfway_is_no_release_and_is_completed() {
    let world = World::start().await;
    let published = world.publish("a").await;
    world
        .bucket
        .delete(&layout::manifest(&published.release))
        .await;
    assert_eq!(world.repository.releases().await.unwrap(), []);
    let again = world.publish("a").await;
    assert_eq!((again.manifest, again.blobs.written), (Put::Written, 0));
    assert_eq!(world.repository.releases().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_is_the_same_blob_as_its_bytes() {
    let world = World::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "code").unwrap();
    let mut publisher = Publisher::new(&world.repository);
    let of_file = publisher.put_file(file.path()).await.unwrap();
    let mut publisher = Publisher::new(&world.repository);
    assert_eq!(publisher.put_bytes(b"code").await.unwrap(), of_file);
    let key = layout::blob(&of_file.sha256);
    assert_eq!(world.s3.read(BUCKET, &key).unwrap(), b"code");
    assert_eq!(
        world.repository.blob(&of_file.sha256).await.unwrap(),
        b"code"
    );
}

#[tokio::test]
async fn a_release_is_verified_once_in_each_environment() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let record = world.deploy("int", &release).await;
    let int = world.environment("int");
    let mark = Verification::new(record.deployment.id.clone(), "e1", at(300));
    let repository = &world.repository;
    assert_eq!(
        repository.verification(&release, int.name()).await.unwrap(),
        None
    );
    let put = repository
        .verify(&release, int.name(), &mark)
        .await
        .unwrap();
    assert_eq!(put, Put::Written);
    let later = Verification::new(record.deployment.id, "e2", at(600));
    let put = repository
        .verify(&release, int.name(), &later)
        .await
        .unwrap();
    assert_eq!(put, Put::Unchanged);
    let found = repository.verification(&release, int.name()).await.unwrap();
    assert_eq!(found, Some(mark));
    let listed = repository.releases().await.unwrap();
    assert_eq!(listed[0].verified, ["int"]);
    assert_eq!(listed[0].published, Some(at(0)));
}

#[tokio::test]
async fn what_other_pipelines_delivered_stays_in_an_environment() {
    let world = World::start().await;
    let publish = async |service: &str, other: &str| {
        let mut publisher = Publisher::new(&world.repository);
        let mut manifest = world.manifest(service, &mut publisher).await;
        let entry = manifest.services.remove("api").unwrap();
        manifest.services.insert(service.to_owned(), entry);
        manifest.elsewhere.insert(other.to_owned());
        let provenance = provenance(service);
        publisher
            .publish(&manifest, &provenance, at(0))
            .await
            .unwrap()
            .release
    };
    let tasks = publish("tasks", "users").await;
    let users = publish("users", "tasks").await;
    world.deploy("int", &tasks).await;
    let record = world.deploy("int", &users).await;
    let to = record.deployment.to.unwrap().release;
    let there = world.repository.manifest(&to).await.unwrap();
    assert_eq!(
        there.services.keys().collect::<Vec<_>>(),
        ["tasks", "users"]
    );
    assert_eq!(there.combined["tasks"], tasks);
    assert_eq!(there.source.revision, "commit of users");
    // A promotion takes the whole, as it is.
    let action = Action::Promote {
        release: to.clone(),
        from: "int".to_owned(),
    };
    let record = world.run("prd", &request("promotion", action)).await;
    assert_eq!(record.deployment.to.unwrap().release, to);
}
