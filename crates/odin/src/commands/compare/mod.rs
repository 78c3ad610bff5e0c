//! `odin compare`.

mod difference;
mod drawing;
mod facts;
mod output;
mod values;

use clap::Args;
use odin_client::{Client, ClientError};
use odin_model::RunId;
use odin_wire::{Exit, Run, Value};
use serde::Serialize;

use self::facts::Measure;
use self::output::OutputDifference;
use self::values::ValuePair;
use super::diff::{self, Difference};
use crate::context::Context;
use crate::error::CliError;
use crate::terminal;
use crate::times;

/// `odin compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The run to start from, usually the earlier one
    #[arg(value_name = "RUN")]
    before: RunId,
    /// The run to hold against it
    #[arg(value_name = "RUN")]
    after: RunId,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Comparison {
    before: Run,
    after: Run,
    /// Numbers that Odin measured.
    measures: Vec<Measure>,
    /// What both reported last by each name and kind, by name.
    values: Vec<ValuePair>,
    /// What differs between the versions that they ran. `null`: they ran the same one, or one is of another job or is
    /// no longer kept.
    version: Option<Difference>,
    output: OutputDifference,
}

/// Puts two runs side by side.
pub(crate) async fn run(args: &CompareArgs, context: &Context) -> Result<(), CliError> {
    if args.before == args.after {
        let message = format!("{} is compared with itself", args.before);
        return Err(CliError::refused("cli/same-run", message)
            .with_help("`odin runs -i JOB` lists the runs of a job."));
    }
    let client = context.client().await?;
    let before = client.run(args.before, None).await?;
    let after = client.run(args.after, None).await?;
    let (old, new) = (
        latest(&client, args.before).await?,
        latest(&client, args.after).await?,
    );
    let comparison = Comparison {
        measures: facts::measures(&before, &after),
        values: values::pairs(old, new),
        version: version(&client, &before, &after).await?,
        output: output::between(&client, &before, &after).await?,
        before,
        after,
    };
    if context.json() {
        return context.print_json(&comparison);
    }
    // The job may be gone; its runs stay.
    let job = client.job(comparison.after.job).await.ok();
    let zone = job.map_or(jiff::tz::TimeZone::UTC, |job| times::zone(&job.timezone));
    let width = terminal::stdout_width();
    context.print(&drawing::text(&comparison, &zone, width))
}

/// What a run reported last by each name and kind.
async fn latest(client: &Client, run: RunId) -> Result<Vec<Value>, CliError> {
    let mut values = Vec::new();
    let mut query = odin_wire::RunValuesQuery {
        latest: Some(true),
        limit: Some(odin_wire::LIMIT_MAX),
        ..Default::default()
    };
    loop {
        let page = client.values_of_run(run, &query).await?;
        values.extend(page.values);
        // A page that ends where the one before it did would be asked for again and again.
        match page.next {
            Some(next) if query.after.as_ref() != Some(&next) => query.after = Some(next),
            _ => return Ok(values),
        }
    }
}

async fn version(
    client: &Client,
    before: &Run,
    after: &Run,
) -> Result<Option<Difference>, CliError> {
    if before.job != after.job || before.version == after.version {
        return Ok(None);
    }
    let versions = (before.version, after.version);
    match diff::of_versions(client, after.job, &after.job_name, versions).await {
        Ok(difference) => Ok(Some(difference)),
        // What is gone from the server cannot be compared, and the rest still can.
        Err(CliError::Client(ClientError::Refused(problem)))
            if problem.exit() == Exit::NotFound =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
