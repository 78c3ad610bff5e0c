//! Which due times move when the rules of a zone change.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::occurrences::ZonedSchedule;
use crate::rule::Timing;
use crate::timeline::{stretch_at, timestamp};

/// No change of rules moves a due time further than two offsets can be apart.
const REACH: i64 = 26 * 3600;
/// Times further apart than this are two times and not one that moved, unless the local
/// clock shows the same.
const SHIFT_MAX: i64 = 3 * 3600;
/// Occurrences that are looked at before giving up; some 0.2 s of work.
const EXAMINED_MAX: usize = 200_000;

/// A due time of which two schedules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moved {
    /// When it was due; `None` where it is new.
    pub was: Option<Timestamp>,
    /// When it is due now; `None` where it is gone.
    pub is: Option<Timestamp>,
}

/// What [`moved`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moves {
    /// In order of the earlier of the two times.
    pub moved: Vec<Moved>,
    /// Up to here, included, all due times were compared: the end that was asked for, or
    /// earlier where a bound was met.
    pub compared_to: Timestamp,
}

/// The due times from one instant to another, both included, that move when `was` is
/// replaced by `is`: the same schedule under other rules of its zone, say.
///
/// A time that was due before `from` and is due again after it is among them. Intervals
/// whose grid stays the same do not move. At most `limit` moves are returned, and at most
/// 200,000 due times of stretches in which the zones differ are looked at:
/// [`Moves::compared_to`] says how far that went.
///
/// ```
/// use jiff::tz::TimeZone;
/// use odin_schedule::{moved, parse};
///
/// let daily = parse("every day at 09:00")?;
/// // Summer time is given up.
/// let was = daily.in_zone(&TimeZone::posix("AAA-1BBB,M3.5.0,M10.5.0").unwrap());
/// let is = daily.in_zone(&TimeZone::posix("AAA-1").unwrap());
/// let moves = moved(&was, &is,
///     "2027-03-27T00:00:00Z".parse().unwrap(), "2027-03-28T23:00:00Z".parse().unwrap(), 100);
/// assert_eq!(moves.moved.len(), 1);
/// assert_eq!(moves.moved[0].was.unwrap().to_string(), "2027-03-28T07:00:00Z");
/// assert_eq!(moves.moved[0].is.unwrap().to_string(), "2027-03-28T08:00:00Z");
/// # Ok::<(), odin_schedule::ScheduleError>(())
/// ```
pub fn moved(
    was: &ZonedSchedule,
    is: &ZonedSchedule,
    from: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Moves {
    let (from, until) = (from.as_second(), until.as_second());
    let mut walk = Walk {
        was,
        is,
        only_was: Vec::new(),
        only_is: Vec::new(),
        examined: 0,
        limit,
    };
    let mut compared_to = until;
    let mut at = from - REACH;
    while let Some((start, end)) = next_difference(was, is, at, until + REACH) {
        if let Some(cut) = walk.compare(start, end, compared_to) {
            compared_to = cut;
        }
        if compared_to < until && end > compared_to + REACH {
            break;
        }
        at = end + 1;
    }
    let mut moved = walk.pairs();
    moved.retain(|moved| {
        let times = || [moved.was, moved.is].into_iter().flatten();
        let is_within = |time: Timestamp| (from..=compared_to).contains(&time.as_second());
        times().any(is_within)
            || (times().any(|time| time.as_second() < from)
                && times().any(|time| time.as_second() > compared_to))
    });
    moved.sort_by_key(first_time);
    if moved.len() > limit {
        moved.truncate(limit);
        if let Some(last) = moved.last().and_then(first_time) {
            compared_to = compared_to.min(last.as_second());
        }
    }
    Moves {
        moved,
        compared_to: timestamp(compared_to),
    }
}

fn first_time(moved: &Moved) -> Option<Timestamp> {
    [moved.was, moved.is].into_iter().flatten().min()
}

/// The first stretch after `at` in which the two may differ; both ends included.
fn next_difference(
    was: &ZonedSchedule,
    is: &ZonedSchedule,
    at: i64,
    until: i64,
) -> Option<(i64, i64)> {
    if at > until {
        return None;
    }
    // A grid that counts from a local time moves as a whole, for ever; what is spread may
    // lie far from the change that moves it.
    let counts_from_local = |schedule: &ZonedSchedule| {
        schedule.rules.iter().any(|rule| {
            matches!(rule.timing, Timing::Elapsed { .. }) && rule.tail.starting.is_some()
        })
    };
    let is_spread = was.spread_seed.is_some() || is.spread_seed.is_some();
    if was.rules != is.rules || was.dst != is.dst || is_spread || counts_from_local(was) {
        return Some((at, until));
    }
    // What a change of the clock does reaches to both of its sides.
    let mut found: Option<(i64, i64)> = None;
    let mut second = at - REACH;
    while second <= until + REACH {
        let (a, b) = (stretch_at(&was.zone, second), stretch_at(&is.zone, second));
        let changes = [a.after, b.after];
        let end = changes.into_iter().flatten().map(|change| change.at).min();
        let end = end.unwrap_or(i64::MAX / 2).min(until + REACH + 1);
        if a.offset != b.offset {
            let (from, to) = ((second - REACH).max(at), (end + REACH).min(until));
            found = match found {
                None => Some((from, to)),
                Some((start, known)) if from <= known + 1 => Some((start, to)),
                Some(done) => return Some(done),
            };
        } else if let Some(done) = found
            && second > done.1 + REACH
        {
            return Some(done);
        }
        second = end;
    }
    found.filter(|(from, to)| from <= to)
}

struct Walk<'s> {
    was: &'s ZonedSchedule,
    is: &'s ZonedSchedule,
    only_was: Vec<i64>,
    only_is: Vec<i64>,
    examined: usize,
    limit: usize,
}

impl Walk<'_> {
    /// Collects what only one of the two has. Where a bound is met, the answer is the
    /// last second that counts; a little more is walked, so that what moved across it
    /// finds its partner.
    fn compare(&mut self, from: i64, to: i64, compared_to: i64) -> Option<i64> {
        let mut cut = None;
        let mut end = to;
        let (mut was, mut is) = (self.was.next_from(from), self.is.next_from(from));
        loop {
            let Some(at) = [was, is]
                .into_iter()
                .flatten()
                .min()
                .filter(|at| *at <= end)
            else {
                return cut;
            };
            self.examined += 1;
            match (was == Some(at), is == Some(at)) {
                (true, false) => self.only_was.push(at),
                (false, true) => self.only_is.push(at),
                (true, true) | (false, false) => {}
            }
            if was == Some(at) {
                was = self.was.next_from(at + 1);
            }
            if is == Some(at) {
                is = self.is.next_from(at + 1);
            }
            let found = self.only_was.len().max(self.only_is.len());
            if cut.is_none()
                && at < compared_to
                && (self.examined >= EXAMINED_MAX || found > self.limit)
            {
                cut = Some(at);
                end = end.min(at + REACH);
            }
        }
    }

    /// Joins what was and what is: first what the local clock shows alike, then what
    /// lies close, in order.
    fn pairs(self) -> Vec<Moved> {
        let mut by_local: HashMap<i64, Vec<i64>> = HashMap::new();
        for &is in self.only_is.iter().rev() {
            let local = is + stretch_at(&self.is.zone, is).offset;
            by_local.entry(local).or_default().push(is);
        }
        let mut moved = Vec::new();
        let mut pair = |was: Option<i64>, is: Option<i64>| {
            moved.push(Moved {
                was: was.map(timestamp),
                is: is.map(timestamp),
            });
        };
        let mut rest_was = Vec::new();
        for &was in &self.only_was {
            let local = was + stretch_at(&self.was.zone, was).offset;
            match by_local.get_mut(&local).and_then(Vec::pop) {
                Some(is) => pair(Some(was), Some(is)),
                None => rest_was.push(was),
            }
        }
        let mut rest_is: Vec<i64> = by_local.into_values().flatten().collect();
        rest_is.sort_unstable();
        let mut rest_is = rest_is.into_iter().peekable();
        for was in rest_was {
            while let Some(gone) = rest_is.next_if(|is| *is < was - SHIFT_MAX) {
                pair(None, Some(gone));
            }
            let near = rest_is.next_if(|is| *is <= was + SHIFT_MAX);
            pair(Some(was), near);
        }
        for is in rest_is {
            pair(None, Some(is));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    const SUMMER: &str = "AAA-1BBB,M3.5.0,M10.5.0";

    /// Moves as `was -> is` in UTC, `-` where there is none.
    #[track_caller]
    fn check(text: &str, zones: (&str, &str), span: (&str, &str), expected: &[&str]) {
        let schedule = crate::parse(text).unwrap();
        let zone = |rule| TimeZone::posix(rule).unwrap();
        let (was, is) = (
            schedule.in_zone(&zone(zones.0)),
            schedule.in_zone(&zone(zones.1)),
        );
        let (from, until) = (span.0.parse().unwrap(), span.1.parse().unwrap());
        let moves = moved(&was, &is, from, until, 1000);
        assert_eq!(moves.compared_to, until, "{text}");
        let time = |at: Option<Timestamp>| {
            at.map_or("-".to_owned(), |at| at.strftime("%m-%d %H:%M").to_string())
        };
        let found: Vec<String> = moves
            .moved
            .iter()
            .map(|it| format!("{} -> {}", time(it.was), time(it.is)))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn fixed_times_move_where_the_rules_differ_and_nowhere_else() {
        let abolished = (SUMMER, "AAA-1");
        check(
            "every day at 09:00",
            abolished,
            ("2027-03-26T00:00:00Z", "2027-03-29T12:00:00Z"),
            &["03-28 07:00 -> 03-28 08:00", "03-29 07:00 -> 03-29 08:00"],
        );
        check(
            "every day at 09:00",
            abolished,
            ("2027-10-29T00:00:00Z", "2027-11-02T00:00:00Z"),
            &["10-29 07:00 -> 10-29 08:00", "10-30 07:00 -> 10-30 08:00"],
        );
        check(
            "every day at 09:00",
            abolished,
            ("2027-11-02T00:00:00Z", "2028-03-25T00:00:00Z"),
            &[],
        );
        check(
            "every day at 09:00",
            (SUMMER, SUMMER),
            ("2027-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
            &[],
        );
    }

    #[test]
    fn a_time_from_a_gap_is_paired_with_where_it_is_now() {
        check(
            "every day at 02:30",
            (SUMMER, "AAA-1"),
            ("2027-03-27T12:00:00Z", "2027-03-28T12:00:00Z"),
            &["03-28 01:00 -> 03-28 01:30"],
        );
    }

    #[test]
    fn intervals_keep_to_their_grid_and_coarse_ones_move() {
        check(
            "every 15 minutes",
            (SUMMER, "AAA-1"),
            ("2027-03-01T00:00:00Z", "2027-06-01T00:00:00Z"),
            &[],
        );
        check(
            "every 7 minutes",
            (SUMMER, "AAA-1"),
            ("2027-03-01T00:00:00Z", "2027-06-01T00:00:00Z"),
            &[],
        );
        // Local 00:00, 06:00, 12:00 and 18:00 all lie an hour later.
        check(
            "every 6 hours",
            (SUMMER, "AAA-1"),
            ("2027-03-28T03:00:00Z", "2027-03-28T17:00:00Z"),
            &[
                "03-28 04:00 -> 03-28 05:00",
                "03-28 10:00 -> 03-28 11:00",
                "03-28 16:00 -> 03-28 17:00",
            ],
        );
    }

    #[test]
    fn a_time_that_is_due_again_is_told() {
        // At 07:30 UTC the 09:00 of summer time has been; the new rules bring it again.
        check(
            "every day at 09:00",
            (SUMMER, "AAA-1"),
            ("2027-07-01T07:30:00Z", "2027-07-01T12:00:00Z"),
            &["07-01 07:00 -> 07-01 08:00"],
        );
    }

    #[test]
    fn a_bound_that_is_met_is_told() {
        let zone = |rule| TimeZone::posix(rule).unwrap();
        let (from, until) = (
            "2027-04-01T00:00:00Z".parse().unwrap(),
            "2030-01-01T00:00:00Z".parse().unwrap(),
        );
        let daily = crate::parse("every day at 09:00").unwrap();
        let both = |schedule: &crate::Schedule| {
            (
                schedule.in_zone(&zone(SUMMER)),
                schedule.in_zone(&zone("AAA-1")),
            )
        };
        let (was, is) = both(&daily);
        let moves = moved(&was, &is, from, until, 3);
        assert_eq!(moves.moved.len(), 3);
        assert_eq!(
            moves.moved[2].is.unwrap().to_string(),
            "2027-04-03T08:00:00Z"
        );
        assert!(moves.compared_to < until && moves.compared_to >= moves.moved[2].was.unwrap());

        let dense = crate::parse("every second").unwrap();
        let (was, is) = both(&dense);
        let moves = moved(&was, &is, from, until, 3);
        assert_eq!(moves.moved, []);
        assert!(moves.compared_to < until && moves.compared_to > from);
    }
}
