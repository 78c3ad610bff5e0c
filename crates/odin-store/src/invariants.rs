//! What holds whatever commands come: each occurrence has one outcome, cursors go forward, runs take legal steps,
//! memory agrees with the rows, and a second store that applies the same log is equal.

mod step;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use odin_model::alert::{AlertChange, Watch};
use odin_model::attempt::{AttemptEvent, Ending};
use odin_model::calendar::{DueRules, Recompute, RecomputeItem};
use odin_model::command::{CatchUp, Command, Fire, FireAnswer, SetJobState, Setting};
use odin_model::delivery::{DeliveryId, DeliveryStep};
use odin_model::ledger::LedgerReason;
use odin_model::quarantine::{SetApart, Unplannable};
use odin_model::run::{Cause, Run, RunState};
use odin_model::secret::{SecretDelivery, SecretUse};
use odin_model::value::{ReportValues, ValuesPart};
use odin_model::{
    AttemptNumber, Epoch, JobId, JobState, LedgerOutcome, NodeId, OnLost, Reply, Revision, RunId,
    codec,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use self::step::{
    NAMES, STEPS, Step, calendar, channel, forwarded, secret, secret_name, sink, step, step_of,
};
use crate::scenario::{
    NODE, Scenario, ann, bob, deploy, due_after, facts, finished, minute, name, number_at, root,
    started,
};
use crate::{Effect, Entry, RunsOf, Store};

/// What is known of the store from its replies and effects alone.
#[derive(Default)]
struct Known {
    /// The newest id of each name.
    jobs: BTreeMap<usize, JobId>,
    /// How many ids were drawn.
    drawn: u64,
    decided: BTreeMap<JobId, u64>,
    runs: BTreeMap<RunId, RunState>,
    attempts: BTreeMap<RunId, AttemptNumber>,
    log: Vec<Vec<u8>>,
    now: i64,
    life: u64,
}

impl Known {
    fn run(&self, place: usize) -> RunId {
        let ids: Vec<_> = self.runs.keys().copied().collect();
        match ids.len() {
            0 => RunId::from_bits(1),
            len => ids[len - 1 - place % len],
        }
    }

    /// The latest attempt of a run that is known of; the first where none is.
    fn attempt(&self, run: RunId) -> AttemptNumber {
        self.attempts
            .get(&run)
            .copied()
            .unwrap_or(AttemptNumber::FIRST)
    }

    fn at_its_attempt(&self, event: AttemptEvent) -> AttemptEvent {
        let attempt = self.attempt(event.run);
        AttemptEvent { attempt, ..event }
    }

    /// Every run, with the attempt that it would begin.
    fn to_assign(&self) -> Vec<(RunId, AttemptNumber)> {
        let next = |run| {
            let latest = self.attempts.get(run).copied();
            latest.map_or(AttemptNumber::FIRST, AttemptNumber::next)
        };
        self.runs.keys().map(|run| (*run, next(run))).collect()
    }

    fn job(&self, job: usize) -> JobId {
        self.jobs.get(&job).copied().unwrap_or(JobId::from_bits(77))
    }

    /// The command of a step at this moment. `None`: there is nothing that it could be about.
    fn command(&mut self, scenario: &Scenario, step: &Step) -> Option<Command> {
        let at = minute(self.now);
        let report = |event| Command::Report {
            node: NODE,
            events: vec![event],
        };
        Some(match *step {
            Step::Deploy { .. } => self.deployment(step),
            Step::Rename { job, to } => {
                let mut modify = scenario.modify(self.job(job));
                modify.name = Some(name(NAMES[to]));
                Command::Modify(Box::new(modify))
            }
            Step::Pause { job } => self.state_change(job, JobState::Paused),
            Step::Resume { job } => self.state_change(job, JobState::Enabled),
            Step::Remove { job } => Command::Remove {
                by: ann(),
                job: self.job(job),
                expected: None,
                at,
            },
            Step::Fire { .. } => return self.decision(scenario, step),
            Step::RunNow { job } => Command::RunNow {
                by: if self.now % 3 == 0 { bob() } else { ann() },
                job: self.job(job),
                node: Some(NODE),
                at,
            },
            Step::Assign => Command::Assign {
                runs: self.to_assign(),
                node: NODE,
                epoch: Epoch(self.life),
            },
            Step::Cancel { run } => Command::Cancel {
                by: ann(),
                run: self.run(run),
                at,
            },
            Step::Started { run } => report(self.at_its_attempt(started(self.run(run)))),
            Step::Finished { run, code } => {
                let event = finished(self.run(run), Ending::Exited { code });
                report(self.at_its_attempt(event))
            }
            Step::Lose { run } => Command::Lose {
                node: NODE,
                epoch: Epoch(self.life),
                runs: vec![(self.run(run), self.attempt(self.run(run)))],
                at,
            },
            Step::NodeUp => {
                self.life = scenario.index + 1;
                Command::NodeUp {
                    node: NODE,
                    facts: facts("worker1"),
                    at,
                }
            }
            Step::NodeDown => Command::NodeDown {
                node: NODE,
                epoch: Epoch(self.life),
                at,
            },
            Step::Link { from, to, on } => Command::Link {
                by: ann(),
                from: self.job(from),
                to: self.job(to),
                on,
                at,
            },
            Step::Unlink { from, to } => Command::Unlink {
                by: ann(),
                from: self.job(from),
                to: self.job(to),
            },
            Step::CatchUp { job, back, count } => Command::CatchUp(CatchUp {
                by: ann(),
                job: self.job(job),
                due: (0..count)
                    .map(|place| minute(self.now - back + place))
                    .collect(),
                at,
            }),
            Step::Keyed { job, key } => Command::Keyed {
                principal: "ann:1307".to_owned(),
                key: key.to_string(),
                digest: [key; 32],
                at,
                command: Box::new(Command::RunNow {
                    by: ann(),
                    job: self.job(job),
                    node: Some(NODE),
                    at,
                }),
            },
            Step::Timezone { by_root } => Command::Set {
                by: if by_root { root() } else { ann() },
                setting: Setting::Timezone("Europe/Dublin".to_owned()),
            },
            Step::Quarantine { .. } | Step::Release { .. } | Step::Recompute { .. } => {
                return self.of_the_leader(scenario, step);
            }
            Step::Values { run, number, stale } => {
                let (run, attempt) = (self.run(run), self.attempt(self.run(run)));
                let reader = scenario.store.reader();
                let from = reader.values_up_to(run, attempt).unwrap() + u64::from(stale);
                let value = number_at("number", at, number);
                let part = ValuesPart {
                    run,
                    attempt,
                    from,
                    to: from + 10,
                    values: vec![value],
                    taken_at: at,
                };
                Command::Values(ReportValues { parts: vec![part] })
            }
            Step::Calendar { days, gone } => calendar(days, gone, at),
            Step::Channel { gone } => channel(gone, at),
            Step::Overdue { run } => Command::Alert(Box::new(AlertChange::Overdue {
                watches: vec![(self.run(run), Watch::Late)],
                at,
            })),
            Step::Sink { gone } => sink(gone, at),
            Step::Forwarded { from, count } => forwarded(from, count, at),
            Step::Delivery { attempt } => Command::Delivery(Box::new(DeliveryStep::Begin {
                delivery: DeliveryId(1),
                attempt,
                at,
                until: minute(self.now + 1),
                node: NODE,
                epoch: Epoch(self.life),
            })),
            Step::Secret { of_bob, change } => secret(of_bob, change, at),
        })
    }

    /// What the leader says of a job as it sees it.
    fn of_the_leader(&self, scenario: &Scenario, step: &Step) -> Option<Command> {
        let at = minute(self.now);
        let seen = |job| scenario.store.reader().job(self.job(job)).unwrap();
        Some(match *step {
            Step::Quarantine { job, stale } => {
                let job = seen(job)?;
                let revision = Revision(job.revision.0 - u64::from(stale));
                let reason = "no such calendar".to_owned();
                Command::Quarantine(SetApart {
                    jobs: vec![Unplannable::new(job.id, revision, reason)],
                    at,
                })
            }
            Step::Release { job } => {
                let job = seen(job)?;
                Command::Release {
                    jobs: vec![(job.id, job.revision)],
                    at,
                }
            }
            Step::Recompute { job, later } => {
                let job = seen(job)?;
                let was = job.next_due?;
                let item = RecomputeItem {
                    job: job.id,
                    revision: job.revision,
                    was: Some(was),
                    is: later.map(|later| was + SignedDuration::from_mins(later)),
                };
                Command::Recompute(Recompute {
                    items: vec![item],
                    because: "holidays changed".to_owned(),
                    done: later.map(|_| DueRules::default()),
                    at,
                })
            }
            _ => unreachable!("asked for what the leader says only"),
        })
    }

    fn deployment(&mut self, step: &Step) -> Command {
        let &Step::Deploy {
            job,
            concurrency,
            missed,
            retries,
            rerun,
            stale,
            secret,
        } = step
        else {
            unreachable!("asked for deployments only")
        };
        let mut deploy = deploy(NAMES[job]);
        self.drawn += 1;
        deploy.fresh_id = JobId::from_bits(self.drawn);
        deploy.spec.missed = missed;
        deploy.spec.retries.max = retries;
        deploy.spec.loss.on_lost = match rerun {
            true => OnLost::Rerun,
            false => OnLost::Fail,
        };
        deploy.spec.concurrency = concurrency;
        if secret {
            deploy.spec.secrets = vec![SecretUse {
                name: secret_name(),
                delivery: SecretDelivery::Env,
            }];
        }
        deploy.due = due_after(self.now - if stale { 5 } else { 0 });
        Command::Deploy(Box::new(deploy))
    }

    fn state_change(&self, job: usize, state: JobState) -> Command {
        Command::SetJobState(SetJobState {
            by: if self.now % 2 == 0 { ann() } else { root() },
            job: self.job(job),
            state,
            due: (state == JobState::Enabled).then(|| due_after(self.now)),
            expected: None,
            at: minute(self.now),
        })
    }

    /// Decides the next occurrences of a job; time passes until then.
    fn decision(&mut self, scenario: &Scenario, step: &Step) -> Option<Command> {
        let &Step::Fire {
            job,
            count,
            late,
            stale,
            placed,
        } = step
        else {
            unreachable!("asked for decisions only")
        };
        let id = self.job(job);
        let job = scenario.store.reader().job(id).unwrap()?;
        let first = job.next_due?.duration_since(minute(0)).as_mins();
        let minutes: Vec<_> = (first..first + count).collect();
        let now = first + count - 1 + late;
        self.now = self.now.max(now);
        let mut item = scenario.item(id, &minutes);
        item.node = placed.then_some(NODE);
        if stale {
            item.revision.0 -= 1;
        }
        Some(Command::Fire(Fire {
            items: vec![item],
            proposed_at: minute(now),
        }))
    }

    /// Takes what the command brought and checks that it may.
    fn learn(&mut self, step: &Step, command: &Command, reply: &Reply, effects: &[Effect]) {
        if let (Step::Deploy { job, .. }, Reply::Job { id, .. }) = (step, reply) {
            self.jobs.insert(*job, *id);
        }
        if let (Command::Fire(fire), Reply::Fired(answers)) = (command, reply) {
            let stale = matches!(step, Step::Fire { stale: true, .. });
            assert!(!stale || answers[0] == FireAnswer::Stale);
            if answers[0] == FireAnswer::Decided {
                *self.decided.entry(fire.items[0].job).or_default() +=
                    fire.items[0].listed.len() as u64;
            }
        }
        for effect in effects {
            if let Effect::RunChanged { run, state, .. } = effect {
                let before = self.runs.insert(*run, *state);
                assert!(is_legal(before, *state), "{before:?} to {state:?}");
                if let Some((attempt, _, _)) = state.attempt() {
                    let before = self.attempts.insert(*run, attempt);
                    assert!(before <= Some(attempt), "{before:?} to {attempt}");
                }
            }
        }
    }
}

/// Whether a run may be seen to go from one state to the other. A start and an end may come in one report.
fn is_legal(before: Option<RunState>, after: RunState) -> bool {
    use RunState as S;
    match (before, after) {
        (None, S::Queued | S::Waiting | S::Assigned { .. }) => true,
        (None, _) => false,
        (Some(S::Queued | S::Retrying { .. }), S::Assigned { .. } | S::Finished(_)) => true,
        (Some(S::Waiting), S::Queued | S::Assigned { .. } | S::Finished(_)) => true,
        (Some(S::Assigned { .. }), S::Waiting) => false,
        (Some(S::Assigned { .. }), _) => true,
        (
            Some(S::Running { .. }),
            S::Running { .. }
            | S::Unreachable { .. }
            | S::Retrying { .. }
            | S::Assigned { .. }
            | S::Finished(_),
        ) => true,
        (
            Some(S::Unreachable { .. }),
            S::Assigned { .. } | S::Running { .. } | S::Retrying { .. } | S::Finished(_),
        ) => true,
        _ => false,
    }
}

/// No job has more active runs than its policy of now or of before lets be, and nobody waits while there is room.
fn check_concurrency(scenario: &Scenario, job: JobId) {
    let reader = scenario.store.reader();
    let policy = reader.job(job).unwrap().unwrap().spec.concurrency;
    let open = reader.open_runs_of_job(job).unwrap();
    let waiting = open
        .iter()
        .filter(|run| run.state == RunState::Waiting)
        .count();
    let active = open.len() - waiting;
    let has_room = policy.max().is_none_or(|max| active < max as usize);
    assert!(waiting == 0 || !has_room, "{waiting} wait beside {active}");
}

/// No due time of a job is made up for twice, and none that had a run.
fn check_catch_ups(all: &[Run]) {
    let mut met = BTreeSet::new();
    for run in all {
        if let Some(due_at) = run.due_at {
            assert!(met.insert((run.job, due_at)), "{} doubles {due_at}", run.id);
        }
    }
}

/// Links go between jobs that are there, and round in no circle; runs that they started name runs that are there.
fn check_links(scenario: &Scenario) {
    let reader = scenario.store.reader();
    let links = reader.links(None, None, 1000).unwrap();
    let mut after: BTreeMap<JobId, Vec<JobId>> = BTreeMap::new();
    for named in &links {
        for end in [named.link.from, named.link.to] {
            assert_ne!(scenario.job(end).state, JobState::Removed);
        }
        after
            .entry(named.link.from)
            .or_default()
            .push(named.link.to);
    }
    for &start in after.keys() {
        let (mut reached, mut next) = (BTreeSet::new(), after[&start].clone());
        while let Some(job) = next.pop() {
            assert_ne!(job, start, "a circle of links");
            if reached.insert(job) {
                next.extend(after.get(&job).into_iter().flatten());
            }
        }
    }
}

/// Checks all rows against each other, against memory and against what is known.
fn check_state(scenario: &Scenario, known: &Known) {
    let reader = scenario.store.reader();
    let all = reader.runs(RunsOf::All, None, 10_000).unwrap().runs;
    let states: BTreeMap<_, _> = all.iter().map(|run| (run.id, run.state)).collect();
    assert_eq!(states, known.runs);
    let open = all.iter().filter(|run| run.state.is_active()).count();
    assert_eq!(scenario.store.view().counts().open_runs, open as u64);

    let mut due = BTreeSet::new();
    let mut answered = BTreeSet::new();
    let mut listed = 0;
    for bits in 1..=known.drawn {
        let id = JobId::from_bits(bits);
        let Some(job) = reader.job(id).unwrap() else {
            continue;
        };
        listed += u64::from(job.state != JobState::Removed);
        assert!(job.next_due.is_none() || job.state == JobState::Enabled);
        assert!(
            job.next_due
                .is_none_or(|next| job.last_decided.is_none_or(|last| last < next))
        );
        let is_planned = job.quarantine.is_none();
        due.extend(job.next_due.filter(|_| is_planned).map(|at| (at, id)));

        check_concurrency(scenario, id);
        let ledger = scenario.ledger(id);
        assert!(ledger.windows(2).all(|pair| pair[0].to < pair[1].from));
        assert_eq!(ledger.last().map(|row| row.to), job.last_decided);
        // What a job in quarantine is given up for is decided by no leader.
        let by_leader = ledger
            .iter()
            .filter(|row| row.reason != LedgerReason::Quarantined);
        let total: u64 = by_leader.map(|row| row.count).sum();
        assert_eq!(total, known.decided.get(&id).copied().unwrap_or(0));
        for row in ledger {
            assert_eq!(row.count == 1, row.from == row.to);
            if row.outcome == LedgerOutcome::Started {
                let run = row.run.unwrap();
                assert!(answered.insert(run), "{run} answers two occurrences");
                assert_eq!(reader.run(run).unwrap().unwrap().due_at, Some(row.from));
            }
        }
    }
    let scheduled: BTreeSet<_> = all
        .iter()
        .filter(|run| run.cause == Cause::Schedule)
        .map(|run| run.id)
        .collect();
    assert_eq!(scheduled, answered);
    check_catch_ups(&all);
    check_links(scenario);
    let retrying: BTreeSet<_> = all
        .iter()
        .filter(|run| matches!(run.state, RunState::Retrying { .. }))
        .map(|run| run.id)
        .collect();
    let indexed = scenario.store.view().retries_due(minute(1_000_000), 10_000);
    assert_eq!(BTreeSet::from_iter(indexed), retrying);
    let view: BTreeSet<_> = scenario
        .store
        .view()
        .due(minute(1_000_000), 100)
        .into_iter()
        .collect();
    assert_eq!(view, due);
    assert_eq!(scenario.store.view().counts().jobs, listed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_commands_come(steps in prop::collection::vec(step(), 1..60)) {
        let mut scenario = Scenario::new();
        let mut known = Known::default();
        let mut cursors = BTreeMap::new();
        for step in [Step::NodeUp].iter().chain(&steps) {
            let Some(command) = known.command(&scenario, step) else { continue };
            known.log.push(codec::encode(&command));
            let reply = scenario.apply(&command);
            let effects = std::mem::take(&mut scenario.effects);
            known.learn(step, &command, &reply, &effects);
            for bits in 1..=known.drawn {
                let id = JobId::from_bits(bits);
                let last = scenario.store.reader().job(id).unwrap().and_then(|job| job.last_decided);
                let before = cursors.insert(id, last).flatten();
                prop_assert!(before <= last, "{} went back from {:?} to {:?}", id, before, last);
            }
        }
        check_state(&scenario, &known);
        let node_has = scenario.store.reader().open_runs_of_node(NODE).unwrap();
        prop_assert!(node_has.iter().all(|run| run.state.attempt().is_some_and(|(_, node, _)| node == NodeId(1))));

        let directory = tempfile::tempdir().unwrap();
        let mut second = Store::open(&directory.path().join("state.db")).unwrap();
        let entries: Vec<_> = (1..).zip(&known.log).map(|(index, command)| Entry { index, command }).collect();
        second.apply(&entries, b"another mark").unwrap();
        prop_assert_eq!(second.state_hash().unwrap(), scenario.store.state_hash().unwrap());
        check_state(&scenario.reopened(), &known);
    }
}

#[test]
fn the_random_steps_make_every_command() {
    let mut runner = TestRunner::deterministic();
    let steps = prop::collection::vec(step(), 2_000..2_001);
    let steps = steps.new_tree(&mut runner).unwrap().current();
    let (mut scenario, mut known) = (Scenario::new(), Known::default());
    let mut made = BTreeSet::new();
    for step in &steps {
        if let Some(command) = known.command(&scenario, step) {
            made.insert(step_of(&command));
            let reply = scenario.apply(&command);
            let effects = std::mem::take(&mut scenario.effects);
            known.learn(step, &command, &reply, &effects);
        }
    }
    assert_eq!(made.len(), STEPS, "{made:?}");
}
