//! Finds and counts a rule's days: month by month with bit masks, and whole years
//! at a time where a year's layout holds no day of the rule.

use crate::calendar::{self, FIRST_DAY, LAST_DAY, civil, day_number, days_in_month, weekday};
use crate::rule::{DayPattern, Days, Exceptions, Rule};

impl Rule {
    /// The first covered day at or after `from`.
    pub(crate) fn next_day(&self, from: i64) -> Option<i64> {
        if let Days::Dates(dates) = &self.days {
            let index = dates.partition_point(|&date| date < from);
            return dates[index..]
                .iter()
                .copied()
                .find(|&date| self.day_mask(date) != 0);
        }
        if self.year_kinds == 0 || from > LAST_DAY {
            return None;
        }
        if let Some(step) = self.sparse_step() {
            let from = from.max(FIRST_DAY);
            let first = from + (self.anchor_day() - from).rem_euclid(step);
            return (first..=LAST_DAY)
                .step_by(step as usize)
                .find(|&day| self.survives_exceptions(day));
        }
        let (mut year, mut month, day) = civil(from.max(FIRST_DAY));
        let mut wanted = u32::MAX << day;
        while year <= 9999 {
            if self.year_has_days(year) {
                while month <= 12 {
                    let found = self.month_mask(year, month) & wanted;
                    if found != 0 {
                        return Some(day_number(year, month, found.trailing_zeros() as u8));
                    }
                    wanted = u32::MAX;
                    month += 1;
                }
            }
            wanted = u32::MAX;
            month = 1;
            year += 1;
        }
        None
    }

    /// The last covered day at or before `to`.
    pub(crate) fn previous_day(&self, to: i64) -> Option<i64> {
        if let Days::Dates(dates) = &self.days {
            let index = dates.partition_point(|&date| date <= to);
            return dates[..index]
                .iter()
                .copied()
                .rfind(|&date| self.day_mask(date) != 0);
        }
        if self.year_kinds == 0 || to < FIRST_DAY {
            return None;
        }
        if let Some(step) = self.sparse_step() {
            let to = to.min(LAST_DAY);
            let mut day = to - (to - self.anchor_day()).rem_euclid(step);
            while day >= FIRST_DAY && !self.survives_exceptions(day) {
                day -= step;
            }
            return (day >= FIRST_DAY).then_some(day);
        }
        let (mut year, mut month, day) = civil(to.min(LAST_DAY));
        let mut wanted = u32::MAX >> (31 - day);
        while year >= -9998 {
            if self.year_has_days(year) {
                while month >= 1 {
                    let found = self.month_mask(year, month) & wanted;
                    if found != 0 {
                        return Some(day_number(year, month, 31 - found.leading_zeros() as u8));
                    }
                    wanted = u32::MAX;
                    month -= 1;
                }
            }
            wanted = u32::MAX;
            month = 12;
            year -= 1;
        }
        None
    }

    /// How many covered days lie from `first` to `last`, both included.
    pub(crate) fn count_days(&self, first: i64, last: i64) -> u64 {
        let (first, last) = (first.max(FIRST_DAY), last.min(LAST_DAY));
        if first > last {
            return 0;
        }
        if let Days::Dates(dates) = &self.days {
            let inside = |date: &&i64| (first..=last).contains(*date) && self.day_mask(**date) != 0;
            return dates.iter().filter(inside).count() as u64;
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
            (year, month) = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
        }
        count
    }

    /// The step of `every N days` where it is so wide that walking its days is
    /// quicker than looking through the months between them.
    fn sparse_step(&self) -> Option<i64> {
        match &self.days {
            Days::Pattern(pattern) if pattern.every_days >= 28 => Some(pattern.every_days.into()),
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
        pattern.every_days > 1
            && ((pattern.every_days.is_multiple_of(7) && excepted & weekday != 0)
                || (self.sparse_step().is_some() && self.next_day(FIRST_DAY).is_none()))
    }

    fn year_has_days(&self, year: i64) -> bool {
        self.year_kinds & (1 << calendar::year_kind(year)) != 0
    }

    /// The covered days of one month, bits 1 to 31.
    fn month_mask(&self, year: i64, month: u8) -> u32 {
        let mut mask = self.recurring_days(year, month);
        if mask == 0 {
            return 0;
        }
        let first = day_number(year, month, 1);
        if let Days::Pattern(pattern) = &self.days
            && pattern.every_days > 1
        {
            let step = i64::from(pattern.every_days);
            let mut day = first + (self.anchor_day() - first).rem_euclid(step);
            let mut grid = 0;
            while day < first + 31 {
                grid |= 1 << (day - first + 1);
                day += step;
            }
            mask &= grid;
        }
        if let Some(except) = &self.tail.except {
            let index = except.dates.partition_point(|&date| date < first);
            for &date in except.dates[index..]
                .iter()
                .take_while(|&&date| date < first + 31)
            {
                mask &= !(1 << (date - first + 1));
            }
        }
        mask
    }

    /// The covered days of one month before dated exceptions and day steps: what
    /// depends on the year's layout alone.
    pub(crate) fn recurring_days(&self, year: i64, month: u8) -> u32 {
        let mask = match &self.days {
            Days::Pattern(pattern) => pattern.month_mask(year, month),
            Days::Dates(_) => u32::MAX,
        };
        match &self.tail.except {
            Some(except) => except.recurring_rest(mask, year, month),
            None => mask,
        }
    }

    /// Whether a single day survives the exceptions: quicker than the mask of its month.
    fn survives_exceptions(&self, day: i64) -> bool {
        let Some(except) = &self.tail.except else {
            return true;
        };
        let (_, month, of_month) = civil(day);
        except.weekdays & (1 << weekday(day)) == 0
            && except.months & (1 << month) == 0
            && except.yearly.binary_search(&(month, of_month)).is_err()
            && except.dates.binary_search(&day).is_err()
    }

    /// Whether a listed date survives the exceptions, as a mask of its single day.
    fn day_mask(&self, date: i64) -> u32 {
        let (year, month, day) = civil(date);
        self.month_mask(year, month) & (1 << day)
    }
}

impl DayPattern {
    fn month_mask(&self, year: i64, month: u8) -> u32 {
        if self.months & (1 << month) == 0 {
            return 0;
        }
        let length = days_in_month(year, month);
        let first_weekday = weekday(day_number(year, month, 1));
        let mut mask = self.month_days | weekday_mask(self.weekdays, first_weekday);
        if self.last_day {
            mask |= 1 << length;
        }
        // Bit n stands for the day `length - n`.
        mask |= self.before_last.reverse_bits() >> (31 - length);
        if self.nearest_weekdays != 0 {
            let last = (self.nearest_weekdays & 1) << length;
            let days = (self.nearest_weekdays & month_bits(length)) | last;
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
            mask &= weekday_mask(self.only, first_weekday);
        }
        mask & month_bits(length)
    }
}

impl Exceptions {
    fn recurring_rest(&self, mask: u32, year: i64, month: u8) -> u32 {
        if self.months & (1 << month) != 0 {
            return 0;
        }
        let first_weekday = weekday(day_number(year, month, 1));
        let mut mask = mask & !weekday_mask(self.weekdays, first_weekday);
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
    let saturdays = days & weekday_mask(1 << 5, first_weekday);
    let sundays = days & weekday_mask(1 << 6, first_weekday);
    let (first, last) = (1 << 1, 1 << length);
    (days & !saturdays & !sundays)
        | (saturdays & !first) >> 1
        | (saturdays & first) << 2
        | (sundays & !last) << 1
        | (sundays & last) >> 2
}

/// Bits 1 to `length`.
fn month_bits(length: u8) -> u32 {
    (u32::MAX >> (31 - length)) & !1
}

/// Seven bits, bit 0 for a day whose weekday is `first`, from bits that start on Monday.
fn week_from(weekdays: u8, first: u8) -> u32 {
    let doubled = u32::from(weekdays) | u32::from(weekdays) << 7;
    (doubled >> first) & 0b111_1111
}

/// The days of a month, bits 1 to 31, that fall on the given weekdays.
fn weekday_mask(weekdays: u8, first_weekday: u8) -> u32 {
    let week = week_from(weekdays, first_weekday);
    // 35 days are laid out; what leaves the 32 bits lies beyond day 31.
    let days = (0..5).fold(0_u64, |days, run| days | u64::from(week) << (7 * run));
    (days << 1) as u32
}
