//! What is unusual about a run.

use odin_model as model;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

/// Something of a run that is far from what earlier runs of its job had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Flag {
    /// What it is about.
    pub of: FlagOf,
    /// The name that the number was reported by; `duration` for how long the run took.
    #[schema(example = "price")]
    pub name: String,
    /// Why, in words.
    pub reason: String,
    /// The number; of a duration, in seconds.
    #[schema(value_type = f64)]
    pub value: Number,
    /// A number below this is unusual. `null`: none is too small.
    #[schema(value_type = Option<f64>)]
    pub low: Option<Number>,
    /// A number above this is unusual. `null`: none is too large.
    #[schema(value_type = Option<f64>)]
    pub high: Option<Number>,
}

/// What a flag is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagOf {
    /// A number that the run reported.
    Value,
    /// How long the run took.
    Duration,
}

impl From<&model::RunFlag> for Flag {
    fn from(flag: &model::RunFlag) -> Self {
        // Numbers beyond 64 bits have the nearest float; flags are never about NaN or infinities.
        let number = |text: &String| {
            serde_json::from_str(text)
                .ok()
                .or_else(|| Number::from_f64(text.parse().ok()?))
        };
        Self {
            of: match flag.of {
                model::FlagOf::Value => FlagOf::Value,
                model::FlagOf::Duration => FlagOf::Duration,
            },
            name: flag.name.clone(),
            reason: flag.reason.clone(),
            value: number(&flag.value).unwrap_or_else(|| 0.into()),
            low: flag.low.as_ref().and_then(number),
            high: flag.high.as_ref().and_then(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_has_its_numbers_as_json_numbers() {
        let flag = model::RunFlag {
            of: model::FlagOf::Value,
            name: "price".to_owned(),
            value: "9007199254740993".to_owned(),
            low: Some("89.55".to_owned()),
            high: None,
            reason: "it is".to_owned(),
        };
        assert_eq!(
            serde_json::to_string(&Flag::from(&flag)).unwrap(),
            r#"{"of":"value","name":"price","reason":"it is","value":9007199254740993,"low":89.55,"high":null}"#
        );
    }
}
