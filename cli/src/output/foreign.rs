//! Makes foreign text safe to print: commit messages, test names, log lines, answers of services, paths.
//!
//! A terminal must not obey its control characters, and a CI system not its workflow commands.

/// Precedes each quoted line, so that no quoted line starts at the start of a line of output: a CI system would obey it.
pub(crate) const MARK: &str = "| ";

/// The text without what a terminal would obey; line breaks and tabs stay.
pub(crate) fn text(text: &str) -> String {
    tamed(&delivery_action::text::plain(text))
}

/// The text as one line.
pub(crate) fn line(text: &str) -> String {
    tamed(&delivery_action::text::one_line(text))
}

/// A line as it is quoted.
pub(crate) fn quoted(line: &str) -> String {
    format!("{MARK}{}", self::line(line))
}

/// Takes commands of CI systems apart that are obeyed wherever they stand in a line (Azure Pipelines'
/// `##vso[`, GitHub's older `##[`, `TeamCity`'s `##teamcity[`): [`MARK`] does not help against these.
fn tamed(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("##") {
        let (before, found) = rest.split_at(at);
        tamed.push_str(before);
        let name =
            found[2..].trim_start_matches(|character: char| character.is_ascii_alphanumeric());
        let is_command = name.starts_with('[');
        tamed.push_str(if is_command { "# #" } else { "##" });
        rest = &found[2..];
    }
    tamed.push_str(rest);
    tamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_a_command_of_a_terminal_or_of_continuous_integration() {
        assert_eq!(quoted("::error file=a::b"), "| ::error file=a::b");
        assert_eq!(quoted("##[error]b"), "| # #[error]b");
        assert_eq!(text("a\n##vso[task.x]b"), "a\n# #vso[task.x]b");
        assert_eq!(text("## Title ### [x]"), "## Title ### [x]");
        assert_eq!(line("Fix\u{1b}[2K\u{202e}\u{9b}1A it\n\nnow"), "Fix it now");
    }
}
