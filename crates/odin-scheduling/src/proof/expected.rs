//! The due times that there must be, one after another over all stretches.

use jiff::{SignedDuration, Timestamp};

use super::stretch::{Rule, Stretch, just_before};

/// A walk over the due times of stretches within bounds.
pub(super) struct Expected<'s> {
    stretches: &'s [Stretch],
    place: usize,
    head: Option<Timestamp>,
    to: Timestamp,
}

/// What was taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) count: u64,
    /// The last of them.
    pub(super) last: Option<Timestamp>,
}

impl<'s> Expected<'s> {
    /// The due times from `from` to `to`, both included.
    pub(super) fn new(stretches: &'s [Stretch], (from, to): (Timestamp, Timestamp)) -> Self {
        let mut this = Self {
            stretches,
            place: 0,
            head: None,
            to,
        };
        for (place, stretch) in stretches.iter().enumerate() {
            this.place = place;
            this.head = first_from(stretch, from);
            if this.head.is_some() {
                break;
            }
        }
        this.bound();
        this
    }

    /// The next due time and its stretch.
    pub(super) fn peek(&self) -> Option<(Timestamp, &'s Stretch)> {
        self.head.map(|head| (head, &self.stretches[self.place]))
    }

    /// The stretch of the next due time can be derived no further: its reason, and its end.
    pub(super) fn unknown(&self) -> Option<(&'s str, Timestamp)> {
        let (_, stretch) = self.peek()?;
        let because = stretch.rule.as_ref().err()?;
        // The due time before an edit may lie behind the first one after it.
        let later = self.stretches[self.place + 1..].iter();
        let next = later.filter_map(|stretch| stretch.first).next();
        let last = next.map_or(Timestamp::MAX, just_before);
        Some((because, stretch.until.last().min(last).min(self.to)))
    }

    /// Takes the next due time.
    pub(super) fn pop(&mut self) {
        if let Some(head) = self.head {
            self.step_after(head);
        }
    }

    /// Leaves the stretch of the next due time.
    pub(super) fn skip_stretch(&mut self) {
        self.enter_next();
        self.bound();
    }

    /// Takes all due times up to `to`, included. Stops at a stretch that cannot be derived.
    pub(super) fn take_through(&mut self, to: Timestamp) -> Taken {
        let mut taken = Taken {
            count: 0,
            last: None,
        };
        let to = to.min(self.to);
        while let Some((head, stretch)) = self.peek().filter(|(head, _)| *head <= to) {
            let Ok(Rule { schedule, .. }) = &stretch.rule else {
                break;
            };
            let limit = to.min(stretch.until.last());
            let rest = match head.checked_add(SignedDuration::from_secs(1)) {
                Ok(next) if next <= limit => schedule.count(next, limit),
                _ => 0,
            };
            taken.count += 1 + rest;
            let last = match rest {
                0 => head,
                _ => limit
                    .checked_add(SignedDuration::from_micros(1))
                    .ok()
                    .and_then(|end| schedule.previous_before(end))
                    .unwrap_or(head),
            };
            taken.last = Some(last);
            self.step_after(last);
        }
        taken
    }

    fn step_after(&mut self, at: Timestamp) {
        let stretch = &self.stretches[self.place];
        let next = match &stretch.rule {
            Ok(rule) => rule.schedule.next_after(at),
            Err(_) => None,
        };
        self.head = next.filter(|next| *next <= stretch.until.last());
        if self.head.is_none() {
            self.enter_next();
        }
        self.bound();
    }

    fn enter_next(&mut self) {
        self.head = None;
        while self.head.is_none() && self.place + 1 < self.stretches.len() {
            self.place += 1;
            self.head = self.stretches[self.place].first;
        }
    }

    fn bound(&mut self) {
        self.head = self.head.filter(|head| *head <= self.to);
    }
}

/// The first due time of a stretch at `from` or later.
fn first_from(stretch: &Stretch, from: Timestamp) -> Option<Timestamp> {
    let first = stretch.first?;
    if first >= from {
        return Some(first);
    }
    let next = match &stretch.rule {
        Ok(rule) => rule.schedule.next_after(just_before(from)),
        // Where nothing can be derived, the whole rest of it is unknown.
        Err(_) => Some(from),
    };
    next.filter(|next| *next <= stretch.until.last())
}
