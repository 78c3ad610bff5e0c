//! `odin describe` of a run: everything that is known of it.

use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_client::Client;
use odin_model::RunId;
use odin_wire::{Attempt, Chain, LinkOn, Run, Successor};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::run_reason;
use crate::terminal::visible;
use crate::times;

/// A run in full, with the runs that led to it.
#[derive(Debug, Serialize)]
struct Described {
    #[serde(flatten)]
    run: Run,
    /// The runs that led to it by links, the first of the chain first. Empty without links.
    led_here: Vec<Run>,
    /// The names of the jobs that its links lead to, in the order of `successors`; a job that is not to be seen has
    /// none.
    #[serde(skip)]
    names: Vec<Option<String>>,
}

/// Shows a run in full.
pub(crate) async fn show(client: &Client, run: Run, context: &Context) -> Result<(), CliError> {
    let is_chained = run.cause_run.is_some() || !run.successors.is_empty();
    let chain = match is_chained {
        true => client.chain(run.id).await?,
        false => Chain {
            runs: Vec::new(),
            more: false,
        },
    };
    let described = described(run, &chain);
    if context.json() {
        return context.print_json(&described);
    }
    // The job may be gone; its runs stay.
    let job = client.job(described.run.job).await.ok();
    let zone = job.map_or(TimeZone::UTC, |job| times::zone(&job.timezone));
    context.print(&text(&described, &zone, context.now()))
}

fn described(run: Run, chain: &Chain) -> Described {
    let by_id: HashMap<RunId, &Run> = chain.runs.iter().map(|run| (run.id, run)).collect();
    let mut led_here: Vec<Run> = Vec::new();
    let mut before = run.cause_run;
    // A run is made after the one before it, so this ends; a chain that is longer than an answer is told in part.
    while let Some(found) = before.and_then(|id| by_id.get(&id)) {
        led_here.push((*found).clone());
        before = found.cause_run;
    }
    led_here.reverse();
    let name_of = |successor: &Successor| Some(by_id.get(&successor.run?)?.job_name.clone());
    let names = run.successors.iter().map(name_of).collect();
    Described {
        run,
        led_here,
        names,
    }
}

fn text(described: &Described, zone: &TimeZone, now: Timestamp) -> String {
    let run = &described.run;
    let mut lines = state_lines(run, zone, now);
    lines.extend(cause_lines(described));
    lines.extend(time_lines(run, zone));
    lines.push((
        "node",
        run.node.clone().unwrap_or_else(|| "none yet".to_owned()),
    ));
    lines.push(("version", run.version.to_string()));
    if run.started_at.is_some() {
        let attempt = usage(run.cpu_user_ms, run.cpu_system_ms, run.memory_max_bytes);
        lines.push(("used", attempt));
        lines.push(("output", output(run)));
    }
    for flag in &run.flags {
        lines.push(("unusual", format!("{}: {}", flag.name, flag.reason)));
    }
    for attempt in &run.attempts {
        lines.push(("attempt", attempt_line(attempt, zone)));
        if let Some(late) = &attempt.late_report {
            let at = times::in_zone(late.finished_at, zone);
            let outcome = late.outcome.word();
            lines.push((
                "",
                format!("reported late, and not counted: {outcome} at {at}"),
            ));
        }
    }
    for (successor, name) in run.successors.iter().zip(&described.names) {
        lines.push(("then", successor_line(successor, name.as_deref())));
    }
    let mut text = format!("{} of {} ({})\n", run.id, visible(&run.job_name), run.job);
    for (name, value) in lines {
        let label = match name {
            "" => String::new(),
            name => format!("{name}:"),
        };
        let _ = writeln!(text, "  {label:<10}{}", visible(&value));
    }
    text
}

fn state_lines(run: &Run, zone: &TimeZone, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut state = run.state.word().to_owned();
    if let Some(waits_for) = run.waits_for {
        let _ = write!(state, ", waits for {}", waits_for.words());
    }
    if let Some(at) = run.retry_at {
        let (at, away) = (times::in_zone(at, zone), times::relative(at, now));
        let _ = write!(state, ", the next attempt at {at} ({away})");
    }
    let mut lines = vec![("state", state)];
    if let Some(outcome) = run.outcome {
        lines.push(("outcome", outcome.word().to_owned()));
    }
    if let Some(reason) = run_reason::of_run(run) {
        lines.push(("because", reason));
    }
    if let Some(reason) = &run.cancel_requested {
        lines.push(("stopping", reason.clone()));
    }
    lines
}

fn cause_lines(described: &Described) -> Vec<(&'static str, String)> {
    let run = &described.run;
    let mut lines = vec![("cause", cause(run))];
    for before in described.led_here.iter().rev() {
        let outcome = before
            .outcome
            .map_or(before.state.word(), odin_wire::Outcome::word);
        let (id, job) = (before.id, &before.job_name);
        let mut text = format!("{id} of {job}: {outcome}, by {}", cause(before));
        if let Some(reason) = run_reason::of_run(before) {
            let _ = write!(text, ": {reason}");
        }
        lines.push(("after", text));
    }
    if described.led_here.is_empty()
        && let Some(before) = run.cause_run
    {
        lines.push(("after", before.to_string()));
    }
    lines
}

/// Why a run exists, with the person who asked.
fn cause(run: &Run) -> String {
    let word = run.cause.word().replace('_', "-");
    match &run.by {
        Some(by) => format!("{word} ({by})"),
        None => word,
    }
}

fn time_lines(run: &Run, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let lines = [
        ("due", run.due_at),
        ("queued", Some(run.queued_at)),
        ("started", run.started_at),
        ("finished", run.finished_at),
    ];
    let shown =
        |(name, at): (&'static str, Option<Timestamp>)| Some((name, times::in_zone(at?, zone)));
    let mut lines: Vec<_> = lines.into_iter().filter_map(shown).collect();
    // A retry starts long after the run was due, and is not late for it.
    let due = run.due_at.unwrap_or(run.queued_at);
    if let Some(started_at) = run.started_at {
        let late = times::duration(started_at.duration_since(due));
        lines.push(("late by", late));
        if let Some(finished_at) = run.finished_at {
            lines.push((
                "took",
                times::duration(finished_at.duration_since(started_at)),
            ));
        }
    }
    lines
}

fn usage(cpu_user_ms: u64, cpu_system_ms: u64, memory_max_bytes: Option<u64>) -> String {
    let cpu = format!("{cpu_user_ms} ms of processor time and {cpu_system_ms} ms in the kernel");
    match memory_max_bytes {
        Some(bytes) => format!("{cpu}, {} of memory at most", size(bytes)),
        None => cpu,
    }
}

/// Bytes to the tenth of a unit.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((name, unit)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

fn output(run: &Run) -> String {
    let mut text = format!(
        "{} on stdout, {} on stderr",
        size(run.stdout_bytes),
        size(run.stderr_bytes)
    );
    if run.dropped_bytes > 0 {
        let _ = write!(text, "; {} of it were not kept", size(run.dropped_bytes));
    }
    text
}

fn attempt_line(attempt: &Attempt, zone: &TimeZone) -> String {
    let outcome = attempt.outcome.map_or("goes on", odin_wire::Outcome::word);
    let node = attempt.node.as_deref().unwrap_or("a node that is gone");
    let mut text = format!("{} on {node}: {outcome}", attempt.attempt);
    if let Some(reason) = run_reason::of_attempt(attempt) {
        let _ = write!(text, " ({reason})");
    }
    match (attempt.started_at, attempt.finished_at) {
        (Some(started_at), Some(finished_at)) => {
            let took = times::duration(finished_at.duration_since(started_at));
            let _ = write!(text, ", {}, took {took}", times::in_zone(started_at, zone));
        }
        (Some(started_at), None) => {
            let _ = write!(text, ", since {}", times::in_zone(started_at, zone));
        }
        (None, _) => {}
    }
    text
}

fn successor_line(successor: &Successor, name: Option<&str>) -> String {
    let on = match successor.on {
        LinkOn::Success => String::new(),
        LinkOn::Failure | LinkOn::Always => format!(" (on {})", successor.on.word()),
    };
    let job = name.map_or_else(|| successor.job.to_string(), str::to_owned);
    match (successor.run, &successor.skipped) {
        (Some(run), _) => format!("{run} of {job}{on}"),
        (None, Some(why)) => format!("nothing of {job}{on}: {why}"),
        (None, None) => format!("nothing of {job}{on}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::{Expect, expect};
    use odin_wire::{Cause, Outcome, RunState};

    fn check(run: Run, chain: Vec<Run>, expected: &Expect) {
        let chain = Chain {
            runs: chain,
            more: false,
        };
        let zone = times::zone("Europe/Dublin");
        let now = samples::NOW.parse().unwrap();
        expected.assert_eq(&text(&described(run, &chain), &zone, now));
    }

    fn attempt(number: u32, outcome: Option<Outcome>) -> Attempt {
        let run = samples::run();
        Attempt {
            attempt: number,
            node: run.node,
            started_at: run.started_at,
            finished_at: outcome.and(run.finished_at),
            outcome,
            exit_code: outcome.map(|_| 75),
            signal: None,
            reason: outcome.map(|_| "exit code 75".to_owned()),
            cpu_user_ms: 0,
            cpu_system_ms: 0,
            memory_max_bytes: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
            late_report: None,
        }
    }

    #[test]
    fn a_run_is_described_with_its_attempts_and_the_runs_before_and_after_it() {
        let first = Run {
            by: Some("ann".into()),
            cause: Cause::Manual,
            job_name: "extract".into(),
            reason: Some("48 files".into()),
            ..samples::run()
        };
        let after = Run {
            id: "r0000000050000".parse().unwrap(),
            job_name: "mail_report".into(),
            ..samples::run()
        };
        let run = Run {
            id: "r0000000040000".parse().unwrap(),
            cause: Cause::Link,
            cause_run: Some(first.id),
            root_run: Some(first.id),
            due_at: None,
            outcome: Some(Outcome::Failed),
            exit_code: Some(75),
            reason: Some("exit code 75".into()),
            attempt: Some(2),
            attempts: vec![
                attempt(1, Some(Outcome::Failed)),
                attempt(2, Some(Outcome::Failed)),
            ],
            dropped_bytes: 2048,
            successors: vec![
                Successor {
                    job: "f0aedde327f3".parse().unwrap(),
                    on: LinkOn::Failure,
                    run: Some(after.id),
                    skipped: None,
                },
                Successor {
                    job: "a37b187f5931".parse().unwrap(),
                    on: LinkOn::Always,
                    run: None,
                    skipped: Some("the job was paused".into()),
                },
            ],
            ..samples::run()
        };
        check(
            run,
            vec![first, after],
            &expect![[r#"
            r0000000040000 of check_stocks (a37b187f5930)
              state:    finished
              outcome:  failed
              because:  exit status 75
              cause:    link
              after:    r0000000030000 of extract: succeeded, by manual (ann): 48 files
              queued:   2026-11-21 14:59:56 GMT
              started:  2026-11-21 15:00:00.002 GMT
              finished: 2026-11-21 15:00:01.342 GMT
              late by:  4.0 s
              took:     1.3 s
              node:     master-node
              version:  2
              used:     20 ms of processor time and 5 ms in the kernel, 9.0 MiB of memory at most
              output:   12 B on stdout, 0 B on stderr; 2.0 KiB of it were not kept
              attempt:  1 on master-node: failed (exit status 75), 2026-11-21 15:00:00.002 GMT, took 1.3 s
              attempt:  2 on master-node: failed (exit status 75), 2026-11-21 15:00:00.002 GMT, took 1.3 s
              then:     r0000000050000 of mail_report (on failure)
              then:     nothing of a37b187f5931 (on always): the job was paused
        "#]],
        );
    }

    #[test]
    fn what_is_unusual_about_a_run_is_told_with_its_reason() {
        let run = Run {
            flags: samples::flags(),
            ..samples::run()
        };
        check(
            run,
            Vec::new(),
            &expect![[r#"
            r0000000030000 of check_stocks (a37b187f5930)
              state:    finished
              outcome:  succeeded
              cause:    schedule
              due:      2026-11-21 15:00:00 GMT
              queued:   2026-11-21 14:59:56 GMT
              started:  2026-11-21 15:00:00.002 GMT
              finished: 2026-11-21 15:00:01.342 GMT
              late by:  2 ms
              took:     1.3 s
              node:     master-node
              version:  2
              used:     20 ms of processor time and 5 ms in the kernel, 9.0 MiB of memory at most
              output:   12 B on stdout, 0 B on stderr
              unusual:  price: 5000 is far above the 98 to 102 of the 100 runs before
              unusual:  duration: it took 10m, longer than the 1m that earlier runs let expect
        "#]],
        );
    }

    #[test]
    fn a_run_that_is_not_over_says_what_it_waits_for() {
        let waits = Run {
            state: RunState::Retrying,
            outcome: None,
            finished_at: None,
            retry_at: Some("2026-11-21T16:00:05Z".parse().unwrap()),
            attempts: vec![attempt(1, Some(Outcome::Failed))],
            ..samples::run()
        };
        check(
            waits,
            Vec::new(),
            &expect![[r#"
            r0000000030000 of check_stocks (a37b187f5930)
              state:    retrying, the next attempt at 2026-11-21 16:00:05 GMT (in 5 s)
              cause:    schedule
              due:      2026-11-21 15:00:00 GMT
              queued:   2026-11-21 14:59:56 GMT
              started:  2026-11-21 15:00:00.002 GMT
              late by:  2 ms
              node:     master-node
              version:  2
              used:     20 ms of processor time and 5 ms in the kernel, 9.0 MiB of memory at most
              output:   12 B on stdout, 0 B on stderr
              attempt:  1 on master-node: failed (exit status 75), 2026-11-21 15:00:00.002 GMT, took 1.3 s
        "#]],
        );
        let queued = Run {
            state: RunState::Queued,
            outcome: None,
            node: None,
            attempt: None,
            started_at: None,
            finished_at: None,
            cancel_requested: Some("ann asked".into()),
            waits_for: Some(odin_wire::WaitsFor::Turn),
            ..samples::run()
        };
        check(
            queued,
            Vec::new(),
            &expect![[r#"
            r0000000030000 of check_stocks (a37b187f5930)
              state:    queued, waits for its turn: an earlier run of the job is active
              stopping: ann asked
              cause:    schedule
              due:      2026-11-21 15:00:00 GMT
              queued:   2026-11-21 14:59:56 GMT
              node:     none yet
              version:  2
        "#]],
        );
    }
}
