//! Counts the occurrences of several rules, each instant once.
//!
//! Rules are not walked and not subtracted from each other: a day is a set of seconds,
//! and days on which the same rules are due have the same set. So each kind of day is
//! laid out once and counted, and the days of each kind are counted by the month. Only
//! days on which something begins, ends or jumps are laid out for themselves.

use std::collections::{BTreeSet, HashMap};

use crate::calendar::{DAY_SECONDS, FIRST_DAY, LAST_DAY, civil, day_number, days_in_month};
use crate::day_set::DaySet;
use crate::rule::{Days, Rule, Timing};
use crate::rule_search::RuleInZone;
use crate::timeline::{Change, FIRST_SECOND, LAST_SECOND, stretch_at};

/// The years that are searched for days.
const FIRST_YEAR: i64 = civil(FIRST_DAY).0;
const LAST_YEAR: i64 = civil(LAST_DAY).0;
/// Kinds of days that are remembered: some 6 MB. Beyond it all are forgotten.
const KINDS_MAX: usize = 512;
/// Kinds of days with intervals that do not divide the day, by where those begin.
const PHASES_MAX: usize = 1 << 16;
/// So many instants of such intervals are looked up one by one.
const LOOKED_UP_MAX: i64 = 64;
/// Kinds of days are told apart by one bit for each lane; with more lanes no day is
/// remembered.
const LANES_MAX: usize = 128;

/// How many instants from one second to another, both included, some rule is due at.
///
/// The time it takes grows with the days between the two, and not with the occurrences:
/// well under a second for all the years that there are, or some seconds where several
/// intervals of odd length meet.
///
/// All rules have the offset of the first.
pub(crate) fn count(rules: &[RuleInZone<'_>], from: i64, to: i64) -> u64 {
    let Some(first) = rules.first() else {
        return 0;
    };
    if let [rule] = rules
        && let Some(count) = rule.count(from, to)
    {
        return count;
    }
    let (from, to) = (
        (from - first.offset).max(FIRST_SECOND),
        (to - first.offset).min(LAST_SECOND),
    );
    if from > to {
        return 0;
    }
    let mut counter = Counter {
        lanes: rules.iter().flat_map(|rule| lanes(*rule)).collect(),
        kinds: HashMap::new(),
        phases: HashMap::new(),
        layout: DaySet::EMPTY,
    };
    let before = stretch_at(first.zone, from - 1);
    let mut points = match before.after {
        Some(after) if after.at == from => gap_points(rules, after, before.offset),
        Some(_) | None => Vec::new(),
    };
    let (mut total, mut from) = (0, from);
    while from <= to {
        let stretch = stretch_at(first.zone, from);
        let end = stretch.after.map_or(to, |after| to.min(after.at - 1));
        let next_points = stretch
            .after
            .map(|after| gap_points(rules, after, stretch.offset))
            .unwrap_or_default();
        points.extend(&next_points);
        points.retain(|point| (from..=end).contains(point));
        let (low, high) = (from + stretch.offset, end + stretch.offset + 1);
        for lane in &mut counter.lanes {
            let (lane_low, lane_high) = lane.bounds(from, end);
            lane.low = lane_low.max(low);
            lane.high = lane_high.min(high).max(lane.low);
        }
        let points_here: Vec<i64> = points.iter().map(|point| point + stretch.offset).collect();
        total += counter.stretch(low, high, stretch.offset, &points_here);
        let Some(after) = stretch.after else { break };
        points = next_points;
        from = after.at;
    }
    total
}

/// The instants that stand for the local times which a change skips.
fn gap_points(rules: &[RuleInZone<'_>], change: Change, offset_before: i64) -> Vec<i64> {
    rules
        .iter()
        .filter_map(|rule| match &rule.rule.timing {
            Timing::Wall { times, passes } => rule
                .seams(times, *passes)
                .gap_occurrence(change, offset_before),
            Timing::Elapsed { .. } => None,
        })
        .collect()
}

/// A rule's times on one day; a window that crosses midnight makes two lanes.
struct Lane<'r> {
    rule: RuleInZone<'r>,
    /// 1 for times that belong to the day before the one on which they lie.
    days_late: i64,
    times: LaneTimes,
    /// The local seconds that count in the stretch at hand; `high` is not included.
    low: i64,
    high: i64,
}

enum LaneTimes {
    /// The same every day.
    Set(DaySet),
    /// A grid of elapsed time, kept from one second of the day to another.
    Grid {
        step: i64,
        anchor: i64,
        from: i64,
        to: i64,
    },
}

fn lanes(rule: RuleInZone<'_>) -> Vec<Lane<'_>> {
    let lane = |days_late, times| Lane {
        rule,
        days_late,
        times,
        low: 0,
        high: 0,
    };
    match &rule.rule.timing {
        Timing::Wall { times, .. } => {
            let mut sets = [DaySet::EMPTY, DaySet::EMPTY];
            let mut from = 0;
            while let Some(time) = times.next(from) {
                sets[usize::from(time >= DAY_SECONDS)].insert(time % DAY_SECONDS);
                from = time + 1;
            }
            (0..)
                .zip(sets)
                .filter(|(_, set)| set.len() > 0)
                .map(|(days_late, set)| lane(days_late, LaneTimes::Set(set)))
                .collect()
        }
        Timing::Elapsed { step, window } => {
            let (_, _, anchor) = rule.elapsed_bounds();
            let (step, from, to) = (
                i64::from(*step),
                i64::from(window.from),
                i64::from(window.to),
            );
            let grid = |from, to| LaneTimes::Grid {
                step,
                anchor,
                from,
                to,
            };
            let mut lanes = Vec::new();
            if from < DAY_SECONDS {
                lanes.push(lane(0, grid(from, to.min(DAY_SECONDS - 1))));
            }
            if to >= DAY_SECONDS {
                let from = (from - DAY_SECONDS).max(0);
                lanes.push(lane(1, grid(from, to - DAY_SECONDS)));
            }
            lanes
        }
    }
}

impl Lane<'_> {
    /// The local seconds that count between two instants of one stretch.
    fn bounds(&self, from: i64, end: i64) -> (i64, i64) {
        let stretch = stretch_at(self.rule.zone, from);
        let Rule { timing, tail, .. } = self.rule.rule;
        let (mut low, mut high) = match timing {
            Timing::Wall { times, passes } => {
                let seams = self.rule.seams(times, *passes);
                (seams.low(from, stretch.offset), seams.high(stretch))
            }
            Timing::Elapsed { window, .. } => {
                let (first, last, _) = self.rule.elapsed_bounds();
                let (low, high) = (from.max(first), end.min(last) + 1);
                let bounds = (low + stretch.offset, high + stretch.offset);
                if self.rule.elapsed_is_unlimited(*window) {
                    // Bounded by instants alone: a repeated hour has both its passes.
                    return bounds;
                }
                bounds
            }
        };
        low = tail.starting.map_or(low, |starting| low.max(starting));
        high = tail.until.map_or(high, |until| high.min(until + 1));
        (low, high)
    }

    /// The days of a month on which the lane's times lie, bits 1 to 31.
    fn days_of_month(&self, year: i64, month: u8) -> u32 {
        if self.days_late == 0 {
            return covered_days(self.rule.rule, year, month);
        }
        let (before, length) = if month == 1 {
            ((year - 1, 12), 31)
        } else {
            ((year, month - 1), days_in_month(year, month - 1))
        };
        let last_of_before = covered_days(self.rule.rule, before.0, before.1) >> length & 1;
        covered_days(self.rule.rule, year, month) << 1 | last_of_before << 1
    }

    fn is_due_on(&self, day: i64) -> bool {
        let day = day - self.days_late;
        self.rule.rule.count_days(day, day) > 0
    }

    /// The members of a grid on a day, where the day's first second is `midnight`: the
    /// first and how many.
    fn grid_members(&self, midnight: i64, offset: i64, low: i64, high: i64) -> (i64, i64) {
        let LaneTimes::Grid {
            step,
            anchor,
            from,
            to,
        } = self.times
        else {
            return (0, 0);
        };
        let (from, to) = (from.max(low - midnight), to.min(high - midnight - 1));
        let first = from + (anchor + offset - midnight - from).rem_euclid(step);
        if first > to {
            (0, 0)
        } else {
            (first, (to - first) / step + 1)
        }
    }

    fn step(&self) -> i64 {
        match self.times {
            LaneTimes::Grid { step, .. } => step,
            LaneTimes::Set(_) => DAY_SECONDS,
        }
    }
}

fn covered_days(rule: &Rule, year: i64, month: u8) -> u32 {
    match &rule.days {
        // As far as days are searched.
        Days::Pattern(_) if !(FIRST_YEAR..=LAST_YEAR).contains(&year) => 0,
        Days::Pattern(_) => rule.month_mask(year, month),
        Days::Dates(_) => {
            let first = day_number(year, month, 1);
            let last = first + i64::from(days_in_month(year, month)) - 1;
            let (mut mask, mut from) = (0, first);
            while let Some(day) = rule.next_day(from).filter(|&day| day <= last) {
                mask |= 1 << (day - first + 1);
                from = day + 1;
            }
            mask
        }
    }
}

/// Which lanes a kind of day has, one bit each.
type Kind = u128;

struct Counter<'r> {
    lanes: Vec<Lane<'r>>,
    /// What is due on a kind of day, but for grids of elapsed time.
    kinds: HashMap<Kind, DaySet>,
    /// How many are due on a kind of day with dense grids, by the grids' first members.
    phases: HashMap<(Kind, Vec<i64>), u64>,
    /// Where a day is laid out.
    layout: DaySet,
}

impl Counter<'_> {
    /// The occurrences from one local second up to another in a stretch of constant
    /// offset; `points` are those that stand for gaps.
    fn stretch(&mut self, low: i64, high: i64, offset: i64, points: &[i64]) -> u64 {
        if low >= high {
            return 0;
        }
        let day_of = |second: i64| second.div_euclid(DAY_SECONDS);
        let (first, last) = (day_of(low), day_of(high - 1));
        // Between two cuts the same lanes are due from midnight to midnight.
        let mut cuts: BTreeSet<i64> = BTreeSet::from([first, last + 1]);
        let mut cut = |day: i64| {
            cuts.extend(
                [day, day + 1]
                    .into_iter()
                    .filter(|day| (first..=last).contains(day)),
            );
        };
        for lane in &self.lanes {
            cut(day_of(lane.low));
            cut(day_of(lane.high));
        }
        for point in points {
            cut(day_of(*point));
        }
        let cuts: Vec<i64> = cuts.into_iter().collect();
        cuts.windows(2)
            .map(|days| {
                let (start, end) = (days[0] * DAY_SECONDS, days[1] * DAY_SECONDS);
                let is_cut = |lane: &Lane<'_>| {
                    lane.low.max(start) < lane.high.min(end)
                        && (lane.low > start || lane.high < end)
                };
                let has_point = points.iter().any(|point| (start..end).contains(point));
                if has_point || self.lanes.iter().any(is_cut) {
                    (days[0]..days[1])
                        .map(|day| self.cut_day(day, offset, points))
                        .sum()
                } else {
                    self.whole_days(days[0], days[1], offset)
                }
            })
            .sum()
    }

    /// Lays out a day on which something begins, ends or jumps.
    fn cut_day(&mut self, day: i64, offset: i64, points: &[i64]) -> u64 {
        let midnight = day * DAY_SECONDS;
        self.layout.clear();
        for lane in &self.lanes {
            let (low, high) = (
                (lane.low - midnight).clamp(0, DAY_SECONDS),
                (lane.high - midnight).clamp(0, DAY_SECONDS),
            );
            if low >= high || !lane.is_due_on(day) {
                continue;
            }
            match &lane.times {
                LaneTimes::Set(set) => self.layout.add_within(set, low, high),
                LaneTimes::Grid { step, .. } => {
                    let (first, members) = lane.grid_members(midnight, offset, lane.low, lane.high);
                    for member in 0..members {
                        self.layout.insert(first + member * step);
                    }
                }
            }
        }
        for point in points {
            if (0..DAY_SECONDS).contains(&(point - midnight)) {
                self.layout.insert(point - midnight);
            }
        }
        self.layout.len()
    }

    /// Days from `first` up to `end` on which each lane is due from midnight to midnight
    /// or not at all.
    fn whole_days(&mut self, first: i64, end: i64, offset: i64) -> u64 {
        let start = first * DAY_SECONDS;
        let active: Vec<usize> = (0..self.lanes.len())
            .filter(|&lane| self.lanes[lane].low <= start && self.lanes[lane].high > start)
            .collect();
        if active.is_empty() {
            return 0;
        }
        let (mut total, mut day) = (0, first);
        let mut known: Option<(Kind, u64)> = None;
        while day < end {
            let (year, month, of_month) = civil(day);
            let month_end = (day - i64::from(of_month) + 1) + i64::from(days_in_month(year, month));
            let masks: Vec<(usize, u32)> = active
                .iter()
                .map(|&lane| (lane, self.lanes[lane].days_of_month(year, month)))
                .filter(|(_, mask)| *mask != 0)
                .collect();
            let any = masks.iter().fold(0, |any, (_, mask)| any | mask);
            let rest = u32::from(of_month)..=u32::from(days_in_month(year, month));
            for of_month_now in rest.filter(|bit| any & (1 << bit) != 0) {
                let now = day + i64::from(of_month_now) - i64::from(of_month);
                if now >= end {
                    break;
                }
                if self.lanes.len() > LANES_MAX {
                    total += self.cut_day(now, offset, &[]);
                    continue;
                }
                let mut sets: Kind = 0;
                let mut grids: Kind = 0;
                for (lane, mask) in &masks {
                    if mask & (1 << of_month_now) != 0 {
                        match self.lanes[*lane].times {
                            LaneTimes::Set(_) => sets |= 1 << lane,
                            LaneTimes::Grid { .. } => grids |= 1 << lane,
                        }
                    }
                }
                total += match known {
                    Some((kind, count)) if kind == sets && grids == 0 => count,
                    _ => {
                        let count = self.day_of_kind(sets, grids, now, offset);
                        known = (grids == 0).then_some((sets, count));
                        count
                    }
                };
            }
            day = month_end;
        }
        total
    }

    fn day_of_kind(&mut self, sets: Kind, grids: Kind, day: i64, offset: i64) -> u64 {
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&sets) {
            self.kinds.clear();
        }
        let lanes = &self.lanes;
        let set = self.kinds.entry(sets).or_insert_with(|| {
            let mut layout = DaySet::EMPTY;
            for (index, lane) in lanes.iter().enumerate() {
                if let LaneTimes::Set(set) = &lane.times
                    && sets & (1 << index) != 0
                {
                    layout.add_within(set, 0, DAY_SECONDS);
                }
            }
            layout
        });
        if grids == 0 {
            return set.len();
        }
        let midnight = day * DAY_SECONDS;
        let members: Vec<(i64, i64, i64)> = lanes
            .iter()
            .enumerate()
            .filter(|(index, _)| grids & (1 << index) != 0)
            .map(|(_, lane)| {
                let end = midnight + DAY_SECONDS;
                let (first, count) = lane.grid_members(midnight, offset, midnight, end);
                (first, count, lane.step())
            })
            .collect();
        let each = |(first, count, step): &(i64, i64, i64)| {
            let (first, step) = (*first, *step);
            (0..*count).map(move |member| first + member * step)
        };
        if members.iter().map(|(_, count, _)| count).sum::<i64>() <= LOOKED_UP_MAX {
            let mut more: Vec<i64> = members.iter().flat_map(each).collect();
            more.sort_unstable();
            more.dedup();
            let is_new = |second: &&i64| !set.contains(**second);
            return set.len() + more.iter().filter(is_new).count() as u64;
        }
        let firsts = members.iter().map(|(first, ..)| *first).collect();
        let key = (sets | grids, firsts);
        if let Some(&count) = self.phases.get(&key) {
            return count;
        }
        let layout = &mut self.layout;
        layout.clear();
        layout.add_within(set, 0, DAY_SECONDS);
        for second in members.iter().flat_map(each) {
            layout.insert(second);
        }
        let count = layout.len();
        if self.phases.len() < PHASES_MAX {
            self.phases.insert(key, count);
        }
        count
    }
}
