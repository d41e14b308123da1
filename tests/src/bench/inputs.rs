//! What the contenders work on: the same bytes in every run, from a seed.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use delivery_archive::Creation;
use tokio::process::Command;

use super::{Bench, spent};
use crate::checkout;

/// Files of the site.
pub const SITE_FILES: usize = 10_000;

/// Files in one folder of the site.
const FILES_OF_A_FOLDER: usize = 100;

/// A file of the site has 1 KiB to this many bytes.
const LARGEST_SITE_FILE: u64 = 50 * 1024;

/// The one large file.
pub const LARGE_BYTES: u64 = 1024 * 1024 * 1024;

/// Runs of bytes that can, and that cannot, be deflated take turns in the large file.
const BLOCK_BYTES: usize = 64 * 1024;

/// Own sources of the project beside its dependencies.
const SOURCES: usize = 200;

/// Numbers that look like chance and are the same in every run (xorshift64*, Vigna 2016).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Bytes that deflate makes no smaller.
    pub fn noise(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// Words, of which deflate makes about a third.
    pub fn text(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            let word = Self(self.number() % 2000 + 1).number();
            let letters = (0..3 + word % 7).map(|at| b'a' + ((word >> (5 * at)) % 26) as u8);
            bytes.extend(letters);
            bytes.push(if word.is_multiple_of(11) { b'\n' } else { b' ' });
        }
        bytes.truncate(len);
        bytes
    }
}

/// The project with its lock file and own sources, without its dependencies.
///
/// # Errors
///
/// Where the disk is full.
pub fn project(bench: &Bench, name: &str) -> io::Result<PathBuf> {
    let into = bench.fresh(name)?;
    let from = checkout::root().join("tests/bench/project");
    for file in ["package.json", "package-lock.json"] {
        fs::copy(from.join(file), into.join(file))?;
    }
    fs::create_dir(into.join("src"))?;
    let mut chance = Chance::new(1);
    for number in 0..SOURCES {
        let text = chance.text(2000 + number * 40);
        fs::write(into.join(format!("src/{number:03}.js")), text)?;
    }
    Ok(into)
}

/// The project with its dependencies, which npm installs.
///
/// # Errors
///
/// Where npm cannot reach its registry.
pub async fn installed(bench: &Bench) -> io::Result<PathBuf> {
    let path = bench.directory.join("installed");
    if !path.join("node_modules").is_dir() {
        project(bench, "installed")?;
        spent::run(&mut npm_ci(bench, &path)).await?;
    }
    Ok(path)
}

/// `npm ci` as a contender and as what makes inputs; its cache is in the bench's folder.
#[must_use]
pub fn npm_ci(bench: &Bench, directory: &Path) -> Command {
    let npm = bench.peers.path("npm").unwrap_or_else(|| "npm".into());
    let mut command = Command::new(npm);
    command
        .args([
            "ci",
            "--ignore-scripts",
            "--prefer-offline",
            "--no-audit",
            "--no-fund",
        ])
        .env("npm_config_cache", bench.directory.join("npm-cache"))
        .current_dir(directory);
    command
}

/// A zip of a folder, made by this project.
///
/// # Errors
///
/// Where the disk is full.
pub async fn zip(bench: &Bench, folder: &Path, name: &str) -> io::Result<PathBuf> {
    make_zip(bench, folder, name, false).await
}

/// A zip of a site, as test-and-package makes it: it says what each file is.
///
/// # Errors
///
/// Where the disk is full.
pub async fn site_zip(bench: &Bench, folder: &Path) -> io::Result<PathBuf> {
    make_zip(bench, folder, "site.zip", true).await
}

async fn make_zip(
    bench: &Bench,
    folder: &Path,
    name: &str,
    fingerprints: bool,
) -> io::Result<PathBuf> {
    let to = bench.directory.join(name);
    let (from, into) = (folder.to_owned(), to.clone());
    let make = move || {
        let creation = Creation::of(&from).fingerprints(fingerprints);
        creation.write_file(&into)
    };
    let created = tokio::task::spawn_blocking(make).await?;
    created.map_err(io::Error::other)?;
    Ok(to)
}

/// How many files a folder holds, and their bytes.
///
/// # Errors
///
/// Where it cannot be listed.
pub fn weight(folder: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let (more, their) = if kind.is_dir() {
            weight(&entry.path())?
        } else {
            (1, entry.metadata()?.len())
        };
        files += more;
        bytes += their;
    }
    Ok((files, bytes))
}

/// The site.
///
/// # Errors
///
/// Where the disk is full.
pub fn site(bench: &Bench) -> io::Result<PathBuf> {
    let into = bench.fresh("site")?;
    let mut chance = Chance::new(2);
    for number in 0..SITE_FILES {
        write_page(&into, number, &mut chance)?;
    }
    Ok(into)
}

/// Gives every hundredth file of the site other contents.
///
/// # Errors
///
/// Where the disk is full.
pub fn change_site(site: &Path, round: usize) -> io::Result<()> {
    let mut chance = Chance::new(1000 + round as u64);
    for number in (round % 100..SITE_FILES).step_by(100) {
        write_page(site, number, &mut chance)?;
    }
    Ok(())
}

fn write_page(site: &Path, number: usize, chance: &mut Chance) -> io::Result<()> {
    let folder = site.join(format!("{:03}", number / FILES_OF_A_FOLDER));
    fs::create_dir_all(&folder)?;
    let bytes = 1024 + chance.number() % (LARGEST_SITE_FILE - 1024);
    let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
    if number == 0 {
        return fs::write(site.join("index.html"), chance.text(bytes));
    }
    if number.is_multiple_of(2) {
        fs::write(folder.join(format!("{number:05}.html")), chance.text(bytes))
    } else {
        fs::write(folder.join(format!("{number:05}.jpg")), chance.noise(bytes))
    }
}

/// One file of 1 GiB, half of which deflate makes smaller, in a folder of its own.
///
/// # Errors
///
/// Where the disk is full.
pub fn large(bench: &Bench) -> io::Result<PathBuf> {
    let into = bench.fresh("large")?;
    let mut file = BufWriter::new(fs::File::create(into.join("large.bin"))?);
    let mut chance = Chance::new(3);
    let (noise, text) = (chance.noise(7 * BLOCK_BYTES), chance.text(7 * BLOCK_BYTES));
    let mut left = LARGE_BYTES / (2 * BLOCK_BYTES as u64);
    while left > 0 {
        // Another part of each, so that blocks do not repeat within deflate's window.
        let at = usize::try_from(chance.number() % (6 * BLOCK_BYTES as u64))
            .map_err(io::Error::other)?;
        file.write_all(&noise[at..at + BLOCK_BYTES])?;
        file.write_all(&text[at..at + BLOCK_BYTES])?;
        left -= 1;
    }
    file.into_inner()?.sync_data()?;
    Ok(into)
}
