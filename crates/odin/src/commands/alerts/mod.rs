//! `odin alerts`.

mod list;
mod silences;

use std::time::Duration;

use clap::{Args, Subcommand};
use odin_wire::{Acknowledge, MakeSilence};

use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::times;
use crate::times::parse_duration;

/// `odin alerts`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    command: Option<AlertsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

/// What can be done about alerts.
#[derive(Debug, Subcommand)]
enum AlertsCommand {
    /// Say that you know of an alert: until it is over, nobody is told again
    #[command(visible_alias = "acknowledge")]
    Ack(AckArgs),
    /// Let nobody be told of some alerts for a while; they are listed all the same
    Silence(SilenceArgs),
    /// List the silences in force
    Silences,
    /// End a silence before its time
    Unsilence(UnsilenceArgs),
}

/// `odin alerts ack`.
#[derive(Debug, Args)]
struct AckArgs {
    /// The alert's id, such as a17
    #[arg(value_name = "ALERT")]
    id: String,
    /// Why nobody need be told again
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `odin alerts silence`.
#[derive(Debug, Args)]
struct SilenceArgs {
    /// Alerts of this job only: its id, or its name. Without it an admin is needed
    #[arg(short, long, value_name = "JOB")]
    id: Option<String>,
    /// Alerts of this kind only
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Word to this channel only
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// How long, such as 2h
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    lasts: Duration,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `odin alerts unsilence`.
#[derive(Debug, Args)]
struct UnsilenceArgs {
    /// The silence's number
    #[arg(value_name = "NUMBER")]
    silence: u64,
}

/// Lists alerts, or answers them.
pub(crate) async fn run(args: &AlertsArgs, context: &Context) -> Result<(), CliError> {
    match &args.command {
        None => list::run(&args.list, context).await,
        Some(AlertsCommand::Ack(args)) => acknowledge(args, context).await,
        Some(AlertsCommand::Silence(args)) => silence(args, context).await,
        Some(AlertsCommand::Silences) => silences::run(context).await,
        Some(AlertsCommand::Unsilence(args)) => unsilence(args, context).await,
    }
}

async fn acknowledge(args: &AckArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let body = Acknowledge {
        reason: args.reason.clone(),
    };
    let alert = client.acknowledge(&args.id, &body).await?;
    if context.json() {
        return context.print_json(&alert);
    }
    context.print_line(&format!("Alert {} is acknowledged", alert.id))
}

async fn silence(args: &SilenceArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = match &args.id {
        Some(id) => Some(selection::job(&client, id).await?.id),
        None => None,
    };
    let body = MakeSilence {
        job,
        kind: args.kind.clone(),
        channel: args.channel.clone(),
        seconds: args.lasts.as_secs(),
        reason: args.reason.clone(),
    };
    let silence = client.silence(&body).await?;
    if context.json() {
        return context.print_json(&silence);
    }
    let until = times::in_zone(silence.until, &times::zone("UTC"));
    context.print_line(&format!("Silence {} lasts until {until}", silence.id))
}

async fn unsilence(args: &UnsilenceArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    client.unsilence(args.silence).await?;
    if context.json() {
        return context.print_json(&serde_json::json!({"id": args.silence, "state": "ended"}));
    }
    context.print_line(&format!("Silence {} is over", args.silence))
}
