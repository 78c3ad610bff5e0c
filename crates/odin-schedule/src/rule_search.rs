//! The occurrences of one rule in one zone, in whole seconds of Unix time.
//!
//! A zone is a row of stretches of constant offset. Within one, local time and real
//! time differ by a constant, so a search on the local clock is a search in real
//! time; what the policies decide happens only at the seams.

use jiff::tz::TimeZone;

use crate::dst::{DstPolicy, GapPolicy, RepeatPolicy};
use crate::rule::{Passes, Rule, Timing, Window};
use crate::time_set::TimeSet;
use crate::timeline::{
    Change, FIRST_SECOND, LAST_SECOND, Stretch, change_before, first_instant, stretch_at,
};
use crate::wall::Wall;

/// More than any gap and any two offsets together can be apart: a search may leap to
/// this long before a local time without passing the instant it stands for.
const LEAP_MARGIN: i64 = 3 * 86_400;

/// One rule read in one zone.
#[derive(Clone, Copy)]
pub(crate) struct RuleInZone<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) zone: &'r TimeZone,
    pub(crate) dst: DstPolicy,
    /// Seconds from the times of the rule to its occurrences.
    pub(crate) offset: i64,
}

impl RuleInZone<'_> {
    /// The first occurrence at or after a second.
    pub(crate) fn next(self, from: i64) -> Option<i64> {
        let from = from.max(FIRST_SECOND) - self.offset;
        let found = self.next_time(from)? + self.offset;
        (found <= LAST_SECOND).then_some(found)
    }

    /// The last occurrence at or before a second.
    pub(crate) fn previous(self, to: i64) -> Option<i64> {
        let to = to.min(LAST_SECOND) - self.offset;
        let found = self.previous_time(to)? + self.offset;
        (found >= FIRST_SECOND).then_some(found)
    }

    /// The first time at or after a second, before it is moved.
    fn next_time(self, from: i64) -> Option<i64> {
        let found = match &self.rule.timing {
            Timing::Wall { times, passes } => {
                self.seams(times, *passes).next(from.max(FIRST_SECOND))
            }
            Timing::Elapsed { step, window } => self.next_elapsed(i64::from(*step), *window, from),
        };
        found.filter(|&second| second <= LAST_SECOND)
    }

    /// The last time at or before a second, before it is moved.
    fn previous_time(self, to: i64) -> Option<i64> {
        let found = match &self.rule.timing {
            Timing::Wall { times, passes } => {
                self.seams(times, *passes).previous(to.min(LAST_SECOND))
            }
            Timing::Elapsed { step, window } => {
                self.previous_elapsed(i64::from(*step), *window, to)
            }
        };
        found.filter(|&second| second >= FIRST_SECOND)
    }

    pub(crate) fn seams<'s>(&'s self, times: &'s TimeSet, passes: Passes) -> WallInZone<'s> {
        WallInZone {
            wall: Wall {
                rule: self.rule,
                times,
            },
            zone: self.zone,
            dst: (passes == Passes::Once).then_some(self.dst),
        }
    }

    /// The grid's first and last instants, and the instant it counts from.
    pub(crate) fn elapsed_bounds(self) -> (i64, i64, i64) {
        let tail = &self.rule.tail;
        let starting = tail.starting.map(|local| first_instant(self.zone, local));
        let until = tail
            .until
            .map(|local| first_instant(self.zone, local + 1) - 1);
        (
            starting.unwrap_or(FIRST_SECOND),
            until.unwrap_or(LAST_SECOND).min(LAST_SECOND),
            starting.unwrap_or(0),
        )
    }

    /// Whether the rule's grid is kept on every second of every day.
    pub(crate) fn elapsed_is_unlimited(self, window: Window) -> bool {
        window == Window::WHOLE_DAY && self.rule.is_every_day()
    }

    fn next_elapsed(self, step: i64, window: Window, from: i64) -> Option<i64> {
        let (first, last, anchor) = self.elapsed_bounds();
        let mut from = from.max(first);
        let allowed = every_second(window);
        loop {
            let due = from + (anchor - from).rem_euclid(step);
            if due > last {
                return None;
            }
            if self.elapsed_is_unlimited(window) {
                return Some(due);
            }
            // Ends soon: the parser takes only windows that are longer than the step.
            let open = self.seams(&allowed, Passes::Each).next(due)?;
            if open == due {
                return Some(due);
            }
            from = open;
        }
    }

    fn previous_elapsed(self, step: i64, window: Window, to: i64) -> Option<i64> {
        let (first, last, anchor) = self.elapsed_bounds();
        let mut to = to.min(last);
        let allowed = every_second(window);
        loop {
            let due = to - (to - anchor).rem_euclid(step);
            if due < first {
                return None;
            }
            if self.elapsed_is_unlimited(window) {
                return Some(due);
            }
            let open = self.seams(&allowed, Passes::Each).previous(due)?;
            if open == due {
                return Some(due);
            }
            to = open;
        }
    }
}

/// Every second of a window.
fn every_second(window: Window) -> TimeSet {
    TimeSet::Grid {
        step: 1,
        phase: 0,
        window,
    }
}

/// Local times laid over the stretches of a zone.
#[derive(Clone, Copy)]
pub(crate) struct WallInZone<'s> {
    wall: Wall<'s>,
    zone: &'s TimeZone,
    /// `None` where every real instant whose local clock matches counts.
    dst: Option<DstPolicy>,
}

impl WallInZone<'_> {
    /// The first occurrence at or after a second.
    pub(crate) fn next(self, from: i64) -> Option<i64> {
        let mut from = from;
        let mut stretch = match self.begin(from) {
            (_, Some(due)) => return Some(due),
            (stretch, None) => stretch,
        };
        loop {
            let local = self.wall.next(self.low(from, stretch.offset));
            if let Some(local) = local
                && local < self.high(stretch)
            {
                return Some(local - stretch.offset);
            }
            let after = stretch.after?;
            match self.gap_occurrence(after, stretch.offset) {
                Some(due) if due >= from => return Some(due),
                Some(_) | None => {}
            }
            // A fold within a day or so may turn the clock back to members before `local`.
            let near = after.at - from < LEAP_MARGIN;
            from = match local {
                Some(local) if !near => after.at.max(local - LEAP_MARGIN),
                None if !near => return None,
                Some(_) | None => after.at,
            };
            stretch = stretch_at(self.zone, from);
        }
    }

    /// The stretch in which a search from a second begins, and the occurrence at that
    /// very second which stands for a gap that ends there.
    fn begin(self, from: i64) -> (Stretch, Option<i64>) {
        // One second earlier, the stretch shows its end without another look-up.
        let stretch = stretch_at(self.zone, from - 1);
        match stretch.after {
            Some(after) if after.at <= from => {
                let due = self.gap_occurrence(after, stretch.offset);
                let due = due.filter(|&due| due == from);
                (stretch_at(self.zone, from), due)
            }
            Some(_) | None => (stretch, None),
        }
    }

    /// The last occurrence at or before a second.
    pub(crate) fn previous(self, to: i64) -> Option<i64> {
        let mut to = to;
        loop {
            let stretch = stretch_at(self.zone, to);
            if let Some(after) = stretch.after
                && let Some(due) = self.gap_occurrence(after, stretch.offset)
                && due <= to
            {
                return Some(due);
            }
            let before = change_before(self.zone, to);
            let low = before.map_or(i64::MIN / 4, |before| self.low(before.at, stretch.offset));
            let local = self
                .wall
                .previous((self.high(stretch) - 1).min(to + stretch.offset));
            if let Some(local) = local
                && local >= low
            {
                return Some(local - stretch.offset);
            }
            let before = before?;
            let start = Change {
                at: before.at,
                offset: stretch.offset,
            };
            match self.gap_occurrence(start, before.offset) {
                Some(due) if due >= before.at => return Some(due),
                Some(_) | None => {}
            }
            let near = to - before.at < LEAP_MARGIN;
            to = match local {
                Some(local) if !near => (before.at - 1).min(local + LEAP_MARGIN),
                None if !near => return None,
                Some(_) | None => before.at - 1,
            };
        }
    }

    /// How many occurrences lie in `from..=to`.
    pub(crate) fn count(self, from: i64, to: i64) -> u64 {
        let (mut from, to) = (from.max(FIRST_SECOND), to.min(LAST_SECOND));
        let mut count = 0;
        if from <= to
            && let (stretch, Some(due)) = self.begin(from)
            && !self
                .wall
                .any_in(due + stretch.offset, due + stretch.offset + 1)
        {
            count += 1;
        }
        while from <= to {
            let stretch = stretch_at(self.zone, from);
            let end = stretch.after.map_or(to, |after| to.min(after.at - 1));
            count += self.wall.count(
                self.low(from, stretch.offset),
                self.high(stretch).min(end + stretch.offset + 1),
            );
            let Some(after) = stretch.after else { break };
            if let Some(due) = self.gap_occurrence(after, stretch.offset)
                && (from..=to).contains(&due)
                && !self.is_counted(due, after, stretch.offset)
            {
                count += 1;
            }
            from = after.at;
        }
        count
    }

    /// Whether a gap's occurrence coincides with a member of its own.
    fn is_counted(self, due: i64, after: Change, offset: i64) -> bool {
        let local = due
            + if due >= after.at {
                after.offset
            } else {
                offset
            };
        self.wall.any_in(local, local + 1)
    }

    /// The first local time that counts from a second on: what the clock shows then,
    /// or the end of a repeated hour whose first pass has had its occurrences.
    pub(crate) fn low(self, second: i64, offset: i64) -> i64 {
        let shown = second + offset;
        match self.dst.map(|dst| dst.repeat) {
            Some(RepeatPolicy::First) => change_before(self.zone, second)
                .map_or(shown, |before| shown.max(before.at + before.offset)),
            Some(RepeatPolicy::Last | RepeatPolicy::Both) | None => shown,
        }
    }

    /// The end of the local times that count in a stretch: its own, or where the
    /// clock will be turned back to, if the last pass of a repeated hour counts.
    pub(crate) fn high(self, stretch: Stretch) -> i64 {
        let Some(after) = stretch.after else {
            return i64::MAX / 4;
        };
        match self.dst.map(|dst| dst.repeat) {
            Some(RepeatPolicy::Last) => after.at + after.offset.min(stretch.offset),
            Some(RepeatPolicy::First | RepeatPolicy::Both) | None => after.at + stretch.offset,
        }
    }

    /// The occurrence that stands for the local times which `change` skips.
    pub(crate) fn gap_occurrence(self, change: Change, offset_before: i64) -> Option<i64> {
        let gap = self.dst?.gap;
        let (from, to) = (change.at + offset_before, change.at + change.offset);
        if from >= to || gap == GapPolicy::Skip || !self.wall.any_in(from, to) {
            return None;
        }
        match gap {
            GapPolicy::Shift => Some(change.at),
            GapPolicy::Before => Some(change.at - 1),
            GapPolicy::Skip => None,
        }
    }
}

impl RuleInZone<'_> {
    /// How many occurrences lie in `from..=to`, in closed form; `None` for an interval
    /// that does not divide the day and is limited, which has none.
    pub(crate) fn count(self, from: i64, to: i64) -> Option<u64> {
        let (from, to) = (from - self.offset, to - self.offset);
        match &self.rule.timing {
            Timing::Wall { times, passes } => Some(self.seams(times, *passes).count(from, to)),
            Timing::Elapsed { step, window } if self.elapsed_is_unlimited(*window) => {
                let (first, last, anchor) = self.elapsed_bounds();
                let (from, to) = (from.max(first), to.min(last));
                if from > to {
                    return Some(0);
                }
                let step = i64::from(*step);
                let steps = (to - anchor).div_euclid(step) - (from - 1 - anchor).div_euclid(step);
                Some(steps.unsigned_abs())
            }
            Timing::Elapsed { .. } => None,
        }
    }
}
