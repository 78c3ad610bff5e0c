//! The attempts that the executor has, by slot and by key.

use std::collections::HashMap;

use super::attempt::Attempt;
use crate::protocol::AttemptKey;

/// Names a live attempt. A slot that was given up and taken again has another generation, so what was meant for the
/// earlier attempt (a timer, an event of a closed descriptor) finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    pub(super) index: u32,
    pub(super) generation: u32,
}

#[derive(Default)]
struct Entry {
    generation: u32,
    attempt: Option<Attempt>,
}

/// Live attempts: armed, starting and running.
#[derive(Default)]
pub(super) struct Slots {
    entries: Vec<Entry>,
    free: Vec<u32>,
    by_key: HashMap<AttemptKey, Slot>,
}

impl Slots {
    /// Adds an attempt, whose key must not be there yet.
    pub(super) fn insert(&mut self, attempt: Attempt) -> Slot {
        let key = attempt.key;
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            u32::try_from(self.entries.len() - 1)
                .expect("bounded by the number of armed and running attempts")
        });
        let entry = &mut self.entries[index_of(index)];
        entry.attempt = Some(attempt);
        let slot = Slot {
            index,
            generation: entry.generation,
        };
        let before = self.by_key.insert(key, slot);
        assert!(before.is_none(), "attempt {key} is there twice");
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Attempt> {
        let entry = self
            .entries
            .get_mut(index_of(slot.index))
            .filter(|entry| entry.generation == slot.generation)?;
        let attempt = entry.attempt.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot.index);
        self.by_key.remove(&attempt.key);
        if self.by_key.is_empty() {
            // Generations must not begin again while a timer may name an old one, so the entries stay.
            self.by_key.shrink_to(1024);
        }
        Some(attempt)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Attempt> {
        let entry = self
            .entries
            .get(index_of(slot.index))
            .filter(|entry| entry.generation == slot.generation)?;
        entry.attempt.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Attempt> {
        let entry = self
            .entries
            .get_mut(index_of(slot.index))
            .filter(|entry| entry.generation == slot.generation)?;
        entry.attempt.as_mut()
    }

    /// Whether the attempt is still there.
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.get(slot).is_some()
    }

    pub(super) fn find(&self, key: AttemptKey) -> Option<Slot> {
        self.by_key.get(&key).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Attempt)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| {
                let index = u32::try_from(index).expect("slots are counted in 32 bits");
                Some((
                    Slot {
                        index,
                        generation: entry.generation,
                    },
                    entry.attempt.as_ref()?,
                ))
            })
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

fn index_of(index: u32) -> usize {
    usize::try_from(index).expect("32 bits fit a Linux usize")
}
