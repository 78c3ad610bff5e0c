//! One look at what the processes and files of a server take.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use odin_testbed::Server;

use crate::outcome::Outcome;

/// What the names of the log's files end with.
const LOG_EXTENSION: &str = "wal";

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    ServerMemory,
    ServerDescriptors,
    ServerThreads,
    ExecutorMemory,
    ExecutorDescriptors,
    ExecutorThreads,
    State,
    Log,
    Journal,
    Output,
    History,
    /// How many attempts have begun: what some of the others may grow with.
    Runs,
}

use Measure as M;

/// All that must stay flat.
pub(super) const MEASURES: [Measure; 11] = [
    M::ServerMemory,
    M::ServerDescriptors,
    M::ServerThreads,
    M::ExecutorMemory,
    M::ExecutorDescriptors,
    M::ExecutorThreads,
    M::State,
    M::Log,
    M::Journal,
    M::Output,
    M::History,
];

/// The values at one instant.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Since the soak began.
    pub(super) at: Duration,
    /// In the order of [`Measure`]: memory and files in KiB, the others as counts.
    values: [f64; 12],
}

impl Sample {
    pub(super) fn take(server: &Server, at: Duration) -> Outcome<Self> {
        let executors = server.executors();
        let &[executor] = executors.as_slice() else {
            return Err(format!("there is not one executor but {executors:?}").into());
        };
        let data = server.data_dir();
        let mut values = [0.0; 12];
        let mut set = |measure: Measure, value: u64| {
            #[expect(clippy::cast_precision_loss, reason = "far below what a float holds")]
            let value = value as f64;
            values[measure as usize] = value;
        };
        set(M::ServerMemory, status(server.pid(), "RssAnon:")?);
        set(M::ServerThreads, status(server.pid(), "Threads:")?);
        set(M::ServerDescriptors, descriptors(server.pid())?);
        set(M::ExecutorMemory, status(executor, "RssAnon:")?);
        set(M::ExecutorThreads, status(executor, "Threads:")?);
        set(M::ExecutorDescriptors, descriptors(executor)?);
        set(
            M::State,
            kib(&data.join("state.db")) + kib(&data.join("state.db-wal")),
        );
        set(M::Log, kib(&data.join("log")));
        set(M::Journal, kib(&data.join("executor")));
        set(M::Output, kib(&data.join("output")));
        set(M::History, kib(&data.join("history")));
        set(M::Runs, evidence_lines(data)?);
        Ok(Self { at, values })
    }

    pub(super) fn value(&self, measure: Measure) -> f64 {
        self.values[measure as usize]
    }

    pub(super) fn heading() -> String {
        let names = MEASURES
            .iter()
            .map(|measure| format!("{:>14}", measure.short()));
        format!("{:>6}{}{:>9}", "s", names.collect::<String>(), "runs")
    }

    #[cfg(test)]
    pub(super) fn of(at: Duration, measure: Measure, value: f64, runs: f64) -> Self {
        let mut values = [0.0; 12];
        values[measure as usize] = value;
        values[M::Runs as usize] = runs;
        Self { at, values }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}", self.at.as_secs())?;
        for measure in MEASURES {
            write!(f, "{:>14}", self.value(measure))?;
        }
        write!(f, "{:>9}", self.value(M::Runs))
    }
}

impl Measure {
    fn short(self) -> &'static str {
        match self {
            M::ServerMemory => "server KiB",
            M::ServerDescriptors => "server fds",
            M::ServerThreads => "threads",
            M::ExecutorMemory => "executor KiB",
            M::ExecutorDescriptors => "executor fds",
            M::ExecutorThreads => "threads",
            M::State => "state KiB",
            M::Log => "log KiB",
            M::Journal => "journal KiB",
            M::Output => "output KiB",
            M::History => "history KiB",
            M::Runs => "runs",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            M::ServerMemory => "the server's own memory, KiB",
            M::ServerDescriptors => "the server's descriptors",
            M::ServerThreads => "the server's threads",
            M::ExecutorMemory => "the executor's own memory, KiB",
            M::ExecutorDescriptors => "the executor's descriptors",
            M::ExecutorThreads => "the executor's threads",
            M::State => "state.db with its WAL, KiB",
            M::Log => "the log, KiB",
            M::Journal => "the executor's files, KiB",
            M::Output => "output, KiB",
            M::History => "sealed history, KiB",
            M::Runs => "runs",
        }
    }
}

fn status(pid: u32, field: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let text = line.ok_or_else(|| format!("no {field} in the status of {pid}"))?;
    Ok(text.trim().trim_end_matches(" kB").parse()?)
}

/// How many descriptors a process has open, without those of the log's files: it has one for each 2 MiB, until the next
/// snapshot, and is a measure of its own.
fn descriptors(pid: u32) -> Outcome<u64> {
    let is_of_log = |entry: &std::fs::DirEntry| {
        let leads_to = std::fs::read_link(entry.path()).unwrap_or_default();
        leads_to.extension().is_some_and(|it| it == LOG_EXTENSION)
    };
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"))?.flatten();
    let count = entries.filter(|entry| !is_of_log(entry)).count();
    Ok(u64::try_from(count)?)
}

/// What a file or everything in a directory takes. What goes away meanwhile takes nothing.
fn kib(path: &Path) -> u64 {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return 0;
    };
    if !found.is_dir() {
        return std::os::unix::fs::MetadataExt::blocks(&found) / 2;
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| kib(&entry.path())).sum()
}

/// How many lines the jobs have written: the evidence stands beside the data directory.
fn evidence_lines(data: &Path) -> Outcome<u64> {
    let beside = data.parent().ok_or("the data directory has no parent")?;
    let mut lines = 0;
    for job in &super::jobs::JOBS {
        let text = std::fs::read(beside.join(job.name))?;
        lines += text.iter().filter(|&&byte| byte == b'\n').count();
    }
    Ok(u64::try_from(lines)?)
}
