//! One field of cron text: values, ranges, steps, lists, and what only days take.

use super::CronMistake;
use crate::error::{ScheduleError, quote};

/// A field as written.
#[derive(Clone, Copy)]
pub(super) struct Field<'t> {
    pub(super) text: &'t str,
    /// Where it begins in the user's text.
    pub(super) at: usize,
}

/// What a field may hold.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) takes: &'static str,
    kind: Kind,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    MonthDay,
    Weekday,
}

pub(super) const SECOND: Shape = Shape {
    name: "second",
    takes: "seconds 0 to 59",
    kind: Kind::Plain,
    first: 0,
    last: 59,
    names: &[],
};
pub(super) const MINUTE: Shape = Shape {
    name: "minute",
    takes: "minutes 0 to 59",
    kind: Kind::Plain,
    first: 0,
    last: 59,
    names: &[],
};
pub(super) const HOUR: Shape = Shape {
    name: "hour",
    takes: "hours 0 to 23",
    kind: Kind::Plain,
    first: 0,
    last: 23,
    names: &[],
};
pub(super) const MONTH_DAY: Shape = Shape {
    name: "day of the month",
    takes: "days 1 to 31, L for the last, L-3 for three days before it, 15W for the weekday \
            (Monday to Friday) nearest the 15th, LW for the last weekday",
    kind: Kind::MonthDay,
    first: 1,
    last: 31,
    names: &[],
};
pub(super) const MONTH: Shape = Shape {
    name: "month",
    takes: "months 1 to 12 or JAN to DEC",
    kind: Kind::Plain,
    first: 1,
    last: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
pub(super) const WEEKDAY: Shape = Shape {
    name: "day of the week",
    takes: "days 0 to 7 (0 and 7 are Sunday) or SUN to SAT, 5#2 for a second Friday, 5L for a last",
    kind: Kind::Weekday,
    first: 0,
    last: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// A field that was read.
#[derive(Default)]
pub(super) struct Values {
    /// Bit n stands for the value n; of weekdays bit 0 is Monday.
    pub(super) set: u64,
    /// Begins with `*`: Vixie's cron treats such a field as not restricted.
    pub(super) star: bool,
    /// `L` in the day-of-month field.
    pub(super) last_day: bool,
    /// `L-3`: bit n for n days before the last.
    pub(super) before_last: u32,
    /// `15W`: bit n for the day n, bit 0 for the last day.
    pub(super) nearest_weekdays: u32,
    /// `#` and `L` in the day-of-week field.
    pub(super) nth_weekdays: [u8; 6],
    /// The field with names as numbers and without what has no effect.
    pub(super) text: String,
}

/// Reads one field: items joined by commas.
pub(super) fn values(field: Field<'_>, shape: &Shape) -> Result<Values, ScheduleError> {
    let mut values = Values {
        star: field.text.starts_with(['*', '?']),
        ..Values::default()
    };
    let mut at = field.at;
    for item in field.text.split(',') {
        let text = read_item(item, shape, &mut values)
            .map_err(|mistake| ScheduleError::new(mistake.into(), at..at + item.len()))?;
        if !values.text.is_empty() {
            values.text.push(',');
        }
        values.text += &text;
        at += item.len() + 1;
    }
    if shape.kind == Kind::Weekday {
        // Sunday is 0 and 7 in cron; here Monday is bit 0.
        let sunday_first = (values.set | values.set >> 7) & 0b111_1111;
        values.set = sunday_first >> 1 | (sunday_first & 1) << 6;
    }
    Ok(values)
}

/// Adds an item's values and returns its normal text.
fn read_item(item: &str, shape: &Shape, values: &mut Values) -> Result<String, CronMistake> {
    let of_a_day = match shape.kind {
        Kind::Plain => None,
        Kind::MonthDay => relative_month_day(item, values),
        Kind::Weekday => nth_weekday(item, values),
    };
    if let Some(text) = of_a_day {
        // Beside a `*` it would say nothing, or wrongly look as if it did.
        return if values.star {
            Err(wrong(item, shape))
        } else {
            Ok(text)
        };
    }
    if item.contains('~') || item.starts_with('H') {
        return Err(CronMistake::by_chance(item));
    }
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(number(step).ok_or_else(|| wrong(item, shape))?)),
        None => (item, None),
    };
    if step == Some(0) {
        return Err(CronMistake::ZeroStep { text: quote(item) });
    }
    let value = |text| value(text, shape).ok_or_else(|| wrong(item, shape));
    let (from, to, text) = match range.split_once('-') {
        _ if range == "*" || (range == "?" && shape.kind != Kind::Plain) => {
            (shape.first, shape.last_plain(), "*".to_owned())
        }
        Some((from, to)) => {
            let (from, to) = (value(from)?, value(to)?);
            (from, to, format!("{from}-{to}"))
        }
        None => {
            let value = value(range)?;
            if let Some(step) = step {
                return Err(CronMistake::StepWithoutRange {
                    text: quote(item),
                    instead: format!("{value}-{}/{step}", shape.last_plain().max(value)),
                });
            }
            (value, value, shape.plain(value).to_string())
        }
    };
    let step = step.unwrap_or(1);
    if from > to {
        return Err(CronMistake::WrapsAround {
            text: quote(item),
            instead: unwrapped(from, to, step, shape),
        });
    }
    for value in (from..=to).step_by(step as usize) {
        values.set |= 1 << value;
    }
    Ok(if step > 1 {
        format!("{text}/{step}")
    } else {
        text
    })
}

impl Shape {
    /// The last value that is no second name of the first.
    fn last_plain(&self) -> u32 {
        if self.kind == Kind::Weekday {
            6
        } else {
            self.last
        }
    }

    /// A value by its first name: Sunday is 0, not 7.
    fn plain(&self, value: u32) -> u32 {
        if self.kind == Kind::Weekday {
            value % 7
        } else {
            value
        }
    }
}

/// A wrapping range in ascending pieces: `22-6` is `22-23,0-6`.
fn unwrapped(from: u32, to: u32, step: u32, shape: &Shape) -> String {
    let size = shape.last_plain() + 1 - shape.first;
    if step > 1 {
        let values: Vec<String> = (from..=to + size)
            .step_by(step as usize)
            .map(|value| (shape.first + (value - shape.first) % size).to_string())
            .collect();
        return values.join(",");
    }
    let piece = |from: u32, to: u32| {
        if from == to {
            from.to_string()
        } else {
            format!("{from}-{to}")
        }
    };
    if shape.kind == Kind::Weekday && to == 0 {
        return piece(from, 7);
    }
    // Sunday is in the first piece, as 7.
    let first = shape.first.max(u32::from(shape.kind == Kind::Weekday));
    format!("{},{}", piece(from, shape.last), piece(first, to))
}

/// Reads `L`, `L-3`, `15W` and `LW`.
fn relative_month_day(item: &str, values: &mut Values) -> Option<String> {
    let upper = item.to_ascii_uppercase();
    if upper == "L" {
        values.last_day = true;
    } else if let Some(day) = upper.strip_suffix('W') {
        let day = if day == "L" {
            0
        } else {
            value(day, &MONTH_DAY)?
        };
        values.nearest_weekdays |= 1 << day;
        return Some(if day == 0 { upper } else { format!("{day}W") });
    } else {
        let days = number(upper.strip_prefix("L-")?).filter(|days| (1..=30).contains(days))?;
        values.before_last |= 1 << days;
        return Some(format!("L-{days}"));
    }
    Some(upper)
}

/// Reads `5#2` (second Friday), `5L` and `5#L` (last Friday).
fn nth_weekday(item: &str, values: &mut Values) -> Option<String> {
    const LAST: u32 = 6;
    let (weekday, nth) = match item.split_once('#') {
        Some((weekday, "L" | "l")) => (weekday, LAST),
        Some((weekday, nth)) => (weekday, number(nth).filter(|nth| (1..=5).contains(nth))?),
        None => (item.strip_suffix(['L', 'l'])?, LAST),
    };
    let weekday = value(weekday, &WEEKDAY)? % 7;
    values.nth_weekdays[nth as usize - 1] |= 1 << ((weekday + 6) % 7);
    Some(if nth == LAST {
        format!("{weekday}L")
    } else {
        format!("{weekday}#{nth}")
    })
}

/// A number or a name of the field.
fn value(text: &str, shape: &Shape) -> Option<u32> {
    let named = shape
        .names
        .iter()
        .position(|name| text.eq_ignore_ascii_case(name));
    let value = match named {
        Some(index) => index as u32 + shape.first,
        None => number(text)?,
    };
    (shape.first..=shape.last).contains(&value).then_some(value)
}

fn number(text: &str) -> Option<u32> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}

fn wrong(text: &str, shape: &Shape) -> CronMistake {
    CronMistake::Field {
        field: shape.name,
        text: quote(text),
        takes: shape.takes,
    }
}
