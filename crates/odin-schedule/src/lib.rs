//! Turns schedule text into occurrences.
//!
//! A schedule is written in English or as cron text. [`parse`] reads it, a zone binds
//! it, and the [`ZonedSchedule`] says when it is due. No clock is read here: the caller
//! passes every instant, so that the preview and the scheduler get the same answer.
//!
//! ```
//! use odin_schedule::{find_zone, parse};
//!
//! let schedule = parse("every weekday at 9am and Saturday at 11:30 except 2026-12-25")?;
//! let zoned = schedule.in_zone(&find_zone("Europe/Dublin")?);
//!
//! let friday_noon = "2026-07-03T11:00:00Z".parse().unwrap();
//! let next = zoned.next_after(friday_noon).unwrap();
//! assert_eq!(next.to_string(), "2026-07-04T10:30:00Z");
//! # Ok::<(), odin_schedule::ScheduleError>(())
//! ```
//!
//! # The language
//!
//! | Text | Due |
//! |---|---|
//! | `never` | not at all |
//! | `every minute`, `every 20 seconds`, `every 3 hours` | see *Intervals* |
//! | `every day at 06:00, 12:00 and 6pm`, `everyday at noon` | each day at those times |
//! | `every Monday and Friday at 18:30`, `every Mon-Fri at 9am` | on those weekdays |
//! | `every weekday at 9:00`, `every weekend at midnight` | Monday to Friday; Saturday and Sunday |
//! | `every 1st and 15th at 12:00`, `every last day of the month at 23:00` | on days of the month |
//! | `every 2nd and 4th Tuesday at 10:00`, `every last Friday at 16:00` | on nth weekdays of the month |
//! | `every January 4th at 13:15`, `every 4th of January at 13:15` | on days of a month |
//! | `every quarter at 06:00` | on 1 January, April, July and October |
//! | `every month on the 1st at 08:00`, `every week on Monday at 8am` | as without `month on`, `week on` |
//! | `every 3 days at 09:00 starting 2026-12-01` | each third day, from then or from 1970-01-01 |
//! | `every 2 weeks on Monday at 09:00`, `every other Friday at 9am` | see *Counted stretches* |
//! | `every 3 months on the 1st at 08:00`, `every 2 years on May 1st at 08:00` | likewise |
//! | `every business day at 09:00`, `every last business day of the month at 17:00` | see *Calendars* |
//! | `every 15th or next business day at 09:00` | likewise |
//! | `every day in calendar trading-days at 09:00` | on the days of a calendar |
//! | `every hour around :17`, `every day around 09:00 within 10 minutes` | see *Spread* |
//! | `once on 2026-12-24 at 09:00` | once |
//! | `cron "30 18 * * 3,5"`, `30 18 * * 3,5`, `@daily` | see *Cron text* |
//!
//! Behind a clause: `from 09:00 to 17:00` (intervals, both ends included), `on weekdays`,
//! `in January and July`, `except weekends`, `except January 1st and 2026-12-25`,
//! `except on holidays`, `starting 2026-12-01`, `until 2027-03-31` (that day included). `in Europe/Dublin` at
//! the end names the zone of the whole schedule.
//!
//! Clauses join with `and`, `,` or `;`. A clause without `every` takes it from the one
//! before. Where clauses coincide there is one occurrence. `except`, `starting` and
//! `until` at the very end govern every clause, unless an earlier clause has such a part
//! too: then each governs its own. Case does not matter.
//!
//! # Intervals
//!
//! An interval that divides the day is due at each real instant at which the local
//! clock shows a multiple of it from midnight. Any other counts elapsed time from
//! `starting`, else from 1970-01-01T00:00Z.
//!
//! # Counted stretches
//!
//! `every N weeks`, `months`, `quarters` and `years` count calendar stretches: weeks are
//! seven days each from `starting`, else from Monday 1970-01-05; of the others the one that
//! holds `starting` is the first, else that of January 1970.
//!
//! # Calendars
//!
//! A [`Calendar`] is a set of days, read from a list or an iCalendar file; [`parse_with`]
//! takes those that a schedule may name. Business days are Monday to Friday less the days
//! of the calendar `holidays`, or of another with `of CALENDAR`. `or next business day`,
//! `or previous` and `or nearest` say where a day moves that is none; `except`, `starting`
//! and `until` look at the day to which it has moved. [`read_words`] reads a schedule whose
//! calendars are not at hand.
//!
//! # Spread
//!
//! With `around` each job keeps an offset of its own, drawn from the seed of
//! [`ZonedSchedule::with_spread`]: up to 5 minutes to either side, or `within` a length of
//! at most half of what lies between two times. Days and bounds are those of the times
//! themselves.
//!
//! # When the clock jumps
//!
//! A fixed time that does not exist is due once, at the first instant after the gap; one
//! that exists twice is due the first time; [`DstPolicy`] has the other choices.
//! Intervals follow real time: what is skipped is not made up for, and a repeated hour
//! has its occurrences in both passes. Cron text is an interval where its second, minute
//! or hour field begins with `*`, else fixed.
//!
//! # Cron text
//!
//! Five fields, or six with seconds in front, by the rules of Vixie's cron: where neither
//! day field begins with `*`, either will do; else both must hold. Beyond Vixie: `?` for
//! `*` in the day fields, `L` for the last day of the month, `L-3` for three days before
//! it, `15W` for the Monday to Friday nearest the 15th, `LW` for the last one, `5L` for the
//! last Friday, `5#2` for the second, `CRON_TZ=ZONE` in front, and `@every 1h30m`, which
//! is `every 90 minutes`. Refused, as in Vixie's cron: ranges that wrap around and steps
//! without a range, as in `2/4`.
//!
//! # Bounds
//!
//! Text up to [`TEXT_BYTES_MAX`] bytes is read. Occurrences are whole seconds up to the
//! end of the year 9999. Searching takes whole months and years at a time and ends.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod business;
mod calendar;
mod calendars;
mod convert;
mod cron;
mod day_search;
mod day_set;
mod dst;
mod english;
mod error;
mod explain;
mod extras;
mod moved;
mod occurrences;
mod parse;
mod period;
mod rule;
mod rule_search;
mod schedule;
mod spread;
mod time_set;
mod timeline;
mod token;
mod union_count;
mod wall;
mod warning;
mod wording;
mod words;
mod zone;

pub use calendars::{
    CALENDAR_BYTES_MAX, CALENDAR_DAYS_MAX, Calendar, CalendarError, CalendarErrorKind,
    CalendarName, Calendars,
};
pub use convert::{CannotSay, CronDialect, CronText, to_cron, to_english};
pub use cron::CronMistake;
pub use dst::{DstPolicy, GapPolicy, RepeatPolicy};
pub use error::{ScheduleError, ScheduleErrorKind, TEXT_BYTES_MAX};
pub use moved::{Moved, Moves, moved};
pub use occurrences::ZonedSchedule;
pub use schedule::{Schedule, ScheduleKind, parse, parse_with};
pub use warning::ScheduleWarning;
pub use wording::{Wording, read_words};
pub use zone::{TimeZoneSource, TimeZones, TimeZonesError, TimeZonesInUse, find_zone, time_zones};
