//! The walk itself.

use jiff::Timestamp;
use odin_schedule::{DstPolicy, GapPolicy, RepeatPolicy, find_zone};

use super::clock::Clock;
use super::model::{Clause, Model, Tail};

/// Due instants as Unix seconds, ascending and without doubles.
pub(crate) fn walk(model: &Model, dst: DstPolicy, clock: &Clock) -> Vec<i64> {
    let unit = if model.has_seconds() { 1 } else { 60 };
    let mut due = Vec::new();
    for (index, clause) in model.clauses.iter().enumerate() {
        walk_clause(clause, model.tail_of(index), dst, clock, unit, &mut due);
    }
    due.sort_unstable();
    due.dedup();
    due
}

fn walk_clause(
    clause: &Clause,
    tail: &Tail,
    dst: DstPolicy,
    clock: &Clock,
    unit: i64,
    due: &mut Vec<i64>,
) {
    let days = clock.days();
    let first_day = days[0].number;
    let held: Vec<bool> = days.iter().map(|day| clause.holds_day(tail, day)).collect();
    let anchor = tail.starting.map_or(0, |start| {
        first_instant(clock.zone, start.0 * 86_400 + start.1)
    });
    let last = tail.until.map_or(i64::MAX, |(day, second)| {
        first_instant(clock.zone, day * 86_400 + second.unwrap_or(86_399) + 1) - 1
    });
    let holds = |unix: i64, local: i64| {
        clause.holds(tail, (unix, local, anchor), |day| {
            held[(day - first_day) as usize]
        })
    };
    let is_fixed = clause.is_fixed();
    let counts_elapsed = match &clause.what {
        super::model::What::Interval(interval) => !interval.divides_the_day(),
        _ => false,
    };
    // What the local clock will still show after each minute.
    let mut earliest_later = vec![i64::MAX; clock.minutes.len()];
    for index in (0..clock.minutes.len() - 1).rev() {
        earliest_later[index] = earliest_later[index + 1].min(clock.minutes[index + 1].1 * 60);
    }
    let mut latest_local = i64::MIN;
    for (index, &(unix, local)) in clock.minutes.iter().enumerate() {
        let (unix, local) = (unix * 60, local * 60);
        if is_fixed && index > 0 {
            let shown = clock.minutes[index - 1].1 * 60 + 60;
            if (shown..local)
                .step_by(unit as usize)
                .any(|skipped| holds(unix, skipped))
            {
                match dst.gap {
                    GapPolicy::Shift => due.push(unix),
                    GapPolicy::Before => due.push(unix - 1),
                    GapPolicy::Skip => {}
                }
            }
        }
        for second in (0..60).step_by(unit as usize) {
            let (unix, local) = (unix + second, local + second);
            let counts = !is_fixed
                || match dst.repeat {
                    RepeatPolicy::First => local > latest_local,
                    RepeatPolicy::Last => local < earliest_later[index],
                    RepeatPolicy::Both => true,
                };
            latest_local = latest_local.max(local);
            let bounded =
                !counts_elapsed || (unix <= last && (tail.starting.is_none() || unix >= anchor));
            if counts && bounded && holds(unix, local) {
                due.push(unix);
            }
        }
    }
}

/// The first second at which the local clock shows `local` or later, looked for second by
/// second from two days before.
fn first_instant(zone: &str, local: i64) -> i64 {
    let zone = find_zone(zone).expect("the clock was made with it");
    let offset = |unix: i64| {
        let instant = Timestamp::from_second(unix).expect("within jiff's years");
        i64::from(zone.to_offset(instant).seconds())
    };
    let mut minute = local.div_euclid(60) * 60 - 2 * 86_400;
    while minute + 59 + offset(minute) < local {
        minute += 60;
    }
    (minute..)
        .find(|&unix| unix + offset(unix) >= local)
        .expect("the clock goes on")
}
