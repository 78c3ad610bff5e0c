//! Calendars as iCalendar files (RFC 5545): the days that their events cover.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::days::{Calendar, DaySet};
use super::error::{CalendarError, CalendarErrorKind};
use super::recurrence::{Budget, Recurrence};
use crate::calendar::{DAY_SECONDS, day_number, days_in_month};
use crate::error::quote;
use crate::zone::find_zone;

/// Whether a text is an iCalendar file rather than a list of dates.
pub(super) fn looks_like_ics(text: &str) -> bool {
    const FIRST: &str = "BEGIN:VCALENDAR";
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    text.get(..FIRST.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(FIRST))
}

/// Reads the events of an iCalendar file.
pub(super) fn read(text: &str) -> Result<Calendar, CalendarError> {
    let events = events(text)?;
    // Instances that an event of their own stands for, by the identity of the series.
    let mut replaced: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for event in &events {
        if let Some(instance) = &event.replaces {
            replaced
                .entry(event.uid.as_str())
                .or_default()
                .push(instance.day);
        }
    }
    let mut days = DaySet::default();
    let mut budget = Budget::default();
    for event in events.iter().filter(|event| !event.is_cancelled) {
        let none = Vec::new();
        let skipped = match &event.replaces {
            None => replaced.get(event.uid.as_str()).unwrap_or(&none),
            Some(_) => &none,
        };
        event.add_days(skipped, &mut days, &mut budget)?;
    }
    Ok(days.into_calendar())
}

/// A date or a time of an event.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// The date by the clock it is written in.
    pub(super) day: i64,
    /// Seconds from midnight; `None` for a whole day.
    pub(super) second: Option<i64>,
    clock: MomentClock,
}

/// The clock that a time is written in.
#[derive(Debug, Clone)]
enum MomentClock {
    /// That of whoever looks.
    Floating,
    Utc,
    /// `TZID`, which may be a name that only the file itself explains.
    Named(String),
}

impl Moment {
    /// The local second that `until` has on the clock of this moment, for which alone
    /// the two can be held against each other.
    pub(super) fn local_end(&self, until: &Moment) -> Result<i64, CalendarErrorKind> {
        let whole_day = until.day * DAY_SECONDS + DAY_SECONDS - 1;
        let (Some(_), Some(second)) = (self.second, until.second) else {
            return Ok(whole_day);
        };
        let local = until.day * DAY_SECONDS + second;
        match (&self.clock, &until.clock) {
            (MomentClock::Named(zone), MomentClock::Utc) => {
                let zone = find_zone(zone)
                    .map_err(|_| CalendarErrorKind::UnknownZone { name: quote(zone) })?;
                Ok(local + offset_at(&zone, local))
            }
            _ => Ok(local),
        }
    }
}

fn offset_at(zone: &TimeZone, second: i64) -> i64 {
    zone.to_offset(crate::timeline::timestamp(second))
        .seconds()
        .into()
}

/// An event as it stands in the file.
#[derive(Debug, Default)]
struct Event {
    /// Where it begins.
    line: u32,
    uid: String,
    start: Option<Moment>,
    end: Option<(Moment, u32)>,
    /// Seconds.
    duration: Option<i64>,
    rule: Option<(String, u32)>,
    more: Vec<i64>,
    except: Vec<i64>,
    replaces: Option<Moment>,
    is_cancelled: bool,
    summary: String,
}

impl Event {
    fn add_days(
        &self,
        skipped: &[i64],
        days: &mut DaySet,
        budget: &mut Budget,
    ) -> Result<(), CalendarError> {
        let at = |kind| CalendarError::at(kind, self.line);
        let Some(start) = &self.start else {
            return Err(at(CalendarErrorKind::NoStart));
        };
        let length = self.length_days(start)?;
        let mut instances = vec![start.day];
        if let Some((rule, line)) = &self.rule {
            instances = Recurrence::parse(rule, start)
                .and_then(|rule| rule.instances(budget))
                .map_err(|kind| CalendarError::at(kind, *line))?;
        }
        let is_kept = |day: &i64| !self.except.contains(day) && !skipped.contains(day);
        let instances = instances.into_iter().chain(self.more.iter().copied());
        for first in instances.filter(is_kept) {
            for day in first..first + length {
                budget.take().map_err(at)?;
                days.add(day, &self.summary).map_err(at)?;
            }
        }
        Ok(())
    }

    /// How many days an instance covers; the end is not part of an event.
    fn length_days(&self, start: &Moment) -> Result<i64, CalendarError> {
        let from = start.second.unwrap_or(0);
        if let Some((end, line)) = &self.end {
            let length = (end.day - start.day) * DAY_SECONDS + end.second.unwrap_or(0) - from;
            if length < 0 {
                let kind = CalendarErrorKind::EndsBeforeItBegins {
                    begin: crate::english::date(start.day),
                    end: crate::english::date(end.day),
                };
                return Err(CalendarError::at(kind, *line));
            }
            return Ok(covered_days(from, length));
        }
        Ok(covered_days(from, self.duration.unwrap_or(0)))
    }
}

/// The days touched from a second of a day on; an event without length has its day.
fn covered_days(from: i64, length: i64) -> i64 {
    (from + length - 1).max(0).div_euclid(DAY_SECONDS) + 1
}

/// Takes the events out of a file, whatever else is in it.
fn events(text: &str) -> Result<Vec<Event>, CalendarError> {
    let mut events = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut event: Option<Event> = None;
    let mut last_line = 1;
    for (line, text) in unfolded(text) {
        last_line = line;
        let at = |kind| CalendarError::at(kind, line);
        let property = Property::parse(&text).map_err(at)?;
        let component = property.value.to_ascii_uppercase();
        if property.name == "BEGIN" {
            if component == "VEVENT" {
                event = Some(Event {
                    line,
                    ..Event::default()
                });
            }
            open.push(component);
            if open.len() > COMPONENTS_OPEN_MAX {
                let what = format!("{COMPONENTS_OPEN_MAX} are open at once");
                return Err(at(CalendarErrorKind::Unbalanced { what }));
            }
        } else if property.name == "END" {
            if open.pop().as_ref() != Some(&component) {
                let what = format!("`END:{}` closes what is not open", quote(&component));
                return Err(at(CalendarErrorKind::Unbalanced { what }));
            }
            if component == "VEVENT" {
                events.extend(event.take());
            }
        } else if open.last().is_some_and(|component| component == "VEVENT")
            && let Some(event) = &mut event
        {
            // What is inside of an alarm of the event is not the event's.
            event.read(&property, line).map_err(at)?;
        }
    }
    if let Some(component) = open.last() {
        let what = format!("`{}` is still open at the end", quote(component));
        let kind = CalendarErrorKind::Unbalanced { what };
        return Err(CalendarError::at(kind, last_line));
    }
    Ok(events)
}

/// Components inside of components, as an alarm is in an event in a calendar.
const COMPONENTS_OPEN_MAX: usize = 16;

impl Event {
    fn read(&mut self, property: &Property<'_>, line: u32) -> Result<(), CalendarErrorKind> {
        let unsupported = |part: &str| CalendarErrorKind::Unsupported { part: part.into() };
        match property.name.as_str() {
            "UID" => property.value.clone_into(&mut self.uid),
            "SUMMARY" => self.summary = unescaped(property.value),
            "DTSTART" => self.start = Some(property.moment(property.value)?),
            "DTEND" => self.end = Some((property.moment(property.value)?, line)),
            "DURATION" => self.duration = Some(duration(property.value)?),
            "RRULE" if self.rule.is_some() => return Err(unsupported("a second RRULE")),
            "RRULE" => self.rule = Some((property.value.to_owned(), line)),
            "EXRULE" => return Err(unsupported("EXRULE")),
            "RDATE" => self.more.extend(property.days()?),
            "EXDATE" => self.except.extend(property.days()?),
            "STATUS" => self.is_cancelled = property.value.eq_ignore_ascii_case("cancelled"),
            "RECURRENCE-ID" if property.parameter("RANGE").is_some() => {
                return Err(unsupported("RANGE of RECURRENCE-ID"));
            }
            "RECURRENCE-ID" => self.replaces = Some(property.moment(property.value)?),
            _ => {}
        }
        Ok(())
    }
}

/// The lines of a file with their numbers, those that go on joined.
fn unfolded(text: &str) -> Vec<(u32, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines: Vec<(u32, String)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            _ if line.trim().is_empty() => {}
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

/// `NAME;PARAMETER=value:value`.
struct Property<'l> {
    /// In upper case.
    name: String,
    parameters: Vec<(String, &'l str)>,
    value: &'l str,
}

impl<'l> Property<'l> {
    fn parse(line: &'l str) -> Result<Self, CalendarErrorKind> {
        let not_a_line = || CalendarErrorKind::NotALine { text: quote(line) };
        let mut in_quotes = false;
        let colon = line
            .find(|c: char| {
                in_quotes ^= c == '"';
                c == ':' && !in_quotes
            })
            .ok_or_else(not_a_line)?;
        let (head, value) = (&line[..colon], line[colon + 1..].trim_end());
        let mut in_quotes = false;
        let mut parts = head.split(|c: char| {
            in_quotes ^= c == '"';
            c == ';' && !in_quotes
        });
        let name = parts.next().unwrap_or_default().to_ascii_uppercase();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(not_a_line());
        }
        let mut parameters = Vec::new();
        for part in parts {
            let (name, value) = part.split_once('=').ok_or_else(not_a_line)?;
            parameters.push((name.to_ascii_uppercase(), value.trim_matches('"')));
        }
        Ok(Self {
            name,
            parameters,
            value,
        })
    }

    fn parameter(&self, name: &str) -> Option<&'l str> {
        self.parameters
            .iter()
            .find(|parameter| parameter.0 == name)
            .map(|parameter| parameter.1)
    }

    fn moment(&self, text: &str) -> Result<Moment, CalendarErrorKind> {
        let zone = self
            .parameter("TZID")
            .map(|zone| zone.trim_start_matches('/'));
        moment(text, zone).ok_or_else(|| CalendarErrorKind::no_such_date(text))
    }

    /// The dates of a list of dates or times.
    fn days(&self) -> Result<Vec<i64>, CalendarErrorKind> {
        if let Some(kind) = self.parameter("VALUE")
            && kind.eq_ignore_ascii_case("PERIOD")
        {
            let part = "VALUE=PERIOD".to_owned();
            return Err(CalendarErrorKind::Unsupported { part });
        }
        let dates = self.value.split(',');
        dates
            .map(|text| self.moment(text.trim()).map(|moment| moment.day))
            .collect()
    }
}

/// Reads `20261224` or `20261224T090000`, with a `Z` behind it for UTC.
pub(super) fn moment(text: &str, zone: Option<&str>) -> Option<Moment> {
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        let is_plain = part.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (year, month, day) = (digits(0..4)?, digits(4..6)? as u8, digits(6..8)? as u8);
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let day = day_number(year, month, day);
    if text.len() == 8 {
        return Some(Moment {
            day,
            second: None,
            clock: MomentClock::Floating,
        });
    }
    // A leap second is written as 60 and is the last second here.
    let (hour, minute, second) = (digits(9..11)?, digits(11..13)?, digits(13..15)?.min(59));
    let clock = match (text.get(15..)?, zone) {
        ("Z" | "z", _) => MomentClock::Utc,
        ("", Some(zone)) => MomentClock::Named(zone.to_owned()),
        ("", None) => MomentClock::Floating,
        _ => return None,
    };
    let is_time = text.as_bytes()[8].eq_ignore_ascii_case(&b'T') && hour <= 23 && minute <= 59;
    is_time.then_some(Moment {
        day,
        second: Some(hour * 3600 + minute * 60 + second),
        clock,
    })
}

/// Reads `P1D`, `P2W`, `PT12H` or `P1DT6H30M`, as seconds.
fn duration(text: &str) -> Result<i64, CalendarErrorKind> {
    let error = || CalendarErrorKind::NoSuchDuration { text: quote(text) };
    let rest = text.strip_prefix('+').unwrap_or(text);
    let mut rest = rest.strip_prefix('P').ok_or_else(error)?;
    if rest.is_empty() {
        return Err(error());
    }
    let mut seconds = 0;
    let mut in_time = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T').filter(|time| !time.is_empty()) {
            rest = time;
            in_time = true;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        // A hundred years of seconds are beyond any event.
        let number: i64 = rest[..end].parse().map_err(|_| error())?;
        let unit = match (&rest[end..=end], in_time) {
            ("W", false) => 7 * DAY_SECONDS,
            ("D", false) => DAY_SECONDS,
            ("H", true) => 3600,
            ("M", true) => 60,
            ("S", true) => 1,
            _ => return Err(error()),
        };
        seconds += number.min(1 << 32) * unit;
        rest = &rest[end + 1..];
    }
    Ok(seconds)
}

/// A text value without its escapes.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n' | 'N') => plain.push(' '),
                Some(escaped) => plain.push(escaped),
                None => {}
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
