//! Keys whose value is one of a few words.

use odin_model::Missed;

use crate::document::Value;
use crate::fault::{Fault, quoted};
use crate::fields::Fields;
use crate::mistake::Notes;
use crate::shape::Section;
use crate::suggestion::nearest;
use crate::words;

pub(crate) fn read_missed(job: &Fields<'_>, notes: &mut Notes) -> Missed {
    let Some(entry) = job.entry("missed") else {
        return Missed::default();
    };
    if !matches!(entry.value.value, Value::Mapping(_)) {
        let choice = read_choice(job, "missed", words::MISSED, notes);
        return missed(choice, Missed::LIMIT_DEFAULT);
    }
    let fields = Fields::read(Section::Missed, &entry.value, entry.key_span.clone(), notes);
    if fields
        .required_text("policy", "Write `policy: skip`, `once` or `all`.", notes)
        .is_none()
    {
        return Missed::default();
    }
    let policy = read_choice(&fields, "policy", words::MISSED, notes);
    let Some((text, limit)) = fields.text("limit") else {
        return missed(policy, Missed::LIMIT_DEFAULT);
    };
    if policy.is_some_and(|policy| policy != "all") {
        let fault = Fault::Conflict {
            first: "policy",
            second: "limit",
            help: "A limit goes with `policy: all` only.",
        };
        notes.refuse(&fault, limit.key_span.clone());
    }
    match text.parse() {
        Ok(count) if (1..=Missed::LIMIT_MAX).contains(&count) => missed(policy, count),
        _ => {
            let range = format!("a whole number from 1 to {}", Missed::LIMIT_MAX);
            let fault = Fault::OutOfRange {
                key: "limit",
                value: quoted(text),
                range,
            };
            notes.refuse(&fault, limit.place());
            Missed::default()
        }
    }
}

fn missed(word: Option<&str>, limit: u16) -> Missed {
    match word {
        Some("skip") => Missed::Skip,
        Some("all") => Missed::All { limit },
        Some(_) | None => Missed::Once,
    }
}

/// One of `choices`. `None` when nothing is written, or when it was refused.
pub(crate) fn read_choice(
    fields: &Fields<'_>,
    key: &'static str,
    choices: &'static [&'static str],
    notes: &mut Notes,
) -> Option<&'static str> {
    let (text, entry) = fields.text(key)?;
    let found = choices.iter().find(|choice| **choice == text).copied();
    if found.is_none() {
        let suggestion = nearest(text, choices.iter().copied());
        let fault = Fault::UnknownValue {
            key,
            value: quoted(text),
            choices,
            suggestion,
        };
        notes.refuse(&fault, entry.place());
    }
    found
}
