//! Attempts that wait for their start, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet};

use odin_model::Boottime;

use super::slots::Slot;
use crate::protocol::AttemptKey;

/// An attempt that waits: not before when, which, and where it is.
pub(super) type Entry = (Boottime, AttemptKey, Slot);

/// Attempts by the instant that they wait for.
///
/// Whoever has come due takes turns by the second in which that was, from the earliest second to the latest and round
/// again. So a job that is due now does not wait until the ten thousand of a minute ago have started, and they do not
/// wait for it. Within a second the earlier instant goes first, then the lower key. A second and not an instant: what is
/// due together differs by what it took to read two clocks.
#[derive(Debug, Default)]
pub(super) struct Queue {
    seconds: BTreeMap<u64, BTreeSet<Entry>>,
    len: usize,
    /// The second that had the latest turn.
    latest_turn: u64,
}

impl Queue {
    pub(super) fn insert(&mut self, entry: Entry) {
        let is_new = self
            .seconds
            .entry(entry.0.0.as_secs())
            .or_default()
            .insert(entry);
        self.len += usize::from(is_new);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        let second = entry.0.0.as_secs();
        let Some(entries) = self.seconds.get_mut(&second) else {
            return;
        };
        self.len -= usize::from(entries.remove(entry));
        if entries.is_empty() {
            self.seconds.remove(&second);
        }
    }

    /// The one that waits for the earliest instant.
    pub(super) fn first(&self) -> Option<&Entry> {
        self.seconds.first_key_value()?.1.first()
    }

    /// The one whose turn it is of those due at `until`. A second whose first one `is_ready` denies is passed over. Stays
    /// until it is removed; its second has had its turn.
    pub(super) fn turn(
        &mut self,
        until: Boottime,
        is_ready: impl Fn(&Entry) -> bool,
    ) -> Option<Entry> {
        let latest = self.latest_turn;
        let later = self.seconds.range(latest.saturating_add(1)..);
        let round_again = self.seconds.range(..=latest);
        let due = later.chain(round_again).filter_map(|(&second, entries)| {
            let first = entries.first()?;
            (first.0 <= until && is_ready(first)).then_some((second, *first))
        });
        let (second, entry) = { due }.next()?;
        self.latest_turn = second;
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.seconds.values().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use odin_model::{AttemptNumber, RunId};

    use super::*;

    fn entry(millis: u64, run: u64) -> Entry {
        let key = AttemptKey {
            run: RunId::from_bits(run),
            attempt: AttemptNumber::FIRST,
        };
        let slot = Slot {
            index: u32::try_from(run).unwrap(),
            generation: 0,
        };
        (Boottime(Duration::from_millis(millis)), key, slot)
    }

    /// The runs in the order of their turns, of `(millisecond, run)` that wait, when those of `not_ready` never are.
    #[track_caller]
    fn check(waiting: &[(u64, u64)], until: u64, not_ready: &[u64], expected: &[u64]) {
        let mut queue = Queue::default();
        for &(millis, run) in waiting {
            queue.insert(entry(millis, run));
            queue.insert(entry(millis, run));
        }
        assert_eq!(queue.len(), waiting.len());
        let until = Boottime(Duration::from_millis(until));
        let is_ready = |(_, key, _): &Entry| !not_ready.contains(&key.run.to_bits());
        let turns = std::iter::from_fn(|| {
            let entry = queue.turn(until, is_ready)?;
            queue.remove(&entry);
            Some(entry.1.run.to_bits())
        });
        assert_eq!(turns.collect::<Vec<_>>(), expected);
        assert_eq!(queue.len(), waiting.len() - expected.len());
        assert_eq!(queue.is_empty(), queue.first().is_none());
        assert_eq!(queue.iter().count(), queue.len());
    }

    #[test]
    fn one_of_a_later_second_does_not_wait_for_a_crowd() {
        let crowd = [(1000, 1), (1000, 2), (1001, 3), (1001, 4)];
        check(&crowd, 9000, &[], &[1, 2, 3, 4]);
        let with_one = [&crowd[..], &[(5000, 9)]].concat();
        check(&with_one, 9000, &[], &[1, 9, 2, 3, 4]);
        let with_two = [&crowd[..], &[(5000, 8), (5000, 9)]].concat();
        check(&with_two, 9000, &[], &[1, 8, 2, 9, 3, 4]);
    }

    #[test]
    fn nobody_goes_before_its_instant() {
        check(&[(1000, 1), (1500, 2), (5000, 3)], 1400, &[], &[1]);
        check(&[(1000, 1)], 999, &[], &[]);
    }

    #[test]
    fn whoever_is_not_ready_holds_up_its_own_second_only() {
        let waiting = [(1000, 1), (1000, 2), (2000, 3), (3000, 4), (3000, 5)];
        check(&waiting, 9000, &[2], &[1, 3, 4, 5]);
    }
}
