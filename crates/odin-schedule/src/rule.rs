//! The general form that every schedule compiles to, English and cron alike.
//!
//! A schedule is a union of rules. A rule says which local days it covers, which
//! times on them, and how it treats a clock that jumps.

use crate::business::{BusinessOf, Heed, Roll};
use crate::calendar::{self, DAY_SECONDS, FIRST_DAY};
use crate::calendars::{Calendar, CalendarUse};
use crate::extras::{CalendarYears, Extras};
use crate::period::WEEKS_FROM;
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
    /// What few rules have.
    pub(crate) extras: Option<Box<Extras>>,
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
    /// Ascending by name.
    pub(crate) calendars: Vec<CalendarUse>,
}

impl Rule {
    pub(crate) fn new(days: Days, timing: Timing, tail: Tail, cron: Option<Box<str>>) -> Rule {
        Rule::with_extras(days, timing, tail, cron, Extras::default())
    }

    pub(crate) fn with_extras(
        days: Days,
        timing: Timing,
        tail: Tail,
        cron: Option<Box<str>>,
        extras: Extras,
    ) -> Rule {
        let has_calendars = tail
            .except
            .as_ref()
            .is_some_and(|except| !except.calendars.is_empty());
        let mut rule = Rule {
            days,
            timing,
            tail,
            cron,
            extras: (has_calendars || !extras.is_empty()).then(|| Box::new(extras)),
            year_kinds: 0,
        };
        if let Some(extras) = &mut rule.extras {
            extras.reach = extras.roll.as_ref().map_or(0, Roll::reach);
        }
        rule.roll_dates();
        for (kind, year) in calendar::YEAR_OF_KIND.into_iter().enumerate() {
            if (1..=12).any(|month| rule.recurring_days(year, month) != 0) {
                rule.year_kinds |= 1 << kind;
            }
        }
        if rule.step_never_meets_days() {
            rule.year_kinds = 0;
        }
        rule.derive_calendar_years();
        rule
    }

    /// Moves the listed dates that are no business days.
    fn roll_dates(&mut self) {
        let Days::Dates(dates) = &self.days else {
            return;
        };
        let Some(extras) = &mut self.extras else {
            return;
        };
        if let Some(roll) = &extras.roll {
            let mut moved: Vec<i64> = dates.iter().filter_map(|&date| roll.moved(date)).collect();
            moved.sort_unstable();
            moved.dedup();
            extras.rolled_dates = Some(moved.into());
        }
    }

    /// Looks into the years of the calendars once, and notes where there is nothing.
    fn derive_calendar_years(&mut self) {
        let Some(extras) = &self.extras else {
            return;
        };
        let is_pattern = matches!(self.days, Days::Pattern(_));
        let only_in_calendar = extras.only_in.is_some();
        let years = CalendarYears::derive(self.calendars(), |year| {
            (1..=12).any(|month| self.month_mask(year, month) != 0)
        });
        let counts_from_origin = extras.period.is_some();
        if let Some(extras) = &mut self.extras {
            extras.calendar_years = years;
        }
        let never = if only_in_calendar {
            !years.has_any()
        } else {
            counts_from_origin && self.next_day(FIRST_DAY).is_none()
        };
        if is_pattern && never {
            self.year_kinds = 0;
        }
    }

    /// The calendars that decide about the rule's days.
    fn calendars(&self) -> impl Iterator<Item = &Calendar> {
        let extras = self.extras.as_deref();
        let business = self.business_of().filter_map(BusinessOf::calendar);
        let only_in = extras.and_then(|extras| extras.only_in.as_ref());
        let except = self.tail.except.iter().flat_map(|except| &except.calendars);
        business.chain(
            only_in
                .into_iter()
                .chain(except)
                .map(|used| &*used.calendar),
        )
    }

    /// What the rule takes for business days, where it speaks of them.
    pub(crate) fn business_of(&self) -> impl Iterator<Item = &BusinessOf> {
        let extras = self.extras.as_deref();
        let days = extras.and_then(|extras| extras.business.as_ref());
        let roll = extras.and_then(|extras| extras.roll.as_ref());
        days.map(|days| &days.of)
            .into_iter()
            .chain(roll.map(|roll| &roll.of))
    }

    /// The named calendars that the rule cannot do without.
    pub(crate) fn calendar_uses(&self) -> impl Iterator<Item = &CalendarUse> {
        let only_in = self
            .extras
            .as_ref()
            .and_then(|extras| extras.only_in.as_ref());
        let business = self.business_of().filter_map(|of| match of {
            BusinessOf::Named(used) => Some(used),
            BusinessOf::Weekdays | BusinessOf::Holidays(_) => None,
        });
        let except = self.tail.except.iter().flat_map(|except| &except.calendars);
        only_in.into_iter().chain(business).chain(except)
    }

    /// Whether the rule covers every day.
    pub(crate) fn is_every_day(&self) -> bool {
        let every_day = match &self.days {
            Days::Pattern(pattern) => pattern.is_every_day(),
            Days::Dates(_) => false,
        };
        let has_other_days = self.extras.as_ref().is_some_and(|extras| {
            extras.business.is_some() || extras.only_in.is_some() || extras.period.is_some()
        });
        every_day && !has_other_days && self.tail.except.is_none()
    }

    /// The days before moving: those of `pattern`, of business days and of calendars.
    pub(crate) fn named_days(&self, pattern: &DayPattern, year: i64, month: u8, heed: Heed) -> u32 {
        let mut mask = pattern.month_mask(year, month);
        let Some(extras) = &self.extras else {
            return mask;
        };
        if let Some(business) = &extras.business
            && pattern.months & (1 << month) != 0
        {
            mask |= business.mask(year, month, heed) & pattern.only_mask(year, month);
        }
        if heed == Heed::LayoutOnly || mask == 0 {
            return mask;
        }
        if let Some(period) = extras.period {
            mask &= period.mask(year, month, self.origin_day());
        }
        if let Some(only_in) = &extras.only_in {
            mask &= only_in.calendar.month_mask(year, month);
        }
        mask
    }

    /// The day from which `every N days` counts.
    pub(crate) fn anchor_day(&self) -> i64 {
        self.starting_day().unwrap_or(0)
    }

    /// The day from which `every N weeks` counts, and in whose month, quarter or year the
    /// others begin.
    pub(crate) fn origin_day(&self) -> i64 {
        self.starting_day().unwrap_or(WEEKS_FROM)
    }

    pub(crate) fn starting_day(&self) -> Option<i64> {
        self.tail
            .starting
            .map(|second| second.div_euclid(DAY_SECONDS))
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
