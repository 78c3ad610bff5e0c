//! What few rules have: it lies behind a pointer, so that the others stay small.

use crate::business::{BusinessDays, Roll};
use crate::calendars::{CalendarUse, FIRST_YEAR, LAST_YEAR};
use crate::period::Period;
use crate::spread::Spread;

/// What few rules have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// Business days, beside those that the rule's pattern names.
    pub(crate) business: Option<BusinessDays>,
    /// The calendar that alone the days are taken from.
    pub(crate) only_in: Option<CalendarUse>,
    pub(crate) period: Option<Period>,
    pub(crate) roll: Option<Roll>,
    pub(crate) spread: Option<Spread>,
    /// Where the listed dates of the rule have moved, ascending. Derived.
    pub(crate) rolled_dates: Option<Box<[i64]>>,
    /// How far days move at most. Derived.
    pub(crate) reach: i64,
    /// The years in which calendars matter, and those of them with a day. Derived.
    pub(crate) calendar_years: CalendarYears,
}

impl Extras {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Extras::default()
    }
}

/// Years of calendars with and without a day of the rule, so that a search need not
/// look into years that have none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CalendarYears {
    touched: YearSet,
    with_days: YearSet,
}

/// A set of the years that calendars have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct YearSet([u64; 5]);

/// The years in which calendars matter: one more on each side, since days move across the
/// turn of the year.
pub(crate) const YEARS: std::ops::RangeInclusive<i64> = FIRST_YEAR - 1..=LAST_YEAR + 1;

impl YearSet {
    fn place(year: i64) -> Option<(usize, u64)> {
        let index = YEARS.contains(&year).then(|| year - YEARS.start())?;
        Some((index as usize / 64, 1 << (index % 64)))
    }

    fn has(&self, year: i64) -> bool {
        Self::place(year).is_some_and(|(word, bit)| self.0[word] & bit != 0)
    }

    fn add(&mut self, year: i64) {
        if let Some((word, bit)) = Self::place(year) {
            self.0[word] |= bit;
        }
    }
}

impl CalendarYears {
    /// Finds out the years: `calendars` are those of the rule, `has_days` looks into a year.
    pub(crate) fn derive<'c>(
        calendars: impl Iterator<Item = &'c crate::calendars::Calendar>,
        has_days: impl Fn(i64) -> bool,
    ) -> Self {
        let mut years = Self::default();
        for year in calendars.flat_map(|calendar| calendar.years()) {
            for year in [year - 1, year, year + 1] {
                years.touched.add(year);
            }
        }
        for year in YEARS.filter(|&year| years.touched.has(year)) {
            if has_days(year) {
                years.with_days.add(year);
            }
        }
        years
    }

    /// Whether the rule has a day in a year; `None` for a year without calendars.
    pub(crate) fn has_days(&self, year: i64) -> Option<bool> {
        self.touched.has(year).then(|| self.with_days.has(year))
    }

    /// Whether any year of calendars has a day of the rule.
    pub(crate) fn has_any(&self) -> bool {
        self.with_days != YearSet::default()
    }
}
