//! What a change of the clock did to an occurrence, for whoever reads a list of them.

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use odin_schedule::{DstPolicy, GapPolicy, ZonedSchedule};

/// What a change of the clock did to an occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClockChange {
    /// The local time that the schedule names did not exist on that day.
    Moved {
        /// What the clock showed before and after it jumped. `None`: the jump is not beside the occurrence.
        jump: Option<(String, String)>,
    },
    /// The clock shows this local time twice, and this is the first time.
    FirstOfTwo,
    /// The clock shows this local time twice, and this is the second time.
    SecondOfTwo,
}

impl ClockChange {
    /// The word in JSON.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Moved { .. } => "moved",
            Self::FirstOfTwo => "first_of_two",
            Self::SecondOfTwo => "second_of_two",
        }
    }

    /// A few words for a table.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Moved {
                jump: Some((before, after)),
            } => format!("moved: the clock jumps from {before} to {after}"),
            Self::Moved { jump: None } => "moved by a change of the clock".to_owned(),
            Self::FirstOfTwo => "the first of two times the clock shows this".to_owned(),
            Self::SecondOfTwo => "the second of two times the clock shows this".to_owned(),
        }
    }
}

/// What a change of the clock did to this occurrence of a schedule. `None`: nothing.
pub(crate) fn of(due: Timestamp, schedule: &ZonedSchedule) -> Option<ClockChange> {
    let zone = schedule.time_zone();
    let local = due.to_zoned(zone.clone()).datetime();
    if let AmbiguousOffset::Fold { before, .. } = zone.to_ambiguous_timestamp(local).offset() {
        return Some(if zone.to_offset(due) == before {
            ClockChange::FirstOfTwo
        } else {
            ClockChange::SecondOfTwo
        });
    }
    let jump = jump_beside(due, zone);
    // Where no clock changes near by, nothing can have moved: asking the schedule again costs more.
    let is_near = zone.preceding(due).next().is_some_and(|change| {
        due.duration_since(change.timestamp()) < SignedDuration::from_hours(48)
    });
    if jump.is_none() && !is_near {
        return None;
    }
    // Whatever a gap moved is what is not there when gaps are skipped.
    let skipping = schedule.clone().with_dst(DstPolicy {
        gap: GapPolicy::Skip,
        repeat: odin_schedule::RepeatPolicy::Both,
    });
    let is_moved = skipping.occurrences(due, due).next().is_none();
    is_moved.then_some(ClockChange::Moved { jump })
}

/// The jump forward of the clock at an instant or in the second after it.
fn jump_beside(due: Timestamp, zone: &TimeZone) -> Option<(String, String)> {
    let second = SignedDuration::from_secs(1);
    let at = [due, due.checked_add(second).ok()?]
        .into_iter()
        .find(|at| {
            at.checked_sub(second).is_ok_and(|before| {
                zone.following(before)
                    .next()
                    .is_some_and(|change| change.timestamp() == *at)
            })
        })?;
    let after = at.to_zoned(zone.clone()).datetime();
    let before = zone.to_offset(at.checked_sub(second).ok()?).to_datetime(at);
    let form = if before.date() == after.date() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    (before < after).then(|| {
        (
            before.strftime(form).to_string(),
            after.strftime(form).to_string(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_schedule::RepeatPolicy;

    fn check(text: &str, policy: DstPolicy, from: &str, expected: &[Option<&str>]) {
        let schedule = odin_schedule::parse(text).unwrap();
        let zoned = schedule.in_zone(&TimeZone::UTC).with_dst(policy);
        let found: Vec<_> = zoned
            .occurrences(from.parse().unwrap(), Timestamp::MAX)
            .take(expected.len())
            .map(|due| of(due, &zoned).map(|change| change.words()))
            .collect();
        let found: Vec<_> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn an_occurrence_that_the_clock_moved_or_shows_twice_is_marked_and_no_other() {
        let default = DstPolicy::default();
        let gap = |gap| DstPolicy { gap, ..default };
        let both = DstPolicy {
            repeat: RepeatPolicy::Both,
            ..default
        };
        let spring = "2026-03-28T00:00:00Z";
        let autumn = "2026-10-25T00:00:00Z";
        let moved = Some("moved: the clock jumps from 01:00 to 02:00");
        let first = Some("the first of two times the clock shows this");
        let second = Some("the second of two times the clock shows this");
        let daily = "every day at 01:30 in Europe/Dublin";
        check(daily, default, spring, &[None, moved, None]);
        check(daily, gap(GapPolicy::Before), spring, &[None, moved, None]);
        check(daily, gap(GapPolicy::Skip), spring, &[None, None, None]);
        check(daily, default, autumn, &[first, None]);
        check(daily, both, autumn, &[first, second, None]);
        // Due at the end of the gap by itself.
        let two = "every day at 02:00 in Europe/Dublin";
        check(two, default, spring, &[None, None, None]);
        // An interval follows real time: nothing moves.
        let interval = "every 30 minutes in Europe/Dublin";
        check(
            interval,
            default,
            "2026-03-29T00:30:00Z",
            &[None, None, None],
        );
        check(
            interval,
            default,
            autumn,
            &[first, first, second, second, None],
        );
        // A whole day is missing in Apia.
        check(
            "every day at 09:00 in Pacific/Apia",
            default,
            "2011-12-29T12:00:00Z",
            &[
                None,
                Some("moved: the clock jumps from 2011-12-30 00:00 to 2011-12-31 00:00"),
                None,
            ],
        );
    }
}
