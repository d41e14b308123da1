//! The tree of all paths in an archive: no path twice, nothing below a file, and no link that leads outside.
//!
//! Nodes are stored by hash, in about 40 bytes each whatever the length of the names. Every tree has its own random
//! hash key, so an archive cannot be crafted to collide. An accidental collision makes a valid archive be refused,
//! never an invalid one be accepted.

use std::collections::HashMap;
use std::collections::hash_map;
use std::hash::{BuildHasher, RandomState};

use crate::error::Problem;
use crate::format::entry::Kind;

/// Most links that one path may lead through (Linux's own limit, `MAXSYMLINKS`).
const MAX_LINK_HOPS: u32 = 40;

/// The directory that is extracted into.
const ROOT: u32 = 0;

/// One path of the tree.
#[derive(Clone, Copy, Debug)]
struct Node {
    kind: Kind,
    /// Whether an entry names it; else it is implied by one below it.
    explicit: bool,
    /// The hash of its last component as it is spelled.
    spelling: u64,
    parent: u32,
    /// The entry that brought it.
    entry: u32,
}

/// Why a path cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The path is there already.
    Duplicate,
    /// This entry is a file or a link, and the path lies below it.
    BelowFile(u32),
    /// The tree has reached its limit of nodes.
    Full,
}

/// All paths of an archive.
#[derive(Debug)]
pub(crate) struct Tree {
    hasher: RandomState,
    /// By parent and lower-case component. A second spelling of the same component has a separate key, so that both can
    /// be stored and reported.
    by_key: HashMap<u64, u32>,
    /// The first two entries whose paths differ in case alone.
    same_but_for_case: Option<(u32, u32)>,
    nodes: Vec<Node>,
    max_nodes: u64,
}

impl Tree {
    pub(crate) fn new(max_nodes: u64) -> Self {
        let root = Node {
            kind: Kind::Directory,
            explicit: false,
            spelling: 0,
            parent: ROOT,
            entry: 0,
        };
        Self {
            hasher: RandomState::new(),
            by_key: HashMap::new(),
            same_but_for_case: None,
            nodes: vec![root],
            max_nodes,
        }
    }

    /// Adds the path of an entry. The empty path is the root.
    pub(crate) fn insert(&mut self, path: &str, kind: Kind, entry: u32) -> Result<(), Conflict> {
        let mut at = ROOT;
        if !path.is_empty() {
            let mut components = path.split('/').peekable();
            while let Some(component) = components.next() {
                let kind = if components.peek().is_some() {
                    Kind::Directory
                } else {
                    kind
                };
                if self.kind(at) != Kind::Directory {
                    return Err(Conflict::BelowFile(self.entry(at)));
                }
                at = self.step(at, component, kind, entry)?;
            }
        }
        let Some(node) = self.node_mut(at) else {
            return Err(Conflict::Full);
        };
        if node.explicit {
            return Err(Conflict::Duplicate);
        }
        if node.kind != kind {
            let other = node.entry;
            return Err(if kind == Kind::Directory {
                Conflict::Duplicate
            } else {
                // A directory is implied by what lies below this file.
                Conflict::BelowFile(other)
            });
        }
        node.explicit = true;
        Ok(())
    }

    /// The child of this name, added where it is missing.
    fn step(
        &mut self,
        parent: u32,
        component: &str,
        kind: Kind,
        entry: u32,
    ) -> Result<u32, Conflict> {
        let spelling = self.hasher.hash_one(component);
        let mut key = self.key(parent, component);
        let next = u32::try_from(self.nodes.len()).map_err(|_| Conflict::Full)?;
        if let Some(&found) = self.by_key.get(&key)
            && !self.is_spelled(found, spelling)
        {
            let other = self.entry(found);
            self.same_but_for_case.get_or_insert((other, entry));
            key = self.key_of_spelling(parent, spelling);
        }
        match self.by_key.entry(key) {
            hash_map::Entry::Occupied(found) => {
                let found = *found.get();
                if self.is_spelled(found, spelling) {
                    Ok(found)
                } else {
                    Err(Conflict::Duplicate) // two hashes that are equal by accident
                }
            }
            hash_map::Entry::Vacant(vacant) => {
                if u64::from(next) > self.max_nodes {
                    return Err(Conflict::Full);
                }
                vacant.insert(next);
                self.nodes.push(Node {
                    kind,
                    explicit: false,
                    spelling,
                    parent,
                    entry,
                });
                Ok(next)
            }
        }
    }

    /// Follows a link's target as the kernel would, through all other links of the tree, and refuses it if it leaves
    /// the root at any step. Components that do not exist are treated as directories: something may create them
    /// later.
    pub(crate) fn check_link<'t>(
        &self,
        link_path: &str,
        target: &'t str,
        target_of: impl Fn(u32) -> Option<&'t str>,
    ) -> Result<(), Problem> {
        if target.starts_with('/') {
            return Err(Problem::LinkAbsolute(crate::error::shown(target)));
        }
        let leaves = || Problem::LinkLeaves(crate::error::shown(target));
        let parent = link_path.rsplit_once('/').map_or("", |(parent, _)| parent);
        stays_lexically(parent, target).ok_or_else(leaves)?;
        let mut hops = 0_u32;
        let mut walk = Walk::new();
        for component in parent.split('/').filter(|component| !component.is_empty()) {
            walk.down(self, component);
        }
        let mut pending: Vec<&str> = target.split('/').rev().collect();
        while let Some(component) = pending.pop() {
            match component {
                "" | "." => {}
                ".." => walk.up(self).ok_or_else(leaves)?,
                name => {
                    walk.down(self, name);
                    let Some(next) = walk.link(self).and_then(&target_of) else {
                        continue;
                    };
                    hops = hops.saturating_add(1);
                    if hops > MAX_LINK_HOPS {
                        return Err(Problem::LinkLoop(crate::error::shown(target)));
                    }
                    if next.starts_with('/') {
                        return Err(leaves());
                    }
                    walk.up(self).ok_or_else(leaves)?;
                    pending.extend(next.split('/').rev());
                }
            }
        }
        Ok(())
    }

    fn key(&self, parent: u32, component: &str) -> u64 {
        if component.is_ascii() {
            self.hasher
                .hash_one((parent, component.to_ascii_lowercase()))
        } else {
            self.hasher.hash_one((parent, component.to_lowercase()))
        }
    }

    /// The key of what differs from another child only in case.
    fn key_of_spelling(&self, parent: u32, spelling: u64) -> u64 {
        self.hasher.hash_one((parent, spelling))
    }

    fn child(&self, parent: u32, component: &str) -> Option<u32> {
        let spelling = self.hasher.hash_one(component);
        let keys = [
            self.key(parent, component),
            self.key_of_spelling(parent, spelling),
        ];
        let mut found = keys.iter().filter_map(|key| self.by_key.get(key).copied());
        found.find(|found| self.is_spelled(*found, spelling))
    }

    fn is_spelled(&self, node: u32, spelling: u64) -> bool {
        self.node(node)
            .is_some_and(|node| node.spelling == spelling)
    }

    /// Two entries whose paths, or the directories above them, differ in upper and lower case alone: one and
    /// the same where the file system does not tell case apart.
    pub(crate) fn same_but_for_case(&self) -> Option<(u32, u32)> {
        self.same_but_for_case
    }

    fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(index).ok()?)
    }

    fn node_mut(&mut self, index: u32) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(index).ok()?)
    }

    fn kind(&self, index: u32) -> Kind {
        self.node(index).map_or(Kind::Directory, |node| node.kind)
    }

    fn entry(&self, index: u32) -> u32 {
        self.node(index).map_or(0, |node| node.entry)
    }
}

/// Whether a target stays inside for programs that resolve `..` without following links, as many do.
fn stays_lexically(parent: &str, target: &str) -> Option<()> {
    let mut depth = parent
        .split('/')
        .filter(|component| !component.is_empty())
        .count();
    for component in target.split('/') {
        depth = match component {
            "" | "." => depth,
            ".." => depth.checked_sub(1)?,
            _ => depth.saturating_add(1),
        };
    }
    Some(())
}

/// A position in the tree, or below one of its nodes where nothing exists yet.
struct Walk {
    at: u32,
    /// How many components below `at` are not in the tree.
    unknown: u32,
}

impl Walk {
    fn new() -> Self {
        Self {
            at: ROOT,
            unknown: 0,
        }
    }

    fn down(&mut self, tree: &Tree, component: &str) {
        match tree.child(self.at, component) {
            Some(child) if self.unknown == 0 => self.at = child,
            _ => self.unknown = self.unknown.saturating_add(1),
        }
    }

    /// One level up; `None` at the root.
    fn up(&mut self, tree: &Tree) -> Option<()> {
        if self.unknown > 0 {
            self.unknown = self.unknown.saturating_sub(1);
        } else if self.at == ROOT {
            return None;
        } else {
            self.at = tree.node(self.at)?.parent;
        }
        Some(())
    }

    /// The entry of the link that this is.
    fn link(&self, tree: &Tree) -> Option<u32> {
        let node = tree.node(self.at)?;
        (self.unknown == 0 && node.kind == Kind::Link).then_some(node.entry)
    }
}
