//! How many processes a second a server runs when more come due than it can.

use std::time::Duration;

use jiff::SignedDuration;
use odin_model::run::Run;
use odin_store::{RunsOf, Store};
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::bench::raw::Raw;
use crate::bench::{Size, now, populate};
use crate::outcome::Outcome;

/// The first seconds, in which the server finds its pace, do not count.
const WARM_UP: Duration = Duration::from_secs(3);
/// Until the first occurrence: long enough to start the server.
const AHEAD: Duration = Duration::from_secs(6);

pub(crate) async fn measure(arguments: &Arguments, size: Size, raw: &Raw) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = populate::template(&arguments.odin, directory.path())?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of jobs"
    )]
    let jobs = raw.rate as u64;
    let first_due = whole_second(now() + AHEAD);
    populate::jobs(server.data_dir(), jobs, "every second", first_due).await?;
    server.restart();
    let until = first_due + WARM_UP + size.window;
    sleep(Duration::try_from(until.duration_since(now())).unwrap_or_default()).await;
    server.kill();

    let runs = all_runs(&server.data_dir().join("state.db"))?;
    let counts = first_due + WARM_UP..until;
    let finished = runs
        .iter()
        .filter(|run| run.finished_at.is_some_and(|at| counts.contains(&at)))
        .count();
    #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
    let rate = finished as f64 / size.window.as_secs_f64();
    println!("  {jobs} jobs due every second: {rate:.0} runs a second finished and recorded");
    println!(
        "  {:.0} % of raw   (goal 70 %, below 50 % is not done)",
        100.0 * rate / raw.rate
    );
    Ok(())
}

/// The next full second.
pub(crate) fn whole_second(at: jiff::Timestamp) -> jiff::Timestamp {
    let begun = jiff::Timestamp::from_second(at.as_second()).expect("a second of an instant");
    begun + SignedDuration::from_secs(1)
}

/// All runs in a state file that no server uses.
pub(crate) fn all_runs(state: &std::path::Path) -> Outcome<Vec<Run>> {
    let reader = Store::open(state)?.reader();
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let page = reader.runs(RunsOf::All, before, 1000)?;
        all.extend(page.runs);
        match page.next {
            None => return Ok(all),
            next => before = next,
        }
    }
}
