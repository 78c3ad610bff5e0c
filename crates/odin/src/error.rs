//! Why a command did not succeed: facts, the exit code and the next step. Drawing them is `report`'s business.

use std::io;
use std::path::Path;

use odin_client::ClientError;
use odin_wire::{Exit, Mistake, Problem};

use crate::own_codes;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The server could not be asked, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A refusal or failure of the command itself.
    #[error("{}", .0.message)]
    Plain(Box<Plain>),
    /// Mistakes in a text that the person wrote.
    #[error("{} has mistakes", .0.origin)]
    Text(Box<TextMistakes>),
    /// Everything has been said already; only the exit code is left.
    #[error("the command ended with exit code {}", .0.code())]
    Said(Exit),
    /// Nobody reads what the command prints: it ends quietly.
    #[error("nobody reads the output")]
    NobodyReads,
}

/// A refusal or failure without a place in a text.
#[derive(Debug)]
pub(crate) struct Plain {
    /// Stable across releases.
    pub(crate) code: &'static str,
    /// What is wrong, as one sentence without a full stop.
    pub(crate) message: String,
    /// The next thing to do, as one sentence.
    pub(crate) help: Option<String>,
    /// What the command ends with.
    pub(crate) exit: Exit,
}

/// Mistakes with their places.
#[derive(Debug)]
pub(crate) struct TextMistakes {
    /// The file as the person named it, or what the text is, such as `schedule`.
    pub(crate) origin: String,
    /// The text.
    pub(crate) text: String,
    /// The mistakes, in the order of their places.
    pub(crate) mistakes: Vec<Mistake>,
    /// How many more there are.
    pub(crate) omitted: usize,
}

impl CliError {
    /// A refusal or failure of the command itself.
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(
            own_codes::exit_of(code).is_none_or(|documented| documented == exit),
            "the reference page has another exit code for {code}"
        );
        Self::Plain(Box::new(Plain {
            code,
            message: message.into(),
            help: None,
            exit,
        }))
    }

    /// Refused input or usage.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, code, message)
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(path: &Path, source: &io::Error) -> Self {
        Self::refused(
            "cli/file",
            format!("{}: {}", path.display(), plain_words(source)),
        )
    }

    /// The same with a next step.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        if let Self::Plain(plain) = &mut self {
            plain.help = Some(help.into());
        }
        self
    }

    /// Output that could not be written: quietly when the reader went away.
    pub(crate) fn output(source: &io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::NobodyReads;
        }
        Self::new(
            Exit::Failed,
            "cli/output",
            format!("cannot write the output: {source}"),
        )
    }

    /// What the command ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => error.exit(),
            Self::Plain(plain) => plain.exit,
            Self::Text(_) => Exit::Refused,
            Self::Said(exit) => *exit,
            Self::NobodyReads => Exit::Done,
        }
    }

    /// The form of `--json`. `None`: there is nothing left to say.
    pub(crate) fn into_problem(self) -> Option<Problem> {
        let status = match self.exit() {
            Exit::Done | Exit::Failed => 500,
            Exit::Refused => 422,
            Exit::Unavailable => 503,
            Exit::NotFound => 404,
            Exit::NotPermitted => 403,
            Exit::Conflict => 409,
        };
        match self {
            Self::Client(error) => {
                let is_own = !matches!(error, ClientError::Refused(_));
                let mut problem = error.into_problem();
                if is_own {
                    problem.title = title_of(&problem.code).to_owned();
                }
                Some(problem)
            }
            Self::Plain(plain) => Some(Problem {
                kind: format!("urn:odin:{}", plain.code),
                title: title_of(plain.code).to_owned(),
                status,
                code: plain.code.to_owned(),
                detail: plain.message,
                help: plain.help,
                errors: Vec::new(),
            }),
            Self::Text(text) => {
                let first = text.mistakes.first();
                let code = first.map_or("file/refused", |mistake| mistake.code.as_str());
                let count = text.mistakes.len() + text.omitted;
                let detail = match (count, first) {
                    (1, Some(only)) => format!("{}: {}", text.origin, only.message),
                    _ => format!("{} has {count} mistakes", text.origin),
                };
                Some(Problem::new(code, detail).with_errors(text.mistakes))
            }
            Self::Said(_) | Self::NobodyReads => None,
        }
    }
}

/// What a code means in general: by the command line's table, else by the server's.
fn title_of(code: &str) -> &'static str {
    own_codes::title_of(code).unwrap_or_else(|| odin_wire::error_code::find(code).title)
}

/// An I/O error without the number that the standard library appends.
pub(crate) fn plain_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// A path that names nothing the command can use.
pub(crate) fn not_a_file(path: &Path, what: &str) -> CliError {
    CliError::refused("cli/not-a-file", format!("{} is {what}", path.display()))
}
