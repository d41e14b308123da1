//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the signals that ask a process to end.
#[derive(Debug)]
pub(crate) struct Interrupt {
    control_c: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupt {
    /// From now on these signals do not end the process.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            control_c: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns with the next signal.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.control_c.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
