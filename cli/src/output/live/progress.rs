//! One row that says what is in progress, where there is no pipeline to show.

use std::time::Instant;

use console::truncate_str;

use crate::output::style::{BUSY, DIM};
use crate::output::text::duration;

/// The frames of the sign that moves; each stands for one tick of the view.
const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// What is in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// What a person reads.
    pub(super) what: String,
    frame: usize,
}

impl Progress {
    /// The row in a terminal of this width, one frame further than the last one.
    pub(super) fn row(&mut self, width: usize, since: Instant, now: Instant) -> String {
        self.frame = (self.frame + 1) % FRAMES.len();
        let row = format!(
            "{BUSY}{}{BUSY:#} {} {DIM}{}{DIM:#}",
            FRAMES[self.frame],
            self.what,
            duration(now.saturating_duration_since(since).as_secs_f64())
        );
        truncate_str(&row, width.saturating_sub(1), "…").into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_sign_moves_and_the_row_fits() {
        let mut progress = Progress {
            what: "shop CREATE_IN_PROGRESS".to_owned(),
            ..Progress::default()
        };
        let since = Instant::now();
        let mut row = |width| {
            let row = progress.row(width, since, since + Duration::from_secs(4));
            anstream::adapter::strip_str(&row).to_string()
        };
        assert_eq!(row(80), "⠙ shop CREATE_IN_PROGRESS 4.0 s");
        assert_eq!(row(20), "⠹ shop CREATE_IN_P…");
    }
}
