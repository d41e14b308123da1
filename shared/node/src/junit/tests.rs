use std::fs;

use test_case::test_case;

use super::*;

/// As mocha-junit-reporter 2.2.1 writes it: times without a zone, the whole title in `name`.
const MOCHA: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="greeter unit tests" time="0.0120" tests="3" failures="1">
  <testsuite name="Root Suite" timestamp="2026-11-21T04:00:00" tests="0" time="0.0000" failures="0">
  </testsuite>
  <testsuite name="greetings" timestamp="2026-11-21T04:00:00" tests="3" file="/src/test/a.test.js" time="0.0110" failures="1">
    <testcase name="greetings greets by name" time="0.0010" classname="greets by name">
    </testcase>
    <testcase name="greetings says &quot;hello&quot; &amp; more" time="0.0030" classname="says &quot;hello&quot; &amp; more">
      <failure message="expected &apos;a&apos; to equal &apos;b&apos;" type="AssertionError"><![CDATA[AssertionError: <testcase name="no"/>
    at Context.<anonymous>]]></failure>
    </testcase>
    <testcase name="greetings is skipped" time="0.0000" classname="is skipped"><skipped/></testcase>
  </testsuite>
</testsuites>"#;

/// As jest-junit 16 writes it.
const JEST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="2" failures="1" errors="0" time="0.612">
  <testsuite name="sum" errors="0" failures="1" skipped="0" timestamp="2026-11-21T04:00:00" time="0.382" tests="2">
    <testcase classname="sum adds" name="sum adds" time="0.002"></testcase>
    <testcase classname="sum carries" name="sum carries" time="0.003">
      <failure>Error: expect(received).toBe(expected) // Object.is equality

Expected: 4
    at Object.&lt;anonymous&gt; (/src/sum.test.js:8:15)</failure>
    </testcase>
  </testsuite>
</testsuites>"#;

/// As Node.js 20 writes it (`--test-reporter=junit`): cases beside suites, suites in suites.
const NODE: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testcase name="top level" time="0.000842" classname="test"/>
	<testsuite name="outer" time="0.001" disabled="0" errors="0" tests="2" failures="1" skipped="0" hostname="h">
		<testsuite name="inner" time="0.001" disabled="0" errors="0" tests="1" failures="1" skipped="0" hostname="h">
			<testcase name="breaks" time="0.000284" classname="test" failure="boom">
				<failure type="testCodeFailure" message="boom">
[Error [ERR_TEST_FAILURE]: boom]
				</failure>
			</testcase>
		</testsuite>
		<testcase name="later" time="0.0001" classname="test"><skipped type="todo" message="true"/></testcase>
	</testsuite>
	<!-- tests 3 -->
</testsuites>"#;

/// As pytest 8 and Maven Surefire write it: one suite as the root, errors apart from failures.
const PYTEST: &str = r#"<?xml version="1.0" encoding="utf-8"?><testsuite name="pytest" errors="1" failures="0" skipped="0" tests="2" time="0.03" timestamp="2026-11-21T04:00:00.123456+00:00" hostname="h"><testcase classname="tests.test_api" name="test_ok" time="0.001" /><testcase classname="tests.test_api" name="test_setup[1]" time="0.001"><error message="failed on setup">trace</error></testcase></testsuite>"#;

fn read(xml: &str) -> Result<Report, String> {
    read_xml(xml.as_bytes())
}

#[test_case(MOCHA, "3 tests: 1 passed, 1 failed, 1 skipped", "greetings says \"hello\" & more"; "mocha")]
#[test_case(JEST, "2 tests: 1 passed, 1 failed", "sum carries"; "jest")]
#[test_case(NODE, "3 tests: 1 passed, 1 failed, 1 skipped", "test › breaks"; "node")]
#[test_case(PYTEST, "2 tests: 1 passed, 1 failed", "tests.test_api › test_setup[1]"; "pytest")]
fn a_report_is_counted_and_its_failures_named(xml: &str, counts: &str, failed: &str) {
    let report = read(xml).unwrap();
    assert_eq!(report.to_string(), counts);
    assert_eq!(report.failed_names, [failed]);
}

#[test_case("", "it is not a JUnit report"; "empty")]
#[test_case("not xml at all", "it is not a JUnit report"; "text")]
#[test_case("<html><body/></html>", "it is not a JUnit report"; "another document")]
#[test_case("<testsuite><testcase name='a'>", "it is truncated"; "cut")]
#[test_case("<testsuite></testcase></testsuite>", "ill-formed document: expected `</testsuite>`, but `</testcase>` was found"; "crossed")]
fn what_is_no_report_says_so(xml: &str, reason: &str) {
    assert_eq!(read(xml).unwrap_err(), reason);
}

#[test]
fn of_the_first_failed_test_its_words_are_kept() {
    let said = |xml: &str| read(xml).unwrap().first_failed.unwrap();
    let mocha = said(MOCHA);
    assert_eq!(mocha.message, "expected 'a' to equal 'b'");
    assert_eq!(
        mocha.text.trim(),
        "AssertionError: <testcase name=\"no\"/>\n    at Context.<anonymous>"
    );
    let jest = said(JEST);
    assert_eq!(jest.message, "");
    assert!(
        jest.text
            .ends_with("at Object.<anonymous> (/src/sum.test.js:8:15)")
    );
    let entities = "<testsuite><testcase name='a'><system-out>no</system-out><failure>&lt;&#233;&own;</failure></testcase></testsuite>";
    assert_eq!(said(entities).text, "<é&own;");
}

#[test]
fn entities_are_not_expanded() {
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
        <testsuite><testcase name="&b;"><failure/></testcase></testsuite>"#;
    assert_eq!(read(bomb).unwrap().failed_names, ["&b;"]);
}

#[test]
fn reports_are_found_by_pattern_and_a_garbled_one_is_a_warning() {
    let root = tempfile::tempdir().unwrap();
    for folder in ["reports/deep", "node_modules/x/reports"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    fs::write(root.path().join("reports/a.xml"), MOCHA).unwrap();
    fs::write(root.path().join("reports/deep/b.xml"), JEST).unwrap();
    fs::write(root.path().join("reports/garbled.xml"), "<testsuite>").unwrap();
    fs::write(root.path().join("node_modules/x/reports/c.xml"), PYTEST).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("reports/link.xml")).unwrap();

    let all = ReportGlob::new("**/reports/**/*.xml")
        .unwrap()
        .read(root.path(), &EarlierReports::default());
    assert_eq!(
        all.report.to_string(),
        "5 tests: 2 passed, 2 failed, 1 skipped"
    );
    assert_eq!(all.report.files, 2);
    assert_eq!(
        all.warnings,
        ["the report `reports/garbled.xml` cannot be read: it is truncated"]
    );

    let flat = ReportGlob::new("./reports/*.xml")
        .unwrap()
        .read(root.path(), &EarlierReports::default());
    assert_eq!(flat.report.tests, 3);
}

#[test]
fn a_report_that_came_with_the_source_counts_only_once_it_is_written_again() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("junit.xml"), MOCHA).unwrap();
    fs::write(root.path().join("pom.xml"), JEST).unwrap();
    let glob = ReportGlob::new("*.xml").unwrap();
    let earlier = glob.earlier(root.path());
    assert_eq!(glob.read(root.path(), &earlier).report, Report::default());

    fs::remove_file(root.path().join("junit.xml")).unwrap();
    fs::write(root.path().join("junit.xml"), PYTEST).unwrap();
    assert_eq!(
        glob.read(root.path(), &earlier).report.failed_names,
        ["tests.test_api › test_setup[1]"]
    );
}

#[test_case("/etc/*.xml", "it leaves the source"; "absolute")]
#[test_case("a/../../*.xml", "it leaves the source"; "upwards")]
#[test_case("", "it is empty"; "empty")]
#[test_case("a[", "unclosed character class at byte 1; missing ']' (to match a literal '[', escape it as '\\[' or '[[]')"; "no pattern")]
fn a_pattern_that_cannot_be_used_is_refused(pattern: &str, reason: &str) {
    let error = ReportGlob::new(pattern).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`report` has the pattern `{pattern}`, which cannot be used: {reason}")
    );
    assert_eq!(error.failure_type(), FailureType::ConfigurationError);
}

#[test]
fn names_are_bounded_and_all_failures_counted() {
    let cases = format!(
        "<testcase name='{}'><failure message='{}'>{}</failure></testcase>",
        "n".repeat(10_000),
        "m".repeat(20_000),
        "ü&amp;".repeat(10_000)
    )
    .repeat(200);
    let report = read(&format!("<testsuite>{cases}</testsuite>")).unwrap();
    assert_eq!((report.failed, report.failed_names.len()), (200, MAX_NAMES));
    assert_eq!(report.failed_names[0].chars().count(), MAX_NAME_CHARS);
    let first = report.first_failed.unwrap();
    assert_eq!((first.message.len(), first.text.len()), (16_384, 16_384));
}

#[test]
fn utf_16_is_read_with_and_without_a_byte_order_mark() {
    let root = tempfile::tempdir().unwrap();
    let xml = MOCHA
        .replace("UTF-8", "UTF-16")
        .replace("greets by name", "grüßt 🎉");
    for (mark, order) in [
        ("\u{feff}", u16::to_le_bytes as fn(u16) -> [u8; 2]),
        ("\u{feff}", u16::to_be_bytes),
        ("", u16::to_le_bytes),
        ("", u16::to_be_bytes),
    ] {
        let text = format!("{mark}{xml}");
        let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
        let file = root.path().join("report.xml");
        fs::write(&file, bytes).unwrap();
        let report = read_file(&file).unwrap();
        assert_eq!((report.tests, report.failed, report.skipped), (3, 1, 1));
    }
}

#[test]
fn names_are_shortened_and_those_of_files_read_as_below_the_directory() {
    let report = Report {
        failed_names: vec![
            "/tmp/source/test/a.test.js".to_owned(),
            format!("one\ntwo{}", "ü".repeat(1_000)),
        ],
        ..Report::default()
    };
    let report = report.below(Path::new("/tmp/source"));
    assert_eq!(report.failed_names[0], "test/a.test.js");
    let long = &report.failed_names[1];
    assert!(long.starts_with("one two"), "{long}");
    assert_eq!(long.chars().count(), MAX_NAME_CHARS);
}
