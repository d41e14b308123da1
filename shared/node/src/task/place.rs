//! Places in a project's files, found in text that programs wrote.

use std::path::{Component, Path};
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::project::Project;

/// A file and a line, as most programs (`a.js:9:12`, `file:///src/a.js:9`), the TypeScript compiler (`a.ts(9,12)`) and
/// Python (`File "a.py", line 9`) write it. Only in parentheses and quotes may a path have spaces.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"File "([^"]+)", line (\d+)|\((?:file://)?([^()]+):(\d+):\d+\)|([^\s()'"`]+)\((\d+),\d+\)|(?:file://)?([^\s()\[\]'"`<>|]+?):(\d+)"#;
    Regex::new(pattern).expect("a valid pattern")
});

/// A problem below the name of its file, as eslint writes it: `  3:5  error  Parsing error`.
static PROBLEM: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s+(\d+):\d+\s+error\s").expect("a valid pattern"));

/// Packages are not what somebody who fixes a project looks at.
const PACKAGES: &str = "node_modules";

/// The first place in the text that is in one of the project's own files, as `FILE:LINE` below the source.
pub(super) fn first(text: &str, project: &Project) -> Option<String> {
    places(text, project).next()
}

/// The last one.
pub(super) fn last(text: &str, project: &Project) -> Option<String> {
    places(text, project).last()
}

fn places<'a>(text: &'a str, project: &'a Project) -> impl Iterator<Item = String> + 'a {
    let mut heading = None;
    text.lines().flat_map(move |line| {
        let problem = PROBLEM.captures(line);
        if let (Some(file), Some(problem)) = (&heading, problem) {
            return vec![format!("{file}:{}", &problem[1])];
        }
        let found = PLACE.captures_iter(line).filter_map(|found| {
            let group = |file, line| Some((found.get(file)?.as_str(), found.get(line)?.as_str()));
            let (file, number) = group(1, 2)
                .or_else(|| group(3, 4))
                .or_else(|| group(5, 6))
                .or_else(|| group(7, 8))?;
            Some(format!("{}:{number}", own_file(file, project)?))
        });
        let found = found.collect();
        if !line.starts_with(char::is_whitespace) && !line.is_empty() {
            heading = own_file(line.trim_end(), project);
        }
        found
    })
}

/// The file's path below the source, if it is one of the project's own. In a URL its name may be percent-encoded.
fn own_file(path: &str, project: &Project) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    let decoded = decoded.ok().filter(|decoded| decoded != path);
    existing_file(path, project).or_else(|| existing_file(&decoded?, project))
}

fn existing_file(path: &str, project: &Project) -> Option<String> {
    let path = Path::new(path);
    let is_package = |part: Component<'_>| part.as_os_str() == PACKAGES;
    if path.components().any(is_package) {
        return None;
    }
    // The output has been made relative to the source, and programs name files relative to where they run.
    [project.directory(), project.source()]
        .into_iter()
        .filter_map(|base| base.join(path).canonicalize().ok())
        .find(|file| file.is_file() && file.starts_with(project.source()))
        .map(|file| project.shown(&file))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use test_case::test_case;

    use super::*;

    #[test_case("[08:55:18] lambda/greet.js:30\nconst x = ;\n    at f (web/test/a.js:5:19)", Some("lambda/greet.js:30"); "a syntax error of Node.js")]
    #[test_case("at f (ROOT/lambda/greet.js:30:2)", Some("lambda/greet.js:30"); "an absolute path")]
    #[test_case("at file://ROOT/lambda/greet.js:30:2", Some("lambda/greet.js:30"); "a file url")]
    #[test_case("at async f (file://ROOT/a%20b/gr%C3%BC%C3%9Fe.js:3:52)", Some("a b/grüße.js:3"); "a file url with encoded characters")]
    #[test_case("at f (ROOT/a b/grüße.js:3:52)", Some("a b/grüße.js:3"); "a path with a space")]
    #[test_case("at a%20b/gr%C3%BC%C3%9Fe.js:3:52", Some("a b/grüße.js:3"); "a url whose beginning was taken away")]
    #[test_case("at f (./test/a.js:5:1)", Some("web/test/a.js:5"); "relative to the directory")]
    #[test_case("at f (../lambda/greet.js:5:1)", Some("lambda/greet.js:5"); "above the directory")]
    #[test_case("test/a.js(9,12): error TS1005: ';' expected.", Some("web/test/a.js:9"); "the TypeScript compiler")]
    #[test_case("  File \"lambda/greet.js\", line 8, in <module>", Some("lambda/greet.js:8"); "Python")]
    #[test_case("lambda/greet.js\n  1:1  warning  a\n  3:5  error  Parsing error", Some("lambda/greet.js:3"); "eslint")]
    #[test_case("test/a.js\nnot a problem\n  3:5  error  x", None; "a problem of nothing")]
    #[test_case("at f (node:internal/timers:483:21)\nat g (/etc/passwd:1:1)\nat h (node_modules/x/i.js:1:1)\nhttp://127.0.0.1:4566/x [08:55:18]", None; "others")]
    #[test_case("out.js:1 ../../etc/passwd:1 lambda:3 :4", None; "a path outside of the source and one that is not a file")]
    fn a_place_of_the_project_is_found(text: &str, expected: Option<&str>) {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "lambda/greet.js",
            "web/test/a.js",
            "web/node_modules/x/i.js",
            "a b/grüße.js",
        ] {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("out.js")).unwrap();
        let project = Project::open(root.path(), "web").unwrap();
        let text = text.replace("ROOT", &project.source().display().to_string());
        assert_eq!(first(&text, &project).as_deref(), expected);
    }
}
