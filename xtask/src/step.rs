//! Running another program as one step of a command.

use std::fmt;
use std::process::{Command, Stdio};

use crate::finding::Finding;
use crate::repository::Repository;

/// Why a command of this crate ended without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments were not understood.
    Usage(String),
    /// A program ended badly.
    Step {
        /// What was run.
        command: String,
        /// How it ended.
        ending: String,
    },
    /// A program could not be started.
    NotStarted {
        /// What was to be run.
        command: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file of the repository could not be read.
    Unreadable {
        /// Which.
        path: String,
        /// What was wrong.
        error: String,
    },
    /// A crate that should be run has nothing to run.
    NoProgram {
        /// Which.
        package: &'static str,
    },
    /// Rules are broken.
    Findings(Vec<Finding>),
    /// Programs that the tests use are missing.
    MissingTools(Vec<crate::tools::Missing>),
    /// The tests ran, and not all of them passed.
    Tests {
        /// What was seen.
        summary: String,
    },
}

impl Failure {
    /// 2 for a wrong call, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Step { .. }
            | Self::NotStarted { .. }
            | Self::Unreadable { .. }
            | Self::NoProgram { .. }
            | Self::Findings(_)
            | Self::MissingTools(_)
            | Self::Tests { .. } => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Step { command, ending } => write!(f, "`{command}` ended with {ending}"),
            Self::NotStarted { command, error } => {
                write!(f, "`{command}` could not be started: {error}")
            }
            Self::Unreadable { path, error } => write!(f, "cannot read {path}: {error}"),
            Self::NoProgram { package } => write!(f, "`{package}` has no program to run yet"),
            Self::Findings(findings) => {
                for finding in findings {
                    writeln!(f, "{finding}")?;
                }
                write!(f, "{} findings", findings.len())
            }
            Self::MissingTools(missing) => {
                f.write_str("the tests need programs that are not here:")?;
                for tool in missing {
                    write!(f, "\n  {tool}")?;
                }
                Ok(())
            }
            Self::Tests { summary } => f.write_str(summary),
        }
    }
}

/// `cargo` with these arguments, in the repository's root.
pub(crate) fn cargo(repository: &Repository, arguments: &[&str]) -> Command {
    // The cargo that runs this program, so that a toolchain override holds for its steps too.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(&repository.root);
    command
}

/// Runs a step to its end, with its output where the developer sees it.
pub(crate) fn run(mut command: Command) -> Result<(), Failure> {
    let shown = shown(&command);
    println!("» {shown}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::NotStarted {
            command: shown.clone(),
            error,
        })?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Step {
            command: shown,
            ending: status.to_string(),
        })
    }
}

/// The command as a developer would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let mut text = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
