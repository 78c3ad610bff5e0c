//! A schedule as its parts, each with its plain meaning.

use super::calendars;
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
    /// Days of every so many weeks, months, quarters or years.
    Period {
        number: i64,
        unit: PeriodUnit,
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
    /// `in calendar trading-days`.
    pub(crate) trading: bool,
    pub(crate) roll: Option<Roll>,
}

/// Where a day moves that is no business day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roll {
    Next,
    Previous,
    Nearest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeriodUnit {
    Week,
    Month,
    Quarter,
    Year,
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
    BusinessDay,
    /// The nth business day of the month, negative from its end.
    NthBusiness(i64),
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
    pub(crate) holidays: bool,
}

impl Tail {
    pub(crate) fn has_exceptions(&self) -> bool {
        self.weekdays != 0
            || self.holidays
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
            || (self.holidays && calendars::is_holiday(day))
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
    /// Whether a day is due once days have moved; `extra` tells what else a day must be
    /// before it moves.
    pub(crate) fn holds(&self, day: &Day, extra: &dyn Fn(&Day) -> bool) -> bool {
        let Some(roll) = self.roll else {
            return extra(day) && self.names(day);
        };
        if !calendars::is_business(day) {
            return false;
        }
        // Every named day that could have moved here is asked where it goes.
        (-40..=40)
            .map(|apart| day.moved_by(apart))
            .any(|from| extra(&from) && self.names(&from) && roll.of(&from) == Some(day.number))
    }

    fn names(&self, day: &Day) -> bool {
        (self.months.is_empty() || self.months.contains(&day.month))
            && self.only.is_none_or(|only| only & (1 << day.weekday) != 0)
            && (!self.trading || calendars::is_trading(day))
            && self.items.iter().any(|item| item.holds(day))
    }
}

impl Roll {
    /// Where a day goes: to itself if it is a business day.
    fn of(self, day: &Day) -> Option<i64> {
        let business = |apart: i64| {
            let there = day.moved_by(apart);
            calendars::is_business(&there).then_some(there)
        };
        let later = || (0..=40).find_map(business);
        let earlier = || (0..=40).find_map(|apart| business(-apart));
        match self {
            Roll::Next => later().map(|day| day.number),
            Roll::Previous => earlier().map(|day| day.number),
            Roll::Nearest => {
                let same_month = |there: &Day| there.month == day.month;
                let later = later().filter(same_month).map(|there| there.number);
                let earlier = earlier().filter(same_month).map(|there| there.number);
                match (earlier, later) {
                    (Some(earlier), Some(later)) if day.number - earlier < later - day.number => {
                        Some(earlier)
                    }
                    (earlier, None) => earlier,
                    (_, later) => later,
                }
            }
        }
    }
}

impl PeriodUnit {
    /// Which stretch a day lies in, counted from an origin.
    fn index(self, day: &Day, origin: &Day) -> i64 {
        let months = |day: &Day| day.year * 12 + day.month - 1;
        match self {
            PeriodUnit::Week => (day.number - origin.number).div_euclid(7),
            PeriodUnit::Month => months(day) - months(origin),
            PeriodUnit::Quarter => months(day).div_euclid(3) - months(origin).div_euclid(3),
            PeriodUnit::Year => day.year - origin.year,
        }
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
            DayItem::BusinessDay => calendars::is_business(day),
            DayItem::NthBusiness(nth) => {
                let step = nth.signum();
                let same_month =
                    |apart: i64| Some(day.moved_by(apart)).filter(|there| there.month == day.month);
                let towards_the_end = (0..).map_while(|apart| same_month(-apart * step));
                calendars::is_business(day)
                    && towards_the_end.filter(calendars::is_business).count() as i64 == nth.abs()
            }
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

    /// Whether it needs calendars, counts from an origin, or has days of cron text that are
    /// explained in words of their own.
    pub(crate) fn has_rare_days(&self) -> bool {
        let business =
            |item: &DayItem| matches!(item, DayItem::BusinessDay | DayItem::NthBusiness(_));
        self.clauses.iter().any(|clause| {
            let days = match &clause.what {
                What::Fixed { days, .. } => Some(days),
                What::Interval(interval) => interval.days.as_ref(),
                What::Period { .. } => return true,
                What::Cron(cron) => {
                    if cron.nearest.is_some() || cron.before_last.is_some() {
                        return true;
                    }
                    None
                }
                What::EachNthDay { .. } | What::Once { .. } => None,
            };
            clause.tail.holidays
                || days.is_some_and(|days| {
                    days.trading || days.roll.is_some() || days.items.iter().any(business)
                })
        })
    }

    /// Whether anything in it happens within a minute.
    pub(crate) fn has_seconds(&self) -> bool {
        self.clauses.iter().any(|clause| match &clause.what {
            What::Fixed { times, .. }
            | What::Period { times, .. }
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
            What::Fixed { .. }
            | What::Period { .. }
            | What::EachNthDay { .. }
            | What::Once { .. } => true,
            What::Interval(_) => false,
            What::Cron(cron) => cron.is_fixed(),
        }
    }

    /// Whether a day belongs to the clause.
    pub(crate) fn holds_day(&self, tail: &Tail, day: &Day) -> bool {
        let named = match &self.what {
            What::Fixed { days, .. } => days.holds(day, &|_| true),
            What::Period {
                number, unit, days, ..
            } => {
                let origin = tail.starting.map_or(
                    // A Monday, so that weeks begin there; also the first month and year.
                    if *unit == PeriodUnit::Week { 4 } else { 0 },
                    |start| start.0,
                );
                let origin = Day::at(origin);
                days.holds(day, &|day| {
                    unit.index(day, &origin).rem_euclid(*number) == 0
                })
            }
            What::EachNthDay { step, .. } => {
                (day.number - tail.starting.map_or(0, |start| start.0)).rem_euclid(*step) == 0
            }
            What::Once { dates, .. } => dates.contains(&day.number),
            What::Interval(interval) => {
                interval
                    .days
                    .as_ref()
                    .is_none_or(|days| days.holds(day, &|_| true))
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
            | What::Period { times, .. }
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
