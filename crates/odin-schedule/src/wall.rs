//! A rule's times on the local clock, before any zone: a set of local seconds that
//! can be searched and counted.

use crate::calendar::DAY_SECONDS;
use crate::rule::Rule;
use crate::time_set::TimeSet;

/// The local seconds at which `rule` is due, its bounds included.
#[derive(Clone, Copy)]
pub(crate) struct Wall<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) times: &'r TimeSet,
}

impl Wall<'_> {
    /// The first member at or after a local second.
    pub(crate) fn next(self, second: i64) -> Option<i64> {
        let second = self
            .rule
            .tail
            .starting
            .map_or(second, |starting| second.max(starting));
        let mut from = second.div_euclid(DAY_SECONDS) - self.days_reached_back();
        // Three days at most: a window opened yesterday, today, and then any day will do.
        loop {
            let day = self.rule.next_day(from)?;
            if let Some(time) = self.times.next(second - day * DAY_SECONDS) {
                let member = day * DAY_SECONDS + time;
                return (self.rule.tail.until.is_none_or(|until| member <= until))
                    .then_some(member);
            }
            from = day + 1;
        }
    }

    /// The last member at or before a local second.
    pub(crate) fn previous(self, second: i64) -> Option<i64> {
        let second = self
            .rule
            .tail
            .until
            .map_or(second, |until| second.min(until));
        let mut to = second.div_euclid(DAY_SECONDS);
        loop {
            let day = self.rule.previous_day(to)?;
            if let Some(time) = self.times.previous(second - day * DAY_SECONDS) {
                let member = day * DAY_SECONDS + time;
                return (self
                    .rule
                    .tail
                    .starting
                    .is_none_or(|starting| member >= starting))
                .then_some(member);
            }
            to = day - 1;
        }
    }

    /// Whether any member lies in `from..to`.
    pub(crate) fn any_in(self, from: i64, to: i64) -> bool {
        self.next(from).is_some_and(|member| member < to)
    }

    /// How many members lie in `from..to`.
    pub(crate) fn count(self, from: i64, to: i64) -> u64 {
        let first = self
            .rule
            .tail
            .starting
            .map_or(from, |starting| from.max(starting));
        let last = self
            .rule
            .tail
            .until
            .map_or(to - 1, |until| (to - 1).min(until));
        if first > last {
            return 0;
        }
        let on_day = |day: i64| {
            let midnight = day * DAY_SECONDS;
            self.rule.count_days(day, day)
                * (self.times.count_to(last - midnight) - self.times.count_to(first - 1 - midnight))
        };
        let first_day = first.div_euclid(DAY_SECONDS) - self.days_reached_back();
        let last_day = last.div_euclid(DAY_SECONDS);
        if last_day - first_day < 4 {
            return (first_day..=last_day).map(on_day).sum();
        }
        // Two days at each end may be cut; every day between them is whole.
        on_day(first_day)
            + on_day(first_day + 1)
            + self.rule.count_days(first_day + 2, last_day - 2) * self.times.len()
            + on_day(last_day - 1)
            + on_day(last_day)
    }

    fn days_reached_back(self) -> i64 {
        i64::from(self.times.crosses_midnight())
    }
}
