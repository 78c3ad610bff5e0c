//! Schedules without a job: what they mean and when they come due.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Mistake;

/// What `/schedule/explain` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// The schedule's text.
    pub text: String,
    /// The IANA zone in which it is read when it names none. Default: the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// What `/schedule/next` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NextQuery {
    /// The schedule's text.
    pub text: String,
    /// The IANA zone in which it is read when it names none. Default: the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Only occurrences after this instant. Default: now.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// How many, 1 to 1000. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// A schedule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The schedule in its normal form, which means the same as what was asked.
    pub schedule: String,
    /// What it means, in words.
    pub words: String,
    /// The IANA zone in which it is read.
    pub timezone: String,
    /// What may surprise: never due again, months without a 31st.
    pub warnings: Vec<Mistake>,
}

/// When a schedule comes due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Occurrences {
    /// The IANA zone in which the schedule is read.
    pub timezone: String,
    /// The instants, ascending; fewer than asked for when no more will come.
    #[serde(with = "crate::as_text::list")]
    #[schema(value_type = Vec<String>)]
    pub occurrences: Vec<Timestamp>,
}
