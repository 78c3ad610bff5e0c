//! Draws random models that the language can say.

use super::clock::Clock;
use super::cron::Cron;
use super::draw::Draw;
use super::model::{Clause, DayItem, Days, Interval, Model, PeriodUnit, Roll, Tail, What};

/// Steps that divide a day and ones that do not, in the units they are written in.
const STEPS: [(i64, i64); 26] = [
    (1, 60),
    (5, 60),
    (15, 60),
    (20, 60),
    (30, 60),
    (90, 60),
    (7, 60),
    (11, 60),
    (45, 60),
    (50, 60),
    (100, 60),
    (1439, 60),
    (1, 3600),
    (2, 3600),
    (3, 3600),
    (5, 3600),
    (7, 3600),
    (12, 3600),
    (24, 3600),
    (25, 3600),
    (36, 3600),
    (1, 86_400),
    (2, 86_400),
    (3, 86_400),
    (10, 86_400),
    (59, 60),
];
/// The same within a minute.
const SHORT_STEPS: [(i64, i64); 8] = [
    (1, 1),
    (7, 1),
    (15, 1),
    (20, 1),
    (45, 1),
    (90, 1),
    (100, 1),
    (3601, 1),
];

/// A random schedule, whose dates lie where the clock is looked at.
pub(crate) fn model(draw: &mut Draw, clock: &Clock, with_seconds: bool) -> Model {
    let count = if draw.percent(70) {
        1
    } else {
        draw.between(2, 3)
    };
    let clauses = (0..count)
        .map(|index| {
            let what = what(draw, clock, with_seconds);
            let wanted = if index + 1 == count { 45 } else { 15 };
            let tail = if draw.percent(wanted) {
                tail(draw, clock, &what)
            } else {
                Tail::default()
            };
            Clause { what, tail }
        })
        .collect();
    let mut model = Model { clauses };
    settle(&mut model, draw);
    model
}

/// Takes out what the language refuses: an interval of uneven steps that is limited needs a
/// window at least as long as its step, and a tail that is shared reaches every clause.
fn settle(model: &mut Model, draw: &mut Draw) {
    for index in 0..model.clauses.len() {
        let has_exceptions = model.tail_of(index).has_exceptions();
        let What::Interval(interval) = &mut model.clauses[index].what else {
            continue;
        };
        let step = interval.step();
        if interval.divides_the_day() {
            let due = |second: &i64| {
                (second - interval.past.unwrap_or(0) * 60).rem_euclid(step) == 0
                    && interval.in_window(*second).is_some()
            };
            if !(0..86_400).any(|second| due(&second)) {
                interval.window = None;
            }
            continue;
        }
        let length = interval
            .window
            .map_or(86_400, |(from, to)| (to - from).rem_euclid(86_400) + 1);
        let limited = has_exceptions
            || interval.window.is_some()
            || interval.days.is_some()
            || !interval.months.is_empty();
        if limited && length < step {
            interval.window = None;
            (interval.number, interval.unit) =
                draw.one_of(&[(7, 60), (50, 60), (7, 3600), (1439, 60)]);
        }
    }
}

fn what(draw: &mut Draw, clock: &Clock, with_seconds: bool) -> What {
    match draw.between(0, 99) {
        0..=34 => What::Fixed {
            days: days(draw),
            times: times(draw, with_seconds),
        },
        35..=41 => period(draw, with_seconds),
        42..=47 => What::EachNthDay {
            step: draw.one_of(&[2, 3, 5, 7, 10, 28, 30, 100]),
            times: times(draw, with_seconds),
        },
        48..=52 => {
            let dates = (0..draw.between(1, 3)).map(|_| near(draw, clock)).collect();
            What::Once {
                dates,
                times: times(draw, with_seconds),
            }
        }
        53..=79 => What::Interval(interval(draw, with_seconds)),
        _ => What::Cron(Box::new(Cron::draw_extended(draw, with_seconds))),
    }
}

fn times(draw: &mut Draw, with_seconds: bool) -> Vec<i64> {
    let mut times: Vec<i64> = (0..draw.between(1, 4))
        .map(|_| time(draw, with_seconds))
        .collect();
    times.sort_unstable();
    times.dedup();
    times
}

/// A time of day, mostly in the hours in which clocks change.
fn time(draw: &mut Draw, with_seconds: bool) -> i64 {
    let minute = match draw.between(0, 5) {
        0..=2 => draw.between(0, 239),
        3 => draw.one_of(&[0, 60, 90, 120, 150, 180, 720, 1439]),
        _ => draw.between(0, 1439),
    };
    let second = if with_seconds { draw.between(0, 59) } else { 0 };
    minute * 60 + second
}

fn some_months(draw: &mut Draw, percent: u64) -> Vec<i64> {
    if draw.percent(percent) {
        draw.several(4, 1, 12)
    } else {
        Vec::new()
    }
}

fn weekday_set(draw: &mut Draw) -> u8 {
    match draw.between(0, 3) {
        0 => 0b001_1111,
        1 => 0b110_0000,
        _ => draw.between(1, 126) as u8,
    }
}

fn days(draw: &mut Draw) -> Days {
    let months = some_months(draw, 15);
    // The 31st of months that have none is refused.
    let last = if months.is_empty() { 31 } else { 28 };
    let items = match draw.between(0, 9) {
        0..=1 => vec![DayItem::Every],
        2 => vec![if draw.percent(50) {
            DayItem::Every
        } else {
            DayItem::BusinessDay
        }],
        3..=4 => vec![DayItem::Weekdays(weekday_set(draw))],
        5..=6 => {
            let several = draw.between(1, 3);
            let mut items: Vec<DayItem> = draw
                .several(several, 1, last)
                .into_iter()
                .map(DayItem::MonthDay)
                .collect();
            if draw.percent(30) {
                items.push(DayItem::LastDay);
            }
            if draw.percent(20) {
                items.push(DayItem::Weekdays(weekday_set(draw)));
            }
            items
        }
        7 => {
            let mut items: Vec<DayItem> = Vec::new();
            if draw.percent(20) {
                items.push(DayItem::MonthDay(draw.between(1, last)));
            }
            for _ in 0..draw.between(1, 2) {
                items.push(DayItem::Nth(draw.between(1, 6), draw.between(0, 6)));
            }
            items
        }
        8 if draw.percent(50) => vec![draw.one_of(&[1, 2, 5, 23, -1, -3])]
            .into_iter()
            .map(DayItem::NthBusiness)
            .collect(),
        8 => {
            let dates = (0..draw.between(1, 3)).map(|_| {
                let month = draw.between(1, 12);
                DayItem::Date(
                    month,
                    if month == 2 {
                        draw.one_of(&[1, 28, 29])
                    } else {
                        draw.between(1, 30)
                    },
                )
            });
            return Days {
                items: dates.collect(),
                months: Vec::new(),
                only: None,
                trading: false,
                roll: some_roll(draw, 20),
            };
        }
        _ => {
            return Days {
                items: vec![DayItem::Quarter],
                months: Vec::new(),
                only: None,
                trading: false,
                roll: None,
            };
        }
    };
    let limited = matches!(items[..], [DayItem::MonthDay(_) | DayItem::LastDay, ..]);
    let only = (limited && draw.percent(15)).then(|| weekday_set(draw));
    let of_month = |item: &DayItem| matches!(item, DayItem::MonthDay(_) | DayItem::LastDay);
    let moves = items.iter().all(of_month) && only.is_none();
    let roll = if moves { some_roll(draw, 50) } else { None };
    let trading = draw.percent(8);
    Days {
        items,
        months,
        only,
        trading,
        roll,
    }
}

fn some_roll(draw: &mut Draw, percent: u64) -> Option<Roll> {
    let roll = draw.one_of(&[Roll::Next, Roll::Previous, Roll::Nearest]);
    draw.percent(percent).then_some(roll)
}

/// Days of every so many weeks, months, quarters or years.
fn period(draw: &mut Draw, with_seconds: bool) -> What {
    let unit = draw.one_of(&[
        PeriodUnit::Week,
        PeriodUnit::Month,
        PeriodUnit::Quarter,
        PeriodUnit::Year,
    ]);
    let items = match unit {
        PeriodUnit::Week => vec![DayItem::Weekdays(weekday_set(draw))],
        PeriodUnit::Month => match draw.between(0, 3) {
            0 => vec![DayItem::MonthDay(draw.between(1, 31))],
            1 => vec![DayItem::LastDay],
            2 => vec![DayItem::Nth(draw.between(1, 6), draw.between(0, 6))],
            _ => vec![DayItem::NthBusiness(draw.one_of(&[1, 2, 10, -1]))],
        },
        PeriodUnit::Quarter => vec![DayItem::Quarter],
        PeriodUnit::Year => {
            let month = draw.between(1, 12);
            vec![DayItem::Date(
                month,
                draw.between(1, if month == 2 { 29 } else { 30 }),
            )]
        }
    };
    let moves = matches!(
        items[..],
        [DayItem::MonthDay(_) | DayItem::LastDay | DayItem::Date(..)]
    );
    let roll = if moves { some_roll(draw, 30) } else { None };
    What::Period {
        number: draw.between(2, 5),
        unit,
        days: Days {
            items,
            months: Vec::new(),
            only: None,
            trading: false,
            roll,
        },
        times: times(draw, with_seconds),
    }
}

fn interval(draw: &mut Draw, with_seconds: bool) -> Interval {
    let (number, unit) = if with_seconds {
        draw.one_of(&SHORT_STEPS)
    } else {
        draw.one_of(&STEPS)
    };
    let divides = 86_400 % (number * unit) == 0;
    let past = (unit == 3600 && divides && draw.percent(30)).then(|| draw.between(0, 59));
    let window = draw
        .percent(40)
        .then(|| (time(draw, false), time(draw, with_seconds)));
    let days = draw.percent(30).then(|| Days {
        months: Vec::new(),
        only: None,
        trading: false,
        roll: None,
        ..days(draw)
    });
    // Dates have months of their own, and `quarter` is no list of days.
    let days = days.filter(|days| {
        !days
            .items
            .iter()
            .any(|item| matches!(item, DayItem::Every | DayItem::Date(..) | DayItem::Quarter))
    });
    let late = |item: &DayItem| matches!(item, DayItem::MonthDay(29..));
    let months = match &days {
        Some(days) if days.items.iter().any(late) => Vec::new(),
        Some(_) | None => some_months(draw, 15),
    };
    Interval {
        number,
        unit,
        past,
        window,
        days,
        months,
    }
}

/// A day that the clock shows, often one on which it jumps.
fn near(draw: &mut Draw, clock: &Clock) -> i64 {
    let jumps = clock.jumps();
    if !jumps.is_empty() && draw.percent(40) {
        return draw.one_of(&jumps).div_euclid(1440) + draw.between(-1, 1);
    }
    let (first, last) = (clock.minutes[0].1, clock.minutes[clock.minutes.len() - 1].1);
    draw.between(first / 1440, last / 1440)
}

fn tail(draw: &mut Draw, clock: &Clock, what: &What) -> Tail {
    let mut tail = Tail::default();
    // An interval that starts or ends inside a repeated hour could be read in two ways.
    let at = |draw: &mut Draw| match what {
        What::Interval(_) | What::Cron(_) => draw.between(6, 22) * 3600,
        _ => draw.between(0, 1439) * 60,
    };
    // Behind `every 3 days` a time of day is that of its days, not of the bound.
    let has_time = !matches!(what, What::Interval(interval) if interval.unit == 86_400);
    if draw.percent(50) {
        if draw.percent(50) {
            tail.weekdays = weekday_set(draw);
        }
        tail.months = some_months(draw, 20);
        if draw.percent(20) {
            tail.yearly = vec![(draw.between(1, 12), draw.between(1, 28))];
        }
        tail.holidays = draw.percent(20);
        if draw.percent(40) {
            tail.dates = (0..draw.between(1, 3)).map(|_| near(draw, clock)).collect();
        }
    }
    if draw.percent(35) {
        let second = if has_time && draw.percent(50) {
            at(draw)
        } else {
            0
        };
        tail.starting = Some((near(draw, clock), second));
    }
    if draw.percent(25) {
        let second = (has_time && draw.percent(50)).then(|| at(draw));
        let day = near(draw, clock);
        // An end before the start is refused.
        if tail.starting.is_none_or(|(start, _)| start < day) {
            tail.until = Some((day, second));
        }
    }
    tail
}
