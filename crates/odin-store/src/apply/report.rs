//! What a node's executors saw.

use odin_model::attempt::{AttemptEvent, AttemptEventKind};
use odin_model::run::RunEvent;
use odin_model::{NodeId, Reply};

use super::run::RunRow;
use super::{Batch, Stop, attempt, run, watch};
use crate::{CancelWhen, Observation, StoreError};

/// Takes the events in order. One that does not apply, being late, repeated or of a superseded attempt, changes
/// nothing; so a report may come any number of times.
pub(super) fn apply(
    batch: &mut Batch<'_>,
    node: NodeId,
    events: &[AttemptEvent],
) -> Result<Reply, Stop> {
    let mut rest = events;
    while let Some(first) = rest.first() {
        // A short run reports its start and its end together: its row is read and written once.
        let of_run = rest.iter().take_while(|event| event.run == first.run);
        let (of_run, later) = rest.split_at(of_run.count());
        rest = later;
        let Some(mut found) = run::find(batch.conn, first.run)? else {
            continue;
        };
        let mut changed = false;
        for event in of_run {
            let has_it = found.state.attempt().is_some_and(|(_, at, _)| at == node);
            if has_it && take(batch, &mut found, event)? {
                changed = true;
            } else if let AttemptEventKind::Finished(result) = &event.kind {
                attempt::keep_late(batch.conn, node, event.run, event.attempt, result)?;
            }
        }
        if changed {
            run::save(batch, &found)?;
            watch::process_began(batch, &found)?;
        }
    }
    Ok(Reply::Done)
}

/// Whether the event changed the run.
fn take(batch: &mut Batch<'_>, run: &mut RunRow, event: &AttemptEvent) -> Result<bool, StoreError> {
    let number = event.attempt;
    match &event.kind {
        AttemptEventKind::Started { at, pid: _ } => {
            if run.take(RunEvent::Started { attempt: number }).is_err() {
                return Ok(false);
            }
            if run.started_at.is_none() {
                batch.observations.push(Observation::RunStarted {
                    ready_at: run.ready_at,
                    started_at: *at,
                });
            }
            run.started_at.get_or_insert(*at);
            run.attempt_started_at = Some(*at);
            // The process was faster than the pause or removal.
            run.cancel = run
                .cancel
                .take()
                .filter(|(when, _)| *when != CancelWhen::BeforeStart);
        }
        AttemptEventKind::Finished(result) => return attempt::end(batch, run, number, result),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use odin_model::attempt::{AttemptEvent, Ending};
    use odin_model::{AttemptNumber, Command, Missed, NodeId, Outcome, Overlap, RunId};

    use crate::Effect;
    use crate::scenario::{NODE, Scenario, deploy, finished, minute, started};

    /// A node, and what it reports of a run.
    type Report = (NodeId, fn(RunId) -> Vec<AttemptEvent>);

    /// Reports the events of the one run, and shows the states that it takes.
    #[track_caller]
    fn check(reports: &[Report], expected: &[&str]) -> Scenario {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let run = scenario.run_of(id, 1);
        let mut seen = Vec::new();
        for &(node, events) in reports {
            scenario.apply(&Command::Report {
                node,
                events: events(run),
            });
            let changed = scenario.effects.iter().map(|effect| match effect {
                Effect::RunChanged { state, .. } => state.word(),
                other => panic!("{other:?}"),
            });
            seen.extend(changed);
        }
        assert_eq!(seen, expected);
        scenario
    }

    fn both(run: RunId) -> Vec<AttemptEvent> {
        vec![started(run), finished(run, Ending::Exited { code: 3 })]
    }

    #[test]
    fn a_result_is_kept_whole() {
        let scenario = check(
            &[
                (NODE, |run| vec![started(run)]),
                (NODE, |run| vec![finished(run, Ending::Exited { code: 3 })]),
            ],
            &["running", "finished"],
        );
        let job = scenario.job(deploy("nightly").fresh_id);
        assert_eq!(job.last_reason.as_deref(), Some("exit code 3"));
        let (run, outcome) = job.last_outcome.expect("a run is over");
        assert_eq!(outcome, Outcome::Failed);
        let run = scenario.run(run);
        assert_eq!(run.exit_code, Some(3));
        assert_eq!(run.reason.as_deref(), Some("exit code 3"));
        assert_eq!(run.started_at, Some(minute(1)));
        assert_eq!(run.finished_at, Some(minute(2)));
        assert_eq!(run.usage.memory_max_bytes, 4096);
        assert_eq!(run.output.stdout_bytes, 6);
        assert_eq!(scenario.store.view().counts().open_runs, 0);
    }

    #[test]
    fn a_start_and_an_end_that_come_together_are_one_change() {
        check(&[(NODE, both)], &["finished"]);
    }

    #[test]
    fn a_repeated_report_changes_nothing() {
        check(&[(NODE, both), (NODE, both)], &["finished"]);
    }

    #[test]
    fn a_report_of_another_node_attempt_or_run_changes_nothing() {
        check(
            &[
                (NodeId(2), both),
                (NODE, |run| {
                    let mut event = started(run);
                    event.attempt = AttemptNumber(2);
                    vec![event]
                }),
                (NODE, |_| vec![started(RunId::from_bits(1))]),
            ],
            &[],
        );
    }
}
