//! Occurrences get their outcomes.

use odin_model::command::{Fire, FireAnswer, FireItem};
use odin_model::job_change::JobChangeKind::CalendarsTaken;
use odin_model::ledger::LedgerReason;
use odin_model::run::Cause;
use odin_model::{Lane, LedgerOutcome, Reply, RunId};
use odin_scheduling::judge::{Blocker, Decision, Judgement, Verdict, judge};

use super::change::{self, Change};
use super::job::Cursor;
use super::ledger::Entry;
use super::run::{Begins, NewRun};
use super::{Batch, Stop, job, ledger, run, turn, watch};
use crate::StoreError;

/// Answers each item on its own: one that is stale or blocked changes nothing, and the others count.
pub(super) fn apply(batch: &mut Batch<'_>, fire: &Fire) -> Result<Reply, Stop> {
    let answers = fire.items.iter().map(|item| decide(batch, fire, item));
    Ok(Reply::Fired(answers.collect::<Result<_, _>>()?))
}

fn decide(batch: &mut Batch<'_>, fire: &Fire, item: &FireItem) -> Result<FireAnswer, StoreError> {
    let Some(&last) = item.listed.last().filter(|_| is_sound(item)) else {
        return Ok(FireAnswer::Stale);
    };
    let cursor = job::cursor(batch.conn, item.job, item.revision)?;
    let Some(cursor) = cursor.filter(|cursor| cursor.next_due == Some(item.due)) else {
        return Ok(FireAnswer::Stale);
    };
    let before = turn::before(batch.conn, item.job, cursor.policy.concurrency)?;
    let verdicts = match judge(&cursor.policy, item, fire.proposed_at, before) {
        Judgement::Blocked => return Ok(FireAnswer::Blocked),
        Judgement::Decided(verdicts) => verdicts,
    };
    if item.calendars != 0 && change::calendars_of(batch.conn, item.job)? != Some(item.calendars) {
        change::note(
            batch,
            &Change {
                was: Some(item.due),
                is: Some(item.due),
                calendars: Some(item.calendars),
                ..Change::new(item.job, CalendarsTaken, cursor.version, fire.proposed_at)
            },
        )?;
    }
    let mut started = Vec::new();
    for (place, verdict) in verdicts.iter().enumerate() {
        let next = verdicts.get(place + 1);
        record(batch, fire, item, &cursor, (verdict, next), &mut started)?;
    }
    job::advance(batch, item.job, (Some(item.due), item.next_due), last)?;
    Ok(FireAnswer::Decided)
}

/// Whether the item is in order of time from its due instant to the next one: a decision on any other would let
/// the job's cursor go back.
fn is_sound(item: &FireItem) -> bool {
    let Some((&first, &last)) = item.listed.first().zip(item.listed.last()) else {
        return false;
    };
    let begins = match item.earlier {
        Some(earlier) => {
            earlier.from == item.due
                && earlier.from <= earlier.to
                && earlier.to < first
                && earlier.count > 0
        }
        None => first == item.due,
    };
    begins && item.listed.is_sorted_by(|a, b| a < b) && item.next_due.is_none_or(|next| next > last)
}

/// Writes one verdict: a ledger entry, and a run where it says so. `started` holds the runs of this item so far.
fn record(
    batch: &mut Batch<'_>,
    fire: &Fire,
    item: &FireItem,
    cursor: &Cursor,
    (verdict, next): (&Verdict, Option<&Verdict>),
    started: &mut Vec<(jiff::Timestamp, RunId)>,
) -> Result<(), StoreError> {
    let (outcome, reason, run) = match verdict.decision {
        Decision::Start { reason } | Decision::Wait { reason } | Decision::Replace { reason } => {
            let new = NewRun {
                job: item.job,
                version: cursor.version,
                cause: &Cause::Schedule,
                due_at: Some(verdict.from),
                node: item.node,
                queued_at: fire.proposed_at,
                priority: cursor.priority,
                lane: match reason {
                    LedgerReason::CatchUp => Lane::CatchUp,
                    _ => Lane::Live,
                },
            };
            let id = match verdict.decision {
                Decision::Wait { .. } => run::insert(batch, &new, Begins::InTurn)?,
                Decision::Replace { .. } => turn::replace(batch, cursor.policy.concurrency, &new)?,
                _ => run::insert(batch, &new, Begins::Now)?,
            };
            started.push((verdict.from, id));
            (LedgerOutcome::Started, reason, Some(id))
        }
        Decision::SkipFull => (LedgerOutcome::Skipped, LedgerReason::QueueFull, None),
        Decision::SkipActive { by } => {
            let run = match by {
                Blocker::Active(run) => run,
                Blocker::StartedFor(due) => started
                    .iter()
                    .find_map(|&(at, id)| (at == due).then_some(id))
                    .expect("a blocker of the same item was started before what it blocks"),
            };
            let reason = LedgerReason::StillActive { run };
            (LedgerOutcome::Skipped, reason, None)
        }
        Decision::Coalesce => {
            let starts_next = next.is_some_and(|next| next.decision.run_reason().is_some());
            let run = match starts_next {
                true => Some(batch.upcoming_run()?),
                false => None,
            };
            let reason = LedgerReason::CoalescedInto { run };
            (LedgerOutcome::Coalesced, reason, run)
        }
        Decision::Misfire { reason } => (LedgerOutcome::Misfired, reason, None),
    };
    let entry = Entry {
        job: item.job,
        from: verdict.from,
        to: verdict.to,
        count: verdict.count,
        outcome,
        reason,
        run,
        version: cursor.version,
        revision: item.revision,
        decided_at: fire.proposed_at,
    };
    ledger::add(batch, &entry)?;
    watch::decided(batch, &entry)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use odin_model::command::{Earlier, FireAnswer};
    use odin_model::run::RunState;
    use odin_model::{JobState, Missed, NodeId, Overlap};

    use crate::scenario::{NODE, Scenario, minute};
    use Overlap::{Allow, Forbid};

    /// Fires a job once for each list of minutes, when it is that minute, and shows its ledger.
    #[track_caller]
    fn check(
        concurrency: Overlap,
        missed: Missed,
        fires: &[(&[i64], i64, FireAnswer)],
        expected: Expect,
    ) {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", concurrency, missed);
        for &(minutes, now, answer) in fires {
            assert_eq!(scenario.fire(id, minutes, now), answer, "{minutes:?}");
        }
        expected.assert_eq(&scenario.ledger_lines(id));
    }

    #[test]
    fn an_occurrence_in_time_starts_a_run_on_the_chosen_node() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Allow, Missed::Once);
        let run = scenario.run_of(id, 1);
        let run = scenario.run(run);
        assert_eq!(run.id.to_string(), "r0000000006000");
        assert_eq!((run.state.word(), run.node), ("assigned", Some(NODE)));
        assert_eq!(run.due_at, Some(minute(1)));
        assert_eq!(scenario.due_minutes(), [2]);
        assert_eq!(scenario.job(id).last_decided, Some(minute(1)));
        assert_eq!(scenario.store.view().counts().open_runs, 1);
    }

    #[test]
    fn an_occurrence_is_decided_once() {
        check(
            Allow,
            Missed::Once,
            &[
                (&[1], 1, FireAnswer::Decided),
                (&[1], 1, FireAnswer::Stale),
                (&[2], 2, FireAnswer::Decided),
            ],
            expect![[r#"
                1..1 1 started OnTime Some(r0000000006000)
                2..2 1 started OnTime Some(r000000000a000)
            "#]],
        );
    }

    #[test]
    fn what_overlaps_is_skipped_in_one_row() {
        check(
            Forbid,
            Missed::Once,
            &[
                (&[1], 1, FireAnswer::Decided),
                (&[2], 1, FireAnswer::Blocked),
                (&[2], 2, FireAnswer::Decided),
                (&[3, 4], 4, FireAnswer::Decided),
            ],
            expect![[r#"
                1..1 1 started OnTime Some(r0000000006000)
                2..4 3 skipped StillActive { run: r0000000006000 } None
            "#]],
        );
    }

    #[test]
    fn what_was_missed_is_coalesced_into_the_latest() {
        check(
            Forbid,
            Missed::Once,
            &[(&[1, 2, 3, 60], 60, FireAnswer::Decided)],
            expect![[r#"
                1..2 2 coalesced CoalescedInto { run: Some(r0000000006000) } Some(r0000000006000)
                3..3 1 started CatchUp Some(r0000000006000)
                60..60 1 skipped StillActive { run: r0000000006000 } None
            "#]],
        );
    }

    #[test]
    fn what_is_coalesced_into_a_skipped_occurrence_names_no_run() {
        check(
            Forbid,
            Missed::Once,
            &[
                (&[1], 1, FireAnswer::Decided),
                (&[2, 3], 60, FireAnswer::Decided),
            ],
            expect![[r#"
                1..1 1 started OnTime Some(r0000000006000)
                2..2 1 coalesced CoalescedInto { run: None } None
                3..3 1 skipped StillActive { run: r0000000006000 } None
            "#]],
        );
    }

    #[test]
    fn rows_of_different_revisions_are_not_joined() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Allow, Missed::Skip);
        scenario.fire(id, &[1, 2], 60);
        scenario.set_state(id, JobState::Paused, 60);
        scenario.set_state(id, JobState::Enabled, 60);
        scenario.fire(id, &[61], 90);
        scenario.fire(id, &[62], 90);
        expect![[r#"
            1..2 2 misfired MissedSkipped None
        "#]]
        .assert_eq(&scenario.ledger_lines(id));
    }

    #[test]
    fn a_range_that_is_not_listed_is_one_row_with_its_count() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Allow, Missed::All { limit: 1 });
        let mut item = scenario.item(id, &[900, 901]);
        item.due = minute(1);
        item.earlier = Some(Earlier {
            from: minute(1),
            to: minute(899),
            count: 899,
        });
        assert_eq!(scenario.fire_item(item, 960), FireAnswer::Decided);
        expect![[r#"
            1..900 900 misfired BeyondLimit None
            901..901 1 started CatchUp Some(r0000000006000)
        "#]]
        .assert_eq(&scenario.ledger_lines(id));
    }

    #[test]
    fn a_run_whose_node_is_not_up_is_queued() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Allow, Missed::Once);
        for (at, node) in [(1, None), (2, Some(NodeId(9)))] {
            let mut item = scenario.item(id, &[at]);
            item.node = node;
            assert_eq!(scenario.fire_item(item, at), FireAnswer::Decided);
        }
        let queued = scenario.store.reader().queued_runs(10).unwrap();
        assert_eq!(queued.len(), 2);
        assert!(queued.iter().all(|run| run.state == RunState::Queued));
    }

    #[test]
    fn an_item_that_contradicts_itself_decides_nothing() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Allow, Missed::Once);
        let sound = scenario.item(id, &[1, 2]);
        let range = |from, to, count| {
            Some(Earlier {
                from: minute(from),
                to: minute(to),
                count,
            })
        };
        let mut items = vec![sound.clone(); 7];
        items[0].listed.clear();
        items[1].listed.reverse();
        items[2].listed[1] = minute(1);
        items[3].next_due = Some(minute(2));
        items[4].listed.remove(0);
        items[5].earlier = range(1, 1, 1);
        items[6].earlier = range(1, 0, 0);
        for item in items {
            let shown = format!("{item:?}");
            assert_eq!(scenario.fire_item(item, 2), FireAnswer::Stale, "{shown}");
        }
        assert_eq!(scenario.ledger(id), []);
        assert_eq!(scenario.fire_item(sound, 2), FireAnswer::Decided);
    }

    #[test]
    fn a_paused_or_edited_job_makes_an_item_stale() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Allow, Missed::Once);
        let old = scenario.item(id, &[1]);
        scenario.set_state(id, JobState::Paused, 0);
        assert_eq!(scenario.fire_item(old.clone(), 1), FireAnswer::Stale);
        scenario.set_state(id, JobState::Enabled, 0);
        assert_eq!(scenario.fire_item(old, 1), FireAnswer::Stale);
        assert_eq!(scenario.fire(id, &[1], 1), FireAnswer::Decided);
    }
}
