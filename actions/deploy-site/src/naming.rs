//! Which files are named by their content, so that browsers may keep them for a year.
//!
//! If unsure, say no. A digest that is not recognised costs a request; a word that is taken for a digest is cached for
//! a year by every browser that has seen it, and no invalidation helps. So a name counts only if a bundler
//! fills its folder, if its tag can be nothing but a digest, or if its neighbours show that a bundler
//! named the folder's scripts. No rule is right about every name: the parameter `immutable` overrides
//! them all.

use std::collections::BTreeMap;
use std::path::Path;

use delivery_action::glob::Glob;

/// Folders whose files are all named by their content, or by the build (Next.js), and which their own
/// servers send with `immutable`: Next.js, Nuxt, `SvelteKit`, Astro, Expo.
const BUNDLER_FOLDERS: [&str; 5] = [
    "_next/static/",
    "_nuxt/",
    "_app/immutable/",
    "_astro/",
    "_expo/static/",
];

/// Nuxt's own exception in its folder: it names the newest build.
const NUXT_BUILDS: &str = "_nuxt/builds/";
const NUXT_BUILDS_META: &str = "_nuxt/builds/meta/";

/// Create React App names everything here `NAME.DIGEST.EXT`.
const REACT_APP_FOLDERS: [&str; 3] = ["static/js/", "static/css/", "static/media/"];

/// What Angular's builds and esbuild call the files they make themselves.
const ESBUILD_NAMES: [&str; 6] = ["chunk", "main", "polyfills", "runtime", "scripts", "styles"];

/// Where Angular puts images and fonts, next to the scripts.
const ANGULAR_MEDIA: &str = "media";

/// Shortest hexadecimal digest of a bundler, and the length of all others.
const DIGEST_LEN: usize = 8;

/// Shortest hexadecimal name of a script that is a digest and nothing else.
const WHOLE_HEX_LEN: usize = 16;

/// The length of webpack's default names of assets (`[hash][ext]`).
const WEBPACK_ASSET_LEN: usize = 20;

/// Lengths of ids that documents are called by: a `MongoDB` object's, and a UUID's without dashes.
const ID_LENS: [usize; 2] = [24, 32];

/// How files are chosen that may be kept for a year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Immutable {
    /// By their names and folders.
    #[default]
    Recognized,
    /// Those that one of these patterns matches, and no others.
    Matching(Vec<Glob>),
}

impl Immutable {
    /// Reads the parameter: patterns with commas between them, or `none`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::Matching(Vec::new()));
        }
        let patterns = text
            .split(',')
            .map(|pattern| Glob::new(pattern.trim().trim_start_matches('/')).ok());
        patterns.collect::<Option<_>>().map(Self::Matching)
    }
}

/// How a site's files are named.
#[derive(Debug)]
pub(crate) enum Naming {
    Recognized(Evidence),
    Matching(Vec<Glob>),
}

impl Naming {
    /// Looks at all names of a site, relative to its root.
    pub(crate) fn of<'n>(immutable: &Immutable, names: impl Iterator<Item = &'n str>) -> Self {
        match immutable {
            Immutable::Recognized => Self::Recognized(Evidence::of(names)),
            Immutable::Matching(globs) => Self::Matching(globs.clone()),
        }
    }

    /// Whether a file is named by its content.
    pub(crate) fn is_immutable(&self, name: &str) -> bool {
        match self {
            Self::Matching(patterns) => patterns.iter().any(|pattern| pattern.is_match(name)),
            Self::Recognized(evidence) => {
                is_in_bundler_folder(name)
                    || File::of(name).is_some_and(|file| evidence.shows_digest(&file))
            }
        }
    }
}

fn is_in_bundler_folder(name: &str) -> bool {
    let is_below = |folder: &str| name.starts_with(folder) || name.contains(&format!("/{folder}"));
    BUNDLER_FOLDERS.iter().any(|folder| is_below(folder))
        && (!is_below(NUXT_BUILDS) || is_below(NUXT_BUILDS_META))
}

/// The kinds of files that bundlers name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    Code,
    SourceMap,
    /// An image, a font, sound or film.
    Asset,
}

fn file_kind(extension: &str) -> Option<FileKind> {
    Some(match extension.to_ascii_lowercase().as_str() {
        "js" | "mjs" | "cjs" | "css" | "wasm" => FileKind::Code,
        "map" => FileKind::SourceMap,
        "avif" | "gif" | "ico" | "jpeg" | "jpg" | "jxl" | "png" | "svg" | "webp" | "eot"
        | "otf" | "ttf" | "woff" | "woff2" | "aac" | "flac" | "mp3" | "mp4" | "ogg" | "wav"
        | "webm" => FileKind::Asset,
        // Documents are named by people and by other programs, with ids that look like digests.
        _ => return None,
    })
}

/// The characters that a tag is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alphabet {
    /// webpack, Parcel, Gatsby, Vue, Rails.
    Hex,
    /// esbuild and Angular: 8 of `A-Z2-7`.
    Base32,
    /// Rollup and Vite: 8 of `A-Za-z0-9_-`.
    Base64,
}

/// A part of a name that may be a digest.
#[derive(Clone, Copy, Debug)]
struct Tag<'n> {
    text: &'n str,
    alphabet: Alphabet,
    /// What stands before it; empty where the tag is the whole name.
    before: &'n str,
    after_dot: bool,
}

/// A file whose name may hold a digest.
#[derive(Debug)]
struct File<'n> {
    folder: &'n str,
    kind: FileKind,
    tags: Vec<Tag<'n>>,
}

impl<'n> File<'n> {
    fn of(path: &'n str) -> Option<Self> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let extension = Path::new(name).extension()?.to_str()?;
        let mut parts = name.split('.');
        let stem = parts.next()?;
        let _extension = parts.next_back();
        let mut tags = Vec::new();
        let mut add = |text, before, after_dot| {
            tags.extend(alphabet(text).map(|alphabet| Tag {
                text,
                alphabet,
                before,
                after_dot,
            }));
        };
        add(stem, "", false);
        for part in parts.clone() {
            add(part, stem, true);
        }
        for part in std::iter::once(stem).chain(parts) {
            if ends_in_uuid(part) {
                continue;
            }
            // Base64 may hold a dash itself: the last eight characters, then what follows the last dash.
            let eight = part.len().checked_sub(DIGEST_LEN);
            if let Some((before, text)) = eight.and_then(|at| part.split_at_checked(at))
                && let Some(before) = before.strip_suffix('-')
            {
                add(text, before, false);
            }
            if let Some((before, text)) = part.rsplit_once('-')
                && text.len() > DIGEST_LEN
            {
                add(text, before, false);
            }
        }
        Some(Self {
            folder,
            kind: file_kind(extension)?,
            tags,
        })
    }
}

fn alphabet(text: &str) -> Option<Alphabet> {
    let has = |class: fn(&u8) -> bool| text.bytes().any(|byte| class(&byte));
    let is_all = |class: fn(u8) -> bool| text.bytes().all(class);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase);
    if text.len() >= DIGEST_LEN
        && is_mixed
        && is_all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        Some(Alphabet::Hex)
    } else if text.len() != DIGEST_LEN || !has(u8::is_ascii_alphabetic) {
        None
    } else if is_all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) {
        Some(Alphabet::Base32)
    } else if is_all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && text.bytes().filter(|byte| *byte == b'-').count() < 2
    {
        Some(Alphabet::Base64)
    } else {
        None
    }
}

/// Whether a name ends in a UUID: its last part alone would look like a digest.
fn ends_in_uuid(part: &str) -> bool {
    let mut groups = part.rsplit('-');
    [12, 4, 4, 4, 8].iter().all(|len| {
        groups.next().is_some_and(|group| {
            // What stands before the first group may touch it, as in `report_550e8400-...`.
            let tail = group.len().checked_sub(*len).and_then(|at| group.get(at..));
            tail.is_some_and(|tail| tail.bytes().all(|byte| byte.is_ascii_hexdigit()))
        })
    })
}

/// How many words a name has, as people would read it: `iPhone15Pro` has 4 in 11 characters, the digest `BkX9d2Qa`
/// has 6 in 8.
fn words(text: &str) -> usize {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let bytes = text.as_bytes();
    let begins = |at: &usize| {
        let Some(&byte) = bytes.get(*at) else {
            return false;
        };
        let Some(before) = at.checked_sub(1).and_then(|at| bytes.get(at)) else {
            return kind(byte) != 3;
        };
        match (kind(*before), kind(byte)) {
            // The second: a capital and what it begins.
            (_, 3) | (2, 1) => false,
            // `HTMLPage`: the last capital of a run begins the next word.
            (2, 2) => bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase),
            (before, now) => before != now,
        }
    };
    (0..bytes.len()).filter(begins).count()
}

/// Changes between digits and letters.
fn changes(text: &str) -> usize {
    let bytes = text.as_bytes();
    let pairs = bytes.windows(2);
    pairs
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
        .count()
}

/// The longest run of consonants: four in `MATCHSTICK`, more in hardly any word.
fn longest_run_of_consonants(text: &str) -> usize {
    let is_other = |c: char| !c.is_ascii_alphabetic() || "AEIOUYaeiouy".contains(c);
    text.split(is_other).map(str::len).max().unwrap_or(0)
}

impl Tag<'_> {
    /// Whether this can only be a digest, whatever else is in the folder.
    fn is_unambiguous(&self, kind: FileKind) -> bool {
        let is_whole = self.before.is_empty();
        let len = self.text.len();
        match self.alphabet {
            Alphabet::Hex => {
                let digits = self.text.bytes().filter(u8::is_ascii_digit).count();
                let is_mixed = digits >= 2 && changes(self.text) >= 2;
                is_mixed
                    && match (kind, is_whole) {
                        (FileKind::Asset, true) => len == WEBPACK_ASSET_LEN,
                        (FileKind::Asset, false) => !ID_LENS.contains(&len) || self.after_dot,
                        (_, true) => len >= WHOLE_HEX_LEN,
                        (_, false) => true,
                    }
            }
            Alphabet::Base32 => {
                !is_whole && (words(self.text) >= 4 || longest_run_of_consonants(self.text) >= 5)
            }
            Alphabet::Base64 => words(self.text) >= 6 && (kind != FileKind::Asset || !is_whole),
        }
    }

    /// Whether it is evidence for a bundler; one such tag alone proves nothing.
    fn is_likely(&self, file: &File<'_>) -> bool {
        match self.alphabet {
            Alphabet::Base64 => words(self.text) >= 4 || self.is_vites_entry(file),
            _ => self.is_unambiguous(file.kind) || self.is_esbuilds_own(),
        }
    }

    /// Whether only bundlers use this kind of name.
    fn is_conventional(&self, file: &File<'_>) -> bool {
        self.is_esbuilds_own() || self.is_vites_entry(file) || self.is_react_apps(file)
    }

    fn is_esbuilds_own(&self) -> bool {
        self.alphabet == Alphabet::Base32 && ESBUILD_NAMES.contains(&self.before)
    }

    /// `assets/index-DIGEST.js`
    fn is_vites_entry(&self, file: &File<'_>) -> bool {
        self.before == "index"
            && !self.after_dot
            && (file.folder == "assets" || file.folder.ends_with("/assets"))
            && words(self.text) >= 2
    }

    fn is_react_apps(&self, file: &File<'_>) -> bool {
        let folder = format!("{}/", file.folder);
        self.alphabet == Alphabet::Hex
            && self.after_dot
            && REACT_APP_FOLDERS.iter().any(|app| folder.ends_with(app))
    }

    /// Whether this is a digest, given that the folder's scripts have digests of the same alphabet.
    fn is_digest_among_others(&self, kind: FileKind) -> bool {
        let is_whole = self.before.is_empty();
        match (self.alphabet, kind) {
            (Alphabet::Hex, _) => false, // nine of ten show themselves, and `cafe2024` is none
            (Alphabet::Base32, FileKind::Asset) => {
                !is_whole && longest_run_of_consonants(self.text) >= 4
            }
            (Alphabet::Base32, _) => !is_whole,
            (Alphabet::Base64, FileKind::Asset) => !is_whole && words(self.text) >= 5,
            (Alphabet::Base64, _) => words(self.text) >= if is_whole { 4 } else { 3 },
        }
    }
}

/// How a bundler named the scripts of a folder, where one did.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// By folder.
    bundled: BTreeMap<String, Vec<Alphabet>>,
}

/// Scripts of a folder whose names end in tags of one alphabet.
#[derive(Default)]
struct Count {
    all: usize,
    likely: usize,
}

impl Count {
    /// Not if it is only one name, or a few among many: that may be chance.
    fn shows_bundler(&self, alphabet: Alphabet) -> bool {
        let enough = match alphabet {
            // Half of esbuild's digests look like words, but hardly any other script's name ends in eight capitals.
            Alphabet::Base32 => 1,
            _ => self.all.div_ceil(2),
        };
        self.all >= 2 && self.likely >= enough
    }
}

impl Evidence {
    fn of<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut counts: BTreeMap<(&str, Alphabet), Count> = BTreeMap::new();
        for file in names.filter_map(File::of) {
            if file.kind != FileKind::Code {
                continue;
            }
            let Some(tag) = file.tags.iter().find(|tag| !tag.before.is_empty()) else {
                continue;
            };
            let count = counts.entry((file.folder, tag.alphabet)).or_default();
            count.all += 1;
            count.likely += usize::from(tag.is_likely(&file));
        }
        let mut bundled: BTreeMap<String, Vec<Alphabet>> = BTreeMap::new();
        for ((folder, alphabet), count) in counts {
            if count.shows_bundler(alphabet) {
                bundled.entry(folder.to_owned()).or_default().push(alphabet);
            }
        }
        Self { bundled }
    }

    fn shows_digest(&self, file: &File<'_>) -> bool {
        file.tags.iter().any(|tag| {
            tag.is_unambiguous(file.kind)
                || tag.is_conventional(file)
                || (tag.is_digest_among_others(file.kind) && self.is_bundled(file, tag.alphabet))
        })
    }

    fn is_bundled(&self, file: &File<'_>, alphabet: Alphabet) -> bool {
        let holds = |folder: &str| {
            let found = self.bundled.get(folder);
            found.is_some_and(|alphabets| alphabets.contains(&alphabet))
        };
        let parent = match file.folder.rsplit_once('/') {
            Some((parent, ANGULAR_MEDIA)) => Some(parent),
            None if file.folder == ANGULAR_MEDIA => Some(""),
            _ => None,
        };
        holds(file.folder) || parent.is_some_and(holds)
    }
}

#[cfg(test)]
mod tests;
