//! Which lines of a log say why something failed.

/// Most lines that are shown: the message of an error and where it was thrown.
const MAX_LINES: usize = 5;

/// What begins an error in a log, of Node.js, Python, Java, of Lambda itself, and of the local AWS, which writes a function that
/// cannot be loaded without the word.
const ERRORS: [&str; 8] = [
    "rror",
    "ERROR",
    "xception",
    "Traceback",
    "Task timed out",
    "Cannot find module",
    "Unable to import module",
    "init failed",
];

/// Where the code of a function lies: on Lambda, and in the local AWS.
const CODE_FOLDERS: [&str; 2] = ["/var/task/", "/code/"];

/// The first error, else the last lines.
#[must_use]
pub fn telling(lines: Vec<String>) -> Vec<String> {
    let lines = lines.into_iter().filter(|line| !line.trim().is_empty());
    let mut lines: Vec<String> = lines.filter_map(|line| below_code(&line)).collect();
    let is_error = |line: &String| ERRORS.iter().any(|word| line.contains(word));
    let from = lines
        .iter()
        .position(is_error)
        .unwrap_or(lines.len().saturating_sub(MAX_LINES));
    lines.drain(..from);
    lines.truncate(MAX_LINES);
    lines
}

/// The line, in which a place in a stack reads as in the function's code; `None` for one of the runtime.
fn below_code(line: &str) -> Option<String> {
    if !line.trim_start().starts_with("at ") {
        return Some(line.to_owned());
    }
    let found = |folder: &&str| line.find(*folder).map(|at| (at, at + folder.len()));
    let (path, code) = CODE_FOLDERS.iter().find_map(found)?;
    let begin = line[..path]
        .rfind(['(', ' '])
        .map_or(0, |before| before + 1);
    Some(format!("{}{}", &line[..begin], &line[code..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_more_than_what_was_logged_last() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let all: Vec<String> = (1..10).map(|number| format!("request {number}")).collect();
        assert_eq!(telling(all.clone()), all[4..]);
        let mut failed: Vec<String> = lines(&[
            "Error: boom",
            "",
            "    at f (/tmp/x/code/index.js:1:39)",
            "    at g (node:events:1:2)",
        ]);
        failed.extend(all.clone());
        let expected = [
            "Error: boom",
            "    at f (index.js:1:39)",
            "request 1",
            "request 2",
        ];
        let mut both = all.clone();
        both.extend(failed);
        assert_eq!(telling(both)[..4], expected);
        assert_eq!(telling(Vec::new()), [""; 0]);
        // As the local AWS writes it, beside a warning of another function that came later.
        let not_loaded = lines(&[
            "Worker init failed: Cannot find module 'nanoid'",
            "will require node >=22. You are running node v20.20.2",
        ]);
        let late: Vec<String> = [not_loaded.clone(), all].concat();
        assert_eq!(telling(late)[..2], not_loaded[..]);
    }
}
