//! Integer calendar arithmetic on the proleptic Gregorian calendar (ISO 8601).
//!
//! A day is a count of days since 1970-01-01 and a local second is a count of
//! seconds since 1970-01-01T00:00 on the local clock. Plain integers make every
//! step total: nothing here can overflow or fail for the years this crate serves.

/// Seconds in a day of the local clock.
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// The first day that is searched: 9998 years before year 0.
pub(crate) const FIRST_DAY: i64 = day_number(-9998, 1, 1);

/// The last day that is searched, so that every answer fits a `jiff::Timestamp`.
pub(crate) const LAST_DAY: i64 = day_number(9999, 12, 31);

/// The number of a date: days since 1970-01-01.
///
/// The year is counted from 1 March, which puts the leap day at its end and makes
/// the days before each month a linear function.
pub(crate) const fn day_number(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month as i64 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i64 - 1;
    // 719_468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The year, month (1 to 12) and day of the month (1 to 31) of a day number.
pub(crate) const fn civil(day: i64) -> (i64, u8, u8) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
    let month = ((month_from_march + 2) % 12 + 1) as u8;
    let year = year_of_era + 400 * era + (month <= 2) as i64;
    (year, month, day_of_month)
}

/// The day of the week: 0 is Monday, 6 is Sunday.
pub(crate) const fn weekday(day: i64) -> u8 {
    (day + 3).rem_euclid(7) as u8
}

pub(crate) const fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The number of days in a month of a year.
pub(crate) const fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The most days a month can have in any year.
pub(crate) const fn longest_month(month: u8) -> u8 {
    days_in_month(2000, month)
}

/// What decides a year's layout: the weekday of 1 January and whether it is leap.
/// There are fourteen kinds, numbered 0 to 13.
pub(crate) const fn year_kind(year: i64) -> u8 {
    weekday(day_number(year, 1, 1)) + if is_leap_year(year) { 7 } else { 0 }
}

/// One year of each kind, by number.
pub(crate) const YEAR_OF_KIND: [i64; 14] = {
    let mut years = [0; 14];
    // 28 years without a skipped leap day hold every kind of year.
    let mut year = 2000;
    while year < 2028 {
        years[year_kind(year) as usize] = year;
        year += 1;
    }
    years
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_numbers_agree_with_an_independent_calendar() {
        let mut date = jiff::civil::date(1896, 2, 27);
        let end = jiff::civil::date(2405, 1, 1);
        let mut number = day_number(1896, 2, 27);
        while date < end {
            let (year, month, day) = civil(number);
            assert_eq!(
                (year, month, day),
                (date.year().into(), date.month() as u8, date.day() as u8)
            );
            assert_eq!(day_number(year, month, day), number);
            assert_eq!(
                weekday(number),
                date.weekday().to_monday_zero_offset() as u8
            );
            assert_eq!(days_in_month(year, month), date.days_in_month() as u8);
            date = date.tomorrow().unwrap();
            number += 1;
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(LAST_DAY), (9999, 12, 31));
        assert_eq!(civil(FIRST_DAY), (-9998, 1, 1));
    }

    #[test]
    fn every_kind_of_year_has_an_example() {
        for (kind, year) in YEAR_OF_KIND.into_iter().enumerate() {
            assert_eq!(usize::from(year_kind(year)), kind);
        }
    }
}
