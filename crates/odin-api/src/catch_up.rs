//! Runs for due times that had none, on request.

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use jiff::Timestamp;
use odin_model::command::CatchUp;
use odin_model::job::Job;
use odin_model::ledger::LedgerRow;
use odin_model::{Command, JobId, JobState, LedgerOutcome, Principal, Reply};
use odin_store::{Reader, StoreError};
use odin_wire::catch_up::CATCH_UP_DEFAULT;
use odin_wire::{CatchUpJob, CatchUpOccurrence, CatchUpState, CaughtUp, Problem};

use crate::api::Api;
use crate::due::{Zoned, calendars, effective_zone};
use crate::extract::{Caller, JobInPath, JsonBody, RequestKey, limit};
use crate::failure::Failure;
use crate::seen;

/// How many due times one request looks at.
const LOOKED_AT_MAX: usize = 100_000;
/// How many rows of the ledger are read at once.
const ROWS_AT_ONCE: usize = 10_000;

/// Starts runs for the due times of a window that have none: missed, skipped or coalesced ones, and those of a pause.
/// The due times are those of the job's present schedule. The oldest are started first, a few at once; the others
/// wait. Asking again doubles nothing.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/catch-up", tag = "jobs", operation_id = "catch_up",
    params(("id" = String, Path, description = "the job's id"), ("Idempotency-Key" = Option<String>, Header, description = "makes the request count once within a day")),
    request_body = CatchUpJob,
    responses((status = 200, body = CaughtUp), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn catch_up(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    parts: Parts,
    JsonBody(body): JsonBody<CatchUpJob>,
) -> Result<Json<CaughtUp>, Failure> {
    let content = serde_json::to_vec(&body).expect("a window is plain data");
    let key = RequestKey::of(&parts, &content)?;
    let limit = limit(Some(body.limit.unwrap_or(CATCH_UP_DEFAULT)))?;
    let job = seen::job_to_change(&api, &caller, id).await?;
    let now = api.backend().clock().wall();
    if body.from > body.to || body.from > now {
        return Err(Failure::new(
            "catch-up/bad-window",
            format!("{} to {} holds nothing of the past", body.from, body.to),
        ));
    }
    let ledger_from = api.read(move |reader| reader.ledger_from(id)).await?;
    let begins = body.from.max(job.created_at);
    if let Some(kept) = ledger_from.filter(|kept| begins < *kept) {
        return Err(Failure::new(
            "ledger/not-kept",
            format!(
                "the ledger of job {id} goes back to {kept}: what was due before it may have had its run"
            ),
        ));
    }
    let zoned = Zoned::of(&job.spec, &*calendars(&api).await?)?;
    let due = due_times(&job, &zoned, body.from, body.to.min(now))?;
    let window = api
        .read(move |reader| Window::read(reader, id, due, limit))
        .await?;
    let mut answer = CaughtUp {
        job: id,
        job_name: job.spec.name.to_string(),
        timezone: effective_zone(&job.spec),
        dry_run: body.dry_run,
        occurrences: window.occurrences,
        on_schedule: window.on_schedule,
        more: window.more,
    };
    if !body.dry_run {
        start(&api, &caller, key.as_ref(), &mut answer, now).await?;
    }
    Ok(Json(answer))
}

/// The decided due times of a window, by the job's present schedule.
fn due_times(
    job: &Job,
    zoned: &Zoned,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Timestamp>, Failure> {
    let from = from.max(job.created_at);
    // What the schedule has still to decide is not missed yet.
    let undecided = job.next_due.filter(|_| job.state == JobState::Enabled);
    let due: Vec<_> = zoned
        .calculator(Some(job.id))
        .occurrences(from, to)
        .take_while(|&at| undecided.is_none_or(|next| at < next))
        .take(LOOKED_AT_MAX + 1)
        .collect();
    if due.len() > LOOKED_AT_MAX {
        return Err(Failure::new(
            "catch-up/too-many-times",
            format!(
                "job {} has more than {LOOKED_AT_MAX} due times from {from} to {to}",
                job.id
            ),
        ));
    }
    Ok(due)
}

/// What the state says of a window.
struct Window {
    /// Those that the schedule did not start, with what earlier requests made of them.
    occurrences: Vec<CatchUpOccurrence>,
    on_schedule: u64,
    more: bool,
}

impl Window {
    /// `limit` counts what would be started; what was asked for before comes on top, so that asking again goes on.
    fn read(
        reader: &Reader,
        job: JobId,
        due: Vec<Timestamp>,
        limit: usize,
    ) -> Result<Self, StoreError> {
        let mut window = Self {
            occurrences: Vec::new(),
            on_schedule: 0,
            more: false,
        };
        let Some((&first, &last)) = due.first().zip(due.last()) else {
            return Ok(window);
        };
        let rows = rows_of(reader, job, first, last)?;
        let asked = reader.caught_up(job, &due)?;
        let mut to_start = 0;
        for (at, asked) in due.into_iter().zip(asked) {
            let outcome = outcome_at(&rows, at);
            if outcome == Some(LedgerOutcome::Started) {
                window.on_schedule += 1;
                continue;
            }
            let (state, run) = asked.map_or((CatchUpState::WouldStart, None), CatchUpState::of);
            if state == CatchUpState::WouldStart {
                if to_start == limit {
                    window.more = true;
                    continue;
                }
                to_start += 1;
            }
            window.occurrences.push(CatchUpOccurrence {
                due_at: at,
                outcome: outcome.map(Into::into),
                state,
                run,
            });
        }
        Ok(window)
    }
}

/// The rows of the ledger that hold something from `first` to `last`, oldest first.
fn rows_of(
    reader: &Reader,
    job: JobId,
    first: Timestamp,
    last: Timestamp,
) -> Result<Vec<LedgerRow>, StoreError> {
    let mut rows: Vec<LedgerRow> = reader.ledger_at(job, first)?.into_iter().collect();
    let mut from = first;
    loop {
        let page = reader.ledger(job, from, last, ROWS_AT_ONCE)?;
        let whole = page.len() < ROWS_AT_ONCE;
        let known = rows.last().map(|row| row.from);
        rows.extend(
            page.into_iter()
                .filter(|row| known.is_none_or(|known| row.from > known)),
        );
        match rows.last() {
            Some(row) if !whole => from = row.from,
            _ => return Ok(rows),
        }
    }
}

/// What the ledger says of a due time.
fn outcome_at(rows: &[LedgerRow], at: Timestamp) -> Option<LedgerOutcome> {
    let after = rows.partition_point(|row| row.from <= at);
    let row = rows.get(after.checked_sub(1)?)?;
    (at <= row.to).then_some(row.outcome)
}

/// Asks for those that would be started.
async fn start(
    api: &Api,
    caller: &Principal,
    key: Option<&RequestKey>,
    answer: &mut CaughtUp,
    at: Timestamp,
) -> Result<(), Failure> {
    let wanted: Vec<_> = answer
        .occurrences
        .iter_mut()
        .filter(|occurrence| occurrence.state == CatchUpState::WouldStart)
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let command = Command::CatchUp(CatchUp {
        by: caller.clone(),
        job: answer.job,
        due: wanted.iter().map(|occurrence| occurrence.due_at).collect(),
        at,
    });
    match api.propose(caller, key, command).await? {
        Reply::CatchingUp(answers) => {
            for occurrence in wanted {
                let due = occurrence.due_at;
                if let Ok(place) = answers.binary_search_by_key(&due, |answered| answered.due) {
                    let answered = CatchUpState::of(answers[place].answer);
                    (occurrence.state, occurrence.run) = answered;
                }
            }
            // The answer to an earlier request of the same key names what was asked for then.
            let before = answer.occurrences.len();
            let is_answered = |it: &CatchUpOccurrence| it.state != CatchUpState::WouldStart;
            answer.occurrences.retain(is_answered);
            answer.more |= answer.occurrences.len() < before;
            Ok(())
        }
        reply => Err(Failure::internal(&format!(
            "a catch-up was answered by {reply:?}"
        ))),
    }
}
