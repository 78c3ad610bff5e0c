//! `odin verify` proves a ledger complete over downtime, pauses, edits, calendars and a change of the clock, and finds
//! every kind of change that a hand makes to it.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use expect_test::{Expect, expect};
use jiff::Timestamp;
use odin_model::calendar::SetCalendar;
use odin_model::command::{DueAfter, Modify, SetJobState};
use odin_model::owner::{Owner, Principal, Role};
use odin_model::{
    Clock, Command, Concurrency, JobId, JobName, JobSpec, JobState, Missed, NodeId, Program,
};
use odin_node::proof::{VerifyQuery, verify_file};
use odin_simulator::{Cluster, deploy_of};
use odin_wire::Verified;
use rusqlite::Connection;
use tokio::time::sleep;

const NODE: NodeId = NodeId(1);

fn ann() -> Principal {
    Principal {
        user: Owner {
            user: "tester".to_owned(),
            uid: 1000,
        },
        role: Role::Operator,
    }
}

fn spec(number: u64, schedule: &str, missed: Missed, concurrency: Concurrency) -> JobSpec {
    let name = JobName::parse(&format!("job {number}")).unwrap();
    let program = Program::Argv(vec!["true".into()]);
    JobSpec {
        missed,
        concurrency,
        grace: Duration::from_secs(10),
        ..JobSpec::new(name, program, schedule, "UTC")
    }
}

async fn propose(cluster: &Cluster, command: &Command) {
    let reply = cluster.engine(NODE).proposer.propose(command).await;
    let reply = reply.unwrap();
    assert!(
        !matches!(reply, odin_model::Reply::Refused(_)),
        "{command:?}: {reply:?}"
    );
}

/// The next due time of a job by a schedule, as an edit of now would carry it.
fn due(cluster: &Cluster, job: JobId, schedule: &str) -> DueAfter {
    let known = cluster.engine(NODE).reader.job(job).unwrap().unwrap();
    let now = odin_model::instant::to_stored_precision(cluster.clock().wall());
    let after = known.last_decided.map_or(now, |last| last.max(now));
    let zoned = odin_schedule::parse(schedule).unwrap();
    let zoned = zoned.in_zone(&jiff::tz::TimeZone::UTC);
    DueAfter {
        after,
        next_due: zoned.next_after(after),
    }
}

async fn set_state(cluster: &Cluster, job: JobId, state: JobState, schedule: &str) {
    let due = (state == JobState::Enabled).then(|| due(cluster, job, schedule));
    let at = cluster.clock().wall();
    let change = SetJobState {
        by: ann(),
        expected: None,
        job,
        state,
        due,
        at,
    };
    propose(cluster, &Command::SetJobState(change)).await;
}

async fn set_calendar(cluster: &Cluster, days: &[&str]) {
    let days = days
        .iter()
        .map(|day| odin_model::calendar::day_of(day.parse().unwrap()));
    let command = Command::SetCalendar(SetCalendar {
        by: ann(),
        name: "holidays".to_owned(),
        days: days.collect(),
        at: cluster.clock().wall(),
    });
    propose(cluster, &command).await;
}

/// Some minutes of a server's life: a job of every policy, a downtime, a pause, an edit, a removal, and a calendar that
/// changes twice. Gives the state's file, at rest, and what time it was then.
async fn live(directory: &Path) -> (PathBuf, Timestamp) {
    let wall = "2026-11-20T23:55:00.2Z".parse().unwrap();
    let mut cluster = Cluster::start(directory, 1, wall).await;
    cluster.leader().await;
    let policies = [
        ("every 2 seconds", Missed::Once, Concurrency::ALLOW),
        ("every 3 seconds", Missed::Skip, Concurrency::FORBID),
        (
            "every 5 seconds",
            Missed::All { limit: 2 },
            Concurrency::ALLOW,
        ),
        ("every 4 seconds", Missed::Once, Concurrency::ALLOW),
        ("every 6 seconds", Missed::Once, Concurrency::ALLOW),
        (
            "every 10 seconds except on holidays",
            Missed::Once,
            Concurrency::ALLOW,
        ),
    ];
    set_calendar(&cluster, &["2026-11-22"]).await;
    let mut jobs = Vec::new();
    for (number, (schedule, missed, concurrency)) in (1..).zip(policies) {
        let plain = schedule.trim_end_matches(" except on holidays");
        let mut command = deploy_of(number, spec(number, plain, missed, concurrency), wall);
        if let Command::Deploy(deploy) = &mut command {
            deploy.spec.schedule = schedule.to_owned();
        }
        propose(&cluster, &command).await;
        jobs.push(JobId::from_bits(number));
    }
    sleep(Duration::from_secs(20)).await;
    cluster.kill_server(NODE).await;
    sleep(Duration::from_secs(60)).await;
    cluster.start_server(NODE).await;
    cluster.leader().await;
    sleep(Duration::from_secs(10)).await;

    set_state(&cluster, jobs[3], JobState::Paused, "").await;
    let modify = Modify {
        by: ann(),
        job: jobs[4],
        name: None,
        description: None,
        schedule: Some((
            "every 7 seconds".to_owned(),
            due(&cluster, jobs[4], "every 7 seconds"),
        )),
        expected: None,
        at: cluster.clock().wall(),
    };
    propose(&cluster, &Command::Modify(Box::new(modify))).await;
    sleep(Duration::from_secs(15)).await;
    set_state(&cluster, jobs[3], JobState::Enabled, "every 4 seconds").await;
    sleep(Duration::from_secs(15)).await;
    // The next day becomes a holiday before it begins, and none when it has.
    set_calendar(&cluster, &["2026-11-21"]).await;
    sleep(Duration::from_secs(220)).await;
    set_calendar(&cluster, &[]).await;
    sleep(Duration::from_secs(30)).await;
    let removal = Command::Remove {
        by: ann(),
        job: jobs[4],
        expected: None,
        at: cluster.clock().wall(),
    };
    propose(&cluster, &removal).await;
    sleep(Duration::from_secs(5)).await;
    let now = cluster.clock().wall();
    cluster.kill_server(NODE).await;
    (cluster.state_file(NODE), now)
}

fn verified(file: &Path, now: Timestamp) -> Verified {
    let query = VerifyQuery {
        job: None,
        owner: None,
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        now,
    };
    verify_file(file, &query).unwrap()
}

/// The kinds of outcomes, and each finding: job, minute and second, code, words.
fn lines(verified: &Verified) -> String {
    let mut text = format!(
        "{} due, {} outcomes, {} missing, {} doubled, {} unexplained, {} wrong\n",
        verified.due,
        verified.outcomes.total(),
        verified.missing,
        verified.doubled,
        verified.unexplained,
        verified.wrong,
    );
    if verified.runs_not_kept > 0 {
        let _ = writeln!(text, "{} runs not kept", verified.runs_not_kept);
    }
    for finding in &verified.findings {
        let at = finding.due_at.strftime("%T");
        let _ = writeln!(
            text,
            "{} {at} {}: {}",
            finding.job_name, finding.code, finding.reason
        );
    }
    for period in &verified.undetermined {
        let _ = writeln!(text, "{} open: {}", period.job_name, period.because);
    }
    text
}

/// `@H:M:S` as the stored number of the instant.
fn with_instants(sql: &str) -> String {
    let mut parts = sql.split('@');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (clock, rest) = part.split_at(8);
        let day = if clock.starts_with("00") { "21" } else { "20" };
        let at: Timestamp = format!("2026-11-{day}T{clock}Z").parse().unwrap();
        let _ = write!(text, "{}{rest}", odin_model::instant::to_micros(at));
    }
    text
}

struct Lived {
    directory: tempfile::TempDir,
    file: PathBuf,
    now: Timestamp,
}

fn lived() -> Lived {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let (file, now) = runtime.block_on(live(directory.path()));
    // What was written last is in the log beside it: one file from here on.
    let conn = Connection::open(&file).unwrap();
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .unwrap();
    Lived {
        directory,
        file,
        now,
    }
}

impl Lived {
    #[track_caller]
    fn check(&self, sql: &str, expected: &Expect) {
        let edited = self.directory.path().join("edited.db");
        std::fs::copy(&self.file, &edited).unwrap();
        let conn = Connection::open(&edited).unwrap();
        let before = conn.total_changes();
        conn.execute_batch(&with_instants(sql)).unwrap();
        assert!(
            sql.is_empty() || conn.total_changes() > before,
            "{sql} changes nothing"
        );
        drop(conn);
        let verified = verified(&edited, self.now);
        assert_eq!(verified.sound, verified.findings.is_empty());
        expected.assert_eq(&lines(&verified));
    }
}

#[test]
fn every_kind_of_edit_is_named_with_job_instant_and_code() {
    let lived = lived();
    for (edit, expected) in edits() {
        lived.check(edit, &expected);
    }
}

/// SQL in which `@H:M:S` is an instant of the night, and what is found then.
fn edits() -> Vec<(&'static str, Expect)> {
    vec![
        // Nothing is edited.
        (
            "",
            expect![[r#"
            568 due, 568 outcomes, 0 missing, 0 doubled, 0 unexplained, 0 wrong
        "#]],
        ),
        // A started row goes.
        (
            "DELETE FROM ledger WHERE job = 1 AND from_at = @23:55:10",
            expect![[r#"
                568 due, 567 outcomes, 1 missing, 0 doubled, 1 unexplained, 0 wrong
                job 1 23:55:10 verify/missing: it has no outcome
                job 1 23:55:10 verify/run-without-row: the run r000000001m001 was started for it, and the ledger does not say so
            "#]],
        ),
        // A joined row goes.
        (
            "DELETE FROM ledger WHERE job = 2 AND outcome = 3",
            expect![[r#"
                568 due, 551 outcomes, 17 missing, 0 doubled, 0 unexplained, 0 wrong
                job 2 23:55:21 verify/missing: 17 due times from here on have no outcome
            "#]],
        ),
        // A joined row covers its neighbour.
        (
            "UPDATE ledger SET to_at = to_at + 2000000 WHERE job = 1 AND outcome = 2",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 1 doubled, 0 unexplained, 1 wrong
                job 1 23:55:26 verify/wrong-count: the ledger joins 22 due times from here on, and the schedule has 23 there
                job 1 23:56:10 verify/doubled: it has more than one outcome
            "#]],
        ),
        // A joined row has another count.
        (
            "UPDATE ledger SET count = count + 1 WHERE job = 2 AND outcome = 3",
            expect![[r#"
                568 due, 569 outcomes, 0 missing, 0 doubled, 0 unexplained, 1 wrong
                job 2 23:55:21 verify/wrong-count: the ledger joins 18 due times from here on, and the schedule has 17 there
            "#]],
        ),
        // An outcome is another.
        (
            "UPDATE ledger SET outcome = 1 WHERE job = 1 AND from_at = @23:55:10",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 0 unexplained, 1 wrong
                job 1 23:55:10 verify/wrong-outcome: the outcome skipped contradicts its reason, the job's policy or when it was decided
            "#]],
        ),
        // An outcome is one that the policy does not have.
        (
            "UPDATE ledger SET outcome = 3, reason = 4, reason_run = NULL, run = NULL WHERE job = 1 AND outcome = 2",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 0 unexplained, 1 wrong
                job 1 23:55:26 verify/wrong-outcome: the outcome misfired contradicts its reason, the job's policy or when it was decided
            "#]],
        ),
        // A late start is called on time.
        (
            "UPDATE ledger SET reason = 0 WHERE job = 1 AND reason = 1",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 0 unexplained, 1 wrong
                job 1 23:56:10 verify/wrong-outcome: the outcome started contradicts its reason, the job's policy or when it was decided
            "#]],
        ),
        // A run goes.
        (
            "DELETE FROM runs WHERE job = 1 AND due_at = @23:55:10",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 0 unexplained, 1 wrong
                job 1 23:55:10 verify/no-run: its run r000000001m001 is not there, or answers something else
            "#]],
        ),
        // A run goes that the job no longer keeps.
        (
            "UPDATE jobs SET kept_from = (SELECT id + 1 FROM runs WHERE job = 1 AND due_at = @23:55:10) WHERE id = 1; \
             DELETE FROM runs WHERE job = 1 AND due_at = @23:55:10",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 0 unexplained, 0 wrong
                1 runs not kept
            "#]],
        ),
        // A run is of another due time.
        (
            "UPDATE runs SET due_at = due_at + 1 WHERE job = 1 AND due_at = @23:55:10",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 1 unexplained, 1 wrong
                job 1 23:55:10 verify/no-run: its run r000000001m001 is not there, or answers something else
                job 1 23:55:10 verify/run-without-row: the run r000000001m001 was started for it, and the ledger does not say so
            "#]],
        ),
        // A second run for a due time.
        (
            "INSERT INTO runs SELECT 7, job, version, cause, cause_by, due_at, state, outcome, attempt, node, epoch, queued_at, ready_at, priority, lane, started_at, attempt_started_at, finished_at, exit_code, signal, reason, cancel, cancel_by, cpu_user, cpu_system, memory_max, cause_run, root_run, ended FROM runs WHERE job = 1 AND due_at = @23:55:10",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 1 doubled, 0 unexplained, 0 wrong
                job 1 23:55:10 verify/doubled-run: the run r0000000000007 was started for it beside the one in the ledger
            "#]],
        ),
        // A run for a time that was not due.
        (
            "INSERT INTO runs SELECT 7, job, version, cause, cause_by, due_at + 1000000, state, outcome, attempt, node, epoch, queued_at, ready_at, priority, lane, started_at, attempt_started_at, finished_at, exit_code, signal, reason, cancel, cancel_by, cpu_user, cpu_system, memory_max, cause_run, root_run, ended FROM runs WHERE job = 1 AND due_at = @23:55:10",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 1 unexplained, 0 wrong
                job 1 23:55:11 verify/run-without-row: the run r0000000000007 was started for it, and the ledger does not say so
            "#]],
        ),
        // A row names another version.
        (
            "UPDATE ledger SET version = 1 WHERE job = 5 AND from_at = (SELECT max(from_at) FROM ledger WHERE job = 5)",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 0 unexplained, 1 wrong
                job 5 00:01:12 verify/wrong-version: the ledger names version 1, and 2 was in force
            "#]],
        ),
        // A row for a removed job.
        (
            "INSERT INTO ledger SELECT job, from_at + 70000000, to_at + 70000000, 1, 1, 6, NULL, NULL, version, revision, decided_at FROM ledger WHERE job = 5 ORDER BY from_at DESC LIMIT 1",
            expect![[r#"
                568 due, 569 outcomes, 0 missing, 0 doubled, 1 unexplained, 0 wrong
                job 5 00:02:22 verify/not-due: the ledger has an outcome, skipped, for it, and nothing was due then
            "#]],
        ),
        // A due time is another.
        (
            "UPDATE ledger SET from_at = from_at + 1000000, to_at = to_at + 1000000 WHERE job = 1 AND from_at = @23:55:10",
            expect![[r#"
                568 due, 568 outcomes, 1 missing, 0 doubled, 2 unexplained, 0 wrong
                job 1 23:55:10 verify/missing: it has no outcome
                job 1 23:55:11 verify/not-due: the ledger has an outcome, started, for it, and nothing was due then
                job 1 23:55:10 verify/run-without-row: the run r000000001m001 was started for it, and the ledger does not say so
            "#]],
        ),
        // A row in a pause.
        (
            "INSERT INTO ledger VALUES (4, @23:56:40, @23:56:40, 1, 1, 6, NULL, NULL, 1, 1, @23:56:40)",
            expect![[r#"
                568 due, 569 outcomes, 0 missing, 0 doubled, 1 unexplained, 0 wrong
                job 4 23:56:40 verify/not-due: the ledger has an outcome, skipped, for it, and nothing was due then
            "#]],
        ),
        // A row on a holiday.
        (
            "INSERT INTO ledger VALUES (6, @00:00:10, @00:00:10, 1, 1, 6, NULL, NULL, 1, 1, @00:00:10)",
            expect![[r#"
                568 due, 569 outcomes, 0 missing, 0 doubled, 1 unexplained, 0 wrong
                job 6 00:00:10 verify/not-due: the ledger has an outcome, skipped, for it, and nothing was due then
            "#]],
        ),
        // The next due time is earlier.
        (
            "UPDATE jobs SET next_due = next_due - 20000000 WHERE id = 3",
            expect![[r#"
                564 due, 568 outcomes, 0 missing, 0 doubled, 4 unexplained, 0 wrong
                job 3 00:01:00 verify/not-due: the ledger has an outcome, started, for it, and nothing was due then
                job 3 00:01:05 verify/not-due: the ledger has an outcome, started, for it, and nothing was due then
                job 3 00:01:10 verify/not-due: the ledger has an outcome, started, for it, and nothing was due then
                job 3 00:01:15 verify/not-due: the ledger has an outcome, started, for it, and nothing was due then
            "#]],
        ),
        // The next due time is later.
        (
            "UPDATE jobs SET next_due = next_due + 20000000 WHERE id = 3",
            expect![[r#"
                572 due, 568 outcomes, 4 missing, 0 doubled, 0 unexplained, 0 wrong
                job 3 00:01:20 verify/missing: 4 due times from here on have no outcome
            "#]],
        ),
        // There is no next due time.
        (
            "UPDATE jobs SET next_due = NULL WHERE id = 3",
            expect![[r#"
                568 due, 568 outcomes, 0 missing, 0 doubled, 0 unexplained, 1 wrong
                job 3 00:01:20 verify/wrong-history: the job's history says that it was due next, and its schedule of then does not
            "#]],
        ),
        // The end of a stretch is later.
        (
            "UPDATE job_changes SET was = was + 8000000 WHERE job = 4 AND kind = 2",
            expect![[r#"
                570 due, 568 outcomes, 2 missing, 0 doubled, 0 unexplained, 0 wrong
                job 4 23:56:36 verify/missing: 2 due times from here on have no outcome
            "#]],
        ),
        // The beginning of a stretch is later.
        (
            "UPDATE job_changes SET is_now = is_now + 8000000 WHERE job = 4 AND kind = 3",
            expect![[r#"
                566 due, 568 outcomes, 0 missing, 0 doubled, 2 unexplained, 1 wrong
                job 4 23:56:56 verify/wrong-history: the job's history says that it was due next, and its schedule of then does not
                job 4 23:56:48 verify/not-due: the ledger has an outcome, started, for it, and nothing was due then
                job 4 23:56:52 verify/not-due: the ledger has an outcome, started, for it, and nothing was due then
            "#]],
        ),
        // A pause was never.
        (
            "DELETE FROM job_changes WHERE job = 4 AND kind = 2",
            expect![[r#"
                571 due, 568 outcomes, 3 missing, 0 doubled, 0 unexplained, 0 wrong
                job 4 23:56:36 verify/missing: 3 due times from here on have no outcome
            "#]],
        ),
        // A version goes.
        (
            "DELETE FROM job_versions WHERE job = 5 AND version = 1",
            expect![[r#"
                553 due, 553 outcomes, 0 missing, 0 doubled, 0 unexplained, 0 wrong
                job 5 open: version 1 is no longer kept
            "#]],
        ),
        // A former calendar goes.
        (
            "DELETE FROM former_calendars",
            expect![[r#"
            539 due, 539 outcomes, 0 missing, 0 doubled, 0 unexplained, 0 wrong
            job 6 open: its schedule cannot be read any more: there is no calendar `holidays`
        "#]],
        ),
    ]
}
