//! The live view on a terminal: every stage and action of one execution with its status and time, or one row
//! with what is in progress.
//!
//! The view is drawn below all text, and again every [`TICK`] by a thread of its own. Whoever prints text has
//! to do it through [`Live::print_above`]: both write to the same terminal, and text that is printed while
//! the rows are there would be wiped away with them.

mod progress;
mod screen;
mod tree;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::message::{Message, RunMessage, StageShape};

use progress::Progress;
use screen::Screen;
use tree::Tree;

/// How often the elapsed times move; a person sees no more.
const TICK: Duration = Duration::from_millis(200);

/// The view. It stays as it is when its execution is over; the row with the progress goes.
#[derive(Debug)]
pub(super) struct Live {
    view: Arc<Mutex<View>>,
}

#[derive(Debug)]
struct View {
    screen: Screen,
    started: Instant,
    stages: Vec<StageShape>,
    tree: Option<Tree>,
    progress: Option<Progress>,
}

impl Live {
    pub(super) fn new() -> Self {
        let view = Arc::new(Mutex::new(View {
            screen: Screen::default(),
            started: Instant::now(),
            stages: Vec::new(),
            tree: None,
            progress: None,
        }));
        let ticking = Arc::downgrade(&view);
        // A thread: what the command itself does must not stop the clocks. It ends with the view.
        std::thread::spawn(move || {
            while let Some(view) = ticking.upgrade() {
                view.lock().unwrap_or_else(PoisonError::into_inner).draw();
                drop(view);
                std::thread::sleep(TICK);
            }
        });
        Self { view }
    }

    /// Whether the view shows the message, so that no line needs to.
    pub(super) fn shows(message: &Message) -> bool {
        matches!(
            message,
            Message::Run(
                RunMessage::Action(_)
                    | RunMessage::Progress(_)
                    | RunMessage::Heartbeat { .. }
                    | RunMessage::Pipeline { .. }
            )
        )
    }

    /// Lets something print above the view.
    pub(super) fn print_above(&self, print: impl FnOnce()) {
        self.change(|view| {
            view.screen.clear();
            print();
            view.draw();
        });
    }

    pub(super) fn show_progress(&self, what: &str) {
        self.change(|view| {
            what.clone_into(&mut view.progress.get_or_insert_default().what);
            view.draw();
        });
    }

    pub(super) fn clear_progress(&self) {
        self.change(View::clear_progress);
    }

    /// Brings the view up to date.
    pub(super) fn update(&self, message: &Message) {
        if let Message::Run(message) = message {
            self.change(|view| view.update(message));
        }
    }

    fn change(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear_progress();
    }
}

impl View {
    fn draw(&mut self) {
        let (width, height) = Screen::size();
        let now = Instant::now();
        let rows = match (&self.tree, &mut self.progress) {
            (Some(tree), _) => tree.rows(width, height, now),
            (None, Some(progress)) => vec![progress.row(width, self.started, now)],
            (None, None) => return,
        };
        self.screen.draw(&rows);
    }

    fn update(&mut self, message: &RunMessage) {
        match message {
            RunMessage::Pipeline { stages, .. } => self.stages.clone_from(stages),
            RunMessage::Execution {
                execution, status, ..
            } => match (&self.tree, status.as_str()) {
                (Some(tree), "InProgress") if tree.execution == *execution => {}
                (_, "InProgress") => {
                    self.leave_tree();
                    self.tree = Some(Tree::new(execution, &self.stages));
                    self.draw();
                }
                (Some(tree), status) if tree.execution == *execution && status != "Stopping" => {
                    self.leave_tree();
                }
                _ => {}
            },
            RunMessage::Action(action) => {
                if let Some(tree) = &mut self.tree
                    && tree.execution == action.execution
                {
                    tree.show(action, Instant::now());
                    self.draw();
                }
            }
            RunMessage::Result(_) => self.leave_tree(),
            _ => {}
        }
    }

    /// Leaves the whole tree as lines that nothing touches any more: also what a small terminal did not show.
    fn leave_tree(&mut self) {
        if let Some(tree) = self.tree.take() {
            let (width, _) = Screen::size();
            self.screen.clear();
            for row in tree.rows(width, usize::MAX, Instant::now()) {
                self.screen.print(&row);
            }
        }
    }

    fn clear_progress(&mut self) {
        if self.progress.take().is_some() && self.tree.is_none() {
            self.screen.clear();
        }
    }
}
