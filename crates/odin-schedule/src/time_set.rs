//! A set of times of day, searched and counted without walking it.

use crate::calendar::DAY_SECONDS;
use crate::rule::Window;

/// Times of day in seconds from midnight. A set is never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimeSet {
    /// Ascending, without doubles.
    List(Box<[u32]>),
    /// `phase`, `phase + step`, ... inside the window; `step` divides the day.
    Grid {
        step: u32,
        phase: u32,
        window: Window,
    },
    /// Every combination of the fields, as in cron text. Bit n stands for the value n.
    Fields {
        hours: u32,
        minutes: u64,
        seconds: u64,
    },
}

impl TimeSet {
    /// The first member at or after `second`.
    pub(crate) fn next(&self, second: i64) -> Option<i64> {
        match self {
            TimeSet::List(times) => {
                let index = times.partition_point(|&time| i64::from(time) < second);
                times.get(index).map(|&time| time.into())
            }
            TimeSet::Grid {
                step,
                phase,
                window,
            } => {
                let (step, phase) = (i64::from(*step), i64::from(*phase));
                let from = second.max(window.from.into());
                let up = from + (phase - from).rem_euclid(step);
                (up <= window.to.into()).then_some(up)
            }
            TimeSet::Fields {
                hours,
                minutes,
                seconds,
            } => next_in_fields(u64::from(*hours), *minutes, *seconds, second),
        }
    }

    /// The last member at or before `second`.
    pub(crate) fn previous(&self, second: i64) -> Option<i64> {
        match self {
            TimeSet::List(times) => {
                let index = times.partition_point(|&time| i64::from(time) <= second);
                times[..index].last().map(|&time| time.into())
            }
            TimeSet::Grid {
                step,
                phase,
                window,
            } => {
                let (step, phase) = (i64::from(*step), i64::from(*phase));
                let to = second.min(window.to.into());
                let down = to - (to - phase).rem_euclid(step);
                (down >= window.from.into()).then_some(down)
            }
            TimeSet::Fields {
                hours,
                minutes,
                seconds,
            } => previous_in_fields(u64::from(*hours), *minutes, *seconds, second),
        }
    }

    /// How many members lie at or before `second`.
    pub(crate) fn count_to(&self, second: i64) -> u64 {
        match self {
            TimeSet::List(times) => times.partition_point(|&time| i64::from(time) <= second) as u64,
            TimeSet::Grid { step, .. } => match (self.next(i64::MIN / 2), self.previous(second)) {
                (Some(first), Some(last)) if last >= first => {
                    ((last - first) / i64::from(*step) + 1) as u64
                }
                _ => 0,
            },
            TimeSet::Fields {
                hours,
                minutes,
                seconds,
            } => {
                let Some(last) = self.previous(second) else {
                    return 0;
                };
                let (hour, minute, of_minute) = (last / 3600, last / 60 % 60, last % 60);
                let members = |set: u64| u64::from(set.count_ones());
                let before = |set: u64, value: i64| members(set & ((1 << value) - 1));
                before(u64::from(*hours), hour) * members(*minutes) * members(*seconds)
                    + before(*minutes, minute) * members(*seconds)
                    + before(*seconds, of_minute)
                    + 1
            }
        }
    }

    /// How many members a day has.
    pub(crate) fn len(&self) -> u64 {
        self.count_to(i64::MAX / 2)
    }

    /// No two members lie closer together than this, those of the next day included.
    pub(crate) fn shortest_gap(&self) -> u32 {
        match self {
            TimeSet::List(times) => {
                let first_of_next_day = times.first().map(|first| first + DAY_SECONDS as u32);
                let later = times.iter().skip(1).copied().chain(first_of_next_day);
                let gaps = times.iter().zip(later).map(|(time, later)| later - time);
                gaps.min().unwrap_or(DAY_SECONDS as u32)
            }
            TimeSet::Grid { step, .. } => *step,
            TimeSet::Fields {
                hours,
                minutes,
                seconds,
            } => match (seconds.count_ones(), minutes.count_ones()) {
                (2.., _) => shortest_gap_around(*seconds, 60),
                (_, 2..) => shortest_gap_around(*minutes, 60) * 60,
                (_, _) => shortest_gap_around((*hours).into(), 24) * 3600,
            },
        }
    }

    /// Whether members reach into the day after the one they belong to.
    pub(crate) fn crosses_midnight(&self) -> bool {
        match self {
            TimeSet::Grid { window, .. } => window.to > Window::WHOLE_DAY.to,
            TimeSet::List(_) | TimeSet::Fields { .. } => false,
        }
    }
}

/// The shortest way from one member of a round of `size` values to the next.
fn shortest_gap_around(set: u64, size: u32) -> u32 {
    let members: Vec<u32> = (0..size).filter(|value| set & (1 << value) != 0).collect();
    let round_again = members.first().map(|first| first + size);
    let later = members.iter().skip(1).copied().chain(round_again);
    let gaps = members
        .iter()
        .zip(later)
        .map(|(value, later)| later - value);
    gaps.min().unwrap_or(size)
}

/// The lowest bit at or above `value`.
fn bit_from(set: u64, value: i64) -> Option<i64> {
    if value >= 64 {
        return None;
    }
    let rest = set & (u64::MAX << value.max(0));
    (rest != 0).then(|| i64::from(rest.trailing_zeros()))
}

/// The highest bit at or below `value`.
fn bit_to(set: u64, value: i64) -> Option<i64> {
    if value < 0 {
        return None;
    }
    let rest = set & (u64::MAX >> (63 - value.min(63)));
    (rest != 0).then(|| 63 - i64::from(rest.leading_zeros()))
}

fn next_in_fields(hours: u64, minutes: u64, seconds: u64, from: i64) -> Option<i64> {
    let from = from.max(0);
    let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
    let first_second = bit_from(seconds, 0)?;
    if bit_from(hours, hour) == Some(hour) {
        if bit_from(minutes, minute) == Some(minute)
            && let Some(second) = bit_from(seconds, second)
        {
            return Some(hour * 3600 + minute * 60 + second);
        }
        if let Some(minute) = bit_from(minutes, minute + 1) {
            return Some(hour * 3600 + minute * 60 + first_second);
        }
    }
    let hour = bit_from(hours, hour + 1)?;
    Some(hour * 3600 + bit_from(minutes, 0)? * 60 + first_second)
}

fn previous_in_fields(hours: u64, minutes: u64, seconds: u64, to: i64) -> Option<i64> {
    let to = to.min(Window::WHOLE_DAY.to.into());
    if to < 0 {
        return None;
    }
    let (hour, minute, second) = (to / 3600, to / 60 % 60, to % 60);
    let last_second = bit_to(seconds, 63)?;
    if bit_to(hours, hour) == Some(hour) {
        if bit_to(minutes, minute) == Some(minute)
            && let Some(second) = bit_to(seconds, second)
        {
            return Some(hour * 3600 + minute * 60 + second);
        }
        if let Some(minute) = bit_to(minutes, minute - 1) {
            return Some(hour * 3600 + minute * 60 + last_second);
        }
    }
    let hour = bit_to(hours, hour - 1)?;
    Some(hour * 3600 + bit_to(minutes, 63)? * 60 + last_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds search and counting against a plain walk over two days of seconds.
    #[track_caller]
    fn check(set: &TimeSet, members: &[i64]) {
        let probes = members
            .iter()
            .flat_map(|&m| [m - 1, m, m + 1])
            .chain([-5, 0, 86_399, 90_000]);
        for second in probes {
            let next = members.iter().copied().find(|&member| member >= second);
            assert_eq!(set.next(second), next, "next from {second}");
            let previous = members.iter().copied().rfind(|&member| member <= second);
            assert_eq!(set.previous(second), previous, "previous to {second}");
            let count = members.iter().filter(|&&member| member <= second).count();
            assert_eq!(set.count_to(second), count as u64, "count to {second}");
        }
        assert_eq!(set.len(), members.len() as u64);
        let next_day = members.first().map(|first| first + DAY_SECONDS);
        let later = members.iter().skip(1).copied().chain(next_day);
        let shortest = members
            .iter()
            .zip(later)
            .map(|(member, later)| later - member)
            .min();
        assert!(i64::from(set.shortest_gap()) <= shortest.unwrap());
    }

    #[test]
    fn each_form_agrees_with_a_list_of_its_members() {
        check(&TimeSet::List([0, 7, 86_399].into()), &[0, 7, 86_399]);
        let window = Window::between(9 * 3600, 17 * 3600);
        let members: Vec<i64> = (0..=16).map(|n| 9 * 3600 + n * 1800).collect();
        check(
            &TimeSet::Grid {
                step: 1800,
                phase: 0,
                window,
            },
            &members,
        );
        let night = Window::between(23 * 3600, 3600);
        check(
            &TimeSet::Grid {
                step: 3600,
                phase: 1020,
                window: night,
            },
            &[23 * 3600 + 1020, 24 * 3600 + 1020],
        );
        let fields = TimeSet::Fields {
            hours: 1 << 2 | 1 << 23,
            minutes: 1 << 0 | 1 << 59,
            seconds: 1 << 30 | 1 << 31,
        };
        let mut members = Vec::new();
        for hour in [2, 23] {
            for minute in [0, 59] {
                members.extend([30, 31].map(|second| hour * 3600 + minute * 60 + second));
            }
        }
        check(&fields, &members);
    }
}
