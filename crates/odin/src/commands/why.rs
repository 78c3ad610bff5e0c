//! `odin why`.

use std::fmt::Write as _;

use clap::Args;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use odin_client::{Client, ClientError};
use odin_model::LedgerOutcome;
use odin_schedule::ZonedSchedule;
use odin_wire::{Exit, Job, LedgerEntry};

use crate::context::Context;
use crate::error::CliError;
use crate::job_schedule;
use crate::selection;
use crate::terminal::visible;
use crate::times;

/// `odin why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The job's id, or its name
    #[arg(value_name = "JOB")]
    job: String,
    /// The due time: RFC 3339, or `2026-11-21 17:00[:00]` in the job's zone
    #[arg(value_name = "TIME")]
    time: String,
}

/// Says what became of a due time.
pub(crate) async fn run(args: &WhyArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.job).await?;
    let zone = times::zone(&job.timezone);
    let instants = times::parse(&args.time, &zone)?;
    let entry = look_up(&client, &job, &instants, &zone).await?;
    if context.json() {
        return context.print_json(&entry);
    }
    context.print(&text(&job, &entry, &zone))
}

/// The ledger's answer for the first of the instants that it has one for.
async fn look_up(
    client: &Client,
    job: &Job,
    instants: &[Timestamp],
    zone: &TimeZone,
) -> Result<LedgerEntry, CliError> {
    let mut refusal = None;
    for instant in instants {
        match client.ledger_at(job.id, *instant).await {
            Ok(entry) => return Ok(entry),
            Err(ClientError::Refused(problem))
                if matches!(problem.code.as_str(), "ledger/not-due" | "ledger/not-yet") =>
            {
                refusal.get_or_insert((*instant, problem));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let (instant, problem) = refusal.expect("a time is at least one instant");
    if problem.code == "ledger/not-yet" {
        return Err(ClientError::Refused(problem).into());
    }
    let at = times::in_zone(instant, zone);
    let message = format!("{} ({}) was not due at {at}", job.name, job.id);
    let error = CliError::new(Exit::NotFound, "ledger/not-due", message);
    let calendars = job_schedule::calendars(client, &[&job.schedule]).await?;
    let schedule = job_schedule::of_job(job, &calendars);
    Err(error.with_help(why_not(job, schedule.as_ref(), instant, zone)))
}

/// Why there was nothing due then, as far as the job itself tells: else the due times around it.
fn why_not(
    job: &Job,
    schedule: Option<&ZonedSchedule>,
    instant: Timestamp,
    zone: &TimeZone,
) -> String {
    if instant < job.created_at {
        let deployed = times::to_the_second(job.created_at, zone);
        return format!("It was first deployed at {deployed}.");
    }
    let Some(schedule) = schedule else {
        return "`odin describe` shows the job's schedule.".to_owned();
    };
    let just_before = instant.checked_sub(SignedDuration::from_nanos(1)).ok();
    if just_before.and_then(|before| schedule.next_after(before)) == Some(instant) {
        return format!(
            "Its present schedule, `{}`, has that time: the job was paused then, or had another schedule.",
            job.schedule
        );
    }
    nearest(job, schedule, instant, zone)
}

/// The due times of the job's present schedule around an instant.
fn nearest(job: &Job, schedule: &ZonedSchedule, instant: Timestamp, zone: &TimeZone) -> String {
    let shown =
        |due: Option<Timestamp>| due.map_or("none".to_owned(), |due| times::in_zone(due, zone));
    format!(
        "By its present schedule, `{}`, the due time before that is {}, the one after it {}.",
        job.schedule,
        shown(schedule.previous_before(instant)),
        shown(schedule.next_after(instant)),
    )
}

fn text(job: &Job, entry: &LedgerEntry, zone: &TimeZone) -> String {
    let outcome = LedgerOutcome::from(entry.outcome).word();
    let due = times::in_zone(entry.due_at, zone);
    let mut text = format!(
        "{} ({}), due {due}: {outcome}, {}\n",
        visible(&job.name),
        job.id,
        visible(&entry.reason)
    );
    if let Some(run) = entry.run {
        let _ = writeln!(text, "  run:      {run}");
    }
    let _ = writeln!(text, "  version:  {}", entry.version);
    let _ = writeln!(
        text,
        "  decided:  {}",
        times::to_the_second(entry.decided_at, zone)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::expect;

    #[test]
    fn the_answer_names_the_outcome_the_reason_and_the_run() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let entry = LedgerEntry {
            due_at: at("2026-11-21T15:00:00Z"),
            outcome: odin_wire::LedgerOutcome::Started,
            reason: "on time".into(),
            run: Some("r0000000030000".parse().unwrap()),
            to: at("2026-11-21T15:00:00Z"),
            count: 1,
            version: 2,
            decided_at: at("2026-11-21T14:59:56Z"),
        };
        let zone = times::zone("Europe/Dublin");
        expect![[r#"
            check_stocks (a37b187f5930), due 2026-11-21 15:00:00 GMT: started, on time
              run:      r0000000030000
              version:  2
              decided:  2026-11-21 14:59:56 GMT
        "#]]
        .assert_eq(&text(&samples::job(), &entry, &zone));
    }

    fn sample(zone: &TimeZone) -> (Job, ZonedSchedule) {
        let job = samples::job();
        let schedule = odin_schedule::parse(&job.schedule).unwrap().in_zone(zone);
        (job, schedule)
    }

    #[test]
    fn a_time_of_the_present_schedule_that_has_no_outcome_is_told_apart() {
        let zone = times::zone("Europe/Dublin");
        let (job, schedule) = sample(&zone);
        let hour = SignedDuration::from_hours(1);
        let on_the_hour = job.created_at.round(jiff::Unit::Hour).unwrap();
        expect!["It was first deployed at 2026-11-01 08:00:00 GMT."].assert_eq(&why_not(
            &job,
            Some(&schedule),
            on_the_hour - hour,
            &zone,
        ));
        expect!["Its present schedule, `every hour`, has that time: the job was paused then, or had another schedule."].assert_eq(&why_not(&job, Some(&schedule), on_the_hour + hour, &zone));
    }

    #[test]
    fn a_time_that_was_not_due_is_answered_with_its_neighbours() {
        let instant = "2026-11-21T15:20:00Z".parse().unwrap();
        let zone = times::zone("Europe/Dublin");
        let (job, schedule) = sample(&zone);
        expect!["By its present schedule, `every hour`, the due time before that is 2026-11-21 15:00:00 GMT, the one after it 2026-11-21 16:00:00 GMT."].assert_eq(&nearest(&job, &schedule, instant, &zone));
    }
}
