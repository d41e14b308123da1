//! The keys that `run --watch` takes at a terminal.

use std::io::{IsTerminal as _, Read as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::mpsc;

/// What the keys do, for people.
pub(super) const HELP: &str = "keys: o open, l log, r run again, q quit";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Show the page of the run.
    Open,
    /// Show the log of what ran last.
    Log,
    /// Deliver the same commit again.
    Again,
    /// Stop watching.
    Quit,
}

impl Key {
    fn of(byte: u8) -> Option<Self> {
        match byte.to_ascii_lowercase() {
            b'o' => Some(Self::Open),
            b'l' => Some(Self::Log),
            b'r' => Some(Self::Again),
            b'q' => Some(Self::Quit),
            _ => None,
        }
    }
}

/// The terminal, which hands over each key at once and shows none. Ctrl-C and Ctrl-Z stay what they are.
#[derive(Debug)]
pub(super) struct Keys {
    pressed: mpsc::UnboundedReceiver<Key>,
    before: Termios,
}

impl Keys {
    /// From now on keys are taken; `None` where nobody can press any.
    pub(super) fn listen() -> Option<Self> {
        let input = std::io::stdin();
        // Whoever changes its terminal from the background is stopped.
        let is_behind = tcgetpgrp(&input).is_ok_and(|group| group != rustix::process::getpgrp());
        if !input.is_terminal() || is_behind {
            return None;
        }
        let before = tcgetattr(&input).ok()?;
        let mut changed = before.clone();
        changed.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(&input, OptionalActions::Now, &changed).ok()?;
        let (sender, pressed) = mpsc::unbounded_channel();
        // A thread: reading blocks, and what waits for a key must not keep the command from ending.
        std::thread::spawn(move || {
            for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
                if Key::of(byte).is_some_and(|key| sender.send(key).is_err()) {
                    break;
                }
            }
        });
        Some(Self { pressed, before })
    }

    /// The next key; never, where none can come.
    pub(super) async fn next(keys: Option<&mut Self>) -> Key {
        if let Some(keys) = keys
            && let Some(key) = keys.pressed.recv().await
        {
            return key;
        }
        std::future::pending().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _gone_with_the_terminal =
            tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}
