//! `odin test`: a job on this machine, as the person who asks, without a server.

mod report;
mod values;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use clap::Args;
use odin_job_file::{JobFile, Purpose};
use odin_model::Program;
use odin_model::attempt::Ending;
use odin_model::reported_result::{ReportedResult, judge};
use odin_wire::{Exit, Outcome};
use serde::Serialize;

use crate::commands::deploy::source;
use crate::context::{Context, draw};
use crate::deployment::{self, Prepared};
use crate::error::CliError;
use crate::report as problems;
use crate::run_reason;
use values::Listener;

/// Of a job that sets none, as in a run.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What of this process's environment a job finds too: what a run has from the owner's account.
const OF_THE_OWNER: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];

/// `odin test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The job file
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

/// What `--json` prints at the end.
#[derive(Debug, Serialize)]
struct Tested {
    job_name: String,
    outcome: Outcome,
    reason: Option<String>,
    /// `null`: it was not its exit that ended it.
    exit_code: Option<u8>,
    values: Vec<odin_wire::Value>,
}

/// Runs a job file once, and shows what it reports.
pub(crate) fn run(args: &TestArgs, context: &Context) -> Result<Exit, CliError> {
    let prepared = deployment::prepare(&args.file, Purpose::Execute)?;
    problems::warn(&prepared.warnings(), Some(source(&prepared)));
    for secret in &prepared.file.secrets {
        report::say(&format!(
            "the secret `{}` is not there: a test has none",
            secret.name
        ));
    }
    let place = tempfile::Builder::new().prefix("odin-test-").tempdir();
    let place = place.map_err(|error| CliError::file(&std::env::temp_dir(), &error))?;
    let code = place.path().join("code");
    unpack(&prepared, &code)?;
    let socket = place.path().join("values.sock");
    let listener =
        Listener::open(&socket, token()?).map_err(|error| CliError::file(&socket, &error))?;
    let ending = run_process(&prepared.file, &code, &socket, &listener, context);
    let heard = listener
        .finish()
        .map_err(|error| CliError::file(&socket, &error))?;
    let reported = heard.result.as_ref().and_then(ReportedResult::of);
    let (outcome, reason) = judge(&ending, reported.as_ref());
    let outcome = Outcome::from(outcome);
    let exit_code = match ending {
        Ending::Exited { code } => Some(code),
        _ => None,
    };
    if context.json() {
        context.print_json(&Tested {
            job_name: prepared.file.name.to_string(),
            outcome,
            reason,
            exit_code,
            values: report::to_wire(&heard.values),
        })?;
    } else {
        report::say(&report::ending(
            prepared.file.name.as_str(),
            outcome,
            run_reason::in_words(Some(outcome), exit_code, None, reason.as_deref()).as_deref(),
        ));
    }
    Ok(if outcome.is_good() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn token() -> Result<String, CliError> {
    let mut bits = [0; 16];
    draw(&mut bits)?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a deployment would hold, and nothing else: a file that is not named is missing here as it would be there.
fn unpack(prepared: &Prepared, code: &Path) -> Result<(), CliError> {
    let opened = std::fs::create_dir(code).and_then(|()| std::fs::File::open(code));
    let directory = opened.map_err(|error| CliError::file(code, &error))?;
    odin_executor::unpack::unpack(&prepared.packed[..], directory, prepared.hash)
        .map_err(|error| CliError::refused(error.code(), error.to_string()))
}

fn run_process(
    file: &JobFile,
    code: &Path,
    socket: &Path,
    listener: &Listener,
    context: &Context,
) -> Ending {
    let mut command = command_of(file, code);
    command
        .env_clear()
        .envs(
            OF_THE_OWNER
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .env("PATH", DEFAULT_PATH)
        .envs(file.env.iter().map(|(name, value)| (name, value)))
        .env("ODIN_EXEC_ENV", "True")
        .env("ODIN_JOB_NAME", file.name.as_str())
        .env("ODIN_ATTEMPT", "1")
        .env("ODIN_DUE_AT", context.now().to_string())
        .env("ODIN_SOCKET", socket)
        .env("ODIN_RUN_TOKEN", listener.token())
        .current_dir(code)
        .stdin(Stdio::null());
    if context.json() {
        // Standard output is the answer's.
        command.stdout(std::io::stderr());
    }
    match command.status() {
        Ok(status) => ending_of(status),
        Err(error) => Ending::NotStartable {
            reason: format!(
                "{} cannot be started: {error}",
                command.get_program().display()
            ),
        },
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test runs its job itself, and no executor runs here"
)]
fn command_of(file: &JobFile, code: &Path) -> Command {
    let mut command = match &file.program {
        Program::Interpreted { language, file } => {
            let mut command = Command::new(odin_node::interpreter(language));
            // A name that begins with a dash would be an option to the interpreter.
            command.arg(Path::new(".").join(file));
            command
        }
        Program::Compiled { binary, .. } => Command::new(code.join(binary)),
        Program::Argv(argv) => {
            let (program, arguments) = match argv.split_first() {
                Some((program, arguments)) => (program.as_str(), arguments),
                None => ("", &[][..]),
            };
            // With a slash it is a file of the bundle, or an absolute path.
            let mut command = match program.contains('/') {
                true => Command::new(code.join(program)),
                false => Command::new(program),
            };
            command.args(arguments);
            command
        }
        Program::Shell(line) => {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", line, "sh"]);
            command
        }
    };
    command.args(&file.args);
    command
}

fn ending_of(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited {
            code: u8::try_from(code).unwrap_or(u8::MAX),
        },
        (None, signal) => Ending::Signalled {
            signal: u8::try_from(signal.unwrap_or_default()).unwrap_or(u8::MAX),
            core: status.core_dumped(),
        },
    }
}
