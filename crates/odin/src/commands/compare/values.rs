//! What two runs reported last by each name, in pairs.

use std::collections::BTreeMap;

use odin_wire::{Value, ValueKind, ValueType};
use serde::Serialize;

use super::difference;

/// What both runs reported last by one name and kind.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ValuePair {
    pub(crate) name: String,
    pub(crate) kind: ValueKind,
    /// `null`: that run reported none.
    pub(crate) before: Option<Value>,
    /// `null`: that run reported none.
    pub(crate) after: Option<Value>,
    /// Of two numbers: `after` less `before`, exactly where both are plain decimals.
    pub(crate) difference: Option<String>,
    /// The difference in per cent of `before`; `null` where that is 0.
    pub(crate) per_cent: Option<f64>,
    /// Whether both reported the same text.
    pub(crate) is_same: bool,
}

/// The pairs by name and kind.
pub(crate) fn pairs(before: Vec<Value>, after: Vec<Value>) -> Vec<ValuePair> {
    let mut by_name: BTreeMap<(String, &str), [Option<Value>; 2]> = BTreeMap::new();
    for (side, values) in [before, after].into_iter().enumerate() {
        for value in values {
            let key = (value.name.clone(), value.kind.word());
            by_name.entry(key).or_default()[side] = Some(value);
        }
    }
    by_name
        .into_iter()
        .filter_map(|((name, _), [before, after])| {
            let kind = before.as_ref().or(after.as_ref())?.kind;
            let number = |value: &Option<Value>| {
                let number = value.as_ref().filter(|it| it.of_type == ValueType::Number);
                number.map(Value::text)
            };
            let numbers = number(&before).zip(number(&after));
            let numbers = numbers.as_ref();
            Some(ValuePair {
                difference: numbers.and_then(|(old, new)| difference::between(old, new)),
                per_cent: numbers.and_then(|(old, new)| difference::per_cent(old, new)),
                is_same: match (&before, &after) {
                    (Some(old), Some(new)) => {
                        old.of_type == new.of_type
                            && old.value.get() == new.value.get()
                            && old.status == new.status
                    }
                    _ => false,
                },
                name,
                kind,
                before,
                after,
            })
        })
        .collect()
}
