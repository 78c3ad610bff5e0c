//! What jobs did, counted.

use jiff::Timestamp;
use odin_model::statistics as model;
use odin_model::{LedgerOutcome, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::proof::OutcomeCounts;

/// What `/statistics` and `/jobs/{id}/statistics` take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatisticsQuery {
    /// From this instant. Default: a day before `to`.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// To this instant. Default: now.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
}

/// What was counted in a period. Counts are kept by the hour for 8 days, then by the day (UTC) for 400: an hour or day
/// that the period has in part is in it whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// From this instant.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// To this instant.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Due times that were decided, by what became of them: how often the schedules asked for a run, and how often one
    /// was started for it.
    pub due: OutcomeCounts,
    /// How many runs ended, whatever began them.
    pub runs: u64,
    /// The same by outcome.
    pub outcomes: RunOutcomeCounts,
    /// How many of a hundred runs ended as `succeeded` or `warning`. `null`: none ended.
    pub success_percent: Option<f64>,
    /// From a run's first start to its end, of runs that ended as `succeeded`, `warning` or `failed`.
    pub duration: Percentiles,
    /// From a due time to its run's first start, of runs that were decided in time.
    pub lateness: Percentiles,
}

/// Runs that ended, by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunOutcomeCounts {
    /// It did what it should.
    pub succeeded: u64,
    /// It did, with a warning.
    pub warning: u64,
    /// It said that it failed.
    pub failed: u64,
    /// A signal ended it.
    pub signalled: u64,
    /// It took too long.
    pub timed_out: u64,
    /// Somebody stopped it.
    pub cancelled: u64,
    /// It took more memory than it may.
    pub out_of_memory: u64,
    /// Its process could not be made.
    pub not_startable: u64,
    /// Its machine went.
    pub lost: u64,
}

/// Durations, in milliseconds: what so many of a hundred do not exceed, at most an eighth too large; the largest is
/// exact. `null`: nothing was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Percentiles {
    /// How many were counted.
    pub count: u64,
    /// Half of them.
    pub p50_ms: Option<f64>,
    /// 90 of a hundred.
    pub p90_ms: Option<f64>,
    /// 99 of a hundred.
    pub p99_ms: Option<f64>,
    /// The largest.
    pub max_ms: Option<f64>,
}

impl Percentiles {
    fn of(counted: &model::Histogram) -> Self {
        // Below 2^53 µs, 285 years, these are exact.
        #[expect(
            clippy::cast_precision_loss,
            reason = "what is lost is below a microsecond"
        )]
        let ms = |micros: Option<u64>| micros.map(|micros| micros as f64 / 1000.0);
        Self {
            count: counted.count(),
            p50_ms: ms(counted.percentile(500)),
            p90_ms: ms(counted.percentile(900)),
            p99_ms: ms(counted.percentile(990)),
            max_ms: ms(counted.max()),
        }
    }
}

impl Statistics {
    /// What was counted from one instant to another.
    #[must_use]
    pub fn of(counted: &model::Statistics, (from, to): (Timestamp, Timestamp)) -> Self {
        let outcomes = RunOutcomeCounts {
            succeeded: counted.runs(Outcome::Succeeded),
            warning: counted.runs(Outcome::Warning),
            failed: counted.runs(Outcome::Failed),
            signalled: counted.runs(Outcome::Signalled),
            timed_out: counted.runs(Outcome::TimedOut),
            cancelled: counted.runs(Outcome::Cancelled),
            out_of_memory: counted.runs(Outcome::OutOfMemory),
            not_startable: counted.runs(Outcome::NotStartable),
            lost: counted.runs(Outcome::Lost),
        };
        let runs = Outcome::ALL
            .iter()
            .map(|outcome| counted.runs(*outcome))
            .sum::<u64>();
        let well = outcomes.succeeded + outcomes.warning;
        #[expect(clippy::cast_precision_loss, reason = "a share is a rounded number")]
        let success_percent = (runs > 0).then(|| (well as f64 * 1e4 / runs as f64).round() / 100.0);
        Self {
            from,
            to,
            due: OutcomeCounts {
                started: counted.due(LedgerOutcome::Started),
                skipped: counted.due(LedgerOutcome::Skipped),
                coalesced: counted.due(LedgerOutcome::Coalesced),
                misfired: counted.due(LedgerOutcome::Misfired),
            },
            runs,
            outcomes,
            success_percent,
            duration: Percentiles::of(&counted.durations),
            lateness: Percentiles::of(&counted.lateness),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_percentiles_of_nothing_are_null() {
        let at = Timestamp::UNIX_EPOCH;
        let mut counted = model::Statistics::default();
        let empty = Statistics::of(&counted, (at, at));
        assert_eq!(
            (empty.runs, empty.success_percent, empty.duration.p50_ms),
            (0, None, None)
        );
        for outcome in [Outcome::Succeeded, Outcome::Warning, Outcome::Lost] {
            counted.count_run(outcome);
        }
        counted.durations.add(1_500);
        let some = Statistics::of(&counted, (at, at));
        assert_eq!(
            (some.runs, some.success_percent, some.duration.max_ms),
            (3, Some(66.67), Some(1.5))
        );
    }
}
