//! The general form that every schedule compiles to, English and cron alike.
//!
//! A schedule is a union of rules. A rule says which local days it covers, which
//! times on them, and how it treats a clock that jumps.

use crate::calendar::{self, DAY_SECONDS};
use crate::time_set::TimeSet;

/// All twelve months, bits 1 to 12.
pub(crate) const ALL_MONTHS: u16 = 0b1_1111_1111_1110;
/// January, April, July and October.
pub(crate) const QUARTER_MONTHS: u16 = 1 << 1 | 1 << 4 | 1 << 7 | 1 << 10;
/// All seven weekdays, bit 0 is Monday.
pub(crate) const ALL_WEEKDAYS: u8 = 0b111_1111;
/// Monday to Friday.
pub(crate) const WORKING_DAYS: u8 = 0b001_1111;
/// Saturday and Sunday.
pub(crate) const WEEKEND: u8 = 0b110_0000;

/// One clause of a schedule in its compiled form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) days: Days,
    pub(crate) timing: Timing,
    pub(crate) tail: Tail,
    /// The cron text this rule was written as, fields normalised; `None` for English.
    pub(crate) cron: Option<Box<str>>,
    /// Which of the fourteen kinds of year hold a day of this rule; none of them
    /// means that the rule never fires. Derived by [`Rule::new`].
    pub(crate) year_kinds: u16,
}

/// Which days a rule covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Days {
    /// Days that recur.
    Pattern(DayPattern),
    /// These days only, ascending (`once on`).
    Dates(Box<[i64]>),
}

/// Days that recur. A day belongs when its month is in `months`, its weekday in
/// `only`, and any of the selectors (month day, last day, days before it, nearest
/// weekday, weekday, nth weekday) names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayPattern {
    /// Bits 1 to 12.
    pub(crate) months: u16,
    /// Days of the month, bits 1 to 31.
    pub(crate) month_days: u32,
    /// The last day of the month, whatever its number.
    pub(crate) last_day: bool,
    /// Days that lie this many days before the last of the month, bits 1 to 30.
    pub(crate) before_last: u32,
    /// Days of the month whose nearest Monday to Friday within the month counts, bits 1
    /// to 31; bit 0 stands for the last day. A month without the day has none.
    pub(crate) nearest_weekdays: u32,
    /// Bit 0 is Monday.
    pub(crate) weekdays: u8,
    /// The first to fifth of a weekday in its month, then the last: weekday bits each.
    pub(crate) nth_weekdays: [u8; 6],
    /// Weekdays to which the others are limited; all seven where there is no limit.
    pub(crate) only: u8,
    /// Only each nth day, counted from `starting`, else from 1970-01-01. 1 is every day.
    pub(crate) every_days: u16,
}

impl DayPattern {
    /// A pattern without any day: the start for adding selectors.
    pub(crate) const NONE: DayPattern = DayPattern {
        months: ALL_MONTHS,
        month_days: 0,
        last_day: false,
        before_last: 0,
        nearest_weekdays: 0,
        weekdays: 0,
        nth_weekdays: [0; 6],
        only: ALL_WEEKDAYS,
        every_days: 1,
    };

    /// Every day.
    pub(crate) const EVERY_DAY: DayPattern = DayPattern {
        weekdays: ALL_WEEKDAYS,
        ..DayPattern::NONE
    };

    /// Whether this is every day of every month.
    pub(crate) fn is_every_day(&self) -> bool {
        *self == DayPattern::EVERY_DAY
    }
}

/// Which times a rule fires at on its days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Timing {
    /// Times of the local clock.
    Wall { times: TimeSet, passes: Passes },
    /// A grid of elapsed time from `starting`, else from 1970-01-01T00:00Z, kept
    /// where the local clock is in the window.
    Elapsed {
        /// Seconds, at least 1.
        step: u32,
        window: Window,
    },
}

/// How a wall-clock rule treats a clock that jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passes {
    /// Fixed times: each local time counts once, by the [`DstPolicy`](crate::DstPolicy).
    Once,
    /// Interval-like: each real instant whose local clock matches; missing local
    /// times are simply missing, repeated ones fire in both passes.
    Each,
}

/// A stretch of the day, both ends included, in seconds from midnight.
///
/// `to` lies past 86,399 where the window crosses midnight; the part after
/// midnight belongs to the day on which the window opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Window {
    pub(crate) const WHOLE_DAY: Window = Window {
        from: 0,
        to: DAY_SECONDS as u32 - 1,
    };

    /// The window between two times of day; a `to` before `from` crosses midnight.
    pub(crate) fn between(from: u32, to: u32) -> Window {
        let to = if to < from {
            to + DAY_SECONDS as u32
        } else {
            to
        };
        Window { from, to }
    }
}

/// What limits a rule as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// First local second, included.
    pub(crate) starting: Option<i64>,
    /// Last local second, included.
    pub(crate) until: Option<i64>,
    pub(crate) except: Option<Box<Exceptions>>,
}

impl Tail {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Tail::default()
    }
}

/// Days taken out of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Exceptions {
    /// Bit 0 is Monday.
    pub(crate) weekdays: u8,
    /// Bits 1 to 12.
    pub(crate) months: u16,
    /// Month and day of each year, ascending.
    pub(crate) yearly: Vec<(u8, u8)>,
    /// Day numbers, ascending.
    pub(crate) dates: Vec<i64>,
}

impl Rule {
    pub(crate) fn new(days: Days, timing: Timing, tail: Tail, cron: Option<Box<str>>) -> Rule {
        let mut rule = Rule {
            days,
            timing,
            tail,
            cron,
            year_kinds: 0,
        };
        for (kind, year) in calendar::YEAR_OF_KIND.into_iter().enumerate() {
            if (1..=12).any(|month| rule.recurring_days(year, month) != 0) {
                rule.year_kinds |= 1 << kind;
            }
        }
        if rule.step_never_meets_days() {
            rule.year_kinds = 0;
        }
        rule
    }

    /// The day from which `every N days` counts.
    pub(crate) fn anchor_day(&self) -> i64 {
        self.tail
            .starting
            .map_or(0, |second| second.div_euclid(DAY_SECONDS))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_common_schedule_is_small_in_memory() {
        // A million jobs keep their schedules in memory: 200 bytes each, the list of
        // times included, is the bound.
        let text = "every Monday and Friday at 09:00, 12:00 and 18:00";
        assert_eq!(crate::parse(text).unwrap().rules.len(), 1);
        let counts_of_the_shared_slice = 2 * size_of::<usize>();
        let times = 3 * size_of::<u32>();
        assert!(size_of::<super::Rule>() + counts_of_the_shared_slice + times <= 200);
    }
}
