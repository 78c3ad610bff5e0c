//! Which alerts the life of a run gives rise to, and which are over with it. Called by apply: integers only.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::alert::{AlertKind, AlertState, EventKind, Watch};
use odin_model::{Alerting, Outcome};

/// What a job's earlier runs took, from counters that are kept in apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned {
    /// One of twenty took at most this, or one of ten where few are known: one that is odd changes nothing.
    pub short: Duration,
    /// Half of them took at most this.
    pub p50: Duration,
    /// Nineteen of twenty took at most this.
    pub p95: Duration,
    /// How many there were.
    pub count: u64,
}

/// How many runs it takes to learn from them.
pub const LEARNED_RUNS_MIN: u64 = 20;
/// A run that is learned to be too slow took this many times what nineteen of twenty take, and...
pub const SLOW_TIMES: u32 = 3;
/// ...at least this much longer: short runs vary by their start alone.
pub const SLOW_MARGIN: Duration = Duration::from_secs(10);
/// A run that is learned to be too fast took less than one part in this of what half of them take, and is farther below
/// what one of twenty takes than runs differ among each other, where half of them take...
pub const FAST_PART: u32 = 10;
/// ...at least this long: short runs are short for many reasons.
pub const FAST_TYPICAL_MIN: Duration = Duration::from_secs(10);
/// A run that goes on for this many times the longest that it should is taken not to end by itself.
pub const NEVER_TIMES: u32 = 3;

/// How long a run of a job should take at least and at most. What the file says counts, then what was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// At least. `None`: nothing is known.
    pub min: Option<Duration>,
    /// At most. `None`: nothing is known.
    pub max: Option<Duration>,
}

/// Whether what was learned of the job's earlier runs can matter: it tells of a bound that its file leaves open.
#[must_use]
pub fn learns(alerting: &Alerting) -> bool {
    let is_open = |kind| match kind {
        AlertKind::TooFast => alerting.min_duration.is_none(),
        _ => alerting.max_duration.is_none(),
    };
    [
        AlertKind::TooFast,
        AlertKind::TooSlow,
        AlertKind::NeverFinished,
    ]
    .into_iter()
    .any(|kind| is_open(kind) && alerting.raises(kind))
}

/// See [`Bounds`].
#[must_use]
pub fn bounds(alerting: &Alerting, learned: Option<Learned>) -> Bounds {
    let learned = learned.filter(|it| it.count >= LEARNED_RUNS_MIN);
    let slow = |it: Learned| {
        let times = it.p95.saturating_mul(SLOW_TIMES);
        times.max(it.p95.saturating_add(SLOW_MARGIN))
    };
    let fast = |it: Learned| {
        let far_below = (it.p50 / FAST_PART).min(below(it.short, it.p95));
        (it.p50 >= FAST_TYPICAL_MIN).then_some(far_below)
    };
    Bounds {
        min: alerting.min_duration.or_else(|| learned.and_then(fast)),
        max: alerting.max_duration.or_else(|| learned.map(slow)),
    }
}

/// What is as many times below `low` as `high` is above it, twice over.
fn below(low: Duration, high: Duration) -> Duration {
    let micros = |it: Duration| it.as_micros().clamp(1, u128::from(u64::MAX));
    let (low, high) = (micros(low), micros(high));
    let once = low * low / high;
    let twice = once * low / high;
    Duration::from_micros(u64::try_from(twice).unwrap_or(u64::MAX))
}

/// When a run with this due time is late. `None`: never, or its job does not care.
#[must_use]
pub fn late_at(alerting: &Alerting, due_at: Timestamp) -> Option<Timestamp> {
    alerting.late_after.map(|after| later(due_at, after))
}

/// What a process that began is watched for, and when.
#[must_use]
pub fn watches(
    alerting: &Alerting,
    bounds: Bounds,
    started_at: Timestamp,
) -> Vec<(Watch, Timestamp)> {
    let Some(max) = bounds.max else {
        return Vec::new();
    };
    let never = max.saturating_mul(NEVER_TIMES);
    [(Watch::TooSlow, max), (Watch::NeverFinished, never)]
        .into_iter()
        .filter(|(watch, _)| alerting.raises(watch.kind()))
        .map(|(watch, after)| (watch, later(started_at, after)))
        .collect()
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// How long its latest process took. `None`: it had none.
    pub took: Option<Duration>,
}

/// What the end of a run means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// There is an alert, or one more reason for it.
    Raise(AlertKind),
    /// It is over, if it is there.
    Resolve(AlertKind),
    /// It is over, if it is there and about this run.
    ResolveOfRun(AlertKind),
}

/// What the end of a run means, with how many runs have now failed in a row. A run that somebody cancelled says
/// nothing of its job.
#[must_use]
pub fn run_ended(
    alerting: &Alerting,
    bounds: Bounds,
    failures: u32,
    ended: Ended,
) -> (u32, Vec<Finding>) {
    use Finding::{Raise, Resolve, ResolveOfRun};
    let mut findings = vec![
        ResolveOfRun(AlertKind::Late),
        ResolveOfRun(AlertKind::NeverFinished),
    ];
    if ended.outcome == Outcome::Cancelled {
        return (failures, findings);
    }
    if !ended.outcome.is_good() {
        let failures = failures.saturating_add(1);
        if alerting.raises(AlertKind::Failure) && failures >= alerting.failures.max(1) {
            findings.push(Raise(AlertKind::Failure));
        }
        return (failures, findings);
    }
    findings.extend([Resolve(AlertKind::Failure), Resolve(AlertKind::Missed)]);
    let took = ended.took;
    let is_fast = took.zip(bounds.min).is_some_and(|(took, min)| took < min);
    let is_slow = took.zip(bounds.max).is_some_and(|(took, max)| took > max);
    for (kind, is_out) in [(AlertKind::TooFast, is_fast), (AlertKind::TooSlow, is_slow)] {
        findings.push(match is_out && alerting.raises(kind) {
            true => Raise(kind),
            false => Resolve(kind),
        });
    }
    (0, findings)
}

/// What an alert that shows again is to those who were told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Where it stands. `None`: it is new.
    pub state: Option<AlertState>,
    /// When word of it was sent last. `None`: never.
    pub told_at: Option<Timestamp>,
}

/// Whether word of an alert that shows is sent, and as what: a new one is, one that goes on after `repeat`, one that
/// is acknowledged is not.
#[must_use]
pub fn tell(shown: Shown, repeat: Duration, now: Timestamp) -> Option<EventKind> {
    match (shown.state, shown.told_at) {
        (None | Some(AlertState::Resolved), _) | (Some(AlertState::Open), None) => {
            Some(EventKind::Opened)
        }
        (Some(AlertState::Open), Some(told)) => {
            (later(told, repeat) <= now).then_some(EventKind::Repeated)
        }
        (Some(AlertState::Acknowledged), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_model::Notice;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn alerting(on: &[Notice]) -> Alerting {
        Alerting {
            on: on.to_vec(),
            ..Alerting::default()
        }
    }

    #[track_caller]
    fn check(alerting: &Alerting, failures: u32, outcome: Outcome, took: u64, expected: &str) {
        let ended = Ended {
            outcome,
            took: Some(seconds(took)),
        };
        let (failures, findings) = run_ended(alerting, bounds(alerting, None), failures, ended);
        let words = findings.iter().map(|finding| match finding {
            Finding::Raise(kind) => format!("+{}", kind.word()),
            Finding::Resolve(kind) => format!("-{}", kind.word()),
            Finding::ResolveOfRun(kind) => format!("~{}", kind.word()),
        });
        let words: Vec<String> = words.collect();
        assert_eq!(format!("{failures}: {}", words.join(" ")), expected);
    }

    const RUN_OVER: &str = "~late ~never_finished";

    #[test]
    fn a_failure_is_an_alert_when_as_many_came_in_a_row_as_were_asked_for() {
        use Outcome as O;
        let once = alerting(&[Notice::Failure]);
        for outcome in [
            O::Failed,
            O::Signalled,
            O::TimedOut,
            O::OutOfMemory,
            O::NotStartable,
            O::Lost,
        ] {
            check(&once, 0, outcome, 1, &format!("1: {RUN_OVER} +failure"));
        }
        let thrice = Alerting {
            failures: 3,
            ..once
        };
        check(&thrice, 1, O::Failed, 1, &format!("2: {RUN_OVER}"));
        check(&thrice, 2, O::Failed, 1, &format!("3: {RUN_OVER} +failure"));
        check(&thrice, 2, O::Cancelled, 1, &format!("2: {RUN_OVER}"));
        let good = format!("0: {RUN_OVER} -failure -missed -too_fast -too_slow");
        check(&thrice, 2, O::Succeeded, 1, &good);
        check(&thrice, 2, O::Warning, 1, &good);
        check(&alerting(&[]), 5, O::Failed, 1, &format!("6: {RUN_OVER}"));
    }

    #[test]
    fn a_good_run_is_held_to_the_bounds_of_the_file() {
        let bounded = Alerting {
            min_duration: Some(seconds(10)),
            max_duration: Some(seconds(60)),
            ..alerting(&[])
        };
        let good = |rest: &str| format!("0: {RUN_OVER} -failure -missed {rest}");
        use Outcome::Succeeded;
        check(&bounded, 0, Succeeded, 9, &good("+too_fast -too_slow"));
        check(&bounded, 0, Succeeded, 10, &good("-too_fast -too_slow"));
        check(&bounded, 0, Succeeded, 60, &good("-too_fast -too_slow"));
        check(&bounded, 0, Succeeded, 61, &good("-too_fast +too_slow"));
    }

    #[test]
    fn what_was_learned_counts_where_the_file_says_nothing_and_once_there_is_enough_of_it() {
        let check = |p50: u64, p95: u64, count, min: Option<u64>, max: Option<u64>| {
            let learned = Learned {
                short: seconds(p95),
                p50: seconds(p50),
                p95: seconds(p95),
                count,
            };
            let expected = Bounds {
                min: min.map(seconds),
                max: max.map(seconds),
            };
            let found = bounds(&alerting(&[]), Some(learned));
            assert_eq!(found, expected, "{learned:?}");
        };
        check(100, 200, 19, None, None);
        check(100, 200, 20, Some(10), Some(600));
        check(9, 10, 20, None, Some(30));
        check(1, 2, 20, None, Some(12));
        let explicit = Alerting {
            max_duration: Some(seconds(5)),
            ..alerting(&[])
        };
        let learned = Learned {
            short: seconds(50),
            p50: seconds(100),
            p95: seconds(200),
            count: 50,
        };
        assert_eq!(bounds(&explicit, Some(learned)).max, Some(seconds(5)));
        // Runs that differ much among each other may be short: 50 s is a quarter of 200 s, and that is taken twice.
        assert_eq!(
            bounds(&explicit, Some(learned)).min,
            Some(Duration::from_millis(3_125))
        );
        let none = Learned {
            short: Duration::ZERO,
            ..learned
        };
        assert_eq!(bounds(&explicit, Some(none)).min, Some(Duration::ZERO));
        let longest = Learned {
            short: Duration::MAX,
            p50: Duration::MAX,
            p95: Duration::MAX,
            count: 50,
        };
        let most = bounds(&explicit, Some(longest)).min;
        assert_eq!(most, Some(Duration::from_micros(u64::MAX)));
    }

    #[test]
    fn earlier_runs_matter_to_jobs_that_tell_of_a_bound_and_do_not_write_it() {
        use Notice::{Failure, NeverFinished, TooFast, TooSlow};
        let check = |on: &[Notice], min: Option<u64>, max: Option<u64>, expected| {
            let alerting = Alerting {
                min_duration: min.map(seconds),
                max_duration: max.map(seconds),
                ..alerting(on)
            };
            assert_eq!(learns(&alerting), expected, "{alerting:?}");
        };
        check(&[Failure], None, None, false);
        check(&[TooFast], None, None, true);
        check(&[TooFast], Some(1), None, false);
        check(&[TooSlow], Some(1), None, true);
        check(&[NeverFinished], None, None, true);
        check(&[TooSlow, NeverFinished], None, Some(1), false);
        check(&[TooFast, TooSlow], None, Some(1), true);
        // A bound that is written is an alert by itself; the other one is not.
        check(&[], Some(1), None, false);
    }

    #[test]
    fn a_process_is_watched_for_what_its_job_tells_of() {
        let at = Timestamp::UNIX_EPOCH;
        let second = |second| Timestamp::from_second(second).unwrap();
        let bounded = |on: &[Notice]| Alerting {
            max_duration: Some(seconds(60)),
            ..alerting(on)
        };
        let of = |alerting: &Alerting| watches(alerting, bounds(alerting, None), at);
        assert_eq!(of(&alerting(&Notice::ALL)), []);
        assert_eq!(
            of(&bounded(&[])),
            [
                (Watch::TooSlow, second(60)),
                (Watch::NeverFinished, second(180))
            ]
        );
        let late = Alerting {
            late_after: Some(seconds(90)),
            ..alerting(&[])
        };
        assert_eq!(late_at(&late, at), Some(second(90)));
        assert_eq!(late_at(&alerting(&[]), at), None);
    }

    #[test]
    fn word_is_sent_of_what_is_new_and_again_when_it_goes_on() {
        let minute = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let check = |state, told: Option<i64>, expected| {
            let shown = Shown {
                state,
                told_at: told.map(minute),
            };
            let told = tell(shown, seconds(3600), minute(100));
            assert_eq!(told, expected, "{shown:?}");
        };
        use AlertState::{Acknowledged, Open, Resolved};
        check(None, None, Some(EventKind::Opened));
        check(Some(Resolved), Some(99), Some(EventKind::Opened));
        // It began while it was silenced.
        check(Some(Open), None, Some(EventKind::Opened));
        check(Some(Open), Some(41), None);
        check(Some(Open), Some(40), Some(EventKind::Repeated));
        check(Some(Acknowledged), Some(0), None);
    }
}
