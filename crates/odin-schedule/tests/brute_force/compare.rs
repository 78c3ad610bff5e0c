//! Holds the crate's answers against the walk.

use jiff::Timestamp;
use odin_schedule::{DstPolicy, GapPolicy, RepeatPolicy, ZonedSchedule, find_zone, parse_with};

use super::calendars;
use super::clock::Clock;
use super::draw::Draw;
use super::generate;
use super::text;
use super::walk::walk;

/// How much of a comparison is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// How many occurrences of a case are listed; beyond them, those near jumps of the clock
    /// and a sample of the others are looked at.
    pub(crate) listed_max: usize,
    /// Of a hundred cases, how many have seconds.
    pub(crate) seconds_percent: u64,
}

/// What a case came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) cases: u64,
    /// Instants that the walk looked at.
    pub(crate) instants: u64,
    /// Occurrences that the walk found.
    pub(crate) occurrences: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.cases += other.cases;
        self.instants += other.instants;
        self.occurrences += other.occurrences;
    }
}

/// The case of a seed: a random schedule and policy on this clock. `Err` says how the two
/// answers differ, and how to see it again.
pub(crate) fn case(seed: u64, clock: &Clock, effort: Effort) -> Result<Tally, String> {
    let mut draw = Draw::new(seed);
    let with_seconds = draw.percent(effort.seconds_percent);
    let model = generate::model(&mut draw, clock, with_seconds);
    let text = text::text(&model, &mut draw);
    let dst = DstPolicy {
        gap: draw.one_of(&[GapPolicy::Shift, GapPolicy::Skip, GapPolicy::Before]),
        repeat: draw.one_of(&[RepeatPolicy::First, RepeatPolicy::Last, RepeatPolicy::Both]),
    };
    let context = |what: String| {
        format!(
            "seed {seed}: {what}\n  {text}\n  in {} with {dst:?}",
            clock.zone
        )
    };
    let days = clock.minutes.iter().map(|minute| minute.1.div_euclid(1440));
    let (first, last) = (days.clone().min().unwrap_or(0), days.max().unwrap_or(0));
    let calendars = calendars::around(first, last);
    let schedule = parse_with(&text, &calendars)
        .map_err(|error| context(format!("{error} at {:?}", error.span)))?;
    let canonical = schedule.canonical();
    if parse_with(&canonical, &calendars).as_ref() != Ok(&schedule) {
        return Err(context(format!(
            "the normal form {canonical:?} does not read the same"
        )));
    }
    let zone = find_zone(clock.zone).expect("the clock was made with it");
    let zoned = schedule.in_zone(&zone).with_dst(dst);
    // What the clock skipped or repeats beyond its ends a walk cannot know.
    let (from, to) = (
        clock.minutes[0].0 * 60 + 86_400,
        clock.minutes[clock.minutes.len() - 1].0 * 60 - 86_400,
    );
    let mut expected = walk(&model, dst, clock);
    expected.retain(|due| (from..=to).contains(due));
    same(&zoned, &expected, (from, to), clock, effort, &mut draw).map_err(context)?;
    let per_minute = if model.has_seconds() { 60 } else { 1 };
    Ok(Tally {
        cases: 1,
        instants: clock.minutes.len() as u64 * per_minute,
        occurrences: expected.len() as u64,
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("within jiff's years")
}

pub(crate) fn same(
    zoned: &ZonedSchedule,
    expected: &[i64],
    (from, to): (i64, i64),
    clock: &Clock,
    effort: Effort,
    draw: &mut Draw,
) -> Result<(), String> {
    if expected.len() <= effort.listed_max {
        same_list(zoned, expected, from, to)?;
        same_backwards(zoned, expected, from, to)?;
    }
    for jump in clock.jumps() {
        let (from, to) = ((jump * 60 - 5_000).max(from), (jump * 60 + 12_000).min(to));
        if from < to {
            same_list(zoned, within(expected, from, to), from, to)?;
            same_backwards(zoned, within(expected, from, to), from, to)?;
        }
    }
    let mut asked: Vec<i64> = (0..200).map(|_| draw.between(from, to)).collect();
    // Right at a jump, and right at an occurrence, is where a search goes wrong.
    let mut edges: Vec<i64> = clock.jumps().iter().map(|jump| jump * 60).collect();
    edges.extend(
        (0..20)
            .filter(|_| !expected.is_empty())
            .map(|_| draw.one_of(expected)),
    );
    asked.extend(edges.iter().flat_map(|edge| edge - 2..=edge + 2));
    asked.retain(|asked| (from..=to).contains(asked));
    for asked in asked {
        let after = expected.partition_point(|&due| due <= asked);
        let next = expected.get(after).copied();
        let before = expected[..expected.partition_point(|&due| due < asked)]
            .last()
            .copied();
        neighbour(
            "next after",
            asked,
            zoned.next_after(at(asked)),
            next,
            |due| due > to,
        )?;
        neighbour(
            "previous before",
            asked,
            zoned.previous_before(at(asked)),
            before,
            |due| due < from,
        )?;
        let end = draw.between(asked, to);
        let (found, counted) = (
            zoned.count(at(asked), at(end)),
            within(expected, asked, end).len(),
        );
        if found != counted as u64 {
            return Err(format!(
                "{} to {}: counts {found}, walked {counted}",
                at(asked),
                at(end)
            ));
        }
    }
    Ok(())
}

fn within(expected: &[i64], from: i64, to: i64) -> &[i64] {
    &expected
        [expected.partition_point(|&due| due < from)..expected.partition_point(|&due| due <= to)]
}

fn neighbour(
    what: &str,
    asked: i64,
    found: Option<Timestamp>,
    expected: Option<i64>,
    is_outside: impl Fn(i64) -> bool,
) -> Result<(), String> {
    let found = found.map(Timestamp::as_second);
    if found == expected || (expected.is_none() && found.is_none_or(is_outside)) {
        return Ok(());
    }
    let show = |due: Option<i64>| due.map_or("nothing".to_owned(), |due| at(due).to_string());
    Err(format!(
        "{what} {}: found {}, walked {}",
        at(asked),
        show(found),
        show(expected)
    ))
}

fn same_list(zoned: &ZonedSchedule, expected: &[i64], from: i64, to: i64) -> Result<(), String> {
    let mut found = zoned
        .occurrences(at(from), at(to))
        .map(Timestamp::as_second);
    let mut expected = expected.iter().copied();
    loop {
        match (found.next(), expected.next()) {
            (None, None) => return Ok(()),
            (found, expected) if found == expected => {}
            (Some(found), Some(expected)) if found < expected => {
                return Err(format!("lists {}, which the walk does not have", at(found)));
            }
            (Some(found), None) => {
                return Err(format!("lists {}, which the walk does not have", at(found)));
            }
            (_, Some(expected)) => {
                return Err(format!(
                    "does not list {}, which the walk has",
                    at(expected)
                ));
            }
        }
    }
}

fn same_backwards(
    zoned: &ZonedSchedule,
    expected: &[i64],
    from: i64,
    to: i64,
) -> Result<(), String> {
    let mut asked = to + 1;
    for &due in expected.iter().rev() {
        neighbour(
            "previous before",
            asked,
            zoned.previous_before(at(asked)),
            Some(due),
            |_| false,
        )?;
        asked = due;
    }
    neighbour(
        "previous before",
        asked,
        zoned.previous_before(at(asked)),
        None,
        |due| due < from,
    )
}
