//! What is unusual about a run that is over: numbers that are far from those of its job's earlier runs, and a duration
//! that is. Nobody has to ask for it, and it changes nothing of the run.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use odin_model::alert::{AlertKey, AlertKind, Raised, Subject};
use odin_model::statistics::ends_by_itself;
use odin_model::{Alerting, FlagOf, JobId, Outcome, RunFlag, RunId, ValueData, ValueKind, codec};
use odin_scheduling::alerting::{self, FAST_TYPICAL_MIN, SLOW_MARGIN};
use odin_scheduling::unusual::{self, HISTORY_RUNS_MAX, Side, Unusual};
use rusqlite::{Connection, OptionalExtension, params};

use super::run::RunRow;
use super::{Batch, alert, job, statistics, watch};
use crate::values::{Until, latest_in};
use crate::{StoreError, columns};

/// How many of a run's latest blocks of values are looked at for what it reported last by each name.
const BLOCKS_MAX: u64 = 1_000;
/// From how many long runs among the 20 before it on a run is held to what they took at least. Fewer are no rule, and to
/// read what was counted at the end of each short run would cost more than such runs themselves.
const LONG_RUNS_MIN: u32 = 10;
/// How many flags a run can have: lists of runs carry them.
const FLAGS_MAX: usize = 20;

/// Whether a run that took so many microseconds is one of which it could be said that it was short for once.
pub(super) fn is_long(took: u64) -> bool {
    Duration::from_micros(took) >= FAST_TYPICAL_MIN
}

/// A run is over: it is held to the runs before it, so many of which were [long](is_long), and later ones will be held to
/// it if it went well. One that somebody cancelled says nothing of its job.
pub(super) fn run_over(
    batch: &mut Batch<'_>,
    run: &RunRow,
    outcome: Outcome,
    long_before: u32,
) -> Result<(), StoreError> {
    let Some(result) = run
        .result
        .as_ref()
        .filter(|_| outcome != Outcome::Cancelled)
    else {
        return Ok(());
    };
    let at = result.finished_at;
    let mut flags: Vec<RunFlag> = slow(batch, run, outcome, at)?.into_iter().collect();
    if long_before >= LONG_RUNS_MIN {
        flags.extend(fast(batch, run, outcome, at)?);
    }
    let (mut flagged, mut usual) = (BTreeSet::new(), BTreeSet::new());
    for it in numbers_of(batch.conn, run.id)? {
        let history = history_of(batch.conn, it.series)?;
        match unusual::judge(&it.number, &history) {
            None => {
                usual.insert(it.name);
            }
            Some(why) => {
                let is_new = flagged.insert(it.name.clone());
                if is_new && flags.len() < FLAGS_MAX {
                    flags.push(flag_of(it.name, &it.number, why));
                }
            }
        }
        if outcome.is_good() {
            remember(batch.conn, it.series, history, it.number)?;
        }
    }
    if !flags.is_empty() {
        batch
            .conn
            .prepare_cached("INSERT OR REPLACE INTO run_flags (run, flags) VALUES (?1, ?2)")?
            .execute(params![columns::run_id(run.id), codec::encode(&flags)])?;
    }
    // A name may have two kinds.
    usual.retain(|name| !flagged.contains(name));
    if flagged.is_empty() && usual.is_empty() {
        return Ok(());
    }
    tell(batch, run, &flags, &usual, at)
}

/// A number that a run reported last in a series.
struct Reported {
    series: i64,
    name: String,
    number: String,
}

/// The finite numbers that a run reported last, by name and kind.
fn numbers_of(conn: &Connection, run: RunId) -> Result<Vec<Reported>, StoreError> {
    let key_of = |series, name: &str, kind| {
        let is_number = matches!(kind, ValueKind::Watch | ValueKind::Metric);
        // What was reported beyond the names that a job may have is under none.
        (is_number && !name.is_empty()).then(|| (name.to_owned(), kind, series))
    };
    let (latest, _) = latest_in(conn, run, key_of, Until::Blocks(BLOCKS_MAX))?;
    let numbers = latest.into_iter().filter_map(|((name, _, series), kept)| {
        let ValueData::Number(number) = kept.value.data else {
            return None;
        };
        unusual::is_judged(&number).then_some(Reported {
            series,
            name,
            number,
        })
    });
    Ok(numbers.collect())
}

fn flag_of(name: String, number: &str, unusual: Unusual) -> RunFlag {
    let Unusual {
        low,
        high,
        usual_low,
        usual_high,
        runs,
        side,
    } = unusual;
    let side = match side {
        Side::Below => "below",
        Side::Above => "above",
    };
    let usual = match usual_low == usual_high {
        true => format!("the {usual_low}"),
        false => format!("the {usual_low} to {usual_high}"),
    };
    RunFlag {
        of: FlagOf::Value,
        reason: format!("{number} is far {side} {usual} of the {runs} runs before"),
        name,
        value: number.to_owned(),
        low: Some(low),
        high: Some(high),
    }
}

/// The numbers of earlier runs in a series, oldest first.
fn history_of(conn: &Connection, series: i64) -> Result<Vec<String>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT numbers FROM value_histories WHERE series = ?1")?;
    let found: Option<Vec<u8>> = statement.query_row([series], |row| row.get(0)).optional()?;
    Ok(match found {
        Some(bytes) => codec::decode(&bytes)?,
        None => Vec::new(),
    })
}

fn remember(
    conn: &Connection,
    series: i64,
    mut history: Vec<String>,
    number: String,
) -> Result<(), StoreError> {
    let too_many = (history.len() + 1).saturating_sub(HISTORY_RUNS_MAX);
    history.drain(..too_many);
    history.push(number);
    conn.prepare_cached(
        "INSERT INTO value_histories (series, numbers) VALUES (?1, ?2) \
         ON CONFLICT (series) DO UPDATE SET numbers = ?2",
    )?
    .execute(params![series, codec::encode(&history)])?;
    Ok(())
}

/// A run that took far longer than its job's runs do.
fn slow(
    batch: &Batch<'_>,
    run: &RunRow,
    outcome: Outcome,
    at: Timestamp,
) -> Result<Option<RunFlag>, StoreError> {
    let took = run
        .attempt_started_at
        .and_then(|started| Duration::try_from(at.duration_since(started)).ok())
        .filter(|took| ends_by_itself(outcome) && *took > SLOW_MARGIN);
    let Some(took) = took else { return Ok(None) };
    let learned = watch::learned_of(batch, run.job, at)?;
    let bounds = alerting::bounds(&Alerting::default(), learned);
    let max = bounds.max.filter(|max| took > *max);
    Ok(max.map(|max| duration_flag(took, None, Some(max))))
}

/// A run that went well and took far less than its job's runs do, all its attempts together: it may have done nothing.
fn fast(
    batch: &Batch<'_>,
    run: &RunRow,
    outcome: Outcome,
    at: Timestamp,
) -> Result<Option<RunFlag>, StoreError> {
    let took = statistics::took(run, outcome).filter(|it| outcome.is_good() && !is_long(*it));
    let Some(took) = took.map(Duration::from_micros) else {
        return Ok(None);
    };
    let learned = watch::learned_of(batch, run.job, at)?;
    let bounds = alerting::bounds(&Alerting::default(), learned);
    let min = bounds.min.filter(|min| took < *min);
    Ok(min.map(|min| duration_flag(took, Some(min), None)))
}

/// What is said of a duration on the wrong side of one of these.
fn duration_flag(took: Duration, min: Option<Duration>, max: Option<Duration>) -> RunFlag {
    let seconds = |time: Duration| format!("{}.{:03}", time.as_secs(), time.subsec_millis());
    let side = match min {
        Some(_) => "less",
        None => "longer",
    };
    let bound = min.or(max).unwrap_or_default();
    RunFlag {
        of: FlagOf::Duration,
        name: FlagOf::Duration.word().to_owned(),
        value: seconds(took),
        low: min.map(seconds),
        high: max.map(seconds),
        reason: format!(
            "it took {}, {side} than the {} that earlier runs let expect",
            watch::shown(took),
            watch::shown(bound)
        ),
    }
}

/// Raises and ends the alerts of a job that asks to be told of unusual numbers.
fn tell(
    batch: &mut Batch<'_>,
    run: &RunRow,
    flags: &[RunFlag],
    usual: &BTreeSet<String>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let alerting = watch::alerting_of(batch.conn, run.job)?;
    if !alerting.is_some_and(|(it, _)| it.raises(AlertKind::Unusual)) {
        return Ok(());
    }
    let job_name = job::name(batch.conn, run.job)?;
    for flag in flags.iter().filter(|flag| flag.of == FlagOf::Value) {
        let (name, reason) = (&flag.name, &flag.reason);
        let raised = Raised {
            key: key(run.job, name),
            run: Some(run.id),
            text: format!("`{job_name}` reported an unusual `{name}`: {reason}"),
        };
        alert::raise(batch, &raised, 1, at)?;
    }
    for name in usual {
        let key = key(run.job, name);
        if alert::is_of_another_run(batch.conn, &key, run.id)? {
            let text = format!("`{job_name}` reports a usual `{name}` again");
            alert::resolve(batch, &key, None, &text, at)?;
        }
    }
    Ok(())
}

fn key(job: JobId, name: &str) -> AlertKey {
    AlertKey::detailed(AlertKind::Unusual, Subject::Job(job), name)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};
    use jiff::SignedDuration;
    use odin_model::attempt::{AttemptEventKind, Ending};
    use odin_model::value::ReportValues;
    use odin_model::{
        Alerting, AttemptNumber, Command, JobId, Notice, RunId, Value, ValueData, ValueKind,
    };

    use super::FLAGS_MAX;
    use crate::scenario::{
        Scenario, deploy, finished, minute, number_at, part_of, started, watched,
    };

    fn scenario(on: &[Notice]) -> (Scenario, JobId) {
        let mut scenario = Scenario::with_node();
        let mut deploy = deploy("nightly");
        deploy.spec.alerting = Alerting {
            on: on.to_vec(),
            ..Alerting::default()
        };
        let job = scenario.deploy(deploy);
        (scenario, job)
    }

    const GOOD: Ending = Ending::Exited { code: 0 };

    fn price(number: i32) -> Value {
        number_at("price", minute(1), number)
    }

    /// So many runs, whose prices go from 98 to 102.
    fn usual_runs(scenario: &mut Scenario, job: JobId, minutes: std::ops::Range<i64>) {
        for at in minutes {
            let number = 98 + i32::try_from(at % 5).unwrap();
            scenario.run_with((job, at), vec![vec![price(number)]], GOOD);
        }
    }

    fn flags_of(scenario: &Scenario, run: RunId) -> String {
        let flags = scenario.store.reader().flags_of(run).unwrap();
        let mut seen = String::new();
        for flag in flags {
            let (low, high) = (flag.low.unwrap_or_default(), flag.high.unwrap_or_default());
            let _ = writeln!(
                seen,
                "{} {} ({low}..{high}): {}",
                flag.name, flag.value, flag.reason
            );
        }
        seen
    }

    #[track_caller]
    fn check(scenario: &Scenario, run: RunId, expected: &Expect) {
        expected.assert_eq(&flags_of(scenario, run));
    }

    #[test]
    fn a_run_with_a_number_far_from_those_of_earlier_runs_says_so_once_for_each_name() {
        let (mut scenario, job) = scenario(&[]);
        usual_runs(&mut scenario, job, 1..20);
        let early = scenario.run_with((job, 20), vec![vec![price(9000)]], GOOD);
        check(&scenario, early, &expect![[""]]);
        usual_runs(&mut scenario, job, 21..60);
        let metric = Value {
            kind: ValueKind::Metric,
            ..price(7)
        };
        let text = watched("note", minute(1), ValueData::Text("9999".to_owned()));
        let odd = scenario.run_with(
            (job, 60),
            vec![vec![price(100)], vec![price(5000), metric, text]],
            GOOD,
        );
        check(
            &scenario,
            odd,
            &expect![[r#"
            price 5000 (89..112.3): 5000 is far above the 98 to 102 of the 59 runs before
        "#]],
        );
        // What it reported before its last does not count.
        let back = scenario.run_with((job, 61), vec![vec![price(5000)], vec![price(101)]], GOOD);
        check(&scenario, back, &expect![[""]]);
        assert_eq!(scenario.alert_lines(), "", "nobody asked to be told");
    }

    #[test]
    fn runs_that_fail_are_held_to_the_others_and_teach_nothing() {
        let (mut scenario, job) = scenario(&[]);
        usual_runs(&mut scenario, job, 1..60);
        let fail = Ending::Exited { code: 1 };
        for at in 60..70 {
            let run = scenario.run_with((job, at), vec![vec![price(0)]], fail.clone());
            assert!(flags_of(&scenario, run).starts_with("price 0 "), "{at}");
        }
        // What goes well and goes on so is the new usual after three runs: two odd ones are left out.
        for at in 70..73 {
            let run = scenario.run_with((job, at), vec![vec![price(5000)]], GOOD);
            assert!(flags_of(&scenario, run).starts_with("price 5000 "), "{at}");
        }
        let run = scenario.run_with((job, 73), vec![vec![price(5000)]], GOOD);
        check(&scenario, run, &expect![[""]]);
    }

    #[test]
    fn a_job_that_asks_is_told_of_unusual_numbers_until_they_are_usual_again() {
        let (mut scenario, job) = scenario(&[Notice::Unusual]);
        usual_runs(&mut scenario, job, 1..60);
        scenario.run_with((job, 60), vec![vec![price(1)]], GOOD);
        let open = scenario.alert_lines();
        expect![[r#"
            a1 open unusual[price] x1: `nightly` reported an unusual `price`: 1 is far below the 98 to 102 of the 59 runs before
        "#]].assert_eq(&open);
        scenario.run_with((job, 61), vec![], GOOD);
        assert_eq!(scenario.alert_lines(), open, "nothing was said of it");
        scenario.run_with((job, 62), vec![vec![price(99)]], GOOD);
        assert!(
            scenario.alert_lines().contains("a1 resolved"),
            "{}",
            scenario.alert_lines()
        );
    }

    #[test]
    fn a_run_has_so_many_flags_and_raises_so_many_alerts() {
        let (mut scenario, job) = scenario(&[Notice::Unusual]);
        let all = |number| -> Vec<Vec<Value>> {
            let name = |of| number_at(&format!("n{of:02}"), minute(1), number);
            vec![(0..FLAGS_MAX + 5).map(name).collect()]
        };
        for at in 1..30 {
            scenario.run_with((job, at), all(100), GOOD);
        }
        let odd = scenario.run_with((job, 30), all(900), GOOD);
        assert_eq!(flags_of(&scenario, odd).lines().count(), FLAGS_MAX);
        let open = scenario.alert_lines();
        assert_eq!(open.lines().count(), FLAGS_MAX, "{open}");
        assert!(open.contains("[n00]") && !open.contains("[n24]"), "{open}");
        scenario.run_with((job, 31), all(100), GOOD);
        assert!(!scenario.alert_lines().contains(" open "));
    }

    /// The flags of a run that took so long.
    fn took(
        scenario: &mut Scenario,
        (job, at): (JobId, i64),
        millis: i64,
        ending: Ending,
    ) -> String {
        let run = scenario.run_of(job, at);
        let mut end = finished(run, ending);
        if let AttemptEventKind::Finished(result) = &mut end.kind {
            result.started_at = Some(minute(at));
            result.finished_at = minute(at) + SignedDuration::from_millis(millis);
        }
        scenario.report(vec![end]);
        flags_of(scenario, run)
    }

    fn cancelled() -> Ending {
        Ending::Cancelled {
            reason: "ann said so".to_owned(),
        }
    }

    #[test]
    fn a_run_that_took_far_longer_than_earlier_ones_says_so() {
        let (mut scenario, job) = scenario(&[]);
        let mut took =
            |at, seconds: i64, ending| took(&mut scenario, (job, at), seconds * 1000, ending);
        for at in 1..=20 {
            assert_eq!(took(at, 20, GOOD), "", "{at}");
        }
        assert_eq!(took(21, 60, GOOD), "");
        expect![[r#"
            duration 600.000 (..62.914): it took 10m, longer than the 1m2s that earlier runs let expect
        "#]].assert_eq(&took(22, 600, GOOD));
        expect![[r#"
            duration 600.000 (..188.743): it took 10m, longer than the 3m8s that earlier runs let expect
        "#]].assert_eq(&took(23, 600, Ending::Exited { code: 1 }));
        assert_eq!(took(24, 600, cancelled()), "");
    }

    #[test]
    fn a_run_that_went_well_and_took_far_less_than_earlier_ones_says_so() {
        let (mut scenario, job) = scenario(&[]);
        let mut took = |at, millis, ending| took(&mut scenario, (job, at), millis, ending);
        for at in 1..=19 {
            assert_eq!(took(at, 590_000 + at * 1_000, GOOD), "", "{at}");
        }
        assert_eq!(took(20, 100, GOOD), "", "nineteen are too few");
        let flag = expect![[r#"
            duration 0.100 (60.397..): it took 0.1s, less than the 1m that earlier runs let expect
        "#]];
        flag.assert_eq(&took(21, 100, GOOD));
        assert_eq!(took(22, 200_000, GOOD), "");
        assert_eq!(
            took(23, 100, Ending::Exited { code: 1 }),
            "",
            "that it failed says more"
        );
        assert_eq!(took(24, 100, cancelled()), "");
    }

    #[test]
    fn runs_that_are_short_for_good_are_usual_after_a_while_and_short_jobs_are_never_judged() {
        let (mut scenario, job) = scenario(&[]);
        let mut flagged = |at, millis| !took(&mut scenario, (job, at), millis, GOOD).is_empty();
        assert!((1..=40).all(|at| !flagged(at, 60_000)));
        let short: Vec<bool> = (41..=80).map(|at| flagged(at, 10)).collect();
        assert_eq!(short.iter().filter(|it| **it).count(), 3, "{short:?}");
        assert!(short[0] && !short[39], "{short:?}");
        let quick = scenario.deploy(deploy("quick"));
        let mut flagged = |at, millis| !took(&mut scenario, (quick, at), millis, GOOD).is_empty();
        assert!((1..=40).all(|at| !flagged(at, 9_000)));
        assert!(!flagged(41, 1));
    }

    #[test]
    fn a_job_that_has_nothing_to_do_now_and_then_is_not_told_of_each_time() {
        let (mut scenario, job) = scenario(&[]);
        for at in 1..=60 {
            let millis = if at % 6 == 0 { 50 } else { 300_000 };
            let flags = took(&mut scenario, (job, at), millis, GOOD);
            assert_eq!(flags, "", "{at}");
        }
    }

    #[test]
    fn the_attempt_that_counts_is_the_latest() {
        let mut scenario = Scenario::with_node();
        let mut with_retries = deploy("nightly");
        with_retries.spec.retries.max = 1;
        let job = scenario.deploy(with_retries);
        usual_runs(&mut scenario, job, 1..60);
        let run = scenario.run_of(job, 60);
        let part = part_of(run, 0, 10, vec![price(5000)]);
        scenario.report(vec![started(run)]);
        scenario.apply(&Command::Values(ReportValues { parts: vec![part] }));
        scenario.report(vec![finished(run, Ending::Exited { code: 1 })]);
        check(&scenario, run, &expect![[""]]);
        let node = odin_model::NodeId(2);
        let epoch = scenario.node_up(node, "second");
        scenario.apply(&Command::Assign {
            runs: vec![(run, AttemptNumber(2))],
            node,
            epoch,
        });
        let mut part = part_of(run, 0, 10, vec![price(101)]);
        part.attempt = AttemptNumber(2);
        scenario.apply(&Command::Values(ReportValues { parts: vec![part] }));
        let mut end = finished(run, GOOD);
        end.attempt = AttemptNumber(2);
        scenario.apply(&Command::Report {
            node,
            events: vec![end],
        });
        check(&scenario, run, &expect![[""]]);
    }
}
