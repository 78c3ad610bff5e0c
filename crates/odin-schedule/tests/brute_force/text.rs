//! Writes a model as a user would, in one of the ways the language has for it.

use super::clock::Day;
use super::draw::Draw;
use super::model::{Clause, DayItem, Interval, Model, PeriodUnit, Roll, Tail, What};

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// The whole text; `draw` chooses among wordings that mean the same.
pub(crate) fn text(model: &Model, draw: &mut Draw) -> String {
    let mut text = String::new();
    for (index, clause) in model.clauses.iter().enumerate() {
        if index > 0 {
            text += draw.one_of(&[" and ", "; ", ", and ", ", "]);
        }
        text += &words(clause, draw);
        text += &tail(&clause.tail, draw);
    }
    if draw.percent(10) {
        text.to_uppercase()
    } else {
        text
    }
}

fn words(clause: &Clause, draw: &mut Draw) -> String {
    match &clause.what {
        What::Fixed {
            days: wanted,
            times,
        } => {
            let mut parts = vec![format!(" at {}", each(times, draw, clock))];
            if !wanted.months.is_empty() {
                parts.push(format!(" in {}", months(&wanted.months, draw)));
            }
            if let Some(only) = wanted.only {
                parts.push(format!(" on {}", weekdays(only, draw)));
            }
            if wanted.trading {
                parts.push(" in calendar trading-days".to_owned());
            }
            parts.extend(wanted.roll.map(|roll| roll_words(roll, draw)));
            shuffle(&mut parts, draw);
            format!("every {}{}", items(&wanted.items, draw), parts.concat())
        }
        What::Period {
            number,
            unit,
            days: wanted,
            times,
        } => {
            let unit = match unit {
                PeriodUnit::Week => "week",
                PeriodUnit::Month => "month",
                PeriodUnit::Quarter => "quarter",
                PeriodUnit::Year => "year",
            };
            let every = match (number, draw.percent(50)) {
                (2, true) => format!("every other {unit}"),
                (number, _) => format!("every {number} {unit}s"),
            };
            let mut parts = vec![format!(" at {}", each(times, draw, clock))];
            if !matches!(wanted.items[..], [DayItem::Quarter]) {
                parts.push(format!(" on {}", items(&wanted.items, draw)));
            }
            parts.extend(wanted.roll.map(|roll| roll_words(roll, draw)));
            shuffle(&mut parts, draw);
            every + &parts.concat()
        }
        What::EachNthDay { step, times } => {
            format!("every {step} days at {}", each(times, draw, clock))
        }
        What::Once { dates, times } => {
            let dates = each(dates, draw, date);
            let times = each(times, draw, clock);
            if draw.percent(50) {
                format!("once on {dates} at {times}")
            } else {
                format!("once at {times} on {dates}")
            }
        }
        What::Interval(interval) => interval_words(interval, draw),
        What::Cron(cron) => format!("cron \"{}\"", cron.text()),
    }
}

fn roll_words(roll: Roll, draw: &mut Draw) -> String {
    let words = match roll {
        Roll::Next => [
            " or next business day",
            " or the following business day",
            " rolled forward",
        ],
        Roll::Previous => [
            " or previous business day",
            " or the preceding business day",
            " rolled back",
        ],
        Roll::Nearest => [
            " or nearest business day",
            " or the nearest business day",
            " or nearest business day",
        ],
    };
    draw.one_of(&words).to_owned()
}

fn interval_words(interval: &Interval, draw: &mut Draw) -> String {
    let unit = match interval.unit {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        _ => "day",
    };
    let mut text = match interval.number {
        1 if unit != "day" => format!("every {unit}"),
        number => format!("every {number} {unit}s"),
    };
    let mut parts = Vec::new();
    if let Some(past) = interval.past {
        parts.push(format!(" at :{past:02}"));
    }
    if let Some((from, to)) = interval.window {
        let words = draw.one_of(&[("from", "to"), ("between", "and"), ("from", "until")]);
        parts.push(format!(
            " {} {} {} {}",
            words.0,
            clock(from, draw),
            words.1,
            clock(to, draw)
        ));
    }
    if let Some(days) = &interval.days {
        parts.push(format!(" on {}", items(&days.items, draw)));
    }
    if !interval.months.is_empty() {
        parts.push(format!(" in {}", months(&interval.months, draw)));
    }
    shuffle(&mut parts, draw);
    text += &parts.concat();
    text
}

fn shuffle(parts: &mut [String], draw: &mut Draw) {
    for index in (1..parts.len()).rev() {
        parts.swap(index, draw.between(0, index as i64) as usize);
    }
}

fn items(items: &[DayItem], draw: &mut Draw) -> String {
    if let [DayItem::Every] = items {
        return "day".to_owned();
    }
    let mixed = items
        .iter()
        .any(|item| matches!(item, DayItem::MonthDay(_)))
        && items.iter().any(|item| matches!(item, DayItem::Nth(..)));
    let words: Vec<String> = items
        .iter()
        .map(|item| match *item {
            DayItem::Every => "day".to_owned(),
            DayItem::Weekdays(set) => weekdays(set, draw),
            DayItem::MonthDay(day) if mixed => format!("{} of the month", ordinal(day)),
            DayItem::MonthDay(day) => ordinal(day),
            DayItem::LastDay => "last day of the month".to_owned(),
            DayItem::Nth(6, weekday) => format!("last {}", WEEKDAYS[weekday as usize]),
            DayItem::Nth(nth, weekday) => {
                let nth = match (nth, draw.percent(30)) {
                    (1, true) => "first".to_owned(),
                    (3, true) => "third".to_owned(),
                    (nth, _) => ordinal(nth),
                };
                format!("{nth} {}", WEEKDAYS[weekday as usize])
            }
            DayItem::Date(month, day) => match draw.between(0, 2) {
                0 => format!("{} {}", MONTHS[month as usize - 1], ordinal(day)),
                1 => format!("{} of {}", ordinal(day), MONTHS[month as usize - 1]),
                _ => format!("{} {}", ordinal(day), MONTHS[month as usize - 1]),
            },
            DayItem::Quarter => "quarter".to_owned(),
            DayItem::BusinessDay => "business day".to_owned(),
            DayItem::NthBusiness(-1) => "last business day".to_owned(),
            DayItem::NthBusiness(nth @ ..0) => format!("{} last business day", ordinal(-nth)),
            DayItem::NthBusiness(nth) => format!("{} business day", ordinal(nth)),
        })
        .collect();
    list(words.into_iter(), draw)
}

pub(crate) fn ordinal(number: i64) -> String {
    let suffix = match number {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

fn weekdays(set: u8, draw: &mut Draw) -> String {
    match set {
        0b001_1111 if draw.percent(50) => "weekdays".to_owned(),
        0b001_1111 if draw.percent(50) => "Mon-Fri".to_owned(),
        0b110_0000 if draw.percent(50) => "weekend".to_owned(),
        _ => {
            let plural = if draw.percent(30) { "s" } else { "" };
            let names = (0..7).filter(|bit| set & (1 << bit) != 0);
            list(
                names
                    .map(|bit| format!("{}{plural}", WEEKDAYS[bit]))
                    .collect::<Vec<_>>()
                    .into_iter(),
                draw,
            )
        }
    }
}

fn months(set: &[i64], draw: &mut Draw) -> String {
    list(
        set.iter()
            .map(|&month| MONTHS[month as usize - 1].to_owned()),
        draw,
    )
}

/// A time of day in one of its spellings.
fn clock(second: i64, draw: &mut Draw) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let seconds = if second == 0 {
        String::new()
    } else {
        format!(":{second:02}")
    };
    if (minute, second) == (0, 0) && draw.percent(40) {
        match hour {
            0 => return "midnight".to_owned(),
            12 => return "noon".to_owned(),
            _ => {}
        }
    }
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let half = if hour < 12 { "am" } else { "pm" };
    match draw.between(0, 4) {
        0 => format!("{twelve}:{minute:02}{seconds}{half}"),
        1 => format!("{twelve}:{minute:02}{seconds} {half}"),
        2 if (minute, second) == (0, 0) => format!("{twelve}{half}"),
        3 => format!("{hour}:{minute:02}{seconds}"),
        _ => format!("{hour:02}:{minute:02}{seconds}"),
    }
}

fn date(number: i64, draw: &mut Draw) -> String {
    let date = Day::date(number);
    let (year, month, day) = (date.year(), i64::from(date.month()), i64::from(date.day()));
    match draw.between(0, 3) {
        0 => format!("{} {} {year}", MONTHS[month as usize - 1], ordinal(day)),
        1 => format!("{} of {} {year}", ordinal(day), MONTHS[month as usize - 1]),
        _ => format!("{year:04}-{month:02}-{day:02}"),
    }
}

fn tail(tail: &Tail, draw: &mut Draw) -> String {
    let mut parts = Vec::new();
    if tail.has_exceptions() {
        let mut items: Vec<String> = Vec::new();
        if tail.weekdays != 0 {
            items.push(weekdays(tail.weekdays, draw));
        }
        items.extend(
            tail.months
                .iter()
                .map(|&month| MONTHS[month as usize - 1].to_owned()),
        );
        items.extend(
            tail.yearly
                .iter()
                .map(|&(month, day)| format!("{} {}", MONTHS[month as usize - 1], ordinal(day))),
        );
        if tail.holidays {
            items.push("holidays".to_owned());
        }
        items.extend(tail.dates.iter().map(|&day| date(day, draw)));
        shuffle(&mut items, draw);
        parts.push(format!(" except {}", list(items.into_iter(), draw)));
    }
    if let Some((day, second)) = tail.starting {
        let at = if second == 0 {
            String::new()
        } else {
            format!(" at {}", clock(second, draw))
        };
        parts.push(format!(" starting {}{at}", date(day, draw)));
    }
    if let Some((day, second)) = tail.until {
        let at = second.map_or(String::new(), |second| {
            format!(" at {}", clock(second, draw))
        });
        parts.push(format!(" until {}{at}", date(day, draw)));
    }
    shuffle(&mut parts, draw);
    parts.concat()
}

fn each(values: &[i64], draw: &mut Draw, word: fn(i64, &mut Draw) -> String) -> String {
    let words: Vec<String> = values.iter().map(|&value| word(value, draw)).collect();
    list(words.into_iter(), draw)
}

fn list(items: impl Iterator<Item = String>, draw: &mut Draw) -> String {
    let items: Vec<String> = items.collect();
    let last = draw.one_of(&[" and ", ", ", ", and "]);
    match items.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., end] => format!("{}{last}{end}", most.join(", ")),
    }
}
