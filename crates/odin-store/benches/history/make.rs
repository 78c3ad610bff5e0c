//! Makes the history: an hour of runs through `apply`, copies of it, and the sealing of all of them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use odin_model::attempt::{AttemptEvent, AttemptEventKind, AttemptResult, Ending};
use odin_model::command::{Command, Fire, FireItem};
use odin_model::output::{OutputChunk, OutputKept, OutputSummary, Stream};
use odin_model::retention::Seal;
use odin_model::{AttemptNumber, JobId, Reply, Revision, RunId, Usage, codec};
use odin_store::{Entry, Historian, HistoryStep, Reader, Store};
use rusqlite::Connection;

use crate::noise::Noise;
use crate::now;
use crate::shared::{NODE, deploy, due, facts};

/// A tenth of them is due every minute, another every two minutes, and so on to ten.
pub(crate) const JOBS: u64 = 1000;
/// Minutes of the hour in which jobs are due.
const ROUNDS: i64 = 59;
/// How many runs a period has at most, as on a server.
const PERIOD_RUNS: u64 = 200_000;
/// Entries of the log that an hour leaves for what is not of it.
const ROOM: u64 = 8;
/// Hours of which statistics are kept by the hour.
const HOURLY: u64 = 8 * 24;

/// The history.
pub(crate) struct Made {
    pub(crate) reader: Reader,
    pub(crate) hours: u64,
    hour: Hour,
    store: Store,
    writing: Duration,
    sweeping: Duration,
    directory: tempfile::TempDir,
}

/// The hour that all others are copies of.
#[derive(Default)]
struct Hour {
    /// Each run with its job and its round.
    runs: Vec<(RunId, JobId, i64)>,
    /// Its first entry of the log, and how many an hour takes.
    first: u64,
    entries: u64,
}

impl Made {
    /// So many runs, in whole hours.
    pub(crate) fn new(runs: u64) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("state.db");
        let mut store = Store::open(&path).expect("a new store");
        let hour = Hour::run(&mut store);
        let hour_runs = hour.runs.len() as u64;
        let mut made = Self {
            reader: store.reader(),
            hours: runs.div_ceil(hour_runs),
            hour,
            store,
            writing: Duration::ZERO,
            sweeping: Duration::ZERO,
            directory,
        };
        let conn = Connection::open(&path).expect("the state");
        let copies = Copies::of(conn, &made.hour);
        let mut historian = made.store.historian().expect("a historian");
        let hours_of_period = (PERIOD_RUNS / hour_runs).max(1);
        let mut after = 0;
        for number in 0..made.hours {
            if number > 0 {
                copies.put(number, made.hours);
            }
            let is_last = number + 1 == made.hours;
            if !is_last && (number + 1) % hours_of_period != 0 {
                continue;
            }
            // The last quarter of a period stays in the state, as on a server that runs.
            let whole = made.hour.first + made.hour.entries * (number + 1) - ROOM;
            let left = if is_last { made.hour.entries / 4 } else { 0 };
            after = made.seal(after, whole - left, whole + 1);
            made.settle(&mut historian);
        }
        made
    }

    fn seal(&mut self, after: u64, upto: u64, index: u64) -> u64 {
        let at = due(0);
        apply(
            &mut self.store,
            index,
            &Command::Seal(Seal { after, upto, at }),
        );
        upto
    }

    fn settle(&mut self, historian: &mut Historian) {
        loop {
            let began: Instant = now();
            let step = historian.step().expect("room on the disk");
            match step {
                HistoryStep::Idle => return,
                HistoryStep::Written { .. } => self.writing += began.elapsed(),
                HistoryStep::Swept { .. } => self.sweeping += began.elapsed(),
                HistoryStep::Removed { path } => unreachable!("{} is kept", path.display()),
            }
        }
    }

    /// When the last hour is over.
    pub(crate) fn end(&self) -> Timestamp {
        due(60 * self.hours.cast_signed())
    }

    pub(crate) fn any_run(&self, noise: &mut Noise) -> RunId {
        let (run, hour) = (self.any(noise).0, noise.below(self.hours));
        RunId::from_bits(run.to_bits() + RunId::new(0, hour * self.hour.entries, 0).to_bits())
    }

    pub(crate) fn any_due(&self, noise: &mut Noise) -> (JobId, Timestamp) {
        let (_, job, round) = self.any(noise);
        (job, due(round + 60 * noise.below(self.hours).cast_signed()))
    }

    fn any(&self, noise: &mut Noise) -> (RunId, JobId, i64) {
        let place = noise.below(self.hour.runs.len() as u64);
        self.hour.runs[usize::try_from(place).expect("a place in a list")]
    }

    pub(crate) fn print_size(&self) {
        let status = self.reader.history(false);
        let sealed: u64 = status.files.iter().map(|file| file.runs).sum();
        let bytes: u64 = status.files.iter().map(|file| file.bytes).sum();
        let all = self.hours * self.hour.runs.len() as u64;
        let state = size(&self.directory.path().join("state.db"));
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let each = |bytes: u64, of: u64| bytes as f64 / of as f64;
        println!(
            "{all} runs of {JOBS} jobs in {} hours; {sealed} are sealed",
            self.hours
        );
        println!(
            "{} files of history, {} MiB: {:.1} bytes a run; state.db {} MiB: {:.1} bytes a run, most of it the ledger",
            status.files.len(),
            bytes >> 20,
            each(bytes, sealed),
            state >> 20,
            each(state, all),
        );
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / each(sealed, 1);
        println!(
            "sealing: {:.1} s to write and read back ({:.1} µs a run), {:.1} s to take them out of the state ({:.1} µs a run)",
            self.writing.as_secs_f64(),
            micros(self.writing),
            self.sweeping.as_secs_f64(),
            micros(self.sweeping),
        );
    }
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("the state's file").len()
}

fn apply(store: &mut Store, index: u64, command: &Command) -> Reply {
    let command = codec::encode(command);
    let entry = Entry {
        index,
        command: &command,
    };
    let applied = store.apply(&[entry], b"mark").expect("the store takes it");
    applied.replies.into_iter().next().expect("one reply")
}

impl Hour {
    /// Lets the jobs run for an hour.
    fn run(store: &mut Store) -> Self {
        let (node, at) = (NODE, due(0));
        let facts = facts();
        apply(store, 1, &Command::NodeUp { node, facts, at });
        let revisions: Vec<Revision> = (0..JOBS)
            .map(|job| {
                let command = Command::Deploy(Box::new(deploy(job)));
                match apply(store, 2 + job, &command) {
                    Reply::Job { revision, .. } => revision,
                    other => unreachable!("deploys of new jobs succeed: {other:?}"),
                }
            })
            .collect();
        let first = 2 + JOBS;
        let mut hour = Self {
            first,
            ..Self::default()
        };
        let (mut index, mut noise) = (first, Noise::new(1));
        for round in 1..=ROUNDS {
            let items = items_of(round, &revisions);
            let runs: Vec<_> = (0..)
                .zip(&items)
                .map(|(place, item)| (RunId::new(0, index, place), item.job, round))
                .collect();
            let proposed_at = due(round);
            apply(store, index, &Command::Fire(Fire { items, proposed_at }));
            // Runs end in any order, some a while later: each part of them is in an entry of its own.
            let mut events: Vec<_> = runs.iter().map(|run| events_of(run, &mut noise)).collect();
            let all = events.len();
            for part in 1..=4 {
                let some = all * part / 4 - all * (part - 1) / 4;
                let at = |noise: &mut Noise, left: usize| {
                    usize::try_from(noise.below(left as u64)).expect("a place in a list")
                };
                let events = (0..some)
                    .flat_map(|_| {
                        let place = at(&mut noise, events.len());
                        events.swap_remove(place)
                    })
                    .collect();
                apply(
                    store,
                    index + part as u64,
                    &Command::Report { node, events },
                );
            }
            index += 5;
            hour.runs.extend(runs);
        }
        hour.entries = index - first + ROOM;
        hour
    }
}

fn items_of(round: i64, revisions: &[Revision]) -> Vec<FireItem> {
    let due_now = (0..JOBS).zip(revisions).filter_map(|(job, &revision)| {
        let every = (job * 10 / JOBS + 1).cast_signed();
        let is_due = (round - 1) % every == 0;
        is_due.then(|| FireItem {
            job: JobId::from_bits(job),
            revision,
            due: due(round),
            earlier: None,
            listed: vec![due(round)],
            next_due: Some(due(round + every)),
            node: Some(NODE),
            calendars: 0,
        })
    });
    due_now.collect()
}

/// How a run went.
fn events_of(&(run, _, round): &(RunId, JobId, i64), noise: &mut Noise) -> Vec<AttemptEvent> {
    let micros = |micros: u64| SignedDuration::from_micros(micros.cast_signed());
    let started_at = due(round) + micros(1000 + noise.below(4000));
    let finished_at = started_at + micros(20_000 + noise.below(30_000_000));
    let ending = match noise.below(100) {
        0..95 => Ending::Exited { code: 0 },
        95..99 => Ending::Exited { code: 1 },
        _ => Ending::Signalled {
            signal: 9,
            core: false,
        },
    };
    let printed = text(noise);
    let bytes = printed.len() as u64;
    let chunk = OutputChunk {
        stream: Stream::Stdout,
        at: started_at,
        bytes: printed,
    };
    let result = AttemptResult {
        ending,
        started_at: Some(started_at),
        finished_at,
        usage: Usage {
            cpu_user: Duration::from_micros(400 + noise.below(2_000_000)),
            cpu_system: Duration::from_micros(300 + noise.below(100_000)),
            memory_max_bytes: (2 << 20) + 4096 * noise.below(10_000),
        },
        output: OutputSummary {
            stdout_bytes: bytes,
            stderr_bytes: 0,
            dropped_bytes: 0,
            kept: OutputKept::Inline(if bytes == 0 { vec![] } else { vec![chunk] }),
        },
    };
    let pid = u32::try_from(2 + noise.below(4_000_000)).expect("a small number");
    [
        AttemptEventKind::Started {
            at: started_at,
            pid,
        },
        AttemptEventKind::Finished(Box::new(result)),
    ]
    .map(|kind| AttemptEvent {
        run,
        attempt: AttemptNumber::FIRST,
        kind,
    })
    .to_vec()
}

/// What it printed: nothing, a line or two, or up to a KiB.
fn text(noise: &mut Noise) -> Vec<u8> {
    let lines = match noise.below(10) {
        0..4 => 0,
        4..9 => 1 + noise.below(2),
        _ => 1 + noise.below(18),
    };
    let mut text = String::new();
    for _ in 0..lines {
        let (rows, took, host) = (noise.below(100_000), noise.below(9000), noise.below(40));
        text += &format!("synced {rows} rows from host{host} in {took} ms\n");
    }
    text.into_bytes()
}

/// Puts the rows of the hour into the state once more, as those of a later one.
struct Copies {
    conn: Connection,
    entries: u64,
    statements: Vec<String>,
}

impl Copies {
    fn of(conn: Connection, hour: &Hour) -> Self {
        conn.busy_timeout(Duration::from_secs(60))
            .expect("a setting");
        conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")
            .expect("settings");
        let statements = ["runs", "run_outputs", "ledger"]
            .map(|table| {
                conn.execute_batch(&format!(
                    "CREATE TEMP TABLE of_{table} AS SELECT * FROM {table}"
                ))
                .expect("a copy");
                statement_of(&conn, table)
            })
            .to_vec();
        conn.execute_batch("CREATE TEMP TABLE of_statistics AS SELECT * FROM statistics")
            .expect("a copy");
        Self {
            conn,
            entries: hour.entries,
            statements,
        }
    }

    fn put(&self, number: u64, hours: u64) {
        let transaction = self.conn.unchecked_transaction().expect("a transaction");
        let entries = number * self.entries;
        let shifts = (
            RunId::new(0, entries, 0).to_bits().cast_signed(),
            entries.cast_signed(),
            number.cast_signed() * 3_600_000_000,
        );
        for statement in &self.statements {
            transaction.execute(statement, shifts).expect("new rows");
        }
        // Older ones are of whole days.
        let is_recent = number + HOURLY >= hours;
        if is_recent || number.is_multiple_of(24) {
            let statement = "INSERT OR IGNORE INTO statistics \
                SELECT scope, scope_of, from_hour + ?1, ?2, counts FROM of_statistics";
            let length = if is_recent { 1 } else { 24 };
            transaction
                .execute(statement, (number.cast_signed(), length))
                .expect("new rows");
        }
        transaction.commit().expect("room on the disk");
    }
}

/// What inserts a table's rows at a later place: `?1` is added to ids of runs, `?2` to indexes of the log, `?3` to
/// instants.
fn statement_of(conn: &Connection, table: &str) -> String {
    let mut columns = conn
        .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
        .expect("a table");
    let columns = columns.query_map([], |row| row.get::<_, String>(0));
    let columns: Result<Vec<_>, _> = columns.expect("its columns").collect();
    let moved = columns.expect("its columns").into_iter().map(|column| {
        let shift = match column.as_str() {
            "id" | "run" => "?1",
            "ended" => "?2",
            name if name.ends_with("_at") => "?3",
            _ => return column,
        };
        format!("{column} + {shift}")
    });
    let columns = moved.collect::<Vec<_>>().join(", ");
    // All three are named, so that each statement takes them.
    format!("INSERT INTO {table} SELECT {columns} FROM of_{table} WHERE ?1 + ?2 + ?3 IS NOT NULL")
}
