//! What is sealed, and what is let go of by what jobs keep.

use odin_model::attempt::Ending;
use odin_model::command::Command;
use odin_model::retention::{Forget, ForgetOf};
use odin_model::sink::{SinkChange, SinkName, SinkSpec, SinkTarget};
use odin_model::value::ReportValues;
use odin_model::{Keep, Missed, Outcome, Overlap, RunId};

use super::tests::{ids, with_runs};
use crate::scenario::{Scenario, finished, minute, number_at, part_of, root, started};
use crate::{JobKept, Scope, SealDue};

/// What is let go of by what a job keeps, with its runs at the minutes 1 to 10.
#[track_caller]
fn check_kept(keep: Keep, now: i64, expected: Option<usize>) {
    for is_sealed in [false, true] {
        let (mut scenario, job, runs) = with_runs(10);
        if is_sealed {
            scenario.seal();
            scenario.settle();
        }
        let reader = scenario.store.reader();
        let kept = JobKept {
            keep,
            ..reader.jobs_kept(None, 9).unwrap()[0]
        };
        let of = reader.forgettable(&kept, minute(now)).unwrap();
        let before = of.and_then(|of| of.runs_before);
        let left = before.map(|before| runs.iter().filter(|run| **run >= before).count());
        assert_eq!(left, expected, "sealed: {is_sealed}");
        scenario.apply(&Command::Forget(Forget {
            jobs: of.into_iter().collect(),
            files_upto: 0,
            at: minute(now),
        }));
        let seen = ids(&scenario, job);
        assert_eq!(seen.len(), expected.unwrap_or(10));
        assert!(runs.ends_with(&seen));
        // The same again changes nothing.
        let kept = JobKept {
            keep,
            ..scenario.store.reader().jobs_kept(None, 9).unwrap()[0]
        };
        let again = scenario.store.reader().forgettable(&kept, minute(now));
        assert_eq!(again.unwrap(), None);
    }
}

#[test]
fn a_job_keeps_its_latest_runs_by_number_and_by_age() {
    let keep = |runs, days| Keep {
        runs,
        days,
        ..Keep::DEFAULT
    };
    check_kept(keep(1000, 90), 11, None);
    check_kept(keep(10, 90), 11, None);
    check_kept(keep(4, 90), 11, Some(4));
    check_kept(keep(1, 90), 11, Some(1));
    let day = 24 * 60;
    check_kept(keep(1000, 1), day + 1, None);
    check_kept(keep(1000, 1), day + 4, Some(7));
    check_kept(keep(5, 1), day + 4, Some(5));
    check_kept(keep(1000, 1), 3 * day, Some(0));
}

#[test]
fn what_was_counted_stays_when_the_runs_are_let_go_of() {
    let (mut scenario, job, runs) = with_runs(10);
    let counted = |scenario: &Scenario| {
        let reader = scenario.store.reader();
        let of = |scope| reader.statistics(scope, minute(0), minute(600)).unwrap();
        (of(Scope::Job(job)), of(Scope::All))
    };
    let before = counted(&scenario);
    assert_eq!(before.0.runs(Outcome::Failed), 10);
    scenario.seal();
    scenario.settle();
    let forget = |files_upto| {
        Command::Forget(Forget {
            jobs: vec![ForgetOf {
                job,
                runs_before: Some(runs[9]),
                outputs_before: None,
            }],
            files_upto,
            at: minute(20),
        })
    };
    scenario.apply(&forget(1));
    assert_eq!(ids(&scenario, job), runs[9..]);
    assert_eq!(counted(&scenario), before);
}

#[test]
fn a_period_is_sealed_when_there_are_many_runs_or_old_ones_or_the_state_is_large() {
    let (scenario, _, _) = with_runs(40);
    let reader = scenario.store.reader();
    let never = SealDue {
        runs: 1000,
        bytes: u64::MAX,
        oldest: minute(-1000),
        settled: minute(1000),
    };
    let is_due = |due: SealDue| reader.seal_due(&due).unwrap().is_some();
    assert!(!is_due(never));
    assert!(is_due(SealDue { runs: 40, ..never }));
    assert!(!is_due(SealDue { runs: 41, ..never }));
    let old = SealDue {
        oldest: minute(1000),
        ..never
    };
    assert!(is_due(old));
    assert!(!is_due(SealDue {
        settled: minute(-1000),
        ..old
    }));
    // A state that stays large makes no file for every few runs.
    let large = SealDue { bytes: 1, ..never };
    assert!(!is_due(large));
    assert!(is_due(SealDue { runs: 700, ..large }));
}

/// What goes of a job with ten runs, of which it keeps two, while a sink has got entries up to `sent` of the twenty.
#[track_caller]
fn check_unsent(sent: u64, expected_left: usize) {
    for is_sealed in [false, true] {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let other = scenario.job_with("hourly", Overlap::Allow, Missed::Once);
        let spec = SinkSpec::new(SinkTarget::File {
            path: "/var/log/odin.jsonl".to_owned(),
            rotate_bytes: 1 << 20,
            keep: 3,
        });
        let name = SinkName::parse("file").unwrap();
        scenario.apply(&Command::Sink(Box::new(SinkChange::Set {
            by: root(),
            name: name.clone(),
            spec,
            token: 7,
            at: minute(0),
        })));
        // One that goes on is not let go of, whatever of it waits.
        let open = scenario.run_of(other, 1);
        scenario.report(vec![started(open)]);
        report_number(&mut scenario, open);
        for at in 1..=10 {
            let run = scenario.run_of(job, at);
            scenario.report(vec![started(run)]);
            report_number(&mut scenario, run);
            scenario.report(vec![finished(run, Ending::Exited { code: 0 })]);
        }
        if is_sealed {
            scenario.seal();
            scenario.settle();
        }
        scenario.apply(&Command::Sink(Box::new(SinkChange::Advance {
            name,
            token: 7,
            from: 0,
            to: sent,
            sent,
            skipped: 0,
            last_skipped: None,
            dropped: 0,
            at: minute(12),
        })));
        let reader = scenario.store.reader();
        let kept = JobKept {
            keep: Keep {
                runs: 2,
                ..Keep::DEFAULT
            },
            ..reader.jobs_kept(None, 9).unwrap()[0]
        };
        assert_eq!(kept.job, job);
        let forget = reader.forgettable(&kept, minute(12)).unwrap().unwrap();
        let forget = reader.unsent().unwrap().without(&kept, forget);
        scenario.apply(&Command::Forget(Forget {
            jobs: forget.into_iter().collect(),
            files_upto: 0,
            at: minute(12),
        }));
        assert_eq!(
            ids(&scenario, job).len(),
            expected_left,
            "sealed: {is_sealed}, sent up to {sent}"
        );
    }
}

fn report_number(scenario: &mut Scenario, run: RunId) {
    let parts = vec![part_of(run, 0, 10, vec![number_at("n", minute(2), 1)])];
    scenario.apply(&Command::Values(ReportValues { parts }));
}

#[test]
fn no_run_goes_that_a_sink_waits_for() {
    // The first entry is of the run that is open; then each has one of its value and one of its end.
    for (sent, expected_left) in [
        (0, 10),
        (1, 10),
        (2, 10),
        (3, 9),
        (8, 7),
        (16, 3),
        (17, 2),
        (21, 2),
    ] {
        check_unsent(sent, expected_left);
    }
}
