//! Calendars that a command is given as files, in place of those that a server has.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use odin_schedule::{CALENDAR_BYTES_MAX, Calendar, CalendarError, CalendarName, Calendars};
use odin_wire::Mistake;

use crate::error::{CliError, TextMistakes};

/// The calendars that schedules may refer to.
#[derive(Debug, Args)]
pub(crate) struct CalendarFiles {
    /// A calendar that schedules may name, such as holidays=ie.ics: a list of dates or an iCalendar file;
    /// may be repeated
    #[arg(long = "calendar", value_name = "NAME=FILE", value_parser = parse)]
    files: Vec<NamedFile>,
}

#[derive(Debug, Clone)]
struct NamedFile {
    name: CalendarName,
    path: PathBuf,
}

impl CalendarFiles {
    /// Reads the files.
    pub(crate) fn read(&self) -> Result<Calendars, CliError> {
        let mut calendars = Calendars::default();
        for NamedFile { name, path } in &self.files {
            calendars.insert(name.clone(), read(path)?);
        }
        Ok(calendars)
    }
}

/// Reads `NAME=FILE`, for clap.
fn parse(text: &str) -> Result<NamedFile, String> {
    let (name, path) = text
        .split_once('=')
        .filter(|(_, path)| !path.is_empty())
        .ok_or_else(|| format!("`{text}` is not NAME=FILE, such as holidays=ie.ics"))?;
    let name =
        CalendarName::new(name.trim()).map_err(|error| format!("{error}. {}", error.help()))?;
    Ok(NamedFile {
        name,
        path: path.into(),
    })
}

/// The days of a file: iCalendar text, or one date or range in each line.
pub(crate) fn read(path: &Path) -> Result<Calendar, CliError> {
    let failed = |error: std::io::Error| CliError::file(path, &error);
    let file = std::fs::File::open(path).map_err(failed)?;
    // One byte more than is read: the calendar's own error tells that there is too much.
    let mut text = String::new();
    file.take(CALENDAR_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Calendar::parse(&text).map_err(|error| refused(path, &text, &error))
}

/// A calendar's mistake in its line.
fn refused(path: &Path, text: &str, error: &CalendarError) -> CliError {
    let line = error.line.and_then(|line| usize::try_from(line).ok());
    let Some(line) = line else {
        let message = format!("{}: {}", path.display(), error.kind);
        return CliError::refused(error.code(), message).with_help(error.help());
    };
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let length = text[start..].lines().next().map_or(0, str::len);
    let mistake = Mistake {
        code: error.code().to_owned(),
        message: error.kind.to_string(),
        span: Some([start, start + length]),
        help: Some(error.help()),
        ..Mistake::default()
    };
    CliError::Text(Box::new(TextMistakes {
        origin: path.display().to_string(),
        text: text.to_owned(),
        mistakes: vec![mistake],
        omitted: 0,
    }))
}
