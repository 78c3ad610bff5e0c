//! Looks at how SQLite answers: every query that any test of this crate asks a reader has its plan looked at, so that
//! none comes to walk over a table that grows with the history, or to sort what it finds there.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

thread_local! {
    /// What this thread asked since the last look.
    static ASKED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Tables that grow with the history; any other may be walked over.
const GROWING: [&str; 14] = [
    "runs",
    "attempts",
    "run_outputs",
    "ledger",
    "successors",
    "caught_up",
    "statistics",
    "value_cursors",
    "value_series",
    "value_blocks",
    "value_cells",
    "value_histories",
    "run_flags",
    "sink_feed",
];

/// Walks over tables of few rows, beside which a query asks others.
const OF_FEW: [&str; 1] = ["SCAN sinks"];

/// Indexes of open runs, which are few at any time: they may be walked over, and sorted.
const OF_OPEN_RUNS: [&str; 2] = ["USING INDEX runs_open_by_job", "USING INDEX runs_queued"];

/// What was looked at in this process.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes every query of a connection.
pub(super) fn note(conn: &mut Connection) {
    let noted = |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(statement, _) = event {
            let sql = statement.sql().into_owned();
            ASKED.with_borrow_mut(|asked| asked.insert(sql));
        }
    };
    conn.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(noted))
        .unwrap();
}

/// Looks at the plans of what was asked.
#[track_caller]
pub(super) fn check(conn: &Connection) {
    for sql in ASKED.take() {
        let is_query = sql.trim_start().starts_with("SELECT");
        let is_new = || {
            let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(sql.clone())
        };
        if !is_query || !is_new() {
            continue;
        }
        let faults = faults_of(conn, &sql);
        assert!(faults.is_empty(), "{sql}\nis answered by {faults:?}");
    }
    // What the looking asked.
    ASKED.take();
}

/// What a query's plan does that takes longer the longer the history is.
fn faults_of(conn: &Connection, sql: &str) -> Vec<String> {
    let mut words = sql.split(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric());
    if !words.any(|word| GROWING.contains(&word)) {
        return Vec::new();
    }
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
    let lines = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get(3));
    let lines: Vec<String> = lines.unwrap().collect::<Result<_, _>>().unwrap();
    let of_open_runs = |line: &String| OF_OPEN_RUNS.iter().any(|index| line.contains(index));
    let is_of_few = lines.iter().any(of_open_runs);
    let fault = |line: &String| {
        // An index for this one question is made by walking over the table.
        let scans = line.starts_with("SCAN") && line != "SCAN CONSTANT ROW"
            || line.contains("USING AUTOMATIC");
        let is_few = of_open_runs(line) || OF_FEW.contains(&line.as_str());
        scans && !is_few || line.contains("TEMP B-TREE") && !is_of_few
    };
    lines.into_iter().filter(fault).collect()
}

#[test]
fn a_plan_that_walks_over_history_is_a_fault() {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(crate::schema::TABLES).unwrap();
    for (sql, faults) in [
        ("SELECT id FROM runs WHERE job = ?1", 0),
        ("SELECT id FROM runs WHERE outcome = ?1", 1),
        (
            "SELECT id FROM runs r WHERE r.job = ?1 ORDER BY r.due_at",
            1,
        ),
        ("SELECT run FROM ledger l WHERE l.run = ?1", 1),
        ("SELECT name FROM calendars", 0),
        ("SELECT count FROM sink_feed WHERE number > ?1", 0),
        ("SELECT sum(count) FROM sink_feed", 1),
        ("SELECT name FROM sinks, sink_feed WHERE run = token", 1),
    ] {
        assert_eq!(faults_of(&conn, sql).len(), faults, "{sql}");
    }
}
