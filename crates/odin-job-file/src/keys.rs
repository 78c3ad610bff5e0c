//! The keys of a job file: one table, from which files are read, the reference is written and the schema is made.

use crate::shape::{Section, Shape};

/// Whether this version does what a key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    Now,
    /// Refused: a key that is accepted and ignored would be a lie.
    NotYet,
}

/// The default of a key that has none.
pub(crate) const REQUIRED: &str = "required";

/// One key.
pub(crate) struct Key {
    pub(crate) section: Section,
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) support: Support,
    /// What counts without it, in Markdown; [`REQUIRED`] for those without a default.
    pub(crate) default: &'static str,
    /// An example of its value, in YAML.
    pub(crate) example: &'static str,
    pub(crate) meaning: &'static str,
}

const fn key(
    section: Section,
    name: &'static str,
    shape: Shape,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        section,
        name,
        shape,
        support: Support::Now,
        default,
        example,
        meaning,
    }
}

const fn later(section: Section, name: &'static str, meaning: &'static str) -> Key {
    Key {
        section,
        name,
        shape: Shape::Later,
        support: Support::NotYet,
        default: "",
        example: "",
        meaning,
    }
}

pub(crate) const DELIVERIES: &[&str] = &["env", "file"];
pub(crate) const CONCURRENCY: &[&str] = &["allow", "forbid", "queue", "replace"];
pub(crate) const ON_LOST: &[&str] = &["fail", "rerun"];
pub(crate) const BACKOFF: &[&str] = &["fixed", "exponential"];
/// Outcomes that can be tried again.
pub(crate) const RETRIED: &[&str] = &[
    "failed",
    "signalled",
    "timed_out",
    "out_of_memory",
    "not_startable",
    "lost",
];
pub(crate) const CHILDREN: &[&str] = &["end", "keep"];
pub(crate) const GAP: &[&str] = &["shift", "skip", "before"];
pub(crate) const REPEAT: &[&str] = &["first", "last", "both"];
pub(crate) const MISSED: &[&str] = &["skip", "once", "all"];

/// Every key that Odin knows.
pub(crate) const KEYS: &[Key] = &[
    key(
        Section::Top,
        "job",
        Shape::Section(Section::Job),
        REQUIRED,
        "",
        "The job.",
    ),
    key(
        Section::Top,
        "provider",
        Shape::Section(Section::Provider),
        "none",
        "{name: odin, version: \"2.0.0\"}",
        "Which program the file is for. Accepted, not needed.",
    ),
    later(
        Section::Top,
        "workflow",
        "A workflow: steps that depend on each other.",
    ),
    key(
        Section::Provider,
        "name",
        Shape::Text,
        "`odin`",
        "odin",
        "The program's name.",
    ),
    key(
        Section::Provider,
        "version",
        Shape::Text,
        "none",
        "\"2.0.0\"",
        "The version of the file's format.",
    ),
    key(
        Section::Job,
        "id",
        Shape::Text,
        "the server makes one",
        "a37b187f5930",
        "12 hexadecimal digits, from `odin generate`. Without it, a deploy of the owner's job of that name makes a new version.",
    ),
    key(
        Section::Job,
        "name",
        Shape::Text,
        REQUIRED,
        "amzn_stocks",
        "Unique among the owner's jobs. At most 128 bytes, no `/`, no control characters.",
    ),
    key(
        Section::Job,
        "description",
        Shape::Text,
        "empty",
        "Check the stock price",
        "What the job is for.",
    ),
    key(
        Section::Job,
        "language",
        Shape::Text,
        "required, or `command`",
        "python3",
        "`python3`, `python`, `node`, `bash`, `sh`, `go`, or the absolute path of an interpreter. A name is looked up when the job starts.",
    ),
    key(
        Section::Job,
        "file",
        Shape::Path,
        "required, or `command`",
        "amzn_stocks.py",
        "The code, relative to the job file's directory and below it.",
    ),
    key(
        Section::Job,
        "files",
        Shape::PathList,
        "none",
        "[lib, prices.csv]",
        "More files and directories of the bundle, relative to the job file's directory and below it.",
    ),
    key(
        Section::Job,
        "command",
        Shape::TextOrList,
        "none",
        "[curl, -fsS, https://example.org]",
        "What to run instead of `language` and `file`: a list runs without a shell, a text is one line for `/bin/sh -c`.",
    ),
    key(
        Section::Job,
        "schedule",
        Shape::Text,
        "required, or `runs`",
        "every weekday at 09:00",
        "When the job is due, in words or as cron text.",
    ),
    key(
        Section::Job,
        "runs",
        Shape::Text,
        "none",
        "every weekday at 09:00",
        "The same as `schedule`; a file has one of the two.",
    ),
    key(
        Section::Job,
        "timezone",
        Shape::Text,
        "the cluster's",
        "Europe/Dublin",
        "The IANA time zone in which the schedule is read.",
    ),
    key(
        Section::Job,
        "args",
        Shape::TextList,
        "none",
        "[--fast]",
        "Arguments after the file or the command. Numbers and booleans are given as the text that is written.",
    ),
    key(
        Section::Job,
        "env",
        Shape::TextMapping,
        "none",
        "{REGION: eu}",
        "Environment variables of the job. Names that begin with `ODIN_` are Odin's own.",
    ),
    key(
        Section::Job,
        "secrets",
        Shape::NamesOrChoices(DELIVERIES),
        "none",
        "{API_KEY: env, TLS_KEY: file}",
        "Names of secrets that the job gets, at most 64: the variable of that name holds the value, or with `file` the path of a file that holds it. They are masked in its output.",
    ),
    key(
        Section::Job,
        "timeout",
        Shape::DurationOrSection(Section::Timeout),
        "none",
        "10m",
        "How long a run may take before it is ended; or a mapping with several kinds of timeout.",
    ),
    key(
        Section::Timeout,
        "queue",
        Shape::Duration,
        "none",
        "1h",
        "How long a run may wait, from its due time or from being asked for, until its process exists.",
    ),
    key(
        Section::Timeout,
        "start",
        Shape::Duration,
        "none",
        "30s",
        "How long its process may take until its first sign of life: output, or a word to Odin.",
    ),
    key(
        Section::Timeout,
        "run",
        Shape::Duration,
        "none",
        "10m",
        "How long its process may take until it ends.",
    ),
    key(
        Section::Timeout,
        "silence",
        Shape::Duration,
        "none",
        "5m",
        "How long may pass between two signs of life.",
    ),
    key(
        Section::Job,
        "kill_grace",
        Shape::Duration,
        "10s",
        "30s",
        "How long the processes of a run that is cancelled or timed out have between TERM and KILL.",
    ),
    key(
        Section::Job,
        "dst",
        Shape::Section(Section::Dst),
        "none",
        "{gap: skip, repeat: first}",
        "What a fixed time does when the clock jumps.",
    ),
    key(
        Section::Dst,
        "gap",
        Shape::Choice(GAP),
        "`shift`",
        "skip",
        "A time that does not exist: `shift` runs once at the first instant after the gap, `skip` not at all, `before` once in the last second before it.",
    ),
    key(
        Section::Dst,
        "repeat",
        Shape::Choice(REPEAT),
        "`first`",
        "last",
        "A time that comes twice: `first`, `last` or `both`.",
    ),
    key(
        Section::Job,
        "grace",
        Shape::Duration,
        "1m",
        "5m",
        "How late an occurrence may start and still counts as on time. Later is a misfire, and `missed` decides.",
    ),
    key(
        Section::Job,
        "missed",
        Shape::ChoiceOrSection(MISSED, Section::Missed),
        "once",
        "once",
        "What becomes of misfires: `skip` starts none, `once` the latest, `all` the latest 100, or as many as `{policy: all, limit: n}` says.",
    ),
    key(
        Section::Missed,
        "policy",
        Shape::Choice(MISSED),
        REQUIRED,
        "all",
        "`skip`, `once` or `all`.",
    ),
    key(
        Section::Missed,
        "limit",
        Shape::Count,
        "100",
        "20",
        "How many `all` starts, 1 to 1000.",
    ),
    key(
        Section::Job,
        "concurrency",
        Shape::ChoiceOrSection(CONCURRENCY, Section::Concurrency),
        "allow",
        "forbid",
        "What becomes of a run while earlier ones are active: `allow` starts it beside them, `forbid` skips it, `queue` lets it wait for its turn, `replace` stops the oldest for it.",
    ),
    key(
        Section::Concurrency,
        "policy",
        Shape::Choice(CONCURRENCY),
        REQUIRED,
        "queue",
        "`allow`, `forbid`, `queue` or `replace`.",
    ),
    key(
        Section::Concurrency,
        "max",
        Shape::Count,
        "1; any number for `allow`",
        "3",
        "How many runs may be active at once. With `allow`, more wait as with `queue`.",
    ),
    key(
        Section::Concurrency,
        "waiting",
        Shape::Count,
        "100",
        "10",
        "How many may wait for their turn, at most 10000; beyond that a due time is skipped, and a manual run refused.",
    ),
    key(
        Section::Job,
        "retries",
        Shape::CountOrSection(Section::Retries),
        "0",
        "3",
        "How often a run that went wrong is tried again, or a mapping that says more.",
    ),
    key(
        Section::Retries,
        "max",
        Shape::Count,
        REQUIRED,
        "3",
        "How many attempts may follow the first, at most 1000.",
    ),
    key(
        Section::Retries,
        "backoff",
        Shape::Choice(BACKOFF),
        "`exponential`",
        "fixed",
        "How the delay grows: `fixed` stays, `exponential` doubles with each retry; each of its delays is drawn from between half of that and all of it.",
    ),
    key(
        Section::Retries,
        "delay",
        Shape::Duration,
        "10s",
        "30s",
        "How long the first retry waits after the end of the attempt before it.",
    ),
    key(
        Section::Retries,
        "max_delay",
        Shape::Duration,
        "5m",
        "1h",
        "The longest that a retry waits.",
    ),
    key(
        Section::Retries,
        "on",
        Shape::ChoiceList(RETRIED),
        "all of these but `lost`",
        "[failed, timed_out]",
        "Which outcomes are tried again: `failed`, `signalled`, `timed_out`, `out_of_memory`, `not_startable`, `lost`. What was cancelled never is.",
    ),
    key(
        Section::Retries,
        "exit_codes",
        Shape::TextList,
        "all",
        "[75, 10-20]",
        "Which exit statuses of a failed attempt are tried again: numbers and ranges.",
    ),
    key(
        Section::Job,
        "on_lost",
        Shape::Choice(ON_LOST),
        "fail",
        "rerun",
        "What becomes of a run whose node is gone: `fail` ends it as `lost`, `rerun` starts it again at once on another node. It may then run twice; at most 3 times more, or as often as `retries` says.",
    ),
    key(
        Section::Job,
        "lost_after",
        Shape::Duration,
        "5m",
        "10m",
        "How long a node may be silent before its runs are lost, at least 10s.",
    ),
    key(
        Section::Job,
        "priority",
        Shape::Integer,
        "0",
        "50",
        "Which of several runs that wait is first: the higher one, -100 to 100.",
    ),
    key(
        Section::Job,
        "limits",
        Shape::Section(Section::Limits),
        "none",
        "{memory: 512MiB, cpu: 1.5, processes: 64}",
        "How much of a machine a run's whole tree of processes may use.",
    ),
    key(
        Section::Limits,
        "memory",
        Shape::Size,
        "none",
        "512MiB",
        "Memory of all its processes together, swap included; at least 4MiB.",
    ),
    key(
        Section::Limits,
        "cpu",
        Shape::Cores,
        "none",
        "1.5",
        "Processor time in cores, at least 0.01.",
    ),
    key(
        Section::Limits,
        "processes",
        Shape::Count,
        "none",
        "64",
        "How many processes and threads it may have at once.",
    ),
    key(
        Section::Limits,
        "open_files",
        Shape::Count,
        "none",
        "1024",
        "How many files each of its processes may have open.",
    ),
    key(
        Section::Limits,
        "best_effort",
        Shape::Truth,
        "`false`",
        "true",
        "Whether a machine that cannot enforce a limit may run the job without it. Else the job is refused.",
    ),
    later(Section::Job, "nodes", "Which nodes may run the job."),
    later(Section::Job, "keep", "How much of the history is kept."),
    later(Section::Job, "notify", "Whom to tell of what."),
    later(
        Section::Job,
        "late_after",
        "When to tell that a run has not finished.",
    ),
    key(
        Section::Job,
        "children",
        Shape::Choice(CHILDREN),
        "end",
        "keep",
        "What becomes of processes that a run leaves behind when its first process has ended: `end` ends them, `keep` leaves them.",
    ),
    key(
        Section::Job,
        "on_cancel",
        Shape::CommandOrSection(Section::OnCancel),
        "none",
        "./clean-up.sh",
        "What to run, as the job's owner and in its directory, before a cancelled run is ended.",
    ),
    key(
        Section::OnCancel,
        "command",
        Shape::TextOrList,
        REQUIRED,
        "[./clean-up.sh, --all]",
        "A list runs without a shell, a text is one line for `/bin/sh -c`.",
    ),
    key(
        Section::OnCancel,
        "timeout",
        Shape::Duration,
        "30s",
        "1m",
        "How long it may take before the cancel goes on without it.",
    ),
];

pub(crate) fn find(section: Section, name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|key| key.section == section && key.name == name)
}

pub(crate) fn of_section(section: Section) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section == section)
}
