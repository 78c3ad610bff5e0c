//! A calendar: a set of days, some with a name, laid out for searching by month.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::error::{CALENDAR_BYTES_MAX, CalendarError, CalendarErrorKind};
use super::{ics, list_text};
use crate::calendar::{civil, day_number};

/// The most days that a calendar has.
pub const CALENDAR_DAYS_MAX: usize = 10_000;

/// The first year of which a calendar has days.
pub(crate) const FIRST_YEAR: i64 = 1900;
/// The last year of which a calendar has days.
pub(crate) const LAST_YEAR: i64 = 2199;

/// A set of days, such as holidays: at most [`CALENDAR_DAYS_MAX`], of the years 1900 to
/// 2199. Some may have a name, such as `Christmas Day`.
///
/// A calendar does not say whether its days are worked or not: the schedule does, with
/// `except on NAME` or `in calendar NAME`. For business days they are days off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Months that have days, ascending: months since year 0, and bits 1 to 31.
    months: Box<[(i32, u32)]>,
    /// Day numbers with a name, ascending.
    names: Box<[(i64, Box<str>)]>,
}

impl Calendar {
    /// A calendar of these dates, in any order.
    ///
    /// # Errors
    /// [`CalendarErrorKind::OutOfYears`] and [`CalendarErrorKind::TooManyDays`].
    pub fn from_dates(dates: impl IntoIterator<Item = Date>) -> Result<Self, CalendarError> {
        let mut days = DaySet::default();
        for date in dates {
            let (year, month, day) = (date.year(), date.month() as u8, date.day() as u8);
            days.add(day_number(year.into(), month, day), "")
                .map_err(CalendarError::whole)?;
        }
        Ok(days.into_calendar())
    }

    /// Reads a calendar from text: an iCalendar file where it begins with
    /// `BEGIN:VCALENDAR`, else a list of dates.
    ///
    /// # Errors
    /// As [`parse_list`](Self::parse_list) and [`parse_ics`](Self::parse_ics).
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        if ics::looks_like_ics(text) {
            Self::parse_ics(text)
        } else {
            Self::parse_list(text)
        }
    }

    /// Reads a list: one date such as `2026-12-25` or range such as
    /// `2026-12-24..2026-12-26` (both ends included) to a line, each with a name behind
    /// it if it has one; `#` begins a comment.
    ///
    /// # Errors
    /// The first line that is none, and the bounds on length and days.
    ///
    /// ```
    /// let calendar = odin_schedule::Calendar::parse_list("2026-12-25 Christmas Day\n2026-12-28..2026-12-31\n")?;
    /// assert_eq!(calendar.len(), 5);
    /// assert_eq!(calendar.name_of(jiff::civil::date(2026, 12, 25)), Some("Christmas Day"));
    /// # Ok::<(), odin_schedule::CalendarError>(())
    /// ```
    pub fn parse_list(text: &str) -> Result<Self, CalendarError> {
        refuse_too_long(text)?;
        list_text::read(text)
    }

    /// Reads the events of an iCalendar file (RFC 5545).
    ///
    /// An event covers each day from its start to its end; of a time only the date
    /// counts, by the clock it is written in. Rules that repeat yearly, monthly, weekly
    /// or daily are laid out to the end of 2100. Cancelled events are left out.
    ///
    /// # Errors
    /// The first line that cannot be read, or whose meaning is not supported: a day is
    /// never left out in silence. And the bounds on length, days and repetition.
    pub fn parse_ics(text: &str) -> Result<Self, CalendarError> {
        refuse_too_long(text)?;
        ics::read(text)
    }

    /// Whether the calendar has a day.
    pub fn contains(&self, date: Date) -> bool {
        let mask = self.month_mask(date.year().into(), date.month() as u8);
        mask & (1 << date.day()) != 0
    }

    /// The name of a day; `None` where the calendar does not have the day or a name for it.
    pub fn name_of(&self, date: Date) -> Option<&str> {
        let day = day_number(date.year().into(), date.month() as u8, date.day() as u8);
        let index = self
            .names
            .binary_search_by_key(&day, |named| named.0)
            .ok()?;
        Some(&self.names[index].1)
    }

    /// The days, in order.
    pub fn dates(&self) -> impl Iterator<Item = Date> + '_ {
        self.months.iter().flat_map(|&(month, mask)| {
            let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
            (1..=31_i8)
                .filter(move |day| mask & (1 << day) != 0)
                .map(move |day| jiff::civil::date(year as i16, month as i8, day))
        })
    }

    /// How many days the calendar has.
    pub fn len(&self) -> usize {
        let days = |&(_, mask): &(i32, u32)| mask.count_ones() as usize;
        self.months.iter().map(days).sum()
    }

    /// Whether the calendar has no day.
    pub fn is_empty(&self) -> bool {
        self.months.is_empty()
    }

    /// The most days in a row that no business day interrupts, weekends around them
    /// left out: between two days that lie further apart than a weekend there is one.
    pub(crate) fn longest_run(&self) -> i64 {
        let days = self.months.iter().flat_map(|&(month, mask)| {
            let (year, month) = (i64::from(month).div_euclid(12), month.rem_euclid(12) + 1);
            let bits = (1..=31_u8).filter(move |day| mask & (1 << day) != 0);
            bits.map(move |day| day_number(year, month as u8, day))
        });
        let (mut longest, mut first, mut last) = (0, i64::MIN / 2, i64::MIN / 2);
        for day in days {
            if day - last > 3 {
                first = day;
            }
            last = day;
            longest = longest.max(last - first + 1);
        }
        longest
    }

    /// The years that have days, ascending; a year may come several times.
    pub(crate) fn years(&self) -> impl Iterator<Item = i64> + '_ {
        self.months
            .iter()
            .map(|&(month, _)| month.div_euclid(12).into())
    }

    /// The days of one month, bits 1 to 31.
    pub(crate) fn month_mask(&self, year: i64, month: u8) -> u32 {
        if !(FIRST_YEAR..=LAST_YEAR).contains(&year) {
            return 0;
        }
        let month = month_index(year, month);
        match self.months.binary_search_by_key(&month, |entry| entry.0) {
            Ok(index) => self.months[index].1,
            Err(_) => 0,
        }
    }
}

fn month_index(year: i64, month: u8) -> i32 {
    year as i32 * 12 + i32::from(month) - 1
}

fn refuse_too_long(text: &str) -> Result<(), CalendarError> {
    let bytes = text.len();
    if bytes <= CALENDAR_BYTES_MAX {
        return Ok(());
    }
    Err(CalendarError::whole(CalendarErrorKind::TooLong { bytes }))
}

/// The days of a calendar that is being read.
#[derive(Default)]
pub(super) struct DaySet {
    days: BTreeMap<i64, Box<str>>,
}

/// The longest name of a day that is kept, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

impl DaySet {
    /// Adds a day; the first name that a day gets stays.
    pub(super) fn add(&mut self, day: i64, name: &str) -> Result<(), CalendarErrorKind> {
        let (year, _, _) = civil(day);
        if !(FIRST_YEAR..=LAST_YEAR).contains(&year) {
            let text = crate::english::date(day);
            return Err(CalendarErrorKind::OutOfYears { text });
        }
        let known = self.days.entry(day).or_default();
        if known.is_empty() {
            *known = name.chars().take(NAME_CHARACTERS_MAX).collect();
        }
        if self.days.len() > CALENDAR_DAYS_MAX {
            return Err(CalendarErrorKind::TooManyDays);
        }
        Ok(())
    }

    pub(super) fn into_calendar(self) -> Calendar {
        let mut months: Vec<(i32, u32)> = Vec::new();
        for &day in self.days.keys() {
            let (year, month, day) = civil(day);
            let month = month_index(year, month);
            match months.last_mut() {
                Some((last, mask)) if *last == month => *mask |= 1 << day,
                Some(_) | None => months.push((month, 1 << day)),
            }
        }
        let named = self.days.into_iter().filter(|(_, name)| !name.is_empty());
        Calendar {
            months: months.into(),
            names: named.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_calendar_has_the_days_it_was_made_of() {
        let dates = [date(2026, 12, 25), date(2026, 1, 1), date(2026, 12, 25)];
        let calendar = Calendar::from_dates(dates).unwrap();
        assert_eq!(calendar.len(), 2);
        assert_eq!(
            calendar.dates().collect::<Vec<_>>(),
            [date(2026, 1, 1), date(2026, 12, 25)]
        );
        assert!(calendar.contains(date(2026, 1, 1)));
        assert!(!calendar.contains(date(2026, 1, 2)));
        assert_eq!(calendar.name_of(date(2026, 1, 1)), None);
    }

    #[test]
    fn days_beyond_the_bounds_are_refused() {
        let error = Calendar::from_dates([date(1899, 12, 31)]).unwrap_err();
        assert_eq!(error.code(), "calendar/out-of-years");
        let first = date(1990, 1, 1);
        let days = |count| (0..count).map(|n| first + jiff::Span::new().days(n));
        assert_eq!(Calendar::from_dates(days(10_000)).unwrap().len(), 10_000);
        let error = Calendar::from_dates(days(10_001)).unwrap_err();
        assert_eq!(error.code(), "calendar/too-many-days");
        let long = "#".repeat(CALENDAR_BYTES_MAX + 1);
        assert_eq!(
            Calendar::parse(&long).unwrap_err().code(),
            "calendar/too-long"
        );
    }
}
