//! What runs do that their jobs tell of: they end, they are late, they go on too long. And due times that had no run.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::alert::{AlertKey, AlertKind, Raised, Subject, Watch};
use odin_model::job::Visibility;
use odin_model::run::{Outcome, RunState};
use odin_model::{Alerting, JobId, JobSpec, LedgerOutcome, RunId, codec};
use odin_scheduling::alerting::{self, Bounds, Ended, Finding, Learned, run_ended};
use rusqlite::{Connection, OptionalExtension, params};

use super::ledger::Entry;
use super::run::RunRow;
use super::{Batch, alert, bounds as value_bounds, channel, job, run, statistics};
use crate::{StoreError, columns};

/// What a job tells of, with how many of its runs failed in a row. `None`: nothing.
pub(super) fn alerting_of(
    conn: &Connection,
    job: JobId,
) -> Result<Option<(Alerting, u32)>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT alerting, failures FROM job_alerting WHERE job = ?1")?;
    let mut rows = statement.query([columns::job_id(job)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(Some((codec::decode(bytes)?, row.get(1)?)))
}

/// Notes what a job's current version tells of. Hidden jobs, which are run once, tell nothing.
pub(super) fn note(
    conn: &Connection,
    job: JobId,
    spec: &JobSpec,
    visibility: Visibility,
    at: Timestamp,
) -> Result<(), StoreError> {
    let is_silent = spec.alerting == Alerting::default() || visibility == Visibility::Hidden;
    channel::note_uses(conn, job, if is_silent { &[] } else { &spec.alerting.to })?;
    if is_silent {
        conn.prepare_cached("DELETE FROM job_alerting WHERE job = ?1")?
            .execute([columns::job_id(job)])?;
    } else {
        conn.prepare_cached(
            "INSERT INTO job_alerting (job, alerting, failures) VALUES (?1, ?2, 0) \
             ON CONFLICT (job) DO UPDATE SET alerting = ?2",
        )?
        .execute((columns::job_id(job), codec::encode(&spec.alerting)))?;
    }
    alert::forget(conn, job, Some(&spec.alerting), at)
}

/// A job that is removed tells nothing any more, and nothing of it is open.
pub(super) fn forget(conn: &Connection, job: JobId, at: Timestamp) -> Result<(), StoreError> {
    channel::note_uses(conn, job, &[])?;
    conn.prepare_cached("DELETE FROM job_alerting WHERE job = ?1")?
        .execute([columns::job_id(job)])?;
    alert::forget(conn, job, None, at)
}

/// What the file says, then what the job's runs until now took.
fn bounds_of(
    batch: &Batch<'_>,
    job: JobId,
    alerting: &Alerting,
    at: Timestamp,
) -> Result<Bounds, StoreError> {
    let learned = match alerting::learns(alerting) {
        true => learned_of(batch, job, at)?,
        false => None,
    };
    Ok(alerting::bounds(alerting, learned))
}

/// What the job's runs until now took.
pub(super) fn learned_of(
    batch: &Batch<'_>,
    job: JobId,
    at: Timestamp,
) -> Result<Option<Learned>, StoreError> {
    let typical = statistics::typical_duration(batch, job, at)?;
    Ok(typical.map(|typical| Learned {
        short: Duration::from_micros(typical.short),
        p50: Duration::from_micros(typical.p50),
        p95: Duration::from_micros(typical.p95),
        count: typical.count,
    }))
}

/// Who says how long a run should take: its file, or the runs before it.
fn who_says(bound: Option<Duration>) -> &'static str {
    match bound {
        Some(_) => "that it should take",
        None => "that its earlier runs let expect",
    }
}

/// A run was made for a due time: it may be late.
pub(super) fn run_made(
    conn: &Connection,
    job: JobId,
    run: RunId,
    due_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let Some(due_at) = due_at else { return Ok(()) };
    let Some((alerting, _)) = alerting_of(conn, job)? else {
        return Ok(());
    };
    match alerting::late_at(&alerting, due_at) {
        Some(at) => set(conn, run, Watch::Late, at),
        None => Ok(()),
    }
}

/// A process of a run began: it may take too long.
pub(super) fn process_began(batch: &Batch<'_>, run: &RunRow) -> Result<(), StoreError> {
    let RunState::Running { .. } = run.state else {
        return Ok(());
    };
    let Some(started_at) = run.attempt_started_at else {
        return Ok(());
    };
    let Some((alerting, _)) = alerting_of(batch.conn, run.job)? else {
        return Ok(());
    };
    let bounds = bounds_of(batch, run.job, &alerting, started_at)?;
    for (watch, at) in alerting::watches(&alerting, bounds, started_at) {
        set(batch.conn, run.id, watch, at)?;
    }
    Ok(())
}

fn set(conn: &Connection, run: RunId, watch: Watch, at: Timestamp) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR REPLACE INTO watches (run, watch, at) VALUES (?1, ?2, ?3)")?
        .execute(params![
            columns::run_id(run),
            columns::watch(watch),
            columns::at(at)
        ])?;
    Ok(())
}

/// What a run was watched for has happened, unless it was over before.
pub(super) fn overdue(
    batch: &mut Batch<'_>,
    id: RunId,
    watch: Watch,
    at: Timestamp,
) -> Result<(), StoreError> {
    let was: Option<i64> = batch
        .conn
        .prepare_cached(
            "DELETE FROM watches WHERE run = ?1 AND watch = ?2 AND at <= ?3 RETURNING at",
        )?
        .query_row(
            params![columns::run_id(id), columns::watch(watch), columns::at(at)],
            |row| row.get(0),
        )
        .optional()?;
    let Some(was) = was.map(columns::to_at) else {
        return Ok(());
    };
    let Some(run) = run::find(batch.conn, id)? else {
        return Ok(());
    };
    let kind = watch.kind();
    let has_process = matches!(
        run.state,
        RunState::Running { .. } | RunState::Unreachable { .. }
    );
    let holds = match watch {
        Watch::Late => !matches!(run.state, RunState::Finished(_)),
        // A run that waits for its next attempt takes no time.
        Watch::TooSlow | Watch::NeverFinished => has_process,
    };
    let alerting = alerting_of(batch.conn, run.job)?.map(|(alerting, _)| alerting);
    let Some(alerting) = alerting.filter(|it| holds && it.raises(kind)) else {
        return Ok(());
    };
    let name = job::name(batch.conn, run.job)?;
    let since = match watch {
        Watch::Late => run.due_at.unwrap_or(run.ready_at),
        Watch::TooSlow | Watch::NeverFinished => run.attempt_started_at.unwrap_or(run.ready_at),
    };
    // As it was when the process began: more of the job's runs may have ended since.
    let allowed = Duration::try_from(was.duration_since(since)).unwrap_or_default();
    let since = shown_second(since);
    let says = who_says(alerting.max_duration);
    let text = match watch {
        Watch::Late => format!(
            "`{name}` is late: its run due at {since} is not over, {} after",
            alerting.late_after.map_or_else(String::new, shown)
        ),
        Watch::TooSlow => format!(
            "`{name}` is slow: it has run since {since}, longer than the {} {says}",
            shown(allowed)
        ),
        Watch::NeverFinished => format!(
            "`{name}` does not finish: it has run since {since}, {} times the {} {says}",
            alerting::NEVER_TIMES,
            shown(allowed / alerting::NEVER_TIMES)
        ),
    };
    let raised = Raised {
        key: AlertKey::new(kind, Subject::Job(run.job)),
        run: Some(id),
        text,
    };
    alert::raise(batch, &raised, 1, at)
}

/// A run is over.
pub(super) fn run_over(
    batch: &mut Batch<'_>,
    run: &RunRow,
    outcome: Outcome,
) -> Result<(), StoreError> {
    let Some((alerting, before)) = alerting_of(batch.conn, run.job)? else {
        return Ok(());
    };
    let Some(result) = &run.result else {
        return Ok(());
    };
    batch
        .conn
        .prepare_cached("DELETE FROM watches WHERE run = ?1")?
        .execute([columns::run_id(run.id)])?;
    let at = result.finished_at;
    value_bounds::run_over(batch, run, &alerting, at)?;
    let took = run
        .attempt_started_at
        .and_then(|started| at.duration_since(started).try_into().ok());
    let bounds = bounds_of(batch, run.job, &alerting, at)?;
    let (failures, findings) = run_ended(&alerting, bounds, before, Ended { outcome, took });
    if failures != before {
        batch
            .conn
            .prepare_cached("UPDATE job_alerting SET failures = ?2 WHERE job = ?1")?
            .execute((columns::job_id(run.job), failures))?;
    }
    let name = job::name(batch.conn, run.job)?;
    let key = |kind| AlertKey::new(kind, Subject::Job(run.job));
    for finding in findings {
        match finding {
            Finding::Raise(kind) => {
                let took = took.map(shown).unwrap_or_default();
                let text = match kind {
                    AlertKind::TooFast => format!(
                        "`{name}` was fast: it took {took}, less than the {} {}",
                        bounds.min.map(shown).unwrap_or_default(),
                        who_says(alerting.min_duration)
                    ),
                    AlertKind::TooSlow => format!(
                        "`{name}` was slow: it took {took}, longer than the {} {}",
                        bounds.max.map(shown).unwrap_or_default(),
                        who_says(alerting.max_duration)
                    ),
                    _ => failed(name.as_str(), outcome, result.reason.as_deref(), failures),
                };
                let raised = Raised {
                    key: key(kind),
                    run: Some(run.id),
                    text,
                };
                alert::raise(batch, &raised, 1, at)?;
            }
            Finding::Resolve(kind) => {
                let text = match before {
                    0 => format!("`{name}` is well again"),
                    1 => format!("`{name}` succeeded after a failure"),
                    failures => format!("`{name}` succeeded after {failures} failures in a row"),
                };
                alert::resolve(batch, &key(kind), None, &text, at)?;
            }
            Finding::ResolveOfRun(kind) => {
                alert::resolve(batch, &key(kind), Some(run.id), "", at)?;
            }
        }
    }
    Ok(())
}

fn failed(name: &str, outcome: Outcome, reason: Option<&str>, failures: u32) -> String {
    let verb = match outcome {
        Outcome::TimedOut => "timed out",
        Outcome::Signalled => "was ended by a signal",
        Outcome::OutOfMemory => "ran out of memory",
        Outcome::NotStartable => "could not be started",
        Outcome::Lost => "is lost",
        Outcome::Succeeded | Outcome::Warning | Outcome::Failed | Outcome::Cancelled => "failed",
    };
    let reason = reason.map(|reason| format!(": {reason}"));
    let in_a_row = (failures > 1).then(|| format!(" ({failures} in a row)"));
    format!(
        "`{name}` {verb}{}{}",
        reason.unwrap_or_default(),
        in_a_row.unwrap_or_default()
    )
}

/// Due times have their outcome: those that had no run may be an alert.
pub(super) fn decided(batch: &mut Batch<'_>, entry: &Entry) -> Result<(), StoreError> {
    let words = match entry.outcome {
        LedgerOutcome::Misfired => "misfired",
        LedgerOutcome::Skipped => "skipped",
        LedgerOutcome::Started | LedgerOutcome::Coalesced => return Ok(()),
    };
    let alerting = alerting_of(batch.conn, entry.job)?;
    if !alerting.is_some_and(|(it, _)| it.raises(AlertKind::Missed)) {
        return Ok(());
    }
    let name = job::name(batch.conn, entry.job)?;
    let text = match entry.count {
        1 => format!(
            "`{name}` missed its due time {}: it was {words}",
            shown_second(entry.from)
        ),
        count => format!(
            "`{name}` missed {count} due times from {} to {}: they were {words}",
            shown_second(entry.from),
            shown_second(entry.to)
        ),
    };
    let raised = Raised {
        key: AlertKey::new(AlertKind::Missed, Subject::Job(entry.job)),
        run: None,
        text,
    };
    alert::raise(batch, &raised, entry.count, entry.decided_at)
}

/// A duration as a job file writes it, down to a tenth of a second below ten.
pub(super) fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        return match duration.subsec_millis() / 100 {
            0 => format!("{seconds}s"),
            tenths => format!("{seconds}.{tenths}s"),
        };
    }
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect()
}

fn shown_second(at: Timestamp) -> String {
    let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
    second.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::{Expect, expect};
    use jiff::SignedDuration;
    use odin_model::alert::{AlertChange, AlertId, AlertState, Watch};
    use odin_model::attempt::{AttemptEventKind, Ending};
    use odin_model::channel::{ChannelChange, ChannelSpec, Target, WebhookTarget};
    use odin_model::command::{Command, Deploy};
    use odin_model::{Alerting, ChannelName, JobId, Missed, Notice, Overlap, Reply, RunId};

    use crate::AlertsOf;
    use crate::scenario::{NODE, Scenario, deploy, due_after, finished, minute, root, started};

    fn ops() -> ChannelName {
        ChannelName::parse("ops").unwrap()
    }

    fn set_channel(name: &str, spec: ChannelSpec) -> Command {
        Command::Channel(Box::new(ChannelChange::Set {
            by: root(),
            name: ChannelName::parse(name).unwrap(),
            spec,
            token: 7,
            at: minute(0),
        }))
    }

    fn webhook() -> ChannelSpec {
        ChannelSpec::new(Target::Webhook(WebhookTarget {
            url: "https://example.org/hook".to_owned(),
            secret: None,
        }))
    }

    /// A node, the channel `ops`, and a minutely job that tells it of these.
    fn scenario(alerting: Alerting) -> (Scenario, JobId) {
        let mut scenario = Scenario::with_node();
        let mut spec = webhook();
        spec.server_alerts = true;
        assert_eq!(scenario.apply(&set_channel("ops", spec)), Reply::Done);
        let id = scenario.deploy(telling("nightly", alerting));
        (scenario, id)
    }

    fn telling(name: &str, alerting: Alerting) -> Deploy {
        let mut deploy = deploy(name);
        deploy.spec.alerting = Alerting {
            to: vec![ops()],
            ..alerting
        };
        deploy
    }

    fn skipping(alerting: Alerting) -> Deploy {
        let mut deploy = telling("nightly", alerting);
        deploy.spec.missed = Missed::Skip;
        deploy
    }

    fn on(notices: &[Notice]) -> Alerting {
        Alerting {
            on: notices.to_vec(),
            ..Alerting::default()
        }
    }

    /// Runs the job at that minute, from its beginning to its end.
    fn run(scenario: &mut Scenario, job: JobId, at: i64, ending: Ending, seconds: i64) -> RunId {
        let run = scenario.run_of(job, at);
        let mut end = finished(run, ending);
        if let AttemptEventKind::Finished(result) = &mut end.kind {
            result.started_at = Some(minute(at));
            result.finished_at = minute(at) + SignedDuration::from_secs(seconds);
        }
        scenario.report(vec![end]);
        run
    }

    fn failed() -> Ending {
        Ending::Exited { code: 3 }
    }

    fn good() -> Ending {
        Ending::Exited { code: 0 }
    }

    /// Every alert and what the channel is told, oldest first.
    #[track_caller]
    fn check(scenario: &Scenario, expected: &Expect) {
        let reader = scenario.store.reader();
        let mut seen = String::new();
        let mut alerts = Vec::new();
        for state in AlertState::ALL {
            let of = AlertsOf {
                state: Some(state),
                ..AlertsOf::default()
            };
            alerts.extend(reader.alerts(&of, None, 100).unwrap());
        }
        alerts.sort_by_key(|alert| alert.id);
        for alert in alerts {
            let (word, state) = (alert.key.kind.word(), alert.state.word());
            seen += &format!(
                "{} {state} {word} ×{}: {}\n",
                alert.id, alert.count, alert.text
            );
        }
        let mut deliveries = reader.deliveries(None, None, 100).unwrap();
        deliveries.reverse();
        for delivery in deliveries {
            let (message, _) = reader.message(delivery.id).unwrap().unwrap();
            seen += &format!("-> {} {}\n", delivery.channel, delivery.state.word());
            for event in message.events {
                let (word, kind) = (event.event.word(), event.kind.word());
                seen += &format!("   {word} {kind} ×{}: {}\n", event.count, event.text);
            }
        }
        expected.assert_eq(&seen);
    }

    #[test]
    fn failures_are_one_alert_until_a_run_ends_well_and_both_are_told() {
        let (mut scenario, job) = scenario(on(&[Notice::Failure, Notice::Recovered]));
        run(&mut scenario, job, 1, good(), 1);
        for at in 2..5 {
            run(&mut scenario, job, at, failed(), 1);
        }
        run(&mut scenario, job, 5, good(), 1);
        run(&mut scenario, job, 6, good(), 1);
        check(
            &scenario,
            &expect![[r#"
                a1 resolved failure ×3: `nightly` failed: exit code 3 (3 in a row)
                -> ops gathering
                   opened failure ×1: `nightly` failed: exit code 3
                   resolved failure ×3: `nightly` succeeded after 3 failures in a row
            "#]],
        );
        run(&mut scenario, job, 7, failed(), 1);
        let open = scenario
            .store
            .reader()
            .alerts(&AlertsOf::default(), None, 9);
        assert_eq!(open.unwrap()[0].id, AlertId(2));
    }

    #[test]
    fn an_alert_that_goes_on_is_told_again_after_the_time_that_the_job_says() {
        let (mut scenario, job) = scenario(Alerting {
            repeat: Duration::from_secs(180),
            ..on(&[Notice::Failure])
        });
        for at in 1..=4 {
            run(&mut scenario, job, at, failed(), 0);
        }
        run(&mut scenario, job, 5, good(), 0);
        check(
            &scenario,
            &expect![[r#"
                a1 resolved failure ×4: `nightly` failed: exit code 3 (4 in a row)
                -> ops gathering
                   opened failure ×1: `nightly` failed: exit code 3
                   repeated failure ×4: `nightly` failed: exit code 3 (4 in a row)
            "#]],
        );
    }

    #[test]
    fn a_bound_is_told_when_it_passes_once_and_at_the_end_of_a_short_run() {
        let (mut scenario, job) = scenario(Alerting {
            min_duration: Some(Duration::from_secs(10)),
            max_duration: Some(Duration::from_secs(60)),
            late_after: Some(Duration::from_secs(90)),
            ..on(&[Notice::TooFast, Notice::TooSlow, Notice::Late])
        });
        run(&mut scenario, job, 1, good(), 9);
        let slow = scenario.run_of(job, 2);
        let mut begin = started(slow);
        begin.kind = AttemptEventKind::Started {
            at: minute(2),
            pid: 1,
        };
        scenario.report(vec![begin]);
        let overdue = scenario.store.reader().overdue(minute(2), 9).unwrap();
        assert_eq!(
            (overdue.watches, overdue.next_at),
            (vec![], Some(minute(3)))
        );
        let overdue = scenario.store.reader().overdue(minute(4), 9).unwrap();
        let watches = overdue.watches;
        assert_eq!(watches, [(slow, Watch::TooSlow), (slow, Watch::Late)]);
        let command = |at| {
            Command::Alert(Box::new(AlertChange::Overdue {
                watches: watches.clone(),
                at: minute(at),
            }))
        };
        // Too early, then in time, then once more by another leader.
        for at in [2, 4, 4] {
            scenario.apply(&command(at));
        }
        let mut end = finished(slow, good());
        if let AttemptEventKind::Finished(result) = &mut end.kind {
            result.finished_at = minute(6);
        }
        scenario.report(vec![end]);
        assert_eq!(
            scenario
                .store
                .reader()
                .overdue(minute(99), 9)
                .unwrap()
                .watches,
            []
        );
        check(
            &scenario,
            &expect![[r#"
                a1 resolved too_fast ×1: `nightly` was fast: it took 9s, less than the 10s that it should take
                a2 open too_slow ×1: `nightly` was slow: it took 4m, longer than the 1m that it should take
                a3 resolved late ×1: `nightly` is late: its run due at 2026-01-01T00:02:00Z is not over, 1m30s after
                -> ops gathering
                   opened too_fast ×1: `nightly` was fast: it took 9s, less than the 10s that it should take
                   opened too_slow ×1: `nightly` is slow: it has run since 2026-01-01T00:02:00Z, longer than the 1m that it should take
                   opened late ×1: `nightly` is late: its run due at 2026-01-01T00:02:00Z is not over, 1m30s after
            "#]],
        );
        run(&mut scenario, job, 3, good(), 30);
        assert_eq!(
            scenario
                .store
                .reader()
                .alerts(&AlertsOf::default(), None, 9)
                .unwrap(),
            []
        );
    }

    #[test]
    fn twenty_runs_say_what_the_file_leaves_open_and_a_run_is_held_to_those_before_it() {
        let (mut scenario, job) = scenario(on(&[Notice::TooFast, Notice::TooSlow]));
        for at in 1..20 {
            run(&mut scenario, job, at, good(), 20);
        }
        // The nineteen before it are too few.
        run(&mut scenario, job, 20, good(), 1);
        check(&scenario, &expect![""]);
        run(&mut scenario, job, 21, good(), 1);
        run(&mut scenario, job, 22, good(), 600);
        let slow = scenario.run_of(job, 23);
        let mut begin = started(slow);
        begin.kind = AttemptEventKind::Started {
            at: minute(23),
            pid: 1,
        };
        scenario.report(vec![begin]);
        let watches = scenario
            .store
            .reader()
            .overdue(minute(30), 9)
            .unwrap()
            .watches;
        assert_eq!(watches, [(slow, Watch::TooSlow)]);
        scenario.apply(&Command::Alert(Box::new(AlertChange::Overdue {
            watches,
            at: minute(30),
        })));
        check(
            &scenario,
            &expect![[r#"
            a1 resolved too_fast ×1: `nightly` was fast: it took 1s, less than the 2s that its earlier runs let expect
            a2 open too_slow ×2: `nightly` is slow: it has run since 2026-01-01T00:23:00Z, longer than the 1m2s that its earlier runs let expect
            -> ops gathering
               opened too_fast ×1: `nightly` was fast: it took 1s, less than the 2s that its earlier runs let expect
               opened too_slow ×1: `nightly` was slow: it took 10m, longer than the 1m that its earlier runs let expect
        "#]],
        );
    }

    #[test]
    fn what_was_learned_does_not_depend_on_what_came_in_one_batch() {
        for is_one_batch in [true, false] {
            let (mut scenario, _) = scenario(Alerting::default());
            let mut deploy = telling("hourly", on(&[Notice::TooSlow]));
            deploy.spec.concurrency.overlap = Overlap::Allow;
            let job = scenario.deploy(deploy);
            for at in 1..=20 {
                run(&mut scenario, job, at, good(), 20);
            }
            // The noon a month later: the oldest day that counts is in sight in part, and is joined by the first batch.
            let ended_at = minute(30 * 24 * 60 + 12 * 60);
            let ends = [21, 22].map(|at| {
                let mut end = finished(scenario.run_of(job, at), good());
                if let AttemptEventKind::Finished(result) = &mut end.kind {
                    result.started_at = Some(minute(at));
                    result.finished_at = ended_at;
                }
                end
            });
            match is_one_batch {
                true => _ = scenario.report(ends.to_vec()),
                false => ends
                    .into_iter()
                    .for_each(|end| _ = scenario.report(vec![end])),
            }
            let open = scenario
                .store
                .reader()
                .alerts(&AlertsOf::default(), None, 9);
            let counts: Vec<u64> = open.unwrap().iter().map(|alert| alert.count).collect();
            assert_eq!(counts, [2], "in one batch: {is_one_batch}");
        }
    }

    #[test]
    fn due_times_without_a_run_are_told_and_what_a_job_tells_no_more_is_over() {
        let (mut scenario, _) = scenario(Alerting::default());
        let job = scenario.deploy(skipping(on(&[Notice::Missed])));
        let item = scenario.item(job, &[1, 2, 3]);
        scenario.fire_item(item, 30);
        check(
            &scenario,
            &expect![[r#"
                a1 open missed ×3: `nightly` missed 3 due times from 2026-01-01T00:01:00Z to 2026-01-01T00:03:00Z: they were misfired
                -> ops gathering
                   opened missed ×3: `nightly` missed 3 due times from 2026-01-01T00:01:00Z to 2026-01-01T00:03:00Z: they were misfired
            "#]],
        );
        scenario.deploy(Deploy {
            due: due_after(3),
            at: minute(3),
            ..skipping(on(&[Notice::Failure]))
        });
        let open = scenario
            .store
            .reader()
            .alerts(&AlertsOf::default(), None, 9);
        assert_eq!(open.unwrap(), []);
    }

    #[test]
    fn a_node_that_falls_silent_is_told_to_the_channels_of_the_server() {
        let (mut scenario, _) = scenario(Alerting::default());
        let epoch = scenario.store.reader().nodes().unwrap()[0].epoch;
        scenario.apply(&Command::NodeDown {
            node: NODE,
            epoch,
            at: minute(1),
        });
        scenario.node_up(NODE, "worker1");
        check(
            &scenario,
            &expect![[r#"
                a1 resolved node_down ×1: the node `worker1` is silent: what runs there is not known
                -> ops gathering
                   opened node_down ×1: the node `worker1` is silent: what runs there is not known
                   resolved node_down ×1: the node `worker1` is back
            "#]],
        );
    }

    #[test]
    fn a_removed_job_leaves_no_open_alert() {
        let (mut scenario, job) = scenario(on(&[Notice::Failure]));
        run(&mut scenario, job, 1, failed(), 1);
        let removed = scenario.apply(&Command::Remove {
            by: root(),
            job,
            expected: None,
            at: minute(1),
        });
        assert_eq!(removed, Reply::Removed { links: vec![] });
        let open = scenario
            .store
            .reader()
            .alerts(&AlertsOf::default(), None, 9);
        assert_eq!(open.unwrap(), []);
    }
}
