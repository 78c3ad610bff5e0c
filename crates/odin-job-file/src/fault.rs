//! What can be wrong with a job file: facts, each with a stable code and the next step.

use odin_model::channel::ChannelNameError;
use odin_model::id::IdError;
use odin_model::job::JobNameError;
use odin_model::secret::SecretNameError;
use odin_model::value::NAME_BYTES_MAX;
use odin_schedule::ScheduleError;

use crate::bundle::path::PathFault;
use crate::duration::DurationFault;

/// The largest job file, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// A fact about a refused file. Texts of the file are quoted by [`quoted`] before they get here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the job file has {bytes} bytes; at most {FILE_BYTES_MAX} are read")]
    TooLarge { bytes: usize },
    #[error("the character {character:?} cannot be part of a job file")]
    ControlCharacter { character: char },
    #[error("`{key}` holds the character {character:?}")]
    ControlInValue { key: &'static str, character: char },
    #[error("this is not YAML: {problem}")]
    Syntax { problem: String },
    #[error("a tab cannot indent YAML")]
    Tab,
    #[error("more than {depth_max} collections lie in each other")]
    TooDeep { depth_max: usize },
    #[error("the job file is empty")]
    Empty,
    #[error("a job file is one document; here a second one begins")]
    SeveralDocuments,
    #[error("a job file has no YAML directives")]
    Directive,
    #[error("a job file has no anchors and no aliases")]
    Alias,
    #[error("a job file has no tags")]
    Tag,
    #[error("a key must be one word of text")]
    KeyNotText,
    #[error("`{key}` is written twice")]
    DuplicateKey { key: String, first_line: usize },
    #[error("there is no key `{key}` in {section}")]
    UnknownKey {
        key: String,
        section: &'static str,
        help: String,
    },
    #[error("`{what}` is not supported yet")]
    NotSupportedYet { what: String },
    #[error("`{key}` must be {expected}, not {found}")]
    WrongType {
        key: &'static str,
        expected: &'static str,
        found: &'static str,
    },
    #[error("`{key}` is missing")]
    Missing { key: &'static str, help: String },
    #[error("`{second}` cannot stand beside `{first}`")]
    Conflict {
        first: &'static str,
        second: &'static str,
        help: &'static str,
    },
    #[error("`{text}` is not a duration")]
    Duration { text: String, fault: DurationFault },
    #[error(transparent)]
    Id(IdError),
    #[error("{0}")]
    Name(JobNameError),
    #[error("`{language}` is not a language that Odin knows")]
    UnknownLanguage {
        language: String,
        suggestion: Option<&'static str>,
    },
    #[error("`{value}` is not a value of `{key}`")]
    UnknownValue {
        key: &'static str,
        value: String,
        choices: &'static [&'static str],
        suggestion: Option<&'static str>,
    },
    #[error("`{path}` cannot be a file of the bundle: {fault}")]
    Path { path: String, fault: PathFault },
    #[error("an interpreter would take `{path}` for an option")]
    LooksLikeOption { path: String },
    #[error("`{path}` is not a source of {language}")]
    WrongEnding {
        path: String,
        language: &'static str,
        ending: &'static str,
    },
    #[error("`{name}` cannot be the name of an environment variable")]
    EnvName { name: String, help: &'static str },
    #[error("`{name}` cannot be the name of a channel: {error}")]
    ChannelName {
        name: String,
        error: ChannelNameError,
    },
    #[error("`{name}` cannot be the name of a secret: {error}")]
    SecretName {
        name: String,
        error: SecretNameError,
    },
    #[error("the secret `{name}` is {clash}")]
    SecretClash { name: String, clash: &'static str },
    #[error("`{what}` has {bytes} bytes; at most {bytes_max} are allowed")]
    TooLong {
        what: &'static str,
        bytes: usize,
        bytes_max: usize,
        help: &'static str,
    },
    #[error("a name in `values` has {bytes} bytes; at most {NAME_BYTES_MAX} are kept of one")]
    ValueNameTooLong { bytes: usize },
    #[error("`{key}` has {count} entries; at most {count_max} are allowed")]
    TooMany {
        key: &'static str,
        count: usize,
        count_max: usize,
        help: &'static str,
    },
    #[error("`{value}` is out of range for `{key}`")]
    OutOfRange {
        key: &'static str,
        value: String,
        range: String,
    },
    #[error(transparent)]
    Schedule(ScheduleError),
    #[error("this file was written for `{name}`")]
    OtherProvider { name: String },
    #[error("the schedule names a zone itself, so `timezone` does not count")]
    TwoZones,
}

impl Fault {
    /// Stable across releases.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "file/too-large",
            Self::ControlCharacter { .. } | Self::ControlInValue { .. } => "file/control-character",
            Self::Syntax { .. } => "file/syntax",
            Self::Tab => "file/tab",
            Self::TooDeep { .. } => "file/too-deep",
            Self::Empty => "file/empty",
            Self::SeveralDocuments => "file/several-documents",
            Self::Directive => "file/directive",
            Self::Alias => "file/alias",
            Self::Tag => "file/tag",
            Self::KeyNotText => "file/key-not-text",
            Self::DuplicateKey { .. } => "file/duplicate-key",
            Self::UnknownKey { .. } => "file/unknown-key",
            Self::NotSupportedYet { .. } => "file/not-supported-yet",
            Self::WrongType { .. } => "file/wrong-type",
            Self::Missing { .. } => "file/missing",
            Self::Conflict { .. } => "file/conflict",
            Self::Duration { .. } => "file/bad-duration",
            Self::Id(error) => error.code(),
            Self::Name(_) => "job/bad-name",
            Self::UnknownLanguage { .. } => "file/unknown-language",
            Self::UnknownValue { .. } => "file/unknown-value",
            Self::Path { .. } | Self::LooksLikeOption { .. } => "file/bad-path",
            Self::WrongEnding { .. } => "file/wrong-ending",
            Self::EnvName { .. } => "file/bad-env-name",
            Self::ChannelName { .. } => "file/bad-channel-name",
            Self::SecretName { .. } => "file/bad-secret-name",
            Self::SecretClash { .. } => "file/secret-clash",
            Self::TooLong { .. } | Self::ValueNameTooLong { .. } => "file/too-long",
            Self::TooMany { .. } => "file/too-many",
            Self::OutOfRange { .. } => "file/out-of-range",
            Self::Schedule(error) => error.kind.code(),
            Self::OtherProvider { .. } => "file/other-provider",
            Self::TwoZones => "file/two-zones",
        }
    }

    /// The next thing that the writer of the file can do, as a sentence.
    pub(crate) fn help(&self) -> String {
        match self {
            Self::TooLarge { .. } => "Move data into files of their own and list them under `files`.".into(),
            Self::ControlCharacter { .. } | Self::ControlInValue { .. } => "Remove it.".into(),
            Self::Syntax { .. } => {
                "Check the indentation and the quotes here and in the line before; text with `: ` or ` #` in it needs quotes."
                    .into()
            }
            Self::Tab => "Use spaces.".into(),
            Self::TooDeep { .. } => "Compare it with the reference of the job file's keys.".into(),
            Self::Empty => "Start from `odin generate -f job.yml -l python`.".into(),
            Self::SeveralDocuments => "Put each job into a file of its own.".into(),
            Self::Directive => "Remove the line that begins with `%`.".into(),
            Self::Alias => "Write the value out; a text that begins with `&` or `*` needs quotes.".into(),
            Self::Tag => "Remove it; a text that begins with `!` needs quotes.".into(),
            Self::KeyNotText => "Write `key: value`; a text that begins with `{` or `[` needs quotes.".into(),
            Self::DuplicateKey { first_line, .. } => format!("Keep one of the two; the first is in line {first_line}."),
            Self::UnknownKey { help, .. } | Self::Missing { help, .. } => help.clone(),
            Self::NotSupportedYet { .. } => "Remove it: this version of Odin would not do what it says.".into(),
            Self::WrongType { expected, .. } => format!("Write {expected}."),
            Self::Conflict { help, .. }
            | Self::EnvName { help, .. }
            | Self::TooLong { help, .. }
            | Self::TooMany { help, .. } => (*help).into(),
            Self::Duration { fault, .. } => fault.help(),
            Self::Id(_) => "Take the id that `odin generate` made, or leave `id` out: the server makes one.".into(),
            Self::Name(_) => "Letters, digits, `_`, `-`, dots and single spaces are safe.".into(),
            Self::UnknownLanguage { suggestion, .. } => {
                let known = crate::language::names().join(", ");
                let meant = suggestion.map_or(String::new(), |it| format!("Did you mean `{it}`? "));
                format!("{meant}Known are {known}; or write the absolute path of an interpreter.")
            }
            Self::UnknownValue { choices, suggestion, .. } => {
                let meant = suggestion.map_or(String::new(), |it| format!("Did you mean `{it}`? "));
                format!("{meant}Write one of: {}.", choices.join(", "))
            }
            Self::Path { .. } => "Write it relative to the job file's directory, and below it.".into(),
            Self::LooksLikeOption { .. } => "Choose a name that does not begin with `-`.".into(),
            Self::WrongEnding { ending, .. } => format!("Its name must end in `{ending}`."),
            Self::ChannelName { .. } => "Write the name as `odin notify channel list` shows it.".into(),
            Self::SecretName { .. } => "Write the name as `odin secret list` shows it.".into(),
            Self::SecretClash { .. } => "Keep one of the two.".into(),
            Self::ValueNameTooLong { .. } => {
                format!("Write its first {NAME_BYTES_MAX} bytes: by these its values are kept.")
            }
            Self::OutOfRange { range, .. } => format!("Write {range}."),
            Self::Schedule(error) => error.kind.help(),
            Self::OtherProvider { .. } => "Write `name: odin`, or leave `provider` out.".into(),
            Self::TwoZones => "Keep one of the two.".into(),
        }
    }
}

/// A text of the file, short enough for a message.
pub(crate) fn quoted(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let shown: String = text.chars().take(CHARACTERS_MAX).collect();
    let is_cut = text.chars().nth(CHARACTERS_MAX).is_some();
    printable(&shown) + if is_cut { "…" } else { "" }
}

/// A text without the characters that a terminal would obey, or that hide others.
pub(crate) fn printable(text: &str) -> String {
    let unfit = |c: char| crate::bundle::path::is_unfit(c);
    text.chars()
        .map(|c| if unfit(c) { '\u{fffd}' } else { c })
        .collect()
}
