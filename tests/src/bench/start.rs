//! From the start of a function's process to its first question for an event.

use std::io;
use std::path::Path;

use delivery_testing::runtime::{Function, KillSwitch};
use tokio::process::Command;

use super::contest::{Contender, Rounds};
use super::function::{program, search_path};
use super::report::{Section, Target};
use super::{Bench, commands, spent};
use crate::checkout;
use crate::packages::FUNCTIONS;

/// Starts that count; each takes milliseconds.
const ROUNDS: usize = 30;

/// Where `scripts/bench` puts packages of npm.
const NODE_MODULES: &str = ".delivery/bench/npm/node_modules";

/// Starts each function, and Node.js with what the original's handler loads first; then the command line.
///
/// # Errors
///
/// Where a program is not built or fails.
pub async fn compare(bench: &Bench) -> io::Result<Vec<Section>> {
    Ok(vec![
        functions(bench).await?,
        commands::compare(bench).await?,
    ])
}

async fn functions(bench: &Bench) -> io::Result<Section> {
    let mut contenders = Vec::new();
    for name in FUNCTIONS {
        contenders.push(Contender::new(name, ""));
    }
    let node = bench.peers.path("node");
    let sdk = checkout::root().join(NODE_MODULES).join("aws-sdk");
    let mut bare = Contender::new("node, nothing loaded", "node -e 0");
    let mut loaded = Contender::new("node, aws-sdk 2 loaded", "node -e \"require('aws-sdk')\"");
    // Also where one round of each would do: programs that were just built come from the disk the first time.
    let rounds = Rounds {
        counted: ROUNDS,
        warm_up: true,
    };
    for (_, counts) in rounds.each() {
        for contender in &mut contenders {
            let taken = first_poll(&program(bench, &contender.name)?).await?;
            if counts {
                contender.wall.push(taken);
            }
        }
        let Some(node) = &node else { continue };
        for (contender, script) in [
            (&mut bare, "0".to_owned()),
            (&mut loaded, format!("require('{}')", sdk.display())),
        ] {
            if script != "0" && !sdk.is_dir() {
                continue;
            }
            let taken = spent::run(Command::new(node).args(["-e", &script])).await?;
            if counts {
                contender.wall.push(taken.wall);
            }
        }
    }
    contenders.sort_by(|a, b| b.wall.median().total_cmp(&a.wall.median()));
    let targets = target(&contenders, &loaded);
    contenders.extend(
        [bare, loaded]
            .into_iter()
            .filter(|peer| !peer.wall.is_empty()),
    );
    Ok(Section {
        title: "Start".to_owned(),
        text: "From the start of the process until it asks for its first event (`GET \
               /2018-06-01/runtime/invocation/next`), in seconds. The handler of the Node.js original \
               is not fetched here: its first line loads aws-sdk 2, so Node.js loads that and nothing \
               else, which is less than the handler does. Ratios are to the slowest function, which \
               stands first."
            .to_owned(),
        contenders,
        targets,
        ..Section::default()
    })
}

/// The slowest function, which stands first, against Node.js.
fn target(functions: &[Contender], node: &Contender) -> Vec<Target> {
    let slowest = functions.first().filter(|_| !node.wall.is_empty());
    let target = slowest.map(|slowest| {
        Target::faster(
            &format!("start to first event poll (slowest: {})", slowest.name),
            "40 times as fast as loading the original's handler",
            &slowest.wall,
            node,
            40.0,
        )
    });
    target.into_iter().collect()
}

async fn first_poll(program: &Path) -> io::Result<f64> {
    let kill = KillSwitch::default();
    let nobody = "http://127.0.0.1:9";
    let variables = [("PATH", search_path(&[]))];
    let timeout = std::time::Duration::from_mins(1);
    let mut function = Function::start_with(program, nobody, &kill, timeout, &variables).await;
    match function.first_poll().await {
        Ok(taken) => Ok(taken.as_secs_f64()),
        Err(status) => Err(io::Error::other(format!(
            "`{}` ended with {status}: {}",
            program.display(),
            function.log()
        ))),
    }
}
