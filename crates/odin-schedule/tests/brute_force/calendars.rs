//! Calendars that recur by a plain rule, so that any stretch of time has days of them.

use odin_schedule::{Calendar, CalendarName, Calendars};

use super::clock::Day;

/// Each 19th day of the years that calendars have, and the first three of every third month.
pub(crate) fn is_holiday(day: &Day) -> bool {
    has_calendars(day) && (day.number % 19 == 0 || (day.month % 3 == 1 && day.day <= 3))
}

/// Each fifth day and its neighbour.
pub(crate) fn is_trading(day: &Day) -> bool {
    has_calendars(day) && day.number.rem_euclid(5) <= 1
}

fn has_calendars(day: &Day) -> bool {
    (1900..2200).contains(&day.year)
}

pub(crate) fn is_business(day: &Day) -> bool {
    day.weekday < 5 && !is_holiday(day)
}

/// `holidays` and `trading-days`, for some years around the days given.
pub(crate) fn around(first: i64, last: i64) -> Calendars {
    let mut calendars = Calendars::default();
    for name in ["holidays", "trading-days"] {
        let holds = if name == "holidays" {
            is_holiday
        } else {
            is_trading
        };
        let days = (first - 500..=last + 500).map(Day::at).filter(holds);
        let calendar = Calendar::from_dates(days.map(|day| Day::date(day.number)))
            .expect("days of the years that calendars have");
        calendars.insert(
            CalendarName::new(name).expect("a name for calendars"),
            calendar,
        );
    }
    calendars
}
