//! What colours mean, everywhere.

use anstyle::{AnsiColor, Style};

/// It went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// It failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// It waits for somebody, or is odd.
pub(crate) const WAITING: Style = AnsiColor::Yellow.on_default();
/// It is under way.
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default();
/// It has a name to be copied.
pub(crate) const ID: Style = AnsiColor::Cyan.on_default();
/// It is said beside.
pub(crate) const DIM: Style = Style::new().dimmed();
/// It stands above what belongs to it.
pub(crate) const HEADING: Style = Style::new().bold();
