CREATE TABLE IF NOT EXISTS odin_values (
    run text NOT NULL,
    attempt integer NOT NULL,
    number bigint NOT NULL,
    at timestamptz NOT NULL,
    job text NOT NULL,
    job_name text NOT NULL,
    owner text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    value double precision,
    value_text text NOT NULL,
    status text,
    unit text,
    flaw text,
    PRIMARY KEY (run, attempt, number, at)
);
CREATE INDEX IF NOT EXISTS odin_values_by_name ON odin_values (job, name, at);
CREATE TABLE IF NOT EXISTS odin_runs (
    run text NOT NULL,
    finished_at timestamptz NOT NULL,
    job text NOT NULL,
    job_name text NOT NULL,
    owner text NOT NULL,
    version integer NOT NULL,
    cause text NOT NULL,
    outcome text NOT NULL,
    due_at timestamptz,
    queued_at timestamptz NOT NULL,
    started_at timestamptz,
    exit_code integer,
    signal integer,
    reason text,
    node text,
    attempts integer NOT NULL,
    cpu_user_seconds double precision,
    cpu_system_seconds double precision,
    memory_max_bytes bigint,
    trace text NOT NULL,
    PRIMARY KEY (run, finished_at)
);
CREATE INDEX IF NOT EXISTS odin_runs_by_job ON odin_runs (job, finished_at);
CREATE TABLE IF NOT EXISTS odin_metrics (
    at timestamptz NOT NULL,
    node text NOT NULL,
    name text NOT NULL,
    labels jsonb NOT NULL,
    kind text NOT NULL,
    value double precision,
    count bigint,
    sum double precision,
    buckets jsonb,
    PRIMARY KEY (name, labels, node, at)
);
