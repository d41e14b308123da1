//! The rows at the bottom of the terminal that are drawn again and again.

use console::Term;

use crate::output::write_stderr;

/// The height and width of a terminal that does not report its own.
const DEFAULT_SIZE: (u16, u16) = (24, 80);

/// How many rows of the view are there now.
#[derive(Debug, Default)]
pub(super) struct Screen {
    rows: usize,
}

impl Screen {
    /// Its width and height.
    pub(super) fn size() -> (usize, usize) {
        let (height, width) = Term::stderr().size_checked().unwrap_or(DEFAULT_SIZE);
        (usize::from(width), usize::from(height))
    }

    /// Puts these rows in the place of those that are there. Each is one line of the terminal: the rows
    /// are cut before.
    pub(super) fn draw(&mut self, rows: &[String]) {
        self.clear();
        if !rows.is_empty() {
            write_stderr(&rows.join("\n"));
        }
        self.rows = rows.len();
    }

    /// Prints what stays, above the rows.
    pub(super) fn print(&mut self, text: &str) {
        self.clear();
        write_stderr(text);
    }

    /// Takes the rows away.
    pub(super) fn clear(&mut self) {
        if self.rows > 0 {
            let _gone_with_the_terminal = Term::stderr().clear_last_lines(self.rows);
            self.rows = 0;
        }
    }
}
