//! When a job is due: `schedule` or `runs`, and `timezone`.

use std::ops::Range;

use odin_schedule::Wording;

use crate::document::Entry;
use crate::fault::Fault;
use crate::fields::Fields;
use crate::mistake::Notes;
use crate::read::Purpose;

/// The schedule as written and what it means. `None` was refused.
pub(crate) fn read(
    text: &str,
    job: &Fields<'_>,
    purpose: Purpose,
    notes: &mut Notes,
) -> Option<(String, Wording)> {
    if let (Some(_), Some(runs)) = (job.entry("schedule"), job.entry("runs")) {
        let fault = Fault::Conflict {
            first: "schedule",
            second: "runs",
            help: "The two mean the same: keep one.",
        };
        notes.refuse(&fault, runs.key_span.clone());
        return None;
    }
    let key = if job.is_written("runs") {
        "runs"
    } else {
        "schedule"
    };
    let Some((written, entry)) = job.text(key) else {
        if job.is_written(key) && job.entry(key).is_none() {
            return None;
        }
        if purpose == Purpose::Execute {
            let never = odin_schedule::read_words("never").expect("`never` is a schedule");
            return Some(("never".to_owned(), never));
        }
        let help = "Say when the job is due, such as `schedule: every weekday at 09:00`.";
        job.refuse_missing(key, help, notes);
        return None;
    };
    // White space around it carries nothing, and block scalars end in a line end.
    let schedule = written.trim();
    match odin_schedule::read_words(schedule) {
        Ok(parsed) => Some((schedule.to_owned(), parsed)),
        Err(error) => {
            let span = place_within(text, entry, schedule, &error.span);
            notes.refuse(&Fault::Schedule(error), span);
            None
        }
    }
}

/// Where a part of a value is in the file. A value that is written in another form than it reads (escapes, folded
/// lines) is shown as a whole.
fn place_within(text: &str, entry: &Entry, value: &str, part: &Range<usize>) -> Range<usize> {
    let place = entry.place();
    let raw = text.get(place.clone()).unwrap_or("");
    match raw.find(value) {
        // At the end of a value something is missing: an empty span there.
        Some(at) if part.end <= value.len() => {
            place.start + at + part.start..place.start + at + part.end
        }
        _ => place,
    }
}

pub(crate) fn read_timezone(
    job: &Fields<'_>,
    schedule: Option<&Wording>,
    notes: &mut Notes,
) -> Option<String> {
    let (text, entry) = job.text("timezone")?;
    match odin_schedule::find_zone(text) {
        Ok(zone) => {
            if schedule.is_some_and(|schedule| schedule.zone().is_some()) {
                notes.warn(&Fault::TwoZones, entry.key_span.clone());
            }
            Some(zone.iana_name().unwrap_or(text).to_owned())
        }
        Err(error) => {
            notes.refuse(&Fault::Schedule(error), entry.place());
            None
        }
    }
}
