//! Statistics of a few runs: medians, spreads, and ratios of runs that were made in turn.

/// Measured values of one contender, one for each round, in the order of the rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(Vec<f64>);

impl FromIterator<f64> for Figures {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Figures {
    /// Adds a round.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// How many rounds there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The middle value, of an even number of values the mean of the two in the middle; 0 where there is
    /// none.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => 0.0,
            len if len % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The smallest value.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.0.iter().copied().reduce(f64::min).unwrap_or_default()
    }

    /// The largest value.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.0.iter().copied().reduce(f64::max).unwrap_or_default()
    }

    /// Round by round, this over the other: how many times as long it took. What disturbs a round disturbs
    /// both.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .filter(|(_, other)| **other > 0.0)
            .map(|(own, other)| own / other)
            .collect()
    }

    /// Round by round, both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.0
            .iter()
            .zip(&other.0)
            .map(|(own, other)| own + other)
            .collect()
    }
}
