//! Repetition rules of iCalendar (RFC 5545, 3.3.10): the days on which an event begins.

use super::days::FIRST_YEAR;
use super::error::CalendarErrorKind;
use super::ics::{Moment, moment};
use crate::calendar::{DAY_SECONDS, civil, day_number, days_in_month, weekday};
use crate::error::quote;

/// The last day to which a rule is laid out.
const LAST_DAY: i64 = day_number(2100, 12, 31);

/// How many steps the rules of one calendar may take together: each day that a rule
/// looks at is one, and a second's work in all.
const STEPS_MAX: u32 = 5_000_000;

/// What is left of the steps that the rules of a calendar may take.
pub(super) struct Budget(u32);

impl Default for Budget {
    fn default() -> Self {
        Self(STEPS_MAX)
    }
}

impl Budget {
    pub(super) fn take(&mut self) -> Result<(), CalendarErrorKind> {
        let left = self.0.checked_sub(1);
        self.0 = left.ok_or(CalendarErrorKind::TooMuchRepetition)?;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A rule with the start that it repeats.
#[derive(Debug)]
pub(super) struct Recurrence {
    start: i64,
    frequency: Frequency,
    interval: i64,
    count: Option<u32>,
    /// The last day on which an instance may begin.
    until: Option<i64>,
    /// Bits 1 to 12; `None` where the rule names no months.
    months: Option<u16>,
    /// 1 to 31, or counted from the month's end by -1 to -31.
    month_days: Vec<i64>,
    /// A weekday (0 is Monday) and which of its month or year: 0 is every one.
    weekdays: Vec<(i64, u8)>,
    positions: Vec<i64>,
    week_start: u8,
}

impl Recurrence {
    pub(super) fn parse(text: &str, start: &Moment) -> Result<Self, CalendarErrorKind> {
        let mut rule = Self {
            start: start.day,
            frequency: Frequency::Yearly,
            interval: 1,
            count: None,
            until: None,
            months: None,
            month_days: Vec::new(),
            weekdays: Vec::new(),
            positions: Vec::new(),
            week_start: 0,
        };
        let mut has_frequency = false;
        for part in text.split(';') {
            let bad = || CalendarErrorKind::BadRule { part: quote(part) };
            let (name, value) = part.split_once('=').ok_or_else(bad)?;
            let value = value.trim();
            let in_range = |first: i64, last: i64| numbers(value, first, last).ok_or_else(bad);
            match name.trim().to_ascii_uppercase().as_str() {
                "FREQ" => {
                    rule.frequency = frequency(value)?.ok_or_else(bad)?;
                    has_frequency = true;
                }
                "INTERVAL" => rule.interval = in_range(1, 36_500)?[0],
                "COUNT" => rule.count = Some(in_range(1, 1_000_000)?[0] as u32),
                "UNTIL" => {
                    let until = moment(value, None)
                        .ok_or_else(|| CalendarErrorKind::no_such_date(value))?;
                    let end = start.local_end(&until)?;
                    let last = (end - start.second.unwrap_or(0)).div_euclid(DAY_SECONDS);
                    rule.until = Some(last);
                }
                "BYMONTH" => {
                    let months = in_range(1, 12)?;
                    rule.months = Some(months.iter().fold(0, |all, month| all | 1 << month));
                }
                "BYMONTHDAY" => rule.month_days = in_range(-31, 31)?,
                "BYDAY" => rule.weekdays = weekdays(value).ok_or_else(bad)?,
                "BYSETPOS" => rule.positions = in_range(-366, 366)?,
                "WKST" => rule.week_start = weekday_code(value).ok_or_else(bad)?,
                _ => {
                    let part = quote(part);
                    return Err(CalendarErrorKind::Unsupported { part });
                }
            }
        }
        if !has_frequency {
            return Err(CalendarErrorKind::BadRule { part: quote(text) });
        }
        rule.refuse_misfits()?;
        Ok(rule)
    }

    /// Refuses parts that the standard does not allow together, or whose joint meaning
    /// implementations differ on.
    fn refuse_misfits(&self) -> Result<(), CalendarErrorKind> {
        let refuse = |part: &str| {
            let part = part.to_owned();
            Err(CalendarErrorKind::Unsupported { part })
        };
        let has_nth = self.weekdays.iter().any(|&(nth, _)| nth != 0);
        match self.frequency {
            Frequency::Weekly if !self.month_days.is_empty() => {
                return refuse("BYMONTHDAY of a weekly rule");
            }
            Frequency::Daily | Frequency::Weekly if has_nth => {
                return refuse("an nth weekday of a daily or weekly rule");
            }
            _ => {}
        }
        if has_nth && !self.month_days.is_empty() {
            return refuse("an nth weekday together with BYMONTHDAY");
        }
        if self.count.is_some() && self.until.is_some() {
            return refuse("COUNT together with UNTIL");
        }
        Ok(())
    }

    /// The days on which instances begin, from the start to the end of the rule.
    pub(super) fn instances(&self, budget: &mut Budget) -> Result<Vec<i64>, CalendarErrorKind> {
        let last = self.until.unwrap_or(LAST_DAY).min(LAST_DAY);
        let first_served = day_number(FIRST_YEAR, 1, 1);
        let mut instances = Vec::new();
        let mut counted = 0;
        let mut is_first = true;
        for period in 0.. {
            budget.take()?;
            let Some(days) = self.period(period, last, budget)? else {
                break;
            };
            for day in self.positioned(&days) {
                if day < self.start || day > last {
                    continue;
                }
                if is_first && day != self.start {
                    let start = crate::english::date(self.start);
                    return Err(CalendarErrorKind::StartOffRule { start });
                }
                is_first = false;
                if self.count.is_some_and(|count| counted >= count) {
                    return Ok(instances);
                }
                counted += 1;
                // A birthday of 1604 goes on, but its first years are not served.
                if day >= first_served {
                    instances.push(day);
                }
            }
        }
        if is_first && self.start <= last {
            let start = crate::english::date(self.start);
            return Err(CalendarErrorKind::StartOffRule { start });
        }
        Ok(instances)
    }

    /// The days that the rule gives in its nth period; `None` beyond the end.
    fn period(
        &self,
        nth: i64,
        last: i64,
        budget: &mut Budget,
    ) -> Result<Option<Vec<i64>>, CalendarErrorKind> {
        let (year, month, _) = civil(self.start);
        let (first_day, days) = match self.frequency {
            Frequency::Daily => (self.start + nth * self.interval, 1),
            Frequency::Weekly => {
                let since = (weekday(self.start) + 7 - self.week_start) % 7;
                let week = self.start - i64::from(since) + 7 * nth * self.interval;
                (week, 7)
            }
            Frequency::Monthly => {
                let index = year * 12 + i64::from(month) - 1 + nth * self.interval;
                let (year, month) = (index.div_euclid(12), index.rem_euclid(12) as u8 + 1);
                let length = days_in_month(year, month);
                (day_number(year, month, 1), i64::from(length))
            }
            Frequency::Yearly => {
                let year = year + nth * self.interval;
                let first = day_number(year, 1, 1);
                (first, day_number(year + 1, 1, 1) - first)
            }
        };
        if first_day > last {
            return Ok(None);
        }
        let months = self.months_looked_at();
        let mut found = Vec::new();
        let mut day = first_day;
        while day < first_day + days {
            budget.take()?;
            let (year, month, of_month) = civil(day);
            if months & (1 << month) == 0 {
                day += i64::from(days_in_month(year, month) - of_month) + 1;
                continue;
            }
            if self.gives(day, first_day, days) {
                found.push(day);
            }
            day += 1;
        }
        Ok(Some(found))
    }

    /// The only months in which days can be found, bits 1 to 12.
    fn months_looked_at(&self) -> u16 {
        let names_days = !self.month_days.is_empty() || !self.weekdays.is_empty();
        match self.months {
            Some(months) => months,
            None if self.frequency == Frequency::Yearly && !names_days => 1 << civil(self.start).1,
            None => u16::MAX,
        }
    }

    /// Whether a day of a period is one that the rule gives.
    fn gives(&self, day: i64, first_of_period: i64, days_of_period: i64) -> bool {
        let (year, month, of_month) = civil(day);
        let length = days_in_month(year, month);
        if self.months.is_some_and(|months| months & (1 << month) == 0) {
            return false;
        }
        let of_month = i64::from(of_month);
        let from_end = of_month - i64::from(length) - 1;
        let by_month_day = self
            .month_days
            .iter()
            .any(|&wanted| wanted == of_month || wanted == from_end);
        // Nth weekdays count in the year only where no months are named.
        let counts_in_year = self.frequency == Frequency::Yearly && self.months.is_none();
        let (index, size) = if counts_in_year {
            (day - first_of_period, days_of_period)
        } else {
            (of_month - 1, i64::from(length))
        };
        let by_weekday = self.weekdays.iter().any(|&(nth, wanted)| {
            let is_nth = match nth {
                0 => true,
                1.. => index / 7 + 1 == nth,
                _ => -((size - 1 - index) / 7 + 1) == nth,
            };
            wanted == weekday(day) && is_nth
        });
        match (self.month_days.is_empty(), self.weekdays.is_empty()) {
            (false, false) => by_month_day && by_weekday,
            (false, true) => by_month_day,
            (true, false) => by_weekday,
            (true, true) => self.is_like_start(day),
        }
    }

    /// Whether a day repeats the start where the rule names no days.
    fn is_like_start(&self, day: i64) -> bool {
        let (_, start_month, start_day) = civil(self.start);
        let (_, month, of_month) = civil(day);
        match self.frequency {
            Frequency::Daily => true,
            Frequency::Weekly => weekday(day) == weekday(self.start),
            Frequency::Monthly => of_month == start_day,
            Frequency::Yearly => {
                of_month == start_day && (self.months.is_some() || month == start_month)
            }
        }
    }

    /// The days of a period that `BYSETPOS` keeps.
    fn positioned(&self, days: &[i64]) -> Vec<i64> {
        if self.positions.is_empty() {
            return days.to_vec();
        }
        let count = days.len() as i64;
        let index = |&position: &i64| match position {
            1.. => position - 1,
            _ => count + position,
        };
        let mut kept: Vec<i64> = self
            .positions
            .iter()
            .filter_map(|position| days.get(usize::try_from(index(position)).ok()?).copied())
            .collect();
        kept.sort_unstable();
        kept.dedup();
        kept
    }
}

fn frequency(text: &str) -> Result<Option<Frequency>, CalendarErrorKind> {
    Ok(Some(match text.to_ascii_uppercase().as_str() {
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        "YEARLY" => Frequency::Yearly,
        "SECONDLY" | "MINUTELY" | "HOURLY" => {
            let part = format!("FREQ={text}");
            return Err(CalendarErrorKind::Unsupported { part });
        }
        _ => return Ok(None),
    }))
}

/// Numbers joined by commas, each in the range and none of them 0.
fn numbers(text: &str, first: i64, last: i64) -> Option<Vec<i64>> {
    let number = |text: &str| {
        let number = text.trim().parse().ok()?;
        ((first..=last).contains(&number) && number != 0).then_some(number)
    };
    text.split(',').map(number).collect()
}

/// `MO`, `2TU` and `-1FR`, joined by commas.
fn weekdays(text: &str) -> Option<Vec<(i64, u8)>> {
    let item = |text: &str| {
        let text = text.trim();
        let (nth, code) = text.split_at_checked(text.len().checked_sub(2)?)?;
        let nth = match nth {
            "" => 0,
            nth => numbers(nth, -53, 53)?[0],
        };
        Some((nth, weekday_code(code)?))
    };
    text.split(',').map(item).collect()
}

fn weekday_code(text: &str) -> Option<u8> {
    let codes = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let index = codes
        .iter()
        .position(|code| text.eq_ignore_ascii_case(code));
    index.map(|index| index as u8)
}
