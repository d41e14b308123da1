//! A commit that fails one request in three: found out with 10 % of the requests, and taken back.

use std::io;

use pipeline_tests::application::Application;
use pipeline_tests::delivery::{Delivery, Run};

use crate::alias::{self, LOOK, Production, Seen};
use crate::numbers::TakenBack;
use crate::traffic::{Traffic, Visit};
use crate::{deliver, run, say};

/// The stage of production, which is called as the environment.
const STAGE: &str = "prod";

/// 20 seconds are some 100 requests for the new version, and a third of the three errors that prove something come
/// in a second.
const DEFINITION: &str = r#"application = "greeter"

[environments]
test = {}

[environments.prod]
after   = "test"
rollout = "canary:10@20s"
"#;

/// What the lines of the example become.
const GREETS: (&str, &str) = (
    "  return { greeting: `${GREETINGS.get(language)}, ${who}!`, language };",
    "  const mark = language === \"es\" ? MARKS.get(language).trim() : \"\";\n  \
       return { greeting: `${mark}${GREETINGS.get(language)}, ${who}!`, language };",
);
const BEFORE: &str = "const DEFAULT_LANGUAGE";

/// The name is wrong, so there is no mark to trim. No test speaks Spanish.
const MISTAKE: &str = "const MARKS = new Map([[\"spanish\", \"¡\"]]);\n\n";
const MENDED: &str = "const MARKS = new Map([[\"es\", \"¡\"]]);\n\n";

/// A release: the version that Lambda numbered, and the commit that it answers with.
#[derive(Clone, Debug)]
struct Release {
    version: String,
    commit: String,
}

pub(crate) async fn show(greeter: &Application, delivery: &Delivery) -> io::Result<()> {
    greeter.write("delivery.toml", DEFINITION)?;
    let commit = greeter.commit("Deliver with a canary")?;
    say(&format!("delivering commit {commit}, the first release"));
    let (api, _) = deliver(delivery).await?.urls(STAGE)?;
    let production = Production::of(delivery).await?;
    let stable = Release {
        version: production.read().await?.version,
        commit,
    };

    let began = alias::now()?;
    let traffic = Traffic::send(&format!("{api}greeting"));
    let looking = production.look();
    let releases = releases(greeter, delivery, &production).await;
    let (visits, seen) = (traffic.end().await?, looking.end().await?);
    let (bad, failure, mended) = releases?;

    let counted = production
        .traffic(&stable.version, &bad.version, began)
        .await?;
    let taken_back = TakenBack {
        visits: &visits,
        seen: &seen,
        stable: (&stable.version, &stable.commit),
        bad: (&bad.version, &bad.commit),
        counted,
    };
    print(&taken_back, &failure)?;
    moved(&visits, &seen, &mended)
}

/// Delivers the bad commit and the one that mends it. Gives back both, and why the pipeline failed.
async fn releases(
    greeter: &Application,
    delivery: &Delivery,
    production: &Production,
) -> io::Result<(Release, String, Release)> {
    const FILE: &str = "lambda/greetings.js";
    greeter.replace(FILE, BEFORE, &format!("{MISTAKE}{BEFORE}"))?;
    greeter.replace(FILE, GREETS.0, GREETS.1)?;
    let commit = greeter.commit("Open Spanish greetings with a mark")?;
    say(&format!(
        "delivering commit {commit}, which fails for every third visitor, the one who speaks Spanish"
    ));
    let looking = production.look();
    let run = run(delivery).await;
    let seen = looking.end().await?;
    let failure = failure(&run?)?;
    let version = canary(&seen)?;
    let bad = Release { version, commit };

    greeter.replace(FILE, MISTAKE, MENDED)?;
    let commit = greeter.commit("Find the mark of Spanish greetings")?;
    say(&format!("delivering commit {commit}, which mends it"));
    deliver(delivery).await?;
    let version = production.read().await?.version;
    Ok((bad, failure, Release { version, commit }))
}

/// Why the pipeline failed; it has to have failed in production, and because of the errors.
fn failure(run: &Run) -> io::Result<String> {
    if run.exit_code == 0 {
        return Err(io::Error::other(
            "the bad commit was delivered to all visitors",
        ));
    }
    let failure = run.failure(STAGE, "deploy-app");
    let failure = failure.ok_or_else(|| {
        let actions = run.actions();
        io::Error::other(format!(
            "deploy-app did not fail in production: {actions:?}"
        ))
    })?;
    if !failure.contains("fails more often than") {
        return Err(io::Error::other(format!(
            "it failed for another reason: {failure}"
        )));
    }
    Ok(failure)
}

/// The version that the alias gave a part of the requests.
fn canary(seen: &[Seen]) -> io::Result<String> {
    let mut weights = seen.iter().flat_map(|seen| seen.alias.weights.keys());
    let version = weights.next().cloned();
    version.ok_or_else(|| io::Error::other("the alias gave no version a part of the requests"))
}

fn print(taken_back: &TakenBack<'_>, failure: &str) -> io::Result<()> {
    let numbers = taken_back.numbers().map_err(io::Error::other)?;
    let (version, commit) = taken_back.stable;
    let (bad, _) = taken_back.bad;
    say(&format!("the pipeline failed: {failure}"));
    say(&format!("in all, {}", numbers.all));
    say(&format!("while version {bad} had 10 %, {}", numbers.during));
    say(&format!(
        "version {bad}, by Lambda's count: {}",
        taken_back.counted.new
    ));
    say(&format!(
        "{:.1} s from the first bad answer until the alias was wholly on version {version} again, looked at each {} ms; \
         the last bad answer came {:.1} s after the first",
        numbers.back_after.as_secs_f64(),
        LOOK.as_millis(),
        numbers.last_bad_after.as_secs_f64()
    ));
    say(&format!(
        "version {version} gave {} answers, and none of its requests failed",
        taken_back.answered_by(commit)
    ));
    Ok(())
}

/// Fails unless the mended release went through the canary, and has all visitors.
fn moved(visits: &[Visit], seen: &[Seen], mended: &Release) -> io::Result<()> {
    let had_a_part = |seen: &Seen| seen.alias.weights.contains_key(&mended.version);
    if !seen.iter().any(had_a_part) {
        return Err(io::Error::other("the next commit had no canary"));
    }
    let last = visits.last().map(|visit| &visit.answer);
    if last != Some(&Ok(mended.commit.clone())) {
        return Err(io::Error::other(format!(
            "visitors do not get commit {}, but {last:?}",
            mended.commit
        )));
    }
    say(&format!(
        "version {}, the next commit, has all requests",
        mended.version
    ));
    Ok(())
}
