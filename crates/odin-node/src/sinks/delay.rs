//! How long is waited after a failure.

use std::time::Duration;

use odin_sinks::Unsent;

/// The first delay after a failure; each further one is twice as long.
pub(super) const DELAY_MIN: Duration = Duration::from_secs(1);
/// The longest delay, whatever the receiver asks for.
pub(super) const DELAY_MAX: Duration = Duration::from_secs(5 * 60);

/// The delays between the attempts of one sink.
#[derive(Debug)]
pub(super) struct Delay {
    next: Duration,
    max: Duration,
}

impl Delay {
    /// They grow up to `max`, and to [`DELAY_MAX`] at most.
    pub(super) fn up_to(max: Duration) -> Self {
        Self {
            next: DELAY_MIN,
            max: max.min(DELAY_MAX),
        }
    }

    /// How long to wait now: longer where the receiver asks for it.
    pub(super) fn after(&mut self, unsent: &Unsent) -> Duration {
        let asked = match unsent {
            Unsent::NotNow { after, .. } => after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let wait = self.next.max(asked).min(DELAY_MAX);
        self.next = (self.next * 2).min(self.max);
        wait
    }

    /// The receiver took something.
    pub(super) fn reset(&mut self) {
        self.next = DELAY_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_now(after: Option<u64>) -> Unsent {
        Unsent::NotNow {
            reason: String::new(),
            after: after.map(Duration::from_secs),
        }
    }

    #[test]
    fn delays_double_up_to_the_most_and_are_as_long_as_the_receiver_asks_within_bounds() {
        let mut delay = Delay::up_to(Duration::from_secs(5));
        for (asked, seconds) in [
            (None, 1),
            (None, 2),
            (Some(30), 30),
            (Some(3), 5),
            (Some(86_400), 300),
            (None, 5),
        ] {
            assert_eq!(delay.after(&not_now(asked)).as_secs(), seconds, "{asked:?}");
        }
        delay.reset();
        assert_eq!(delay.after(&not_now(None)).as_secs(), 1);
        let mut long = Delay::up_to(Duration::from_secs(86_400));
        let last = (0..20).map(|_| long.after(&not_now(None))).last();
        assert_eq!(last, Some(DELAY_MAX));
    }
}
