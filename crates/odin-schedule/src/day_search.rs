//! Finds and counts a rule's days: month by month with bit masks, and whole years
//! at a time where a year's layout holds no day of the rule.

use std::ops::RangeInclusive;

use crate::business::Heed;
use crate::calendar::{self, FIRST_DAY, LAST_DAY, civil, day_number, days_in_month, weekday};
use crate::extras::YEARS;
use crate::rule::{DayPattern, Days, Exceptions, Rule};

impl Rule {
    /// The listed dates, moved where they move.
    fn dates<'r>(&'r self, listed: &'r [i64]) -> &'r [i64] {
        match &self.extras {
            Some(extras) => extras.rolled_dates.as_deref().unwrap_or(listed),
            None => listed,
        }
    }

    /// The first covered day at or after `from`.
    pub(crate) fn next_day(&self, from: i64) -> Option<i64> {
        if let Days::Dates(dates) = &self.days {
            let dates = self.dates(dates);
            let index = dates.partition_point(|&date| date < from);
            return dates[index..]
                .iter()
                .copied()
                .find(|&date| self.survives_exceptions(date));
        }
        if self.year_kinds == 0 || from > LAST_DAY {
            return None;
        }
        let from = from.max(FIRST_DAY);
        if let Some(step) = self.sparse_step() {
            let first = from + (self.anchor_day() - from).rem_euclid(step);
            return (first..=LAST_DAY)
                .step_by(step as usize)
                .find(|&day| self.survives_exceptions(day));
        }
        let years = self.years();
        let from = from.max(day_number(*years.start(), 1, 1));
        let (mut year, mut month, day) = civil(self.worth_looking_from(from));
        let mut wanted = u32::MAX << day;
        while year <= *years.end() {
            if !self.year_has_days(year) {
                (year, month) = (year + 1, 1);
            } else {
                let found = self.month_mask(year, month) & wanted;
                if found != 0 {
                    return Some(day_number(year, month, found.trailing_zeros() as u8));
                }
                (year, month) = month_after(year, month);
            }
            wanted = u32::MAX;
            if self.extras.is_some() {
                (year, month, _) = civil(self.worth_looking_from(day_number(year, month, 1)));
            }
        }
        None
    }

    /// The last covered day at or before `to`.
    pub(crate) fn previous_day(&self, to: i64) -> Option<i64> {
        if let Days::Dates(dates) = &self.days {
            let dates = self.dates(dates);
            let index = dates.partition_point(|&date| date <= to);
            return dates[..index]
                .iter()
                .copied()
                .rfind(|&date| self.survives_exceptions(date));
        }
        if self.year_kinds == 0 || to < FIRST_DAY {
            return None;
        }
        let to = to.min(LAST_DAY);
        if let Some(step) = self.sparse_step() {
            let mut day = to - (to - self.anchor_day()).rem_euclid(step);
            while day >= FIRST_DAY && !self.survives_exceptions(day) {
                day -= step;
            }
            return (day >= FIRST_DAY).then_some(day);
        }
        let years = self.years();
        let to = to.min(day_number(*years.end(), 12, 31));
        let (mut year, mut month, day) = civil(self.worth_looking_to(to));
        let mut wanted = u32::MAX >> (31 - day);
        while year >= *years.start() {
            if !self.year_has_days(year) {
                (year, month) = (year - 1, 12);
            } else {
                let found = self.month_mask(year, month) & wanted;
                if found != 0 {
                    return Some(day_number(year, month, 31 - found.leading_zeros() as u8));
                }
                (year, month) = if month == 1 {
                    (year - 1, 12)
                } else {
                    (year, month - 1)
                };
            }
            wanted = u32::MAX;
            if self.extras.is_some() {
                let last_of_month = day_number(year, month, days_in_month(year, month));
                (year, month, _) = civil(self.worth_looking_to(last_of_month));
            }
        }
        None
    }

    /// The years in which there can be days.
    fn years(&self) -> RangeInclusive<i64> {
        match &self.extras {
            Some(extras) if extras.only_in.is_some() => YEARS,
            Some(_) | None => -9998..=9999,
        }
    }

    /// The first day at or after `day` that need be looked at: one in a stretch that
    /// counts, or as near to one as days move.
    fn worth_looking_from(&self, day: i64) -> i64 {
        let Some(extras) = &self.extras else {
            return day;
        };
        let from = day - extras.reach;
        let stretch = match (extras.period, &self.days) {
            (Some(period), _) => period.on(from, self.origin_day()),
            (None, Days::Pattern(pattern)) if extras.roll.is_some() => {
                from + (self.anchor_day() - from).rem_euclid(pattern.every_days.into())
            }
            _ => return day,
        };
        day.max(stretch - extras.reach)
    }

    /// The last day at or before `day` that need be looked at.
    fn worth_looking_to(&self, day: i64) -> i64 {
        let Some(extras) = &self.extras else {
            return day;
        };
        let to = day + extras.reach;
        let stretch = match (extras.period, &self.days) {
            (Some(period), _) => period.back(to, self.origin_day()),
            (None, Days::Pattern(pattern)) if extras.roll.is_some() => {
                to - (to - self.anchor_day()).rem_euclid(pattern.every_days.into())
            }
            _ => return day,
        };
        day.min(stretch + extras.reach)
    }

    /// How many covered days lie from `first` to `last`, both included.
    pub(crate) fn count_days(&self, first: i64, last: i64) -> u64 {
        let (first, last) = (first.max(FIRST_DAY), last.min(LAST_DAY));
        if first > last {
            return 0;
        }
        if let Days::Dates(dates) = &self.days {
            let inside =
                |date: &&i64| (first..=last).contains(*date) && self.survives_exceptions(**date);
            return self.dates(dates).iter().filter(inside).count() as u64;
        }
        let (mut year, mut month, first_of_month) = civil(first);
        let (last_year, last_month, last_of_month) = civil(last);
        let mut wanted = u32::MAX << first_of_month;
        let mut count = 0;
        while (year, month) <= (last_year, last_month) {
            if (year, month) == (last_year, last_month) {
                wanted &= u32::MAX >> (31 - last_of_month);
            }
            count += u64::from((self.month_mask(year, month) & wanted).count_ones());
            wanted = u32::MAX;
            (year, month) = month_after(year, month);
        }
        count
    }

    /// The step of `every N days` where it is so wide that walking its days is
    /// quicker than looking through the months between them.
    fn sparse_step(&self) -> Option<i64> {
        let is_plain = self.extras.as_ref().is_none_or(|extras| {
            extras.roll.is_none() && extras.only_in.is_none() && extras.business.is_none()
        });
        match &self.days {
            Days::Pattern(pattern) if pattern.every_days >= 28 && is_plain => {
                Some(pattern.every_days.into())
            }
            Days::Pattern(_) | Days::Dates(_) => None,
        }
    }

    /// Whether no day of the rule's step of days can ever be covered, so that a
    /// search need not find that out each time.
    pub(crate) fn step_never_meets_days(&self) -> bool {
        let Days::Pattern(pattern) = &self.days else {
            return false;
        };
        // A step of whole weeks stays on one weekday.
        let weekday = 1 << weekday(self.anchor_day());
        let excepted = self
            .tail
            .except
            .as_ref()
            .map_or(0, |except| except.weekdays);
        let moves = self
            .extras
            .as_ref()
            .is_some_and(|extras| extras.roll.is_some());
        pattern.every_days > 1
            && !moves
            && ((pattern.every_days.is_multiple_of(7) && excepted & weekday != 0)
                || (self.sparse_step().is_some() && self.next_day(FIRST_DAY).is_none()))
    }

    fn year_has_days(&self, year: i64) -> bool {
        if let Some(extras) = &self.extras {
            match extras.calendar_years.has_days(year) {
                Some(has_days) => return has_days,
                None if extras.only_in.is_some() => return false,
                None => {}
            }
        }
        self.year_kinds & (1 << calendar::year_kind(year)) != 0
    }

    /// The covered days of one month, bits 1 to 31.
    pub(crate) fn month_mask(&self, year: i64, month: u8) -> u32 {
        let mask = self.days_before_exceptions(year, month, Heed::Everything);
        match &self.tail.except {
            Some(except) if mask != 0 => except.rest(mask, year, month),
            Some(_) | None => mask,
        }
    }

    /// The covered days of one month as far as they depend on the year's layout alone:
    /// without dated exceptions, calendars, and what counts from an origin.
    pub(crate) fn recurring_days(&self, year: i64, month: u8) -> u32 {
        let mask = self.days_before_exceptions(year, month, Heed::LayoutOnly);
        match &self.tail.except {
            Some(except) => except.recurring_rest(mask, year, month),
            None => mask,
        }
    }

    fn days_before_exceptions(&self, year: i64, month: u8, heed: Heed) -> u32 {
        let Days::Pattern(pattern) = &self.days else {
            return u32::MAX;
        };
        let named = |year, month| {
            let mut mask = self.named_days(pattern, year, month, heed);
            if pattern.every_days > 1 && mask != 0 && heed == Heed::Everything {
                mask &= self.step_mask(i64::from(pattern.every_days), year, month);
            }
            mask
        };
        match self.extras.as_ref().and_then(|extras| extras.roll.as_ref()) {
            Some(roll) => roll.apply(named, year, month, heed),
            None => named(year, month),
        }
    }

    /// The days of a month that `every N days` comes to.
    fn step_mask(&self, step: i64, year: i64, month: u8) -> u32 {
        let first = day_number(year, month, 1);
        let mut day = first + (self.anchor_day() - first).rem_euclid(step);
        let mut grid = 0;
        while day < first + 31 {
            grid |= 1 << (day - first + 1);
            day += step;
        }
        grid
    }

    /// Whether a single day survives the exceptions: quicker than the mask of its month.
    fn survives_exceptions(&self, day: i64) -> bool {
        let Some(except) = &self.tail.except else {
            return true;
        };
        let (year, month, of_month) = civil(day);
        except.weekdays & (1 << weekday(day)) == 0
            && except.months & (1 << month) == 0
            && except.yearly.binary_search(&(month, of_month)).is_err()
            && except.dates.binary_search(&day).is_err()
            && except
                .calendars
                .iter()
                .all(|used| used.calendar.month_mask(year, month) & (1 << of_month) == 0)
    }
}

impl DayPattern {
    pub(crate) fn month_mask(&self, year: i64, month: u8) -> u32 {
        if self.months & (1 << month) == 0 {
            return 0;
        }
        let length = days_in_month(year, month);
        let first_weekday = weekday(day_number(year, month, 1));
        let mut mask = self.month_days | laid_out(self.weekdays, first_weekday);
        if self.last_day {
            mask |= 1 << length;
        }
        // Bit n stands for the day `length - n`.
        mask |= self.before_last.reverse_bits() >> (31 - length);
        if self.nearest_weekdays != 0 {
            let last = (self.nearest_weekdays & 1) << length;
            let days = (self.nearest_weekdays & bits_to(length)) | last;
            mask |= nearest_weekdays(days, first_weekday, length);
        }
        if self.nth_weekdays != [0; 6] {
            // The nth of each weekday falls into the nth run of seven days.
            for (run, &weekdays) in (0..5).zip(&self.nth_weekdays) {
                mask |= week_from(weekdays, first_weekday) << (7 * run + 1);
            }
            let last_week = length - 6;
            let weekday = (first_weekday + last_week - 1) % 7;
            mask |= week_from(self.nth_weekdays[5], weekday) << last_week;
        }
        if self.only != crate::rule::ALL_WEEKDAYS {
            mask &= laid_out(self.only, first_weekday);
        }
        mask & bits_to(length)
    }

    /// The days of a month to which the others are limited.
    pub(crate) fn only_mask(&self, year: i64, month: u8) -> u32 {
        weekday_mask(year, month, self.only)
    }
}

impl Exceptions {
    /// What they leave of a month's days.
    fn rest(&self, mask: u32, year: i64, month: u8) -> u32 {
        let mut mask = self.recurring_rest(mask, year, month);
        let first = day_number(year, month, 1);
        let index = self.dates.partition_point(|&date| date < first);
        for &date in self.dates[index..]
            .iter()
            .take_while(|&&date| date < first + 31)
        {
            mask &= !(1 << (date - first + 1));
        }
        for used in &self.calendars {
            mask &= !used.calendar.month_mask(year, month);
        }
        mask
    }

    fn recurring_rest(&self, mask: u32, year: i64, month: u8) -> u32 {
        if self.months & (1 << month) != 0 {
            return 0;
        }
        let first_weekday = weekday(day_number(year, month, 1));
        let mut mask = mask & !laid_out(self.weekdays, first_weekday);
        for &(of_month, day) in &self.yearly {
            if of_month == month {
                mask &= !(1 << day);
            }
        }
        mask
    }
}

/// Each day moved to the nearest Monday to Friday of its month: a Saturday back to Friday
/// and a Sunday on to Monday, unless that leaves the month.
fn nearest_weekdays(days: u32, first_weekday: u8, length: u8) -> u32 {
    let saturdays = days & laid_out(1 << 5, first_weekday);
    let sundays = days & laid_out(1 << 6, first_weekday);
    let (first, last) = (1 << 1, 1 << length);
    (days & !saturdays & !sundays)
        | (saturdays & !first) >> 1
        | (saturdays & first) << 2
        | (sundays & !last) << 1
        | (sundays & last) >> 2
}

/// The days of a month, bits 1 to 28, 29, 30 or 31.
pub(crate) fn month_bits(year: i64, month: u8) -> u32 {
    bits_to(days_in_month(year, month))
}

/// Bits 1 to `length`.
fn bits_to(length: u8) -> u32 {
    (u32::MAX >> (31 - length)) & !1
}

/// The days of a month that fall on the given weekdays, bits 1 to 31: days beyond the
/// month's end among them.
pub(crate) fn weekday_mask(year: i64, month: u8, weekdays: u8) -> u32 {
    laid_out(weekdays, weekday(day_number(year, month, 1)))
}

fn month_after(year: i64, month: u8) -> (i64, u8) {
    if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    }
}

/// Seven bits, bit 0 for a day whose weekday is `first`, from bits that start on Monday.
fn week_from(weekdays: u8, first: u8) -> u32 {
    let doubled = u32::from(weekdays) | u32::from(weekdays) << 7;
    (doubled >> first) & 0b111_1111
}

/// The days of a month, bits 1 to 31, that fall on the given weekdays.
fn laid_out(weekdays: u8, first_weekday: u8) -> u32 {
    let week = week_from(weekdays, first_weekday);
    // 35 days are laid out; what leaves the 32 bits lies beyond day 31.
    let days = (0..5).fold(0_u64, |days, run| days | u64::from(week) << (7 * run));
    (days << 1) as u32
}
