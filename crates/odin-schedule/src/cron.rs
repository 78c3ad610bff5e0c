//! Cron text: five or six fields, nicknames, by the rules of Vixie's cron.
//!
//! Beyond Vixie, as most schedulers have it: a sixth field in front for seconds, `?`
//! for `*` in the two day fields, `L` for the last day, `5L` for the last Friday and
//! `5#2` for the second Friday of the month.

use jiff::tz::TimeZone;

use crate::error::{ScheduleError, ScheduleErrorKind, quote};
use crate::rule::{DayPattern, Days, Passes, Rule, Tail, Timing};
use crate::time_set::TimeSet;
use crate::zone::find_zone;

/// Whether a text means cron rather than English: a nickname, a zone setting, or a
/// first field made of what only cron fields are made of, with more behind it.
pub(crate) fn looks_like_cron(text: &str) -> bool {
    let mut fields = text.split_whitespace();
    let Some(first) = fields.next() else {
        return false;
    };
    if first.starts_with('@') || zone_setting(first).is_some() {
        return true;
    }
    let is_cron = |c: char| c.is_ascii_digit() || matches!(c, '*' | ',' | '-' | '/' | '?' | '~');
    // Year-month-day begins no schedule, but it is not a range of cron either.
    let is_date = first.len() == 10 && first.split('-').map(str::len).eq([4, 2, 2]);
    first.chars().all(is_cron)
        && !is_date
        && fields
            .next()
            .is_some_and(|second| second.chars().all(is_cron))
}

/// Reads cron text that begins at `offset` of the user's text.
pub(crate) fn read(
    text: &str,
    offset: usize,
) -> Result<(Vec<Rule>, Option<TimeZone>), ScheduleError> {
    let mut fields = fields(text, offset);
    let mut zone = None;
    if let Some(name) = fields.first().and_then(|field| zone_setting(field.text)) {
        let field = fields.remove(0);
        let at = field.at + field.text.len() - name.len();
        let found =
            find_zone(name).map_err(|error| ScheduleError::new(error.kind, at..at + name.len()))?;
        zone = Some(found);
    }
    if let [Field { text, at }] = fields[..]
        && text.starts_with('@')
    {
        let Some(expansion) = nickname(text) else {
            let kind = if text.eq_ignore_ascii_case("@reboot") {
                ScheduleErrorKind::NotSupportedYet {
                    what: "@reboot, which has no due time,",
                    instead: "a schedule with times",
                }
            } else {
                ScheduleErrorKind::CronNickname { name: quote(text) }
            };
            return Err(ScheduleError::new(kind, at..at + text.len()));
        };
        return Ok((vec![rule(&self::fields(expansion, at))?], zone));
    }
    if !matches!(fields.len(), 5 | 6) {
        let kind = ScheduleErrorKind::CronFieldCount {
            fields: fields.len(),
        };
        return Err(ScheduleError::new(kind, offset..offset + text.len()));
    }
    Ok((vec![rule(&fields)?], zone))
}

fn nickname(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return None,
    })
}

fn zone_setting(field: &str) -> Option<&str> {
    field
        .strip_prefix("CRON_TZ=")
        .or_else(|| field.strip_prefix("TZ="))
}

#[derive(Clone, Copy)]
struct Field<'t> {
    text: &'t str,
    /// Where it begins in the user's text.
    at: usize,
}

fn fields(text: &str, offset: usize) -> Vec<Field<'_>> {
    let at = |field: &str| offset + (field.as_ptr().addr() - text.as_ptr().addr());
    text.split_whitespace()
        .map(|field| Field {
            text: field,
            at: at(field),
        })
        .collect()
}

/// What a field may hold.
struct Shape {
    name: &'static str,
    takes: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const SECOND: Shape = Shape {
    name: "second",
    takes: "seconds 0 to 59",
    first: 0,
    last: 59,
    names: &[],
};
const MINUTE: Shape = Shape {
    name: "minute",
    takes: "minutes 0 to 59",
    first: 0,
    last: 59,
    names: &[],
};
const HOUR: Shape = Shape {
    name: "hour",
    takes: "hours 0 to 23",
    first: 0,
    last: 23,
    names: &[],
};
const MONTH_DAY: Shape = Shape {
    name: "day of the month",
    takes: "days 1 to 31, or L for the last",
    first: 1,
    last: 31,
    names: &[],
};
const MONTH: Shape = Shape {
    name: "month",
    takes: "months 1 to 12 or JAN to DEC",
    first: 1,
    last: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
const WEEKDAY: Shape = Shape {
    name: "day of the week",
    takes: "days 0 to 7 (0 and 7 are Sunday) or SUN to SAT, 5#2 for a second Friday, 5L for a last",
    first: 0,
    last: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// A field that was read.
#[derive(Default)]
struct Values {
    /// Bit n stands for the value n.
    set: u64,
    /// Begins with `*`: Vixie's cron treats such a field as not restricted.
    star: bool,
    /// `L` in the day-of-month field.
    last_day: bool,
    /// `#` and `L` in the day-of-week field.
    nth_weekdays: [u8; 6],
    /// The field with names as numbers and without what has no effect.
    text: String,
}

fn rule(fields: &[Field<'_>]) -> Result<Rule, ScheduleError> {
    let (second, fields) = match fields {
        [second, rest @ ..] if rest.len() == 5 => (Some(values(*second, &SECOND)?), rest),
        _ => (None, fields),
    };
    let minutes = values(fields[0], &MINUTE)?;
    let hours = values(fields[1], &HOUR)?;
    let month_days = values(fields[2], &MONTH_DAY)?;
    let months = values(fields[3], &MONTH)?;
    let weekdays = values(fields[4], &WEEKDAY)?;
    let mut pattern = days(&month_days, &weekdays)
        .ok_or_else(|| field_error(fields[2].text, fields[2].at, &MONTH_DAY))?;
    pattern.months = months.set as u16;

    let interval_like =
        minutes.star || hours.star || second.as_ref().is_some_and(|second| second.star);
    let mut text = String::new();
    if let Some(second) = &second {
        text = format!("{} ", second.text);
    }
    let (minute, hour, month_day) = (&minutes.text, &hours.text, &month_days.text);
    text += &format!(
        "{minute} {hour} {month_day} {} {}",
        months.text, weekdays.text
    );
    let timing = Timing::Wall {
        times: TimeSet::Fields {
            hours: hours.set as u32,
            minutes: minutes.set,
            seconds: second.map_or(1, |second| second.set),
        },
        passes: if interval_like {
            Passes::Each
        } else {
            Passes::Once
        },
    };
    Ok(Rule::new(
        Days::Pattern(pattern),
        timing,
        Tail::default(),
        Some(text.into()),
    ))
}

/// Joins the two day fields: where both are restricted either will do, else both must
/// hold. `None` for a stepped day of the month with an nth weekday, which no pattern holds.
fn days(month_days: &Values, weekdays: &Values) -> Option<DayPattern> {
    let all_month_days = month_days.set as u32 == u32::MAX << 1;
    let weekday_bits = weekdays.set as u8;
    let by_month_day = DayPattern {
        month_days: month_days.set as u32,
        last_day: month_days.last_day,
        ..DayPattern::NONE
    };
    let by_weekday = DayPattern {
        weekdays: weekday_bits,
        nth_weekdays: weekdays.nth_weekdays,
        ..DayPattern::NONE
    };
    if !month_days.star && !weekdays.star {
        return Some(DayPattern {
            weekdays: weekday_bits,
            nth_weekdays: weekdays.nth_weekdays,
            ..by_month_day
        });
    }
    if all_month_days {
        return Some(by_weekday);
    }
    let no_nth = weekdays.nth_weekdays == [0; 6];
    no_nth.then_some(DayPattern {
        only: weekday_bits,
        ..by_month_day
    })
}

/// Reads one field: items joined by commas.
fn values(field: Field<'_>, shape: &Shape) -> Result<Values, ScheduleError> {
    let mut values = Values {
        star: field.text.starts_with(['*', '?']),
        ..Values::default()
    };
    let mut at = field.at;
    for item in field.text.split(',') {
        let text =
            read_item(item, shape, &mut values).ok_or_else(|| field_error(item, at, shape))?;
        if !values.text.is_empty() {
            values.text.push(',');
        }
        values.text += &text;
        at += item.len() + 1;
    }
    if shape.last == 7 {
        // Sunday is 0 and 7 in cron; here Monday is bit 0.
        let sunday_first = (values.set | values.set >> 7) & 0b111_1111;
        values.set = sunday_first >> 1 | (sunday_first & 1) << 6;
    }
    Ok(values)
}

/// Adds an item's values and returns its normal text; `None` if it cannot be read.
fn read_item(item: &str, shape: &Shape, values: &mut Values) -> Option<String> {
    let is_day = shape.name == MONTH_DAY.name || shape.name == WEEKDAY.name;
    if shape.name == MONTH_DAY.name && item.eq_ignore_ascii_case("l") {
        values.last_day = true;
        return (!values.star).then(|| "L".to_owned());
    }
    if shape.last == 7
        && let Some(text) = nth_weekday(item, values)
    {
        return (!values.star).then_some(text);
    }
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(number(step).filter(|&step| step > 0)?)),
        None => (item, None),
    };
    let (from, to, text) = match range.split_once('-') {
        _ if range == "*" || (range == "?" && is_day) => (
            shape.first,
            shape.last.min(if shape.last == 7 { 6 } else { 59 }),
            "*".to_owned(),
        ),
        Some((from, to)) => {
            let (from, to) = (value(from, shape)?, value(to, shape)?);
            (from, to, format!("{from}-{to}"))
        }
        // A step needs something to step through: `2/4` is refused, as Vixie's cron does.
        None if step.is_some() => return None,
        None => {
            let value = value(range, shape)?;
            (
                value,
                value,
                if shape.last == 7 { value % 7 } else { value }.to_string(),
            )
        }
    };
    if from > to {
        return None;
    }
    for value in (from..=to).step_by(step.unwrap_or(1) as usize) {
        values.set |= 1 << value;
    }
    Some(match step {
        Some(step) if step > 1 => format!("{text}/{step}"),
        Some(_) | None => text,
    })
}

/// Reads `5#2` (second Friday) and `5L` (last Friday).
fn nth_weekday(item: &str, values: &mut Values) -> Option<String> {
    let (weekday, nth) = match item.split_once('#') {
        Some((weekday, nth)) => (weekday, number(nth).filter(|nth| (1..=5).contains(nth))?),
        None => (item.strip_suffix(['L', 'l'])?, 6),
    };
    let weekday = value(weekday, &WEEKDAY)? % 7;
    values.nth_weekdays[nth as usize - 1] |= 1 << ((weekday + 6) % 7);
    Some(if nth == 6 {
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

fn field_error(text: &str, at: usize, shape: &Shape) -> ScheduleError {
    let kind = ScheduleErrorKind::CronField {
        field: shape.name,
        text: quote(text),
        takes: shape.takes,
    };
    ScheduleError::new(kind, at..at + text.len())
}
