//! How children end: by themselves, at the deadline, with the future that runs them; and what they
//! leave behind.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use delivery_action::clock::Deadline;
use delivery_action::process::{ProcessError, Survivors, TERMINATION_GRACE, harden};
use delivery_action::sandbox;
use rustix::process::Resource;

use crate::isolation::{Place, block_on, descendants, exists, far, is_own_process};

/// Leaves a daemon behind: forked twice, in a session of its own, without the pipes. `daemon` then
/// holds its number.
const DAEMON: &str = "(setsid sh -c 'echo $$ > daemon.new; mv daemon.new daemon; exec sleep 1000' >/dev/null 2>&1 &) ; \
     while [ ! -e daemon ]; do sleep 0.01; done";

fn daemon_of(place: &Place) -> String {
    fs::read_to_string(place.file("daemon")).unwrap()
}

#[test]
fn a_daemon_is_left_nowhere() {
    if !is_own_process("ending::a_daemon_is_left_nowhere") {
        return;
    }
    harden().unwrap();
    let place = Place::new();
    block_on(place.shell(DAEMON).run(far())).unwrap();
    assert!(!exists(&daemon_of(&place)), "the daemon lives");
    assert_eq!(descendants(), Vec::<String>::new());
}

#[test]
fn a_daemon_of_a_child_that_fails_is_left_nowhere_and_the_exit_code_is_the_childs() {
    if !is_own_process(
        "ending::a_daemon_of_a_child_that_fails_is_left_nowhere_and_the_exit_code_is_the_childs",
    ) {
        return;
    }
    harden().unwrap();
    for _ in 0..20 {
        let place = Place::new();
        let error = block_on(
            place
                .shell(&format!("{DAEMON}; (sleep 0.01 &); exit 7"))
                .run(far()),
        );
        assert!(
            matches!(error, Err(ProcessError::Exit { code: 7, .. })),
            "{error:?}"
        );
        assert!(!exists(&daemon_of(&place)), "the daemon lives");
        assert_eq!(descendants(), Vec::<String>::new());
    }
}

#[test]
fn at_the_deadline_all_are_asked_to_end() {
    if !is_own_process("ending::at_the_deadline_all_are_asked_to_end") {
        return;
    }
    harden().unwrap();
    let place = Place::new();
    let script = format!(
        "trap 'echo asked; exit 0' TERM; {DAEMON}; echo ready; while :; do sleep 0.05; done"
    );
    let error = block_on(
        place
            .shell(&script)
            .run(Deadline::after(Duration::from_secs(4))),
    )
    .unwrap_err();
    let ProcessError::Deadline {
        elapsed, output, ..
    } = error
    else {
        panic!("{error:?}")
    };
    // The shell adds its own word about the program that it was waiting for.
    let lines: Vec<_> = output
        .lines()
        .filter(|line| *line != "Terminated")
        .collect();
    assert_eq!(lines, ["ready", "asked"]);
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    assert!(!exists(&daemon_of(&place)), "the daemon lives");
    assert_eq!(descendants(), Vec::<String>::new());
}

#[test]
fn who_does_not_end_is_killed_after_the_grace() {
    if !is_own_process("ending::who_does_not_end_is_killed_after_the_grace") {
        return;
    }
    harden().unwrap();
    let place = Place::new();
    let script = "trap '' TERM; (trap '' TERM; setsid sleep 1000 >/dev/null 2>&1 &); sleep 1000";
    let begun = Instant::now();
    let error = block_on(
        place
            .shell(script)
            .run(Deadline::after(Duration::from_secs(2))),
    )
    .unwrap_err();
    assert!(matches!(error, ProcessError::Deadline { .. }), "{error:?}");
    // An eighth of the time that it had.
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_millis(2_200), "{elapsed:?}");
    assert!(
        elapsed < Duration::from_secs(2) + TERMINATION_GRACE,
        "{elapsed:?}"
    );
    assert_eq!(descendants(), Vec::<String>::new());
}

#[test]
fn a_child_that_changes_the_functions_limits_is_found_out_and_nothing_of_it_lives() {
    if !is_own_process(
        "ending::a_child_that_changes_the_functions_limits_is_found_out_and_nothing_of_it_lives",
    ) {
        return;
    }
    harden().unwrap();
    sandbox::enter().unwrap();
    let before = rustix::process::getrlimit(Resource::Nofile);
    let place = Place::new();
    let script = format!("{DAEMON}; prlimit --pid $PPID --nofile=0: && echo lowered");
    let error = block_on(place.shell(&script).run(far())).unwrap_err();
    assert!(
        matches!(
            &error,
            ProcessError::Uncontained {
                source: Survivors::Tampered { what },
                ..
            } if what == "limit on open files"
        ),
        "{error:?}"
    );
    assert_eq!(rustix::process::getrlimit(Resource::Nofile), before);
    assert!(!exists(&daemon_of(&place)), "the daemon lives");
    assert!(sandbox::given_up().is_some());
}

#[test]
fn what_is_left_of_an_earlier_job_is_gone_before_the_next() {
    if !is_own_process("ending::what_is_left_of_an_earlier_job_is_gone_before_the_next") {
        return;
    }
    harden().unwrap();
    sandbox::enter().unwrap();
    // As if a process had been missed.
    let mut survivor = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    let temporary = std::env::temp_dir();
    fs::create_dir_all(temporary.join("node_modules/.bin")).unwrap();
    block_on(sandbox::prepare()).unwrap();
    assert_eq!(descendants(), Vec::<String>::new());
    assert!(survivor.try_wait().is_err(), "it is reaped");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert_eq!(sandbox::given_up(), None);
}

#[test]
fn a_child_that_stops_itself_is_ended_too() {
    if !is_own_process("ending::a_child_that_stops_itself_is_ended_too") {
        return;
    }
    harden().unwrap();
    let place = Place::new();
    let error = block_on(
        place
            .shell("kill -STOP $$")
            .run(Deadline::after(Duration::from_millis(300))),
    );
    assert!(
        matches!(error, Err(ProcessError::Deadline { .. })),
        "{error:?}"
    );
    assert_eq!(descendants(), Vec::<String>::new());
}

#[test]
fn a_dropped_future_takes_the_whole_tree_with_it() {
    if !is_own_process("ending::a_dropped_future_takes_the_whole_tree_with_it") {
        return;
    }
    harden().unwrap();
    let place = Place::new();
    let command = place.shell(&format!("{DAEMON}; touch running; sleep 1000"));
    block_on(async {
        let running = async {
            while !place.file("running").exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = command.run(far()) => panic!("{ended:?}"),
            () = running => {}
        }
        // What is held here ended while `select!` dropped the future, not later.
        assert_eq!(descendants(), Vec::<String>::new());
    });
    assert!(!exists(&daemon_of(&place)), "the daemon lives");
}

#[test]
fn a_signal_that_ends_a_child_is_named() {
    let place = Place::new();
    let error = block_on(place.shell("kill -KILL $$").run(far())).unwrap_err();
    assert!(
        matches!(error, ProcessError::Signal { signal: 9, .. }),
        "{error:?}"
    );
}

#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_flood_is_bounded_in_the_log_and_in_memory() {
    if !is_own_process("ending::a_flood_is_bounded_in_the_log_and_in_memory") {
        return;
    }
    let logged = Counter::default();
    let writer = logged.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let place = Place::new();
    let script = "head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; yes | head -c 50000000; echo last; exit 1";
    let error = block_on(place.shell(script).run(far())).unwrap_err();
    let ProcessError::Exit { output, .. } = error else {
        panic!("{error:?}")
    };
    assert!(output.len() < 70_000, "{} bytes are kept", output.len());
    assert!(output.ends_with("y\nlast\n"));
    // Each of the short lines costs a time, a level and a target on top.
    let logged = logged.0.load(Ordering::Relaxed);
    assert!(
        (1_000_000..200_000_000).contains(&logged),
        "{logged} bytes are logged"
    );
    let peak = fs::read_to_string("/proc/self/status").unwrap();
    let peak = peak
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 100_000, "{peak} kB at the most");
}

#[test]
fn two_children_of_a_hardened_function_take_turns() {
    if !is_own_process("ending::two_children_of_a_hardened_function_take_turns") {
        return;
    }
    harden().unwrap();
    let place = Place::new();
    let one = place.shell("sleep 0.3 && [ ! -e two ] && touch one");
    let two = place.shell("touch two");
    block_on(async {
        let (one, two) = tokio::join!(one.run(far()), two.run(far()));
        one.unwrap();
        two.unwrap();
    });
}
