//! `delivery deploy` against what else deploys a SAM template from a folder, in one local AWS.

mod deployed;
mod deployer;
pub mod promotion;
mod published;
mod released;

use std::io;
use std::path::Path;

use local::aws::LocalAws;

use self::deployed::Deployed;
use self::deployer::Deployer;
use super::contest::{Contender, fastest, hold};
use super::report::{Section, Target};
use super::spent::Spent;
use super::{Bench, local_aws};
use crate::application::copy;
use crate::checkout;

/// Rounds that count; each peer takes several seconds.
const ROUNDS: usize = 5;

/// How many times as fast as the fastest peer `delivery deploy` has to be.
const LEAST: f64 = 3.0;

/// The function that changes, and what in it does.
const CHANGED: &str = "notes/list/index.js";
const EDITION: &str = r#"EDITION = ""#;

/// Deploys the same application by each program, without a change and with one.
///
/// # Errors
///
/// Where a program fails, or does not do what it says.
pub async fn compare(bench: &Bench) -> io::Result<Vec<Section>> {
    let aws = local_aws::start().await?;
    let deployed = Deployed::new(&aws).await?;
    let deployers = deployers(bench, &aws).await?;
    let sections = [
        unchanged(bench, &deployers, &deployed).await?,
        changed(bench, &deployers, &deployed).await?,
    ];
    aws.stop().await.map_err(io::Error::other)?;
    Ok(sections.into())
}

/// Everyone with a copy of the application, which is deployed once.
async fn deployers(bench: &Bench, aws: &LocalAws) -> io::Result<Vec<Deployer>> {
    let root = bench.fresh("deploy")?;
    let deployers = Deployer::all(bench, aws, &root);
    for deployer in &deployers {
        copy(
            &checkout::root().join("tests/bench/deploy"),
            deployer.folder(),
        )?;
        deployer.deploy().await?;
    }
    Ok(deployers)
}

async fn unchanged(
    bench: &Bench,
    deployers: &[Deployer],
    stacks: &Deployed,
) -> io::Result<Section> {
    let mut turns = turns(deployers);
    hold(bench.rounds(ROUNDS), &mut turns, async |deployer, _, _| {
        let before = stacks.state(deployer.place()).await?;
        let (spent, printed) = deployer.deploy().await?;
        if !printed.contains(deployer.says_unchanged()) {
            return Err(deployer.failed("does not say that nothing changed", &printed));
        }
        if stacks.state(deployer.place()).await? != before {
            return Err(deployer.failed("changed the stack", &printed));
        }
        Ok(spent)
    })
    .await?;
    let contenders = contenders(turns);
    let text = "Nothing changed since the last deployment. Checked in each round: the program says so, and the \
                stack was not updated.";
    let work = "delivery deploy, nothing changed";
    Ok(section(
        "Deployment, nothing changed",
        text,
        work,
        contenders,
    ))
}

async fn changed(bench: &Bench, deployers: &[Deployer], stacks: &Deployed) -> io::Result<Section> {
    let mut turns = turns(deployers);
    hold(
        bench.rounds(ROUNDS),
        &mut turns,
        async |deployer, _, round| {
            let edition = format!("{}", round + 1);
            write_edition(deployer.folder(), &edition)?;
            deploy_edition(deployer, stacks, &edition).await
        },
    )
    .await?;
    let contenders = contenders(turns);
    let text = "One line of one of the three functions changed. Checked in each round: the stack was \
                updated, and the function that it names has the new code and answers with it.";
    let work = "delivery deploy, one function changed";
    Ok(section(
        "Deployment, one function changed",
        text,
        work,
        contenders,
    ))
}

async fn deploy_edition(
    deployer: &Deployer,
    stacks: &Deployed,
    edition: &str,
) -> io::Result<Spent> {
    let before = stacks.state(deployer.place()).await?;
    let (spent, printed) = deployer.deploy().await?;
    let after = stacks.state(deployer.place()).await?;
    if after.updated == before.updated || after.code == before.code {
        return Err(deployer.failed("did not deploy the change", &printed));
    }
    let answer = stacks.call(deployer.place()).await?;
    if !answer.contains(&format!(r#"\"edition\":\"{edition}\""#)) {
        return Err(deployer.failed("left a function that answers otherwise", &answer));
    }
    Ok(spent)
}

fn write_edition(folder: &Path, edition: &str) -> io::Result<()> {
    let path = folder.join(CHANGED);
    let source = std::fs::read_to_string(&path)?;
    let changed = source
        .split_once(EDITION)
        .and_then(|(before, rest)| Some((before, rest.split_once('"')?.1)))
        .map(|(before, after)| format!("{before}{EDITION}{edition}\"{after}"));
    let changed = changed.ok_or_else(|| io::Error::other(format!("no edition in `{CHANGED}`")))?;
    std::fs::write(path, changed)
}

fn turns(deployers: &[Deployer]) -> Vec<(Contender, &Deployer)> {
    let turns = deployers.iter();
    turns
        .map(|deployer| (deployer.contender(), deployer))
        .collect()
}

fn contenders(turns: Vec<(Contender, &Deployer)>) -> Vec<Contender> {
    turns.into_iter().map(|(contender, _)| contender).collect()
}

fn section(title: &str, text: &str, work: &str, contenders: Vec<Contender>) -> Section {
    let own = contenders.first().map(|own| &own.wall);
    let target = own.zip(fastest(contenders.iter().skip(1)));
    let target = target.map(|(own, peer)| {
        let aim = format!("{LEAST} times as fast as the fastest peer");
        Target::faster(work, &aim, own, peer, LEAST)
    });
    Section {
        title: title.to_owned(),
        text: format!(
            "`tests/bench/deploy`: a SAM template with three functions, a table and an HTTP API; for the Serverless \
             Framework the same in a `serverless.yml`. Each program deploys a stack of its own from a folder of its \
             own to the same local AWS, with its own waits between questions. {text}"
        ),
        targets: target.into_iter().collect(),
        contenders,
        ..Section::default()
    }
}
