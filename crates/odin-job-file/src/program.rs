//! What a job runs: `language` and `file`, or `command`.

use odin_model::{HookCommand, Program};

use crate::bundle::path::BundlePath;
use crate::document::{Entry, Value};
use crate::fault::{Fault, quoted};
use crate::fields::{Fields, scalar_text};
use crate::language::{self, Language, LanguageError};
use crate::mistake::Notes;
use crate::text;

/// The name of the program that `go build` makes of a source: the source's without its ending, as Go itself names
/// it.
///
/// `None` for names that do not end in `.go`.
#[must_use]
pub fn go_binary_of(file: &BundlePath) -> Option<BundlePath> {
    let stem = file.as_str().strip_suffix(".go")?;
    if stem.is_empty() || stem.ends_with('/') {
        return None;
    }
    BundlePath::parse(stem).ok()
}

/// `None` was refused.
pub(crate) fn read(job: &Fields<'_>, notes: &mut Notes) -> Option<Program> {
    if let Some(command) = job.entry("command") {
        for other in ["language", "file"] {
            if let Some(entry) = job.entry(other) {
                let fault = Fault::Conflict {
                    first: "command",
                    second: other,
                    help: "Keep either `command`, or `language` and `file`.",
                };
                notes.refuse(&fault, entry.key_span.clone());
            }
        }
        return read_command(job, "command", command, notes).map(|command| match command {
            HookCommand::Argv(argv) => Program::Argv(argv),
            HookCommand::Shell(line) => Program::Shell(line),
        });
    }
    if job.is_written("command") {
        return None;
    }
    if !job.is_written("language") && !job.is_written("file") {
        job.refuse_missing(
            "language",
            "Write `language` and `file`, or `command`.",
            notes,
        );
        return None;
    }
    let file = job
        .required_text("file", "Name the code file, such as `file: job.py`.", notes)
        .and_then(|(text, entry)| Some((path(text, entry, notes)?, entry)));
    let help = match &file {
        Some((file, _)) => language_help(file),
        None => "Write the language of the code, such as `language: python3`.".to_owned(),
    };
    let (language, language_entry) = job.required_text("language", &help, notes)?;
    let known = check_language(language, language_entry, notes)?;
    let (file, file_entry) = file?;
    if known != Some(Language::Go) {
        return Some(Program::Interpreted {
            language: language.to_owned(),
            file: file.as_str().to_owned(),
        });
    }
    let Some(binary) = go_binary_of(&file) else {
        let fault = Fault::WrongEnding {
            path: quoted(file.as_str()),
            language: "go",
            ending: ".go",
        };
        notes.refuse(&fault, file_entry.place());
        return None;
    };
    Some(Program::Compiled {
        language: language.to_owned(),
        file: file.as_str().to_owned(),
        binary: binary.as_str().to_owned(),
    })
}

fn path(text: &str, entry: &Entry, notes: &mut Notes) -> Option<BundlePath> {
    let refused = match BundlePath::from_written(text) {
        Ok(path) if path.as_str().starts_with('-') => {
            let path = quoted(path.as_str());
            Fault::LooksLikeOption { path }
        }
        Ok(path) => return Some(path),
        Err(fault) => Fault::Path {
            path: quoted(text),
            fault,
        },
    };
    notes.refuse(&refused, entry.place());
    None
}

fn language_help(file: &BundlePath) -> String {
    let extension = file
        .as_str()
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    match Language::ALL
        .into_iter()
        .find(|it| it.extension() == extension)
    {
        Some(language) => format!("Write `language: {}`.", language.name()),
        None => format!("Known are {}.", language::names().join(", ")),
    }
}

/// The outer `None` was refused; the inner one is an interpreter's path.
fn check_language(text: &str, entry: &Entry, notes: &mut Notes) -> Option<Option<Language>> {
    if text.starts_with('/') {
        if !text::check_characters("language", text, &entry.place(), notes) {
            return None;
        }
        return Some(None);
    }
    match Language::parse(text) {
        Ok(language) => Some(Some(language)),
        Err(LanguageError::NotSupportedYet { name }) => {
            let what = format!("language: {name}");
            notes.refuse(&Fault::NotSupportedYet { what }, entry.place());
            None
        }
        Err(LanguageError::Unknown { name, suggestion }) => {
            notes.refuse(
                &Fault::UnknownLanguage {
                    language: name,
                    suggestion,
                },
                entry.place(),
            );
            None
        }
    }
}

/// A list without a shell, or a line for one. `None` was refused.
pub(crate) fn read_command(
    fields: &Fields<'_>,
    name: &'static str,
    command: &Entry,
    notes: &mut Notes,
) -> Option<HookCommand> {
    const HELP: &str = "Write a program with its arguments, or a line for the shell.";
    match &command.value.value {
        Value::List(_) => {
            let argv = fields.texts(name);
            if argv
                .first()
                .is_none_or(|(program, _)| program.trim().is_empty())
            {
                fields.refuse_missing(name, HELP, notes);
                return None;
            }
            text::check_all(name, &argv, notes).then(|| {
                HookCommand::Argv(argv.into_iter().map(|(text, _)| text.to_owned()).collect())
            })
        }
        Value::Scalar(_) => {
            let line = scalar_text(&command.value).unwrap_or("");
            if line.trim().is_empty() {
                fields.refuse_missing(name, HELP, notes);
                return None;
            }
            text::check_argument(name, line, &command.place(), notes)
                .then(|| HookCommand::Shell(line.to_owned()))
        }
        Value::Mapping(_) | Value::Refused => None,
    }
}
