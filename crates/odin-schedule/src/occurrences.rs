//! The occurrences of a schedule in a zone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::business::BusinessOf;
use crate::dst::DstPolicy;
use crate::rule::Rule;
use crate::rule_search::RuleInZone;
use crate::timeline::timestamp;
use crate::union_count;

/// A schedule bound to a zone: the calculator of its occurrences.
///
/// Every answer is an occurrence or `None`; nothing here fails, panics or walks from
/// minute to minute. Occurrences are whole seconds. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonedSchedule {
    pub(crate) rules: Arc<[Rule]>,
    pub(crate) zone: TimeZone,
    pub(crate) dst: DstPolicy,
    /// Draws the offset of clauses with `around`; none have one without it.
    pub(crate) spread_seed: Option<u64>,
}

impl ZonedSchedule {
    /// The same schedule with another policy for fixed times in gaps and repeated hours.
    #[must_use]
    pub fn with_dst(mut self, dst: DstPolicy) -> Self {
        self.dst = dst;
        self
    }

    /// The same schedule for one of many jobs: where a clause says `around`, each of its
    /// occurrences moves by the same number of seconds, drawn from the seed.
    ///
    /// The same seed gives the same offset in every release. Without a seed occurrences are
    /// at the times that the text names.
    ///
    /// ```
    /// let hourly = odin_schedule::parse("every hour around :17")?;
    /// let job = hourly.in_zone(&jiff::tz::TimeZone::UTC).with_spread(7);
    /// let next = job.next_after("2026-12-01T00:00:00Z".parse()?).unwrap();
    /// assert_eq!(next.to_string(), "2026-12-01T00:15:54Z");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_spread(mut self, seed: u64) -> Self {
        self.spread_seed = Some(seed);
        self
    }

    /// Whether the days of a calendar decide when it is due, one that is not there included.
    pub fn refers_to_calendars(&self) -> bool {
        self.rules.iter().any(|rule| {
            rule.calendar_uses().next().is_some()
                || rule
                    .business_of()
                    .any(|of| matches!(of, BusinessOf::Holidays(_)))
        })
    }

    /// The zone in which the schedule is read.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first occurrence strictly after an instant; `None` if there is none up to
    /// the end of the year 9999.
    ///
    /// ```
    /// let zone = odin_schedule::find_zone("Europe/Dublin")?;
    /// let daily = odin_schedule::parse("every day at 01:30")?.in_zone(&zone);
    /// // On 29 March 2026 the clock jumps from 01:00 to 02:00.
    /// let next = daily.next_after("2026-03-28T12:00:00Z".parse().unwrap());
    /// assert_eq!(next.unwrap().to_string(), "2026-03-29T01:00:00Z");
    /// # Ok::<(), odin_schedule::ScheduleError>(())
    /// ```
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        self.next_from(floor_second(instant) + 1).map(timestamp)
    }

    /// The last occurrence strictly before an instant; `None` if there is none.
    pub fn previous_before(&self, instant: Timestamp) -> Option<Timestamp> {
        let to = ceil_second(instant) - 1;
        self.rules_in_zone()
            .filter_map(|rule| rule.previous(to))
            .max()
            .map(timestamp)
    }

    /// The occurrences from one instant to another, both included, in order.
    pub fn occurrences(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + '_ {
        let mut from = ceil_second(from);
        let to = floor_second(to);
        std::iter::from_fn(move || {
            let due = self.next_from(from).filter(|&due| due <= to)?;
            from = due + 1;
            Some(timestamp(due))
        })
    }

    /// How many occurrences lie from one instant to another, both included.
    ///
    /// Nothing is walked from occurrence to occurrence. One clause is counted in closed
    /// form between two changes of the clock, and several clauses kind of day by kind of
    /// day, because instants that coincide count once. Only clauses that
    /// [`with_spread`](ZonedSchedule::with_spread) moves by other seconds than the densest
    /// ones are walked.
    pub fn count(&self, from: Timestamp, to: Timestamp) -> u64 {
        let (from, to) = (ceil_second(from), floor_second(to));
        let mut by_offset: BTreeMap<i64, Vec<RuleInZone<'_>>> = BTreeMap::new();
        for rule in self.rules_in_zone() {
            by_offset.entry(rule.offset).or_default().push(rule);
        }
        let mut groups: Vec<(u64, Vec<RuleInZone<'_>>)> = by_offset
            .into_values()
            .map(|rules| (union_count::count(&rules, from, to), rules))
            .collect();
        groups.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let mut total = groups.first().map_or(0, |(count, _)| *count);
        for (index, (_, rules)) in groups.iter().enumerate().skip(1) {
            let next = |from| rules.iter().filter_map(|rule| rule.next(from)).min();
            let others = groups[..index].iter().flat_map(|(_, others)| others);
            let mut from = from;
            while let Some(due) = next(from).filter(|&due| due <= to) {
                total += u64::from(!others.clone().any(|other| other.next(due) == Some(due)));
                from = due + 1;
            }
        }
        total
    }

    /// Whether some rule has no occurrence after an instant.
    pub(crate) fn has_spent_rule(&self, instant: Timestamp) -> bool {
        let from = floor_second(instant) + 1;
        self.rules_in_zone().any(|rule| rule.next(from).is_none())
    }

    pub(crate) fn next_from(&self, from: i64) -> Option<i64> {
        self.rules_in_zone()
            .filter_map(|rule| rule.next(from))
            .min()
    }

    /// The seconds by which a rule's occurrences move.
    fn offset(&self, rule: &Rule) -> i64 {
        let spread = rule.extras.as_ref().and_then(|extras| extras.spread);
        match (spread, self.spread_seed) {
            (Some(spread), Some(seed)) => spread.offset(seed),
            (Some(_), None) | (None, _) => 0,
        }
    }

    fn rules_in_zone(&self) -> impl Iterator<Item = RuleInZone<'_>> {
        self.rules.iter().map(|rule| RuleInZone {
            rule,
            zone: &self.zone,
            dst: self.dst,
            offset: self.offset(rule),
        })
    }
}

/// The last whole second at or before an instant. `as_second` rounds towards 1970.
fn floor_second(instant: Timestamp) -> i64 {
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}

/// The first whole second at or after an instant.
fn ceil_second(instant: Timestamp) -> i64 {
    instant.as_second() + i64::from(instant.subsec_nanosecond() > 0)
}
