//! What a server takes that has nothing to do, and how soon it is there.

use std::time::Duration;

use jiff::SignedDuration;
use odin_model::Clock;
use odin_node::clock::SystemClock;
use odin_testbed::Server;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::bench::{Size, now, populate};
use crate::outcome::Outcome;

/// Clock ticks a second in /proc, which Linux fixes at 100.
const TICKS: f64 = 100.0;

pub(crate) async fn measure(arguments: &Arguments, size: Size) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = populate::template(&arguments.odin, directory.path())?;
    figures("no jobs", &mut server, size).await?;
    server.terminate();
    // Due in a year: registered, and idle.
    let far = now() + SignedDuration::from_hours(24 * 365);
    let began = SystemClock.boottime();
    populate::jobs(
        server.data_dir(),
        size.registered,
        "every January 4th at 13:15",
        far,
    )
    .await?;
    let took = SystemClock.boottime().since(began).as_secs_f64();
    println!(
        "  {} jobs deployed through the log in {took:.1} s",
        size.registered
    );
    figures(&format!("{} jobs", size.registered), &mut server, size).await
}

async fn figures(what: &str, server: &mut Server, size: Size) -> Outcome<()> {
    let began = SystemClock.boottime();
    server.restart();
    let ready = SystemClock.boottime().since(began).as_secs_f64() * 1000.0;
    // What starting up left behind is not idling.
    sleep(Duration::from_secs(3)).await;
    let processes: Vec<_> = std::iter::once(server.pid())
        .chain(server.executors())
        .collect();
    let before = ticks(&processes)?;
    sleep(size.window).await;
    let share = (ticks(&processes)? - before) / TICKS / size.window.as_secs_f64();
    let memory = |of| {
        let memory = processes.iter().map(|&pid| memory_mib(pid, of));
        memory.collect::<Outcome<Vec<_>>>()
    };
    let (resident, shared_once) = (memory("Rss:")?, memory("Pss:")?);
    println!(
        "  {what}: ready {ready:.0} ms after start, {:.1} MiB (server {:.1}, executor {:.1}; {:.1} with the program's pages counted once), {:.2} % of one CPU",
        resident.iter().sum::<f64>(),
        resident[0],
        resident.iter().skip(1).sum::<f64>(),
        shared_once.iter().sum::<f64>(),
        100.0 * share
    );
    println!("    (target: 200 ms, 40 MB, 0.2 %; a million jobs under 200 MB and 2 s)");
    Ok(())
}

/// User and system time of processes, in ticks.
fn ticks(processes: &[u32]) -> Outcome<f64> {
    let mut sum = 0.0;
    for pid in processes {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may hold anything.
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let field = |place: usize| {
            fields
                .get(place)
                .and_then(|text| text.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        // Counted from the field after the name.
        sum += field(11) + field(12);
    }
    Ok(sum)
}

/// `Rss:`, what is resident, or `Pss:`, in which a page counts by its share among the processes that have it.
pub(crate) fn memory_mib(pid: u32, of: &str) -> Outcome<f64> {
    let sums = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = sums
        .lines()
        .find_map(|line| line.strip_prefix(of))
        .ok_or_else(|| format!("no {of}"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
