//! How late processes start after their due instant.

use std::path::Path;
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

/// The first seconds, in which files are unpacked, do not count.
const WARM_UP: Duration = Duration::from_secs(3);

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

/// Jobs of each second while nothing else goes on, while their runs are sealed into history and let go of, and while one
/// backup after the other is made.
pub(crate) async fn beside(arguments: &Arguments, size: Size) -> Outcome<()> {
    let sealing = ["--history-period", "1s", "--history-bytes", "100KiB"];
    for (beside, of_server, makes_backups) in [
        ("nothing", &[][..], false),
        ("sealing and retention", &sealing[..], false),
        ("backups", &[][..], true),
    ] {
        let directory = tempfile::tempdir()?;
        let mut server = populate::template_with(&arguments.odin, directory.path(), of_server)?;
        let first_due = whole_second(now() + AHEAD);
        let count = size.herd as u64 / 4;
        populate::jobs(server.data_dir(), count, "every second", first_due).await?;
        server.restart();
        let until = first_due + WARM_UP + size.window;
        let mut backups = 0;
        while makes_backups && now() < until {
            let file = directory.path().join(format!("backup-{backups}"));
            let made = server.odin([Path::new("backup"), &file]);
            if !made.status.success() {
                return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
            }
            std::fs::remove_file(file)?;
            backups += 1;
        }
        sleep(Duration::try_from(until.duration_since(now())).unwrap_or_default()).await;
        server.kill();
        let sealed = newest_file_of(&server.data_dir().join("history"))?;
        let runs = all_runs(&server.data_dir().join("state.db"))?;
        let counts = |run: &&Run| run.due_at.is_some_and(|due| due >= first_due + WARM_UP);
        let late = lateness_ms(runs.iter().filter(counts));
        println!(
            "  {beside:<22} {} runs of {count} a second, {sealed} periods sealed, {backups} backups: p50 {:.2} ms, p99 {:.2} ms, worst {:.2} ms after due",
            late.len(),
            percentile(&late, 0.5),
            percentile(&late, 0.99),
            percentile(&late, 1.0)
        );
    }
    Ok(())
}

/// The number of the latest file of history; 0: there is none.
fn newest_file_of(history: &Path) -> Outcome<u64> {
    let mut newest = 0;
    for entry in std::fs::read_dir(history)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.split('.').next());
        newest = newest.max(number.and_then(|text| text.parse().ok()).unwrap_or(0));
    }
    Ok(newest)
}

/// Milliseconds from due to start, sorted.
fn lateness_ms<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<f64> {
    let late = runs
        .filter_map(|run| Some(run.started_at?.duration_since(run.due_at?).as_secs_f64() * 1000.0));
    let mut late: Vec<_> = late.collect();
    late.sort_by(f64::total_cmp);
    late
}
