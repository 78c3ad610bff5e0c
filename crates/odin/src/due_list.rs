//! A list of occurrences as people read it: in the schedule's zone, in UTC, how far away, and what a clock did to it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_schedule::ZonedSchedule;

use crate::table::{self, Cell, Column};
use crate::{clock_change, terminal, times};

/// The occurrences as a table; `from` is what distances are counted from.
pub(crate) fn table(
    occurrences: &[Timestamp],
    schedule: &ZonedSchedule,
    from: Timestamp,
) -> String {
    let changes: Vec<_> = occurrences
        .iter()
        .map(|due| clock_change::of(*due, schedule))
        .collect();
    let zone = schedule.time_zone();
    let has_changes = changes.iter().any(Option::is_some);
    let mut columns = vec![
        Column::fixed("DUE"),
        Column::fixed("UTC"),
        Column::fixed("AWAY"),
    ];
    if has_changes {
        columns.push(Column::flexible("CLOCK", 12));
    }
    let rows: Vec<Vec<Cell>> = occurrences
        .iter()
        .zip(&changes)
        .map(|(due, change)| {
            let mut row = vec![
                local(*due, zone).into(),
                utc(*due).into(),
                times::relative(*due, from).into(),
            ];
            if has_changes {
                let words = change.as_ref().map(clock_change::ClockChange::words);
                row.push(words.unwrap_or_default().into());
            }
            row
        })
        .collect();
    table::render(&columns, &rows, terminal::stdout_width())
}

/// `Sat 2026-03-28 01:30:00 GMT`.
pub(crate) fn local(due: Timestamp, zone: &TimeZone) -> String {
    let day = due.to_zoned(zone.clone()).strftime("%a").to_string();
    format!("{day} {}", times::in_zone(due, zone))
}

/// `2026-03-28 01:30:00Z`: where the day may be another one than the local day.
fn utc(due: Timestamp) -> String {
    due.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
