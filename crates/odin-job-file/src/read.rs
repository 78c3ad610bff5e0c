//! From the text of a job file to a job, or to all its mistakes.

use std::ops::Range;
use std::time::Duration;

use odin_model::job::JobNameError;
use odin_model::output::OUTPUT_BYTES_MAX_DEFAULT;
use odin_model::{
    Alerting, ChannelName, Children, Concurrency, JobId, JobName, JobSpec, Keep, Limits, Loss,
    Missed, OnCancel, Priority, Program, Retries, SecretName, SecretUse, Timeouts,
};
use odin_schedule::{DstPolicy, Wording};

use crate::bundle::BundleError;
use crate::bundle::path::BundlePath;
use crate::document::{self, Entry, Node, Value};
use crate::duration;
use crate::fault::{FILE_BYTES_MAX, Fault, quoted};
use crate::fields::Fields;
use crate::mistake::{Mistake, Mistakes, Notes};
use crate::shape::Section;
use crate::{
    alerting, choice, environment, execution, keep, policies, program, schedule, secrets, text,
};

/// The most that a job's texts may come to, in bytes: a job travels in one replicated command, which has a bound of
/// 256 KiB.
pub const SPEC_BYTES_MAX: usize = 192 * 1024;

/// What the file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// To be deployed: a schedule is required.
    #[default]
    Deploy,
    /// To be run once: without a schedule it is `never`.
    Execute,
}

/// What counts where the file says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// What the file is read for.
    pub purpose: Purpose,
    /// See [`JobSpec::grace`].
    pub grace: Duration,
    /// See [`JobSpec::kill_grace`].
    pub kill_grace: Duration,
    /// See [`JobSpec::output_bytes_max`].
    pub output_bytes_max: u64,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            purpose: Purpose::Deploy,
            grace: JobSpec::GRACE_DEFAULT,
            kill_grace: JobSpec::KILL_GRACE_DEFAULT,
            output_bytes_max: OUTPUT_BYTES_MAX_DEFAULT,
        }
    }
}

/// A job file without mistakes.
#[derive(Debug, Clone, PartialEq)]
pub struct JobFile {
    /// The text that was read: what a bundle stores.
    pub text: String,
    /// The job's id. `None`: the file has none.
    pub id: Option<JobId>,
    /// The job's name.
    pub name: JobName,
    /// What it is for; may be empty.
    pub description: String,
    /// What it runs. Its paths are relative to the job file's directory, in their one form.
    pub program: Program,
    /// Arguments after the file, or after the command.
    pub args: Vec<String>,
    /// More of the bundle: files and directories.
    pub files: Vec<BundlePath>,
    /// Environment variables in the order of their names.
    pub env: Vec<(String, String)>,
    /// The schedule as written.
    pub schedule_text: String,
    /// What the schedule says; whether the calendars that it names are there is for the server to say.
    pub schedule: Wording,
    /// The zone that the file names, by its name in the IANA database. `None`: it names none.
    pub timezone: Option<String>,
    /// How late an occurrence may start and still counts as on time.
    pub grace: Duration,
    /// What becomes of later ones.
    pub missed: Missed,
    /// Whether runs may overlap.
    pub concurrency: Concurrency,
    /// How long the parts of a run may take.
    pub timeouts: Timeouts,
    /// How long a process has between TERM and KILL.
    pub kill_grace: Duration,
    /// How much of a run's output is kept.
    pub output_bytes_max: u64,
    /// How much of a machine a run may use.
    pub limits: Limits,
    /// What becomes of processes that a run leaves behind.
    pub children: Children,
    /// What runs when a run is cancelled.
    pub on_cancel: Option<OnCancel>,
    /// What a fixed time does when the clock jumps.
    pub dst: DstPolicy,
    /// The secrets that its processes get, in the order of names.
    pub secrets: Vec<SecretUse>,
    /// When a run that went wrong is tried again.
    pub retries: Retries,
    /// What becomes of a run whose node is gone.
    pub loss: Loss,
    /// Which of several runs that wait is first.
    pub priority: Priority,
    /// Whom it tells of what, and what it expects of its runs.
    pub alerting: Alerting,
    /// How much of its past is kept.
    pub keep: Keep,
    /// What the deployer should know.
    pub warnings: Vec<Mistake>,
    /// Where the text names the code file and each of `files`.
    pub(crate) places: Vec<(BundlePath, Range<usize>)>,
    /// Where the text names each of `secrets`.
    pub(crate) secret_places: Vec<Range<usize>>,
    /// Where the text names each of the channels of `notify`.
    pub(crate) channel_places: Vec<Range<usize>>,
}

impl JobFile {
    /// Where the text names a file that cannot be in the bundle, or the directory that holds it. `None`: it names
    /// neither, or the error is about no file of the job's.
    #[must_use]
    pub fn place_of(&self, error: &BundleError) -> Option<Range<usize>> {
        let path = error.path()?;
        let holds = |named: &BundlePath| {
            // Paths in errors are quoted for terminals.
            let named = quoted(named.as_str());
            path.strip_prefix(&named)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let (_, place) = self.places.iter().find(|(named, _)| holds(named))?;
        Some(place.clone())
    }

    /// Where the text names a secret. `None`: it does not.
    #[must_use]
    pub fn place_of_secret(&self, name: &SecretName) -> Option<Range<usize>> {
        let position = self.secrets.iter().position(|used| used.name == *name)?;
        self.secret_places.get(position).cloned()
    }

    /// Where the text names a channel. `None`: it does not.
    #[must_use]
    pub fn place_of_channel(&self, name: &ChannelName) -> Option<Range<usize>> {
        let position = self.alerting.to.iter().position(|it| it == name)?;
        self.channel_places.get(position).cloned()
    }

    /// The job as a version stores it; `timezone` counts when the file names none.
    #[must_use]
    pub fn spec(&self, timezone: &str) -> JobSpec {
        JobSpec {
            name: self.name.clone(),
            description: self.description.clone(),
            program: self.program.clone(),
            args: self.args.clone(),
            files: self
                .files
                .iter()
                .map(|path| path.as_str().to_owned())
                .collect(),
            env: self.env.clone(),
            schedule: self.schedule_text.clone(),
            timezone: self.timezone.clone().unwrap_or_else(|| timezone.to_owned()),
            grace: self.grace,
            missed: self.missed,
            concurrency: self.concurrency,
            timeouts: self.timeouts,
            kill_grace: self.kill_grace,
            output_bytes_max: self.output_bytes_max,
            limits: self.limits,
            children: self.children,
            on_cancel: self.on_cancel.clone(),
            dst: self.dst,
            secrets: self.secrets.clone(),
            retries: self.retries.clone(),
            loss: self.loss,
            priority: self.priority,
            alerting: self.alerting.clone(),
            keep: self.keep,
        }
    }
}

/// Reads a job file.
///
/// Nothing outside the text is looked at: that the code file is there is for
/// [`collect`](crate::bundle::collect) to say.
///
/// # Errors
/// All mistakes of the file at once, except that a text which is not YAML is told of by its first mistake.
pub fn read(text: &str, defaults: &Defaults) -> Result<JobFile, Mistakes> {
    let mut notes = Notes::default();
    let job = read_job(text, defaults, &mut notes);
    let warnings = notes.finish()?;
    // Every way to return no job notes why, so the line above has returned already.
    let mut job = job.expect("what is missing has been refused");
    job.warnings = warnings;
    Ok(job)
}

fn read_job(text: &str, defaults: &Defaults, notes: &mut Notes) -> Option<JobFile> {
    if text.len() > FILE_BYTES_MAX {
        notes.refuse(&Fault::TooLarge { bytes: text.len() }, 0..0);
        return None;
    }
    if let Some((at, character)) = text.char_indices().find(|(_, c)| is_binary(*c)) {
        notes.refuse(
            &Fault::ControlCharacter { character },
            at..at + character.len_utf8(),
        );
        return None;
    }
    let root = document::parse(text, notes)?;
    let job = read_top(&root, notes)?;
    read_fields(text, &job, defaults, notes)
}

/// Characters that text files do not have; YAML allows none of them.
fn is_binary(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

/// The fields of `job:`.
fn read_top<'a>(root: &'a Node, notes: &mut Notes) -> Option<Fields<'a>> {
    const HELP: &str = "Write `job:` with the job's keys indented below it.";
    match &root.value {
        Value::Mapping(_) => {}
        Value::Scalar(scalar) if scalar.is_null() => {
            notes.refuse(&Fault::Empty, 0..0);
            return None;
        }
        Value::Scalar(_) | Value::List(_) => {
            let found = if matches!(root.value, Value::List(_)) {
                "a list"
            } else {
                "text"
            };
            let fault = Fault::WrongType {
                key: "the file",
                expected: "a mapping with `job:`",
                found,
            };
            notes.refuse(&fault, root.span.clone());
            return None;
        }
        Value::Refused => return None,
    }
    let top = Fields::read(Section::Top, root, 0..0, notes);
    if let Some(provider) = top.entry("provider") {
        read_provider(provider, notes);
    }
    let Some(job) = top.entry("job") else {
        // A file whose one key is a misspelt or later one has been told so; `job` is missing all the same.
        if !top.is_written("job") {
            top.refuse_missing("job", HELP, notes);
        }
        return None;
    };
    Some(Fields::read(
        Section::Job,
        &job.value,
        job.key_span.clone(),
        notes,
    ))
}

fn read_provider(provider: &Entry, notes: &mut Notes) {
    let fields = Fields::read(
        Section::Provider,
        &provider.value,
        provider.key_span.clone(),
        notes,
    );
    if let Some((name, entry)) = fields.text("name")
        && !name.eq_ignore_ascii_case("odin")
    {
        notes.warn(&Fault::OtherProvider { name: quoted(name) }, entry.place());
    }
}

fn read_fields(
    text: &str,
    job: &Fields<'_>,
    defaults: &Defaults,
    notes: &mut Notes,
) -> Option<JobFile> {
    let id = read_id(job, notes);
    let name = read_name(job, notes);
    let description = read_description(job, notes);
    let program = program::read(job, notes);
    let schedule = schedule::read(text, job, defaults.purpose, notes);
    let timezone =
        schedule::read_timezone(job, schedule.as_ref().map(|(_, schedule)| schedule), notes);
    let args = job.texts("args");
    text::check_all("args", &args, notes);
    let mut places = read_files(job, notes);
    let mut files: Vec<_> = places.iter().map(|(path, _)| path.clone()).collect();
    files.sort();
    files.dedup();
    let env = environment::read(job, notes);
    let (secrets, secret_places) = secrets::read(job, &env, notes).into_iter().unzip();
    let execution = execution::read(job, notes);
    let grace = read_duration(job, "grace", notes).unwrap_or(defaults.grace);
    let missed = choice::read_missed(job, notes);
    let concurrency = policies::read_concurrency(job, notes);
    let retries = policies::read_retries(job, notes);
    let loss = policies::read_loss(job, notes);
    let priority = policies::read_priority(job, notes);
    let (alerting, channel_places) = alerting::read(job, notes);
    let (keep, run_output) = keep::read(job, notes);
    let (schedule_text, schedule) = schedule?;
    let program = program?;
    if let Program::Interpreted { file, .. } | Program::Compiled { file, .. } = &program
        && let Some((_, entry)) = job.text("file")
        && let Ok(path) = BundlePath::parse(file)
    {
        places.push((path, entry.place()));
    }
    let file = JobFile {
        text: text.to_owned(),
        id,
        name: name?,
        description,
        program,
        args: args.into_iter().map(|(text, _)| text.to_owned()).collect(),
        files,
        env,
        schedule_text,
        schedule,
        timezone,
        grace,
        missed,
        concurrency,
        timeouts: execution.timeouts,
        kill_grace: execution.kill_grace.unwrap_or(defaults.kill_grace),
        output_bytes_max: run_output.unwrap_or(defaults.output_bytes_max),
        limits: execution.limits,
        children: execution.children,
        on_cancel: execution.on_cancel,
        dst: execution.dst,
        secrets,
        retries,
        loss,
        priority,
        alerting,
        keep,
        warnings: Vec::new(),
        places,
        secret_places,
        channel_places,
    };
    check_size(&file, notes);
    Some(file)
}

/// The texts of a file are rarely longer than the file, but escapes can make them so.
fn check_size(file: &JobFile, notes: &mut Notes) {
    let env = file
        .env
        .iter()
        .map(|(name, value)| name.len() + value.len());
    let program = match &file.program {
        Program::Argv(argv) => argv.iter().map(String::len).sum(),
        Program::Shell(line) => line.len(),
        Program::Interpreted { .. } | Program::Compiled { .. } => 0,
    };
    let bytes = file.description.len()
        + program
        + file.args.iter().map(String::len).sum::<usize>()
        + file
            .files
            .iter()
            .map(|path| path.as_str().len())
            .sum::<usize>()
        + env.sum::<usize>();
    if bytes > SPEC_BYTES_MAX {
        notes.refuse(
            &Fault::TooLong {
                what: "job",
                bytes,
                bytes_max: SPEC_BYTES_MAX,
                help: "Put long texts into files and list these under `files`; list a directory instead of its files.",
            },
            0..0,
        );
    }
}

fn read_id(job: &Fields<'_>, notes: &mut Notes) -> Option<JobId> {
    let (text, entry) = job.text("id")?;
    text.parse()
        .map_err(|error| notes.refuse(&Fault::Id(error), entry.place()))
        .ok()
}

fn read_name(job: &Fields<'_>, notes: &mut Notes) -> Option<JobName> {
    const HELP: &str = "Give the job a name that none of your other jobs has.";
    let (text, entry) = job.required_text("name", HELP, notes)?;
    JobName::parse(text)
        .map_err(|error| match error {
            JobNameError::Empty => job.refuse_missing("name", HELP, notes),
            error => notes.refuse(&Fault::Name(error), entry.place()),
        })
        .ok()
}

fn read_description(job: &Fields<'_>, notes: &mut Notes) -> String {
    let Some((text, entry)) = job.text("description") else {
        return String::new();
    };
    // It is printed in terminals; line ends are what a folded text has.
    match text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        Some(character) => {
            let fault = Fault::ControlInValue {
                key: "description",
                character,
            };
            notes.refuse(&fault, entry.place());
            String::new()
        }
        None => text.trim_end().to_owned(),
    }
}

/// The paths of `files` in the order of the text, with their places.
fn read_files(job: &Fields<'_>, notes: &mut Notes) -> Vec<(BundlePath, Range<usize>)> {
    let written = job.texts("files");
    if let Some((_, span)) = written.get(text::ENTRIES_MAX) {
        let fault = Fault::TooMany {
            key: "files",
            count: written.len(),
            count_max: text::ENTRIES_MAX,
            help: "List a directory instead of its files.",
        };
        notes.refuse(&fault, span.clone());
        return Vec::new();
    }
    let mut files = Vec::with_capacity(written.len());
    for (text, span) in written {
        match BundlePath::from_written(text) {
            Ok(path) => files.push((path, span)),
            Err(fault) => notes.refuse(
                &Fault::Path {
                    path: quoted(text),
                    fault,
                },
                span,
            ),
        }
    }
    files
}

pub(crate) fn read_duration(
    job: &Fields<'_>,
    key: &'static str,
    notes: &mut Notes,
) -> Option<Duration> {
    let (text, entry) = job.text(key)?;
    duration::parse(text)
        .map_err(|fault| {
            notes.refuse(
                &Fault::Duration {
                    text: quoted(text),
                    fault,
                },
                entry.place(),
            );
        })
        .ok()
}
