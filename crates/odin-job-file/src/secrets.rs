//! The secrets that a job names, and how its processes get them.

use std::collections::HashSet;
use std::ops::Range;

use odin_model::secret::SECRETS_OF_JOB_MAX;
use odin_model::{SecretDelivery, SecretName, SecretUse};

use crate::document::{Entry, Value};
use crate::fault::{Fault, quoted};
use crate::fields::{Fields, scalar_text};
use crate::mistake::Notes;
use crate::suggestion::nearest;
use crate::words;

/// A secret with its place in the text.
pub(crate) type Placed = (SecretUse, Range<usize>);

/// The secrets in the order of their names; those that are refused are left out. None may have the name of a variable
/// in `env`.
pub(crate) fn read(job: &Fields<'_>, env: &[(String, String)], notes: &mut Notes) -> Vec<Placed> {
    let Some(entry) = job.entry("secrets") else {
        return Vec::new();
    };
    let written = written(entry, notes);
    if let Some((_, _, span)) = written.get(SECRETS_OF_JOB_MAX) {
        let fault = Fault::TooMany {
            key: "secrets",
            count: written.len(),
            count_max: SECRETS_OF_JOB_MAX,
            help: "Keep several in one secret, such as a file of settings.",
        };
        notes.refuse(&fault, span.clone());
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut secrets = Vec::with_capacity(written.len());
    for (text, delivery, span) in written {
        let name = match SecretName::parse(text) {
            Ok(name) => name,
            Err(error) => {
                let name = quoted(text);
                notes.refuse(&Fault::SecretName { name, error }, span);
                continue;
            }
        };
        let clash = if env.iter().any(|(variable, _)| variable == text) {
            Some("a variable of `env`")
        } else if !seen.insert(name.clone()) {
            Some("written twice")
        } else {
            None
        };
        if let Some(clash) = clash {
            let name = quoted(text);
            notes.refuse(&Fault::SecretClash { name, clash }, span);
            continue;
        }
        secrets.push((SecretUse { name, delivery }, span));
    }
    secrets.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    secrets
}

/// Names with what is written beside them: a list's are all given as variables.
fn written<'a>(
    entry: &'a Entry,
    notes: &mut Notes,
) -> Vec<(&'a str, SecretDelivery, Range<usize>)> {
    match &entry.value.value {
        Value::List(items) => items
            .iter()
            .filter_map(|item| Some((scalar_text(item)?, SecretDelivery::Env, item.span.clone())))
            .collect(),
        Value::Mapping(entries) => entries
            .iter()
            .filter_map(|entry| {
                let delivery = read_delivery(entry, notes)?;
                Some((entry.key.as_str(), delivery, entry.key_span.clone()))
            })
            .collect(),
        Value::Scalar(_) | Value::Refused => Vec::new(),
    }
}

fn read_delivery(entry: &Entry, notes: &mut Notes) -> Option<SecretDelivery> {
    match scalar_text(&entry.value)? {
        // `NAME:` says no more than a list does.
        "" | "env" => Some(SecretDelivery::Env),
        "file" => Some(SecretDelivery::File),
        other => {
            let fault = Fault::UnknownValue {
                key: "secrets",
                value: quoted(other),
                choices: words::DELIVERIES,
                suggestion: nearest(other, words::DELIVERIES.iter().copied()),
            };
            notes.refuse(&fault, entry.place());
            None
        }
    }
}
