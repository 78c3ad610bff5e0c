//! What was due, what became of it, and whether the ledger is complete.

mod then;
mod verify;
mod why;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use odin_model::owner::Role;
use odin_model::{JobId, Principal};
use odin_scheduling::proof::Report;
use odin_store::{Reader, StoreError};
use odin_wire::{Problem, Verified, Why, WhyQuery};

pub use verify::{VerifyQuery, prove, verify_file};

use crate::api::Api;
use crate::extract::{Caller, Params};
use crate::failure::Failure;
use crate::seen;

/// What became of an instant of a job, why, and what the job looked like then. Answers for every instant, a due time or
/// not: `outcome` is `null` where there is none, and `not_due` says why.
#[utoipa::path(get, path = "/api/v1/why", tag = "ledger", operation_id = "why", params(WhyQuery),
    responses((status = 200, body = Why), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn why(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<WhyQuery>,
) -> Result<Json<Why>, Failure> {
    let job = seen::job(&api, &caller, query.job).await?;
    let now = api.backend().clock().wall();
    let answer = api.read(move |reader| why::why(reader, &job, query.at, now));
    Ok(Json(answer.await?))
}

/// Derives every due time of a period again, by the versions, pauses, calendars and zone rules of then, and holds the
/// ledger and the runs against them. One such check runs at a time.
#[utoipa::path(get, path = "/api/v1/verify", tag = "ledger", operation_id = "verify", params(odin_wire::VerifyQuery),
    responses((status = 200, body = Verified), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn verify(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<odin_wire::VerifyQuery>,
) -> Result<Json<Verified>, Failure> {
    if let Some(job) = query.job {
        seen::job(&api, &caller, job).await?;
    }
    let clock = api.backend().clock();
    let asked = VerifyQuery {
        job: query.job,
        owner: only_own(&caller),
        from: query.from.unwrap_or(Timestamp::MIN),
        to: query.to.unwrap_or(Timestamp::MAX),
        now: clock.wall(),
    };
    if asked.from > asked.to {
        return Err(Failure::new(
            "request/bad-query",
            "`from` is later than `to`",
        ));
    }
    let began = clock.boottime();
    let turn = api.verify_turn()?;
    // A client that goes away ends the check: nobody waits for it.
    let gone = Gone::default();
    let stop = Arc::clone(&gone.0);
    let backend = Arc::clone(api.backend());
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let reader = backend.reader();
        let report = prove(reader, &asked, &|| stop.load(Ordering::Relaxed))?;
        wire_report(reader, report)
    });
    let report: Result<Verified, StoreError> = done
        .await
        .map_err(|error| Failure::internal(&error.to_string()))?;
    drop(gone);
    let took = clock.boottime().since(began);
    Ok(Json(Verified {
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        ..report?
    }))
}

/// Set when it is dropped.
#[derive(Default)]
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The owner to whose jobs a caller is confined.
fn only_own(caller: &Principal) -> Option<odin_model::Owner> {
    (caller.role != Role::Admin).then(|| caller.user.clone())
}

/// A report with the names of its jobs, as users see it.
///
/// # Errors
/// The state cannot be read.
pub fn wire_report(reader: &Reader, report: Report) -> Result<Verified, StoreError> {
    let name = |job: JobId| -> Result<String, StoreError> {
        let job = reader.job(job)?;
        Ok(job.map_or_else(String::new, |job| job.spec.name.to_string()))
    };
    let sound = report.is_sound();
    let [started, skipped, coalesced, misfired] = report.outcomes;
    let mut findings = Vec::with_capacity(report.findings.len());
    for finding in report.findings {
        findings.push(odin_wire::Finding {
            job: finding.job,
            job_name: name(finding.job)?,
            due_at: finding.at,
            code: finding.flaw.code().to_owned(),
            reason: finding.flaw.to_string(),
        });
    }
    let mut undetermined = Vec::with_capacity(report.undetermined.len());
    for period in report.undetermined {
        undetermined.push(odin_wire::Undetermined {
            job: period.job,
            job_name: name(period.job)?,
            from: period.from,
            to: period.to,
            because: period.because,
        });
    }
    let worst = match report.worst {
        None => None,
        Some(worst) => Some(odin_wire::WorstStart {
            job: worst.job,
            job_name: name(worst.job)?,
            due_at: worst.due_at,
            run: worst.run,
            late_ms: i64::try_from(worst.late.as_millis()).unwrap_or(i64::MAX),
        }),
    };
    Ok(Verified {
        sound,
        jobs: report.jobs,
        due: report.due,
        outcomes: odin_wire::OutcomeCounts {
            started,
            skipped,
            coalesced,
            misfired,
        },
        missing: report.missing,
        doubled: report.doubled,
        unexplained: report.unexplained,
        wrong: report.wrong,
        unproved: report.unproved,
        runs_not_kept: report.unkept,
        findings,
        undetermined,
        undetermined_count: report.undetermined_count,
        worst,
        took_ms: 0,
    })
}
