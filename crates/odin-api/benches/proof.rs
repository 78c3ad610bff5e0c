//! What a proof of a million due times takes, with their runs in the state and in a file of history; and the statistics of
//! a year of a job that runs each second.

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use odin_api::proof::{VerifyQuery, prove};
use odin_model::command::{Command, Deploy, DueAfter};
use odin_model::job::Visibility;
use odin_model::owner::{Owner, Principal, Role};
use odin_model::retention::Seal;
use odin_model::statistics::{HOURLY_DAYS, Statistics};
use odin_model::{
    BundleHash, JobId, JobName, JobSpec, LedgerOutcome, Outcome, Program, codec, instant,
};
use odin_store::{Entry, HistoryStep, Scope, Store};
use rusqlite::{Connection, params};

/// How many due times the ledger has.
const DUE_TIMES: i64 = 1_000_000;
/// How many days the statistics have.
const DAYS: i64 = 365;

fn job() -> JobId {
    JobId::from_bits(1)
}

fn first() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000)
}

fn after(seconds: i64) -> Timestamp {
    first() + SignedDuration::from_secs(seconds)
}

fn deploy() -> Command {
    let name = JobName::parse("tick").expect("a good name");
    let program = Program::Argv(vec!["/bin/true".to_owned()]);
    Command::Deploy(Box::new(Deploy {
        by: Principal {
            user: Owner {
                user: "ann".to_owned(),
                uid: 1000,
            },
            role: Role::Operator,
        },
        id: None,
        fresh_id: job(),
        spec: JobSpec::new(name, program, "every second", "UTC"),
        bundle: BundleHash([1; 32]),
        visibility: Visibility::Listed,
        due: DueAfter {
            after: first(),
            next_due: Some(after(1)),
        },
        expected: None,
        at: first(),
    }))
}

/// A state whose job was started a million times. Its rows are written by hand: applying them is what other benches
/// measure.
fn state(directory: &std::path::Path) -> Store {
    let path = directory.join("state.db");
    let mut store = Store::open(&path).expect("a new store");
    apply(&mut store, 1, &deploy());
    drop(store);
    let conn = Connection::open(&path).expect("the state");
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    let begin = instant::to_micros(first());
    conn.execute(
        &format!(
            "{numbers} INSERT INTO ledger (job, from_at, to_at, count, outcome, reason, run, version, revision, decided_at) \
             SELECT 1, ?2 + i * 1000000, ?2 + i * 1000000, 1, 0, 0, (i + 1) << 16, 1, 1, ?2 + i * 1000000 FROM n"
        ),
        params![DUE_TIMES, begin],
    )
    .expect("rows of the ledger");
    conn.execute(
        &format!(
            "{numbers} INSERT INTO runs (id, job, version, cause, due_at, state, outcome, queued_at, ready_at, priority, lane, started_at, finished_at, ended) \
             SELECT (i + 1) << 16, 1, 1, 0, ?2 + i * 1000000, 4, 0, ?2 + i * 1000000, ?2 + i * 1000000, 0, 0, \
             ?2 + i * 1000000 + 2000, ?2 + i * 1000000 + 3000, i + 1 FROM n"
        ),
        params![DUE_TIMES, begin],
    )
    .expect("runs");
    conn.execute(
        "UPDATE jobs SET next_due = ?1, last_decided = ?2 WHERE id = 1",
        [
            instant::to_micros(after(DUE_TIMES + 1)),
            instant::to_micros(after(DUE_TIMES)),
        ],
    )
    .expect("the job");
    counted(&conn);
    drop(conn);
    Store::open(&path).expect("the state again")
}

fn apply(store: &mut Store, index: u64, command: &Command) {
    let command = codec::encode(command);
    let entry = Entry {
        index,
        command: &command,
    };
    store.apply(&[entry], b"mark").expect("the store takes it");
}

/// Moves all runs into a file of history.
fn seal(store: &mut Store) {
    let upto = DUE_TIMES.cast_unsigned() + 1;
    let at = after(DUE_TIMES);
    apply(store, upto + 1, &Command::Seal(Seal { after: 0, upto, at }));
    let mut historian = store.historian().expect("the directory of history");
    while historian.step().expect("history is written") != HistoryStep::Idle {}
}

/// A year of counts as apply leaves them: days, and hours at the end.
fn counted(conn: &Connection) {
    let counts = |seconds: u64| {
        let mut counts = Statistics::default();
        counts.count_due(LedgerOutcome::Started, seconds);
        for second in 0..seconds {
            counts.count_run(Outcome::Succeeded);
            // From a millisecond to minutes, in every bucket between.
            counts.durations.add(1_000 + second * second % 100_000_000);
            counts.lateness.add(1_000 + second % 50_000);
        }
        codec::encode(&counts)
    };
    let (hour, day) = (counts(3_600), counts(86_400));
    let begin = first().as_second().div_euclid(86_400) * 24;
    let mut insert = conn
        .prepare("INSERT INTO statistics VALUES (0, 1, ?1, ?2, ?3)")
        .expect("the table");
    for of in 0..DAYS - HOURLY_DAYS {
        let row = params![begin + of * 24, 24, day];
        insert.execute(row).expect("a day");
    }
    for of in (DAYS - HOURLY_DAYS) * 24..DAYS * 24 {
        let row = params![begin + of, 1, hour];
        insert.execute(row).expect("an hour");
    }
}

fn proof(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut store = state(directory.path());
    let reader = store.reader();
    let query = VerifyQuery {
        job: None,
        owner: None,
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        now: after(DUE_TIMES),
    };
    let mut group = criterion.benchmark_group("proof");
    group.sample_size(10);
    for place in ["in the state", "in a file"] {
        group.bench_function(format!("a million due times, runs {place}"), |bencher| {
            bencher.iter(|| {
                let report = prove(&reader, &query, &|| false).expect("the state");
                assert!(report.is_sound(), "{report:?}");
                assert_eq!(report.due, DUE_TIMES.cast_unsigned());
                let worst = report.worst.expect("all were started");
                assert_eq!(worst.late, SignedDuration::from_millis(2));
            });
        });
        if place == "in the state" {
            seal(&mut store);
        }
    }
    group.bench_function("statistics of a year of each second", |bencher| {
        bencher.iter(|| {
            let to = after(DAYS * 86_400);
            let counted = reader.statistics(Scope::Job(job()), first(), to);
            let due = counted.expect("the state").due(LedgerOutcome::Started);
            assert!(due > 31_000_000, "{due}");
        });
    });
    group.finish();
}

criterion_group!(benches, proof);
criterion_main!(benches);
