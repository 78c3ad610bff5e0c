//! The tables. Names and columns are a format: changing them takes a new version and a step from the old one.

mod file;

pub(crate) use file::{Found, check, prepare};

/// Marks the file as Odin's (SQLite's `application_id`): "Odin".
const APPLICATION_ID: i64 = 0x4f64_696e;
/// The format that this build writes (SQLite's `user_version`).
pub(crate) const VERSION: i64 = 3;

/// Instants are microseconds since 1970 UTC, durations microseconds; words are the numbers of `columns.rs`.
/// Ids, epochs and revisions are their 64 bits; a run's id orders as a signed number while generations stay below
/// 128.
pub(crate) const TABLES: &str = "
-- What this node alone says of its copy; not part of the state hash.
CREATE TABLE local (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- The policies are copied from the current version, so that a decision decodes no version.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    owner_uid INTEGER NOT NULL,
    owner_user TEXT NOT NULL,
    name TEXT NOT NULL,
    state INTEGER NOT NULL,
    visibility INTEGER NOT NULL,
    version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    next_due INTEGER,
    last_decided INTEGER,
    grace INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    concurrency INTEGER NOT NULL,
    concurrency_max INTEGER,
    concurrency_waiting INTEGER,
    priority INTEGER NOT NULL,
    quarantine TEXT,
    quarantined_at INTEGER,
    created_at INTEGER NOT NULL,
    last_run INTEGER,
    last_outcome INTEGER,
    last_reason TEXT,
    -- A bit for each of the latest runs that ended by themselves, the newest in the lowest: whether it was a long one.
    long_runs INTEGER NOT NULL DEFAULT 0,
    -- Finished runs before these are no longer kept, or their output is not.
    kept_from INTEGER NOT NULL DEFAULT 0,
    outputs_from INTEGER NOT NULL DEFAULT 0,
    -- Rows of the ledger that end before this are no longer kept.
    ledger_from INTEGER
) STRICT;
CREATE UNIQUE INDEX jobs_listed ON jobs (owner_uid, owner_user, name) WHERE state <> 2 AND visibility = 0;

CREATE TABLE job_versions (
    job INTEGER NOT NULL,
    version INTEGER NOT NULL,
    spec BLOB NOT NULL,
    bundle BLOB NOT NULL,
    deployed_at INTEGER NOT NULL,
    by_uid INTEGER NOT NULL,
    by_user TEXT NOT NULL,
    PRIMARY KEY (job, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_versions_by_bundle ON job_versions (bundle);

-- A run without an outcome is open. `attempt`, `node` and `epoch` are those of the latest attempt, `ended` is the
-- index of the log at which it got its outcome: in this order runs are sealed.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    version INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    cause_by TEXT,
    due_at INTEGER,
    state INTEGER NOT NULL,
    outcome INTEGER,
    attempt INTEGER,
    node INTEGER,
    epoch INTEGER,
    queued_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    started_at INTEGER,
    attempt_started_at INTEGER,
    finished_at INTEGER,
    exit_code INTEGER,
    signal INTEGER,
    reason TEXT,
    cancel INTEGER,
    cancel_by TEXT,
    cpu_user INTEGER NOT NULL DEFAULT 0,
    cpu_system INTEGER NOT NULL DEFAULT 0,
    memory_max INTEGER NOT NULL DEFAULT 0,
    cause_run INTEGER,
    root_run INTEGER,
    ended INTEGER
) STRICT;
CREATE INDEX runs_by_job ON runs (job);
CREATE INDEX runs_open_by_job ON runs (job) WHERE outcome IS NULL;
CREATE INDEX runs_open_by_node ON runs (node) WHERE outcome IS NULL;
CREATE INDEX runs_by_root ON runs (root_run) WHERE root_run IS NOT NULL;
CREATE INDEX runs_ended ON runs (ended) WHERE ended IS NOT NULL;
-- Few rows are in these at any time, and most never are.
CREATE INDEX runs_queued ON runs (id) WHERE state = 0;
CREATE INDEX runs_waiting ON runs (job) WHERE state = 5;
CREATE INDEX runs_retrying ON runs (ready_at, id) WHERE state = 6;

-- Attempts that another followed, and those of which a report came after they had been given up.
CREATE TABLE attempts (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    node INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    exit_code INTEGER,
    signal INTEGER,
    reason TEXT,
    cpu_user INTEGER NOT NULL,
    cpu_system INTEGER NOT NULL,
    memory_max INTEGER NOT NULL,
    output BLOB,
    late BLOB,
    PRIMARY KEY (run, attempt)
) STRICT, WITHOUT ROWID;

-- Apart from the runs, so that lists read narrow rows.
CREATE TABLE run_outputs (run INTEGER PRIMARY KEY, output BLOB NOT NULL) STRICT;

-- Rows are joined only within one revision: no edit or pause lies between their occurrences.
CREATE TABLE ledger (
    job INTEGER NOT NULL,
    from_at INTEGER NOT NULL,
    to_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    reason_run INTEGER,
    run INTEGER,
    version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (job, from_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    facts BLOB NOT NULL,
    up_since INTEGER NOT NULL
) STRICT;

CREATE TABLE keyed_replies (
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    at INTEGER NOT NULL,
    reply BLOB NOT NULL,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keyed_replies_by_age ON keyed_replies (at);

CREATE TABLE calendars (
    name TEXT PRIMARY KEY,
    owner_uid INTEGER NOT NULL,
    owner_user TEXT NOT NULL,
    days BLOB NOT NULL,
    revision INTEGER NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Due times that changed calendars or zone rules moved: the latest only.
CREATE TABLE moved_dues (
    number INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    was INTEGER,
    is_now INTEGER,
    because TEXT NOT NULL,
    moved_at INTEGER NOT NULL
) STRICT;

-- What changed a job's due times; `calendars` is the log index of the latest change of a calendar that was in force.
CREATE TABLE job_changes (
    job INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by_user TEXT,
    version INTEGER NOT NULL,
    was INTEGER,
    is_now INTEGER,
    after_at INTEGER,
    calendars INTEGER NOT NULL,
    note TEXT,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

-- What calendars held before they were replaced or removed.
CREATE TABLE former_calendars (
    until INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    days BLOB NOT NULL
) STRICT;

-- What was counted: of a job (0), of an owner's jobs (1), of all (2); an hour, or a day of 24, from 1970.
CREATE TABLE statistics (
    scope INTEGER NOT NULL,
    scope_of INTEGER NOT NULL,
    from_hour INTEGER NOT NULL,
    hours INTEGER NOT NULL,
    counts BLOB NOT NULL,
    PRIMARY KEY (scope, scope_of, from_hour, hours)
) STRICT, WITHOUT ROWID;

-- The releases of the time zone rules that leaders computed with.
CREATE TABLE zone_rules (
    number INTEGER PRIMARY KEY,
    release TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

CREATE TABLE links (
    from_job INTEGER NOT NULL,
    to_job INTEGER NOT NULL,
    on_end INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by_user TEXT NOT NULL,
    PRIMARY KEY (from_job, to_job)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_back ON links (to_job);

-- What the end of a run did by each link that counted at it.
CREATE TABLE successors (
    run INTEGER NOT NULL,
    job INTEGER NOT NULL,
    on_end INTEGER NOT NULL,
    fate INTEGER NOT NULL,
    fate_run INTEGER,
    PRIMARY KEY (run, job)
) STRICT, WITHOUT ROWID;

-- Due times that a person asked for and that wait for room.
CREATE TABLE catch_ups (
    job INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    by_user TEXT NOT NULL,
    PRIMARY KEY (job, due_at)
) STRICT, WITHOUT ROWID;

-- Due times of which a person had a run made. They outlive the runs, so that none is made twice.
CREATE TABLE caught_up (
    job INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (job, due_at)
) STRICT, WITHOUT ROWID;

-- Periods whose runs are in files of history, or on their way there: those that ended after one index of the log and
-- up to another. `dropped`: the file goes.
CREATE TABLE seals (
    number INTEGER PRIMARY KEY,
    after INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    at INTEGER NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Values are sealed by a key that is not here; `key` names it.
CREATE TABLE secrets (
    owner_uid INTEGER NOT NULL,
    owner_user TEXT NOT NULL,
    name TEXT NOT NULL,
    key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    set_at INTEGER NOT NULL,
    PRIMARY KEY (owner_uid, owner_user, name)
) STRICT;

-- For each user, a name means at most one secret of others.
CREATE TABLE secret_shares (
    with_uid INTEGER NOT NULL,
    with_user TEXT NOT NULL,
    name TEXT NOT NULL,
    owner_uid INTEGER NOT NULL,
    owner_user TEXT NOT NULL,
    shared_at INTEGER NOT NULL,
    PRIMARY KEY (with_uid, with_user, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_shares_by_owner ON secret_shares (owner_uid, owner_user, name);

-- The secrets that current versions of listed jobs name.
CREATE TABLE job_secrets (
    job INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_secrets_by_name ON job_secrets (name);

-- How far the values of each attempt are applied, and what it reported as its result.
CREATE TABLE value_cursors (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    applied INTEGER NOT NULL,
    count INTEGER NOT NULL,
    result BLOB,
    PRIMARY KEY (run, attempt)
) STRICT, WITHOUT ROWID;

-- The runs whose values are in the state: they go when their job no longer keeps the run, wherever its row is.
CREATE TABLE value_runs (
    job INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (job, run)
) STRICT, WITHOUT ROWID;

-- What a job reports by one name and kind, with its latest point. All of its results are one, without a name. Ids are made of the log index.
CREATE TABLE value_series (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind INTEGER NOT NULL,
    count INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    last_attempt INTEGER NOT NULL,
    last BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX value_series_by_name ON value_series (job, name, kind);

-- The points of a series that one command brought of one attempt within one slot of time. `part` is the number of
-- that command's first value among the attempt's.
CREATE TABLE value_blocks (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    part INTEGER NOT NULL,
    count INTEGER NOT NULL,
    points BLOB NOT NULL
) STRICT;
CREATE INDEX value_blocks_by_series ON value_blocks (series, slot, id);
CREATE INDEX value_blocks_by_run ON value_blocks (run, attempt, part, id);

-- The numbers that the latest runs of a job reported last in a series, oldest first: what a number is held to.
CREATE TABLE value_histories (series INTEGER PRIMARY KEY, numbers BLOB NOT NULL) STRICT;
-- What is unusual about a run. Most runs have no row.
CREATE TABLE run_flags (run INTEGER PRIMARY KEY, flags BLOB NOT NULL) STRICT;

-- The extremes and ends of a series in longer and longer stretches of time.
CREATE TABLE value_cells (
    series INTEGER NOT NULL,
    level INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    count INTEGER NOT NULL,
    min REAL NOT NULL,
    min_at INTEGER NOT NULL,
    max REAL NOT NULL,
    max_at INTEGER NOT NULL,
    first REAL NOT NULL,
    first_at INTEGER NOT NULL,
    last REAL NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (series, level, slot)
) STRICT, WITHOUT ROWID;

-- Where word of alerts goes.
CREATE TABLE channels (
    name TEXT PRIMARY KEY,
    owner_uid INTEGER NOT NULL,
    owner_user TEXT NOT NULL,
    spec BLOB NOT NULL,
    server_alerts INTEGER NOT NULL,
    token INTEGER NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Of listed jobs that tell somebody something: what their current version says, and how many runs failed in a row.
CREATE TABLE job_alerting (
    job INTEGER PRIMARY KEY,
    alerting BLOB NOT NULL,
    failures INTEGER NOT NULL
) STRICT;
CREATE TABLE job_channels (
    channel TEXT NOT NULL,
    job INTEGER NOT NULL,
    PRIMARY KEY (channel, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_channels_by_job ON job_channels (job);

-- What runs are watched for, until it happens or they are over.
CREATE TABLE watches (
    run INTEGER NOT NULL,
    watch INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, watch)
) STRICT, WITHOUT ROWID;
CREATE INDEX watches_by_instant ON watches (at);

-- `subject` is 0 for a job, 1 for a node, 2 for the cluster.
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    subject_id INTEGER NOT NULL,
    detail TEXT NOT NULL,
    owner_uid INTEGER,
    owner_user TEXT,
    run INTEGER,
    opened_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    told_at INTEGER,
    count INTEGER NOT NULL,
    state INTEGER NOT NULL,
    acknowledged_by TEXT,
    acknowledged_at INTEGER,
    acknowledged_reason TEXT,
    resolved_at INTEGER,
    text TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (subject, subject_id, kind, detail) WHERE state <> 2;
CREATE INDEX alerts_resolved ON alerts (id) WHERE state = 2;

CREATE TABLE silences (
    id INTEGER PRIMARY KEY,
    by_uid INTEGER NOT NULL,
    by_user TEXT NOT NULL,
    job INTEGER,
    kind INTEGER,
    channel TEXT,
    reason TEXT NOT NULL,
    from_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL
) STRICT;

-- The outbox: messages to channels, with the alerts that each lists.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    run_as_uid INTEGER,
    run_as_user TEXT,
    state INTEGER NOT NULL,
    urgent INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    next_at INTEGER,
    made_at INTEGER NOT NULL,
    events INTEGER NOT NULL,
    more INTEGER NOT NULL,
    last TEXT,
    settled_at INTEGER, sender INTEGER, -- the node that sends it, or did last
    settled BLOB -- recipients who have it, or never will, where others were put off
) STRICT;
CREATE INDEX deliveries_open ON deliveries (channel, id) WHERE state < 3;
CREATE INDEX deliveries_settled ON deliveries (id) WHERE state >= 3;
CREATE TABLE delivery_events (
    delivery INTEGER NOT NULL,
    number INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Where values, the ends of runs and metrics go. `cursor` is the last entry of the feed that a sink is done with.
CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    owner_uid INTEGER NOT NULL,
    owner_user TEXT NOT NULL,
    spec BLOB NOT NULL,
    token INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    last_skipped TEXT,
    dropped INTEGER NOT NULL,
    sent_at INTEGER,
    failing_since INTEGER,
    error TEXT,
    metrics_failing_since INTEGER,
    metrics_error TEXT
) STRICT, WITHOUT ROWID;

-- What sinks are to send, in the order of the log; numbers have no gaps. Without an attempt: the run is over. `at` is
-- when it happened. `values_upto` and `runs_upto` count what stands in the entries up to this one, since the feed was last
-- empty: how much lies between two entries is a subtraction.
CREATE TABLE sink_feed (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    attempt INTEGER,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL,
    values_upto INTEGER NOT NULL,
    runs_upto INTEGER NOT NULL
) STRICT;

INSERT INTO settings (key, value) VALUES ('generation', '0');
";

/// The replicated tables with their primary keys: what the state hash covers.
pub(crate) const REPLICATED: [(&str, &str); 40] = [
    ("settings", "key"),
    ("jobs", "id"),
    ("job_versions", "job, version"),
    ("runs", "id"),
    ("attempts", "run, attempt"),
    ("run_outputs", "run"),
    ("ledger", "job, from_at"),
    ("nodes", "id"),
    ("keyed_replies", "principal, key"),
    ("calendars", "name"),
    ("moved_dues", "number"),
    ("job_changes", "job, number"),
    ("former_calendars", "until"),
    ("zone_rules", "number"),
    ("statistics", "scope, scope_of, from_hour, hours"),
    ("links", "from_job, to_job"),
    ("successors", "run, job"),
    ("catch_ups", "job, due_at"),
    ("caught_up", "job, due_at"),
    ("seals", "number"),
    ("secrets", "owner_uid, owner_user, name"),
    ("secret_shares", "with_uid, with_user, name"),
    ("job_secrets", "job, name"),
    ("value_cursors", "run, attempt"),
    ("value_runs", "job, run"),
    ("value_series", "id"),
    ("value_blocks", "id"),
    ("value_cells", "series, level, slot"),
    ("value_histories", "series"),
    ("run_flags", "run"),
    ("channels", "name"),
    ("job_alerting", "job"),
    ("job_channels", "channel, job"),
    ("watches", "run, watch"),
    ("alerts", "id"),
    ("silences", "id"),
    ("deliveries", "id"),
    ("delivery_events", "delivery, number"),
    ("sinks", "name"),
    ("sink_feed", "number"),
];

/// A run is in the state only: no sealed period has it. What is sealed is no part of the state any more, even where
/// its rows still wait to be taken out. For the table `runs`, or another name of it in front of its columns.
macro_rules! unsealed {
    ($runs:literal) => {
        concat!(
            "(",
            $runs,
            ".ended IS NULL OR ",
            $runs,
            ".ended > coalesce((SELECT upto FROM seals ORDER BY number DESC LIMIT 1), 0))"
        )
    };
}
pub(crate) use unsealed;

/// Tables of rows that go with a run, each with its key; the first column is the run. They are sealed with it.
pub(crate) const OF_RUNS: [(&str, &str); 4] = [
    ("attempts", "run, attempt"),
    ("run_outputs", "run"),
    ("successors", "run, job"),
    ("value_cursors", "run, attempt"),
];
