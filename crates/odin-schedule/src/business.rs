//! Business days: which they are, how they are counted in a month, and where a day
//! moves that is none.

use std::sync::Arc;

use crate::calendars::{Calendar, CalendarUse};
use crate::day_search::{month_bits, weekday_mask};
use crate::rule::WORKING_DAYS;

/// Whether a layout of months heeds what is particular to real years: calendars, and
/// what counts from an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heed {
    Everything,
    /// Only what depends on the year's layout, which fourteen kinds of year share.
    LayoutOnly,
}

/// Which days are business days: Monday to Friday, less the days of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BusinessOf {
    /// All of them: `weekday`.
    Weekdays,
    /// Less the calendar `holidays`; `None` where there is no such calendar.
    Holidays(Option<Arc<Calendar>>),
    /// Less a calendar that the text names.
    Named(CalendarUse),
}

impl BusinessOf {
    /// The business days of a month, bits 1 to 31.
    fn mask(&self, year: i64, month: u8, heed: Heed) -> u32 {
        let weekdays = weekday_mask(year, month, WORKING_DAYS) & month_bits(year, month);
        match self.calendar() {
            Some(calendar) if heed == Heed::Everything => {
                weekdays & !calendar.month_mask(year, month)
            }
            Some(_) | None => weekdays,
        }
    }

    /// The calendar whose days are off, where there is one.
    pub(crate) fn calendar(&self) -> Option<&Calendar> {
        match self {
            BusinessOf::Weekdays => None,
            BusinessOf::Holidays(calendar) => calendar.as_deref(),
            BusinessOf::Named(used) => Some(&used.calendar),
        }
    }
}

/// Business days as the days of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BusinessDays {
    pub(crate) of: BusinessOf,
    pub(crate) which: Which,
}

/// Which of a month's business days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Bit 1 is the first of the month, or the last.
    Counted {
        from_start: u32,
        from_end: u32,
    },
}

impl BusinessDays {
    /// The days of a month, bits 1 to 31.
    pub(crate) fn mask(&self, year: i64, month: u8, heed: Heed) -> u32 {
        let days = self.of.mask(year, month, heed);
        let Which::Counted {
            from_start,
            from_end,
        } = self.which
        else {
            return days;
        };
        let count = days.count_ones();
        let mut chosen = 0;
        let mut rest = days;
        for nth in 1..=count {
            let day = rest & rest.wrapping_neg();
            rest &= !day;
            if from_start & (1 << nth) != 0 || from_end & (1 << (count - nth + 1)) != 0 {
                chosen |= day;
            }
        }
        chosen
    }
}

/// Where a day moves that is no business day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roll {
    pub(crate) to: RollTo,
    pub(crate) of: BusinessOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RollTo {
    /// The next business day, in a later month if need be.
    Next,
    /// The one before, in an earlier month if need be.
    Previous,
    /// The nearest one of the same month; of two equally near the later.
    Nearest,
}

/// The most months in a row that a calendar can leave without a business day, and one
/// more: each takes twenty days of it at least.
const MONTHS_WITHOUT_MAX: u32 = crate::calendars::CALENDAR_DAYS_MAX as u32 / 20 + 1;

impl Roll {
    /// The days of a month once those that `named` gives for it and for the months
    /// around it have moved.
    pub(crate) fn apply(
        &self,
        named: impl Fn(i64, u8) -> u32,
        year: i64,
        month: u8,
        heed: Heed,
    ) -> u32 {
        let days = named(year, month);
        let open = self.of.mask(year, month, heed);
        let mut kept = days & open;
        let mut off = days & !open;
        while off != 0 {
            let day = off.trailing_zeros();
            off &= off - 1;
            kept |= match self.to {
                RollTo::Next => first_from(open, day),
                RollTo::Previous => last_to(open, day),
                RollTo::Nearest => nearest(open, day),
            };
        }
        let enters = match self.to {
            RollTo::Next => 1 << open.trailing_zeros().min(31),
            RollTo::Previous => 1 << (31 - (open | 1).leading_zeros()),
            RollTo::Nearest => 0,
        };
        if open != 0 && enters != 0 && kept & enters == 0 && self.enters(named, year, month, heed) {
            kept |= enters;
        }
        kept
    }

    /// Whether a day of a month before (or after, where days move back) moves into the
    /// month: one that no business day of its own month follows (or precedes).
    fn enters(&self, named: impl Fn(i64, u8) -> u32, year: i64, month: u8, heed: Heed) -> bool {
        let (mut year, mut month) = (year, month);
        for _ in 0..MONTHS_WITHOUT_MAX {
            (year, month) = match (self.to, month) {
                (RollTo::Next, 1) => (year - 1, 12),
                (RollTo::Next, _) => (year, month - 1),
                (_, 12) => (year + 1, 1),
                (_, _) => (year, month + 1),
            };
            let days = named(year, month);
            let has_calendar = heed == Heed::Everything && self.of.calendar().is_some();
            if days == 0 && !has_calendar {
                return false;
            }
            let open = self.of.mask(year, month, heed);
            if open != 0 {
                return match self.to {
                    RollTo::Next => days > u32::MAX >> open.leading_zeros(),
                    _ => days & ((1 << open.trailing_zeros()) - 1) != 0,
                };
            }
            if days != 0 {
                return true;
            }
        }
        false
    }

    /// No day moves further than this.
    pub(crate) fn reach(&self) -> i64 {
        // A weekend on both sides of the calendar's days, and one day beyond.
        let weekends = 5;
        match self.to {
            RollTo::Nearest => 31,
            RollTo::Next | RollTo::Previous => {
                weekends + self.of.calendar().map_or(0, Calendar::longest_run)
            }
        }
    }

    /// Where a single day moves; `None` where a month has no business day for `Nearest`,
    /// or no month does within the reach of a calendar.
    pub(crate) fn moved(&self, day: i64) -> Option<i64> {
        let (year, month, _) = crate::calendar::civil(day);
        let mut index = year * 12 + i64::from(month) - 1;
        let named = |y: i64, m: u8| {
            if (y, m) == (year, month) {
                self::bit(day)
            } else {
                0
            }
        };
        for _ in 0..=MONTHS_WITHOUT_MAX {
            let (year, month) = (index.div_euclid(12), index.rem_euclid(12) as u8 + 1);
            let found = self.apply(named, year, month, Heed::Everything);
            if found != 0 {
                let day = found.trailing_zeros() as u8;
                return Some(crate::calendar::day_number(year, month, day));
            }
            index += match self.to {
                RollTo::Next => 1,
                RollTo::Previous => -1,
                RollTo::Nearest => return None,
            };
        }
        None
    }
}

/// The bit of a day in its month.
fn bit(day: i64) -> u32 {
    1 << crate::calendar::civil(day).2
}

/// The lowest bit of `set` at or above a place, or none.
fn first_from(set: u32, place: u32) -> u32 {
    let rest = set & (u32::MAX << place);
    rest & rest.wrapping_neg()
}

/// The highest bit of `set` at or below a place, or none.
fn last_to(set: u32, place: u32) -> u32 {
    let rest = set & (u32::MAX >> (31 - place));
    if rest == 0 {
        0
    } else {
        1 << (31 - rest.leading_zeros())
    }
}

fn nearest(set: u32, place: u32) -> u32 {
    let (before, after) = (last_to(set, place), first_from(set, place));
    if before == 0 || after == 0 {
        return before | after;
    }
    let back = place - before.trailing_zeros();
    let on = after.trailing_zeros() - place;
    if back < on { before } else { after }
}
