//! Whether and when a run whose attempt is over is tried again. Runs inside apply, on every replica.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::{AttemptNumber, Backoff, OnLost, Outcome, Retries, RunId};

/// How often a lost run is started again where `on_lost: rerun` is all that the job says. A job that takes its
/// machine down with it would otherwise walk through the whole cluster, for ever.
pub const RERUNS_MAX: u16 = 3;

/// The policies of a run's version that decide what follows an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// When what went wrong is tried again.
    pub retries: &'a Retries,
    /// What becomes of what is lost.
    pub on_lost: OnLost,
}

/// An attempt that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Of which run.
    pub run: RunId,
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit status, when its process called exit.
    pub exit_code: Option<u8>,
    /// When it was over.
    pub at: Timestamp,
}

/// When the next attempt may start. `None`: there is none, and the run ends as the attempt did.
///
/// What is lost is started again at once where `on_lost` says so, as often as `retries` allows and at least
/// [`RERUNS_MAX`] times. All attempts count, whatever they ended with.
#[must_use]
pub fn next_attempt(policy: &Policy<'_>, ended: &Ended) -> Option<Timestamp> {
    let retries = policy.retries;
    let made = ended.attempt.0.saturating_sub(1);
    if ended.outcome == Outcome::Lost && policy.on_lost == OnLost::Rerun {
        let allowed = u32::from(retries.max.max(RERUNS_MAX));
        return (made < allowed).then_some(ended.at);
    }
    if made >= u32::from(retries.max) || !is_retried(retries, ended) {
        return None;
    }
    let delay = SignedDuration::try_from(delay(retries, ended)).unwrap_or(SignedDuration::MAX);
    Some(ended.at.saturating_add(delay).unwrap_or(Timestamp::MAX))
}

fn is_retried(retries: &Retries, ended: &Ended) -> bool {
    if !retries.on.contains(&ended.outcome) {
        return false;
    }
    let any_code = retries.exit_codes.is_empty() || ended.outcome != Outcome::Failed;
    any_code
        || ended
            .exit_code
            .is_some_and(|code| retries.exit_codes.iter().any(|range| range.contains(code)))
}

/// How long the attempt after `ended` waits. Growing delays have jitter, between half of the step and all of it, so
/// that what failed together is not tried again together.
fn delay(retries: &Retries, ended: &Ended) -> Duration {
    match retries.backoff {
        Backoff::Fixed => retries.delay.min(retries.max_delay),
        Backoff::Exponential => {
            let doublings = ended.attempt.0.saturating_sub(1).min(63);
            let factor = 1u64 << doublings;
            let step = u32::try_from(factor)
                .ok()
                .and_then(|factor| retries.delay.checked_mul(factor))
                .unwrap_or(Duration::MAX)
                .min(retries.max_delay);
            let half = u64::try_from(step.as_micros() / 2).unwrap_or(u64::MAX);
            let drawn = mixed(ended.run, ended.attempt) % half.saturating_add(1).max(1);
            step - Duration::from_micros(half) + Duration::from_micros(drawn)
        }
    }
}

/// A well-mixed number of run and attempt, the same on every replica: the finaliser of SplitMix64.
fn mixed(run: RunId, attempt: AttemptNumber) -> u64 {
    let mut bits = run.to_bits() ^ u64::from(attempt.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_model::ExitCodes;
    use proptest::prelude::*;

    const END: Timestamp = Timestamp::UNIX_EPOCH;

    fn ended(attempt: u32, outcome: Outcome, exit_code: Option<u8>) -> Ended {
        Ended {
            run: RunId::from_bits(7),
            attempt: AttemptNumber(attempt),
            outcome,
            exit_code,
            at: END,
        }
    }

    fn three() -> Retries {
        Retries {
            max: 3,
            backoff: Backoff::Fixed,
            ..Retries::default()
        }
    }

    #[track_caller]
    fn check(retries: &Retries, on_lost: OnLost, ended: &Ended, seconds: Option<i64>) {
        let policy = Policy { retries, on_lost };
        let expected = seconds.map(|seconds| END + SignedDuration::from_secs(seconds));
        assert_eq!(next_attempt(&policy, ended), expected, "{ended:?}");
    }

    #[test]
    fn without_retries_a_run_ends_as_its_first_attempt_does() {
        for outcome in Outcome::ALL {
            let ended = ended(1, outcome, None);
            check(&Retries::default(), OnLost::Fail, &ended, None);
        }
    }

    #[test]
    fn what_went_wrong_is_tried_again_and_what_was_cancelled_or_lost_is_not() {
        for (outcome, expected) in [
            (Outcome::Succeeded, None),
            (Outcome::Warning, None),
            (Outcome::Failed, Some(10)),
            (Outcome::Signalled, Some(10)),
            (Outcome::TimedOut, Some(10)),
            (Outcome::Cancelled, None),
            (Outcome::OutOfMemory, Some(10)),
            (Outcome::NotStartable, Some(10)),
            (Outcome::Lost, None),
        ] {
            check(&three(), OnLost::Fail, &ended(1, outcome, None), expected);
        }
    }

    #[test]
    fn max_counts_the_attempts_after_the_first() {
        for (attempt, expected) in [(3, Some(10)), (4, None), (u32::MAX, None)] {
            let ended = ended(attempt, Outcome::Failed, Some(1));
            check(&three(), OnLost::Fail, &ended, expected);
        }
    }

    #[test]
    fn exit_codes_choose_among_failures_only() {
        let retries = Retries {
            exit_codes: vec![
                ExitCodes { from: 75, to: 75 },
                ExitCodes { from: 10, to: 20 },
            ],
            ..three()
        };
        for (outcome, code, expected) in [
            (Outcome::Failed, Some(75), Some(10)),
            (Outcome::Failed, Some(10), Some(10)),
            (Outcome::Failed, Some(20), Some(10)),
            (Outcome::Failed, Some(21), None),
            // A failure that a result reported, with exit status 0.
            (Outcome::Failed, None, None),
            (Outcome::TimedOut, None, Some(10)),
        ] {
            let ended = ended(1, outcome, code);
            check(&retries, OnLost::Fail, &ended, expected);
        }
    }

    #[test]
    fn what_is_lost_is_started_again_at_once_and_not_for_ever() {
        let lost = |attempt| ended(attempt, Outcome::Lost, None);
        check(&Retries::default(), OnLost::Rerun, &lost(1), Some(0));
        check(&Retries::default(), OnLost::Rerun, &lost(3), Some(0));
        check(&Retries::default(), OnLost::Rerun, &lost(4), None);
        let failed = ended(1, Outcome::Failed, Some(1));
        check(&Retries::default(), OnLost::Rerun, &failed, None);
    }

    proptest! {
        #[test]
        fn the_delay_stays_within_its_step_and_its_cap(
            run: u64, attempt in 1u32..2000, delay_ms in 0u64..100_000, cap_ms in 0u64..1_000_000,
        ) {
            let retries = Retries {
                max: u16::MAX,
                backoff: Backoff::Exponential,
                delay: Duration::from_millis(delay_ms),
                max_delay: Duration::from_millis(cap_ms),
                ..Retries::default()
            };
            let ended = Ended { run: RunId::from_bits(run), ..ended(attempt, Outcome::Failed, Some(1)) };
            let policy = Policy { retries: &retries, on_lost: OnLost::Fail };
            let at = next_attempt(&policy, &ended).unwrap();
            let waited = at.duration_since(END).as_millis();
            let doubled = u128::from(delay_ms) << (attempt - 1).min(40);
            let step = i128::try_from(doubled.min(u128::from(cap_ms))).unwrap();
            prop_assert!(waited <= step && waited >= step / 2 - 1, "{} of {}", waited, step);
            prop_assert_eq!(next_attempt(&policy, &ended), Some(at));
        }
    }
}
