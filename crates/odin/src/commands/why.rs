//! `odin why`.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_client::Client;
use odin_model::LedgerOutcome;
use odin_model::job_change::JobChangeKind;
use odin_wire::{Exit, Job, JobThen, NotDue, Run, Why};

use crate::context::Context;
use crate::error::CliError;
use crate::run_reason;
use crate::selection;
use crate::terminal::visible;
use crate::times;

/// `odin why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The job's id, or its name
    #[arg(value_name = "JOB")]
    job: String,
    /// The due time, or any other instant: RFC 3339, or `2026-11-21 17:00[:00]` in the job's zone
    #[arg(value_name = "TIME")]
    time: String,
}

/// Says what became of a due time.
pub(crate) async fn run(args: &WhyArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.job).await?;
    let zone = times::zone(&job.timezone);
    let instants = times::parse(&args.time, &zone)?;
    let why = look_up(&client, &job, &instants).await?;
    if why.outcome.is_none() {
        return Err(none(&job, &why, &zone));
    }
    if context.json() {
        return context.print_json(&why);
    }
    // Where the run is gone by now, the ledger's answer stands alone.
    let run = match why.run {
        Some(run) => client.run(run, None).await.ok(),
        None => None,
    };
    context.print(&text(&job, &why, run.as_ref(), &zone))
}

/// The server's answer for the first of the instants that has an outcome, else for the first.
async fn look_up(client: &Client, job: &Job, instants: &[Timestamp]) -> Result<Why, CliError> {
    let mut first = None;
    for instant in instants {
        let answer = client.why(job.id, *instant).await?;
        if answer.outcome.is_some() {
            return Ok(answer);
        }
        first.get_or_insert(answer);
    }
    Ok(first.expect("a time is at least one instant"))
}

/// The answer for an instant without an outcome.
fn none(job: &Job, why: &Why, zone: &TimeZone) -> CliError {
    let at = times::in_zone(why.due_at, zone);
    let (code, what) = match why.not_due {
        Some(NotDue::NotYet) => ("ledger/not-yet", "has no outcome"),
        Some(NotDue::Missing) => ("ledger/not-due", "has no outcome"),
        Some(NotDue::Forgotten) => ("ledger/not-kept", "has no outcome that is kept"),
        _ => ("ledger/not-due", "was not due"),
    };
    let reason = visible(&why.reason);
    let message = format!(
        "{} ({}) {what} at {at}: {reason}",
        visible(&job.name),
        job.id
    );
    let mut help = why.then.as_ref().map_or_else(String::new, |then| {
        format!("Then: {}.", state_of(then, zone))
    });
    let near: Vec<_> = [("before", why.before), ("after", why.after)]
        .into_iter()
        .filter_map(|(side, due)| due.map(|due| format!("{side} it {}", times::in_zone(due, zone))))
        .collect();
    if !near.is_empty() {
        let _ = write!(
            help,
            " Due times by the schedule of then: {}.",
            near.join(", ")
        );
    }
    CliError::new(Exit::NotFound, code, message).with_help(help.trim_start())
}

/// `version 2, "every hour" (UTC), paused by ann at …`.
fn state_of(then: &JobThen, zone: &TimeZone) -> String {
    let what = match then.kind() {
        Some(JobChangeKind::Moved) => "its due time was moved".to_owned(),
        Some(JobChangeKind::CalendarsTaken) => "a calendar was changed".to_owned(),
        Some(kind) => kind.word().to_owned(),
        None => visible(&then.state).to_string(),
    };
    let by = then
        .by
        .as_ref()
        .map_or_else(String::new, |by| format!(" by {}", visible(by)));
    let note = then
        .note
        .as_ref()
        .map_or_else(String::new, |note| format!(" ({})", visible(note)));
    format!(
        "version {}, `{}` in {}, {what}{by} at {}{note}",
        then.version,
        visible(&then.schedule),
        visible(&then.timezone),
        times::to_the_second(then.since, zone)
    )
}

fn text(job: &Job, why: &Why, run: Option<&Run>, zone: &TimeZone) -> String {
    let outcome = why
        .outcome
        .map_or("none", |outcome| LedgerOutcome::from(outcome).word());
    let due = times::in_zone(why.due_at, zone);
    let mut text = format!(
        "{} ({}), due {due}: {outcome}, {}\n",
        visible(&job.name),
        job.id,
        visible(&why.reason)
    );
    if let Some(id) = why.run {
        let _ = write!(text, "  run:      {id}");
        if let Some(run) = run {
            text.push_str(&run_in_words(run, why.due_at));
        }
        text.push('\n');
    }
    if let Some(version) = why.version {
        let _ = writeln!(text, "  version:  {version}");
    }
    if let Some(decided_at) = why.decided_at {
        let _ = writeln!(
            text,
            "  decided:  {}",
            times::to_the_second(decided_at, zone)
        );
    }
    if let Some(then) = &why.then {
        let _ = writeln!(text, "  then:     {}", state_of(then, zone));
    }
    for (label, due) in [("before:", why.before), ("after: ", why.after)] {
        if let Some(due) = due {
            let _ = writeln!(text, "  {label}   {}", times::in_zone(due, zone));
        }
    }
    text
}

/// `, succeeded at the 2nd attempt, began 12 ms after it was due`.
fn run_in_words(run: &Run, due_at: Timestamp) -> String {
    let mut words = match run.outcome {
        Some(outcome) => format!(", {}", outcome.word()),
        None => format!(", {}", run.state.word()),
    };
    if let Some(attempt) = run.attempt.filter(|attempt| *attempt > 1) {
        let _ = write!(words, ", attempt {attempt}");
    }
    if let Some(started_at) = run.started_at {
        let late = times::duration(started_at.duration_since(due_at));
        let _ = write!(words, ", began {late} after it was due");
    }
    if let Some(reason) = run_reason::of_run(run) {
        let _ = write!(words, " ({})", visible(&reason));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::{Expect, expect};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn then(state: &str, note: Option<&str>) -> JobThen {
        JobThen {
            version: 2,
            schedule: "every hour".into(),
            timezone: "Europe/Dublin".into(),
            state: state.into(),
            since: at("2026-11-20T08:00:00Z"),
            by: Some("ann".into()),
            note: note.map(Into::into),
        }
    }

    fn started() -> Why {
        Why {
            due_at: at("2026-11-21T15:00:00Z"),
            outcome: Some(odin_wire::LedgerOutcome::Started),
            reason: "on time".into(),
            not_due: None,
            run: Some("r0000000030000".parse().unwrap()),
            version: Some(2),
            decided_at: Some(at("2026-11-21T14:59:56Z")),
            then: Some(then("deployed", None)),
            before: Some(at("2026-11-21T14:00:00Z")),
            after: Some(at("2026-11-21T16:00:00Z")),
        }
    }

    #[test]
    fn the_answer_names_the_outcome_the_reason_the_run_and_the_job_of_then() {
        let zone = times::zone("Europe/Dublin");
        let run = samples::run();
        expect![[r#"
            check_stocks (a37b187f5930), due 2026-11-21 15:00:00 GMT: started, on time
              run:      r0000000030000, succeeded, began 2 ms after it was due
              version:  2
              decided:  2026-11-21 14:59:56 GMT
              then:     version 2, `every hour` in Europe/Dublin, deployed by ann at 2026-11-20 08:00:00 GMT
              before:   2026-11-21 14:00:00 GMT
              after:    2026-11-21 16:00:00 GMT
        "#]].assert_eq(&text(&samples::job(), &started(), Some(&run), &zone));
    }

    #[track_caller]
    fn check(not_due: NotDue, reason: &str, then: Option<JobThen>, expected: &Expect) {
        let why = Why {
            outcome: None,
            reason: reason.into(),
            not_due: Some(not_due),
            run: None,
            version: None,
            decided_at: None,
            then,
            ..started()
        };
        let error = none(&samples::job(), &why, &times::zone("Europe/Dublin"));
        expected.assert_eq(&format!("{error:?}"));
    }

    #[test]
    fn an_instant_without_an_outcome_is_answered_with_why_and_what_is_near() {
        check(
            NotDue::Paused,
            "the job was paused then",
            Some(then("paused", None)),
            &expect![[
                r#"Plain(Plain { code: "ledger/not-due", message: "check_stocks (a37b187f5930) was not due at 2026-11-21 15:00:00 GMT: the job was paused then", help: Some("Then: version 2, `every hour` in Europe/Dublin, paused by ann at 2026-11-20 08:00:00 GMT. Due times by the schedule of then: before it 2026-11-21 14:00:00 GMT, after it 2026-11-21 16:00:00 GMT."), exit: NotFound })"#
            ]],
        );
        check(
            NotDue::Quarantined,
            "the job could not be planned: no calendar `holidays`",
            Some(then("quarantined", Some("no calendar `holidays`"))),
            &expect![[
                r#"Plain(Plain { code: "ledger/not-due", message: "check_stocks (a37b187f5930) was not due at 2026-11-21 15:00:00 GMT: the job could not be planned: no calendar `holidays`", help: Some("Then: version 2, `every hour` in Europe/Dublin, quarantined by ann at 2026-11-20 08:00:00 GMT (no calendar `holidays`). Due times by the schedule of then: before it 2026-11-21 14:00:00 GMT, after it 2026-11-21 16:00:00 GMT."), exit: NotFound })"#
            ]],
        );
        check(
            NotDue::NotDeployed,
            "the job was first deployed at 2026-11-01T08:00:00Z by ann",
            None,
            &expect![[
                r#"Plain(Plain { code: "ledger/not-due", message: "check_stocks (a37b187f5930) was not due at 2026-11-21 15:00:00 GMT: the job was first deployed at 2026-11-01T08:00:00Z by ann", help: Some("Due times by the schedule of then: before it 2026-11-21 14:00:00 GMT, after it 2026-11-21 16:00:00 GMT."), exit: NotFound })"#
            ]],
        );
    }
}
