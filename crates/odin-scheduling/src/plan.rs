//! Which occurrences the leader proposes.

use jiff::{SignedDuration, Timestamp};
use odin_model::command::{Earlier, FireItem, LISTED_MAX};
use odin_model::{JobId, NodeId, Revision};
use odin_schedule::ZonedSchedule;

use crate::judge::{Policy, is_later_than};

/// How far ahead of its due instant an occurrence is proposed: more than two elections, so that it is armed in the
/// executor before a leader's death could delay it.
pub const LOOK_AHEAD: SignedDuration = SignedDuration::from_secs(4);

/// A job as the leader sees it when something of it is due.
#[derive(Debug, Clone, Copy)]
pub struct DueJob<'a> {
    /// Which job.
    pub id: JobId,
    /// Its revision.
    pub revision: Revision,
    /// Its next occurrence that is not decided.
    pub next_due: Timestamp,
    /// When it comes due.
    pub schedule: &'a ZonedSchedule,
    /// The log index of the latest change of a calendar that it was read with; 0 where it refers to none.
    pub calendars: u64,
    /// How its occurrences are judged.
    pub policy: Policy,
    /// Where its runs go.
    pub node: Option<NodeId>,
}

/// The items that cover a job's occurrences up to `horizon`, in the order in which they must be applied; at most
/// `items_max`, which must not be 0. What is left is covered by the next plan.
///
/// What has been missed is one item, however long the downtime was: all of its occurrences are judged together,
/// and only those that may be started are listed. What is late within the grace is listed. What is ahead is an item
/// each, since one may be blocked while the one before it is not.
#[must_use]
pub fn plan(
    job: &DueJob<'_>,
    now: Timestamp,
    horizon: Timestamp,
    items_max: usize,
) -> Vec<FireItem> {
    let mut items = Vec::new();
    let mut cursor = Some(job.next_due);
    while let Some(due) = cursor.filter(|&due| due <= horizon && items.len() < items_max) {
        let item = if is_later_than(now, due, job.policy.grace) {
            missed(job, due, now)
        } else if due <= now {
            late(job, due, now)
        } else {
            listed(job, vec![due])
        };
        cursor = item.next_due;
        items.push(item);
    }
    items
}

/// All that is later than the grace, from `due` on.
fn missed(job: &DueJob<'_>, due: Timestamp, now: Timestamp) -> FireItem {
    let latest_starts = job.policy.missed.starts_max().clamp(1, LISTED_MAX);
    // The first instant that is within the grace; what is before it is missed.
    let on_time_from = SignedDuration::try_from(job.policy.grace)
        .ok()
        .and_then(|grace| now.checked_sub(grace).ok())
        .unwrap_or(Timestamp::MIN);
    let mut listed = Vec::with_capacity(latest_starts.min(64));
    let mut before = on_time_from;
    while listed.len() < latest_starts {
        match job.schedule.previous_before(before) {
            Some(occurrence) if occurrence > due => {
                listed.push(occurrence);
                before = occurrence;
            }
            // The cursor itself is an occurrence, even one that the schedule of today would not give: zone rules
            // may have changed since it was computed.
            _ => break,
        }
    }
    listed.reverse();
    if listed.len() < latest_starts {
        listed.insert(0, due);
        return self::listed(job, listed);
    }
    let earlier_to = job
        .schedule
        .previous_before(listed[0])
        .filter(|&to| to >= due)
        .unwrap_or(due);
    // The cursor counts whether or not the schedule of today has it.
    let after_due = due.saturating_add(SignedDuration::from_secs(1));
    let count = 1 + job
        .schedule
        .count(after_due.unwrap_or(Timestamp::MAX), earlier_to);
    let mut item = self::listed(job, listed);
    item.due = due;
    item.earlier = Some(Earlier {
        from: due,
        to: earlier_to,
        count,
    });
    item
}

/// All that is late within the grace, from `due` on, up to what one item may list.
fn late(job: &DueJob<'_>, due: Timestamp, now: Timestamp) -> FireItem {
    let mut occurrences = vec![due];
    while occurrences.len() < LISTED_MAX {
        match job.schedule.next_after(occurrences[occurrences.len() - 1]) {
            Some(next) if next <= now => occurrences.push(next),
            _ => break,
        }
    }
    listed(job, occurrences)
}

/// An item of these occurrences, ascending and not empty.
fn listed(job: &DueJob<'_>, occurrences: Vec<Timestamp>) -> FireItem {
    let last = occurrences[occurrences.len() - 1];
    FireItem {
        job: job.id,
        revision: job.revision,
        due: occurrences[0],
        earlier: None,
        next_due: job.schedule.next_after(last),
        listed: occurrences,
        node: job.node,
        calendars: job.calendars,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use jiff::tz::TimeZone;
    use odin_model::{Concurrency, Missed};
    use std::time::Duration;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-01T{text}Z").parse().unwrap()
    }

    fn planned(schedule: &str, next_due: &str, now: &str, missed: Missed) -> Vec<FireItem> {
        let schedule = odin_schedule::parse(schedule)
            .unwrap()
            .in_zone(&TimeZone::UTC);
        let job = DueJob {
            id: JobId::from_bits(1),
            revision: Revision(1),
            next_due: at(next_due),
            schedule: &schedule,
            calendars: 0,
            policy: Policy {
                grace: Duration::from_secs(60),
                missed,
                concurrency: Concurrency::ALLOW,
            },
            node: None,
        };
        plan(&job, at(now), at(now) + LOOK_AHEAD, 100)
    }

    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an `expect![]` reads as a value"
    )]
    fn check(schedule: &str, next_due: &str, now: &str, missed: Missed, expected: Expect) {
        let time = |at: Timestamp| at.to_string()[11..19].to_owned();
        let lines = planned(schedule, next_due, now, missed)
            .into_iter()
            .map(|item| {
                let earlier = item
                    .earlier
                    .map(|e| format!("{}..{} ({}) ", time(e.from), time(e.to), e.count));
                let listed: Vec<_> = item.listed.iter().map(|&at| time(at)).collect();
                let next = item.next_due.map_or("never".into(), time);
                format!(
                    "{}{} then {next}",
                    earlier.unwrap_or_default(),
                    listed.join(" ")
                )
            });
        expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn what_is_ahead_is_proposed_one_by_one() {
        check(
            "every second",
            "01:00:01",
            "01:00:00",
            Missed::Once,
            expect![[r#"
            01:00:01 then 01:00:02
            01:00:02 then 01:00:03
            01:00:03 then 01:00:04
            01:00:04 then 01:00:05"#]],
        );
        check(
            "every hour",
            "02:00:00",
            "01:00:00",
            Missed::Once,
            expect![""],
        );
    }

    #[test]
    fn a_downtime_is_one_decision_with_the_occurrences_within_the_grace_beside_it() {
        check(
            "every 20 minutes",
            "00:00:00",
            "01:00:30",
            Missed::Once,
            expect![[r#"
            00:00:00..00:20:00 (2) 00:40:00 then 01:00:00
            01:00:00 then 01:20:00"#]],
        );
        check(
            "every second",
            "00:00:00",
            "01:00:00",
            Missed::Once,
            expect![[r#"
            00:00:00..00:58:58 (3539) 00:58:59 then 00:59:00
            00:59:00 00:59:01 00:59:02 00:59:03 00:59:04 00:59:05 00:59:06 00:59:07 00:59:08 00:59:09 00:59:10 00:59:11 00:59:12 00:59:13 00:59:14 00:59:15 00:59:16 00:59:17 00:59:18 00:59:19 00:59:20 00:59:21 00:59:22 00:59:23 00:59:24 00:59:25 00:59:26 00:59:27 00:59:28 00:59:29 00:59:30 00:59:31 00:59:32 00:59:33 00:59:34 00:59:35 00:59:36 00:59:37 00:59:38 00:59:39 00:59:40 00:59:41 00:59:42 00:59:43 00:59:44 00:59:45 00:59:46 00:59:47 00:59:48 00:59:49 00:59:50 00:59:51 00:59:52 00:59:53 00:59:54 00:59:55 00:59:56 00:59:57 00:59:58 00:59:59 01:00:00 then 01:00:01
            01:00:01 then 01:00:02
            01:00:02 then 01:00:03
            01:00:03 then 01:00:04
            01:00:04 then 01:00:05"#]],
        );
    }

    #[test]
    fn a_single_missed_occurrence_is_listed() {
        check(
            "every hour",
            "01:00:00",
            "01:30:00",
            Missed::Once,
            expect!["01:00:00 then 02:00:00"],
        );
        check(
            "every hour",
            "01:00:00",
            "01:30:00",
            Missed::Skip,
            expect!["01:00:00 then 02:00:00"],
        );
    }

    #[test]
    fn all_lists_as_many_as_may_be_started() {
        check(
            "every 10 minutes",
            "00:00:00",
            "01:05:00",
            Missed::All { limit: 3 },
            expect!["00:00:00..00:30:00 (4) 00:40:00 00:50:00 01:00:00 then 01:10:00"],
        );
    }

    #[test]
    fn the_items_of_any_downtime_cover_every_occurrence_once() {
        for missed in [Missed::Skip, Missed::Once, Missed::All { limit: 7 }] {
            for minutes in 0..59 {
                let now = format!("01:{minutes:02}:17");
                let items = planned("every 7 minutes", "00:07:00", &now, missed);
                let count: u64 = items
                    .iter()
                    .map(|item| item.listed.len() as u64 + item.earlier.map_or(0, |e| e.count))
                    .sum();
                let until = items.last().unwrap().next_due.unwrap();
                let schedule = odin_schedule::parse("every 7 minutes")
                    .unwrap()
                    .in_zone(&TimeZone::UTC);
                let mut expected = 0;
                let mut cursor = at("00:07:00");
                while cursor < until {
                    expected += 1;
                    cursor = schedule.next_after(cursor).unwrap();
                }
                assert_eq!(count, expected, "{missed:?} at {now}");
                assert!(
                    items
                        .windows(2)
                        .all(|pair| pair[0].next_due == Some(pair[1].due))
                );
            }
        }
    }
}
