//! What two runs reported last by each name, in pairs.

use std::collections::BTreeMap;

use odin_wire::{Value, ValueKind, ValueType};
use serde::Serialize;

use super::difference;

/// What both runs reported last by one name and kind.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ValuePair {
    /// Of results, which may say different things: empty.
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
    /// Whether both reported the same.
    pub(crate) is_same: bool,
}

/// The pairs by name and kind; the results of both are one.
pub(crate) fn pairs(before: Vec<Value>, after: Vec<Value>) -> Vec<ValuePair> {
    let mut by_name: BTreeMap<(String, &str), [Option<Value>; 2]> = BTreeMap::new();
    for (side, values) in [before, after].into_iter().enumerate() {
        for value in values {
            let key = (value.series_name().to_owned(), value.kind.word());
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
                            && old.name == new.name
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

#[cfg(test)]
mod tests {
    use odin_model::{AttemptNumber, RunId, ValueData};

    use super::*;

    #[test]
    fn the_results_of_two_runs_are_a_pair_whatever_they_say() {
        let result = |name: &str| {
            let value = odin_model::Value {
                at: jiff::Timestamp::UNIX_EPOCH,
                kind: odin_model::ValueKind::Result,
                name: name.to_owned(),
                data: ValueData::Number("200".to_owned()),
                status: None,
                unit: None,
                flaw: None,
            };
            Value::new(RunId::new(1, 3, 0), AttemptNumber::FIRST, 0, &value)
        };
        for (before, after) in [("7 rows", "7 rows"), ("7 rows", "8 rows")] {
            let pairs = pairs(vec![result(before)], vec![result(after)]);
            assert_eq!((pairs.len(), pairs[0].name.as_str()), (1, ""));
            assert_eq!(pairs[0].is_same, before == after);
        }
    }
}
