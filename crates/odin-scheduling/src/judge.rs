//! What becomes of the occurrences that the leader proposed. Runs inside apply, on every replica.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::command::FireItem;
use odin_model::ledger::LedgerReason;
use odin_model::{Concurrency, Missed, RunId};

use crate::concurrency::{Admission, Standing, admit};

/// The policies of a job's current version that decide its occurrences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How late an occurrence may be and still counts as on time.
    pub grace: Duration,
    /// What becomes of later ones.
    pub missed: Missed,
    /// Whether runs may overlap.
    pub concurrency: Concurrency,
}

/// The answer for one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Ahead of its due instant, and an active run is in the way: nothing is decided yet, since that run may be
    /// over by then.
    Blocked,
    /// Each occurrence of the item has its outcome, in order of time.
    Decided(Vec<Verdict>),
}

/// The outcome of neighbouring occurrences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The first.
    pub from: Timestamp,
    /// The last; the same as `from` where there is one.
    pub to: Timestamp,
    /// How many.
    pub count: u64,
    /// What becomes of them.
    pub decision: Decision,
}

/// What becomes of occurrences. The ledger's words for each are in [`odin_model::ledger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A run is made. Always a single occurrence.
    Start {
        /// [`LedgerReason::OnTime`] or [`LedgerReason::CatchUp`].
        reason: LedgerReason,
    },
    /// A run is made that waits for its turn. Always a single occurrence.
    Wait {
        /// As for [`Start`](Self::Start).
        reason: LedgerReason,
    },
    /// A run is made, and older ones are stopped for it. Always a single occurrence.
    Replace {
        /// As for [`Start`](Self::Start).
        reason: LedgerReason,
    },
    /// Skipped, because a run is active.
    SkipActive {
        /// Which.
        by: Blocker,
    },
    /// Skipped, because as many wait as may.
    SkipFull,
    /// Coalesced into the latest missed occurrence, which is the next verdict.
    Coalesce,
    /// Misfired.
    Misfire {
        /// [`LedgerReason::MissedSkipped`] or [`LedgerReason::BeyondLimit`].
        reason: LedgerReason,
    },
}

impl Decision {
    /// Why a run is made. `None`: none is.
    #[must_use]
    pub fn run_reason(self) -> Option<LedgerReason> {
        match self {
            Self::Start { reason } | Self::Wait { reason } | Self::Replace { reason } => {
                Some(reason)
            }
            Self::SkipActive { .. } | Self::SkipFull | Self::Coalesce | Self::Misfire { .. } => {
                None
            }
        }
    }
}

/// How the job of an item stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// How many of its runs are not over.
    pub standing: Standing,
    /// The oldest of them.
    pub oldest: Option<RunId>,
}

/// The run that an occurrence would overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// A run that was active before.
    Active(RunId),
    /// The run that the same item starts for this occurrence; its id is made in apply.
    StartedFor(Timestamp),
}

/// Decides every occurrence of `item`, which the leader proposed when its clock showed `proposed_at`.
///
/// An occurrence exactly as late as the grace is on time. What is missed is judged before what overlaps, since a misfire never starts.
#[must_use]
pub fn judge(
    policy: &Policy,
    item: &FireItem,
    proposed_at: Timestamp,
    before: Before,
) -> Judgement {
    debug_assert!(item.listed.is_sorted() && !item.listed.is_empty());
    debug_assert!(
        item.earlier
            .is_none_or(|earlier| earlier.to < item.listed[0])
    );

    let mut overlap = Overlap {
        concurrency: policy.concurrency,
        standing: before.standing,
        blocker: before.oldest.map(Blocker::Active),
    };
    let ahead = item
        .listed
        .first()
        .is_some_and(|&first| first > proposed_at);
    if ahead && overlap.is_blocked() {
        return Judgement::Blocked;
    }

    let is_missed = |due: &Timestamp| is_later_than(proposed_at, *due, policy.grace);
    let missed = item.listed.partition_point(is_missed);
    let (missed, on_time) = item.listed.split_at(missed);
    let (passed_over, caught_up) =
        missed.split_at(missed.len().saturating_sub(policy.missed.starts_max()));

    let mut verdicts = Vec::with_capacity(item.listed.len() + 1);
    if let Some(range) = range_of(item, passed_over) {
        let decision = match policy.missed {
            Missed::Skip => Decision::Misfire {
                reason: LedgerReason::MissedSkipped,
            },
            Missed::Once => Decision::Coalesce,
            Missed::All { .. } => Decision::Misfire {
                reason: LedgerReason::BeyondLimit,
            },
        };
        verdicts.push(Verdict { decision, ..range });
    }
    let starts = caught_up.iter().map(|&due| (due, LedgerReason::CatchUp));
    for (due, reason) in starts.chain(on_time.iter().map(|&due| (due, LedgerReason::OnTime))) {
        let decision = overlap.decide(due, reason);
        verdicts.push(Verdict {
            from: due,
            to: due,
            count: 1,
            decision,
        });
    }
    Judgement::Decided(verdicts)
}

/// Whether `now` is later than `due` by more than `grace`.
#[must_use]
pub fn is_later_than(now: Timestamp, due: Timestamp, grace: Duration) -> bool {
    Duration::try_from(now.duration_since(due)).is_ok_and(|late| late > grace)
}

/// The item's unlisted occurrences and the listed ones that are passed over, as one range. `None`: there are none.
fn range_of(item: &FireItem, passed_over: &[Timestamp]) -> Option<Verdict> {
    let earlier = item.earlier;
    let from = earlier
        .map(|earlier| earlier.from)
        .or(passed_over.first().copied())?;
    let to = passed_over
        .last()
        .copied()
        .or(earlier.map(|earlier| earlier.to))?;
    let count = earlier.map_or(0, |earlier| earlier.count) + passed_over.len() as u64;
    Some(Verdict {
        from,
        to,
        count,
        decision: Decision::Coalesce,
    })
}

/// What later occurrences of one item would overlap.
struct Overlap {
    concurrency: Concurrency,
    standing: Standing,
    blocker: Option<Blocker>,
}

impl Overlap {
    /// Whether what begins now would not begin beside the others. Before its due instant nobody waits for a turn or
    /// is stopped for it: the run that is in the way may be over by then.
    fn is_blocked(&self) -> bool {
        admit(self.concurrency, self.standing) != Admission::Start
    }

    fn decide(&mut self, due: Timestamp, reason: LedgerReason) -> Decision {
        match (admit(self.concurrency, self.standing), self.blocker) {
            (Admission::Forbidden, Some(by)) => Decision::SkipActive { by },
            (Admission::Start, _) | (Admission::Forbidden, None) => {
                self.standing.active = self.standing.active.saturating_add(1);
                self.blocker.get_or_insert(Blocker::StartedFor(due));
                Decision::Start { reason }
            }
            (Admission::Wait, _) => {
                self.standing.waiting += 1;
                Decision::Wait { reason }
            }
            (Admission::Replace, _) => {
                // What it replaces is gone or ends: how many wait after it makes no difference to the next.
                self.standing.waiting = self.standing.waiting.max(1);
                Decision::Replace { reason }
            }
            (Admission::Full, _) => Decision::SkipFull,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use jiff::SignedDuration;
    use odin_model::command::Earlier;
    use odin_model::{JobId, Revision};
    use proptest::prelude::*;

    use odin_model::Overlap::{self as Policies, Allow, Forbid, Queue, Replace};

    fn now() -> Timestamp {
        "2026-01-01T01:00:00Z".parse().unwrap()
    }

    fn minutes_ago(minutes: i64) -> Timestamp {
        now() - SignedDuration::from_mins(minutes)
    }

    /// `earlier` is how many minutely occurrences end a minute before the first listed one.
    fn item(earlier: u64, listed: &[i64]) -> FireItem {
        let listed: Vec<_> = listed.iter().map(|&m| minutes_ago(m)).collect();
        let before =
            |minutes: u64| listed[0] - SignedDuration::from_mins(minutes.try_into().unwrap());
        let earlier = (earlier > 0).then(|| Earlier {
            from: before(earlier),
            to: before(1),
            count: earlier,
        });
        FireItem {
            job: JobId::from_bits(1),
            revision: Revision(1),
            due: earlier.map_or(listed[0], |earlier| earlier.from),
            earlier,
            listed,
            next_due: None,
            node: None,
            calendars: 0,
        }
    }

    /// The one place that knows how `judge` is called. Each number of `listed` is minutes before now; the grace is
    /// five minutes.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an `expect![]` reads as a value"
    )]
    fn check(
        missed: Missed,
        overlap: Policies,
        earlier: u64,
        listed: &[i64],
        active: bool,
        expected: Expect,
    ) {
        let policy = Policy {
            grace: Duration::from_secs(300),
            missed,
            concurrency: overlap.into(),
        };
        let seen = match judge(&policy, &item(earlier, listed), now(), before(active)) {
            Judgement::Blocked => "blocked".to_owned(),
            Judgement::Decided(verdicts) => {
                verdicts.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        };
        expected.assert_eq(&seen);
    }

    /// One active run, or none.
    fn before(active: bool) -> Before {
        Before {
            standing: Standing {
                active: u32::from(active),
                waiting: 0,
            },
            oldest: active.then(|| RunId::from_bits(7)),
        }
    }

    fn line(verdict: &Verdict) -> String {
        let Verdict {
            from,
            to,
            count,
            decision,
        } = verdict;
        if count == &1 {
            format!("{from} {decision:?}")
        } else {
            format!("{from}..{to} {count} {decision:?}")
        }
    }

    #[test]
    fn lateness_equal_to_the_grace_is_on_time() {
        check(
            Missed::Skip,
            Allow,
            0,
            &[5],
            true,
            expect!["2026-01-01T00:55:00Z Start { reason: OnTime }"],
        );
    }

    #[test]
    fn once_starts_the_latest_missed_and_coalesces_the_others_into_it() {
        check(
            Missed::Once,
            Allow,
            50,
            &[8, 7],
            false,
            expect![[r#"
            2026-01-01T00:02:00Z..2026-01-01T00:52:00Z 51 Coalesce
            2026-01-01T00:53:00Z Start { reason: CatchUp }"#]],
        );
    }

    #[test]
    fn all_starts_the_latest_up_to_the_limit_oldest_first() {
        check(
            Missed::All { limit: 2 },
            Allow,
            0,
            &[9, 8, 7, 1],
            false,
            expect![[r#"
            2026-01-01T00:51:00Z Misfire { reason: BeyondLimit }
            2026-01-01T00:52:00Z Start { reason: CatchUp }
            2026-01-01T00:53:00Z Start { reason: CatchUp }
            2026-01-01T00:59:00Z Start { reason: OnTime }"#]],
        );
    }

    #[test]
    fn skip_starts_nothing_that_is_missed() {
        check(
            Missed::Skip,
            Allow,
            3,
            &[7],
            false,
            expect![
                "2026-01-01T00:50:00Z..2026-01-01T00:53:00Z 4 Misfire { reason: MissedSkipped }"
            ],
        );
    }

    #[test]
    fn forbid_skips_what_overlaps_the_run_that_the_same_item_starts() {
        check(
            Missed::Once,
            Forbid,
            0,
            &[7, 1, 0],
            false,
            expect![[r#"
            2026-01-01T00:53:00Z Start { reason: CatchUp }
            2026-01-01T00:59:00Z SkipActive { by: StartedFor(2026-01-01T00:53:00Z) }
            2026-01-01T01:00:00Z SkipActive { by: StartedFor(2026-01-01T00:53:00Z) }"#]],
        );
    }

    #[test]
    fn forbid_waits_with_an_occurrence_ahead_and_skips_it_when_it_is_due() {
        check(Missed::Once, Forbid, 0, &[-1], true, expect!["blocked"]);
        check(
            Missed::Once,
            Forbid,
            0,
            &[0],
            true,
            expect!["2026-01-01T01:00:00Z SkipActive { by: Active(r0000000000007) }"],
        );
        check(
            Missed::Once,
            Allow,
            0,
            &[-1],
            true,
            expect!["2026-01-01T01:01:00Z Start { reason: OnTime }"],
        );
    }

    #[test]
    fn queue_and_replace_make_a_run_for_each_and_neither_ahead_of_its_time() {
        check(
            Missed::Once,
            Queue,
            0,
            &[1, 0],
            false,
            expect![[r#"
                2026-01-01T00:59:00Z Start { reason: OnTime }
                2026-01-01T01:00:00Z Wait { reason: OnTime }"#]],
        );
        check(
            Missed::Once,
            Replace,
            0,
            &[1, 0],
            false,
            expect![[r#"
                2026-01-01T00:59:00Z Start { reason: OnTime }
                2026-01-01T01:00:00Z Replace { reason: OnTime }"#]],
        );
        for overlap in [Queue, Replace] {
            check(Missed::Once, overlap, 0, &[-1], true, expect!["blocked"]);
        }
    }

    proptest! {
        #[test]
        fn every_occurrence_has_exactly_one_verdict(
            mut ages in proptest::collection::btree_set(0i64..5000, 1..40),
            earlier in 0u64..2000,
            missed in prop_oneof![Just(Missed::Skip), Just(Missed::Once), (1u16..50).prop_map(|limit| Missed::All { limit })],
            overlap in 0usize..4,
            max in proptest::option::of(1u32..4),
            active: bool,
        ) {
            ages.insert(5001);
            let listed: Vec<i64> = ages.into_iter().rev().collect();
            let policy = Policy {
                grace: Duration::from_secs(300),
                missed,
                concurrency: Concurrency {
                    overlap: Policies::ALL[overlap],
                    bounds: odin_model::concurrency::Bounds { max, waiting: Some(2) },
                },
            };
            let item = item(earlier, &listed);
            let Judgement::Decided(verdicts) = judge(&policy, &item, now(), before(active)) else {
                return Err(TestCaseError::fail("nothing is ahead"));
            };
            let total: u64 = verdicts.iter().map(|verdict| verdict.count).sum();
            prop_assert_eq!(total, earlier + listed.len() as u64);
            prop_assert_eq!(verdicts[0].from, item.due);
            prop_assert!(verdicts.windows(2).all(|pair| pair[0].to < pair[1].from));
            let starts = verdicts.iter().filter(|verdict| matches!(verdict.decision, Decision::Start { .. })).count();
            let room = policy.concurrency.max().map_or(usize::MAX, |max| max as usize - usize::from(active));
            prop_assert!(starts <= room);
            let waits = verdicts.iter().filter(|verdict| matches!(verdict.decision, Decision::Wait { .. })).count();
            prop_assert!(waits <= 2);
            for verdict in &verdicts {
                let late = is_later_than(now(), verdict.to, policy.grace);
                if let Some(reason) = verdict.decision.run_reason() {
                    prop_assert_eq!(verdict.count, 1);
                    prop_assert_eq!(late, reason == LedgerReason::CatchUp);
                }
            }
        }
    }
}
