//! A time zone as stretches of constant offset, in whole seconds of Unix time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The earliest second that any answer may have: that of `Timestamp::MIN`.
pub(crate) const FIRST_SECOND: i64 = -377_705_023_201;
/// The latest second that any answer may have: that of `Timestamp::MAX`.
pub(crate) const LAST_SECOND: i64 = 253_402_207_200;

/// A stretch of time in which a zone's offset does not change, from a second on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// Seconds east of UTC.
    pub(crate) offset: i64,
    /// When it ends, and the offset after that; `None` where it never ends.
    pub(crate) after: Option<Change>,
}

/// One end of a stretch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// The first second with the later offset.
    pub(crate) at: i64,
    /// The offset on the other side.
    pub(crate) offset: i64,
}

/// The stretch that holds a second.
pub(crate) fn stretch_at(zone: &TimeZone, second: i64) -> Stretch {
    let offset = i64::from(zone.to_offset(timestamp(second)).seconds());
    Stretch {
        offset,
        after: change_after(zone, second),
    }
}

/// How the stretch that holds a second began, and the offset before that; `None` at
/// the beginning of time.
///
/// Apart from [`stretch_at`] because a search forward seldom needs it, and looking it
/// up costs as much as the rest of the search.
pub(crate) fn change_before(zone: &TimeZone, second: i64) -> Option<Change> {
    // `preceding` is strict, so it starts one second on to see a change right here.
    let at = zone
        .preceding(timestamp(second + 1))
        .next()?
        .timestamp()
        .as_second();
    Some(Change {
        at,
        offset: zone.to_offset(timestamp(at - 1)).seconds().into(),
    })
}

fn change_after(zone: &TimeZone, second: i64) -> Option<Change> {
    let change = zone.following(timestamp(second)).next()?;
    Some(Change {
        at: change.timestamp().as_second(),
        offset: change.offset().seconds().into(),
    })
}

/// The first instant at which the local clock shows `local` or later.
pub(crate) fn first_instant(zone: &TimeZone, local: i64) -> i64 {
    // No offset is larger than 26 hours, so the answer's stretch is this one or a later one.
    let mut stretch = stretch_at(zone, local - 93_600);
    loop {
        let instant = local - stretch.offset;
        match stretch.after {
            Some(after) if instant >= after.at => {
                if local <= after.at + after.offset {
                    return after.at;
                }
                stretch = stretch_at(zone, after.at);
            }
            Some(_) | None => return instant,
        }
    }
}

/// The second as an instant, moved into the range that instants have.
pub(crate) fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second.clamp(FIRST_SECOND, LAST_SECOND))
        .expect("a clamped second is in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_instants() {
        assert_eq!(FIRST_SECOND, Timestamp::MIN.as_second());
        assert_eq!(LAST_SECOND, Timestamp::MAX.as_second());
    }
}
