//! The end of a run starts what is linked after its job, in the same apply: no crash comes between a result and
//! what follows it.

use jiff::Timestamp;
use odin_model::job::Visibility;
use odin_model::link::SuccessorFate;
use odin_model::run::Cause;
use odin_model::{JobId, JobState, Lane, LinkOn, NodeId, Outcome, RunId};
use odin_scheduling::placement;
use rusqlite::params;

use super::job::JobRow;
use super::run::NewRun;
use super::turn::NoRoom;
use super::{Batch, job, turn};
use crate::{StoreError, columns};

/// Makes the runs that the end of `ended` starts, and records what became of each link that counts at this end.
/// `at` is when it ended: the successors are ready then.
pub(super) fn start(
    batch: &mut Batch<'_>,
    (ended, of): (RunId, JobId),
    outcome: Outcome,
    at: Timestamp,
) -> Result<(), StoreError> {
    let links = links_at(batch, of, outcome)?;
    if links.is_empty() {
        return Ok(());
    }
    let cause = Cause::Link {
        run: ended,
        root: root_of(batch, ended)?,
    };
    for (to, on) in links {
        // A link goes with either of its jobs.
        let Some(next) = job::find(batch.conn, to)?.filter(|next| {
            next.state != JobState::Removed && next.visibility == Visibility::Listed
        }) else {
            continue;
        };
        let fate = admit(batch, &next, &cause, at)?;
        record(batch, ended, (to, on), fate)?;
    }
    Ok(())
}

/// The links of a job that count at such an end, in the order of the jobs' ids.
fn links_at(
    batch: &Batch<'_>,
    of: JobId,
    outcome: Outcome,
) -> Result<Vec<(JobId, LinkOn)>, StoreError> {
    let mut statement = batch
        .conn
        .prepare_cached("SELECT to_job, on_end FROM links WHERE from_job = ?1 ORDER BY to_job")?;
    let mut rows = statement.query([columns::job_id(of)])?;
    let mut links = Vec::new();
    while let Some(row) = rows.next()? {
        let on = columns::to_link_on(row.get(1)?)?;
        if on.takes(outcome) {
            links.push((columns::to_job_id(row.get(0)?), on));
        }
    }
    Ok(links)
}

/// The run with which the chain of a run began: itself, if no link started it.
fn root_of(batch: &Batch<'_>, id: RunId) -> Result<RunId, StoreError> {
    let mut statement = batch
        .conn
        .prepare_cached("SELECT coalesce(root_run, id) FROM runs WHERE id = ?1")?;
    Ok(statement.query_row([columns::run_id(id)], |row| {
        row.get(0).map(columns::to_run_id)
    })?)
}

/// Makes a run of the job, unless its state or its policy is against it.
fn admit(
    batch: &mut Batch<'_>,
    next: &JobRow,
    cause: &Cause,
    at: Timestamp,
) -> Result<SuccessorFate, StoreError> {
    if next.state == JobState::Paused {
        return Ok(SuccessorFate::Paused);
    }
    let new = NewRun {
        job: next.id,
        version: next.version,
        cause,
        due_at: None,
        node: node_for(batch, next.id)?,
        queued_at: at,
        priority: next.priority,
        lane: Lane::Live,
    };
    Ok(match turn::make(batch, next.policy.concurrency, &new)? {
        Ok(run) => SuccessorFate::Started { run },
        Err(NoRoom::StillActive(run)) => SuccessorFate::StillActive { run },
        Err(NoRoom::QueueFull) => SuccessorFate::QueueFull,
    })
}

/// The node for a job's run among those that are up. Chosen here and not by the leader, so that a chain does not
/// wait for a second entry of the log at each of its steps.
pub(super) fn node_for(batch: &Batch<'_>, job: JobId) -> Result<Option<NodeId>, StoreError> {
    let mut statement = batch
        .conn
        .prepare_cached("SELECT id FROM nodes WHERE state = 0 ORDER BY id")?;
    let up = statement.query_map([], |row| row.get(0).map(columns::to_node_id))?;
    let up = up.collect::<Result<Vec<_>, _>>()?;
    Ok(placement::choose_of(job, up))
}

fn record(
    batch: &Batch<'_>,
    ended: RunId,
    (to, on): (JobId, LinkOn),
    fate: SuccessorFate,
) -> Result<(), StoreError> {
    let (number, run) = columns::fate(fate);
    batch
        .conn
        .prepare_cached(
            "INSERT OR REPLACE INTO successors (run, job, on_end, fate, fate_run) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            columns::run_id(ended),
            columns::job_id(to),
            columns::link_on(on),
            number,
            run,
        ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use odin_model::Missed;
    use odin_model::attempt::Ending;
    use odin_model::command::Command;

    use super::*;
    use crate::scenario::{NODE, Scenario, ann, deploy, finished, minute, name};
    use odin_model::Concurrency;

    fn link(scenario: &mut Scenario, from: JobId, to: JobId, on: LinkOn) {
        scenario.apply(&Command::Link {
            by: ann(),
            from,
            to,
            on,
            at: minute(0),
        });
    }

    /// A job `a` with a successor for each word, named by it; a fourth, `busy`, forbids overlaps and has a run; a
    /// fifth is paused.
    fn scenario() -> (Scenario, JobId) {
        let mut scenario = Scenario::with_node();
        let a = scenario.deploy(deploy("a"));
        for on in LinkOn::ALL {
            let to = scenario.deploy(deploy(on.word()));
            link(&mut scenario, a, to, on);
        }
        let busy = scenario.job_with("busy", Concurrency::FORBID, Missed::Once);
        scenario.run_of(busy, 1);
        let paused = scenario.deploy(deploy("paused"));
        scenario.set_state(paused, JobState::Paused, 0);
        for to in [busy, paused] {
            link(&mut scenario, a, to, LinkOn::Always);
        }
        (scenario, a)
    }

    /// What became of each link of a run, by the jobs' names.
    fn shown(scenario: &Scenario, run: RunId) -> String {
        let line = |successor: &odin_model::link::Successor| {
            let job = scenario.job(successor.job).spec.name;
            let fate = match successor.fate {
                SuccessorFate::Started { run } => {
                    let run = scenario.run(run);
                    format!("started, {:?}", run.cause)
                }
                SuccessorFate::StillActive { run } => format!("still active: {run}"),
                SuccessorFate::QueueFull => "as many wait as may".to_owned(),
                SuccessorFate::Paused => "paused".to_owned(),
            };
            format!("{job}: {fate}\n")
        };
        let mut lines: Vec<_> = scenario.run(run).successors.iter().map(line).collect();
        lines.sort();
        lines.concat()
    }

    #[track_caller]
    fn check(ending: Ending, expected: Expect) {
        let (mut scenario, a) = scenario();
        let run = scenario.run_of(a, 1);
        scenario.report(vec![finished(run, ending)]);
        expected.assert_eq(&shown(&scenario, run));
        // A report that comes again starts nothing again.
        let open = scenario.store.view().counts().open_runs;
        scenario.report(vec![finished(run, Ending::Exited { code: 0 })]);
        assert_eq!(scenario.store.view().counts().open_runs, open);
    }

    #[test]
    fn a_success_starts_what_waits_for_it_and_says_what_it_could_not() {
        check(
            Ending::Exited { code: 0 },
            expect![[r#"
            always: started, Link { run: r000000000y000, root: r000000000y000 }
            busy: still active: r000000000m000
            paused: paused
            success: started, Link { run: r000000000y000, root: r000000000y000 }
        "#]],
        );
    }

    #[test]
    fn a_failure_starts_what_waits_for_one() {
        check(
            Ending::Exited { code: 3 },
            expect![[r#"
            always: started, Link { run: r000000000y000, root: r000000000y000 }
            busy: still active: r000000000m000
            failure: started, Link { run: r000000000y000, root: r000000000y000 }
            paused: paused
        "#]],
        );
    }

    #[test]
    fn a_cancelled_run_starts_only_what_always_follows() {
        let reason = "cancelled by ann".to_owned();
        check(
            Ending::Cancelled { reason },
            expect![[r#"
            always: started, Link { run: r000000000y000, root: r000000000y000 }
            busy: still active: r000000000m000
            paused: paused
        "#]],
        );
    }

    #[test]
    fn a_chain_names_the_run_before_and_the_run_it_began_with() {
        let mut scenario = Scenario::with_node();
        let [a, b, c] = ["a", "b", "c"].map(|job| scenario.deploy(deploy(job)));
        link(&mut scenario, a, b, LinkOn::Success);
        link(&mut scenario, b, c, LinkOn::Success);
        let first = scenario.run_of(a, 1);
        let mut ended = first;
        for job in [b, c] {
            scenario.report(vec![finished(ended, Ending::Exited { code: 0 })]);
            let open = scenario.store.reader().open_runs_of_job(job).unwrap();
            let run = scenario.run(open[0].id);
            let cause = Cause::Link {
                run: ended,
                root: first,
            };
            assert_eq!((run.cause, run.root_cause), (cause, Some(Cause::Schedule)));
            assert_eq!((run.due_at, run.queued_at), (None, minute(2)));
            assert_eq!((run.state.word(), run.node), ("assigned", Some(NODE)));
            ended = run.id;
        }
        let reader = scenario.store.reader();
        let whole = reader.chain(first, 10).unwrap();
        for run in &whole {
            assert_eq!(reader.chain(run.id, 10).unwrap(), whole);
        }
        let names: Vec<_> = whole
            .iter()
            .map(|run| scenario.job(run.job).spec.name)
            .collect();
        assert_eq!(names, ["a", "b", "c"].map(name));
    }

    #[test]
    fn a_queued_run_that_is_cancelled_starts_what_always_follows_in_the_same_apply() {
        let (mut scenario, a) = scenario();
        let mut item = scenario.item(a, &[1]);
        item.node = None;
        scenario.fire_item(item, 1);
        let run = scenario.ledger(a)[0].run.unwrap();
        scenario.apply(&Command::Cancel {
            by: ann(),
            run,
            at: minute(9),
        });
        expect![[r#"
            always: started, Link { run: r000000000y000, root: r000000000y000 }
            busy: still active: r000000000m000
            paused: paused
        "#]]
        .assert_eq(&shown(&scenario, run));
    }

    #[test]
    fn a_removed_job_starts_nothing_and_a_successor_without_a_node_waits_for_one() {
        let mut scenario = Scenario::with_node();
        let [a, b] = ["a", "b"].map(|job| scenario.deploy(deploy(job)));
        link(&mut scenario, a, b, LinkOn::Always);
        let runs = [1, 2].map(|at| scenario.run_of(a, at));
        scenario.apply(&Command::NodeDown {
            node: NODE,
            epoch: odin_model::Epoch(1),
            at: minute(3),
        });
        scenario.report(vec![finished(runs[0], Ending::Exited { code: 0 })]);
        assert_eq!(scenario.store.reader().queued_runs(10).unwrap().len(), 1);
        scenario.apply(&Command::Remove {
            by: ann(),
            job: a,
            expected: None,
            at: minute(2),
        });
        scenario.report(vec![finished(runs[1], Ending::Exited { code: 0 })]);
        assert_eq!(scenario.run(runs[1]).successors, []);
    }
}
