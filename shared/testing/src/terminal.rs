//! A terminal with one program in it: an emulator tells what a person would see.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::{Child, Command};

/// How long a test waits for what has to appear; only a test that fails waits that long.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often the screen is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// More rows than any of the tests prints.
const SCROLLBACK: usize = 1_000;

/// A terminal in which a program runs.
pub struct Terminal {
    emulator: Arc<Mutex<vt100::Parser>>,
    keyboard: File,
    program: Child,
    reader: std::thread::JoinHandle<()>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.screen())
    }
}

impl Terminal {
    /// Runs the command in a terminal of this size.
    #[must_use]
    pub fn run(mut command: Command, columns: u16, rows: u16) -> Self {
        let (near, far) = pair(columns, rows);
        let stream = || Stdio::from(far.try_clone().expect("a terminal"));
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let program = command
            .env("TERM", "xterm-256color")
            .spawn()
            .expect("a terminal");
        // With the program's own, the last ways to write to the terminal: its output ends with the program.
        drop((command, far));
        let of = |length| NonZeroU16::new(length).expect("a terminal has rows and columns");
        let emulator = Arc::new(Mutex::new(vt100::Parser::new(
            of(rows),
            of(columns),
            SCROLLBACK,
        )));
        let output = File::from(near.try_clone().expect("a terminal"));
        Self {
            reader: show(output, Arc::clone(&emulator)),
            emulator,
            keyboard: File::from(near),
            program,
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("a terminal");
    }

    /// What is on the screen now.
    #[must_use]
    pub fn screen(&self) -> String {
        self.emulator
            .lock()
            .expect("no thread panics here")
            .screen()
            .contents()
    }

    /// Whether a person sees where the next letter goes.
    #[must_use]
    pub fn shows_cursor(&self) -> bool {
        let emulator = self.emulator.lock().expect("no thread panics here");
        !emulator.screen().hide_cursor()
    }

    /// Whether anything on the screen has a colour.
    #[must_use]
    pub fn is_coloured(&self) -> bool {
        let emulator = self.emulator.lock().expect("no thread panics here");
        let screen = emulator.screen();
        let (rows, columns) = screen.size();
        let mut cells =
            (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        cells.any(|(row, column)| {
            let cell = screen.cell(row, column);
            cell.is_some_and(|cell| cell.fgcolor() != vt100::Color::Default || cell.bold())
        })
    }

    /// Waits until the screen is as wanted, and returns it.
    pub async fn until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "on the screen:\n{screen}");
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Waits for the program's end, and returns its exit code and all that it left: what has been scrolled away, too.
    pub async fn ended(mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.program.try_wait().expect("a terminal") {
                break status;
            }
            assert!(Instant::now() < deadline, "still there:\n{}", self.screen());
            tokio::time::sleep(INTERVAL).await;
        };
        self.reader.join().expect("no thread panics here");
        (
            status.code().unwrap_or(-1),
            all(&mut self.emulator.lock().expect("no thread panics here")),
        )
    }
}

/// Both ends of a terminal of this size: the person's, and the program's.
fn pair(columns: u16, rows: u16) -> (OwnedFd, OwnedFd) {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&near).expect("a terminal");
    unlockpt(&near).expect("a terminal");
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(near.as_fd(), size).expect("a terminal");
    let name = ptsname(&near, Vec::new()).expect("a terminal");
    let far =
        rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("a terminal");
    (near, far)
}

/// Shows what the program writes, on a thread, since reading from a terminal blocks.
fn show(mut output: File, emulator: Arc<Mutex<vt100::Parser>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        // Linux ends it with an error where other systems report the end.
        while let Ok(read @ 1..) = output.read(&mut bytes) {
            emulator
                .lock()
                .expect("no thread panics here")
                .process(&bytes[..read]);
        }
    })
}

/// All lines, the oldest first; one that was too wide is one again.
fn all(emulator: &mut vt100::Parser) -> String {
    let screen = emulator.screen_mut();
    let (rows, columns) = screen.size();
    screen.set_scrollback(usize::MAX);
    let scrolled = screen.scrollback();
    let mut text = String::new();
    let mut add = |screen: &vt100::Screen, row: u16| {
        let mut rows = screen.rows(0, columns.get()).skip(usize::from(row));
        text.extend(rows.next());
        if !screen.row_wrapped(row) {
            text.push('\n');
        }
    };
    for offset in (1..=scrolled).rev() {
        screen.set_scrollback(offset);
        add(screen, 0);
    }
    screen.set_scrollback(0);
    (0..rows.get()).for_each(|row| add(screen, row));
    text.trim_end().to_owned()
}
