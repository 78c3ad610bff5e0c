//! Every so many weeks, months, quarters or years, counted from an origin.

use crate::calendar::{civil, day_number};

/// Every so many stretches of the calendar: 2 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) number: u32,
    pub(crate) unit: PeriodUnit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeriodUnit {
    /// Seven days, counted from the origin, whatever its weekday.
    Week,
    Month,
    Quarter,
    Year,
}

/// The Monday from which weeks are counted where there is no `starting`.
pub(crate) const WEEKS_FROM: i64 = day_number(1970, 1, 5);

impl PeriodUnit {
    /// How many months a stretch has; `None` for weeks.
    fn months(self) -> Option<i64> {
        match self {
            PeriodUnit::Week => None,
            PeriodUnit::Month => Some(1),
            PeriodUnit::Quarter => Some(3),
            PeriodUnit::Year => Some(12),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            PeriodUnit::Week => "week",
            PeriodUnit::Month => "month",
            PeriodUnit::Quarter => "quarter",
            PeriodUnit::Year => "year",
        }
    }
}

impl Period {
    /// The days of a month that lie in stretches that count, bits 1 to 31.
    pub(crate) fn mask(self, year: i64, month: u8, origin: i64) -> u32 {
        let first = day_number(year, month, 1);
        if self.unit.months().is_some() {
            return if self.on(first, origin) == first {
                u32::MAX
            } else {
                0
            };
        }
        let mut mask = 0_u64;
        let mut day = first;
        loop {
            day = self.on(day, origin);
            if day >= first + 31 {
                return (mask << 1) as u32;
            }
            let week_end = day + 7 - (day - origin).rem_euclid(7);
            mask |= ((1 << (week_end - day)) - 1) << (day - first);
            day = week_end;
        }
    }

    /// The first day at or after `day` that lies in a stretch that counts.
    pub(crate) fn on(self, day: i64, origin: i64) -> i64 {
        let (index, number) = (self.index(day, origin), i64::from(self.number));
        match index.rem_euclid(number) {
            0 => day,
            past => self.begin(index + number - past, origin),
        }
    }

    /// The last day at or before `day` that lies in a stretch that counts.
    pub(crate) fn back(self, day: i64, origin: i64) -> i64 {
        let (index, number) = (self.index(day, origin), i64::from(self.number));
        match index.rem_euclid(number) {
            0 => day,
            past => self.begin(index - past + 1, origin) - 1,
        }
    }

    /// Which stretch a day lies in; that of the origin is 0.
    fn index(self, day: i64, origin: i64) -> i64 {
        match self.unit.months() {
            None => (day - origin).div_euclid(7),
            Some(months) => {
                month_index(day).div_euclid(months) - month_index(origin).div_euclid(months)
            }
        }
    }

    /// The first day of a stretch.
    fn begin(self, index: i64, origin: i64) -> i64 {
        match self.unit.months() {
            None => origin + 7 * index,
            Some(months) => {
                let month = (month_index(origin).div_euclid(months) + index) * months;
                day_number(month.div_euclid(12), month.rem_euclid(12) as u8 + 1, 1)
            }
        }
    }
}

/// Months since year 0.
fn month_index(day: i64) -> i64 {
    let (year, month, _) = civil(day);
    year * 12 + i64::from(month) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: u32, unit: PeriodUnit, origin: (i64, u8, u8), counts: impl Fn(i64) -> bool) {
        let period = Period { number, unit };
        let origin = day_number(origin.0, origin.1, origin.2);
        let days = || day_number(2023, 11, 1)..day_number(2028, 3, 1);
        for day in days() {
            let on = (day..).find(|&day| counts(day));
            assert_eq!(Some(period.on(day, origin)), on, "{period:?} on from {day}");
            let back = (0..=day).rev().find(|&day| counts(day));
            assert_eq!(Some(period.back(day, origin)), back, "{period:?} back");
            let (year, month, of_month) = civil(day);
            let in_mask = period.mask(year, month, origin) & (1 << of_month) != 0;
            assert_eq!(
                in_mask,
                counts(day),
                "{period:?} of {year}-{month}-{of_month}"
            );
        }
    }

    #[test]
    fn stretches_are_counted_from_their_origin() {
        use PeriodUnit::{Month, Quarter, Week, Year};
        let origin = day_number(2026, 12, 2);
        check(2, Week, (2026, 12, 2), |day| {
            (day - origin).div_euclid(7) % 2 == 0
        });
        check(5, Week, (1970, 1, 5), |day| {
            (day - WEEKS_FROM).div_euclid(7) % 5 == 0
        });
        check(5, Month, (2026, 12, 2), |day| {
            let (year, month, _) = civil(day);
            (year * 12 + i64::from(month) - (2026 * 12 + 12)) % 5 == 0
        });
        check(3, Year, (1970, 1, 1), |day| (civil(day).0 - 1970) % 3 == 0);
        check(
            2,
            Quarter,
            (2026, 5, 31),
            |day| matches!(civil(day).1, 4..=6 | 10..=12),
        );
    }
}
