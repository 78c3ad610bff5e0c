//! History against a naive list of runs, cut off at every step, and damaged.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;

use odin_model::attempt::Ending;
use odin_model::command::{CatchUp, Command};
use odin_model::retention::{Forget, ForgetOf, Seal};
use odin_model::run::{Run, RunState};
use odin_model::{JobId, Missed, NodeId, Outcome, Overlap, Refusal, Reply, RunId};
use proptest::prelude::*;

use super::walk::BLOCK_UNITS;
use super::{HistoryStage, HistoryStep, UNITS};
use crate::scenario::{NODE, Scenario, ann, bob, deploy, finished, minute, started};
use crate::{CauseKind, RunFilter, RunsOf, StoreError};

/// More files than a page may open.
const FILES_OVER_ONE_PAGE: i64 = 2 * (UNITS / BLOCK_UNITS) as i64;

/// A run as the reference knows it.
#[derive(Debug, Clone)]
struct Known {
    id: RunId,
    job: usize,
    cause: CauseKind,
    at: i64,
    outcome: Option<Outcome>,
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    RunNow { job: usize, at: i64 },
    Finish { which: usize, ending: u8 },
    Seal { behind: u64 },
    Step { times: usize },
    Forget { job: usize, which: usize },
    Reopen,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..3usize, 0..200i64).prop_map(|(job, at)| Event::RunNow { job, at }),
        6 => (0..9usize, 0..4u8).prop_map(|(which, ending)| Event::Finish { which, ending }),
        2 => (0..6u64).prop_map(|behind| Event::Seal { behind }),
        3 => (0..6usize).prop_map(|times| Event::Step { times }),
        1 => (0..3usize, 0..20usize).prop_map(|(job, which)| Event::Forget { job, which }),
        1 => Just(Event::Reopen),
    ]
}

/// The state beside the list that says the same.
struct Both {
    scenario: Option<Scenario>,
    jobs: Vec<JobId>,
    runs: Vec<Known>,
    kept_from: BTreeMap<usize, RunId>,
}

impl Both {
    fn new() -> Self {
        let mut scenario = Scenario::with_node();
        let jobs = [(ann(), "a"), (ann(), "b"), (bob(), "c")].map(|(by, name)| {
            let mut deploy = deploy(name);
            deploy.by = by;
            scenario.deploy(deploy)
        });
        Self {
            scenario: Some(scenario),
            jobs: jobs.to_vec(),
            runs: Vec::new(),
            kept_from: BTreeMap::new(),
        }
    }

    fn scenario(&mut self) -> &mut Scenario {
        self.scenario.as_mut().unwrap()
    }

    fn take(&mut self, event: &Event) {
        match *event {
            Event::RunNow { job, at } => {
                let by = if job == 2 { bob() } else { ann() };
                let command = Command::RunNow {
                    by,
                    job: self.jobs[job],
                    node: (at % 3 != 0).then_some(NODE),
                    at: minute(at),
                };
                let Reply::Run { id } = self.scenario().apply(&command) else {
                    panic!("no run");
                };
                self.runs.push(Known {
                    id,
                    job,
                    cause: CauseKind::Manual,
                    at,
                    outcome: None,
                });
            }
            Event::Finish { which, ending } => self.finish(which, ending),
            Event::Seal { behind } => {
                let scenario = self.scenario();
                let after = scenario.store.reader().sealed_upto().unwrap();
                let upto = scenario.index.saturating_sub(behind);
                let at = minute(0);
                scenario.apply(&Command::Seal(Seal { after, upto, at }));
            }
            Event::Step { times } => {
                let mut historian = self.scenario().store.historian().unwrap();
                for _ in 0..times {
                    historian.step().unwrap();
                }
            }
            Event::Forget { job, which } => {
                let Some(run) = self.runs.get(which).map(|run| run.id) else {
                    return;
                };
                let of = ForgetOf {
                    job: self.jobs[job],
                    runs_before: Some(run),
                    outputs_before: None,
                };
                self.scenario().apply(&Command::Forget(Forget {
                    jobs: vec![of],
                    files_upto: 0,
                    at: minute(0),
                }));
                let kept = self.kept_from.entry(job).or_insert(run);
                *kept = (*kept).max(run);
            }
            Event::Reopen => {
                let scenario = self.scenario.take().unwrap();
                self.scenario = Some(scenario.reopened());
            }
        }
    }

    fn finish(&mut self, which: usize, ending: u8) {
        let open: Vec<usize> = (0..self.runs.len())
            .filter(|place| self.runs[*place].outcome.is_none())
            .collect();
        let Some(&place) = open.get(which) else {
            return;
        };
        let (ending, outcome) = match ending {
            0 => (Ending::Exited { code: 0 }, Outcome::Succeeded),
            1 => (Ending::Exited { code: 1 }, Outcome::Failed),
            2 => (
                Ending::Signalled {
                    signal: 9,
                    core: false,
                },
                Outcome::Signalled,
            ),
            _ => (Ending::Exited { code: 3 }, Outcome::Failed),
        };
        let run = self.runs[place].id;
        let scenario = self.scenario();
        let before = scenario.run(run);
        if before.node.is_none() {
            return;
        }
        scenario.report(vec![started(run), finished(run, ending)]);
        self.runs[place].outcome = Some(outcome);
    }

    /// What the reference says, newest first.
    fn expected(
        &self,
        of: Option<usize>,
        owner: Option<&[usize]>,
        filter: &RunFilter,
    ) -> Vec<RunId> {
        let kept = |run: &&Known| {
            run.outcome.is_none()
                || self
                    .kept_from
                    .get(&run.job)
                    .is_none_or(|from| run.id >= *from)
        };
        let holds = |run: &&Known| {
            of.is_none_or(|job| job == run.job)
                && owner.is_none_or(|jobs| jobs.contains(&run.job))
                && (filter.outcomes.is_empty()
                    || run.outcome.is_some_and(|it| filter.outcomes.contains(&it)))
                && (filter.causes.is_empty() || filter.causes.contains(&run.cause))
                && filter
                    .is_over
                    .is_none_or(|over| over == run.outcome.is_some())
                && filter.since.is_none_or(|since| minute(run.at) >= since)
                && filter.until.is_none_or(|until| minute(run.at) < until)
                && filter
                    .node
                    .is_none_or(|node| node == NODE && run.at % 3 != 0)
        };
        let found = self.runs.iter().rev().filter(kept).filter(holds);
        found.map(|run| run.id).collect()
    }

    fn found(&mut self, of: RunsOf<'_>, filter: &RunFilter, limit: usize) -> Vec<RunId> {
        let reader = self.scenario().store.reader();
        let (mut ids, mut before) = (Vec::new(), None);
        loop {
            let page = reader.runs_that(of, filter, before, limit).unwrap();
            assert!(page.runs.len() <= limit && !page.is_incomplete);
            for run in &page.runs {
                let known = self.runs.iter().find(|known| known.id == run.id).unwrap();
                assert_eq!(outcome_of(run), known.outcome);
                assert_eq!(
                    run.output.stdout_bytes,
                    if known.outcome.is_some() { 6 } else { 0 }
                );
                ids.push(run.id);
            }
            match page.next {
                Some(next) => {
                    assert!(before.is_none_or(|before| next < before), "no progress");
                    before = Some(next);
                }
                None => return ids,
            }
        }
    }

    /// All questions have the reference's answers.
    fn compare(&mut self, limit: usize) {
        let filters = [
            RunFilter::default(),
            RunFilter {
                outcomes: vec![Outcome::Failed, Outcome::Signalled],
                ..RunFilter::default()
            },
            RunFilter {
                is_over: Some(false),
                ..RunFilter::default()
            },
            RunFilter {
                is_over: Some(true),
                since: Some(minute(50)),
                until: Some(minute(120)),
                ..RunFilter::default()
            },
            RunFilter {
                node: Some(NODE),
                ..RunFilter::default()
            },
            RunFilter {
                node: Some(NodeId(7)),
                ..RunFilter::default()
            },
            RunFilter {
                causes: vec![CauseKind::Schedule],
                ..RunFilter::default()
            },
        ];
        let (jobs, owner) = (self.jobs.clone(), ann().user);
        for filter in &filters {
            let all = self.found(RunsOf::All, filter, limit);
            assert_eq!(all, self.expected(None, None, filter), "{filter:?}");
            let owned = self.found(RunsOf::Owner(&owner), filter, limit);
            assert_eq!(
                owned,
                self.expected(None, Some(&[0, 1]), filter),
                "{filter:?}"
            );
            for (place, job) in jobs.iter().enumerate() {
                let of_job = self.found(RunsOf::Job(*job), filter, limit);
                assert_eq!(
                    of_job,
                    self.expected(Some(place), None, filter),
                    "{filter:?}"
                );
            }
        }
        let reader = self.scenario().store.reader();
        for known in &self.runs {
            let is_kept = known.outcome.is_none()
                || self
                    .kept_from
                    .get(&known.job)
                    .is_none_or(|from| known.id >= *from);
            let run = reader.run(known.id).unwrap();
            assert_eq!(run.is_some(), is_kept);
            if let Some(run) = run
                && known.outcome.is_some()
            {
                assert_eq!(
                    run.output.kept,
                    odin_model::output::OutputKept::Inline(vec![odin_model::output::OutputChunk {
                        stream: odin_model::output::Stream::Stdout,
                        at: minute(2),
                        bytes: b"hello\n".to_vec(),
                    },])
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_history_is_listed_as_a_naive_list_would(
        events in proptest::collection::vec(event(), 1..60),
        limit in 1..7usize,
    ) {
        let mut both = Both::new();
        for event in &events {
            both.take(event);
        }
        both.compare(limit);
    }
}

#[test]
fn pages_come_further_however_many_files_hold_runs_on_both_sides() {
    let mut both = Both::new();
    let runs = 2 * FILES_OVER_ONE_PAGE;
    for at in 0..runs {
        both.take(&Event::RunNow {
            job: 0,
            at: 1 + 3 * at,
        });
    }
    // The oldest and the newest of those that are open end, so that each file reaches from one end to the other.
    for left in (1..=runs).rev().step_by(2) {
        let ends = [left - 1, 0];
        for which in ends.map(|which| usize::try_from(which).unwrap()) {
            both.take(&Event::Finish { which, ending: 1 });
        }
        both.take(&Event::Seal { behind: 0 });
        both.take(&Event::Step { times: 5 });
    }
    let files = both.scenario().store.reader().history(false).files.len();
    assert_eq!(i64::try_from(files), Ok(FILES_OVER_ONE_PAGE));
    both.compare(2);
}

fn outcome_of(run: &Run) -> Option<Outcome> {
    match run.state {
        RunState::Finished(outcome) => Some(outcome),
        _ => None,
    }
}

/// Runs of one job, all over, and their ids.
pub(super) fn with_runs(count: i64) -> (Scenario, JobId, Vec<RunId>) {
    let mut scenario = Scenario::with_node();
    let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
    let runs = (1..=count).map(|at| {
        let run = scenario.run_of(job, at);
        scenario.report(vec![
            started(run),
            finished(run, Ending::Exited { code: 3 }),
        ]);
        run
    });
    let runs = runs.collect();
    (scenario, job, runs)
}

pub(super) fn ids(scenario: &Scenario, job: JobId) -> Vec<RunId> {
    let reader = scenario.store.reader();
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let page = reader.runs(RunsOf::Job(job), before, 1000).unwrap();
        ids.extend(page.runs.iter().map(|run| run.id));
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    ids.reverse();
    ids
}

#[test]
fn a_sealed_run_reads_as_it_did_and_the_state_keeps_no_row_of_it() {
    let (mut scenario, job, runs) = with_runs(8);
    let open = scenario.run_of(job, 9);
    let before: Vec<_> = runs.iter().map(|run| scenario.run(*run)).collect();
    scenario.seal();
    let hash = scenario.store.state_hash().unwrap();
    let steps = scenario.settle();
    assert!(matches!(steps[0], HistoryStep::Written { .. }), "{steps:?}");
    let after: Vec<_> = runs.iter().map(|run| scenario.run(*run)).collect();
    assert_eq!(after, before);
    assert_eq!(scenario.store.count("runs"), 1);
    assert_eq!(scenario.store.count("run_outputs"), 0);
    // Nodes that have taken the rows out and nodes that have not are of one state.
    assert_eq!(scenario.store.state_hash().unwrap(), hash);
    // The open run ends as ever.
    scenario.report(vec![
        started(open),
        finished(open, Ending::Exited { code: 0 }),
    ]);
    assert_eq!(outcome_of(&scenario.run(open)), Some(Outcome::Succeeded));
    let scenario = scenario.reopened();
    assert_eq!(ids(&scenario, job).len(), 9);
}

#[test]
fn apply_answers_of_a_sealed_run_alike_with_and_without_its_row() {
    let answers = |is_swept: bool| {
        let (mut scenario, _, runs) = with_runs(2);
        scenario.seal();
        if is_swept {
            scenario.settle();
        }
        let cancel = Command::Cancel {
            by: ann(),
            run: runs[0],
            at: minute(9),
        };
        let refused = scenario.refused(&cancel);
        scenario.report(vec![finished(runs[1], Ending::Exited { code: 0 })]);
        (refused, runs[0], scenario.store.state_hash().unwrap())
    };
    let (refused, run, hash) = answers(false);
    assert_eq!(refused, Refusal::NoSuchRun(run));
    assert_eq!(answers(true), (refused, run, hash));
}

#[test]
fn a_due_time_that_was_caught_up_is_not_again_after_its_run_is_sealed() {
    let mut scenario = Scenario::with_node();
    let job = scenario.job_with("nightly", Overlap::Allow, Missed::Skip);
    let asked = Command::CatchUp(CatchUp {
        by: ann(),
        job,
        due: vec![minute(-9)],
        at: minute(0),
    });
    scenario.apply(&asked);
    let run = scenario.store.reader().open_runs_of_job(job).unwrap()[0].id;
    scenario.report(vec![
        started(run),
        finished(run, Ending::Exited { code: 0 }),
    ]);
    scenario.seal();
    scenario.settle();
    scenario.apply(&asked);
    assert_eq!(ids(&scenario, job), [run]);
}

#[test]
fn a_crash_or_a_full_disk_at_any_step_loses_and_doubles_nothing() {
    for stage in HistoryStage::ALL {
        for is_crash in [true, false] {
            let (mut scenario, job, runs) = with_runs(7);
            scenario.seal();
            let mut was_there = 0;
            if stage == HistoryStage::Remove {
                scenario.settle();
                let (more, at) = (scenario.run_of(job, 8), minute(0));
                scenario.report(vec![finished(more, Ending::Exited { code: 0 })]);
                scenario.seal();
                scenario.settle();
                let (jobs, files_upto) = (Vec::new(), 1);
                scenario.apply(&Command::Forget(Forget {
                    jobs,
                    files_upto,
                    at,
                }));
                was_there = runs.len();
            }
            let stop = move |reached| match reached == stage {
                true => Err(StoreError::DiskFull),
                false => Ok(()),
            };
            let mut historian = scenario.store.historian().unwrap().watched(stop);
            let error = loop {
                match historian.step() {
                    Ok(step) => assert_ne!(step, HistoryStep::Idle, "{stage:?} was not reached"),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, StoreError::DiskFull));
            drop(historian);
            if is_crash {
                scenario = scenario.reopened();
            }
            if was_there == 0 {
                assert_eq!(ids(&scenario, job), runs, "{stage:?}");
            }
            // The next one goes on, and then there is nothing to do.
            scenario.settle();
            let expected = runs.len() - was_there;
            let left = ids(&scenario, job)
                .iter()
                .filter(|run| runs.contains(run))
                .count();
            assert_eq!(left, expected, "{stage:?}");
            let history = scenario.directory.path().join("history");
            let mut names: Vec<_> = fs::read_dir(history)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            let expected = if was_there == 0 { 1 } else { 2 };
            assert_eq!(names, [format!("{expected:08}.odinhistory")], "{stage:?}");
        }
    }
}

#[test]
fn a_damaged_block_is_named_and_all_others_are_served() {
    let (mut scenario, job, runs) = with_runs(30);
    scenario.seal();
    scenario.settle();
    let reader = scenario.store.reader();
    let path = reader.history(true).files[0].path.clone();
    assert_eq!(reader.history(true).faults, []);
    let length = fs::metadata(&path).unwrap().len();
    let whole = fs::read(&path).unwrap();
    let mut lost = 0;
    for at in (8..length).step_by(23) {
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[whole[usize::try_from(at).unwrap()] ^ 0x55], at)
            .unwrap();
        scenario = scenario.reopened();
        let reader = scenario.store.reader();
        let served = ids(&scenario, job);
        assert!(served.iter().all(|run| runs.contains(run)));
        for run in &runs {
            // Nothing false is served, and nothing fails.
            if let Some(found) = reader.run(*run).unwrap() {
                assert_eq!(found.exit_code, Some(3));
            }
        }
        lost += runs.len() - served.len();
        let status = reader.history(true);
        assert!(!status.faults.is_empty(), "byte {at} was not missed");
        assert!(
            reader
                .runs(RunsOf::Job(job), None, 1)
                .unwrap()
                .is_incomplete
        );
        fs::write(&path, &whole).unwrap();
    }
    assert!(lost > 0);
    let scenario = scenario.reopened();
    assert_eq!(ids(&scenario, job), runs);
}

#[test]
fn a_file_that_is_damaged_before_the_rows_are_gone_is_written_again() {
    let (mut scenario, job, runs) = with_runs(7);
    scenario.seal();
    let mut historian = scenario.store.historian().unwrap();
    let HistoryStep::Written { path, .. } = historian.step().unwrap() else {
        panic!("not written");
    };
    drop(historian);
    fs::write(&path, b"not what was written").unwrap();
    let mut scenario = scenario.reopened();
    assert_eq!(ids(&scenario, job), runs);
    scenario.settle();
    assert_eq!(ids(&scenario, job), runs);
    assert_eq!(scenario.store.reader().history(true).faults, []);
}
