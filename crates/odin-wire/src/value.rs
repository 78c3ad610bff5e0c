//! Values: what runs reported.

use jiff::Timestamp;
use odin_model as model;
use odin_model::{AttemptNumber, JobId, RunId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::flag::Flag;

/// What kind of report a value came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Something that the job looks at.
    Watch,
    /// Whether something held.
    Condition,
    /// How the run went, in the job's own words.
    Result,
    /// How far the run is.
    Progress,
    /// A measurement with a unit.
    Metric,
    /// A file that the run made.
    Artifact,
    /// A part of the run, with its timing.
    Span,
    /// A line that is no report: what could be read of it.
    Unreadable,
    /// Reports that were not kept, as a number: all of the attempt until then.
    Dropped,
}

impl ValueKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        model::ValueKind::from(self).word()
    }
}

impl From<model::ValueKind> for ValueKind {
    fn from(kind: model::ValueKind) -> Self {
        match kind {
            model::ValueKind::Watch => Self::Watch,
            model::ValueKind::Condition => Self::Condition,
            model::ValueKind::Result => Self::Result,
            model::ValueKind::Progress => Self::Progress,
            model::ValueKind::Metric => Self::Metric,
            model::ValueKind::Artifact => Self::Artifact,
            model::ValueKind::Span => Self::Span,
            model::ValueKind::Unreadable => Self::Unreadable,
            model::ValueKind::Dropped => Self::Dropped,
        }
    }
}

impl From<ValueKind> for model::ValueKind {
    fn from(kind: ValueKind) -> Self {
        match kind {
            ValueKind::Watch => Self::Watch,
            ValueKind::Condition => Self::Condition,
            ValueKind::Result => Self::Result,
            ValueKind::Progress => Self::Progress,
            ValueKind::Metric => Self::Metric,
            ValueKind::Artifact => Self::Artifact,
            ValueKind::Span => Self::Span,
            ValueKind::Unreadable => Self::Unreadable,
            ValueKind::Dropped => Self::Dropped,
        }
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// A number. `value` has the digits that were given; NaN and the infinities are the texts `NaN`, `Infinity` and
    /// `-Infinity`.
    Number,
    /// True or false.
    Boolean,
    /// Any text.
    Text,
    /// An array, an object or null. Nested deeper than 64, `value` is a text that holds it.
    Json,
}

/// Something that a run reported.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Value {
    /// Which run.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub run: RunId,
    /// Which attempt of the run, from 1.
    pub attempt: u32,
    /// Its number among the attempt's values, from 0. The next one has the next number.
    pub number: u64,
    /// Its name: any text, control characters included. Of a result what it says, which is no name of a series.
    pub name: String,
    /// What kind of report it came with.
    pub kind: ValueKind,
    /// The type of `value`.
    #[serde(rename = "type")]
    pub of_type: ValueType,
    /// The value.
    #[schema(value_type = serde_json::Value)]
    pub value: Box<RawValue>,
    /// When it was seen: the job's clock, or Odin's where the job did not say.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Of a result: its status as it was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<String>,
    /// Of a metric: its unit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// What is not as it was reported, such as `cut: it had 10000 bytes`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// In a job's list of latest values: how many values there are of that name and kind; of a result, how many results.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<u64>,
    /// In lists of latest values: why this one is unusual.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub flag: Option<Flag>,
}

impl Value {
    /// A kept value with its place.
    #[must_use]
    pub fn new(run: RunId, attempt: AttemptNumber, number: u64, value: &model::Value) -> Self {
        Self {
            run,
            attempt: attempt.0,
            number,
            name: value.name.clone(),
            kind: value.kind.into(),
            of_type: match &value.data {
                model::ValueData::Number(_) => ValueType::Number,
                model::ValueData::Boolean(_) => ValueType::Boolean,
                model::ValueData::Text(_) => ValueType::Text,
                model::ValueData::Json(_) => ValueType::Json,
            },
            value: raw(&value.data),
            at: value.at,
            status: value.status.clone(),
            unit: value.unit.clone(),
            note: value.flaw.as_ref().map(ToString::to_string),
            count: None,
            flag: None,
        }
    }

    /// The name of the series that it is in: a job's results are one, without a name.
    #[must_use]
    pub fn series_name(&self) -> &str {
        model::ValueKind::from(self.kind).series_name(&self.name)
    }

    /// The value as text: texts as they are, everything else as JSON writes it.
    #[must_use]
    pub fn text(&self) -> String {
        let json = self.value.get();
        serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
    }
}

/// How deep JSON may be nested to be given as JSON. Deeper one is given as a text: many readers refuse it.
const DEPTH_MAX: usize = 64;

/// How deep the text of some JSON is nested.
fn depth_of(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut is_escaped) = (0usize, 0, false, false);
    for byte in json.bytes() {
        match (in_text, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (true, b'"') => in_text = false,
            (false, b'"') => in_text = true,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            (true | false, _) => {}
        }
    }
    deepest
}

/// The value as JSON, with the digits that were given. What is no JSON after all is a text.
fn raw(data: &model::ValueData) -> Box<RawValue> {
    let quoted = |text: &str| {
        let text = serde_json::to_string(text).expect("a text is JSON");
        RawValue::from_string(text).expect("written above")
    };
    match data {
        // Readers of the whole answer must not fail at one deep value.
        model::ValueData::Json(text) if depth_of(text) > DEPTH_MAX => quoted(text),
        model::ValueData::Number(text) | model::ValueData::Json(text) => {
            RawValue::from_string(text.clone()).unwrap_or_else(|_| quoted(text))
        }
        model::ValueData::Boolean(_) => {
            RawValue::from_string(data.text().to_owned()).expect("true or false is JSON")
        }
        model::ValueData::Text(text) => quoted(text),
    }
}

/// [`Value`] by a name that utoipa does not take for any JSON.
type ReportedValue = Value;

/// A page of values.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ValueList {
    /// The values, in the order that the path states.
    #[schema(value_type = Vec<ReportedValue>)]
    pub values: Vec<Value>,
    /// What `after` of the next page is; `null` on the last.
    pub next: Option<String>,
}

/// Values that a run has reported since the event before. `/runs/{id}/values` has those that are not in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewValues {
    /// Which job.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub job: JobId,
    /// Which run.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub run: RunId,
    /// Which attempt of the run, from 1.
    pub attempt: u32,
    /// The number of the first new value among the attempt's.
    pub from: u64,
    /// The number after the last.
    pub to: u64,
    /// The last of them, in order: at most 32, and fewer where many runs report at once.
    #[schema(value_type = Vec<ReportedValue>)]
    pub values: Vec<Value>,
}

/// What `/jobs/{id}/values` takes. Without a name: the latest value of each name and kind, by name, and the latest result. With
/// one: its values in the order of time, or a drawing of them. Results are under no name: `name=&kind=result` has them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ValuesQuery {
    /// Only values of this name. With `kind=result`: only results that say this, and a page may hold fewer than its limit;
    /// empty: all of them, which a drawing always is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only values of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub kind: Option<ValueKind>,
    /// From this instant on.
    #[serde(
        with = "crate::as_text::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub from: Option<Timestamp>,
    /// Up to this instant, which is included.
    #[serde(
        with = "crate::as_text::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub to: Option<Timestamp>,
    /// Instead of values, a drawing of their numbers in at most so many stretches of time, 1 to 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
    /// How many, 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What `/runs/{id}/values` takes. With `latest=true`: the value that the run reported last by each name and kind, by
/// name, and its last result.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RunValuesQuery {
    /// Only values of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether to give only the latest value of each name and kind. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<bool>,
    /// How many, 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before; or `ATTEMPT.NUMBER` of a value, for those after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What a series of numbers looks like: true is 1, false is 0; text, JSON, NaN and infinities are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Drawing {
    /// Stretches of time that have numbers, in order. No extreme is left out, however many points there are.
    pub buckets: Vec<Bucket>,
}

/// A stretch of time that has numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bucket {
    /// How many numbers it has.
    pub count: u64,
    /// The smallest.
    pub min: f64,
    /// When that was.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub min_at: Timestamp,
    /// The largest.
    pub max: f64,
    /// When that was.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub max_at: Timestamp,
    /// The first.
    pub first: f64,
    /// When that was.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// The last.
    pub last: f64,
    /// When that was.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_model::ValueData;

    fn json_of(data: ValueData) -> String {
        let value = model::Value {
            at: "2026-11-22T05:00:00Z".parse().unwrap(),
            kind: model::ValueKind::Watch,
            name: "n\u{1b}".to_owned(),
            data,
            status: None,
            unit: None,
            flaw: None,
        };
        let value = Value::new(RunId::from_bits(1), AttemptNumber::FIRST, 3, &value);
        let json = serde_json::to_string(&value).unwrap();
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read.value.get(), value.value.get());
        json
    }

    #[test]
    fn a_value_keeps_its_digits_and_is_always_json() {
        for (data, expected) in [
            (
                ValueData::Number("123456789012345678901234567890".into()),
                r#""type":"number","value":123456789012345678901234567890,"#,
            ),
            (
                ValueData::Number("1.50".into()),
                r#""type":"number","value":1.50,"#,
            ),
            (
                ValueData::Number("NaN".into()),
                r#""type":"number","value":"NaN","#,
            ),
            (
                ValueData::Boolean(true),
                r#""type":"boolean","value":true,"#,
            ),
            (
                ValueData::Text("a\"\n".into()),
                r#""type":"text","value":"a\"\n","#,
            ),
            (
                ValueData::Json("[1, {}]".into()),
                r#""type":"json","value":[1, {}],"#,
            ),
        ] {
            let json = json_of(data);
            assert!(json.contains(expected), "{json}");
            assert!(
                json.contains(r#""name":"n\u001b","kind":"watch""#),
                "{json}"
            );
        }
    }

    #[test]
    fn json_that_is_too_deep_for_many_readers_is_a_text() {
        let nested = |depth, inner: &str| {
            let json = format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
            json_of(ValueData::Json(json))
        };
        assert!(nested(64, r#""[\"[""#).contains(r#""type":"json","value":[["#));
        assert!(nested(65, "").contains(r#""type":"json","value":"[["#));
    }
}
