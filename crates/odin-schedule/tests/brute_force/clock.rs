//! What a zone's clock shows, minute by minute.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use odin_schedule::find_zone;

/// Minutes in a row, and what the local clock shows at the start of each.
pub(crate) struct Clock {
    pub(crate) zone: &'static str,
    /// Unix minutes and local minutes from 1970.
    pub(crate) minutes: Vec<(i64, i64)>,
}

/// A day of the local calendar, as jiff knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day {
    pub(crate) number: i64,
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// 0 is Monday.
    pub(crate) weekday: i64,
    pub(crate) days_in_month: i64,
}

impl Clock {
    /// Every minute of some days from a date on.
    pub(crate) fn of(zone: &'static str, from: &str, days: i64) -> Clock {
        let found = find_zone(zone).unwrap_or_else(|error| panic!("{zone}: {error}"));
        let from: Date = from
            .parse()
            .unwrap_or_else(|error| panic!("{from}: {error}"));
        let first = Day::of(from).number * 1440;
        let minutes = (first..first + days * 1440)
            .map(|unix| {
                let instant = Timestamp::from_second(unix * 60).expect("within jiff's years");
                let offset = i64::from(found.to_offset(instant).seconds());
                assert_eq!(
                    offset % 60,
                    0,
                    "{zone} has an offset with seconds at {instant}"
                );
                (unix, unix + offset / 60)
            })
            .collect();
        Clock { zone, minutes }
    }

    /// The days that the clock shows, and some around them.
    pub(crate) fn days(&self) -> Vec<Day> {
        let locals = || self.minutes.iter().map(|minute| minute.1.div_euclid(1440));
        let first = locals().min().expect("a clock has minutes") - 3;
        let last = locals().max().expect("a clock has minutes") + 3;
        let mut date = Day::date(first);
        let mut days = Vec::new();
        for number in first..=last {
            let day = Day::of(date);
            assert_eq!(day.number, number);
            days.push(day);
            date = date.tomorrow().expect("within jiff's years");
        }
        days
    }

    /// Unix minutes at which the clock jumps.
    pub(crate) fn jumps(&self) -> Vec<i64> {
        let pairs = self.minutes.windows(2);
        pairs
            .filter(|pair| pair[1].1 - pair[0].1 != 1)
            .map(|pair| pair[1].0)
            .collect()
    }
}

impl Day {
    fn of(date: Date) -> Day {
        let since = date.duration_since(jiff::civil::date(1970, 1, 1));
        Day {
            number: since.as_hours() / 24,
            year: date.year().into(),
            month: date.month().into(),
            day: date.day().into(),
            weekday: date.weekday().to_monday_zero_offset().into(),
            days_in_month: date.days_in_month().into(),
        }
    }

    pub(crate) fn at(number: i64) -> Day {
        Day::of(Day::date(number))
    }

    /// The day so many days later.
    pub(crate) fn moved_by(&self, days: i64) -> Day {
        Day::at(self.number + days)
    }

    pub(crate) fn date(number: i64) -> Date {
        date(1970, 1, 1) + jiff::SignedDuration::from_hours(number * 24)
    }
}
