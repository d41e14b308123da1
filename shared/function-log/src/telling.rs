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

/// What begins a stack of Python.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// What begins a frame of it.
const PYTHON_FRAME: &str = "File \"";

/// The first error, else the last lines.
#[must_use]
pub fn telling(lines: Vec<String>) -> Vec<String> {
    let lines = message_first(lines).into_iter();
    let lines = lines.filter(|line| !line.trim().is_empty());
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

/// The lines, with each stack of Python as one of Node.js reads: the message first, then the frames, the innermost first and
/// without the lines of code below them. Lambda has logged the message before the stack, and Python prints it after.
fn message_first(lines: Vec<String>) -> Vec<String> {
    let mut turned = Vec::new();
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != TRACEBACK {
            turned.push(line);
            continue;
        }
        let mut frames = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(char::is_whitespace)) {
            if line.trim_start().starts_with(PYTHON_FRAME) {
                frames.push(line);
            }
        }
        turned.extend(lines.next_if(|line| line.split(':').next().is_some_and(is_exception)));
        turned.extend(frames.into_iter().rev());
    }
    turned
}

/// Whether it can be the name of an exception: `KeyError`, `botocore.exceptions.ClientError`.
fn is_exception(name: &str) -> bool {
    let is_part_of_name = |one: char| one.is_alphanumeric() || one == '_' || one == '.';
    !name.is_empty() && name.chars().all(is_part_of_name)
}

/// The line, in which a place in a stack reads as in the function's code; `None` for one of the runtime.
fn below_code(line: &str) -> Option<String> {
    let words = line.trim_start();
    if !(words.starts_with("at ") || words.starts_with(PYTHON_FRAME)) {
        return Some(line.to_owned());
    }
    let found = |folder: &&str| line.find(*folder).map(|at| (at, at + folder.len()));
    let (path, code) = CODE_FOLDERS.iter().find_map(found)?;
    let begin = line[..path]
        .rfind(['(', '"', ' '])
        .map_or(0, |before| before + 1);
    Some(format!("{}{}", &line[..begin], &line[code..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_python_the_exception_comes_before_its_own_frames() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let local = "request 1\nTraceback (most recent call last):\n  File \"/tmp/x/bootstrap.py\", line 80, in main\n    result = \
                     handler(event)\n             ^^^^^^^\n  File \"/tmp/x/code/app.py\", line 7, in handler\n    return total(None)\n  \
                     File \"/tmp/x/code/lib/sum.py\", line 3, in total\n    return sum(items)\nTypeError: 'NoneType' object is not \
                     iterable\nrequest 2";
        let expected = [
            "TypeError: 'NoneType' object is not iterable",
            "  File \"lib/sum.py\", line 3, in total",
            "  File \"app.py\", line 7, in handler",
            "request 2",
        ];
        assert_eq!(telling(lines(local)), expected);
        // As Lambda logs it: the event ends with the stack.
        let lambda = "[ERROR] TypeError: 'NoneType' object is not iterable\nTraceback (most recent call last):\n\u{a0}\u{a0}File \
                      \"/var/task/app.py\", line 7, in handler\n\u{a0}\u{a0}\u{a0}\u{a0}return total(None)\nEND RequestId: 1";
        let expected = [
            "[ERROR] TypeError: 'NoneType' object is not iterable",
            "\u{a0}\u{a0}File \"app.py\", line 7, in handler",
            "END RequestId: 1",
        ];
        assert_eq!(telling(lines(lambda)), expected);
    }

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
