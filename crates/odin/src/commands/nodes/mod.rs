//! `odin nodes`.

mod get;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

/// `odin nodes`.
#[derive(Debug, Subcommand)]
pub(crate) enum NodesCommand {
    /// List the nodes
    Get,
}

/// Runs a subcommand.
pub(crate) async fn run(command: &NodesCommand, context: &Context) -> Result<(), CliError> {
    match command {
        NodesCommand::Get => get::run(context).await,
    }
}
