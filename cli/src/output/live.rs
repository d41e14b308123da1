//! The live view on a terminal: every stage and action of one execution with its status and time.

mod screen;
mod tree;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Event, StageShape};

use screen::Screen;
use tree::Tree;

/// How often the elapsed times move; a person sees no more.
const TICK: Duration = Duration::from_millis(200);

/// The view. It stands below all lines that are printed while it is there, and stays as it is when its
/// execution is over.
#[derive(Debug)]
pub(crate) struct Live {
    stages: Vec<StageShape>,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Debug, Default)]
struct Shown {
    screen: Screen,
    tree: Option<Tree>,
}

impl Shown {
    fn draw(&mut self) {
        if let Some(tree) = &self.tree {
            let (width, height) = Screen::size();
            self.screen.draw(&tree.rows(width, height, Instant::now()));
        }
    }
}

impl Live {
    pub(crate) fn new() -> Self {
        let shown = Arc::new(Mutex::new(Shown::default()));
        let ticking = Arc::downgrade(&shown);
        // A thread: what the run itself does must not stop the clocks. It ends with the view.
        std::thread::spawn(move || {
            while let Some(shown) = ticking.upgrade() {
                shown.lock().unwrap_or_else(PoisonError::into_inner).draw();
                drop(shown);
                std::thread::sleep(TICK);
            }
        });
        Self {
            stages: Vec::new(),
            shown,
        }
    }

    /// Prints above the view.
    pub(crate) fn print(&self, text: &str) {
        self.change(|shown| {
            shown.screen.print(text);
            shown.draw();
        });
    }

    /// Brings the view up to date.
    pub(crate) fn update(&mut self, event: &Event) {
        match event {
            Event::Pipeline { stages, .. } => self.stages.clone_from(stages),
            Event::Execution {
                execution, status, ..
            } => self.change(|shown| match (&shown.tree, status.as_str()) {
                (Some(tree), "InProgress") if tree.execution == *execution => {}
                (_, "InProgress") => {
                    leave(shown);
                    shown.tree = Some(Tree::new(execution, &self.stages));
                    shown.draw();
                }
                (Some(tree), status) if tree.execution == *execution && status != "Stopping" => {
                    leave(shown);
                }
                _ => {}
            }),
            Event::Action(action) => self.change(|shown| {
                if let Some(tree) = &mut shown.tree
                    && tree.execution == action.execution
                {
                    tree.show(action, Instant::now());
                    shown.draw();
                }
            }),
            Event::Result(_) => self.change(leave),
            _ => {}
        }
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Leaves the whole view as lines that nothing touches any more: also what a small terminal did not show.
fn leave(shown: &mut Shown) {
    if let Some(tree) = shown.tree.take() {
        let (width, _) = Screen::size();
        shown.screen.clear();
        for row in tree.rows(width, usize::MAX, Instant::now()) {
            shown.screen.print(&row);
        }
    }
}
