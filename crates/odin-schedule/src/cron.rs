//! Cron text: five or six fields, nicknames, by the rules of Vixie's cron.
//!
//! Beyond Vixie, as most schedulers have it: a sixth field in front for seconds, `?`
//! for `*` in the two day fields, `L` for the last day, `L-3` for three days before it,
//! `15W` for the weekday nearest the 15th, `5L` for the last Friday, `5#2` for the
//! second Friday of the month, and `@every 1h30m`.

mod every;
mod field;
mod mistake;

use jiff::tz::TimeZone;

use crate::error::{ScheduleError, quote};
use crate::rule::{DayPattern, Days, Passes, Rule, Tail, Timing};
use crate::time_set::TimeSet;
use crate::zone::find_zone;
use field::{Field, HOUR, MINUTE, MONTH, MONTH_DAY, SECOND, Values, WEEKDAY, values};

pub use mistake::CronMistake;

/// Whether a text means cron rather than English: a nickname, a zone setting, or a
/// first field made of what only cron fields are made of, with more behind it.
pub(crate) fn looks_like_cron(text: &str) -> bool {
    let mut fields = text.split_whitespace();
    let Some(first) = fields.next() else {
        return false;
    };
    if first.starts_with(['@', '*']) || zone_setting(first).is_some() {
        return true;
    }
    // Jenkins' hash is refused, but as what it is.
    if first == "H" || first.starts_with("H/") || first.starts_with("H(") {
        return true;
    }
    let is_cron = |c: char| c.is_ascii_digit() || matches!(c, '*' | ',' | '-' | '/' | '?' | '~');
    // Year-month-day begins no schedule, but it is not a range of cron either.
    let is_date = first.len() == 10 && first.split('-').map(str::len).eq([4, 2, 2]);
    first.chars().all(is_cron)
        && !is_date
        && fields.enumerate().any(|(index, field)| {
            // English has no field that begins with a star.
            (index == 0 && field.chars().all(is_cron)) || field.starts_with(['*', '?'])
        })
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
    if let Some(first) = fields.first().filter(|field| field.text.starts_with('@')) {
        return Ok((vec![nickname(*first, &fields[1..])?], zone));
    }
    if let Some(command) = command(&fields) {
        let end = offset + text.trim_end().len();
        let text = quote(&text[command.at - offset..end - offset]);
        return mistake(CronMistake::Command { text }, command.at..end);
    }
    if !matches!(fields.len(), 5 | 6) {
        let mistaken = CronMistake::FieldCount {
            fields: fields.len(),
        };
        return mistake(mistaken, offset..offset + text.len());
    }
    Ok((vec![rule(&fields)?], zone))
}

fn mistake<T>(mistake: CronMistake, span: std::ops::Range<usize>) -> Result<T, ScheduleError> {
    Err(ScheduleError::new(mistake.into(), span))
}

/// The rule of an `@word`, with what follows it.
fn nickname(name: Field<'_>, rest: &[Field<'_>]) -> Result<Rule, ScheduleError> {
    let span = name.at..name.at + name.text.len();
    let lower = name.text.to_ascii_lowercase();
    match (lower.as_str(), rest) {
        ("@every", [length]) => {
            let span = length.at..length.at + length.text.len();
            every::rule(length.text).map_err(|kind| ScheduleError::new(kind, span))
        }
        ("@every", _) => {
            let rest: Vec<&str> = rest.iter().map(|field| field.text).collect();
            let text = quote(&rest.join(" "));
            mistake(CronMistake::Every { text }, span)
        }
        ("@reboot", _) => mistake(CronMistake::Reboot, span),
        (_, [field, ..]) => {
            let text = quote(field.text);
            mistake(
                CronMistake::Command { text },
                field.at..field.at + field.text.len(),
            )
        }
        (_, []) => match expansion(&lower) {
            Some(expansion) => {
                let at = |text| Field { text, at: name.at };
                rule(&expansion.split(' ').map(at).collect::<Vec<_>>())
            }
            None => {
                let name = quote(name.text);
                mistake(CronMistake::Nickname { name }, span)
            }
        },
    }
}

fn expansion(nickname: &str) -> Option<&'static str> {
    Some(match nickname {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return None,
    })
}

/// The first field of what looks like a crontab line's command: more than fields, behind
/// five that can be read.
fn command<'t>(fields: &[Field<'t>]) -> Option<Field<'t>> {
    let sixth = *fields.get(5)?;
    let is_path = sixth.text.starts_with(['/', '.', '"', '\'', '$']) || sixth.text.contains('=');
    let is_word = fields.len() > 6
        && sixth.text.len() > 3
        && sixth.text.starts_with(|c: char| c.is_ascii_lowercase());
    ((is_path || is_word) && rule(&fields[..5]).is_ok()).then_some(sixth)
}

fn zone_setting(field: &str) -> Option<&str> {
    field
        .strip_prefix("CRON_TZ=")
        .or_else(|| field.strip_prefix("TZ="))
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
    let Some(mut pattern) = days(&month_days, &weekdays) else {
        let mistaken = CronMistake::DaysDoNotCombine {
            month_days: quote(fields[2].text),
            weekdays: quote(fields[4].text),
        };
        let end = fields[4].at + fields[4].text.len();
        return mistake(mistaken, fields[2].at..end.max(fields[2].at));
    };
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
        before_last: month_days.before_last,
        nearest_weekdays: month_days.nearest_weekdays,
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
