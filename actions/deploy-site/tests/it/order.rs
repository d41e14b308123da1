//! Wherever the sequence of writes is cut off, the bucket holds a working site.

use std::collections::{BTreeMap, BTreeSet};

use crate::frame::{FIRST, Frame, PARAMETERS, SECOND};

/// What a page refers to, by key.
fn references(page: &str, html: &str) -> Vec<String> {
    let directory = page.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut found = Vec::new();
    for attribute in ["href=", "src="] {
        for after in html.split(attribute).skip(1) {
            let link = after.split(['>', ' ', '"']).next().unwrap_or_default();
            let mut parts: Vec<_> = directory
                .split('/')
                .filter(|part| !part.is_empty())
                .collect();
            for part in link.split('/') {
                if part == ".." {
                    parts.pop();
                } else {
                    parts.push(part);
                }
            }
            found.push(parts.join("/"));
        }
    }
    found
}

/// Every broken reference of a site.
fn broken(site: &BTreeMap<String, String>) -> Vec<String> {
    let pages = site.iter().filter(|(key, _)| key.ends_with("index.html"));
    pages
        .flat_map(|(page, html)| {
            references(page, html)
                .into_iter()
                .map(move |link| (page, link))
        })
        .filter(|(_, link)| !site.contains_key(link))
        .map(|(page, link)| format!("{page} refers to {link}, which is not there"))
        .collect()
}

fn files(release: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut files: BTreeMap<_, _> = release
        .iter()
        .map(|(key, body)| ((*key).to_owned(), (*body).to_owned()))
        .collect();
    files.insert("config.json".to_owned(), String::new());
    files
}

/// Replays the writes of one deployment onto what was there, checking after each; returns how many
/// states were checked.
fn check_every_prefix(
    mut site: BTreeMap<String, String>,
    release: &BTreeMap<String, String>,
    writes: &[String],
) -> usize {
    assert_eq!(broken(&site), Vec::<String>::new());
    for write in writes {
        let (operation, key) = write.split_once(' ').unwrap();
        match operation {
            "PutObject" if key == ".delivery-manifest.json" => {}
            "PutObject" => {
                site.insert(key.to_owned(), release[key].clone());
            }
            "DeleteObject" => {
                site.remove(key);
            }
            other => panic!("unexpected {other}"),
        }
        assert_eq!(broken(&site), Vec::<String>::new(), "after {write}");
    }
    writes.len()
}

#[test]
fn the_check_finds_a_broken_reference() {
    let site = BTreeMap::from([("a/index.html".to_owned(), "<img src=../c.png>".to_owned())]);
    assert_eq!(
        broken(&site),
        ["a/index.html refers to c.png, which is not there"]
    );
}

#[tokio::test]
async fn every_prefix_of_the_writes_is_a_working_site() {
    let frame = Frame::start().await;
    let third: Vec<_> = FIRST
        .iter()
        .copied()
        .filter(|(name, _)| *name != "old.txt")
        .collect();
    let releases = [files(&FIRST), files(&SECOND), files(&third), files(&SECOND)];
    let mut there = BTreeMap::new();
    let mut checked = 0;
    for (number, release) in releases.iter().enumerate() {
        let mut content: Vec<_> = release
            .iter()
            .map(|(key, body)| (key.as_str(), body.as_str()))
            .collect();
        content.retain(|(key, _)| *key != "config.json");
        frame.release(&content).await;
        frame.world.forget_calls();
        frame
            .succeed(&format!("bucket=www&version=v{number}"))
            .await;
        let writes = frame.writes();
        checked += check_every_prefix(there, release, &writes);
        there = frame
            .keys()
            .await
            .into_iter()
            .map(|key| (key, String::new()))
            .collect();
        for (key, body) in &mut there {
            *body = frame.text(key).await;
        }
    }
    println!("{checked} prefixes of the upload sequence are working sites");
    assert!(checked > 25, "{checked}");
}

#[tokio::test]
async fn new_comes_before_replaced_and_config_json_after_all_pages() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    frame.release(&SECOND).await;
    frame.world.forget_calls();
    frame.succeed("bucket=www&version=v2").await;
    let writes = frame.writes();
    let steps = [
        &["PutObject .delivery-manifest.json"][..],
        &["PutObject app.5e6f7a8b.js", "PutObject news.js"],
        &["PutObject style.css"],
        &["PutObject news/index.html"],
        &["PutObject index.html"],
        &["PutObject config.json"],
        &["PutObject .delivery-manifest.json"],
    ];
    let mut rest = writes.as_slice();
    for step in steps {
        let (now, after) = rest.split_at(step.len());
        let now: BTreeSet<_> = now.iter().map(String::as_str).collect();
        assert_eq!(now, step.iter().copied().collect(), "{writes:?}");
        rest = after;
    }
    assert_eq!(rest, Vec::<String>::new());
}
