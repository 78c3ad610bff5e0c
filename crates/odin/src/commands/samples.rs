//! A job and a run for the tests of what commands print.

use odin_wire::job::{JobCommand, JobLimits, JobNotify, JobOnCancel, JobRetries, JobValueBounds};
use odin_wire::{Cause, Job, JobSettings, JobState, Outcome, Run, RunState};

/// When the tests' commands are run.
pub(crate) const NOW: &str = "2026-11-21T16:00:00Z";

/// A job in full.
pub(crate) fn job() -> Job {
    Job {
        id: "a37b187f5930".parse().unwrap(),
        name: "check_stocks".into(),
        description: "Check the stocks of specified companies".into(),
        language: "python3".into(),
        file: Some("check_stocks.py".into()),
        schedule: "every hour".into(),
        timezone: "Europe/Dublin".into(),
        owner: "ann".into(),
        state: JobState::Enabled,
        version: 2,
        revision: 17,
        next_due: Some("2026-11-21T17:00:00Z".parse().unwrap()),
        links: Vec::new(),
        successors: Vec::new(),
        last_outcome: Some(Outcome::Succeeded),
        last_reason: None,
        quarantined: None,
        last_run: Some("r0000000030000".parse().unwrap()),
        created_at: "2026-11-01T08:00:00Z".parse().unwrap(),
        deployed_at: "2026-11-20T09:30:00Z".parse().unwrap(),
        settings: Some(JobSettings {
            owner_uid: 1000,
            owner_gid: Some(1000),
            command: None,
            args: vec!["--fast".into(), "two words".into()],
            files: vec!["lib".into()],
            env: Vec::new(),
            grace_ms: 60_000,
            missed: "all".into(),
            missed_limit: Some(100),
            concurrency: "queue".into(),
            concurrency_max: Some(2),
            concurrency_waiting: Some(100),
            retries: JobRetries {
                max: 3,
                backoff: "exponential".into(),
                delay_ms: 10_000,
                max_delay_ms: 300_000,
                on: vec![Outcome::Failed, Outcome::TimedOut],
                exit_codes: vec!["75".into()],
            },
            on_lost: "rerun".into(),
            lost_after_ms: 300_000,
            priority: 5,
            keep_runs: 1000,
            keep_days: 90,
            keep_output_bytes: 50 << 20,
            keep_values_bytes: 10 << 20,
            timeout_ms: Some(90_000),
            queue_timeout_ms: None,
            start_timeout_ms: None,
            silence_timeout_ms: Some(30_000),
            kill_grace_ms: 10_000,
            output_bytes_max: 10 << 20,
            limits: JobLimits {
                memory_bytes: Some(512 << 20),
                cpu_millis: Some(1500),
                processes: None,
                open_files: None,
                best_effort: false,
            },
            children: "end".into(),
            secrets: vec![odin_wire::job::JobSecret {
                name: "API_KEY".into(),
                delivery: "env".into(),
            }],
            on_cancel: Some(JobOnCancel {
                command: JobCommand::Argv(vec!["./clean-up.sh".into()]),
                timeout_ms: 30_000,
            }),
            timezone: "Europe/Dublin".into(),
            notify: Some(JobNotify {
                on: vec!["failure".into(), "late".into()],
                to: vec!["ops".into()],
                failures: 2,
                repeat_ms: 3_600_000,
            }),
            late_after_ms: Some(900_000),
            min_duration_ms: None,
            max_duration_ms: Some(1_800_000),
            expect_values: vec![
                JobValueBounds {
                    name: "price".into(),
                    min: Some("1".into()),
                    max: Some("1e3".into()),
                },
                JobValueBounds {
                    name: "rows".into(),
                    min: Some("10".into()),
                    max: None,
                },
            ],
            dst_gap: "shift".into(),
            dst_repeat: "first".into(),
            bundle: "0".repeat(64),
        }),
        decided: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A run that went well.
pub(crate) fn run() -> Run {
    Run {
        id: "r0000000030000".parse().unwrap(),
        job: "a37b187f5930".parse().unwrap(),
        job_name: "check_stocks".into(),
        version: 2,
        cause: Cause::Schedule,
        by: None,
        cause_run: None,
        root_run: None,
        root_cause: None,
        due_at: Some("2026-11-21T15:00:00Z".parse().unwrap()),
        state: RunState::Finished,
        outcome: Some(Outcome::Succeeded),
        exit_code: Some(0),
        signal: None,
        reason: None,
        cancel_requested: None,
        node: Some("master-node".into()),
        attempt: Some(1),
        queued_at: "2026-11-21T14:59:56Z".parse().unwrap(),
        started_at: Some("2026-11-21T15:00:00.002Z".parse().unwrap()),
        finished_at: Some("2026-11-21T15:00:01.342Z".parse().unwrap()),
        cpu_user_ms: 20,
        cpu_system_ms: 5,
        memory_max_bytes: Some(9 << 20),
        stdout_bytes: 12,
        stderr_bytes: 0,
        dropped_bytes: 0,
        successors: Vec::new(),
        ready_at: "2026-11-21T15:00:00Z".parse().unwrap(),
        catch_up: false,
        retry_at: None,
        waits_for: None,
        attempts: Vec::new(),
        flags: Vec::new(),
    }
}

/// What is unusual about a run: a number, and how long it took.
pub(crate) fn flags() -> Vec<odin_wire::Flag> {
    let flag = |of, name: &str, value: i64, reason: &str| odin_wire::Flag {
        of,
        name: name.into(),
        reason: reason.into(),
        value: value.into(),
        low: None,
        high: Some(124.into()),
    };
    vec![
        flag(
            odin_wire::FlagOf::Value,
            "price",
            5000,
            "5000 is far above the 98 to 102 of the 100 runs before",
        ),
        flag(
            odin_wire::FlagOf::Duration,
            "duration",
            600,
            "it took 10m, longer than the 1m that earlier runs let expect",
        ),
    ]
}

/// Why a job is not planned.
pub(crate) fn quarantined() -> odin_wire::Quarantined {
    odin_wire::Quarantined {
        reason: "the schedule `every day except on holidays` cannot be read: there is no calendar `holidays`".into(),
        at: "2026-11-21T15:00:00Z".parse().unwrap(),
    }
}

/// What was counted of a job that did well but for once.
pub(crate) fn statistics() -> odin_wire::Statistics {
    let durations = |p50_ms, p90_ms, p99_ms, max_ms| odin_wire::Percentiles {
        count: 100,
        p50_ms: Some(p50_ms),
        p90_ms: Some(p90_ms),
        p99_ms: Some(p99_ms),
        max_ms: Some(max_ms),
    };
    odin_wire::Statistics {
        from: "2026-11-20T16:00:00Z".parse().unwrap(),
        to: NOW.parse().unwrap(),
        due: odin_wire::OutcomeCounts {
            started: 99,
            skipped: 0,
            coalesced: 2,
            misfired: 0,
        },
        runs: 100,
        outcomes: odin_wire::RunOutcomeCounts {
            succeeded: 99,
            failed: 1,
            ..odin_wire::RunOutcomeCounts::default()
        },
        success_percent: Some(99.0),
        duration: durations(1_300.0, 2_047.999, 4_000.0, 65_000.0),
        lateness: durations(1.2, 3.4, 9.0, 12.0),
    }
}
