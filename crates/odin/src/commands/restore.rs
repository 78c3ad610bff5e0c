//! `odin restore`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use odin_node::backup::{self, Replaced, RestoreError, RestoreOptions, Restored};
use odin_wire::Exit;
use serde::Serialize;

use super::executor::arm_fault;
use super::server::own_data_dir;
use crate::context::Context;
use crate::error::CliError;
use crate::own_codes;

/// How many lost runs are named; the others are counted.
const RUNS_NAMED_MAX: usize = 10;

/// `odin restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    /// Where everything of the node is to be [env: ODIN_DATA_DIR] [default: as of `odin server`]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Move data that is there aside, into `replaced-TIME` in the data directory
    #[arg(long)]
    force: bool,
    /// Verify the backup and say what would come of it, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    data_dir: String,
    dry_run: bool,
    node: String,
    taken_at: Timestamp,
    jobs: u64,
    log_index: u64,
    generation: u8,
    replaced: Option<String>,
    lost_runs: Vec<String>,
    catch_up: CatchUp,
    secrets: Secrets,
}

#[derive(Debug, Serialize)]
struct CatchUp {
    jobs: u64,
    earliest_due: Option<Timestamp>,
    unreadable_schedules: u64,
    policies: Vec<Policy>,
}

#[derive(Debug, Serialize)]
struct Policy {
    missed: &'static str,
    jobs: u64,
    due_times: u64,
    starts: u64,
}

#[derive(Debug, Serialize)]
struct Secrets {
    keys_missing: Vec<String>,
    keys_kept: bool,
}

/// Makes a data directory from a backup.
pub(crate) async fn run(args: RestoreArgs, context: &Context) -> Result<(), CliError> {
    arm_fault()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let options = RestoreOptions {
        data_dir: args.data_dir.map_or_else(own_data_dir, Ok)?,
        backup: args.file,
        existing: if args.force {
            Replaced::MovedAside
        } else {
            Replaced::Never
        },
        dry_run: args.dry_run,
        now: context.now(),
    };
    let restored = backup::restore(&options)
        .await
        .map_err(|error| refused(&error))?;
    let report = report(&options, restored);
    if context.json() {
        return context.print_json(&report);
    }
    context.print(&drawn(&report))
}

fn report(options: &RestoreOptions, restored: Restored) -> Report {
    let Restored {
        backup,
        generation,
        aside,
        lost,
        forecast,
        keys_missing,
        keys_kept,
    } = restored;
    let policies = forecast.policies.iter().map(|policy| Policy {
        missed: policy.missed,
        jobs: policy.jobs,
        due_times: policy.due,
        starts: policy.starts,
    });
    Report {
        data_dir: options.data_dir.display().to_string(),
        dry_run: options.dry_run,
        node: backup.manifest.node,
        taken_at: backup.manifest.taken_at,
        jobs: backup.manifest.jobs,
        log_index: backup.manifest.log_index,
        generation,
        replaced: aside.map(|aside| aside.display().to_string()),
        lost_runs: lost.iter().map(ToString::to_string).collect(),
        catch_up: CatchUp {
            jobs: forecast.jobs,
            earliest_due: forecast.earliest,
            unreadable_schedules: forecast.unplannable,
            policies: policies.collect(),
        },
        secrets: Secrets {
            keys_missing: keys_missing.iter().map(ToString::to_string).collect(),
            keys_kept,
        },
    }
}

fn drawn(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        let _ = writeln!(text, "{}", crate::terminal::visible(&words));
    };
    let (did, becomes) = match report.dry_run {
        true => ("would be restored into", "would be"),
        false => ("restored into", "is"),
    };
    line(format!(
        "node {} of {} {did} {}: {} jobs, generation {}",
        report.node, report.taken_at, report.data_dir, report.jobs, report.generation
    ));
    if let Some(replaced) = &report.replaced {
        line(format!("the data that was there: {replaced}"));
    }
    if !report.lost_runs.is_empty() {
        let named = report.lost_runs[..report.lost_runs.len().min(RUNS_NAMED_MAX)].join(", ");
        let more = match report.lost_runs.len().saturating_sub(RUNS_NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        line(format!(
            "running when the backup was made, what became of them {becomes} unknown, so `lost`: {named}{more}"
        ));
    }
    let catch_up = &report.catch_up;
    match catch_up.earliest_due {
        None => line("nothing has become due since the backup".to_owned()),
        Some(earliest) => {
            line(format!(
                "became due since the backup, the first at {earliest}; when the server starts:"
            ));
            for policy in &catch_up.policies {
                line(format!(
                    "  missed: {}  {} jobs, {} due times, of which {} start a run",
                    policy.missed, policy.jobs, policy.due_times, policy.starts
                ));
            }
            line(
                "  what the old server started after the backup is not known, and may start again"
                    .to_owned(),
            );
        }
    }
    if catch_up.unreadable_schedules > 0 {
        line(format!(
            "{} jobs have schedules that this Odin cannot read",
            catch_up.unreadable_schedules
        ));
    }
    let secrets = &report.secrets;
    if secrets.keys_kept {
        line("the keys of the secrets: those that were there".to_owned());
    }
    if !secrets.keys_missing.is_empty() {
        line(format!(
            "the secrets sealed by {} cannot be used: put secrets.key there, or set them again",
            secrets.keys_missing.join(", ")
        ));
    }
    text
}

fn refused(error: &RestoreError) -> CliError {
    let exit = own_codes::exit_of(error.code()).unwrap_or(Exit::Failed);
    CliError::new(exit, error.code(), error.to_string()).with_help(error.help())
}
