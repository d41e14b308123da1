//! What `scripts/bench` makes of what it measures: statistics, the page, the inputs. Nothing is timed here.

use std::process::Command;

use pipeline_tests::bench::Bench;
use pipeline_tests::bench::contest::{Contender, Rounds, fastest, hold};
use pipeline_tests::bench::figures::Figures;
use pipeline_tests::bench::inputs::Chance;
use pipeline_tests::bench::report::{self, Section, Target};
use pipeline_tests::bench::size::MOST_BYTES;
use pipeline_tests::bench::spent::Spent;
use pipeline_tests::checkout;

fn figures(values: &[f64]) -> Figures {
    values.iter().copied().collect()
}

fn contender(name: &str, values: &[f64]) -> Contender {
    Contender {
        wall: figures(values),
        ..Contender::new(name, "")
    }
}

#[test]
fn a_median_is_the_middle_and_a_spread_reaches_to_both_ends() {
    let odd = figures(&[3.0, 1.0, 9.0]);
    let medians =
        [figures(&[4.0, 1.0, 2.0, 100.0]), figures(&[])].map(|values| values.median().to_string());
    assert_eq!(medians, ["3", "0"]);
    assert_eq!(report::spread(&odd, report::seconds), "3.00 (1.00 to 9.00)");
    assert_eq!(
        report::spread(&figures(&[0.0123]), report::seconds),
        "0.0123"
    );
}

#[test]
fn a_ratio_is_made_within_each_round() {
    // The second round was disturbed, for both.
    let own = figures(&[1.0, 10.0, 2.0]);
    let peer = contender("peer", &[2.0, 20.0, 5.0]);
    assert_eq!(peer.wall.over(&own), figures(&[2.0, 2.0, 2.5]));
    let target = Target::faster("work", "twice", &own, &peer, 2.0);
    assert!(target.met);
    assert_eq!(target.reached, "2.00 (2.00 to 2.50) times as fast as peer");
    assert!(!Target::faster("work", "more", &own, &peer, 2.1).met);
}

#[test]
fn the_fastest_peer_is_that_of_the_smallest_median_and_one_that_was_missing_is_none() {
    let peers = [
        contender("often slow", &[1.0, 9.0, 9.0]),
        contender("fast", &[2.0, 2.0, 2.0]),
        contender("missing", &[]),
    ];
    assert_eq!(fastest(&peers).map(|peer| peer.name.as_str()), Some("fast"));
}

#[tokio::test]
async fn everyone_has_a_turn_in_each_round_and_the_warm_up_does_not_count() {
    let rounds = Rounds {
        counted: 2,
        warm_up: true,
    };
    let mut turns = [
        (Contender::new("a", ""), 1.0),
        (Contender::new("b", ""), 2.0),
    ];
    let order = std::cell::RefCell::new(Vec::new());
    hold(rounds, &mut turns, async |wall, contender, round| {
        order.borrow_mut().push((round, contender.name.clone()));
        Ok(Spent {
            wall: *wall,
            cpu: 0.0,
        })
    })
    .await
    .unwrap();
    let order: Vec<String> = order
        .into_inner()
        .iter()
        .map(|(round, name)| format!("{round}{name}"))
        .collect();
    assert_eq!(order, ["0a", "0b", "1a", "1b", "2a", "2b"]);
    assert_eq!(turns[1].0.wall, figures(&[2.0, 2.0]));
}

#[test]
fn a_section_shows_ratios_to_the_first_and_targets_say_whether_they_were_met() {
    let own = contender("this project", &[1.0, 1.0]);
    let peer = Contender {
        command: "peer IN OUT".to_owned(),
        extra: "7".to_owned(),
        ..contender("peer", &[2.0, 4.0])
    };
    let target = Target::faster("work", "5 times as fast", &own.wall, &peer, 5.0);
    let section = Section {
        title: "Work".to_owned(),
        text: "It works.".to_owned(),
        extra: "requests".to_owned(),
        contenders: vec![own, peer],
        targets: vec![target],
        ..Section::default()
    };
    assert_eq!(
        report::section(&section),
        "## Work\n\nIt works.\n\n\
         |  | wall, s | ratio | requests |\n|---|---|---|---|\n\
         | this project | 1.00 (1.00 to 1.00) |  |  |\n\
         | peer | 3.00 (2.00 to 4.00) | 3.00 (2.00 to 4.00) | 7 |\n\
         \n```text\npeer: peer IN OUT\n```\n"
    );
    assert!(report::targets(&[section]).ends_with(
        "| work | 5 times as fast | 3.00 (2.00 to 4.00) times as fast as peer | **no** |\n"
    ));
}

#[test]
fn inputs_are_the_same_in_every_run_and_half_of_them_can_be_deflated() {
    let deflated = |bytes: &[u8]| {
        let mut compressor =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut compressor, bytes).unwrap();
        compressor.finish().unwrap().len()
    };
    let (text, noise) = (Chance::new(7).text(50_000), Chance::new(7).noise(50_000));
    assert_eq!(text, Chance::new(7).text(50_000));
    assert_ne!(noise, Chance::new(8).noise(50_000));
    assert!(deflated(&text) < 30_000);
    assert!(deflated(&noise) >= 50_000);
}

#[test]
fn the_script_knows_the_drivers_comparisons() {
    let output = Command::new(checkout::root().join("scripts/bench"))
        .arg("--list")
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), Bench::COMPARISONS);
}

#[test]
fn the_budget_of_every_function_is_within_what_the_page_holds_it_against() {
    let text =
        std::fs::read_to_string(checkout::root().join("scripts/package-budgets.txt")).unwrap();
    let budgets = text.lines().filter(|line| !line.starts_with('#'));
    for line in budgets.filter(|line| !line.starts_with("node-layer ")) {
        let budget = line.split_whitespace().nth(1).expect(line);
        let budget: u64 = budget.parse().unwrap();
        assert!(budget <= MOST_BYTES, "{line}");
    }
}
