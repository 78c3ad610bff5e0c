//! A hundred thousand jobs due at one instant, and one that is due every second meanwhile.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::JobId;
use odin_model::run::Outcome::Succeeded;
use odin_model::run::{Run, RunState};
use odin_testbed::Server;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::bench::idle::memory_mib;
use crate::bench::rate::{all_runs, whole_second};
use crate::bench::raw::Raw;
use crate::bench::{Size, now, percentile, populate};
use crate::outcome::Outcome;

/// Between two looks at the processes.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Runs of the other job that may be open at any time: it is decided four seconds ahead.
const OPEN_MEANWHILE: u64 = 8;
/// A job of its own instant that starts later than this was kept out, in seconds. What is left of lateness comes from
/// the machine, which has no processor free.
const WITNESS_LATE_MAX: f64 = 5.0;
/// Given up after this.
const AT_MOST: SignedDuration = SignedDuration::from_mins(20);

pub(crate) async fn measure(arguments: &Arguments, size: Size, raw: &Raw) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = populate::template(&arguments.odin, directory.path())?;
    // Time to deploy them and to start the server: a thousand are deployed in well under a second.
    let ahead =
        SignedDuration::from_secs(30) + SignedDuration::from_millis(size.mass.cast_signed());
    let due = whole_second(now() + ahead);
    let began = now();
    populate::jobs(
        server.data_dir(),
        size.mass,
        "every January 4th at 13:15",
        due,
    )
    .await?;
    println!(
        "  {} jobs deployed through the log in {:.1} s",
        size.mass,
        now().duration_since(began).as_secs_f64()
    );
    server.restart();
    witness(&server, directory.path())?;
    if now() >= due {
        return Err("the deploys took longer than expected: nothing was due at one instant".into());
    }
    let peak = until_over(&server, due).await?;
    server.kill();
    let runs = all_runs(&server.data_dir().join("state.db"))?;
    tell(&runs, due, size, raw)?;
    println!(
        "  at most {:.0} MiB for the server, {:.0} MiB for the executor",
        peak.0, peak.1
    );
    Ok(())
}

/// A job that is due every second, before, while and after the others are.
fn witness(server: &Server, directory: &Path) -> Outcome<()> {
    let job_file = directory.join("witness.yml");
    std::fs::write(
        &job_file,
        "job:\n  name: witness\n  description: ''\n  command: [/bin/true]\n  schedule: every second\n",
    )?;
    let deployed = server.odin([Path::new("deploy"), Path::new("-f"), &job_file]);
    if deployed.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&deployed.stderr)
            .into_owned()
            .into())
    }
}

/// Waits until the work is done; the most memory that the server and the executor had, in MiB.
async fn until_over(server: &Server, due: Timestamp) -> Outcome<(f64, f64)> {
    let wait = (due + LOOK_EVERY).duration_since(now());
    sleep(Duration::try_from(wait).unwrap_or_default()).await;
    let executor = *server.executors().first().ok_or("there is no executor")?;
    let mut peak = (0.0f64, 0.0f64);
    while open_runs(server)? > OPEN_MEANWHILE {
        sleep(LOOK_EVERY).await;
        peak = (
            peak.0.max(memory_mib(server.pid(), "Rss:")?),
            peak.1.max(memory_mib(executor, "Rss:")?),
        );
        if now() > due + AT_MOST {
            return Err("the jobs of one instant are not over after twenty minutes".into());
        }
    }
    Ok(peak)
}

/// How many runs are not over, as the server's metrics say.
fn open_runs(server: &Server) -> Outcome<u64> {
    let mut stream = UnixStream::connect(&server.socket)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: odin\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let of_states = answer
        .lines()
        .filter(|line| line.starts_with("odin_open_runs{"))
        .filter_map(|line| line.rsplit(' ').next());
    let counts = of_states.map(str::parse::<u64>);
    let counts = counts.collect::<Result<Vec<_>, _>>()?;
    if counts.is_empty() {
        return Err("the metrics do not say how many runs are open".into());
    }
    Ok(counts.iter().sum())
}

fn tell(runs: &[Run], due: Timestamp, size: Size, raw: &Raw) -> Outcome<()> {
    let of_mass = |run: &&Run| {
        let first = populate::job_id(0).to_bits();
        (first..first + size.mass).contains(&run.job.to_bits())
    };
    let mass: Vec<_> = runs.iter().filter(of_mass).collect();
    let jobs: HashSet<JobId> = mass.iter().map(|run| run.job).collect();
    let (finished, others): (Vec<&Run>, Vec<&Run>) = mass
        .iter()
        .partition(|run| matches!(run.state, RunState::Finished(_)));
    let late = lateness(mass.iter().copied().filter(|run| run.due_at == Some(due)));
    #[expect(clippy::cast_precision_loss, reason = "a count of processes")]
    let raw_seconds = size.mass as f64 / raw.rate;
    println!(
        "  {} runs of {} jobs, {} over; first start {:.3} s after due, median {:.1} s, last {:.1} s = {:.2} × raw",
        mass.len(),
        jobs.len(),
        finished.len(),
        percentile(&late, 0.0),
        percentile(&late, 0.5),
        percentile(&late, 1.0),
        percentile(&late, 1.0) / raw_seconds
    );
    // Its own occurrence of that instant is one of the crowd, which nothing puts before the others.
    let meanwhile = due + SignedDuration::from_millis(1)
        ..due + SignedDuration::try_from_secs_f64(percentile(&late, 1.0))?;
    let witness = runs.iter().filter(|run| !of_mass(run));
    let witness =
        lateness(witness.filter(|run| run.due_at.is_some_and(|at| meanwhile.contains(&at))));
    println!(
        "  a job due every second meanwhile: {} starts, p50 {:.3} s after due, p99 {:.3} s, worst {:.3} s",
        witness.len(),
        percentile(&witness, 0.5),
        percentile(&witness, 0.99),
        percentile(&witness, 1.0)
    );
    // One occurrence each second, but for the second at either end.
    let seconds = meanwhile.end.duration_since(due).as_secs();
    if i64::try_from(witness.len())? < seconds - 1 {
        return Err(format!(
            "the job of every second started {} times in {seconds} s",
            witness.len()
        )
        .into());
    }
    if percentile(&witness, 1.0) > WITNESS_LATE_MAX {
        return Err(format!(
            "the job of every second started {:.1} s late: the crowd keeps it out",
            percentile(&witness, 1.0)
        )
        .into());
    }
    let early = mass
        .iter()
        .filter(|run| run.started_at.is_some_and(|at| at < due))
        .count();
    let succeeded = |run: &&&Run| run.state == RunState::Finished(Succeeded);
    let failed = mass.len() - mass.iter().filter(succeeded).count();
    if early + failed > 0 {
        return Err(format!("{early} started before their time, {failed} did not succeed").into());
    }
    if mass.len() as u64 != size.mass || jobs.len() != mass.len() || !others.is_empty() {
        return Err(format!(
            "{} runs of {} jobs, {} not over",
            mass.len(),
            jobs.len(),
            others.len()
        )
        .into());
    }
    Ok(())
}

/// Seconds from due to start, sorted.
fn lateness<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<f64> {
    let late =
        runs.filter_map(|run| Some(run.started_at?.duration_since(run.due_at?).as_secs_f64()));
    let mut late: Vec<_> = late.collect();
    late.sort_by(f64::total_cmp);
    late
}
