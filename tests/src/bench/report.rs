//! `docs/benchmarks.md`: what was measured, where, with which commands, and which targets were reached.

use std::fmt::Write as _;

use super::contest::Contender;
use super::figures::Figures;
use super::machine::Machine;
use super::peers::Peers;

/// One comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What the work is and how it was measured, in whole sentences.
    pub text: String,
    /// What the last column of the table holds; empty without one.
    pub extra: String,
    /// Who took part; the first is this project, and ratios are to it.
    pub contenders: Vec<Contender>,
    /// A table of its own form that stands instead of that of the contenders.
    pub table: String,
    /// What was to be reached.
    pub targets: Vec<Target>,
}

/// A target, and what was reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The work.
    pub work: String,
    /// What is at least to be reached.
    pub aim: String,
    /// What was.
    pub reached: String,
    /// Whether that is enough.
    pub met: bool,
}

impl Target {
    /// A ratio of times: `peer` took at least `least` times as long as this project.
    #[must_use]
    pub fn faster(work: &str, aim: &str, own: &Figures, peer: &Contender, least: f64) -> Self {
        let ratios = peer.wall.over(own);
        Self {
            work: work.to_owned(),
            aim: aim.to_owned(),
            reached: format!("{} times as fast as {}", spread(&ratios, ratio), peer.name),
            met: ratios.median() >= least,
        }
    }
}

/// The whole page.
#[must_use]
pub fn page(machine: &Machine, peers: &Peers, sections: &[Section]) -> String {
    let mut page = String::from(HEAD);
    let _infallible = write!(page, "{machine}\n## Targets\n\n");
    page.push_str(&targets(sections));
    for section in sections {
        let _infallible = write!(page, "\n{}", self::section(section));
    }
    let _infallible = write!(page, "\n## Versions\n\n{peers}");
    page
}

const HEAD: &str = "# Benchmarks

Written by `scripts/bench`, which makes every comparison anew: each peer and this project in turn on the same
input, round by round, in one run. Times are medians in seconds, with the fastest and the slowest round
behind them. A ratio is the median of the rounds' own ratios, because what disturbs a round disturbs all of
it; above 1 the peer took longer. Other machines have other times: only ratios of one run say something.

```sh
scripts/bench
```

";

/// The table of all targets.
#[must_use]
pub fn targets(sections: &[Section]) -> String {
    let mut table = String::from("| work | at least | reached | |\n|---|---|---|---|\n");
    for target in sections.iter().flat_map(|section| &section.targets) {
        let met = if target.met { "yes" } else { "**no**" };
        let _infallible = writeln!(
            table,
            "| {} | {} | {} | {met} |",
            target.work, target.aim, target.reached
        );
    }
    table
}

/// One comparison: heading, text, table, commands.
#[must_use]
pub fn section(section: &Section) -> String {
    let mut text = format!("## {}\n\n{}\n\n", section.title, section.text);
    if section.table.is_empty() {
        text.push_str(&table(section));
    } else {
        text.push_str(&section.table);
    }
    let commands: Vec<&Contender> = section
        .contenders
        .iter()
        .filter(|contender| !contender.command.is_empty())
        .collect();
    if !commands.is_empty() {
        text.push_str("\n```text\n");
        for contender in commands {
            let _infallible = writeln!(text, "{}: {}", contender.name, contender.command);
        }
        text.push_str("```\n");
    }
    text
}

fn table(section: &Section) -> String {
    let has_cpu = section
        .contenders
        .iter()
        .any(|contender| !contender.cpu.is_empty());
    let columns: Vec<(&str, bool)> = vec![
        ("", true),
        ("wall, s", true),
        ("ratio", true),
        ("CPU, s", has_cpu),
        (&section.extra, !section.extra.is_empty()),
    ];
    let shown = |cells: [String; 5]| {
        let cells = cells
            .into_iter()
            .zip(&columns)
            .filter(|(_, (_, shown))| *shown);
        let cells: Vec<String> = cells.map(|(cell, _)| cell).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let names = columns
        .iter()
        .filter(|(_, shown)| *shown)
        .map(|(name, _)| *name);
    let names: Vec<&str> = names.collect();
    let mut table = format!(
        "| {} |\n|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    let own = section
        .contenders
        .first()
        .map(|own| own.wall.clone())
        .unwrap_or_default();
    for (index, contender) in section.contenders.iter().enumerate() {
        let ratio = match index {
            0 => String::new(),
            _ => spread(&contender.wall.over(&own), ratio),
        };
        table.push_str(&shown([
            contender.name.clone(),
            spread(&contender.wall, seconds),
            ratio,
            if contender.cpu.is_empty() {
                String::new()
            } else {
                seconds(contender.cpu.median())
            },
            contender.extra.clone(),
        ]));
    }
    table
}

/// `0.41 (0.40 to 0.45)`; of one round its value alone.
#[must_use]
pub fn spread(figures: &Figures, shown: fn(f64) -> String) -> String {
    match figures.len() {
        0 => String::new(),
        1 => shown(figures.median()),
        _ => format!(
            "{} ({} to {})",
            shown(figures.median()),
            shown(figures.min()),
            shown(figures.max())
        ),
    }
}

/// Seconds with three significant digits.
#[must_use]
pub fn seconds(value: f64) -> String {
    digits(value)
}

/// A ratio with two or three digits.
#[must_use]
pub fn ratio(value: f64) -> String {
    digits(value)
}

fn digits(value: f64) -> String {
    match value {
        value if value < 0.1 => format!("{value:.4}"),
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// Bytes as tables show them: `41.3 MB`.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "one digit behind the point is shown"
)]
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1_000_000.0)
}
