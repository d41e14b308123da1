//! The files of an artifact as a web server would see them: symbolic links followed, nothing extracted.

use std::collections::BTreeMap;
use std::ops::Bound;

use delivery_archive::{Archive, Kind};

/// Most links that one link may lead through (Linux's own limit, `MAXSYMLINKS`).
const MAX_LINK_HOPS: u32 = 40;

/// Most files of a site: as many as an archive may have entries. Links to directories that hold
/// links to directories could multiply without end.
const MAX_FILES: usize = 100_000;

/// An entry of the archive, for following links.
#[derive(Clone, Copy, Debug)]
enum Node<'a> {
    /// A file, by its index among the entries.
    File(usize),
    Directory,
    Link(&'a str),
}

/// A link that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenLink {
    /// Its path.
    pub(crate) path: String,
}

/// All files by the path under which they are served, each with its index among the archive's entries. A
/// link to a file is served as that file, a link to a directory as everything below that directory. The site is what
/// is below `directory`, which is empty or ends in `/`.
pub(crate) fn files(
    archive: &Archive,
    directory: &str,
) -> Result<BTreeMap<String, usize>, BrokenLink> {
    let mut nodes = BTreeMap::new();
    for (place, entry) in archive.entries().enumerate() {
        match entry.kind() {
            Kind::File { .. } => nodes.insert(entry.path(), Node::File(place)),
            Kind::Directory => nodes.insert(entry.path(), Node::Directory),
            Kind::Link => None,
        };
    }
    nodes.extend(
        archive
            .links()
            .map(|(entry, target)| (entry.path(), Node::Link(target))),
    );
    let mut walk = Walk {
        nodes: &nodes,
        through: Vec::new(),
        files: BTreeMap::new(),
    };
    walk.add(directory, "")?;
    Ok(walk.files)
}

struct Walk<'a> {
    nodes: &'a BTreeMap<&'a str, Node<'a>>,
    /// The links to directories that were followed to get here.
    through: Vec<&'a str>,
    files: BTreeMap<String, usize>,
}

impl<'a> Walk<'a> {
    /// Adds what is below a directory (empty, or ending in `/`) as if it were below another one.
    fn add(&mut self, directory: &str, shown: &str) -> Result<(), BrokenLink> {
        let nodes = self.nodes;
        let below = nodes
            .range::<str, _>((Bound::Included(directory), Bound::Unbounded))
            .take_while(|(path, _)| path.starts_with(directory));
        for (&path, &node) in below {
            let served = format!("{shown}{}", &path[directory.len()..]);
            match node {
                Node::File(place) => self.insert(served, place)?,
                Node::Link(_) => self.follow(path, served)?,
                Node::Directory => {}
            }
        }
        Ok(())
    }

    fn follow(&mut self, link: &'a str, served: String) -> Result<(), BrokenLink> {
        let broken = |path| BrokenLink { path };
        let Some(target) = self.target(link) else {
            return Err(broken(served));
        };
        if let Some(Node::File(place)) = self.nodes.get(target.as_str()) {
            return self.insert(served, *place);
        }
        let directory = if target.is_empty() {
            target
        } else {
            target + "/"
        };
        self.through.push(link);
        // A link to a directory that holds the link itself, or one on the way to it, would never end.
        if self.through.iter().any(|link| link.starts_with(&directory)) {
            return Err(broken(served));
        }
        self.add(&directory, &format!("{served}/"))?;
        self.through.pop();
        Ok(())
    }

    fn insert(&mut self, served: String, place: usize) -> Result<(), BrokenLink> {
        if self.files.len() == MAX_FILES {
            return Err(BrokenLink { path: served });
        }
        self.files.insert(served, place);
        Ok(())
    }

    /// The path of the file or directory that a link leads to in the end; `None` if there is nothing. The
    /// archive was checked: no link leads out of it.
    fn target(&self, link: &'a str) -> Option<String> {
        let mut at: Vec<&str> = link.split('/').collect();
        let mut pending = vec![at.pop()?];
        let mut hops = 0;
        while let Some(part) = pending.pop() {
            match part {
                "" | "." => continue,
                ".." => {
                    at.pop()?;
                    continue;
                }
                _ => at.push(part),
            }
            let path = at.join("/");
            match self.nodes.get(path.as_str()) {
                Some(Node::Link(target)) => {
                    hops += 1;
                    if hops > MAX_LINK_HOPS {
                        return None;
                    }
                    at.pop();
                    pending.extend(target.split('/').rev());
                }
                Some(Node::File(_)) if !pending.is_empty() => return None,
                Some(Node::File(_) | Node::Directory) => {}
                None if self.is_implied_directory(&path) => {}
                None => return None,
            }
        }
        Some(at.join("/"))
    }

    /// Whether a path is a directory without an entry of its own, implied by the files below it.
    fn is_implied_directory(&self, path: &str) -> bool {
        let directory = format!("{path}/");
        let from = (Bound::Included(directory.as_str()), Bound::Unbounded);
        let next = self.nodes.range::<str, _>(from).next();
        next.is_some_and(|(below, _)| below.starts_with(&directory))
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    /// A tree of files, and of links written as `path -> target`.
    fn served(tree: &[&'static str]) -> Result<Vec<String>, String> {
        let mut nodes = BTreeMap::new();
        for (place, line) in tree.iter().enumerate() {
            match line.split_once(" -> ") {
                Some((path, target)) => nodes.insert(path, Node::Link(target)),
                None => nodes.insert(*line, Node::File(place)),
            };
        }
        let mut walk = Walk {
            nodes: &nodes,
            through: Vec::new(),
            files: BTreeMap::new(),
        };
        walk.add("", "").map_err(|broken| broken.path)?;
        let files = walk.files.into_iter();
        Ok(files
            .map(|(path, place)| format!("{path}={}", tree[place]))
            .collect())
    }

    #[test_case(&["a", "b/c"], &["a=a", "b/c=b/c"]; "no links")]
    #[test_case(&["a", "l -> a"], &["a=a", "l=a"]; "to a file")]
    #[test_case(&["a", "d/l -> ../a"], &["a=a", "d/l=a"]; "upwards")]
    #[test_case(&["a", "k -> l", "l -> ./a"], &["a=a", "k=a", "l=a"]; "through a link")]
    #[test_case(&["v1/a", "now -> v1"], &["now/a=v1/a", "v1/a=v1/a"]; "to a directory")]
    #[test_case(&["v1/a", "now -> v1", "l -> now/a"], &["l=v1/a", "now/a=v1/a", "v1/a=v1/a"]; "through a directory's link")]
    #[test_case(&["v1/a", "v1/b -> a", "now -> v1"], &["now/a=v1/a", "now/b=v1/a", "v1/a=v1/a", "v1/b=v1/a"]; "a link in a linked directory")]
    #[test_case(&["v1/x/a", "v1/y -> x", "now -> v1"], &["now/x/a=v1/x/a", "now/y/a=v1/x/a", "v1/x/a=v1/x/a", "v1/y/a=v1/x/a"]; "a linked directory in a linked directory")]
    fn links_are_followed(tree: &[&'static str], expected: &[&str]) {
        assert_eq!(served(tree).unwrap(), expected);
    }

    #[test_case(&["l -> a"], "l"; "to nothing")]
    #[test_case(&["l -> l"], "l"; "to itself")]
    #[test_case(&["a", "l -> a/b"], "l"; "below a file")]
    #[test_case(&["d/a", "d/l -> ."], "d/l"; "to its own directory")]
    #[test_case(&["d/a", "d/l -> .."], "d/l"; "to the root")]
    #[test_case(&["a/x -> ../b", "b/y -> ../a", "b/z"], "a/x/y"; "to each other's directory")]
    fn links_that_lead_nowhere_are_refused(tree: &[&'static str], link: &str) {
        assert_eq!(served(tree).unwrap_err(), link);
    }
}
