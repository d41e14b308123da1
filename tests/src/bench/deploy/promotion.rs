//! A release of twenty functions that goes to production, of which one differs, and the one before it that comes back.

use std::io;

use aws_sdk_s3::Client;
use delivery_release::manifest::ReleaseId;
use local::aws::LocalAws;

use super::deployed::{Deployed, Place};
use super::deployer::{Deployer, Program};
use super::published::{CHANGED, FUNCTIONS, answer, publish, write_application, write_edition};
use super::released::{RELEASES, Stage};
use crate::bench::contest::{Contender, fastest, hold};
use crate::bench::report::{Section, Target};
use crate::bench::spent::Spent;
use crate::bench::{Bench, local_aws};

/// Rounds that count; each peer takes several seconds.
const ROUNDS: usize = 5;

/// How many times as fast as the fastest peer a promotion has to be.
const LEAST: f64 = 3.0;

/// How releases get to production, and back.
const PROMOTES: &str = "&kind=promote&from=int&verified-in=int";
const ROLLS_BACK: &str = "&kind=rollback";

const OWN: &str = "this project";

const OWN_PLACE: Place<'static> = Place {
    stack: "promote-prd-shop",
    function: CHANGED,
};

/// The role that the stacks of releases are made with.
const ROLE: &str = "
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: cloudformation
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Action: 'sts:AssumeRole', Principal: { Service: cloudformation.amazonaws.com } }]
";

const UNCHANGED: &str = "No changes to deploy";

const PEERS: [Program; 4] = [
    Program {
        name: "SAM CLI",
        before: &[],
        commands: &[
            "sam deploy --template-file shop/template.yaml --stack-name promote-sam --s3-bucket code --s3-prefix promote-sam \
             --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --no-confirm-changeset \
             --no-fail-on-empty-changeset --no-progressbar",
        ],
        stack: "promote-sam",
        function: CHANGED,
        says_unchanged: UNCHANGED,
    },
    Program {
        name: "SAM CLI, packaged before",
        before: &[
            "sam package --template-file shop/template.yaml --s3-bucket code --s3-prefix promote-sam-before \
             --output-template-file packaged.yaml --no-progressbar",
        ],
        commands: &[
            "sam deploy --template-file packaged.yaml --stack-name promote-sam-before --s3-bucket code --s3-prefix \
             promote-sam-before --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --no-confirm-changeset \
             --no-fail-on-empty-changeset --no-progressbar",
        ],
        stack: "promote-sam-before",
        function: CHANGED,
        says_unchanged: UNCHANGED,
    },
    Program {
        name: "AWS CLI",
        before: &[],
        commands: &[
            "aws cloudformation package --template-file shop/template.yaml --s3-bucket code --s3-prefix promote-aws \
             --output-template-file packaged.yaml",
            "aws cloudformation deploy --template-file packaged.yaml --stack-name promote-aws --capabilities \
             CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --no-fail-on-empty-changeset",
        ],
        stack: "promote-aws",
        function: CHANGED,
        says_unchanged: UNCHANGED,
    },
    Program {
        name: "AWS CLI, packaged before",
        before: &[
            "aws cloudformation package --template-file shop/template.yaml --s3-bucket code --s3-prefix promote-aws-before \
             --output-template-file packaged.yaml",
        ],
        commands: &[
            "aws cloudformation deploy --template-file packaged.yaml --stack-name promote-aws-before --capabilities \
             CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --no-fail-on-empty-changeset",
        ],
        stack: "promote-aws-before",
        function: CHANGED,
        says_unchanged: UNCHANGED,
    },
];

/// Who brings an edition to production.
enum Promoter {
    Own(Box<Stage>),
    Peer(Deployer),
}

/// What all rounds are held with.
struct Promotions {
    stacks: Deployed,
    /// By edition: that of the first is 0.
    releases: Vec<ReleaseId>,
}

/// Promotes releases that differ in one function, then rolls back to one after the other.
///
/// # Errors
///
/// Where a program fails, or does not do what it says.
pub async fn compare(bench: &Bench) -> io::Result<Vec<Section>> {
    let aws = local_aws::start().await?;
    let rounds = bench.rounds(ROUNDS);
    let editions = rounds.each().count();
    let mut promoters = promoters(bench, &aws).await?;
    let promotions = Promotions {
        stacks: Deployed::new(&aws).await?,
        releases: releases(bench, &aws, editions).await?,
    };
    for (_, promoter) in &mut promoters {
        promotions.first(promoter).await?;
    }
    hold(rounds, &mut promoters, async |promoter, _, round| {
        promotions.apply(promoter, round + 1, PROMOTES).await
    })
    .await?;
    let mut promotion = section(
        "Promotion, one of twenty functions changed",
        contenders(&promoters),
    );
    promotion.targets.extend(target(&promotion.contenders));
    let mut backwards: Vec<(Contender, Promoter)> = Vec::new();
    for (contender, promoter) in promoters {
        let fresh = Contender::new(contender.name, contender.command);
        backwards.push((fresh, promoter));
    }
    hold(rounds, &mut backwards, async |promoter, _, round| {
        promotions
            .apply(promoter, editions - round - 1, ROLLS_BACK)
            .await
    })
    .await?;
    let rollback = section(
        "Rollback, one of twenty functions changed",
        contenders(&backwards),
    );
    drop(backwards);
    aws.stop().await.map_err(io::Error::other)?;
    Ok(vec![promotion, rollback])
}

async fn promoters(bench: &Bench, aws: &LocalAws) -> io::Result<Vec<(Contender, Promoter)>> {
    let stage = Stage::start(bench, aws).await?;
    let command =
        "the functions deploy-stack and release, with the parameters of the pipeline apply-prd";
    let own = Contender::new(OWN, command);
    let mut promoters = vec![(own, Promoter::Own(Box::new(stage)))];
    let root = bench.fresh("promote")?;
    for peer in Deployer::found(bench, &PEERS, aws, &root) {
        write_application(peer.folder())?;
        promoters.push((peer.contender(), Promoter::Peer(peer)));
    }
    Ok(promoters)
}

/// Publishes all editions, and makes the role of the stacks.
async fn releases(bench: &Bench, aws: &LocalAws, editions: usize) -> io::Result<Vec<ReleaseId>> {
    let config = local_aws::config(aws);
    let stack = aws_sdk_cloudformation::Client::new(&config).create_stack();
    let stack = stack.stack_name("role").template_body(ROLE);
    let stack = stack.capabilities(aws_sdk_cloudformation::types::Capability::CapabilityNamedIam);
    stack.send().await.map_err(local_aws::failed)?;
    let client = Client::new(&config);
    let made = client.create_bucket().bucket(RELEASES).send().await;
    made.map_err(local_aws::failed)?;
    let folder = bench.fresh("releases")?;
    write_application(&folder)?;
    let mut releases = Vec::new();
    for edition in 0..=editions {
        write_edition(&folder, edition)?;
        releases.push(publish(&client, RELEASES, local_aws::REGION, &folder).await?);
    }
    Ok(releases)
}

impl Promotions {
    /// Brings the first edition to where each stack is.
    async fn first(&self, promoter: &mut Promoter) -> io::Result<()> {
        match promoter {
            Promoter::Own(stage) => {
                let first = &self.releases[0];
                for release in &self.releases {
                    stage.apply(release, "int", "").await?;
                }
                stage.apply(first, "prd", PROMOTES).await?;
            }
            Promoter::Peer(deployer) => {
                deployer.deploy().await?;
            }
        }
        Ok(())
    }

    /// Brings an edition to production.
    async fn apply(&self, promoter: &mut Promoter, edition: usize, how: &str) -> io::Result<Spent> {
        let place = match promoter {
            Promoter::Own(_) => OWN_PLACE,
            Promoter::Peer(deployer) => deployer.place(),
        };
        let before = self.stacks.state(place).await?;
        let spent = match promoter {
            Promoter::Own(stage) => stage.apply(&self.releases[edition], "prd", how).await?,
            Promoter::Peer(deployer) => {
                write_edition(deployer.folder(), edition)?;
                deployer.deploy().await?.0
            }
        };
        let after = self.stacks.state(place).await?;
        let answered = self.stacks.call(place).await?;
        if after.updated == before.updated || !answered.contains(&answer(edition)) {
            return Err(io::Error::other(format!(
                "{place:?} is not at edition {edition}: {answered}"
            )));
        }
        Ok(spent)
    }
}

fn contenders(turns: &[(Contender, Promoter)]) -> Vec<Contender> {
    turns
        .iter()
        .map(|(contender, _)| contender.clone())
        .collect()
}

/// No peer is left out: it counts against the promotion that some of them are packaged before.
fn target(contenders: &[Contender]) -> Option<Target> {
    let own = &contenders.first()?.wall;
    let peer = fastest(contenders.iter().skip(1))?;
    let aim = format!("{LEAST} times as fast as the fastest peer");
    let work = "promotion, one of twenty functions changed";
    Some(Target::faster(work, &aim, own, peer, LEAST))
}

fn section(title: &str, contenders: Vec<Contender>) -> Section {
    Section {
        title: title.to_owned(),
        text: format!(
            "A SAM template with {FUNCTIONS} functions of 50 kB each, of which one changes in each round; one local AWS, a \
             stack for each contender. Measured of this project: the two jobs that apply a release in the pipeline \
             `apply-prd`, which are `deploy-stack` with the lease and the checks of the release, and `release`, which records \
             the end, each from the event to the reported result, by functions that run already. Not measured: the pipeline \
             around them (source, approvals, the team's own tests), and the packaging, which was done once when the release \
             was published. So each peer has two lines: with its packaging, as it is usually run, and without. Peers have no \
             command for a rollback: they deploy the code of before. Checked in each round: the stack was updated, and the \
             function that changed answers with the edition that was asked for."
        ),
        contenders,
        ..Section::default()
    }
}
