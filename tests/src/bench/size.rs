//! What the functions' packages weigh.

use std::fmt::Write as _;
use std::io;

use super::Bench;
use super::report::{Section, Target};
use crate::packages::FUNCTIONS;

/// What a package may weigh, zipped: `scripts/zip-package` fails above it.
pub const MOST_BYTES: u64 = 5_050_000;

/// Looks at the packages that `scripts/package` made.
///
/// # Errors
///
/// Where one is not built.
pub fn table(bench: &Bench) -> io::Result<Vec<Section>> {
    let mut table = String::from("| function | zipped, bytes | program, bytes |\n|---|---|---|\n");
    let mut largest = (0, "");
    for name in FUNCTIONS {
        let zip = bench.packages.join(format!("{name}.zip"));
        let missing =
            |error| io::Error::other(format!("`{}`: {error}; run scripts/package", zip.display()));
        let zipped = std::fs::metadata(&zip).map_err(missing)?.len();
        let program = std::fs::metadata(super::function::program(bench, name)?)?.len();
        let _infallible = writeln!(
            table,
            "| {name} | {} | {} |",
            grouped(zipped),
            grouped(program)
        );
        largest = largest.max((zipped, name));
    }
    let (bytes, name) = largest;
    let target = Target {
        work: "package".to_owned(),
        aim: "each at most 5,050,000 bytes zipped".to_owned(),
        reached: format!("the largest, {name}, has {}", grouped(bytes)),
        met: bytes <= MOST_BYTES,
    };
    Ok(vec![Section {
        title: "Size of the packages".to_owned(),
        text: "What `scripts/package` made for this architecture. `scripts/package-budgets.txt` holds the \
               sizes, and a build above them fails."
            .to_owned(),
        table,
        targets: vec![target],
        ..Section::default()
    }])
}

/// `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
