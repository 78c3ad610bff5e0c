//! What is allowed in a schedule and yet is seldom what was meant.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::business::BusinessOf;
use crate::rule::{DayPattern, Days, Passes, Rule, Timing};
use crate::schedule::Schedule;

/// Something about a schedule that its author may not have meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleWarning {
    /// No occurrence lies after the instant asked about, though the text is not `never`.
    #[error("this schedule never fires again")]
    NeverFiresAgain,
    /// One clause of several never fires again.
    #[error("a clause of this schedule never fires again")]
    ClauseNeverFiresAgain,
    /// A day of the month that some of the schedule's months do not have.
    #[error("months without a day {day} are skipped")]
    SkipsShortMonths {
        /// 29, 30 or 31.
        day: u8,
    },
    /// Business days without a calendar `holidays`.
    #[error("without a calendar `holidays` business days are Monday to Friday")]
    NoHolidays,
    /// Due at midnight, when many other jobs are.
    #[error("this is due at exactly 00:00, when most jobs of most people are")]
    MidnightHerd,
    /// 29 February only.
    #[error("this fires in leap years only")]
    OnlyLeapYears,
}

impl ScheduleWarning {
    /// Stable across releases: interfaces return it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeverFiresAgain => "schedule/never-fires-again",
            Self::ClauseNeverFiresAgain => "schedule/clause-never-fires-again",
            Self::SkipsShortMonths { .. } => "schedule/skips-short-months",
            Self::NoHolidays => "schedule/no-holidays",
            Self::MidnightHerd => "schedule/midnight-herd",
            Self::OnlyLeapYears => "schedule/only-leap-years",
        }
    }

    /// The next thing the user can do, as one sentence.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NeverFiresAgain => "Write `never` where the job is meant to be off.",
            Self::ClauseNeverFiresAgain => "Remove the clause, or change its dates.",
            Self::SkipsShortMonths { .. } => {
                "For the end of each month write `last day of the month`."
            }
            Self::NoHolidays => {
                "Deploy one with `odin calendar set holidays -f FILE`, or write `weekday`."
            }
            Self::MidnightHerd => {
                "Write `around 00:00` to give each job a time of its own near it, or choose another \
                 time."
            }
            Self::OnlyLeapYears => "For the end of each February write `last day of February`.",
        }
    }
}

impl Schedule {
    /// What its author may not have meant, each thing once. `default` is the zone for
    /// a schedule that names none.
    pub fn warnings(&self, after: Timestamp, default: &TimeZone) -> Vec<ScheduleWarning> {
        let zoned = self.in_zone(default);
        let mut warnings = Vec::new();
        if self.is_never() {
            return warnings;
        }
        if zoned.next_after(after).is_none() {
            return vec![ScheduleWarning::NeverFiresAgain];
        }
        if zoned.has_spent_rule(after) {
            warnings.push(ScheduleWarning::ClauseNeverFiresAgain);
        }
        let found = self.rules.iter().flat_map(|rule| {
            let no_holidays = without_holidays(rule).then_some(ScheduleWarning::NoHolidays);
            let herd = is_in_midnight_herd(rule).then_some(ScheduleWarning::MidnightHerd);
            let of_days = short_months(rule).into_iter().chain(no_holidays);
            of_days.chain(herd)
        });
        for warning in found {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
    }
}

/// Whether a rule is due at 00:00 as a fixed time, or each day as an interval.
fn is_in_midnight_herd(rule: &Rule) -> bool {
    let is_spread = rule
        .extras
        .as_ref()
        .is_some_and(|extras| extras.spread.is_some());
    let Timing::Wall { times, passes } = &rule.timing else {
        return false;
    };
    let is_daily = *passes == Passes::Once || times.len() == 1;
    let recurs = matches!(rule.days, Days::Pattern(_));
    recurs && is_daily && !is_spread && times.next(0) == Some(0)
}

fn without_holidays(rule: &Rule) -> bool {
    rule.business_of()
        .any(|of| matches!(of, BusinessOf::Holidays(None)))
}

fn short_months(rule: &Rule) -> Option<ScheduleWarning> {
    let Days::Pattern(pattern) = &rule.days else {
        return None;
    };
    let names_only_days = pattern.weekdays == 0 && pattern.nth_weekdays == [0; 6];
    // Where early days are named as well, no month is left out; a range or a `*` of
    // cron names many on purpose.
    let only_late_days = pattern.month_days != 0 && pattern.month_days.trailing_zeros() >= 29;
    let relative = pattern.last_day || pattern.before_last != 0 || pattern.nearest_weekdays != 0;
    if !names_only_days || !only_late_days || relative {
        return None;
    }
    if pattern.months == 1 << 2 {
        return Some(ScheduleWarning::OnlyLeapYears);
    }
    let day = pattern.month_days.trailing_zeros() as u8;
    misses_a_month(pattern, day).then_some(ScheduleWarning::SkipsShortMonths { day })
}

fn misses_a_month(pattern: &DayPattern, day: u8) -> bool {
    (1..=12).any(|month| {
        pattern.months & (1 << month) != 0 && crate::calendar::days_in_month(2001, month) < day
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ScheduleWarning::{
        ClauseNeverFiresAgain, MidnightHerd, NeverFiresAgain, OnlyLeapYears, SkipsShortMonths,
    };

    #[test]
    fn what_is_seldom_meant_is_warned_of() {
        let cases: &[(&str, &[ScheduleWarning])] = &[
            ("never", &[]),
            ("every day at 09:00", &[]),
            ("0 0 31 2 *", &[NeverFiresAgain]),
            ("0 0 30,31 2 *", &[NeverFiresAgain]),
            ("once on 2025-12-24 at 09:00", &[NeverFiresAgain]),
            (
                "every Saturday at 09:00 except weekends",
                &[NeverFiresAgain],
            ),
            ("every day at 09:00 until 2025-12-31", &[NeverFiresAgain]),
            (
                "every day at 9am until 2025-12-31 and every Friday at 9am",
                &[ClauseNeverFiresAgain],
            ),
            ("every 31st at 08:00", &[SkipsShortMonths { day: 31 }]),
            ("every 29th at 08:00", &[SkipsShortMonths { day: 29 }]),
            ("every 31st in January and July at 08:00", &[]),
            ("every 1st and 31st at 08:00", &[]),
            ("every February 29th at 08:00", &[OnlyLeapYears]),
            ("0 9 29 2 *", &[OnlyLeapYears]),
            ("0 9 29 2 5", &[]),
            ("@daily", &[MidnightHerd]),
            ("0 0 * * 1", &[MidnightHerd]),
            ("every Monday at midnight and noon", &[MidnightHerd]),
            ("every 24 hours", &[MidnightHerd]),
            ("every day around 00:00", &[]),
            ("every 12 hours", &[]),
            ("*/5 0 * * *", &[]),
            ("once on 2026-12-24 at 00:00", &[]),
        ];
        for (text, expected) in cases {
            let schedule = crate::parse(text).unwrap();
            let after = "2026-01-01T00:00:00Z".parse().unwrap();
            assert_eq!(
                schedule.warnings(after, &TimeZone::UTC),
                *expected,
                "{text}"
            );
        }
    }
}
