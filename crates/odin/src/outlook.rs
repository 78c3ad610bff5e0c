//! What a change of a schedule means for the next seven days.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use odin_schedule::ZonedSchedule;
use odin_wire::JobState;
use serde::Serialize;

use crate::due_list;

/// How far an outlook looks.
const SPAN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many occurrences of each kind are named.
const NAMED_MAX: usize = 5;
/// How many occurrences are compared: more than two schedules that are due every second have in seven days.
const STEPS_MAX: u64 = 1_250_000;

/// What a change of a schedule means for the next seven days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Outlook {
    /// The end of what was looked at.
    #[serde(with = "odin_wire::as_text")]
    pub(crate) until: Timestamp,
    /// When the job is due next without the change. `null`: never, or it is paused.
    #[serde(with = "odin_wire::as_text::option")]
    pub(crate) was_due: Option<Timestamp>,
    /// When it is due next with the change. `null`: never, or it is paused.
    #[serde(with = "odin_wire::as_text::option")]
    pub(crate) next_due: Option<Timestamp>,
    /// What is due only with the change.
    pub(crate) added: Changes,
    /// What is due only without it.
    pub(crate) removed: Changes,
    /// How many occurrences are the same.
    pub(crate) kept: u64,
}

/// Occurrences that a change adds or removes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Changes {
    /// How many there are.
    pub(crate) count: u64,
    /// The first few of them.
    #[serde(with = "odin_wire::as_text::list")]
    pub(crate) first: Vec<Timestamp>,
}

impl Changes {
    fn add(&mut self, due: Timestamp) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(due);
        }
    }
}

/// Compares what a job has due with what it would have.
///
/// Of a paused job nothing is due either way; what its schedules have is compared all the same.
pub(crate) fn compare(
    state: JobState,
    old: &ZonedSchedule,
    new: &ZonedSchedule,
    now: Timestamp,
) -> Outlook {
    let end = now.checked_add(SPAN).unwrap_or(Timestamp::MAX);
    let is_enabled = state == JobState::Enabled;
    let next_of = |schedule: &ZonedSchedule| schedule.next_after(now).filter(|_| is_enabled);
    let mut outlook = Outlook {
        until: end,
        was_due: next_of(old),
        next_due: next_of(new),
        added: Changes::default(),
        removed: Changes::default(),
        kept: 0,
    };
    if old == new {
        outlook.kept = old.count(just_after(now), end);
        return outlook;
    }
    let within = |due: &Timestamp| *due <= end;
    let mut was = old.next_after(now).filter(within);
    let mut is = new.next_after(now).filter(within);
    for _ in 0..STEPS_MAX {
        match (was, is) {
            (None, None) => return outlook,
            (Some(old_due), Some(new_due)) if old_due == new_due => {
                outlook.kept += 1;
                was = old.next_after(old_due).filter(within);
                is = new.next_after(new_due).filter(within);
            }
            (Some(due), other) if other.is_none_or(|other| due < other) => {
                outlook.removed.add(due);
                was = old.next_after(due).filter(within);
            }
            (_, Some(due)) => {
                outlook.added.add(due);
                is = new.next_after(due).filter(within);
            }
            (Some(_), None) => unreachable!("nothing is later than nothing"),
        }
    }
    // Not reached by occurrences of whole seconds; if it were, the outlook ends here.
    outlook.until = was.into_iter().chain(is).min().unwrap_or(end);
    outlook
}

/// What is due now is due already.
fn just_after(now: Timestamp) -> Timestamp {
    let nanosecond = SignedDuration::from_nanos(1);
    now.checked_add(nanosecond).unwrap_or(Timestamp::MAX)
}

/// The outlook as lines for people.
pub(crate) fn lines(outlook: &Outlook, zone: &TimeZone) -> Vec<String> {
    let when =
        |due: Option<Timestamp>| due.map_or("never".to_owned(), |due| due_list::local(due, zone));
    let mut lines = vec![if outlook.was_due == outlook.next_due {
        format!("next due: {}, as before", when(outlook.next_due))
    } else {
        format!(
            "next due: {} (before: {})",
            when(outlook.next_due),
            when(outlook.was_due)
        )
    }];
    let Outlook {
        added,
        removed,
        kept,
        ..
    } = outlook;
    if added.count == 0 && removed.count == 0 {
        lines.push(format!("the next seven days stay as they are: {kept} due"));
        return lines;
    }
    lines.push(format!(
        "the next seven days: {} more, {} fewer, {kept} as before",
        added.count, removed.count
    ));
    for (sign, changes) in [('+', added), ('-', removed)] {
        for due in &changes.first {
            lines.push(format!("  {sign} {}", due_list::local(*due, zone)));
        }
        let rest = changes.count - changes.first.len() as u64;
        if rest > 0 {
            lines.push(format!("  {sign} and {rest} later"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(old: &str, new: &str, expected: &Expect) {
        let zone = times::zone("Europe/Dublin");
        let zoned = |text| odin_schedule::parse(text).unwrap().in_zone(&zone);
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let outlook = compare(JobState::Enabled, &zoned(old), &zoned(new), now);
        let (was, is) = (
            zoned(old).count(just_after(now), outlook.until),
            zoned(new).count(just_after(now), outlook.until),
        );
        assert_eq!(outlook.kept + outlook.removed.count, was);
        assert_eq!(outlook.kept + outlook.added.count, is);
        expected.assert_eq(&(lines(&outlook, &zone).join("\n") + "\n"));
    }

    #[test]
    fn what_comes_and_what_goes_is_counted_and_the_first_of_it_named() {
        check(
            "every weekday at 09:00",
            "every day at 09:00",
            &expect![[r#"
                next due: Sat 2026-11-21 09:00:00 GMT (before: Mon 2026-11-23 09:00:00 GMT)
                the next seven days: 2 more, 0 fewer, 5 as before
                  + Sat 2026-11-21 09:00:00 GMT
                  + Sun 2026-11-22 09:00:00 GMT
            "#]],
        );
        check(
            "every day at 09:00",
            "every day at 08:30",
            &expect![[r#"
            next due: Sat 2026-11-21 08:30:00 GMT (before: Sat 2026-11-21 09:00:00 GMT)
            the next seven days: 7 more, 7 fewer, 0 as before
              + Sat 2026-11-21 08:30:00 GMT
              + Sun 2026-11-22 08:30:00 GMT
              + Mon 2026-11-23 08:30:00 GMT
              + Tue 2026-11-24 08:30:00 GMT
              + Wed 2026-11-25 08:30:00 GMT
              + and 2 later
              - Sat 2026-11-21 09:00:00 GMT
              - Sun 2026-11-22 09:00:00 GMT
              - Mon 2026-11-23 09:00:00 GMT
              - Tue 2026-11-24 09:00:00 GMT
              - Wed 2026-11-25 09:00:00 GMT
              - and 2 later
        "#]],
        );
        check(
            "every minute",
            "every 20 seconds",
            &expect![[r#"
            next due: Fri 2026-11-20 12:00:20 GMT (before: Fri 2026-11-20 12:01:00 GMT)
            the next seven days: 20160 more, 0 fewer, 10080 as before
              + Fri 2026-11-20 12:00:20 GMT
              + Fri 2026-11-20 12:00:40 GMT
              + Fri 2026-11-20 12:01:20 GMT
              + Fri 2026-11-20 12:01:40 GMT
              + Fri 2026-11-20 12:02:20 GMT
              + and 20155 later
        "#]],
        );
        check(
            "every day at 09:00",
            "never",
            &expect![[r#"
            next due: never (before: Sat 2026-11-21 09:00:00 GMT)
            the next seven days: 0 more, 7 fewer, 0 as before
              - Sat 2026-11-21 09:00:00 GMT
              - Sun 2026-11-22 09:00:00 GMT
              - Mon 2026-11-23 09:00:00 GMT
              - Tue 2026-11-24 09:00:00 GMT
              - Wed 2026-11-25 09:00:00 GMT
              - and 2 later
        "#]],
        );
        check(
            "every Monday at 09:00",
            "every week on Monday at 9am",
            &expect![[r#"
                next due: Mon 2026-11-23 09:00:00 GMT, as before
                the next seven days stay as they are: 1 due
            "#]],
        );
    }

    #[test]
    fn every_second_of_the_week_is_within_the_bound() {
        let zoned = |text| odin_schedule::parse(text).unwrap().in_zone(&TimeZone::UTC);
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let seconds = zoned("every second");
        let most = 2 * seconds.count(now, now.checked_add(SPAN).unwrap());
        assert!(most < STEPS_MAX);
    }

    #[test]
    fn a_paused_job_is_due_at_no_time() {
        let zoned = |text| odin_schedule::parse(text).unwrap().in_zone(&TimeZone::UTC);
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let (old, new) = (zoned("every hour"), zoned("every day at 09:00"));
        let outlook = compare(JobState::Paused, &old, &new, now);
        assert_eq!((outlook.was_due, outlook.next_due), (None, None));
        assert_eq!((outlook.removed.count, outlook.kept), (161, 7));
    }
}
