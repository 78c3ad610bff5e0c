//! Keys that say how a run is executed: timeouts, limits, what is left behind, what runs on a cancel.

use std::time::Duration;

use odin_model::{Children, Limits, OnCancel, Timeouts};
use odin_schedule::{DstPolicy, GapPolicy, RepeatPolicy};

use crate::choice::read_choice;
use crate::document::{Entry, Value};
use crate::duration::DurationFault;
use crate::fault::{Fault, quoted};
use crate::fields::Fields;
use crate::mistake::Notes;
use crate::program::read_command;
use crate::read::read_duration;
use crate::shape::Section;
use crate::size;
use crate::words;

/// How an attempt is executed.
pub(crate) struct Execution {
    pub(crate) timeouts: Timeouts,
    pub(crate) kill_grace: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) children: Children,
    pub(crate) on_cancel: Option<OnCancel>,
    pub(crate) dst: DstPolicy,
}

pub(crate) fn read(job: &Fields<'_>, notes: &mut Notes) -> Execution {
    Execution {
        timeouts: read_timeouts(job, notes),
        kill_grace: read_duration(job, "kill_grace", notes),
        limits: read_limits(job, notes),
        children: match read_choice(job, "children", words::CHILDREN, notes) {
            Some("keep") => Children::Keep,
            Some(_) | None => Children::End,
        },
        on_cancel: read_on_cancel(job, notes),
        dst: read_dst(job, notes),
    }
}

/// The section of an entry that may be a mapping; `None` when it is something else.
pub(crate) fn mapping<'a>(
    section: Section,
    entry: &'a Entry,
    notes: &mut Notes,
) -> Option<Fields<'a>> {
    matches!(entry.value.value, Value::Mapping(_))
        .then(|| Fields::read(section, &entry.value, entry.key_span.clone(), notes))
}

/// A duration above zero: a timeout of nothing ends everything.
pub(crate) fn read_timeout(
    fields: &Fields<'_>,
    key: &'static str,
    notes: &mut Notes,
) -> Option<Duration> {
    let duration = read_duration(fields, key, notes)?;
    let (text, entry) = fields.text(key)?;
    if duration.is_zero() {
        let fault = Fault::Duration {
            text: quoted(text),
            fault: DurationFault::Zero,
        };
        notes.refuse(&fault, entry.place());
        return None;
    }
    Some(duration)
}

fn read_timeouts(job: &Fields<'_>, notes: &mut Notes) -> Timeouts {
    let Some(entry) = job.entry("timeout") else {
        return Timeouts::default();
    };
    let Some(fields) = mapping(Section::Timeout, entry, notes) else {
        return Timeouts {
            run: read_timeout(job, "timeout", notes),
            ..Timeouts::default()
        };
    };
    Timeouts {
        queue: read_timeout(&fields, "queue", notes),
        start: read_timeout(&fields, "start", notes),
        run: read_timeout(&fields, "run", notes),
        silence: read_timeout(&fields, "silence", notes),
    }
}

fn read_limits(job: &Fields<'_>, notes: &mut Notes) -> Limits {
    let Some(fields) = job
        .entry("limits")
        .and_then(|entry| mapping(Section::Limits, entry, notes))
    else {
        return Limits::default();
    };
    let mut bounded = |key, range: &str, parse: &dyn Fn(&str) -> Option<u64>| {
        let (text, entry) = fields.text(key)?;
        let value = parse(text);
        if value.is_none() {
            let fault = Fault::OutOfRange {
                key,
                value: quoted(text),
                range: range.to_owned(),
            };
            notes.refuse(&fault, entry.place());
        }
        value
    };
    let count = |text: &str| text.parse::<u32>().ok().filter(|it| *it > 0).map(u64::from);
    let memory = |text: &str| size::parse(text).filter(|it| *it >= Limits::MEMORY_BYTES_MIN);
    let cores = |text: &str| {
        let cores: f64 = text.parse().ok()?;
        let millis = (cores * 1000.0).round();
        let least = f64::from(Limits::CPU_MILLIS_MIN);
        (least..=1e8).contains(&millis).then_some(millis as u64)
    };
    let narrow = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
    const COUNT: &str = "a whole number from 1 to 4294967295";
    Limits {
        memory_bytes: bounded("memory", "a size from `4MiB` on, such as `512MiB`", &memory),
        cpu_millis: narrow(bounded(
            "cpu",
            "a number of cores from 0.01 on, such as `1.5`",
            &cores,
        )),
        processes: narrow(bounded("processes", COUNT, &count)),
        open_files: narrow(bounded("open_files", COUNT, &count)),
        best_effort: read_truth(&fields, "best_effort", notes).unwrap_or(false),
    }
}

/// `true` or `false`, and none of the other words that YAML once had for them.
fn read_truth(fields: &Fields<'_>, key: &'static str, notes: &mut Notes) -> Option<bool> {
    read_choice(fields, key, &["true", "false"], notes).map(|word| word == "true")
}

fn read_on_cancel(job: &Fields<'_>, notes: &mut Notes) -> Option<OnCancel> {
    let entry = job.entry("on_cancel")?;
    let Some(fields) = mapping(Section::OnCancel, entry, notes) else {
        return Some(OnCancel {
            command: read_command(job, "on_cancel", entry, notes)?,
            timeout: OnCancel::TIMEOUT_DEFAULT,
        });
    };
    let Some(command) = fields.entry("command") else {
        if !fields.is_written("command") {
            fields.refuse_missing("command", "Say what to run.", notes);
        }
        return None;
    };
    Some(OnCancel {
        command: read_command(&fields, "command", command, notes)?,
        timeout: read_timeout(&fields, "timeout", notes).unwrap_or(OnCancel::TIMEOUT_DEFAULT),
    })
}

fn read_dst(job: &Fields<'_>, notes: &mut Notes) -> DstPolicy {
    let Some(fields) = job
        .entry("dst")
        .and_then(|entry| mapping(Section::Dst, entry, notes))
    else {
        return DstPolicy::default();
    };
    DstPolicy {
        gap: match read_choice(&fields, "gap", words::GAP, notes) {
            Some("skip") => GapPolicy::Skip,
            Some("before") => GapPolicy::Before,
            Some(_) | None => GapPolicy::Shift,
        },
        repeat: match read_choice(&fields, "repeat", words::REPEAT, notes) {
            Some("last") => RepeatPolicy::Last,
            Some("both") => RepeatPolicy::Both,
            Some(_) | None => RepeatPolicy::First,
        },
    }
}
