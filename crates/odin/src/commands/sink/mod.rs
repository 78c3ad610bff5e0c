//! `odin sink`: where values, the ends of runs and metrics go besides Odin's own history.

mod set;
mod show;

use clap::{Args, Subcommand};
use odin_wire::Exit;
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;

/// `odin sink`.
#[derive(Debug, Subcommand)]
pub(crate) enum SinkCommand {
    /// Set a sink up, or change it; takes an admin
    Set(Box<set::SetArgs>),
    /// List the sinks and how they get on; takes an admin
    #[command(visible_alias = "ls")]
    List,
    /// Show one sink in full: what was sent, passed over and dropped, and why nothing gets there; takes an admin
    Status(SinkArg),
    /// Send one record and the metrics to a sink now; takes an admin
    Test(SinkArg),
    /// Remove a sink; what it has not sent is not sent; takes an admin
    #[command(visible_alias = "rm")]
    Remove(SinkArg),
    /// Print the tables that a PostgreSQL sink fills
    Schema,
}

/// A sink.
#[derive(Debug, Args)]
pub(crate) struct SinkArg {
    /// The sink's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Serialize)]
struct Gone<'a> {
    name: &'a str,
    state: &'static str,
}

#[derive(Serialize)]
struct Schema {
    sql: &'static str,
}

/// Runs a subcommand.
pub(crate) async fn run(command: &SinkCommand, context: &Context) -> Result<Exit, CliError> {
    let done = |()| Exit::Done;
    match command {
        SinkCommand::Set(args) => set::run(args, context).await.map(done),
        SinkCommand::List => show::list(context).await.map(done),
        SinkCommand::Status(args) => show::one(&args.name, context).await.map(done),
        SinkCommand::Test(args) => test(&args.name, context).await,
        SinkCommand::Remove(args) => remove(&args.name, context).await.map(done),
        SinkCommand::Schema => schema(context).map(done),
    }
}

async fn test(name: &str, context: &Context) -> Result<Exit, CliError> {
    let client = context.client().await?;
    let tried = client.test_sink(name).await?;
    let exit = match tried.taken {
        true => Exit::Done,
        false => Exit::Failed,
    };
    if context.json() {
        context.print_json(&tried)?;
        return Ok(exit);
    }
    match &tried.error {
        None => context.print_line(&format!("The sink {name} took a record"))?,
        Some(error) => context.print_line(&format!("✗ {error}"))?,
    }
    Ok(exit)
}

async fn remove(name: &str, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    client.remove_sink(name).await?;
    if context.json() {
        let state = "removed";
        return context.print_json(&Gone { name, state });
    }
    context.print_line(&format!("Sink {name} is removed"))
}

fn schema(context: &Context) -> Result<(), CliError> {
    let sql = odin_sinks::POSTGRES_SCHEMA;
    if context.json() {
        return context.print_json(&Schema { sql });
    }
    // Lines of SQL, for a database to read.
    context.print(sql)
}
