//! A schedule as its parts, each with its plain meaning.

use super::clock::Day;
use super::cron::Cron;

/// Clauses in a row, joined by words.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) clauses: Vec<Clause>,
}

#[derive(Debug, Clone)]
pub(crate) struct Clause {
    pub(crate) what: What,
    /// As written behind this clause; see [`Model::tail_of`].
    pub(crate) tail: Tail,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// Days with times of day, in seconds.
    Fixed {
        days: Days,
        times: Vec<i64>,
    },
    /// Each nth day with times of day.
    EachNthDay {
        step: i64,
        times: Vec<i64>,
    },
    /// Dates (as day numbers) with times of day.
    Once {
        dates: Vec<i64>,
        times: Vec<i64>,
    },
    Interval(Interval),
    Cron(Box<Cron>),
}

#[derive(Debug, Clone)]
pub(crate) struct Interval {
    pub(crate) number: i64,
    /// Seconds of the unit.
    pub(crate) unit: i64,
    /// Minutes past the hour, of an interval of hours.
    pub(crate) past: Option<i64>,
    /// Seconds of the day, both included; crosses midnight where the second is less.
    pub(crate) window: Option<(i64, i64)>,
    pub(crate) days: Option<Days>,
    pub(crate) months: Vec<i64>,
}

/// Days that any of the items names, in the months, on the weekdays.
#[derive(Debug, Clone)]
pub(crate) struct Days {
    pub(crate) items: Vec<DayItem>,
    /// Empty where there is no limit.
    pub(crate) months: Vec<i64>,
    pub(crate) only: Option<u8>,
}

#[derive(Debug, Clone)]
pub(crate) enum DayItem {
    Every,
    /// Bit 0 is Monday.
    Weekdays(u8),
    MonthDay(i64),
    LastDay,
    /// 1 to 5, or 6 for the last; the weekday.
    Nth(i64, i64),
    Date(i64, i64),
    /// The first of January, April, July and October.
    Quarter,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    /// Day number and second of the day.
    pub(crate) starting: Option<(i64, i64)>,
    pub(crate) until: Option<(i64, Option<i64>)>,
    pub(crate) weekdays: u8,
    pub(crate) months: Vec<i64>,
    pub(crate) yearly: Vec<(i64, i64)>,
    pub(crate) dates: Vec<i64>,
}

impl Tail {
    pub(crate) fn has_exceptions(&self) -> bool {
        self.weekdays != 0
            || !(self.months.is_empty() && self.yearly.is_empty() && self.dates.is_empty())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.starting.is_none() && self.until.is_none() && !self.has_exceptions()
    }

    fn excepts(&self, day: &Day) -> bool {
        self.weekdays & (1 << day.weekday) != 0
            || self.months.contains(&day.month)
            || self.yearly.contains(&(day.month, day.day))
            || self.dates.contains(&day.number)
    }

    fn bounds(&self, local: i64) -> bool {
        self.starting
            .is_none_or(|(day, second)| local >= day * 86_400 + second)
            && self
                .until
                .is_none_or(|(day, second)| local <= day * 86_400 + second.unwrap_or(86_399))
    }
}

impl Days {
    pub(crate) fn holds(&self, day: &Day) -> bool {
        (self.months.is_empty() || self.months.contains(&day.month))
            && self.only.is_none_or(|only| only & (1 << day.weekday) != 0)
            && self.items.iter().any(|item| item.holds(day))
    }
}

impl DayItem {
    fn holds(&self, day: &Day) -> bool {
        match *self {
            DayItem::Every => true,
            DayItem::Weekdays(set) => set & (1 << day.weekday) != 0,
            DayItem::MonthDay(wanted) => day.day == wanted,
            DayItem::LastDay => day.day == day.days_in_month,
            DayItem::Nth(6, weekday) => day.weekday == weekday && day.day + 7 > day.days_in_month,
            DayItem::Nth(nth, weekday) => day.weekday == weekday && (day.day - 1) / 7 + 1 == nth,
            DayItem::Date(month, date) => (day.month, day.day) == (month, date),
            DayItem::Quarter => day.day == 1 && day.month % 3 == 1,
        }
    }
}

impl Interval {
    pub(crate) fn step(&self) -> i64 {
        self.number * self.unit
    }

    pub(crate) fn divides_the_day(&self) -> bool {
        86_400 % self.step() == 0
    }

    /// Whether a second of the day lies in the window, and whether the window opened on
    /// the day before.
    pub(crate) fn in_window(&self, second: i64) -> Option<bool> {
        match self.window {
            None => Some(false),
            Some((from, to)) if from <= to => (from..=to).contains(&second).then_some(false),
            Some((from, _)) if second >= from => Some(false),
            Some((_, to)) => (second <= to).then_some(true),
        }
    }
}

impl Model {
    /// What limits a clause: a tail at the very end governs every clause, unless an earlier
    /// clause has one.
    pub(crate) fn tail_of(&self, index: usize) -> &Tail {
        let (last, earlier) = self.clauses.split_last().expect("a model has clauses");
        if earlier.iter().all(|clause| clause.tail.is_empty()) {
            &last.tail
        } else {
            &self.clauses[index].tail
        }
    }

    /// Whether anything in it happens within a minute.
    pub(crate) fn has_seconds(&self) -> bool {
        self.clauses.iter().any(|clause| match &clause.what {
            What::Fixed { times, .. }
            | What::EachNthDay { times, .. }
            | What::Once { times, .. } => times.iter().any(|time| time % 60 != 0),
            What::Interval(interval) => interval.step() % 60 != 0,
            What::Cron(cron) => cron.second.is_some(),
        })
    }
}

impl Clause {
    /// Whether each local time counts once, by the policies.
    pub(crate) fn is_fixed(&self) -> bool {
        match &self.what {
            What::Fixed { .. } | What::EachNthDay { .. } | What::Once { .. } => true,
            What::Interval(_) => false,
            What::Cron(cron) => cron.is_fixed(),
        }
    }

    /// Whether a day belongs to the clause.
    pub(crate) fn holds_day(&self, tail: &Tail, day: &Day) -> bool {
        let named = match &self.what {
            What::Fixed { days, .. } => days.holds(day),
            What::EachNthDay { step, .. } => {
                (day.number - tail.starting.map_or(0, |start| start.0)).rem_euclid(*step) == 0
            }
            What::Once { dates, .. } => dates.contains(&day.number),
            What::Interval(interval) => {
                interval.days.as_ref().is_none_or(|days| days.holds(day))
                    && (interval.months.is_empty() || interval.months.contains(&day.month))
            }
            What::Cron(cron) => cron.holds_day(day),
        };
        named && !tail.excepts(day)
    }

    /// Whether a second of the local clock is due; `unix` is the real one, `anchor` what an
    /// interval of elapsed time counts from, and `holds_day` tells of the day and the one before.
    pub(crate) fn holds(
        &self,
        tail: &Tail,
        (unix, local, anchor): (i64, i64, i64),
        holds_day: impl Fn(i64) -> bool,
    ) -> bool {
        let (day, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let day = match &self.what {
            What::Fixed { times, .. }
            | What::EachNthDay { times, .. }
            | What::Once { times, .. } => {
                if !times.contains(&second) {
                    return false;
                }
                day
            }
            What::Cron(cron) => {
                if !cron.holds_time(second) {
                    return false;
                }
                day
            }
            What::Interval(interval) => {
                let on_grid = if interval.divides_the_day() {
                    (second - interval.past.unwrap_or(0) * 60).rem_euclid(interval.step()) == 0
                } else {
                    (unix - anchor).rem_euclid(interval.step()) == 0
                };
                match interval.in_window(second) {
                    Some(opened_before) if on_grid => day - i64::from(opened_before),
                    Some(_) | None => return false,
                }
            }
        };
        holds_day(day) && tail.bounds(local)
    }
}
