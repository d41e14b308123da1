//! The meaning of colours in all messages.

use anstyle::{AnsiColor, Style};

/// It went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// It failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// It waits for a person, or is unusual.
pub(crate) const WAITING: Style = AnsiColor::Yellow.on_default();
/// It is under way.
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default();
/// A name that people copy.
pub(crate) const ID: Style = AnsiColor::Cyan.on_default();
/// Details.
pub(crate) const DIM: Style = Style::new().dimmed();
/// A heading.
pub(crate) const HEADING: Style = Style::new().bold();
