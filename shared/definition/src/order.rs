//! What comes before what.

use std::collections::BTreeSet;

/// The order of things that need each other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// What can be done at a time, in order; within a wave in the order that they came in.
    pub(crate) waves: Vec<Vec<usize>>,
    /// Things of which each needs the next, and the last the first. Without one, the waves are complete.
    pub(crate) cycles: Vec<Vec<usize>>,
}

impl Order {
    /// The order of things, of which each needs others by their positions.
    pub(crate) fn of(needs: &[BTreeSet<usize>]) -> Self {
        let mut order = Self {
            waves: Vec::new(),
            cycles: Vec::new(),
        };
        let mut left: BTreeSet<_> = (0..needs.len()).collect();
        while !left.is_empty() {
            let free = |thing: &&usize| needs[**thing].is_disjoint(&left);
            let wave: Vec<_> = left.iter().filter(free).copied().collect();
            let done = if wave.is_empty() {
                let cycle = cycle(needs, &left);
                order.cycles.push(cycle);
                order.cycles.last()
            } else {
                order.waves.push(wave);
                order.waves.last()
            };
            // What is behind a cycle goes on as if it were done, so that each cycle is found.
            left.retain(|thing| !done.is_some_and(|done| done.contains(thing)));
        }
        order
    }
}

/// A cycle among things of which each needs another of them.
fn cycle(needs: &[BTreeSet<usize>], left: &BTreeSet<usize>) -> Vec<usize> {
    let mut way: Vec<usize> = Vec::new();
    let mut next = left.first().copied();
    while let Some(thing) = next {
        if let Some(first) = way.iter().position(|before| *before == thing) {
            return way.split_off(first);
        }
        way.push(thing);
        next = needs[thing].intersection(left).next().copied();
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(&[&[], &[0], &[0], &[1, 2]], &[&[0], &[1, 2], &[3]], &[]; "a diamond")]
    #[test_case(&[&[1], &[]], &[&[1], &[0]], &[]; "against the order of the file")]
    #[test_case(&[&[0]], &[], &[&[0]]; "itself")]
    #[test_case(&[&[1], &[2], &[0], &[0]], &[&[3]], &[&[0, 1, 2]]; "a cycle, and what is behind it")]
    #[test_case(&[&[1], &[0], &[3], &[2]], &[], &[&[0, 1], &[2, 3]]; "two cycles")]
    #[test_case(&[&[1], &[2], &[1]], &[&[0]], &[&[1, 2]]; "a way into a cycle")]
    fn things_have_an_order(needs: &[&[usize]], waves: &[&[usize]], cycles: &[&[usize]]) {
        let needs: Vec<_> = needs
            .iter()
            .map(|needs| needs.iter().copied().collect())
            .collect();
        let order = Order::of(&needs);
        assert_eq!(order.waves, waves);
        assert_eq!(order.cycles, cycles);
    }
}
