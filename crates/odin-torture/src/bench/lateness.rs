//! How late processes start after their due instant.

use std::time::Duration;

use odin_model::run::Run;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::bench::rate::{all_runs, whole_second};
use crate::bench::raw::Raw;
use crate::bench::{Size, now, percentile, populate};
use crate::outcome::Outcome;

/// Until the first occurrence: long enough to start the server and to unpack what a first run needs.
const AHEAD: Duration = Duration::from_secs(9);

/// Many jobs of one instant. The second instant counts: at the first, the files of each job are unpacked too.
pub(crate) async fn herd(arguments: &Arguments, size: Size, raw: &Raw) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = populate::template(&arguments.odin, directory.path())?;
    let first_due = whole_second(now() + AHEAD);
    populate::jobs(
        server.data_dir(),
        size.herd as u64,
        "every 15 seconds",
        first_due,
    )
    .await?;
    server.restart();
    let until = first_due + Duration::from_secs(15 + 8);
    sleep(Duration::try_from(until.duration_since(now())).unwrap_or_default()).await;
    server.kill();

    let runs = all_runs(&server.data_dir().join("state.db"))?;
    let mut instants: Vec<_> = runs.iter().filter_map(|run| run.due_at).collect();
    instants.sort();
    instants.dedup();
    #[expect(clippy::cast_precision_loss, reason = "a count of processes")]
    let raw_ms = 1000.0 * size.herd as f64 / raw.rate;
    for (which, due) in ["first", "second"].into_iter().zip(instants) {
        let late = lateness_ms(runs.iter().filter(|run| run.due_at == Some(due)));
        println!(
            "  {which} time, {} runs: first start {:.1} ms after due, median {:.1} ms, last {:.1} ms = {:.2} × raw",
            late.len(),
            percentile(&late, 0.0),
            percentile(&late, 0.5),
            percentile(&late, 1.0),
            percentile(&late, 1.0) / raw_ms
        );
    }
    println!(
        "  raw needs {raw_ms:.0} ms for as many   (target: first within 5 ms, last within 1.3 × raw)"
    );
    Ok(())
}

/// One job every second.
pub(crate) async fn one(arguments: &Arguments, size: Size) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = populate::template(&arguments.odin, directory.path())?;
    let first_due = whole_second(now() + AHEAD);
    populate::jobs(server.data_dir(), 1, "every second", first_due).await?;
    server.restart();
    let until = first_due + 2 * size.window;
    sleep(Duration::try_from(until.duration_since(now())).unwrap_or_default()).await;
    server.kill();

    let runs = all_runs(&server.data_dir().join("state.db"))?;
    let late = lateness_ms(runs.iter().filter(|run| run.due_at.is_some()));
    println!(
        "  {} runs: p50 {:.2} ms, p99 {:.2} ms, worst {:.2} ms after due   (target: p50 2 ms, p99 10 ms)",
        late.len(),
        percentile(&late, 0.5),
        percentile(&late, 0.99),
        percentile(&late, 1.0)
    );
    Ok(())
}

/// Milliseconds from due to start, sorted.
fn lateness_ms<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<f64> {
    let late = runs
        .filter_map(|run| Some(run.started_at?.duration_since(run.due_at?).as_secs_f64() * 1000.0));
    let mut late: Vec<_> = late.collect();
    late.sort_by(f64::total_cmp);
    late
}
