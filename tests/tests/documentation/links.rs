//! Links inside of the repository.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use pipeline_tests::checkout;

use crate::markdown::{Document, documents, read};

#[test]
fn every_link_inside_the_repository_leads_to_a_file_and_a_heading_that_are_there() {
    let documents = documents();
    let mut checked = 0;
    let mut broken = Vec::new();
    for document in &documents {
        for link in document.links.iter().filter(|link| !is_outside(link)) {
            checked += 1;
            if let Err(reason) = follow(document, link) {
                broken.push(format!("{}: `{link}` {reason}", document.path));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(checked > 20, "only {checked} links were found");
    eprintln!(
        "documents: {} with {checked} links inside of the repository",
        documents.len()
    );
}

#[test]
fn the_index_lists_every_page_of_docs() {
    let index = read("docs/README.md");
    let missing: Vec<_> = documents()
        .into_iter()
        .filter_map(|document| document.path.strip_prefix("docs/").map(str::to_owned))
        .filter(|page| page != "README.md" && !page.starts_with("decisions/"))
        .filter(|page| !index.links.contains(page))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/README.md does not list {missing:?}"
    );
}

fn is_outside(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

fn follow(document: &Document, link: &str) -> Result<(), String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        document.path.clone()
    } else {
        let folder = Path::new(&document.path).parent().unwrap();
        normal(&folder.join(path)).ok_or("leaves the repository")?
    };
    if !checkout::root().join(&target).exists() {
        return Err("leads to nothing".to_owned());
    }
    let known: BTreeMap<_, _> = match Path::new(&target).extension() {
        Some(extension) if extension == "md" => read(&target)
            .headings
            .into_iter()
            .map(|heading| (heading.anchor, heading.text))
            .collect(),
        _ => BTreeMap::new(),
    };
    if anchor.is_empty() || known.contains_key(anchor) {
        Ok(())
    } else {
        Err("leads to no heading".to_owned())
    }
}

fn normal(path: &Path) -> Option<String> {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir if !whole.pop() => return None,
            _ => {}
        }
    }
    Some(whole.to_str()?.to_owned())
}
