//! Keys that say what becomes of a run among others, and after it went wrong.

use std::time::Duration;

use odin_model::concurrency::Bounds;
use odin_model::{
    Backoff, Concurrency, ExitCodes, Loss, OnLost, Outcome, Overlap, Priority, Retries,
};

use crate::choice::read_choice;
use crate::document::Value;
use crate::fault::{Fault, quoted};
use crate::fields::Fields;
use crate::mistake::Notes;
use crate::read::read_duration;
use crate::shape::Section;
use crate::suggestion::nearest;
use crate::words;

pub(crate) fn read_concurrency(job: &Fields<'_>, notes: &mut Notes) -> Concurrency {
    let Some(entry) = job.entry("concurrency") else {
        return Concurrency::default();
    };
    if !matches!(entry.value.value, Value::Mapping(_)) {
        return overlap(read_choice(job, "concurrency", words::CONCURRENCY, notes)).into();
    }
    let fields = Fields::read(
        Section::Concurrency,
        &entry.value,
        entry.key_span.clone(),
        notes,
    );
    const HELP: &str = "Write `policy: allow`, `forbid`, `queue` or `replace`.";
    if fields.required_text("policy", HELP, notes).is_none() {
        return Concurrency::default();
    }
    let overlap = overlap(read_choice(&fields, "policy", words::CONCURRENCY, notes));
    let bounds = Bounds {
        max: read_count(&fields, "max", 1, u32::MAX, notes),
        waiting: read_count(&fields, "waiting", 0, Concurrency::WAITING_MAX, notes),
    };
    if bounds.waiting.is_some()
        && matches!(overlap, Overlap::Forbid | Overlap::Replace)
        && let Some((_, waiting)) = fields.text("waiting")
    {
        let fault = Fault::Conflict {
            first: "policy",
            second: "waiting",
            help: "Runs wait with `queue`, and with `allow` and a `max`.",
        };
        notes.refuse(&fault, waiting.key_span.clone());
    }
    Concurrency { overlap, bounds }
}

fn overlap(word: Option<&str>) -> Overlap {
    Overlap::ALL
        .into_iter()
        .find(|overlap| Some(overlap.word()) == word)
        .unwrap_or_default()
}

/// A whole number from `least` to `most`. `None`: nothing is written, or it was refused.
pub(crate) fn read_count(
    fields: &Fields<'_>,
    key: &'static str,
    least: u32,
    most: u32,
    notes: &mut Notes,
) -> Option<u32> {
    let (text, entry) = fields.text(key)?;
    match text.parse() {
        Ok(count) if (least..=most).contains(&count) => Some(count),
        _ => {
            let fault = Fault::OutOfRange {
                key,
                value: quoted(text),
                range: format!("a whole number from {least} to {most}"),
            };
            notes.refuse(&fault, entry.place());
            None
        }
    }
}

pub(crate) fn read_retries(job: &Fields<'_>, notes: &mut Notes) -> Retries {
    let Some(entry) = job.entry("retries") else {
        return Retries::default();
    };
    let most = u32::from(Retries::MAX);
    let narrow = |count: Option<u32>| count.and_then(|count| u16::try_from(count).ok());
    if !matches!(entry.value.value, Value::Mapping(_)) {
        return Retries {
            max: narrow(read_count(job, "retries", 0, most, notes)).unwrap_or(0),
            ..Retries::default()
        };
    }
    let fields = Fields::read(
        Section::Retries,
        &entry.value,
        entry.key_span.clone(),
        notes,
    );
    const HELP: &str = "Say how many attempts may follow the first.";
    if fields.required_text("max", HELP, notes).is_none() {
        return Retries::default();
    }
    let mut duration =
        |key, default: Duration| read_duration(&fields, key, notes).unwrap_or(default);
    let (delay, max_delay) = (
        duration("delay", Retries::DELAY_DEFAULT),
        duration("max_delay", Retries::MAX_DELAY_DEFAULT),
    );
    Retries {
        max: narrow(read_count(&fields, "max", 0, most, notes)).unwrap_or(0),
        backoff: match read_choice(&fields, "backoff", words::BACKOFF, notes) {
            Some("fixed") => Backoff::Fixed,
            Some(_) | None => Backoff::Exponential,
        },
        delay,
        // A first delay that is longer than the longest was meant.
        max_delay: match fields.is_written("max_delay") {
            true => max_delay,
            false => max_delay.max(delay),
        },
        on: read_outcomes(&fields, notes),
        exit_codes: read_exit_codes(&fields, notes),
    }
}

fn read_outcomes(fields: &Fields<'_>, notes: &mut Notes) -> Vec<Outcome> {
    if fields.entry("on").is_none() {
        return Retries::ON_DEFAULT.to_vec();
    }
    let mut outcomes = Vec::new();
    for (text, span) in fields.texts("on") {
        match Outcome::from_word(text).filter(|outcome| Retries::ON_ALLOWED.contains(outcome)) {
            Some(outcome) => outcomes.push(outcome),
            None => {
                let fault = Fault::UnknownValue {
                    key: "on",
                    value: quoted(text),
                    choices: words::RETRIED,
                    suggestion: nearest(text, words::RETRIED.iter().copied()),
                };
                notes.refuse(&fault, span);
            }
        }
    }
    outcomes.sort_unstable();
    outcomes.dedup();
    outcomes
}

fn read_exit_codes(fields: &Fields<'_>, notes: &mut Notes) -> Vec<ExitCodes> {
    let written = fields.texts("exit_codes");
    if let Some((_, span)) = written.get(Retries::EXIT_CODES_MAX) {
        let fault = Fault::TooMany {
            key: "exit_codes",
            count: written.len(),
            count_max: Retries::EXIT_CODES_MAX,
            help: "Write neighbours as a range, such as `10-20`.",
        };
        notes.refuse(&fault, span.clone());
        return Vec::new();
    }
    let mut codes = Vec::with_capacity(written.len());
    for (text, span) in written {
        match exit_codes(text) {
            Some(range) => codes.push(range),
            None => {
                let fault = Fault::OutOfRange {
                    key: "exit_codes",
                    value: quoted(text),
                    range: "a number from 1 to 255, or a range such as `10-20`".to_owned(),
                };
                notes.refuse(&fault, span);
            }
        }
    }
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// `75` or `10-20`. Exit status 0 is success and never tried again.
fn exit_codes(text: &str) -> Option<ExitCodes> {
    let number = |text: &str| text.trim().parse().ok().filter(|code: &u8| *code > 0);
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (number(from)?, number(to)?);
    (from <= to).then_some(ExitCodes { from, to })
}

pub(crate) fn read_loss(job: &Fields<'_>, notes: &mut Notes) -> Loss {
    let lost_after = read_duration(job, "lost_after", notes);
    if let (Some(written), Some((text, entry))) = (lost_after, job.text("lost_after"))
        && written < Loss::LOST_AFTER_MIN
    {
        let fault = Fault::OutOfRange {
            key: "lost_after",
            value: quoted(text),
            range: "a duration from `10s` on".to_owned(),
        };
        notes.refuse(&fault, entry.place());
    }
    Loss {
        on_lost: match read_choice(job, "on_lost", words::ON_LOST, notes) {
            Some("rerun") => OnLost::Rerun,
            Some(_) | None => OnLost::Fail,
        },
        lost_after: lost_after.unwrap_or(Loss::LOST_AFTER_DEFAULT),
    }
}

pub(crate) fn read_priority(job: &Fields<'_>, notes: &mut Notes) -> Priority {
    let Some((text, entry)) = job.text("priority") else {
        return Priority::default();
    };
    let read = text.parse().ok().and_then(Priority::new);
    read.unwrap_or_else(|| {
        let fault = Fault::OutOfRange {
            key: "priority",
            value: quoted(text),
            range: "a whole number from -100 to 100".to_owned(),
        };
        notes.refuse(&fault, entry.place());
        Priority::default()
    })
}
