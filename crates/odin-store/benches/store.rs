//! What the state costs: CPU time of a run and of reported values on the thread that applies the log, opening a state
//! of many jobs, and drawing a series of a million points. CPU time of the thread, not wall time, so that a busy machine shows nearly the same.

mod shared;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use odin_model::attempt::{AttemptEvent, AttemptEventKind, AttemptResult, Ending};
use odin_model::command::{Command, Fire, FireItem};
use odin_model::output::{OutputChunk, OutputKept, OutputSummary, Stream};
use odin_model::value::{ReportValues, ValuesPart};
use odin_model::{
    AttemptNumber, JobId, Reply, Revision, RunId, Usage, Value, ValueData, ValueKind, codec,
};
use odin_store::{Entry, SeriesQuery, Store};

use shared::{NODE, cpu_time, deploy, due, facts};

const JOBS: u64 = 10_000;
const BATCH: u64 = 256;

struct Bench {
    store: Store,
    jobs: u64,
    index: u64,
    revisions: Vec<Revision>,
    /// How often each job has come due.
    rounds: Vec<i64>,
    next_job: u64,
    directory: tempfile::TempDir,
}

impl Bench {
    /// A store of so many jobs, first due `spread` apart.
    fn new(jobs: u64, spread: SignedDuration) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(&directory.path().join("state.db")).expect("a new store");
        let mut bench = Self {
            store,
            index: 0,
            revisions: Vec::new(),
            jobs,
            rounds: vec![0; usize::try_from(jobs).expect("a small number")],
            next_job: 0,
            directory,
        };
        bench.apply(&[Command::NodeUp {
            node: NODE,
            facts: facts(),
            at: due(0),
        }]);
        for first in (0..jobs).step_by(1000) {
            let some: Vec<_> = (first..jobs.min(first + 1000))
                .map(|job| {
                    let mut deploy = deploy(job);
                    deploy.due.next_due = deploy
                        .due
                        .next_due
                        .map(|due| due + spread * i32::try_from(job).expect("a small number"));
                    Command::Deploy(Box::new(deploy))
                })
                .collect();
            let replies = bench.apply(&some);
            bench
                .revisions
                .extend(replies.iter().map(|reply| match reply {
                    Reply::Job { revision, .. } => *revision,
                    other => unreachable!("deploys of new jobs succeed: {other:?}"),
                }));
        }
        bench
    }

    fn apply(&mut self, commands: &[Command]) -> Vec<Reply> {
        let encoded: Vec<_> = commands.iter().map(codec::encode).collect();
        self.apply_encoded(&encoded)
    }

    fn apply_encoded(&mut self, encoded: &[Vec<u8>]) -> Vec<Reply> {
        let first = self.index + 1;
        self.index += encoded.len() as u64;
        let entries: Vec<_> = (first..)
            .zip(encoded)
            .map(|(index, command)| Entry { index, command })
            .collect();
        self.store
            .apply(&entries, b"mark")
            .expect("the store takes it")
            .replies
    }

    /// The next batch of occurrences, and the reports of its runs.
    fn next_batch(&mut self, apart: bool) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let mut items = Vec::new();
        for _ in 0..BATCH {
            let job = self.next_job;
            self.next_job = (job + 1) % self.jobs;
            let place = usize::try_from(job).expect("a small number");
            let round = &mut self.rounds[place];
            *round += 1;
            items.push(FireItem {
                job: JobId::from_bits(job),
                revision: self.revisions[place],
                due: due(*round),
                earlier: None,
                listed: vec![due(*round)],
                next_due: Some(due(*round + 1)),
                node: Some(NODE),
                calendars: 0,
            });
        }
        let proposed_at = items.iter().map(|item| item.due).min().unwrap_or(due(0));
        let fire = Command::Fire(Fire { items, proposed_at });
        let runs: Vec<_> = (0..BATCH)
            .map(|place| {
                RunId::new(
                    0,
                    self.index + 1,
                    u16::try_from(place).expect("a small number"),
                )
            })
            .collect();
        let start = |&run: &RunId| started(run);
        let finish = |&run: &RunId| finished(run);
        let events = if apart {
            runs.iter()
                .map(start)
                .chain(runs.iter().map(finish))
                .collect()
        } else {
            runs.iter()
                .flat_map(|run| [started(*run), finished(*run)])
                .collect()
        };
        let report = Command::Report { node: NODE, events };
        (vec![codec::encode(&fire)], vec![codec::encode(&report)])
    }
}

/// Runs that report values, as their node hands them on: 256 KiB at once.
struct Reporting {
    bench: Bench,
    runs: Vec<RunId>,
    /// What each run has reported.
    counts: Vec<u64>,
    names: Vec<String>,
    /// Between two values.
    apart: SignedDuration,
    total: u32,
}

impl Reporting {
    fn new(runs: usize, names: usize, apart: SignedDuration) -> Self {
        let mut bench = Bench::new(BATCH, SignedDuration::ZERO);
        let (fire, _) = bench.next_batch(false);
        bench.apply_encoded(&fire);
        let index = bench.index;
        let run =
            |place: usize| RunId::new(0, index, u16::try_from(place).expect("a small number"));
        Self {
            bench,
            runs: (0..runs).map(run).collect(),
            counts: vec![0; runs],
            names: (0..names).map(|name| format!("value {name}")).collect(),
            apart,
            total: 0,
        }
    }

    fn next_value(&mut self) -> Value {
        self.total += 1;
        let total = f64::from(self.total);
        let place = usize::try_from(self.total).expect("a small number");
        Value {
            at: due(0) + self.apart * i32::try_from(self.total).expect("a small number"),
            kind: ValueKind::Watch,
            name: self.names[place % self.names.len()].clone(),
            data: ValueData::Number((100.0 + (total / 1000.0).sin()).to_string()),
            status: None,
            unit: None,
            flaw: None,
        }
    }

    /// A command of 256 KiB with about as many values of each run, and how many values that is.
    fn command(&mut self) -> (Vec<u8>, u64) {
        const BYTES: usize = 256 << 10;
        let sample = codec::encode(&self.next_value()).len();
        let each = BYTES / sample / self.runs.len();
        let mut parts = Vec::new();
        for place in 0..self.runs.len() {
            let values: Vec<_> = (0..each).map(|_| self.next_value()).collect();
            let from = self.counts[place];
            self.counts[place] += each as u64;
            parts.push(ValuesPart {
                run: self.runs[place],
                attempt: AttemptNumber::FIRST,
                from,
                to: from + each as u64,
                taken_at: values.first().map_or(Timestamp::UNIX_EPOCH, |it| it.at),
                values,
            });
        }
        let count = (each * self.runs.len()) as u64;
        (
            codec::encode(&Command::Values(ReportValues { parts })),
            count,
        )
    }
}

fn started(run: RunId) -> AttemptEvent {
    AttemptEvent {
        run,
        attempt: AttemptNumber::FIRST,
        kind: AttemptEventKind::Started {
            at: due(1),
            pid: 4711,
        },
    }
}

fn finished(run: RunId) -> AttemptEvent {
    let chunk = OutputChunk {
        stream: Stream::Stdout,
        at: due(1),
        bytes: b"pruned 3 files\n".to_vec(),
    };
    let result = AttemptResult {
        ending: Ending::Exited { code: 0 },
        started_at: Some(due(1)),
        finished_at: due(1),
        usage: Usage {
            cpu_user: Duration::from_micros(400),
            cpu_system: Duration::from_micros(300),
            memory_max_bytes: 2 << 20,
        },
        output: OutputSummary {
            stdout_bytes: 15,
            stderr_bytes: 0,
            dropped_bytes: 0,
            kept: OutputKept::Inline(vec![chunk]),
        },
    };
    AttemptEvent {
        run,
        attempt: AttemptNumber::FIRST,
        kind: AttemptEventKind::Finished(Box::new(result)),
    }
}

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a batch of 256 runs");
    group.throughput(Throughput::Elements(BATCH));
    group.sample_size(20);
    for (name, apart) in [
        ("start and end together", false),
        ("start and end apart", true),
    ] {
        let mut bench = Bench::new(JOBS, SignedDuration::ZERO);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|batches| {
                let mut total = Duration::ZERO;
                for _ in 0..batches {
                    let (fire, report) = bench.next_batch(apart);
                    let before = cpu_time();
                    bench.apply_encoded(&fire);
                    bench.apply_encoded(&report);
                    total += cpu_time() - before;
                }
                total
            });
        });
        assert_eq!(bench.store.view().counts().open_runs, 0);
    }
    group.finish();
}

fn values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("256 KiB of values");
    group.sample_size(10);
    for (name, runs, names) in [
        ("one run, one name", 1, 1),
        ("one run, 100 names", 1, 100),
        ("64 runs, 10 names", 64, 10),
    ] {
        // As 100,000 a second would be.
        let mut reporting = Reporting::new(runs, names, SignedDuration::from_micros(10));
        let (first, count) = reporting.command();
        reporting.bench.apply_encoded(&[first]);
        group.throughput(Throughput::Elements(count));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|commands| {
                let mut total = Duration::ZERO;
                for _ in 0..commands {
                    let (command, _) = reporting.command();
                    let before = cpu_time();
                    reporting.bench.apply_encoded(&[command]);
                    total += cpu_time() - before;
                }
                total
            });
        });
    }
    group.finish();
}

fn drawings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a million points in 1,000 stretches");
    group.sample_size(10);
    for (name, apart) in [
        ("within a minute", SignedDuration::from_micros(60)),
        ("within an hour", SignedDuration::from_micros(3600)),
        ("within a day", SignedDuration::from_micros(86_400)),
        ("a second apart", SignedDuration::from_secs(1)),
    ] {
        let mut reporting = Reporting::new(1, 1, apart);
        let mut count = 0;
        while count < 1_000_000 {
            let (command, more) = reporting.command();
            reporting.bench.apply_encoded(&[command]);
            count += more;
        }
        let reader = reporting.bench.store.reader();
        let query = SeriesQuery {
            job: JobId::from_bits(0),
            name: "value 0",
            kind: None,
            from: due(0),
            to: Timestamp::MAX,
        };
        let drawn = reader.drawing(&query, 1000).expect("a drawing");
        let points: u64 = drawn.iter().map(|bucket| bucket.count).sum();
        assert_eq!((points, drawn.len()), (count, drawn.len().min(1000)));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let before = cpu_time();
                for _ in 0..times {
                    black_box(reader.drawing(&query, 1000).expect("a drawing"));
                }
                cpu_time() - before
            });
        });
    }
    group.finish();
}

/// Opening reads every job once for the due index. The worst case for memory is that no two are due together.
fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open a state of jobs that are due one by one");
    group.sample_size(10);
    for jobs in [100_000, 1_000_000] {
        let bench = Bench::new(jobs, SignedDuration::from_millis(7));
        let path = bench.directory.path().join("state.db");
        drop(bench.store);
        let before = resident_bytes();
        let store = Store::open(&path).expect("a store");
        let grown = resident_bytes().saturating_sub(before) >> 20;
        group.bench_function(format!("{jobs} ({grown} MiB more)"), |bencher| {
            bencher.iter(|| Store::open(&path).expect("a store"));
        });
        drop(store);
    }
    group.finish();
}

/// How much of this process is in memory.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: Option<u64> = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.expect("a number second") * 4096
}

criterion_group!(benches, open, runs, values, drawings);
criterion_main!(benches);
