//! The console's pages.

use minijinja::value::{Serde, Value};
use minijinja::{Error, context};
use serde::Serialize;

use crate::output::html::{hash_source, render};

const SHELL: &str = include_str!("shell.html");
const OVERVIEW: &str = include_str!("overview.html");
const QUESTION: &str = include_str!("question.html");
const RESULT: &str = include_str!("result.html");
const NOTICE: &str = include_str!("notice.html");
const WAY: &str = include_str!("way.html");

/// The style of the page of a run, and what the console has besides.
const STYLE: &str = concat!(
    include_str!("../record/page.css"),
    include_str!("console.css")
);
const SCRIPT: &str = include_str!("console.js");

/// The page with everything; it loads itself again.
pub(super) fn overview<T: Serialize>(
    title: &str,
    overview: &T,
    refresh_seconds: u64,
) -> Result<String, Error> {
    let body = render(OVERVIEW, context! { page => Serde(overview) })?;
    shell(title, body, Some(refresh_seconds))
}

/// The page that asks before a command is run.
pub(super) fn question<T: Serialize>(
    title: &str,
    question: &T,
    form: &str,
) -> Result<String, Error> {
    let context = context! { page => Serde(question), form, field => super::guard::FORM_FIELD };
    shell(title, render(QUESTION, context)?, None)
}

/// The page that says how a command ended.
pub(super) fn result<T: Serialize>(title: &str, result: &T) -> Result<String, Error> {
    shell(
        title,
        render(RESULT, context! { page => Serde(result) })?,
        None,
    )
}

/// A page with a sentence or two.
pub(super) fn notice(
    title: &str,
    text: &str,
    refresh_seconds: Option<u64>,
) -> Result<String, Error> {
    shell(
        title,
        render(NOTICE, context! { title, text })?,
        refresh_seconds,
    )
}

/// A page that leads to another address at once, without a script.
pub(super) fn way_to(address: &str) -> String {
    render(WAY, context! { address }).unwrap_or_default()
}

fn shell(title: &str, body: String, refresh_seconds: Option<u64>) -> Result<String, Error> {
    let context = context! {
        title,
        body => Value::from_safe_string(body),
        refresh_seconds,
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        version => env!("CARGO_PKG_VERSION"),
    };
    render(SHELL, context)
}

/// What a browser may do with the pages: their own style and script, forms and requests to the console itself, nothing else. A
/// second barrier behind the escaping.
pub(super) fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
        hash_source(STYLE),
        hash_source(SCRIPT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::look::{Known, Look};
    use crate::console::offer::offers;
    use crate::console::samples;
    use crate::console::view::{Overview, Question};

    fn shown(look: Look, problem: Option<&str>) -> String {
        let known = Known::of(look, problem);
        let page = Overview::of(&known, &[]).unwrap();
        overview(&page.title(), &page, 2).unwrap()
    }

    fn is_harmless(html: &str) {
        for forbidden in [
            "<img",
            "<script>alert",
            "\u{202e}",
            "\u{1b}",
            "href=\"javascript",
            "onerror=alert(1)>",
        ] {
            assert!(!html.contains(forbidden), "{forbidden:?} in {html}");
        }
        assert!(
            html.contains("&lt;img src=x onerror=alert(1)&gt;"),
            "{html}"
        );
    }

    #[test]
    fn what_others_wrote_is_text_on_every_page() {
        let html = shown(samples::hostile(), Some(samples::HOSTILE));
        is_harmless(&html);
        assert_eq!(html.matches("<script>").count(), 1);
        for offer in offers(&samples::hostile()) {
            let page = Question::of(&offer, Some(samples::HOSTILE.to_owned()));
            is_harmless(&question(&offer.question, &page, "form").unwrap());
        }
        is_harmless(&notice("Refused", samples::HOSTILE, None).unwrap());
        is_harmless(&format!(
            "{} &lt;img src=x onerror=alert(1)&gt;",
            way_to(samples::HOSTILE)
        ));
    }

    #[test]
    fn the_overview_has_what_waits_and_what_goes_on() {
        let html = shown(samples::look(), None);
        for part in [
            "Waits for approval",
            "step 1 of 2",
            "version 8",
            "120 requests, 3 failed",
            "Stage Commit",
            "Environment pp",
            ">Promote<",
            ">Roll back<",
            ">Abort<",
            "3 older ones",
            "pp.example",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains("Nothing newer could be read"));
    }

    #[test]
    fn a_release_that_was_rolled_back_is_shown_so() {
        let mut look = samples::look();
        assert!(!shown(look.clone(), None).contains("(rolled back)"));
        for release in look.releases.iter_mut().flat_map(|list| &mut list.releases) {
            release.rolled_back = vec!["int".to_owned()];
        }
        assert!(shown(look, None).contains("<td>int (rolled back)</td>"));
    }

    #[test]
    fn what_was_read_stays_when_nothing_newer_can_be_read() {
        let html = shown(samples::look(), Some("AWS does not answer"));
        assert!(html.contains("AWS does not answer") && html.contains("step 1 of 2"));
        assert!(Overview::of(&Known::default(), &[]).is_none());
    }

    #[test]
    fn the_policy_lets_only_the_page_s_own_script_and_style_run() {
        let html = shown(samples::look(), None);
        let policy = policy();
        for (tag, end) in [("<style>", "</style>"), ("<script>", "</script>")] {
            let (_, rest) = html.split_once(tag).unwrap();
            let (text, _) = rest.split_once(end).unwrap();
            assert!(policy.contains(&hash_source(text)), "{tag}");
        }
        assert!(
            !policy.contains("unsafe") && !html.contains(" style=\"") && !html.contains(" onclick")
        );
    }
}
