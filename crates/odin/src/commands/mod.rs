//! The commands: one file per verb, a folder per noun.

pub(crate) mod alerts;
pub(crate) mod backup;
pub(crate) mod calendar;
pub(crate) mod cancel;
pub(crate) mod catch_up;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod describe;
mod describe_run;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod execute;
pub(crate) mod executor;
pub(crate) mod generate;
pub(crate) mod link;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod modify;
pub(crate) mod nodes;
pub(crate) mod notify;
pub(crate) mod pause;
pub(crate) mod recover;
pub(crate) mod remove;
pub(crate) mod reporting;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod runs;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod schedule;
pub(crate) mod secret;
pub(crate) mod server;
pub(crate) mod sink;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod unlink;
pub(crate) mod unpack;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod versions;
pub(crate) mod why;

use odin_wire::Exit;

use self::schedule::ScheduleCommand;
use crate::arguments::{Cli, Command, Everywhere};
use crate::context::Context;
use crate::error::CliError;

/// Runs a command.
pub(crate) fn dispatch(cli: Cli) -> Result<Exit, CliError> {
    if matches!(cli.command, Command::Server(_) | Command::Demo(_)) {
        refuse_addresses(&cli.everywhere)?;
    }
    let context = Context::new(cli.everywhere);
    let done = |()| Exit::Done;
    match cli.command {
        // These run in the process's first thread, before any other one exists.
        Command::Executor(args) => executor::run(&args).map(done),
        Command::Unpack => Ok(unpack::run()),
        Command::Server(args) => server::run(args).map(done),
        Command::Demo(args) => demo::run(args).map(done),
        Command::Generate(args) => generate::run(&args, &context).map(done),
        command @ Command::Schedule(ScheduleCommand::Moved(_)) => ask(command, &context),
        Command::Schedule(args) => schedule::run(&args, &context).map(done),
        Command::Version => version::run(&context).map(done),
        Command::Completions(args) => completions::run(&args).map(done),
        Command::Watch(args) => Ok(reporting::watch(&args)),
        Command::Condition(args) => Ok(reporting::condition(&args)),
        Command::Result(args) => Ok(reporting::result(&args)),
        Command::Backup(args) if args.check => backup::check(&args, &context),
        Command::Test(args) => test::run(&args, &context),
        command => ask(command, &context),
    }
}

/// A command that is a server asks none: an address would be ignored, and `-p` taken for its own port.
fn refuse_addresses(everywhere: &Everywhere) -> Result<(), CliError> {
    let flags = [
        ("--port", &everywhere.port),
        ("--server", &everywhere.server),
        ("--token", &everywhere.token),
    ];
    match flags.iter().find(|(_, value)| value.is_some()) {
        None => Ok(()),
        Some((flag, _)) => Err(CliError::refused(
            "cli/usage",
            format!("`{flag}` names a server to ask, and this command runs one itself"),
        )
        .with_help("`odin server --http :PORT` chooses the port on which it serves.")),
    }
}

/// Runs a command that asks a server.
fn ask(command: Command, context: &Context) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CliError::new(
                Exit::Failed,
                "cli/no-runtime",
                format!("cannot start: {error}"),
            )
        })?;
    runtime.block_on(async {
        let done = |()| Exit::Done;
        match command {
            Command::Deploy(args) => deploy::run(&args, context).await.map(done),
            Command::List => list::run(context).await.map(done),
            Command::Describe(args) => describe::run(&args, context).await.map(done),
            Command::Status(args) => status::run(&args, context).await.map(done),
            Command::Modify(args) => modify::run(args, context).await.map(done),
            Command::Remove(args) => remove::run(&args, context).await.map(done),
            Command::Pause(args) => pause::run(&args, context).await.map(done),
            Command::Resume(args) => resume::run(&args, context).await.map(done),
            Command::Run(args) => run::run(&args, context).await,
            Command::Execute(args) => execute::run(&args, context).await,
            Command::Link(args) => link::run(&args, context).await.map(done),
            Command::Unlink(args) => unlink::run(&args, context).await.map(done),
            Command::Versions(args) => versions::run(&args, context).await.map(done),
            Command::Compare(args) => compare::run(&args, context).await.map(done),
            Command::Diff(args) => diff::run(&args, context).await.map(done),
            Command::Rollback(args) => rollback::run(&args, context).await.map(done),
            Command::CatchUp(args) => catch_up::run(&args, context).await.map(done),
            Command::Cancel(args) => cancel::run(&args, context).await.map(done),
            Command::Runs(args) => runs::run(&args, context).await.map(done),
            Command::Stats(args) => stats::run(&args, context).await.map(done),
            Command::Log(args) => log::run(&args, context).await.map(done),
            Command::Why(args) => why::run(&args, context).await.map(done),
            Command::Verify(args) => verify::run(&args, context).await,
            Command::Recover(args) => recover::run(&args, context).await.map(done),
            Command::Schedule(ScheduleCommand::Moved(args)) => {
                schedule::moved::run(&args, context).await.map(done)
            }
            Command::Alerts(args) => alerts::run(&args, context).await.map(done),
            Command::Notify(command) => notify::run(&command, context).await,
            Command::Sink(command) => sink::run(&command, context).await,
            Command::Secret(command) => secret::run(&command, context).await.map(done),
            Command::Backup(args) => backup::run(&args, context).await.map(done),
            Command::Restore(args) => restore::run(args, context).await.map(done),
            Command::Doctor => doctor::run(context).await,
            Command::Nodes(command) => nodes::run(&command, context).await.map(done),
            Command::Calendar(command) => calendar::run(&command, context).await.map(done),
            Command::Server(_)
            | Command::Demo(_)
            | Command::Generate(_)
            | Command::Schedule(_)
            | Command::Version
            | Command::Completions(_)
            | Command::Watch(_)
            | Command::Condition(_)
            | Command::Result(_)
            | Command::Test(_)
            | Command::Executor(_)
            | Command::Unpack => unreachable!("dispatched above"),
        }
    })
}
