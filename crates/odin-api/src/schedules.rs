//! Schedules without a job: what they mean and when they come due.

use axum::Json;
use axum::extract::State;
use odin_schedule::DstPolicy;
use odin_wire::{ExplainQuery, Explanation, NextQuery, Occurrences, Problem};

use crate::api::Api;
use crate::due::{Zoned, calendars, cluster_zone};
use crate::extract::{Caller, Params};
use crate::failure::Failure;

/// The most occurrences that one answer lists.
const COUNT_MAX: u32 = 1000;
/// How many it lists unless asked otherwise.
const COUNT_DEFAULT: u32 = 5;

async fn read(api: &Api, text: &str, zone: Option<String>) -> Result<Zoned, Failure> {
    let zone = match zone {
        Some(zone) => zone,
        None => cluster_zone(api).await?,
    };
    let calendars = calendars(api).await?;
    Ok(Zoned::read(text, &zone, DstPolicy::default(), &calendars)?)
}

/// A schedule in its normal form and in words.
#[utoipa::path(get, path = "/api/v1/schedule/explain", tag = "schedule", operation_id = "explain_schedule", params(ExplainQuery),
    responses((status = 200, body = Explanation), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn explain(
    State(api): State<Api>,
    _caller: Caller,
    Params(query): Params<ExplainQuery>,
) -> Result<Json<Explanation>, Failure> {
    let zoned = read(&api, &query.text, query.timezone).await?;
    Ok(Json(Explanation {
        schedule: zoned.schedule.canonical(),
        words: zoned.schedule.explain(),
        timezone: zoned.zone_name().to_owned(),
        warnings: zoned.warnings(api.backend().clock().wall()),
    }))
}

/// The next occurrences of a schedule.
#[utoipa::path(get, path = "/api/v1/schedule/next", tag = "schedule", operation_id = "next_occurrences", params(NextQuery),
    responses((status = 200, body = Occurrences), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn next(
    State(api): State<Api>,
    _caller: Caller,
    Params(query): Params<NextQuery>,
) -> Result<Json<Occurrences>, Failure> {
    let count = query.count.unwrap_or(COUNT_DEFAULT);
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(Failure::new(
            "request/bad-query",
            format!("`count` must be 1 to {COUNT_MAX}"),
        ));
    }
    let zoned = read(&api, &query.text, query.timezone).await?;
    let calculator = zoned.calculator(None);
    let from = query.from.unwrap_or_else(|| api.backend().clock().wall());
    let mut occurrences = Vec::new();
    let mut last = from;
    for _ in 0..count {
        let Some(due) = calculator.next_after(last) else {
            break;
        };
        occurrences.push(due);
        last = due;
    }
    Ok(Json(Occurrences {
        timezone: zoned.zone_name().to_owned(),
        occurrences,
    }))
}
