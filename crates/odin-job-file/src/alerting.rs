//! Keys that say what people are told of, and what a job expects of its runs.

use std::ops::Range;
use std::time::Duration;

use odin_model::channel::CHANNELS_OF_JOB_MAX;
use odin_model::{Alerting, ChannelName, Notice, ValueBounds};

use crate::document::Value;
use crate::execution::read_timeout;
use crate::fault::{Fault, quoted};
use crate::fields::Fields;
use crate::mistake::Notes;
use crate::policies::read_count;
use crate::read::read_duration;
use crate::shape::Section;
use crate::suggestion::nearest;
use crate::value_bounds;
use crate::words;

/// What `notify` tells of when it does not say.
const ON_DEFAULT: [Notice; 5] = [
    Notice::Failure,
    Notice::Recovered,
    Notice::Late,
    Notice::Missed,
    Notice::NeverFinished,
];

/// What is told, with the places of the channels that are named.
pub(crate) fn read(job: &Fields<'_>, notes: &mut Notes) -> (Alerting, Vec<Range<usize>>) {
    let (min_duration, max_duration, values) = read_expect(job, notes);
    let mut alerting = Alerting {
        late_after: read_timeout(job, "late_after", notes),
        min_duration,
        max_duration,
        values,
        ..Alerting::default()
    };
    let mut places = Vec::new();
    if let Some(entry) = job.entry("notify") {
        let fields = Fields::read(Section::Notify, &entry.value, entry.key_span.clone(), notes);
        alerting.on = read_on(&fields, &alerting, notes);
        (alerting.to, places) = read_to(&fields, notes).into_iter().unzip();
        let failures = read_count(&fields, "failures", 1, Alerting::FAILURES_MAX, notes);
        alerting.failures = failures.unwrap_or(alerting.failures);
        let repeat = read_duration(&fields, "repeat", notes);
        alerting.repeat = repeat.unwrap_or(alerting.repeat);
    }
    (alerting, places)
}

fn read_expect(
    job: &Fields<'_>,
    notes: &mut Notes,
) -> (Option<Duration>, Option<Duration>, Vec<ValueBounds>) {
    let Some(entry) = job.entry("expect") else {
        return (None, None, Vec::new());
    };
    if !matches!(entry.value.value, Value::Mapping(_)) {
        return (None, None, Vec::new());
    }
    let fields = Fields::read(Section::Expect, &entry.value, entry.key_span.clone(), notes);
    let min = read_timeout(&fields, "min_duration", notes);
    let max = read_timeout(&fields, "max_duration", notes);
    if let (Some(least), Some(most), Some((text, entry))) = (min, max, fields.text("max_duration"))
        && most <= least
    {
        let fault = Fault::OutOfRange {
            key: "max_duration",
            value: quoted(text),
            range: "a duration longer than `min_duration`".to_owned(),
        };
        notes.refuse(&fault, entry.place());
    }
    (min, max, value_bounds::read(&fields, notes))
}

fn read_on(fields: &Fields<'_>, bounds: &Alerting, notes: &mut Notes) -> Vec<Notice> {
    if !fields.is_written("on") {
        // A bound that is written is meant to be told of.
        let fast = bounds.min_duration.map(|_| Notice::TooFast);
        let slow = bounds.max_duration.map(|_| Notice::TooSlow);
        return ON_DEFAULT.into_iter().chain(fast).chain(slow).collect();
    }
    let mut notices = Vec::new();
    for (text, span) in fields.texts("on") {
        match Notice::from_word(text) {
            Some(notice) => notices.push(notice),
            None => {
                let fault = Fault::UnknownValue {
                    key: "on",
                    value: quoted(text),
                    choices: words::NOTICES,
                    suggestion: nearest(text, words::NOTICES.iter().copied()),
                };
                notes.refuse(&fault, span);
            }
        }
    }
    notices.sort_unstable();
    notices.dedup();
    notices
}

/// The channels in the order of their names, each once; those that are refused are left out.
fn read_to(fields: &Fields<'_>, notes: &mut Notes) -> Vec<(ChannelName, Range<usize>)> {
    let written = fields.texts("to");
    if let Some((_, span)) = written.get(CHANNELS_OF_JOB_MAX) {
        let fault = Fault::TooMany {
            key: "to",
            count: written.len(),
            count_max: CHANNELS_OF_JOB_MAX,
            help: "Keep fewer channels: one of mail may have several addresses.",
        };
        notes.refuse(&fault, span.clone());
        return Vec::new();
    }
    let mut channels = Vec::with_capacity(written.len());
    for (text, span) in written {
        match ChannelName::parse(text) {
            Ok(name) => channels.push((name, span)),
            Err(error) => {
                let name = quoted(text);
                notes.refuse(&Fault::ChannelName { name, error }, span);
            }
        }
    }
    channels.sort_by(|(a, _), (b, _)| a.cmp(b));
    channels.dedup_by(|(a, _), (b, _)| a == b);
    channels
}
