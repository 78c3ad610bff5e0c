//! `odin verify`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use odin_model::JobId;
use odin_node::proof;
use odin_wire::{Exit, Verified, VerifyQuery};

use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::terminal::visible;
use crate::times;

/// `odin verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The job's id, or its name; without it all jobs that you may see
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// Only due times from here: `2h` or `7d` for so long ago, RFC 3339, or `2026-11-21 17:00[:00]` in the job's zone
    /// (UTC without a job)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only due times to here, included
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Ask no server: read the state in this data directory, or this file, such as a backup's `state.db`
    #[arg(long, value_name = "PATH", conflicts_with_all = ["port", "server", "token"])]
    data_dir: Option<PathBuf>,
}

/// Proves the ledger; a finding ends the command with 1.
pub(crate) async fn run(args: &VerifyArgs, context: &Context) -> Result<Exit, CliError> {
    let verified = match &args.data_dir {
        Some(path) => offline(args, path, context)?,
        None => {
            let client = context.client().await?;
            let (job, zone) = match &args.job {
                Some(job) => {
                    let job = selection::job(&client, job).await?;
                    (Some(job.id), job.timezone)
                }
                None => (None, "UTC".to_owned()),
            };
            let (from, to) = args.period(&zone, context.now())?;
            client.verify(&VerifyQuery { job, from, to }).await?
        }
    };
    match context.json() {
        true => context.print_json(&verified)?,
        false => context.print(&text(&verified))?,
    }
    Ok(match verified.sound {
        true => Exit::Done,
        false => Exit::Failed,
    })
}

impl VerifyArgs {
    /// A local time that the clock shows twice is the first one as a beginning and the second as an end.
    fn period(
        &self,
        zone: &str,
        now: Timestamp,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), CliError> {
        let zone = times::zone(zone);
        let read = |text: &Option<String>| -> Result<Vec<Timestamp>, CliError> {
            text.as_ref()
                .map_or(Ok(Vec::new()), |text| times::parse_or_ago(text, &zone, now))
        };
        Ok((
            read(&self.from)?.into_iter().min(),
            read(&self.to)?.into_iter().max(),
        ))
    }
}

/// Reads a state's file, with or without a server over it.
fn offline(args: &VerifyArgs, path: &Path, context: &Context) -> Result<Verified, CliError> {
    let file = match path.is_dir() {
        true => path.join("state.db"),
        false => path.to_owned(),
    };
    let failed = |message: String| {
        CliError::refused("cli/file", message)
            .with_help("`--data-dir` takes a data directory, or a state's file.")
    };
    let job = match &args.job {
        None => None,
        Some(text) => Some(text.parse::<JobId>().map_err(|_| {
            CliError::refused("cli/usage", format!("`{text}` is not a job's id"))
                .with_help("Without a server only an id names a job: 12 hex digits.")
        })?),
    };
    if !file.is_file() {
        return Err(failed(format!("there is no state at {}", file.display())));
    }
    let (from, to) = args.period("UTC", context.now())?;
    let query = proof::VerifyQuery {
        job,
        owner: None,
        from: from.unwrap_or(Timestamp::MIN),
        to: to.unwrap_or(Timestamp::MAX),
        // What a stopped server left undecided is not overdue: it catches up when it starts.
        now: Timestamp::MIN,
    };
    let began = context.now();
    let verified = proof::verify_file(&file, &query)
        .map_err(|error| failed(format!("{}: {error}", file.display())))?;
    let took = context.now().duration_since(began).as_millis();
    Ok(Verified {
        took_ms: u64::try_from(took).unwrap_or(0),
        ..verified
    })
}

/// What was found, line by line.
pub(super) fn text(verified: &Verified) -> String {
    let Verified { outcomes, .. } = verified;
    let mut text = String::new();
    let verdict = match verified.sound {
        true => "complete",
        false => "NOT complete or not true",
    };
    let _ = writeln!(
        text,
        "{} due times of {} jobs, {} outcomes: {verdict}",
        verified.due,
        verified.jobs,
        outcomes.total()
    );
    let _ = writeln!(
        text,
        "  outcomes:  {} started, {} skipped, {} coalesced, {} misfired",
        outcomes.started, outcomes.skipped, outcomes.coalesced, outcomes.misfired
    );
    let _ = writeln!(
        text,
        "  mistakes:  {} missing, {} doubled, {} unexplained, {} wrong",
        verified.missing, verified.doubled, verified.unexplained, verified.wrong
    );
    if let Some(worst) = &verified.worst {
        let _ = writeln!(
            text,
            "  worst:     {} after it was due: {} ({}), {}, {}",
            times::duration(SignedDuration::from_millis(worst.late_ms)),
            visible(&worst.job_name),
            worst.job,
            worst.due_at,
            worst.run
        );
    }
    for finding in &verified.findings {
        let _ = writeln!(
            text,
            "  {}: {} ({}), due {}: {}",
            finding.code,
            visible(&finding.job_name),
            finding.job,
            finding.due_at,
            visible(&finding.reason)
        );
    }
    let all = verified.missing + verified.doubled + verified.unexplained + verified.wrong;
    if all > verified.findings.len() as u64 && verified.findings.len() >= LISTED {
        let _ = writeln!(text, "  only the first {LISTED} findings are listed");
    }
    if verified.undetermined_count > 0 {
        let _ = writeln!(
            text,
            "  {} periods, {} outcomes: cannot be derived any more",
            verified.undetermined_count, verified.unproved
        );
    }
    for period in &verified.undetermined {
        let _ = writeln!(
            text,
            "    {} ({}), {} to {}: {}",
            visible(&period.job_name),
            period.job,
            period.from,
            period.to,
            visible(&period.because)
        );
    }
    if verified.runs_not_kept > 0 {
        let _ = writeln!(
            text,
            "  {} outcomes were not held against their runs: those are no longer kept",
            verified.runs_not_kept
        );
    }
    let took = SignedDuration::from_millis(i64::try_from(verified.took_ms).unwrap_or(i64::MAX));
    let _ = writeln!(text, "  took:      {}", times::duration(took));
    text
}

/// How many findings the server lists.
const LISTED: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use odin_wire::{Finding, OutcomeCounts, Undetermined, WorstStart};

    fn verified() -> Verified {
        let job = "a37b187f5930".parse().unwrap();
        Verified {
            sound: true,
            jobs: 2,
            due: 1_000_003,
            outcomes: OutcomeCounts {
                started: 1_000_000,
                skipped: 1,
                coalesced: 2,
                misfired: 0,
            },
            missing: 0,
            doubled: 0,
            unexplained: 0,
            wrong: 0,
            unproved: 0,
            runs_not_kept: 0,
            findings: Vec::new(),
            undetermined: Vec::new(),
            undetermined_count: 0,
            worst: Some(WorstStart {
                job,
                job_name: "check_stocks".into(),
                due_at: "2026-11-21T15:00:00Z".parse().unwrap(),
                run: "r0000000030000".parse().unwrap(),
                late_ms: 12,
            }),
            took_ms: 2_345,
        }
    }

    #[test]
    fn a_complete_ledger_is_said_to_be_so_with_its_worst_start() {
        expect![[r#"
            1000003 due times of 2 jobs, 1000003 outcomes: complete
              outcomes:  1000000 started, 1 skipped, 2 coalesced, 0 misfired
              mistakes:  0 missing, 0 doubled, 0 unexplained, 0 wrong
              worst:     12 ms after it was due: check_stocks (a37b187f5930), 2026-11-21T15:00:00Z, r0000000030000
              took:      2.3 s
        "#]].assert_eq(&text(&verified()));
    }

    #[test]
    fn what_is_wrong_is_named_with_job_instant_and_code() {
        let at = "2026-11-21T15:00:00Z".parse().unwrap();
        let job = "a37b187f5930".parse().unwrap();
        let found = Verified {
            sound: false,
            missing: 1,
            unproved: 4,
            runs_not_kept: 2,
            undetermined_count: 1,
            findings: vec![Finding {
                job,
                job_name: "check_stocks".into(),
                due_at: at,
                code: "verify/missing".into(),
                reason: "it has no outcome".into(),
            }],
            undetermined: vec![Undetermined {
                job,
                job_name: "check_stocks".into(),
                from: at,
                to: at,
                because: "version 1 is no longer kept".into(),
            }],
            worst: None,
            ..verified()
        };
        expect![[r#"
            1000003 due times of 2 jobs, 1000003 outcomes: NOT complete or not true
              outcomes:  1000000 started, 1 skipped, 2 coalesced, 0 misfired
              mistakes:  1 missing, 0 doubled, 0 unexplained, 0 wrong
              verify/missing: check_stocks (a37b187f5930), due 2026-11-21T15:00:00Z: it has no outcome
              1 periods, 4 outcomes: cannot be derived any more
                check_stocks (a37b187f5930), 2026-11-21T15:00:00Z to 2026-11-21T15:00:00Z: version 1 is no longer kept
              2 outcomes were not held against their runs: those are no longer kept
              took:      2.3 s
        "#]].assert_eq(&text(&found));
    }
}
