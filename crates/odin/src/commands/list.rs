//! `odin list`.

use jiff::Timestamp;
use odin_wire::{Job, JobLink, JobList, JobState, JobsQuery, LinkOn};

use crate::context::Context;
use crate::error::CliError;
use crate::run_reason;
use crate::table::{Cell, Column, render};
use crate::terminal;
use crate::times;

/// How much of a reason has to fit beside its job.
const REASON_WIDTH_MIN: usize = 24;

/// Lists the jobs that the asker may see.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let jobs = context
        .client()
        .await?
        .all_jobs(JobsQuery::default())
        .await?;
    if context.json() {
        return context.print_json(&JobList { jobs, next: None });
    }
    context.print(&table(&jobs, context.now(), terminal::stdout_width()))
}

fn table(jobs: &[Job], now: Timestamp, width: Option<usize>) -> String {
    let mut columns = vec![
        Column::fixed("ID"),
        Column::flexible("NAME", 8),
        Column::flexible(Cell::with_short("LANGUAGE", "LANG"), 6),
        Column::flexible("LINKS", 5),
        Column::flexible("SCHEDULE", 10),
        Column::fixed("STATE"),
        Column::fixed(Cell::with_short("NEXT DUE", "NEXT")),
        Column::flexible(Cell::with_short("LAST OUTCOME", "LAST"), 7),
    ];
    if jobs.iter().any(|job| run_reason::of_latest(job).is_some()) {
        columns.push(Column::sentences("REASON", REASON_WIDTH_MIN));
    }
    let rows: Vec<Vec<Cell>> = jobs.iter().map(|job| row(job, now)).collect();
    render(&columns, &rows, width)
}

fn row(job: &Job, now: Timestamp) -> Vec<Cell> {
    let none = || Cell::from("-");
    let link = |link: &JobLink| match link.on {
        LinkOn::Success => link.job.to_string(),
        LinkOn::Failure | LinkOn::Always => format!("{}({})", link.job, link.on.word()),
    };
    let links: Vec<String> = job.successors.iter().map(link).collect();
    vec![
        job.id.to_string().into(),
        (&job.name).into(),
        (&job.language).into(),
        if links.is_empty() {
            Cell::with_short("<empty>", "-")
        } else {
            links.join(",").into()
        },
        (&job.schedule).into(),
        match job.quarantined {
            Some(_) => "quarantined".into(),
            None => job.state.word().into(),
        },
        match (job.state, job.next_due) {
            (JobState::Enabled, Some(due)) if job.quarantined.is_none() => Cell::with_short(
                times::in_zone(due, &times::zone(&job.timezone)),
                times::relative(due, now),
            ),
            _ => none(),
        },
        job.last_outcome
            .map_or_else(none, |outcome| outcome.word().into()),
        run_reason::of_latest(job).unwrap_or_default().into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::{Expect, expect};
    use odin_wire::Outcome;
    use unicode_width::UnicodeWidthStr;

    fn check(jobs: &[Job], width: Option<usize>, expected: &Expect) {
        let text = table(jobs, samples::NOW.parse().unwrap(), width);
        let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
        assert!(
            width.is_none_or(|width| widest <= width),
            "{widest}\n{text}"
        );
        expected.assert_eq(&text);
    }

    fn jobs() -> Vec<Job> {
        let stocks = samples::job();
        let nightly = Job {
            id: "f0aedde327f3".parse().unwrap(),
            name: "nightly \u{1b}[31mbackup of every database".into(),
            language: "go".into(),
            schedule: "every weekday at 09:00 and every Saturday at 11:30".into(),
            state: JobState::Paused,
            next_due: None,
            last_outcome: Some(Outcome::NotStartable),
            last_reason: Some("no `go` in /usr/local/bin:/usr/bin".into()),
            successors: vec![JobLink {
                job: stocks.id,
                name: stocks.name.clone(),
                on: LinkOn::Failure,
            }],
            ..stocks.clone()
        };
        vec![stocks, nightly]
    }

    #[test]
    fn a_piped_list_is_whole_and_has_no_tabs() {
        check(
            &jobs(),
            None,
            &expect![[r#"
                ID            NAME                                        LANGUAGE  LINKS                  SCHEDULE                                            STATE    NEXT DUE                 LAST OUTCOME   REASON
                a37b187f5930  check_stocks                                python3   <empty>                every hour                                          enabled  2026-11-21 17:00:00 GMT  succeeded
                f0aedde327f3  nightly \u{1b}[31mbackup of every database  go        a37b187f5930(failure)  every weekday at 09:00 and every Saturday at 11:30  paused   -                        not_startable  no `go` in /usr/local/bin:/usr/bin
            "#]],
        );
    }

    #[test]
    fn a_list_fits_eighty_columns() {
        check(
            &jobs(),
            Some(80),
            &expect![[r#"
                ID           NAME       LANG    LINKS     SCHEDULE   STATE   NEXT      LAST
                a37b187f5930 check_sto… python3 -         every hour enabled in 60 min succeeded
                f0aedde327f3 nightly \… go      a37b187f… every wee… paused  -         not_star…
                  no `go` in /usr/local/bin:/usr/bin
            "#]],
        );
    }

    #[test]
    fn a_job_in_quarantine_says_so_and_is_due_at_no_time() {
        let job = Job {
            quarantined: Some(samples::quarantined()),
            ..samples::job()
        };
        check(
            &[job],
            Some(80),
            &expect![[r#"
            ID           NAME         LANG    LINKS SCHEDULE   STATE       NEXT LAST
            a37b187f5930 check_stocks python3 -     every hour quarantined -    succeeded
        "#]],
        );
    }

    #[test]
    fn a_list_without_jobs_is_its_heading() {
        check(
            &[],
            Some(80),
            &expect![[r#"
            ID  NAME  LANGUAGE  LINKS  SCHEDULE  STATE  NEXT DUE  LAST OUTCOME
        "#]],
        );
    }
}
