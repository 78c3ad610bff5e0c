//! Values: what runs reported, of a run and of a job.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use odin_model::{AttemptNumber, FlagOf, JobId, RunFlag, RunId, ValueKind};
use odin_store::{KeptValue, Reader, RunPlace, SeriesPlace, SeriesQuery, StoreError};
use odin_wire as wire;
use odin_wire::{Bucket, Drawing, Problem, RunValuesQuery, ValueList, ValuesQuery};

use crate::api::Api;
use crate::extract::{Caller, JobInPath, Params, RunInPath, limit};
use crate::failure::Failure;
use crate::seen;

/// The finest drawing.
const POINTS_MAX: u32 = 10_000;

/// What a job's runs reported: the latest of each name and kind, or with `name` its values in the order of time, or with
/// `name` and `points` a drawing of them.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/values", tag = "values", operation_id = "list_values_of_job",
    params(("id" = String, Path, description = "the job's id"), ValuesQuery),
    responses((status = 200, description = "with `points` a `Drawing`", body = ValueList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn of_job(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    Params(query): Params<ValuesQuery>,
) -> Result<Response, Failure> {
    let limit = limit(query.limit)?;
    seen::job(&api, &caller, id).await?;
    match (&query.name, query.points) {
        (Some(_), Some(points)) => {
            Ok(Json(drawing(&api, id, query, points).await?).into_response())
        }
        (Some(_), None) => Ok(Json(of_name(&api, id, query, limit).await?).into_response()),
        (None, None) if query.from.is_none() && query.to.is_none() => {
            Ok(Json(latest(&api, id, &query, limit).await?).into_response())
        }
        (None, _) => Err(Failure::new(
            "request/bad-query",
            "`points`, `from` and `to` go with a `name`",
        )),
    }
}

async fn latest(
    api: &Api,
    job: JobId,
    query: &ValuesQuery,
    limit: usize,
) -> Result<ValueList, Failure> {
    let after = query
        .after
        .as_deref()
        .map(|text| series_of_text(text).ok_or_else(bad_after))
        .transpose()?;
    let kind = query.kind.map(ValueKind::from);
    let (series, flags) = api
        .read(move |reader| {
            let after = after.as_ref().map(|(name, kind)| (name.as_str(), *kind));
            let series = reader.series(job, after, limit)?;
            let flags = flags_of(reader, series.iter().map(|series| &series.last))?;
            Ok((series, flags))
        })
        .await?;
    let next = series.last().filter(|_| series.len() == limit).map(|last| {
        let value = &last.last.value;
        format!("{}:{}", value.kind.word(), value.series_name())
    });
    let is_wanted = |it: &&odin_store::Series| kind.is_none_or(|kind| kind == it.last.value.kind);
    let values = series.iter().filter(is_wanted).map(|series| wire::Value {
        count: Some(series.count),
        flag: flag_of(&flags, &series.last),
        ..to_wire(&series.last)
    });
    Ok(ValueList {
        values: values.collect(),
        next,
    })
}

/// What is unusual about the runs of these values.
fn flags_of<'v>(
    reader: &Reader,
    values: impl Iterator<Item = &'v KeptValue>,
) -> Result<BTreeMap<RunId, Vec<RunFlag>>, StoreError> {
    let runs: BTreeSet<RunId> = values.map(|value| value.run).collect();
    let flags = runs.into_iter().map(|run| Ok((run, reader.flags_of(run)?)));
    flags.collect()
}

/// Why the value that a run reported last by a name is unusual.
fn flag_of(flags: &BTreeMap<RunId, Vec<RunFlag>>, kept: &KeptValue) -> Option<wire::Flag> {
    let mut flags = flags.get(&kept.run)?.iter();
    let is_of_it = |flag: &&RunFlag| {
        flag.of == FlagOf::Value
            && flag.name == kept.value.name
            && flag.value == kept.value.data.text()
    };
    flags.find(is_of_it).map(wire::Flag::from)
}

/// What a `next` of the list of latest values says.
fn series_of_text(text: &str) -> Option<(String, ValueKind)> {
    let (kind, name) = text.split_once(':')?;
    Some((name.to_owned(), ValueKind::of_word(kind)?))
}

async fn of_name(
    api: &Api,
    job: JobId,
    query: ValuesQuery,
    limit: usize,
) -> Result<ValueList, Failure> {
    let after = query
        .after
        .as_deref()
        .map(|text| series_place_of(text).ok_or_else(bad_after))
        .transpose()?;
    let said = query.name.clone().filter(|name| !name.is_empty());
    let page = api
        .read(move |reader| reader.values_of_series(&asked(job, &query), after, limit))
        .await?;
    let is_asked = |kept: &&KeptValue| said.as_ref().is_none_or(|said| *said == kept.value.name);
    Ok(ValueList {
        values: page.values.iter().filter(is_asked).map(to_wire).collect(),
        next: page.next.map(|place| {
            let at = odin_model::instant::to_micros(place.at);
            format!("{at}.{}.{}.{}", place.run, place.attempt.0, place.number)
        }),
    })
}

fn series_place_of(text: &str) -> Option<SeriesPlace> {
    let mut parts = text.split('.');
    let place = SeriesPlace {
        at: odin_model::instant::from_micros(parts.next()?.parse().ok()?),
        run: parts.next()?.parse().ok()?,
        attempt: AttemptNumber(parts.next()?.parse().ok()?),
        number: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(place)
}

async fn drawing(
    api: &Api,
    job: JobId,
    query: ValuesQuery,
    points: u32,
) -> Result<Drawing, Failure> {
    if !(1..=POINTS_MAX).contains(&points) || query.after.is_some() {
        return Err(Failure::new(
            "request/bad-query",
            format!("`points` is 1 to {POINTS_MAX}, and goes without `after`"),
        ));
    }
    let buckets = api
        .read(move |reader| reader.drawing(&asked(job, &query), points))
        .await?;
    let buckets = buckets.into_iter().map(|bucket| Bucket {
        count: bucket.count,
        min: bucket.min.0,
        min_at: bucket.min.1,
        max: bucket.max.0,
        max_at: bucket.max.1,
        first: bucket.first.0,
        first_at: bucket.first.1,
        last: bucket.last.0,
        last_at: bucket.last.1,
    });
    Ok(Drawing {
        buckets: buckets.collect(),
    })
}

fn asked(job: JobId, query: &ValuesQuery) -> SeriesQuery<'_> {
    let name = query.name.as_deref().unwrap_or_default();
    let kind = query.kind.map(ValueKind::from);
    SeriesQuery {
        job,
        name: kind.map_or(name, |kind| kind.series_name(name)),
        kind,
        from: query.from.unwrap_or(Timestamp::MIN),
        to: query.to.unwrap_or(Timestamp::MAX),
    }
}

/// What a run reported, in the order in which it did; with `latest` what it reported last by each name and kind.
#[utoipa::path(get, path = "/api/v1/runs/{id}/values", tag = "values", operation_id = "list_values_of_run",
    params(("id" = String, Path, description = "the run's id"), RunValuesQuery),
    responses((status = 200, body = ValueList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn of_run(
    State(api): State<Api>,
    Caller(caller): Caller,
    RunInPath(id): RunInPath,
    Params(query): Params<RunValuesQuery>,
) -> Result<Json<ValueList>, Failure> {
    let limit = limit(query.limit)?;
    if query.latest == Some(true) {
        seen::run(&api, &caller, id).await?;
        return Ok(Json(latest_of_run(&api, id, query, limit).await?));
    }
    let after = query
        .after
        .as_deref()
        .map(|text| run_place_of(text).ok_or_else(bad_after))
        .transpose()?;
    seen::run(&api, &caller, id).await?;
    let page = api
        .read(move |reader| reader.values_of_run(id, query.name.as_deref(), after, limit))
        .await?;
    Ok(Json(ValueList {
        values: page.values.iter().map(to_wire).collect(),
        next: page
            .next
            .map(|place| format!("{}.{}", place.attempt.0, place.number)),
    }))
}

async fn latest_of_run(
    api: &Api,
    run: RunId,
    query: RunValuesQuery,
    limit: usize,
) -> Result<ValueList, Failure> {
    let after = query.after.as_deref();
    let after = after
        .map(|text| series_of_text(text).ok_or_else(bad_after))
        .transpose()?;
    let (values, flags) = api
        .read(move |reader| {
            let after = after.as_ref().map(|(name, kind)| (name.as_str(), *kind));
            let values = reader.latest_of_run(run, after, limit)?;
            let flags = flags_of(reader, values.iter())?;
            Ok((values, flags))
        })
        .await?;
    let next = values.last().filter(|_| values.len() == limit);
    let is_wanted = |kept: &&KeptValue| query.name.as_ref().is_none_or(|it| *it == kept.value.name);
    Ok(ValueList {
        next: next.map(|last| {
            let value = &last.value;
            format!("{}:{}", value.kind.word(), value.series_name())
        }),
        values: values
            .iter()
            .filter(is_wanted)
            .map(|kept| wire::Value {
                flag: flag_of(&flags, kept),
                ..to_wire(kept)
            })
            .collect(),
    })
}

fn run_place_of(text: &str) -> Option<RunPlace> {
    let (attempt, number) = text.split_once('.')?;
    Some(RunPlace {
        attempt: AttemptNumber(attempt.parse().ok()?),
        number: number.parse().ok()?,
    })
}

fn bad_after() -> Failure {
    Failure::new(
        "request/bad-query",
        "`after` is not the `next` of a page of this list",
    )
}

pub(crate) fn to_wire(kept: &KeptValue) -> wire::Value {
    wire::Value::new(kept.run, kept.attempt, kept.number, &kept.value)
}
