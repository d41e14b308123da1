//! Two good commits: production moves from the first to the second while it is visited.

use std::io;

use pipeline_tests::application::Application;
use pipeline_tests::delivery::{Delivery, Run};
use pipeline_tests::packages::Packages;
use pipeline_tests::visitor::Visitor;

use crate::{deliver, say};

/// Fails unless npm-install ran the layer's own programs.
fn ran_the_layer(run: &Run, packages: &Packages) -> io::Result<()> {
    let versions = packages.versions();
    let summary = run.summary("npm-install").unwrap_or_default();
    if !summary.contains(&versions) {
        return Err(io::Error::other(format!(
            "npm-install did not run the layer's programs {versions}: {summary}"
        )));
    }
    say(&format!(
        "npm-install ran the layer's own programs {versions}"
    ));
    Ok(())
}

pub(crate) async fn show(
    greeter: &Application,
    delivery: &Delivery,
    packages: Option<&Packages>,
) -> io::Result<()> {
    let visitor = Visitor::default();
    let first = greeter.head()?;
    say(&format!("delivering commit {first}"));
    let run = deliver(delivery).await?;
    if let Some(packages) = packages {
        ran_the_layer(&run, packages)?;
    }
    let (api, site) = run.urls("Production")?;
    let (greeting, config) = (format!("{api}greeting"), format!("{site}config.json"));
    for url in [&greeting, &config] {
        answers(&visitor, url, &first).await?;
    }

    greeter.replace(
        "lambda/greetings.js",
        "[\"es\", \"Hola\"],",
        "[\"es\", \"Hola\"],\n  [\"it\", \"Ciao\"],",
    )?;
    let second = greeter.commit("Greet in Italian")?;
    say(&format!(
        "delivering commit {second}, while someone fetches production all the time"
    ));
    let urls = vec![
        greeting.clone(),
        config.clone(),
        format!("{site}index.html"),
    ];
    let fetching = visitor.keep_fetching(urls);
    let run = deliver(delivery).await;
    let seen = fetching.end().await?;
    run?;
    for url in [&greeting, &config] {
        answers(&visitor, url, &second).await?;
        moved_once(&seen.versions, url, [&first, &second])?;
    }
    if let Some(failure) = seen.failures.first() {
        let count = seen.failures.len();
        return Err(io::Error::other(format!(
            "{count} of {} requests failed: {failure}",
            seen.requests
        )));
    }
    say(&format!(
        "{} requests while production moved, none failed",
        seen.requests
    ));
    Ok(())
}

async fn answers(visitor: &Visitor, url: &str, version: &str) -> io::Result<()> {
    let answer = visitor.get(url).await?;
    if answer.version().as_deref() != Some(version) {
        return Err(io::Error::other(format!(
            "{url} answered {} {} and not version {version}",
            answer.status, answer.body
        )));
    }
    say(&format!("{url} answers {}", answer.body.trim()));
    Ok(())
}

/// Fails unless the old version answered, then the new one, and never the old one again.
fn moved_once(versions: &[(String, String)], url: &str, expected: [&String; 2]) -> io::Result<()> {
    let seen: Vec<&String> = versions
        .iter()
        .filter(|(of, _)| of == url)
        .map(|(_, version)| version)
        .collect();
    if seen == expected {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{url} answered the versions {seen:?} and not {expected:?}"
    )))
}
