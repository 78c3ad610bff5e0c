//! `odin notify`: where word of alerts goes.

mod channel;
mod deliveries;

use clap::{Args, Subcommand};
use odin_wire::Exit;

use crate::context::Context;
use crate::error::CliError;

/// `odin notify`.
#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// Set up, list and remove channels
    #[command(subcommand)]
    Channel(channel::ChannelCommand),
    /// Send a message to a channel now, and say what happened at each step; takes an admin
    Test(ChannelArg),
    /// List the messages to a channel, newest first: what waits, was taken or was given up; takes an admin
    Deliveries(deliveries::DeliveriesArgs),
}

/// A channel.
#[derive(Debug, Args)]
pub(crate) struct ChannelArg {
    /// The channel's name
    #[arg(value_name = "CHANNEL")]
    pub(crate) name: String,
}

/// Runs a subcommand.
pub(crate) async fn run(command: &NotifyCommand, context: &Context) -> Result<Exit, CliError> {
    match command {
        NotifyCommand::Channel(command) => {
            channel::run(command, context).await.map(|()| Exit::Done)
        }
        NotifyCommand::Test(args) => test(args, context).await,
        NotifyCommand::Deliveries(args) => {
            deliveries::run(args, context).await.map(|()| Exit::Done)
        }
    }
}

async fn test(args: &ChannelArg, context: &Context) -> Result<Exit, CliError> {
    let client = context.client().await?;
    let tried = client.test_channel(&args.name).await?;
    let exit = match tried.taken {
        true => Exit::Done,
        false => Exit::Failed,
    };
    if context.json() {
        context.print_json(&tried)?;
        return Ok(exit);
    }
    for step in &tried.steps {
        context.print_line(&format!("✓ {step}"))?;
    }
    match &tried.error {
        None => context.print_line(&format!("The channel {} works", args.name))?,
        Some(error) => context.print_line(&format!("✗ {error}"))?,
    }
    Ok(exit)
}
