//! How long runs take, as the person says.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use odin_wire::Mistake;

use crate::error::{CliError, TextMistakes};
use crate::times;

/// The longest duration that is taken: a year.
const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);
/// The largest file of durations that is read.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// One duration: `JOB=10m`, or `10m` for every job that has none of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The job's name. `None`: every other job.
    pub(crate) job: Option<String>,
    pub(crate) duration: Duration,
}

/// How long the runs of each job take.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    of_jobs: BTreeMap<String, Duration>,
    of_others: Option<Duration>,
}

impl Durations {
    /// Those of the file, then those of the flags, which count more.
    pub(crate) fn read(file: Option<&Path>, flags: &[Given]) -> Result<Self, CliError> {
        let mut given = file.map_or(Ok(Vec::new()), read_file)?;
        given.extend_from_slice(flags);
        let mut durations = Self::default();
        for Given { job, duration } in given {
            match job {
                Some(job) => {
                    durations.of_jobs.insert(job, duration);
                }
                None => durations.of_others = Some(duration),
            }
        }
        Ok(durations)
    }

    /// How long a run of the job takes. `None`: nobody said.
    pub(crate) fn of(&self, job: &str) -> Option<Duration> {
        self.of_jobs.get(job).copied().or(self.of_others)
    }

    /// The jobs that have a duration of their own.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &str> {
        self.of_jobs.keys().map(String::as_str)
    }
}

/// Reads `JOB=10m` or `10m`, for clap.
pub(crate) fn parse(text: &str) -> Result<Given, String> {
    // A job's name may hold `=`; a duration cannot.
    let (job, duration) = match text.rsplit_once('=') {
        Some((job, duration)) => (Some(job.trim()), duration.trim()),
        None => (None, text.trim()),
    };
    if job == Some("") {
        return Err(
            "the job's name is missing: write `JOB=10m`, or `10m` for every job".to_owned(),
        );
    }
    let duration = times::parse_duration(duration)?;
    if duration > DURATION_MAX {
        return Err(format!("`{text}` is longer than a year"));
    }
    Ok(Given {
        job: job.map(str::to_owned),
        duration,
    })
}

/// A line each; empty lines and what follows `#` count for nothing.
fn read_file(path: &Path) -> Result<Vec<Given>, CliError> {
    let failed = |error: std::io::Error| CliError::file(path, &error);
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > FILE_BYTES_MAX {
        let message = format!(
            "{} has {size} bytes; a file of durations has at most {FILE_BYTES_MAX}",
            path.display()
        );
        return Err(CliError::refused("cli/file", message));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let mut given = Vec::new();
    let mut mistakes = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let said = line.split('#').next().unwrap_or("");
        let trimmed = said.trim();
        let from = start + said.find(trimmed).unwrap_or(0);
        start += line.len();
        if trimmed.is_empty() {
            continue;
        }
        match parse(trimmed) {
            Ok(it) => given.push(it),
            Err(message) => mistakes.push(mistake(message, from..from + trimmed.len())),
        }
    }
    if mistakes.is_empty() {
        return Ok(given);
    }
    let omitted = mistakes.len().saturating_sub(MISTAKES_MAX);
    mistakes.truncate(MISTAKES_MAX);
    Err(CliError::Text(Box::new(TextMistakes {
        origin: path.display().to_string(),
        text,
        mistakes,
        omitted,
    })))
}

/// How many mistakes of a file are shown.
const MISTAKES_MAX: usize = 20;

fn mistake(message: String, span: Range<usize>) -> Mistake {
    Mistake {
        code: "cli/bad-duration".to_owned(),
        message,
        span: Some([span.start, span.end]),
        help: Some("Write a line `JOB=10m` for each job, or `10m` for all others.".to_owned()),
        ..Mistake::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_belongs_to_a_job_or_to_all_others() {
        for (text, expected) in [
            ("10m", Some((None, 600))),
            ("backup=1h30m", Some((Some("backup"), 5_400))),
            ("a=b = 30s", Some((Some("a=b"), 30))),
            ("=10m", None),
            ("backup=", None),
            ("backup=soon", None),
            ("backup=-5m", None),
            ("backup=9000h", None),
            ("", None),
        ] {
            let found = parse(text).ok();
            let found = found
                .as_ref()
                .map(|given| (given.job.as_deref(), given.duration.as_secs()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
