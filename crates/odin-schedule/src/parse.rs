//! Reads schedule text: first whether it is English or cron, then clause by clause.

mod business_day;
mod clause;
mod compile;
mod cursor;
mod date;
mod day_list;
mod subject;
mod tail;
mod time;

use jiff::tz::TimeZone;

use crate::cron;
use crate::error::{ScheduleError, ScheduleErrorKind, TEXT_BYTES_MAX};
use crate::rule::Rule;
use crate::token::Lexeme;
use crate::words::Key;
use clause::Clause;
use cursor::Cursor;
pub(crate) use cursor::Known;
use subject::Subject;

/// What a text says, before it is a schedule.
pub(crate) struct Parsed {
    /// Empty for `never`.
    pub(crate) rules: Vec<Rule>,
    pub(crate) zone: Option<TimeZone>,
}

/// Reads a whole schedule text.
pub(crate) fn read(text: &str, known: Known<'_>) -> Result<Parsed, ScheduleError> {
    if text.len() > TEXT_BYTES_MAX {
        let kind = ScheduleErrorKind::TooLong { bytes: text.len() };
        return Err(ScheduleError::new(kind, 0..text.len()));
    }
    if text.trim().is_empty() {
        return Err(ScheduleError::new(ScheduleErrorKind::Empty, 0..text.len()));
    }
    if cron::looks_like_cron(text) {
        let (rules, zone) = cron::read(text, 0)?;
        return Ok(Parsed { rules, zone });
    }
    let mut cursor = Cursor::new(text, known);
    if cursor.eat(Key::Never).is_some() {
        return match cursor.peek() {
            None => Ok(Parsed {
                rules: Vec::new(),
                zone: None,
            }),
            Some(_) => Err(cursor.after_never()),
        };
    }
    union(&mut cursor)
}

/// Clauses joined by `and`, `,` or `;`.
fn union(cursor: &mut Cursor<'_>) -> Result<Parsed, ScheduleError> {
    if let Some(token) = cursor.peek().filter(|token| token.is_separator()) {
        let kind = ScheduleErrorKind::DanglingSeparator {
            separator: token.text.to_owned(),
        };
        return Err(ScheduleError::new(kind, token.span.clone()));
    }
    let mut clauses: Vec<Clause> = Vec::new();
    loop {
        let inherits_every = clauses.last().is_some_and(|clause| {
            !matches!(
                clause.subject,
                Subject::Once | Subject::Cron(_) | Subject::Interval { .. }
            )
        });
        clauses.push(clause::read(cursor, inherits_every)?);
        if cursor.peek().is_none() {
            break;
        }
        cursor.separator()?;
    }
    let zone = only_zone(&clauses)?;
    let mut clauses = without_repeats(clauses)?;
    share_last_tail(&mut clauses);
    let mut rules: Vec<Rule> = Vec::with_capacity(clauses.len());
    for clause in &clauses {
        for rule in compile::rules(clause)? {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    Ok(Parsed { rules, zone })
}

/// Leaves out clauses that only repeat earlier ones, before the last one's tail is
/// shared: the text without them has to read the same.
fn without_repeats(clauses: Vec<Clause>) -> Result<Vec<Clause>, ScheduleError> {
    if clauses.len() <= 2 {
        return Ok(clauses);
    }
    let mut seen: Vec<Rule> = Vec::with_capacity(clauses.len());
    let mut kept = Vec::with_capacity(clauses.len());
    for clause in clauses {
        let rules = compile::rules(&clause)?;
        if rules.iter().any(|rule| !seen.contains(rule)) {
            seen.extend(rules);
            kept.push(clause);
        }
    }
    Ok(kept)
}

/// A schedule has one zone, named with its last clause; an earlier clause may only
/// repeat it.
fn only_zone(clauses: &[Clause]) -> Result<Option<TimeZone>, ScheduleError> {
    let last = clauses.last().and_then(|clause| clause.zone.as_ref());
    for (zone, span) in clauses.iter().filter_map(|clause| clause.zone.as_ref()) {
        if last.is_none_or(|(last, _)| last != zone) {
            return Err(ScheduleError::new(
                ScheduleErrorKind::SeveralZones,
                span.clone(),
            ));
        }
    }
    Ok(last.map(|(zone, _)| zone.clone()))
}

/// `except`, `starting` and `until` at the end of a schedule govern all of it, unless
/// an earlier clause has such a part of its own: then each governs its own clause.
fn share_last_tail(clauses: &mut [Clause]) {
    let Some((last, earlier)) = clauses.split_last_mut() else {
        return;
    };
    if earlier.iter().all(|clause| clause.tail.is_empty()) {
        for clause in earlier {
            clause.tail.clone_from(&last.tail);
        }
    }
}

impl crate::token::Token<'_> {
    pub(crate) fn is_separator(&self) -> bool {
        matches!(
            self.lexeme,
            Lexeme::Comma | Lexeme::Semicolon | Lexeme::Key(Key::And)
        )
    }
}
