//! Contenders on one input, each in turn in every round.

use std::io;

use super::figures::Figures;
use super::spent::Spent;

/// How often everyone's turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// Rounds that count.
    pub counted: usize,
    /// Whether one goes before that does not.
    pub warm_up: bool,
}

impl Rounds {
    /// The rounds: its number, and whether it counts.
    pub fn each(self) -> impl Iterator<Item = (usize, bool)> {
        let all = self.counted + usize::from(self.warm_up);
        (0..all).map(move |round| (round, round > 0 || !self.warm_up))
    }
}

/// What one contender took, round by round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contender {
    /// What the tables call it.
    pub name: String,
    /// What was run.
    pub command: String,
    /// Seconds on the wall.
    pub wall: Figures,
    /// Seconds of processors; empty where they were not measured.
    pub cpu: Figures,
    /// What else there is to say, such as a size or requests.
    pub extra: String,
}

impl Contender {
    /// One that had no turn yet.
    #[must_use]
    pub fn new(name: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            command: command.into(),
            ..Self::default()
        }
    }

    /// Notes what a turn took.
    pub fn add(&mut self, spent: Spent) {
        self.wall.push(spent.wall);
        self.cpu.push(spent.cpu);
    }
}

/// Gives each contender its turn in every round.
///
/// # Errors
///
/// The first turn that fails.
pub async fn hold<T, F>(rounds: Rounds, turns: &mut [(Contender, T)], turn: F) -> io::Result<()>
where
    F: AsyncFn(&mut T, &mut Contender, usize) -> io::Result<Spent>,
{
    for (round, counts) in rounds.each() {
        for (contender, with) in &mut *turns {
            let spent = turn(with, contender, round).await?;
            if counts {
                contender.add(spent);
            }
        }
    }
    Ok(())
}

/// The fastest of some contenders, by the median.
#[must_use]
pub fn fastest<'c>(contenders: impl IntoIterator<Item = &'c Contender>) -> Option<&'c Contender> {
    let measured = contenders
        .into_iter()
        .filter(|contender| !contender.wall.is_empty());
    measured.min_by(|a, b| a.wall.median().total_cmp(&b.wall.median()))
}
