//! The entries of one section, checked against the table of keys.

use std::ops::Range;

use crate::document::{Entry, Node, Value};
use crate::fault::{Fault, quoted};
use crate::key::{self, Key, Support};
use crate::mistake::Notes;
use crate::shape::{Section, Shape};
use crate::unknown_key;

/// The known keys of a section that have a value of the right shape.
pub(crate) struct Fields<'a> {
    entries: Vec<(&'static str, &'a Entry)>,
    /// What was written and refused already: it is not missing.
    refused: Vec<&'static str>,
    /// Where the section begins: the place of what is missing in it.
    place: Range<usize>,
}

impl<'a> Fields<'a> {
    /// Checks the entries of `node`, which is a mapping or empty. `place` is what names the section.
    pub(crate) fn read(
        section: Section,
        node: &'a Node,
        place: Range<usize>,
        notes: &mut Notes,
    ) -> Self {
        let mut fields = Self {
            entries: Vec::new(),
            refused: Vec::new(),
            place,
        };
        let Value::Mapping(entries) = &node.value else {
            return fields;
        };
        for entry in entries {
            let Some(key) = key::find(section, &entry.key) else {
                let fault = Fault::UnknownKey {
                    key: quoted(&entry.key),
                    section: section.title(),
                    help: match notes.is_full() {
                        true => String::new(),
                        false => unknown_key::help_for_unknown(section, &entry.key),
                    },
                };
                notes.refuse(&fault, entry.key_span.clone());
                continue;
            };
            if key.support == Support::NotYet {
                let fault = Fault::NotSupportedYet {
                    what: key.name.to_owned(),
                };
                notes.refuse(&fault, entry.key_span.clone());
            } else if let Some((fault, span)) = wrong_shape(key, entry) {
                notes.refuse(&fault, span);
                fields.refused.push(key.name);
            } else if matches!(entry.value.value, Value::Refused) {
                fields.refused.push(key.name);
            } else {
                fields.entries.push((key.name, entry));
            }
        }
        fields
    }

    pub(crate) fn entry(&self, name: &'static str) -> Option<&'a Entry> {
        self.entries
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, entry)| *entry)
    }

    /// Whether the key is written, rightly or not.
    pub(crate) fn is_written(&self, name: &'static str) -> bool {
        self.refused.contains(&name) || self.entry(name).is_some()
    }

    /// The text of a key and its place; `None` when it is not written or empty.
    pub(crate) fn text(&self, name: &'static str) -> Option<(&'a str, &'a Entry)> {
        let entry = self.entry(name)?;
        let text = scalar_text(&entry.value)?;
        (!text.trim().is_empty()).then_some((text, entry))
    }

    /// The text of a key that must be there. `None` was refused, here or before.
    pub(crate) fn required_text(
        &self,
        name: &'static str,
        help: &str,
        notes: &mut Notes,
    ) -> Option<(&'a str, &'a Entry)> {
        let found = self.text(name);
        if found.is_none() && !self.refused.contains(&name) {
            self.refuse_missing(name, help, notes);
        }
        found
    }

    pub(crate) fn refuse_missing(&self, name: &'static str, help: &str, notes: &mut Notes) {
        let place = self.entry(name).map_or(self.place.clone(), Entry::place);
        notes.refuse(
            &Fault::Missing {
                key: name,
                help: help.to_owned(),
            },
            place,
        );
    }

    /// The texts of a list with their places; an item that was refused is left out.
    pub(crate) fn texts(&self, name: &'static str) -> Vec<(&'a str, Range<usize>)> {
        let Some(Value::List(items)) = self.entry(name).map(|entry| &entry.value.value) else {
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| Some((scalar_text(item)?, item.span.clone())))
            .collect()
    }
}

/// The text of a scalar. YAML's words for nothing are nothing.
pub(crate) fn scalar_text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(scalar) if scalar.is_null() => Some(""),
        Value::Scalar(scalar) => Some(&scalar.text),
        Value::List(_) | Value::Mapping(_) | Value::Refused => None,
    }
}

fn kind(node: &Node) -> &'static str {
    match node.value {
        Value::Scalar(_) | Value::Refused => "text",
        Value::List(_) => "a list",
        Value::Mapping(_) => "a mapping",
    }
}

/// What is wrong with the shape of a value, and the innermost place that shows it.
fn wrong_shape(key: &'static Key, entry: &Entry) -> Option<(Fault, Range<usize>)> {
    if key.shape.accepts(&entry.value) {
        return None;
    }
    let wrong = |found, span| {
        let fault = Fault::WrongType {
            key: key.name,
            expected: key.shape.words(),
            found,
        };
        Some((fault, span))
    };
    let inner: Option<&Node> = match (&entry.value.value, key.shape) {
        (
            Value::List(items),
            Shape::TextList
            | Shape::ChoiceList(_)
            | Shape::PathList
            | Shape::TextOrList
            | Shape::NamesOrChoices(_),
        ) => items
            .iter()
            .find(|item| matches!(item.value, Value::List(_) | Value::Mapping(_))),
        (Value::Mapping(entries), Shape::TextMapping | Shape::NamesOrChoices(_)) => entries
            .iter()
            .map(|entry| &entry.value)
            .find(|value| matches!(value.value, Value::List(_) | Value::Mapping(_))),
        (Value::Mapping(entries), Shape::Sections(_)) => entries
            .iter()
            .map(|entry| &entry.value)
            .find(|value| matches!(value.value, Value::List(_) | Value::Scalar(_))),
        _ => None,
    };
    match inner {
        Some(inner) => {
            let found = match inner.value {
                Value::List(_) => "a list in it",
                Value::Scalar(_) => "text in it",
                _ => "a mapping in it",
            };
            wrong(found, inner.span.clone())
        }
        None => wrong(kind(&entry.value), entry.place()),
    }
}
